//! What a recipe says happens: overrides, closures, failures, settings, sets of hosts, and the primitives of this machine.

mod support;

use expect_test::{Expect, expect};
use support::{Ran, Test};

/// A project of one site with this recipe.
fn project(recipe: &str) -> Test {
    Test::new().source("index.html", "one").recipe(recipe)
}

/// A project of `n` sites with this recipe.
fn fleet(n: usize, recipe: &str) -> Test {
    Test::with_sites(n).source("index.html", "one").recipe(recipe)
}

/// What a deployment of this recipe says.
#[track_caller]
fn deployed(recipe: &str) -> Ran {
    project(recipe).deploy()
}

/// The report of a run, from `error:` to what was undone, without what differs from run to run.
#[track_caller]
fn fails(test: &Test, want: Expect) -> Ran {
    let ran = test.ends(1, &[]);
    let said = ran.err.replace(&test.root().display().to_string(), "[project]");
    let lines = said.lines().skip_while(|line| !line.starts_with("error:"));
    // What was undone is told behind two spaces, and what the run came to at the margin.
    let is_after = |line: &str| {
        let word = line.strip_prefix("  ").unwrap_or(line);
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && !line.starts_with("error:")
            && !line.starts_with("hint:")
    };
    let report: Vec<&str> = lines.take_while(|line| !is_after(line)).collect();
    want.assert_eq(&(report.join("\n") + "\n"));
    ran
}

/// The lines that `word` begins in what a run said, sorted: hosts speak in no order.
fn lines<'a>(ran: &'a Ran, word: &str) -> Vec<&'a str> {
    let mut lines: Vec<&str> = ran.err.lines().map(str::trim).filter(|line| line.contains(word)).collect();
    lines.sort_unstable();
    lines
}

// The recipe of the design.

/// DESIGN §5, to the letter.
const DESIGN: &str = r#"//! deploy.rhai: our shop
import "laravel" as laravel;          // shipped, by name; "./team/base.rhai" beside this file; imports come first

set("keep_releases", 5);
add("shared", ["public/media/"]);     // a trailing slash means directory

/// Builds assets once, on this machine.
fn build() { local("npm ci && npm run build"); }

/// Tells the search service about the new release, on one host.
fn reindex(host) { laravel::artisan(host, "scout:sync"); }

task("build", build);                               // replaces the shipped task of that name
task("reindex", reindex).once().timeout(120);
task("maintenance", |host| host.run("touch down")).undo(|host| host.run("rm -f down"));
after("swap", "reindex");
remove("migrate");
"#;

#[test]
fn the_recipe_of_the_design_is_well_written_but_for_the_task_that_no_flow_runs() {
    if std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/laravel.rhai")).exists() {
        project(DESIGN).ends(2, &["check"]).says("no flow runs task `maintenance`");
        let whole = DESIGN.replace("remove(", "before(\"swap\", \"maintenance\");\nremove(");
        project(&whole).ends(0, &["check"]);
    }
}

/// The shape of a shipped recipe.
const BASE: &str = r#"
/// Runs an artisan command in the release.
fn artisan(host, command) { host.run(`echo 'artisan ${command}' >> ${host.path}/log`); }

fn migrate(host) { artisan(host, "migrate"); }

desc("Migrates the database.");
task("migrate", migrate).once();
after("prepare", "migrate");
add("shared", ["storage/"]);
"#;

#[test]
fn the_recipe_of_the_design_runs() {
    let recipe = DESIGN
        .replace("import \"laravel\"", "import \"./base.rhai\"")
        .replace("npm ci && npm run build", "echo built > source/built")
        .replace("remove(", "before(\"swap\", \"maintenance\");\nremove(");
    let test = fleet(2, &recipe).write("base.rhai", BASE);
    test.deploy();
    assert_eq!(test.serves("sites/h2", "built"), "built\n");
    let log = |site: &str| std::fs::read_to_string(test.path(site).join("log")).unwrap_or_default();
    assert_eq!(log("sites/h1"), "artisan scout:sync\n");
    assert_eq!(log("sites/h2"), "");
    for path in ["public/media", "storage"] {
        assert!(test.path("sites/h1/current").join(path).is_symlink(), "{path}");
    }
    assert_eq!(test.serves("sites/h1", "down"), "");
}

// Overrides and imports.

#[test]
fn an_override_keeps_what_was_said_of_the_task() {
    let base = r#"
task("prepare", |host| host.run("true")).once().on("web").timeout(1).undo(|host| host.run(`touch ${host.path}/undone`));
"#;
    let toml = "[settings]\nsource = \"source\"\n[stage.local]\ntransport = \"local\"\nhosts = [\n\
        { name = \"a\", path = \"sites/a\", roles = [\"db\"] },\n\
        { name = \"b\", path = \"sites/b\", roles = [\"web\"] },\n\
        { name = \"c\", path = \"sites/c\", roles = [\"web\"] } ]\n";
    let import = "import \"./base.rhai\" as base;\n";
    let test = Test::new().toml(toml).source("a", "1").write("base.rhai", base);
    let test = test.recipe(&format!("{import}task(\"prepare\", |host| host.note(\"mine\"));"));
    assert_eq!(lines(&test.deploy(), "mine"), ["`b`: mine"]);

    let test = test.recipe(&format!("{import}task(\"prepare\", |host| host.run(\"sleep 30\"));"));
    test.ends(1, &[]).says("`sleep 30` timed out after 1 s").says("undid `prepare` on b");
    assert!(test.path("sites/b/undone").exists());

    let again = format!("{import}task(\"prepare\", |host| host.note(\"mine\")).on(\"db\");");
    assert_eq!(lines(&test.recipe(&again).deploy(), "mine"), ["`a`: mine"]);
}

#[test]
fn an_override_keeps_the_limit() {
    let base = "task(\"prepare\", |host| host.run(\"true\")).limit(1);\n";
    // Two hosts at once would meet.
    let recipe = r#"
import "./base.rhai" as base;
task("prepare", |host| host.run("mkdir ../../../meeting && sleep 0.1 && rmdir ../../../meeting", #{ cwd: host.path }));
"#;
    let recipe = recipe.replace("../../../meeting", "../meeting");
    fleet(3, &recipe).write("base.rhai", base).deploy();
}

#[test]
fn an_override_may_call_what_it_replaces() {
    let recipe = r#"
import "./base.rhai" as base;
import "deploy" as stock;
task("migrate", |host| { host.note("before"); base::migrate(host); });
task("swap", || { print("about to go live"); stock::swap_hosts(); });
"#;
    let test = project(recipe).write("base.rhai", BASE);
    test.deploy().says("before").says("about to go live");
    assert_eq!(std::fs::read_to_string(test.path("site/log")).unwrap(), "artisan migrate\n");
    assert_eq!(test.serves("site", "index.html"), "one");
}

#[test]
fn a_file_is_evaluated_once_however_its_name_is_written() {
    let recipe = r#"
import "./base.rhai" as a;
import "./team/../base" as b;
import "./team/other.rhai" as c;
task("prepare", |host| { a::hello(host, "a"); b::hello(host, "b"); c::hello(host); });
"#;
    let base = r#"
print("base is evaluated");
set("greeting", "hello");
fn hello(host, who) { host.note(`${host.get("greeting")} ${who}`); }
"#;
    let other = r#"
import "../base.rhai" as base;
fn hello(host) { base::hello(host, "c"); }
"#;
    let ran = project(recipe).write("base.rhai", base).write("team/other.rhai", other).deploy();
    assert_eq!(lines(&ran, "base is evaluated").len(), 1, "{ran}");
    ran.says("hello a").says("hello b").says("hello c");
}

#[test]
fn a_helper_of_an_import_may_be_handed_a_closure() {
    let recipe = r#"
import "./base.rhai" as base;
const WHO = "me";
let list = ["x", "y"];
fn greet(host, who) { host.note(`hello ${who}`); }
base::declare("prepare", |host| greet(host, list[1]));
base::declare("verify", |host| host.run("exit 3"));
"#;
    let base = "// base\n\nfn declare(name, body) {\n    task(name, body);\n}\n";
    let test = project(recipe).write("base.rhai", base);
    fails(
        &test,
        expect![[r#"
            error: task `verify` failed on `localhost`: `exit 3` exited with status 3
             --> deploy.rhai:7:37
              |
            7 | base::declare("verify", |host| host.run("exit 3"));
              |                                     ^^^
              = `verify` is declared at base.rhai:4
        "#]],
    )
    .says("hello y");
    let test = test.recipe(&recipe.replace("\"exit 3\"", "global::WHO"));
    fails(
        &test,
        expect![[r#"
            error: task `verify` failed on `localhost`: constant `global::WHO` not found
             --> deploy.rhai:7:41
              |
            7 | base::declare("verify", |host| host.run(global::WHO));
              |                                         ^^^^^^
              = a closure that is passed to an imported function can only use constants of the imported file
              = `verify` is declared at base.rhai:4
        "#]],
    );
}

// Closures.

#[test]
fn closures_of_a_loop_keep_their_own_values() {
    let recipe = r#"
for name in ["a", "b", "c"] {
    task(name, |host| host.note(`this is ${name}`));
    before("swap", name);
}
"#;
    let ran = deployed(recipe);
    assert_eq!(lines(&ran, "this is").len(), 3);
    ran.says("this is a").says("this is b").says("this is c");
}

#[test]
fn twelve_hosts_may_use_captured_values_at_once() {
    let recipe = r#"
const SUFFIX = "!";
let words = ["a", "b", "c"];
let count = 0;
let map = #{ list: [1, 2, 3] };
fn slow(host, word) { host.run("sleep 0.02"); word + global::SUFFIX }
task("prepare", |host| {
    count += 1;
    words.push(host.name);
    let all = words.map(|word| slow(host, word));
    map.list.push(4);
    host.note(`${count} ${all.len()} ${map.list.len()} ${all[3]}`);
});
"#;
    let ran = fleet(12, recipe).deploy();
    let said = lines(&ran, "!");
    assert_eq!(said.len(), 12, "{ran}");
    for n in 1..=12 {
        assert!(said.contains(&format!("`h{n}`: 1 4 4 h{n}!").as_str()), "{ran}");
    }
}

#[test]
fn what_looks_odd_but_works_is_not_refused() {
    let recipe = r#"
const TABLE = #{ double: |x| x * 2, words: ["a", "b"] };
/// A method of text, by its `this`.
fn shout() { this + "!" }
fn lines(text, mark) { text.split("\n").filter(|line| line.starts_with(mark)) }
task("prepare", |host| {
    let table = global::TABLE;
    table.triple = |x| x * 3;
    let twice = |x, y| `${x}${y}`;
    let once = twice.curry("a");
    for n in 1..=2 { host.note(`${table.double(n)} ${table.triple(n)} ${once.call(n)}`); }
    host.note("hey".shout() + lines("+a\nb", "+").len() + type_of(host));
    switch host.name { "localhost" => host.note(`${parse_int("7")} ${max(1, 2)}`), _ => throw "who?" }
    if "words" in table && table.words.some(|word| word == "b") { return; }
});
task("verify", || {
    let host = "a.example.com";
    if !host.ends_with(".com") || host.len() != 13 { fail("a text called host"); }
});
"#;
    deployed(recipe).says("2 3 a1").says("4 6 a2").says("hey!1Host").says("7 2");
}

// Failures.

#[test]
fn a_caught_failure_says_what_happened() {
    let recipe = r#"
fn tell(failure) {
    `${failure.message} | ${failure.status} | ${failure.output} | ${failure.host} | ${failure.task} | ${failure.command}`
}
task("prepare", |host| {
    try { host.run("echo out; echo err >&2; exit 3"); } catch (failure) { print(tell(failure)); }
    try { throw "a text"; } catch (failure) { print(`text: ${failure.message}`); }
    try { host.fail("not today"); } catch (failure) { print(`fail: ${failure.message} ${failure.status == ()}`); }
    try { let list = []; list[5]; } catch (failure) { print(`engine: ${failure.message}`); }
    try { host.read("nothing"); } catch (failure) { print(`read: ${failure.message}`); }
});
task("verify", || try { local("exit 2"); } catch (failure) { print(`here: '${failure.host}' ${failure.status}`); });
"#;
    let ran = deployed(recipe);
    ran.says("`echo out; echo err >&2; exit 3` exited with status 3 | 3 | out\nerr | localhost | prepare | echo out")
        .says("text: a text")
        .says("fail: not today true")
        .says("engine: ")
        .says("read: ")
        .says("here: '' 2");
    expect!["engine: Array index 5 out of bounds: array is empty"]
        .assert_eq(&lines(&ran, "engine:").concat());
}

#[test]
fn a_failing_command_is_shown_with_its_place_and_its_last_words() {
    let recipe = r#"
fn migrate(host, step) {
    host.run(`echo step ${step}; echo 'no such table' >&2; exit 4`);
}

task("prepare", |host| {
    for step in 1..3 {
        migrate(host, step);
    }
});
"#;
    fails(
        &project(recipe),
        expect![[r#"
            error: task `prepare` failed on `localhost`: `echo step 1; echo 'no such table' >&2; exit 4` exited with status 4
             --> deploy.rhai:3:10
              |
            3 |     host.run(`echo step ${step}; echo 'no such table' >&2; exit 4`);
              |          ^^^
              = step 1
              = no such table
              = `migrate` called at deploy.rhai:8:9
              = `prepare` is declared at deploy.rhai:6
        "#]],
    );
}

#[test]
fn a_failure_on_several_hosts_is_told_once() {
    fails(
        &fleet(3, "task(\"prepare\", |host| host.run(\"exit 4\"));"),
        expect![[r#"
            error: task `prepare` failed on `h1`, `h2`, `h3`: `exit 4` exited with status 4
             --> deploy.rhai:1:29
              |
            1 | task("prepare", |host| host.run("exit 4"));
              |                             ^^^
        "#]],
    );
}

#[test]
fn a_failing_function_of_an_import_shows_both_places() {
    let recipe = r#"
import "./base.rhai" as base;
task("smoke", |host| {
    base::artisan(host, "about");
});
"#;
    let base = "\nfn artisan(host, command) {\n    host.run(`test ${command} = x`);\n}\n";
    fails(
        &project(recipe).write("base.rhai", base),
        expect![[r#"
            error: task `smoke` failed on `localhost`: `test about = x` exited with status 1
             --> base.rhai:3:10
              |
            3 |     host.run(`test ${command} = x`);
              |          ^^^
              = `artisan` called at deploy.rhai:4:11
              = `smoke` is declared at deploy.rhai:3
        "#]],
    );
}

#[test]
fn a_failure_that_is_thrown_again_keeps_its_words() {
    let recipe = r#"
task("prepare", |host| {
    try {
        host.run("echo why >&2; exit 4");
    } catch (failure) {
        host.note("cleaning up");
        throw failure;
    }
});
"#;
    fails(
        &project(recipe),
        expect![[r#"
            error: task `prepare` failed on `localhost`: `echo why >&2; exit 4` exited with status 4
             --> deploy.rhai:4:14
              |
            4 |         host.run("echo why >&2; exit 4");
              |              ^^^
              = why
              = thrown again at deploy.rhai:7
              = `prepare` is declared at deploy.rhai:2
        "#]],
    )
    .says("cleaning up");
    fails(
        &project(&recipe.replace("throw failure", "throw")),
        expect![[r#"
            error: task `prepare` failed on `localhost`: `echo why >&2; exit 4` exited with status 4
             --> deploy.rhai:4:14
              |
            4 |         host.run("echo why >&2; exit 4");
              |              ^^^
              = why
              = thrown again at deploy.rhai:7
              = `prepare` is declared at deploy.rhai:2
        "#]],
    );
}

#[test]
fn waiting_ends_with_the_time_of_the_task() {
    let recipe = "task(\"build\", || {\n    sleep(0.01);\n    sleep(600);\n}).timeout(1);\n";
    fails(
        &project(recipe),
        expect![[r#"
        error: task `build` failed: the task timed out
         --> deploy.rhai:3:5
          |
        3 |     sleep(600);
          |     ^^^^^
          = `build` is declared at deploy.rhai:1
    "#]],
    );
}

#[test]
fn a_failed_build_shows_its_first_errors_and_its_last_lines() {
    let build = "seq 1 9; echo 'npm error ERESOLVE'; seq 11 98; echo 'warn' >&2; echo 'fatal: no' >&2; seq 200 260 >&2; exit 1";
    let ran = project(&format!("task(\"build\", || local(\"{build}\"));")).ends(1, &[]);
    ran.says("  = ... 9 lines ...\n  = npm error ERESOLVE\n  = ... 79 lines ...\n  = 90\n");
    ran.says("  = 98\n  = ... 1 line ...\n  = fatal: no\n  = ... 52 lines ...\n  = 252\n").says("  = 260\n");
    ran.says_not("= warn").says_not("  = 89\n");
}

#[test]
fn a_missing_program_is_told_with_the_search_path() {
    let ran = project("task(\"prepare\", |host| host.run(\"no-such-program\"));").ends(1, &[]);
    ran.says("= PATH was /").says("hint: install the program, or set `PATH` in the setting `env`");
}

#[test]
fn a_mistake_of_types_shows_what_there_is() {
    fails(
        &project("task(\"prepare\", |host| { let n = 5; host.run(n); });"),
        expect![[r#"
            error: task `prepare` failed on `localhost`: the argument of `run` must be text, not a whole number
             --> deploy.rhai:1:42
              |
            1 | task("prepare", |host| { let n = 5; host.run(n); });
              |                                          ^^^
              = usage: `host.run(command: text) -> value`
              = usage: `host.run(command: text, options: table) -> value`
        "#]],
    );
    fails(
        &project("task(\"prepare\", |host| { let n = \"5\"; host.run(\"true\", #{ timeout: n }); });"),
        expect![[r#"
            error: task `prepare` failed on `localhost`: option `timeout` must be a number of seconds, not text
             --> deploy.rhai:1:44
              |
            1 | task("prepare", |host| { let n = "5"; host.run("true", #{ timeout: n }); });
              |                                            ^^^
        "#]],
    );
}

#[test]
fn declaring_in_a_task_is_refused() {
    fails(
        &project("fn change() {\n    set(\"durable\", true);\n}\ntask(\"prepare\", |host| change());"),
        expect![[r#"
            error: task `prepare` failed on `localhost`: `set` cannot be called in a task
             --> deploy.rhai:2:5
              |
            2 |     set("durable", true);
              |     ^^^
              = `change` called at deploy.rhai:4:24
              = `prepare` is declared at deploy.rhai:4
            hint: move it to the top level of the file
        "#]],
    );
}

#[test]
fn a_loop_that_never_ends_is_ended() {
    fails(
        &project("task(\"build\", || {\n    let n = 0; while n >= 0 { n += 1; }\n});"),
        expect![[r#"
            error: task `build` failed: this loop has not ended after 10 million operations
             --> deploy.rhai:2:16
              |
            2 |     let n = 0; while n >= 0 { n += 1; }
              |                ^^^^^
              = `build` is declared at deploy.rhai:1
            hint: end it with `break`, `return` or `throw`
        "#]],
    );
}

#[test]
fn a_function_that_calls_itself_for_ever_is_ended() {
    fails(
        &project("fn again(n) { again(n + 1); }\ntask(\"build\", || again(1));"),
        expect![[r#"
            error: task `build` failed: this function calls itself more than 64 levels deep
             --> deploy.rhai:1:15
              |
            1 | fn again(n) { again(n + 1); }
              |               ^^^^^
              = `build` is declared at deploy.rhai:2
            hint: end the recursion with a condition, or use a loop
        "#]],
    );
    fails(
        &fleet(2, "fn again(n) { [n].map(|x| again(x + 1)); }\ntask(\"prepare\", |host| again(1));"),
        expect![[r#"
            error: task `prepare` failed on `h1`, `h2`: this function calls itself more than 64 levels deep
             --> deploy.rhai:1:27
              |
            1 | fn again(n) { [n].map(|x| again(x + 1)); }
              |                           ^^^^^
              = `map` called at deploy.rhai:1:19
              = `again` called at deploy.rhai:1:27
              = a closure called at deploy.rhai:1:19
              = `map` called at deploy.rhai:1:19
              = ... 54 more calls ...
              = `again` called at deploy.rhai:1:27
              = a closure called at deploy.rhai:1:19
              = `map` called at deploy.rhai:1:19
              = `again` called at deploy.rhai:2:24
              = `prepare` is declared at deploy.rhai:2
            hint: end the recursion with a condition, or use a loop
        "#]],
    );
}

#[test]
fn a_task_that_performs_itself_is_ended() {
    fails(
        &project("task(\"build\", || hosts().perform([\"build\"]));"),
        expect![[r#"
        error: task `build` failed: task `build` performs itself
         --> deploy.rhai:1:26
          |
        1 | task("build", || hosts().perform(["build"]));
          |                          ^^^^^^^
    "#]],
    );
}

// Settings.

#[test]
fn settings_of_a_higher_layer_win_and_lists_grow() {
    let recipe = r#"
set("who", "recipe");
set("list", ["recipe"]);
task("prepare", |host| host.note(`${host.get("who")} ${host.get("list")}`));
task("build", || print(`stage: ${get("who")} ${get("list")}`));
"#;
    let toml = r#"
[settings]
source = "source"
who = "settings"
list.add = ["settings"]
[stage.local]
transport = "local"
hosts = [
    { name = "a", path = "sites/a" },
    { name = "b", path = "sites/b", settings = { who = "host", list.add = ["host"] } },
]
[stage.local.settings]
who = "stage"
list.add = ["stage"]
"#;
    let test = Test::new().toml(toml).source("a", "1").recipe(recipe);
    let ran = test.deploy();
    ran.says(r#"`a`: stage ["recipe", "settings", "stage"]"#)
        .says(r#"`b`: host ["recipe", "settings", "stage", "host"]"#)
        .says(r#"stage: stage ["recipe", "settings", "stage"]"#);
    let ran = test.ends(0, &["--set", "who=words", "--set", "list.add=word"]);
    ran.says(r#"`a`: words ["recipe", "settings", "stage", "word"]"#)
        .says(r#"`b`: words ["recipe", "settings", "stage", "host", "word"]"#);
}

#[test]
fn a_function_of_a_setting_is_called_once_for_each_host_or_once_in_all() {
    let recipe = r#"
set("release_name", |host| { host.note("asked"); `${host.name}-${host.get("base")}` });
set("base", || { print("base asked"); "x" });
set("of_stage", || { print("stage asked"); "s" });
task("prepare", |host| host.note(host.get("release_name") + host.get("release_name") + get("of_stage")));
task("verify", |host| host.note(host.get("release_name") + get("of_stage")));
"#;
    let ran = fleet(3, recipe).deploy();
    assert_eq!(lines(&ran, ": asked").len(), 3, "{ran}");
    assert_eq!(lines(&ran, "base asked").len(), 1, "{ran}");
    assert_eq!(lines(&ran, "stage asked").len(), 1, "{ran}");
    ran.says("`h2`: h2-xh2-xs").says("`h3`: h3-xs");
    let ran = fleet(2, recipe).ends(0, &["--set", "release_name=given"]);
    ran.says("`h1`: givengivens").says_not(": asked");
}

#[test]
fn a_setting_that_changes_by_the_moment_has_one_value_on_all_hosts() {
    let recipe = r#"
set("moment", || local("date +%N"));
set("named", |host| `${host.get("moment")}`);
task("build", || print(`here ${get("moment")}`));
task("prepare", |host| host.write("moment", host.get("named")));
set("generated", ["moment"]);
"#;
    let test = fleet(3, recipe);
    test.deploy();
    let first = test.serves("sites/h1", "moment");
    assert!(!first.is_empty());
    assert_eq!(
        [test.serves("sites/h2", "moment"), test.serves("sites/h3", "moment")],
        [first.clone(), first]
    );
}

#[test]
fn a_setting_that_needs_itself_is_refused() {
    let recipe = r#"
set("a", |host| host.get("b"));
set("b", |host| host.get("a"));
task("prepare", |host| host.note(host.get("a")));
"#;
    fails(
        &project(recipe),
        expect![[r#"
            error: task `prepare` failed on `localhost`: setting `a` depends on itself: a -> b -> a
             --> deploy.rhai:3:22
              |
            3 | set("b", |host| host.get("a"));
              |                      ^^^
              = `get("b")` called at deploy.rhai:2:22
              = `get("a")` called at deploy.rhai:4:39
              = `prepare` is declared at deploy.rhai:4
        "#]],
    );
}

#[test]
fn a_setting_whose_function_fails_shows_both_places() {
    let recipe = r#"
set("php", |host| {
    host.run("exit 3")
});
task("prepare", |host| {
    host.note(host.get("php"));
});
"#;
    fails(
        &project(recipe),
        expect![[r#"
            error: task `prepare` failed on `localhost`: `exit 3` exited with status 3
             --> deploy.rhai:3:10
              |
            3 |     host.run("exit 3")
              |          ^^^
              = `get("php")` called at deploy.rhai:6:20
              = `prepare` is declared at deploy.rhai:5
        "#]],
    );
}

#[test]
fn a_setting_that_only_hosts_have_is_read_from_them() {
    let recipe = "set(\"id\", ());\ntask(\"prepare\", |host| host.note(`id ${host.get(\"id\")}`));\n";
    let toml = "[settings]\nsource = \"source\"\n[stage.local]\ntransport = \"local\"\nhosts = [\n\
        { name = \"a\", path = \"sites/a\", settings = { id = 1 } },\n\
        { name = \"b\", path = \"sites/b\", settings = { id = 2 } } ]\n";
    let test = Test::new().toml(toml).source("a", "1").recipe(recipe);
    test.deploy().says("`a`: id 1").says("`b`: id 2");
    let test = test.recipe(&(recipe.to_owned() + "task(\"verify\", || print(get(\"id\")));\n"));
    test.ends(1, &[]).says("setting `id` has no value for the stage, only for each host");
}

// Hosts.

const ROLES: &str = "[settings]\nsource = \"source\"\n[stage.local]\ntransport = \"local\"\nhosts = [\n\
    { name = \"a\", path = \"sites/a\", roles = [\"db\"] },\n\
    { name = \"b\", path = \"sites/b\", roles = [\"web\"] },\n\
    { name = \"c\", path = \"sites/c\", roles = [\"web\", \"db\"] } ]\n";

#[test]
fn sets_of_hosts_are_chosen_split_counted_and_walked() {
    let recipe = r#"
task("greet", |host| host.note("greeted"));
task("build", || {
    let names = [];
    for host in hosts() { names.push(host.name); }
    print(`all: ${names} ${hosts().len()}`);
    print(`web: ${hosts().on("web").list().map(|host| host.name)}`);
    print(`batches: ${hosts().batches(2).map(|set| set.len())}`);
    print(`first: ${hosts().first().name} ${hosts().on("web").first().roles}`);
    print(`stage: ${stage()}`);
    hosts().on("db").perform(["greet"]);
});
"#;
    let recipe = recipe.replace("host.note(\"greeted\"));", "host.note(\"greeted\")).alone();");
    let ran = Test::new().toml(ROLES).source("a", "1").recipe(&recipe).deploy();
    ran.says(r#"all: ["a", "b", "c"] 3"#)
        .says(r#"web: ["b", "c"]"#)
        .says("batches: [2, 1]")
        .says(r#"first: a ["web"]"#)
        .says("stage: local");
    assert_eq!(lines(&ran, "greeted"), ["`a`: greeted", "`c`: greeted"]);
}

#[test]
fn a_task_that_runs_once_runs_on_the_first_host_with_its_role() {
    let recipe = "task(\"prepare\", |host| host.note(\"chosen\")).once().on(\"web\");\n\
        task(\"verify\", |host| host.note(\"first\")).once();\n";
    let test = Test::new().toml(ROLES).source("a", "1").recipe(recipe);
    let ran = test.deploy();
    assert_eq!(lines(&ran, "chosen"), ["`b`: chosen"]);
    assert_eq!(lines(&ran, "first"), ["`a`: first"]);
    let ran = test.ends(0, &["--host", "c"]);
    assert!(lines(&ran, ": chosen").is_empty());
    ran.says("task `prepare` runs once, on `b`, which is not part of this run");
}

#[test]
fn a_rolling_deployment_is_a_loop_over_batches() {
    let recipe = r#"
task("swap", || {
    for batch in hosts().batches(2) {
        batch.swap();
        batch.perform(["reload"]);
    }
});
task("reload", |host| host.note("reloaded"));
"#;
    let test = fleet(5, recipe);
    let ran = test.deploy();
    for n in 1..=5 {
        assert_eq!(test.serves(&format!("sites/h{n}"), "index.html"), "one");
    }
    ran.says("on 2 hosts").says("reload       ok      1 host");
    let broken = recipe.replace("host.note(\"reloaded\")", "if host.name == \"h4\" { host.fail(\"no\"); }");
    let test = test.recipe(&broken).source("index.html", "two");
    test.ends(1, &[]);
    for n in 1..=5 {
        assert_eq!(test.serves(&format!("sites/h{n}"), "index.html"), "one");
    }
}

// This machine, and files.

#[test]
fn a_secret_is_shown_nowhere() {
    let recipe = r#"
task("prepare", |host| {
    let token = secret("TOKEN");
    host.run(`echo token is ${token}; echo '${token}' >&2`);
    host.note(`noted ${token}`);
    host.run(`echo last ${token}; exit 1`);
});
"#;
    let test = project(recipe).env("TOKEN", "hunter2-hunter2");
    let words: [&[&str]; 4] = [&[], &["-v"], &["--json"], &["--plan"]];
    for words in words {
        let ran = test.run(words);
        assert_ne!(ran.code, Some(2), "{ran}");
        ran.says_not("hunter2").says("***");
    }
}

#[test]
fn a_question_without_a_terminal_is_refused_with_a_way_forward() {
    fails(
        &project("task(\"build\", || ask(\"Which?\"));"),
        expect![[r#"
            error: task `build` failed: cannot ask without a terminal: Which?
             --> deploy.rhai:1:18
              |
            1 | task("build", || ask("Which?"));
              |                  ^^^
            hint: run it in a terminal, or read a setting instead: `get("answer")` in the recipe, `--set answer=...` on the command line
        "#]],
    );
    fails(
        &project("task(\"build\", || secret(\"TO\" + \"KEN\"));"),
        expect![[r#"
            error: task `build` failed: cannot ask without a terminal: secret `TOKEN` is not set in the environment
             --> deploy.rhai:1:18
              |
            1 | task("build", || secret("TO" + "KEN"));
              |                  ^^^^^^
            hint: run it in a terminal, or set the variable: `TOKEN=... runner ...`
        "#]],
    );
    fails(
        &project("task(\"build\", || if confirm(\"Go?\") { print(\"x\"); });"),
        expect![[r#"
            error: task `build` failed: cannot ask without a terminal: Go?
             --> deploy.rhai:1:21
              |
            1 | task("build", || if confirm("Go?") { print("x"); });
              |                     ^^^^^^^
            hint: run it in a terminal, or read a setting instead: `get("answer")` in the recipe, `--set answer=...` on the command line
        "#]],
    );
}

#[test]
fn this_machine_is_asked_for_files_variables_and_commands() {
    let recipe = r#"
task("build", || {
    print(`glob: ${glob("conf/*.txt")} ${glob("none*")}`);
    print(`env: ${env("COLOUR")} ${env("NOPE") == ()} ${env("NOPE", "default")}`);
    print(`local: ${local("pwd; echo $STAGE")}`);
});
"#;
    let test = project(recipe).write("conf/b.txt", "").write("conf/a.txt", "").env("COLOUR", "green");
    let ran = test.deploy();
    ran.says(r#"glob: ["conf/a.txt", "conf/b.txt"] []"#).says("env: green true default");
    ran.says(&format!("local: {}\nlocal", test.root().canonicalize().unwrap().display()));
}

#[test]
fn files_of_a_host_are_read_written_filled_in_and_brought_here() {
    let recipe = r#"
set("generated", ["new.txt", "app.conf"]);
task("prepare", |host| {
    print(`read: ${host.read("index.html")}`);
    print(`exists: ${host.exists("index.html")} ${host.exists("nope")}`);
    host.write("new.txt", "a 'new' file\n");
    host.template("app.conf.tpl", "app.conf", #{ name: host.name, port: 8080 });
    host.download("app.conf", "fetched.conf");
    print(`has: ${host.has("sh")} ${host.has("no-such-program")}`);
    print(`test: ${host.test("true")} ${host.test("false")}`);
    print(`run: ${host.run("echo $A", #{ env: #{ A: "b c" } })}.`);
    print(`cwd: ${host.run("pwd", #{ cwd: host.path }) == host.path}`);
    print(`facts: ${host.release.starts_with(host.path)} ${host.previous == ()} ${host.os != ""}`);
});
"#;
    let test = project(recipe).write("app.conf.tpl", "{{ name }}:{{port}}\n");
    let ran = test.deploy();
    ran.says("read: one").says("exists: true false").says("has: true false").says("test: true false");
    ran.says("run: b c.").says("cwd: true").says("facts: true true true");
    assert_eq!(test.serves("site", "new.txt"), "a 'new' file\n");
    assert_eq!(test.serves("site", "app.conf"), "localhost:8080\n");
    assert_eq!(std::fs::read_to_string(test.path("fetched.conf")).unwrap(), "localhost:8080\n");
}

#[test]
fn a_task_run_by_its_name_works_in_current() {
    let recipe = "task(\"show\", |host| print(`says ${host.read(\"index.html\")}`)).alone();\n";
    let test = project(recipe);
    test.deploy().says_not("says");
    test.ends(0, &["show"]).says("says one");
}

#[test]
fn a_nothing_never_becomes_part_of_a_text() {
    fails(
        &project("task(\"prepare\", |host| {\n    host.run(`touch x; rm -rf ${host.previous}/cache`);\n});"),
        expect![[r#"
            error: task `prepare` failed on `localhost`: `host.previous` is `()`, which cannot be part of a text
             --> deploy.rhai:2:33
              |
            2 |     host.run(`touch x; rm -rf ${host.previous}/cache`);
              |                                 ^^^^^^^^^^^^^
              = `prepare` is declared at deploy.rhai:1
            hint: say what to use instead: `${host.previous ?? "none"}`
        "#]],
    );
    fails(
        &project("task(\"build\", || local(\"touch \" + env(\"NO_SUCH\") + \"/x\"));"),
        expect![[r#"
            error: task `build` failed: `env("NO_SUCH")` is `()`, which cannot be part of a text
             --> deploy.rhai:1:35
              |
            1 | task("build", || local("touch " + env("NO_SUCH") + "/x"));
              |                                   ^^^^^^^^^^^^^^
            hint: say what to use instead: `(env("NO_SUCH") ?? "none")`
        "#]],
    );
    // The words of the error, for many ways to make a text.
    for (statement, words) in [
        ("let d = env(\"NO\"); let t = \"rm \"; t += d; local(t);", "`d` is `()`"),
        ("let d = env(\"NO\"); local(d + \"/x\");", "`d` is `()`"),
        ("let t = \"a\"; t.append(env(\"NO\")); local(t);", "`env(\"NO\")` is `()`"),
        ("let d = env(\"NO\"); let t = d.to_string(); local(t);", "`d` is `()`"),
        ("print(env(\"NO\"));", "`env(\"NO\")` is `()`"),
        ("print([env(\"NO\")]);", "`[env(\"NO\")]` contains `()`"),
        ("fail(`no ${env(\"NO\")}`);", "`env(\"NO\")` is `()`"),
        ("let l = [env(\"NO\")]; local(`touch ${l}`);", "`l` contains `()`"),
        ("let m = #{ a: #{ b: env(\"NO\") } }; local(\"touch \" + m);", "`m` contains `()`"),
        ("let l = [`x${env(\"NO\")}`]; for f in l { local(f); }", "`env(\"NO\")` is `()`"),
        ("[1].map(|n| `touch ${env(\"NO\")}`).for_each(|| local(this));", "`env(\"NO\")` is `()`"),
        ("local(name(env(\"NO\")));", "`part` is `()`"),
        (
            "try { local(`touch ${env(\"NO\")}`); } catch { local(\"touch caught\"); }",
            "`env(\"NO\")` is `()`",
        ),
        (
            "let l = [2, 1]; l.sort(|a, b| { `${env(\"NO\")}`; a - b }); local(\"touch x\");",
            "`env(\"NO\")` is `()`",
        ),
        ("local(\"true\", #{ env: #{ T: env(\"NO\") } });", "environment variable `T` is `()`"),
        (
            "http_get(\"http://127.0.0.1:1\", #{ headers: #{ a: env(\"NO\") } });",
            "`a` of option `headers` is `()`",
        ),
    ] {
        let test = project(&format!(
            "fn name(part) {{ \"touch \" + part }}\ntask(\"build\", || {{\n    {statement}\n}});"
        ));
        let ran = test.ends(1, &[]);
        assert!(ran.err.contains(words), "{statement}\n{ran}");
        assert!(ran.err.contains("--> deploy.rhai:"), "{statement}\n{ran}");
        assert!(!test.path("caught").exists() && !test.path("x").exists(), "{statement}\n{ran}");
    }
    project("task(\"build\", || { debug([()]); let a = env(\"NO\") ?? \"x\"; print(`${a} ${[1, \"b\"]} ${#{ c: 1.5 }}`); });")
        .ends(0, &[])
        .says("[()]")
        .says("x [1, \"b\"] #{\"c\": 1.5}");
}

#[test]
fn a_setting_and_a_template_have_no_nothing_in_their_texts() {
    let ran = project("set(\"env\", #{ T: () });").ends(2, &["check"]);
    ran.says("environment variable `T` is `()`").says("--> deploy.rhai:1:5");
    let test = project(
        "set(\"note\", || `release ${env(\"NO\")}`);\ntask(\"prepare\", |host| host.write(\"note\", host.get(\"note\")));",
    );
    test.ends(1, &[]).says("`env(\"NO\")` is `()`").says("--> deploy.rhai:1:27");
    let test =
        project("task(\"prepare\", |host| host.template(\"t\", \"t.txt\", #{ name: host.previous }));")
            .write("t", "x {{ name }}\n");
    test.ends(1, &[]).says("the value of `name` is `()`");
    let ran = project("let x = ();\nset(\"note\", `a${x}`);").ends(2, &["check"]);
    ran.says("`x` is `()`").says("--> deploy.rhai:2:17");
}

/// Rhai attributes a closure to the file that calls it.
#[test]
fn a_closure_that_fails_in_a_function_of_another_file_is_shown_in_its_own() {
    let lib =
        "// one\nfn each_of(list, what) {\n    for item in list { what.call(item); }\n}\n\n\n// seven\n";
    let used = |what: &str| {
        let recipe =
            format!("import \"./lib.rhai\" as lib;\n\n\n\ntask(\"prepare\", |host| {{\n{what}\n}});\n");
        project(&recipe).write("lib.rhai", lib)
    };
    fails(
        &used("    lib::each_of([3], |n| {\n        host.run(`exit ${n}`);\n    });"),
        expect![[r#"
            error: task `prepare` failed on `localhost`: `exit 3` exited with status 3
             --> deploy.rhai:7:14
              |
            7 |         host.run(`exit ${n}`);
              |              ^^^
              = a closure called at lib.rhai:3:29
              = `each_of` called at deploy.rhai:6:10
              = `prepare` is declared at deploy.rhai:5
        "#]],
    );
    fails(
        &used("    lib::each_of([3], |n| { throw `no ${n}`; });"),
        expect![[r#"
            error: task `prepare` failed on `localhost`: no 3
             --> deploy.rhai:6:29
              |
            6 |     lib::each_of([3], |n| { throw `no ${n}`; });
              |                             ^^^^^
              = a closure called at lib.rhai:3:29
              = `each_of` called at deploy.rhai:6:10
              = `prepare` is declared at deploy.rhai:5
        "#]],
    );
}

#[test]
fn a_closure_from_another_file_is_refused_with_a_hint() {
    let lib = "fn make() { |host| host.run(\"true\") }\n";
    let used =
        |recipe: &str| project(&format!("import \"./lib.rhai\" as lib;\n{recipe}")).write("lib.rhai", lib);
    fails(
        &used("task(\"prepare\", |host| { let made = lib::make(); made.call(host); });\n"),
        expect![[r#"
            error: task `prepare` failed on `localhost`: a closure from another file cannot be called here
             --> deploy.rhai:2:55
              |
            2 | task("prepare", |host| { let made = lib::make(); made.call(host); });
              |                                                       ^^^^
            hint: make it a function in that file, and call it from a closure in this file: `|host| name::check(host)`
        "#]],
    );
    used("task(\"prepare\", lib::make());\n")
        .ends(2, &[])
        .says("a closure from another file cannot be called here");
    used("task(\"prepare\", |host| lib::make());\n").deploy();
}
