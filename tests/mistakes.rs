//! What is wrong with a recipe, `runner.toml` or the command line is said before any host is touched: exit code 2.

mod support;

use expect_test::{Expect, expect};
use support::Test;

/// A file for others to import.
const BASE: &str = r#"
fn artisan(host, command) { host.run(`php artisan ${command}`); }
fn migrate(host) { artisan(host, "migrate"); }
"#;

/// A recipe that must be refused, with exactly these words.
#[track_caller]
fn refused(recipe: &str, want: Expect) {
    told(Test::new().recipe(recipe), &[], want);
}

/// A project and words that must be refused.
#[track_caller]
fn told(test: Test, words: &[&str], want: Expect) {
    let ran = test.ends(2, words);
    assert_eq!(ran.out, "");
    for site in ["site", "sites"] {
        assert!(!test.path(site).exists(), "a host was touched\n{ran}");
    }
    // What differs from run to run, and from version to version.
    let said = ran.err.replace(&test.root().display().to_string(), "[project]");
    let lines = said.split_inclusive('\n').filter(|line| !line.trim_start().starts_with("= shipped:"));
    want.assert_eq(&lines.collect::<String>());
}

// The text of a recipe.

#[test]
fn a_syntax_error() {
    refused(
        r#"set("keep_releases" 5);"#,
        expect![[r#"
        error: expected `,` to separate the arguments of `set`
         --> deploy.rhai:1:21
          |
        1 | set("keep_releases" 5);
          |                     ^
    "#]],
    );
}

#[test]
fn text_in_single_quotes() {
    refused(
        r#"task("build", || local('npm ci'));"#,
        expect![[r#"
        error: single quotes are for one character
         --> deploy.rhai:1:24
          |
        1 | task("build", || local('npm ci'));
          |                        ^^^^^^^^
        hint: use "double quotes" or `backticks` for text
    "#]],
    );
}

#[test]
fn a_missing_semicolon() {
    refused(
        r#"set("keep_releases", 5)   // five

set("durable", true);"#,
        expect![[r#"
            error: missing `;`
             --> deploy.rhai:1:24
              |
            1 | set("keep_releases", 5)   // five
              |                        ^
        "#]],
    );
}

#[test]
fn a_doc_comment_before_a_closure() {
    refused(
        r#"/// Builds.
task("build", || local("true"));"#,
        expect![[r#"
            error: `///` must be followed by a function
             --> deploy.rhai:1:1
              |
            1 | /// Builds.
              | ^
            hint: use `//` for a comment, or `desc("...")` to describe a task
        "#]],
    );
}

#[test]
fn a_file_that_ends_early() {
    refused(
        r#"task("build", || {
    local("true");"#,
        expect![[r#"
            error: expected `}` to terminate this block
             --> deploy.rhai:2:19
              |
            2 |     local("true");
              |                   ^
        "#]],
    );
}

#[test]
fn a_variable_of_the_file_in_a_function() {
    refused(
        r#"let php = "php8.3";
fn build() { local(php); }
task("build", build);"#,
        expect![[r#"
            error: no variable `php` in this function
             --> deploy.rhai:2:20
              |
            2 | fn build() { local(php); }
              |                    ^^^
              = functions cannot use `let` variables of the file
            hint: pass it as a parameter, or declare `const php = ...` and write `global::php`
        "#]],
    );
}

#[test]
fn a_constant_of_the_file_without_global() {
    refused(
        r#"const PHP = "php8.3";
fn build() { local(PHP); }
task("build", build);"#,
        expect![[r#"
            error: no variable `PHP` in this function
             --> deploy.rhai:2:20
              |
            2 | fn build() { local(PHP); }
              |                    ^^^
            hint: write `global::PHP` to use a constant of the file
        "#]],
    );
}

#[test]
fn a_misspelt_function_as_a_value() {
    refused(
        r#"fn build() { local("true"); }
task("build", biuld);"#,
        expect![[r#"
            error: no variable or function `biuld` (did you mean `build`?)
             --> deploy.rhai:2:15
              |
            2 | task("build", biuld);
              |               ^^^^^
        "#]],
    );
}

#[test]
fn a_misspelt_parameter() {
    refused(
        r#"task("build", |host| hots.run("true"));"#,
        expect![[r#"
        error: no variable or function `hots` (did you mean `host`?)
         --> deploy.rhai:1:22
          |
        1 | task("build", |host| hots.run("true"));
          |                      ^^^^
    "#]],
    );
}

#[test]
fn an_import_of_another_alias() {
    told(
        Test::new()
            .recipe("import \"./base.rhai\" as base;\ntask(\"prepare\", |host| bsae::migrate(host));\n")
            .write("base.rhai", BASE),
        &[],
        expect![[r#"
            error: no import named `bsae` (did you mean `base`?)
             --> deploy.rhai:2:24
              |
            2 | task("prepare", |host| bsae::migrate(host));
              |                        ^^^^
        "#]],
    );
}

// Calls.

#[test]
fn an_unknown_function() {
    refused(
        r#"task("build", || locla("true"));"#,
        expect![[r#"
        error: no function `locla` (did you mean `local`?)
         --> deploy.rhai:1:18
          |
        1 | task("build", || locla("true"));
          |                  ^^^^^
    "#]],
    );
}

#[test]
fn an_unknown_function_at_the_top_level() {
    refused(
        r#"tsak("build", || local("true"));
set("keep_relases", 5);"#,
        expect![[r#"
            error: no function `tsak` (did you mean `task`?)
             --> deploy.rhai:1:1
              |
            1 | tsak("build", || local("true"));
              | ^^^^
        "#]],
    );
}

#[test]
fn a_function_with_too_many_arguments() {
    refused(
        r#"fn build(a, b) { local(a + b); }
task("build", || build("x"));"#,
        expect![[r#"
            error: `build` takes 2 arguments, not 1
             --> deploy.rhai:2:18
              |
            2 | task("build", || build("x"));
              |                  ^^^^^
        "#]],
    );
}

#[test]
fn a_primitive_with_too_few_arguments() {
    refused(
        r#"task("build", || local());"#,
        expect![[r#"
            error: `local` takes 1 or 2 arguments, not 0
             --> deploy.rhai:1:18
              |
            1 | task("build", || local());
              |                  ^^^^^
        "#]],
    );
}

#[test]
fn an_unknown_method_of_a_host() {
    refused(
        r#"task("prepare", |host| host.rnu("true"));"#,
        expect![[r#"
        error: a host has no method `rnu` (did you mean `run`?)
         --> deploy.rhai:1:29
          |
        1 | task("prepare", |host| host.rnu("true"));
          |                             ^^^
    "#]],
    );
}

#[test]
fn a_method_of_a_host_with_too_many_arguments() {
    refused(
        r#"task("prepare", |host| host.download("a", "b", "c"));"#,
        expect![[r#"
        error: `download` takes 2 arguments, not 3
         --> deploy.rhai:1:29
          |
        1 | task("prepare", |host| host.download("a", "b", "c"));
          |                             ^^^^^^^^
    "#]],
    );
}

#[test]
fn a_method_written_as_a_function() {
    refused(
        r#"task("prepare", |host| run("true"));"#,
        expect![[r#"
        error: `run` is a method: write `host.run(...)`
         --> deploy.rhai:1:24
          |
        1 | task("prepare", |host| run("true"));
          |                        ^^^
    "#]],
    );
}

#[test]
fn a_function_written_as_a_method() {
    refused(
        r#"task("prepare", |host| host.local("true"));"#,
        expect![[r#"
        error: a host has no method `local`: write `local(...)`
         --> deploy.rhai:1:29
          |
        1 | task("prepare", |host| host.local("true"));
          |                             ^^^^^
    "#]],
    );
}

#[test]
fn an_unknown_property_of_a_host() {
    refused(
        r#"task("prepare", |host| host.run(`echo ${host.nmae}`));"#,
        expect![[r#"
        error: a host has no property `nmae` (did you mean `name`?)
         --> deploy.rhai:1:46
          |
        1 | task("prepare", |host| host.run(`echo ${host.nmae}`));
          |                                              ^^^^
    "#]],
    );
}

#[test]
fn a_method_without_its_arguments() {
    refused(
        r#"task("prepare", |host| host.releases.len());"#,
        expect![[r#"
        error: `releases` is a method: write `host.releases(...)`
         --> deploy.rhai:1:29
          |
        1 | task("prepare", |host| host.releases.len());
          |                             ^^^^^^^^
    "#]],
    );
}

#[test]
fn a_property_with_arguments() {
    refused(
        r#"task("prepare", |host| host.run(host.name()));"#,
        expect![[r#"
        error: `name` is a property: write `host.name`
         --> deploy.rhai:1:38
          |
        1 | task("prepare", |host| host.run(host.name()));
          |                                      ^^^^
    "#]],
    );
}

#[test]
fn a_set_of_hosts_is_no_host() {
    refused(
        r#"task("prepare", || hosts().on("web").run("true"));"#,
        expect![[r#"
        error: `run` is a method of a host, not of a set of hosts
         --> deploy.rhai:1:38
          |
        1 | task("prepare", || hosts().on("web").run("true"));
          |                                      ^^^
        hint: write `for host in hosts() { host.run(...); }`
    "#]],
    );
}

#[test]
fn an_unknown_option_of_a_command() {
    refused(
        r#"task("prepare", |host| host.run("true", #{ cwd: "/", timeuot: 5 }));"#,
        expect![[r#"
        error: unknown option `timeuot` (did you mean `timeout`?)
         --> deploy.rhai:1:54
          |
        1 | task("prepare", |host| host.run("true", #{ cwd: "/", timeuot: 5 }));
          |                                                      ^^^^^^^
    "#]],
    );
}

#[test]
fn a_word_that_the_language_does_not_have() {
    refused(
        r#"task("prepare", |host| exit());"#,
        expect![[r#"
        error: recipes cannot use `exit`
         --> deploy.rhai:1:24
          |
        1 | task("prepare", |host| exit());
          |                        ^^^^
        hint: use `return;` to end a function
    "#]],
    );
}

#[test]
fn an_unknown_word_behind_a_task() {
    refused(
        r#"task("prepare", |host| host.run("true")).onec();"#,
        expect![[r#"
        error: a task has no method `onec` (did you mean `once`?)
         --> deploy.rhai:1:42
          |
        1 | task("prepare", |host| host.run("true")).onec();
          |                                          ^^^^
    "#]],
    );
}

#[test]
fn the_wrong_type_at_the_top_level() {
    refused(
        r#"add("shared", "storage/");"#,
        expect![[r#"
            error: argument 2 of `add` must be a list, not text
             --> deploy.rhai:1:15
              |
            1 | add("shared", "storage/");
              |               ^^^^^^^^^^
              = usage: `add(key: text, items: list)`
        "#]],
    );
}

#[test]
fn a_setting_that_no_recipe_has() {
    refused(
        r#"task("prepare", |host| host.run(host.get("keep_relases")));"#,
        expect![[r#"
        error: unknown setting `keep_relases` (did you mean `keep_releases`?)
         --> deploy.rhai:1:42
          |
        1 | task("prepare", |host| host.run(host.get("keep_relases")));
          |                                          ^^^^^^^^^^^^^^
    "#]],
    );
}

#[test]
fn a_function_that_hides_a_method() {
    refused(
        r#"fn run(command) { this.run(command); }
task("prepare", |host| host.run("true"));"#,
        expect![[r#"
            error: `fn run(command)` hides the primitive `host.run`
             --> deploy.rhai:1:4
              |
            1 | fn run(command) { this.run(command); }
              |    ^^^
            hint: rename the function; a task may have this name
        "#]],
    );
}

#[test]
fn a_function_that_hides_a_function() {
    refused(
        r#"fn local(command) { print(command); }
task("build", || local("true"));"#,
        expect![[r#"
            error: `fn local(command)` hides the primitive `local`
             --> deploy.rhai:1:4
              |
            1 | fn local(command) { print(command); }
              |    ^^^^^
            hint: rename the function; a task may have this name
        "#]],
    );
}

#[test]
fn a_command_at_the_top_level() {
    refused(
        r#"local("npm ci");"#,
        expect![[r#"
        error: `local` cannot be called at the top level of a file
         --> deploy.rhai:1:1
          |
        1 | local("npm ci");
          | ^^^^^
        hint: call it in a task: `task("name", || ...);`
    "#]],
    );
}

#[test]
fn hosts_at_the_top_level() {
    refused(
        r#"for host in hosts() { host.run("true"); }"#,
        expect![[r#"
        error: `hosts` cannot be called at the top level of a file
         --> deploy.rhai:1:13
          |
        1 | for host in hosts() { host.run("true"); }
          |             ^^^^^
        hint: call it in a task: `task("name", || ...);`
    "#]],
    );
}

#[test]
fn several_mistakes_at_once() {
    refused(
        r#"set("keep_releases", "5");
task("biuld", || locla("true"));
task("prepare", |host, x| host.rnu(x));
task("prepare", |host| host.run(host.get("paht")));
after("swpa", "prepare");"#,
        expect![[r#"
            error: setting `keep_releases` must be a whole number, not text
             --> deploy.rhai:1:5
              |
            1 | set("keep_releases", "5");
              |     ^^^^^^^^^^^^^^^
              = its default is set at shipped/settings.rhai:34
            error: no flow runs task `biuld` (did you mean `build`?)
             --> deploy.rhai:2:6
              |
            2 | task("biuld", || locla("true"));
              |      ^^^^^^^
            error: no function `locla` (did you mean `local`?)
             --> deploy.rhai:2:18
              |
            2 | task("biuld", || locla("true"));
              |                  ^^^^^
            error: the function of a task must have no parameter or one (the host), not 2
             --> deploy.rhai:3:1
              |
            3 | task("prepare", |host, x| host.rnu(x));
              | ^^^^
            hint: write `|host| ...` to run on every host, or `|| ...` to run once, on this machine
            error: a host has no method `rnu` (did you mean `run`?)
             --> deploy.rhai:3:32
              |
            3 | task("prepare", |host, x| host.rnu(x));
              |                                ^^^
            error: task `prepare` is declared twice in this file
             --> deploy.rhai:4:6
              |
            4 | task("prepare", |host| host.run(host.get("paht")));
              |      ^^^^^^^^^
              = first declared at deploy.rhai:3
            error: unknown setting `paht`
             --> deploy.rhai:4:42
              |
            4 | task("prepare", |host| host.run(host.get("paht")));
              |                                          ^^^^^^
            error: no task named `swpa` (did you mean `swap`?)
             --> deploy.rhai:5:7
              |
            5 | after("swpa", "prepare");
              |       ^^^^^^
        "#]],
    );
}

#[test]
fn several_mistakes_before_one_that_ends_the_file() {
    refused(
        r#"add("sahred", ["x"]);
fn run(command) {}
task("build", || locla("true"));
throw "no more";"#,
        expect![[r#"
            error: cannot add to unknown setting `sahred` (did you mean `shared`?)
             --> deploy.rhai:1:5
              |
            1 | add("sahred", ["x"]);
              |     ^^^^^^^^
            error: `fn run(command)` hides the primitive `host.run`
             --> deploy.rhai:2:4
              |
            2 | fn run(command) {}
              |    ^^^
            hint: rename the function; a task may have this name
            error: no function `locla` (did you mean `local`?)
             --> deploy.rhai:3:18
              |
            3 | task("build", || locla("true"));
              |                  ^^^^^
            error: no more
             --> deploy.rhai:4:1
              |
            4 | throw "no more";
              | ^^^^^
        "#]],
    );
}

#[test]
fn a_task_within_a_helper_that_is_called_twice() {
    refused(
        r#"fn declare(name) { task(name, || local("true")); }
declare("build");
declare("build");"#,
        expect![[r#"
            error: task `build` is declared twice in this file
             --> deploy.rhai:1:20
              |
            1 | fn declare(name) { task(name, || local("true")); }
              |                    ^^^^
              = this statement ran twice
        "#]],
    );
}

// Imports.

#[test]
fn an_unknown_function_of_an_import() {
    told(Test::new().recipe("import \"./base.rhai\" as base;\ntask(\"prepare\", |host| base::artsan(host, \"migrate\"));\n").write("base.rhai", BASE), &[], expect![[r#"
        error: `base` has no function `artsan` (did you mean `artisan`?)
         --> deploy.rhai:2:30
          |
        2 | task("prepare", |host| base::artsan(host, "migrate"));
          |                              ^^^^^^
    "#]]);
}

#[test]
fn a_function_of_an_import_with_too_few_arguments() {
    told(
        Test::new()
            .recipe("import \"./base.rhai\" as base;\ntask(\"prepare\", |host| base::artisan(host));\n")
            .write("base.rhai", BASE),
        &[],
        expect![[r#"
            error: `base::artisan` takes 2 arguments, not 1
             --> deploy.rhai:2:30
              |
            2 | task("prepare", |host| base::artisan(host));
              |                              ^^^^^^^
        "#]],
    );
}

#[test]
fn an_unknown_recipe() {
    told(
        Test::new().recipe("import \"bsae\" as base;\n").write("bsae.rhai", BASE),
        &[],
        expect![[r#"
        error: no shipped recipe `bsae`
         --> deploy.rhai:1:8
          |
        1 | import "bsae" as base;
          |        ^^^^^^
        hint: write "./bsae.rhai" to import the file beside this one
    "#]],
    );
}

#[test]
fn a_file_that_is_not_there() {
    told(
        Test::new().recipe("import \"./team/bsae.rhai\" as base;\n").write("team/base.rhai", BASE),
        &[],
        expect![[r#"
            error: cannot import `team/bsae.rhai`: file not found (did you mean `base.rhai`?)
             --> deploy.rhai:1:8
              |
            1 | import "./team/bsae.rhai" as base;
              |        ^^^^^^^^^^^^^^^^^^
        "#]],
    );
}

#[test]
fn a_syntax_error_in_an_import() {
    told(
        Test::new()
            .recipe("import \"./team/base.rhai\" as base;\n")
            .write("team/base.rhai", "set(\"durable\", tru);\n"),
        &[],
        expect![[r#"
            error: no variable or function `tru` (did you mean `true`?)
             --> team/base.rhai:1:16
              |
            1 | set("durable", tru);
              |                ^^^
              = `team/base.rhai` is imported at deploy.rhai:1
        "#]],
    );
}

#[test]
fn a_mistake_in_an_import_of_an_import() {
    told(
        Test::new()
            .recipe("import \"./a.rhai\" as a;\n")
            .write("a.rhai", "import \"./b.rhai\" as b;\n")
            .write("b.rhai", "\nfn three() { throw \"three\"; }\nthree();\n"),
        &[],
        expect![[r#"
            error: three
             --> b.rhai:2:14
              |
            2 | fn three() { throw "three"; }
              |              ^^^^^
              = `three` called at b.rhai:3:1
              = `b.rhai` is imported at a.rhai:1
              = `a.rhai` is imported at deploy.rhai:1
        "#]],
    );
}

#[test]
fn two_files_that_import_each_other() {
    told(
        Test::new().recipe("import \"./a.rhai\" as a;\n").write("a.rhai", "import \"deploy.rhai\" as d;\n"),
        &[],
        expect![[r#"
            error: cyclic imports: deploy.rhai -> a.rhai -> deploy.rhai
             --> a.rhai:1:8
              |
            1 | import "deploy.rhai" as d;
              |        ^^^^^^^^^^^^^
              = `a.rhai` is imported at deploy.rhai:1
        "#]],
    );
}

#[test]
fn three_files_that_import_each_other() {
    told(
        Test::new()
            .recipe("import \"./a.rhai\" as a;\n")
            .write("a.rhai", "import \"./b.rhai\" as b;\n")
            .write("b.rhai", "import \"./c.rhai\" as c;\n")
            .write("c.rhai", "import \"./a\" as a;\n"),
        &[],
        expect![[r#"
            error: cyclic imports: a.rhai -> b.rhai -> c.rhai -> a.rhai
             --> c.rhai:1:8
              |
            1 | import "./a" as a;
              |        ^^^^^
              = `c.rhai` is imported at b.rhai:1
              = `b.rhai` is imported at a.rhai:1
              = `a.rhai` is imported at deploy.rhai:1
        "#]],
    );
}

#[test]
fn a_file_that_imports_itself() {
    refused(
        r#"import "./deploy.rhai" as me;"#,
        expect![[r#"
        error: `deploy.rhai` imports itself
         --> deploy.rhai:1:8
          |
        1 | import "./deploy.rhai" as me;
          |        ^^^^^^^^^^^^^^^
    "#]],
    );
}

#[test]
fn an_import_after_a_declaration() {
    told(
        Test::new()
            .recipe("set(\"durable\", true);\nimport \"./base.rhai\" as base;\n")
            .write("base.rhai", BASE),
        &[],
        expect![[r#"
            error: cannot import `./base.rhai` here: imports must come before declarations
             --> deploy.rhai:2:8
              |
            2 | import "./base.rhai" as base;
              |        ^^^^^^^^^^^^^
            hint: move it to the top of the file, so that declarations of this file override it
        "#]],
    );
}

#[test]
fn an_import_in_a_function() {
    told(Test::new().recipe("fn build() { import \"./base.rhai\" as base; base::artisan(1, 2); }\ntask(\"build\", build);\n").write("base.rhai", BASE), &[], expect![[r#"
        error: an `import` must be at the top level of a file
         --> deploy.rhai:1:14
          |
        1 | fn build() { import "./base.rhai" as base; base::artisan(1, 2); }
          |              ^^^^^^
    "#]]);
}

#[test]
fn a_function_of_an_import_as_a_value() {
    told(
        Test::new()
            .recipe("import \"./base.rhai\" as base;\ntask(\"prepare\", base::migrate);\n")
            .write("base.rhai", BASE),
        &[],
        expect![[r#"
            error: `base::migrate` cannot be used as a value: imported functions can only be called
             --> deploy.rhai:2:17
              |
            2 | task("prepare", base::migrate);
              |                 ^^^^
            hint: wrap it in a closure: `|host| base::migrate(host)`
        "#]],
    );
}

// Tasks and flows.

#[test]
fn unknown_tasks_in_a_flow_and_in_hooks() {
    refused(
        r#"flow("blue", ["lock", "biuld", "swap"]);
before("swpa", "build");
after("swap", "reindx");
remove("verfy");"#,
        expect![[r#"
            error: no task named `biuld` (did you mean `build`?)
             --> deploy.rhai:1:23
              |
            1 | flow("blue", ["lock", "biuld", "swap"]);
              |                       ^^^^^^^
            error: task `swap` of flow `blue` calls `swap`, which needs the task `seal` before it
             --> deploy.rhai:1:32
              |
            1 | flow("blue", ["lock", "biuld", "swap"]);
              |                                ^^^^^^
            hint: write `"seal"` before `"swap"` in the flow
            error: no task named `swpa` (did you mean `swap`?)
             --> deploy.rhai:2:8
              |
            2 | before("swpa", "build");
              |        ^^^^^^
            error: no task named `reindx`
             --> deploy.rhai:3:15
              |
            3 | after("swap", "reindx");
              |               ^^^^^^^^
            error: no task named `verfy` (did you mean `verify`?)
             --> deploy.rhai:4:8
              |
            4 | remove("verfy");
              |        ^^^^^^^
        "#]],
    );
}

#[test]
fn a_hook_on_a_removed_task() {
    refused(
        r#"task("check-in", || local("true"));
remove("smoke");
after("smoke", "check-in");"#,
        expect![[r#"
            error: task `smoke` is removed, so this hook would never run
             --> deploy.rhai:3:7
              |
            3 | after("smoke", "check-in");
              |       ^^^^^^^
              = it is removed at deploy.rhai:2
        "#]],
    );
}

#[test]
fn a_task_declared_twice() {
    refused(
        r#"task("build", || local("true"));
task("build", || local("false"));"#,
        expect![[r#"
            error: task `build` is declared twice in this file
             --> deploy.rhai:2:6
              |
            2 | task("build", || local("false"));
              |      ^^^^^^^
              = first declared at deploy.rhai:1
        "#]],
    );
}

#[test]
fn a_flow_declared_twice() {
    refused(
        r#"flow("restart", ["lock", "reload"]);
flow("restart", ["lock"]);"#,
        expect![[r#"
            error: flow `restart` is declared twice in this file
             --> deploy.rhai:2:6
              |
            2 | flow("restart", ["lock"]);
              |      ^^^^^^^^^
              = first declared at deploy.rhai:1
        "#]],
    );
}

#[test]
fn a_misspelt_override() {
    refused(
        r#"task("biuld", || local("true"));"#,
        expect![[r#"
        error: no flow runs task `biuld` (did you mean `build`?)
         --> deploy.rhai:1:6
          |
        1 | task("biuld", || local("true"));
          |      ^^^^^^^
    "#]],
    );
}

#[test]
fn a_flow_named_like_a_verb() {
    refused(
        r#"flow("unlock", ["lock"]);"#,
        expect![[r#"
        error: a flow cannot be named `unlock`: `runner unlock` is a verb
         --> deploy.rhai:1:6
          |
        1 | flow("unlock", ["lock"]);
          |      ^^^^^^^^
    "#]],
    );
}

#[test]
fn a_name_that_cannot_be_typed() {
    refused(
        r#"task("re index", || local("true")).alone();"#,
        expect![[r#"
        error: `re index` is not a valid name for a task
         --> deploy.rhai:1:6
          |
        1 | task("re index", || local("true")).alone();
          |      ^^^^^^^^^^
          = a name may only contain letters, digits, `_`, `-`, `:` and `.`
          = it must not begin with `-` or end in `.rhai`
    "#]],
    );
}

#[test]
fn a_task_and_a_flow_of_one_name() {
    refused(
        r#"flow("build", ["lock"]);"#,
        expect![[r#"
        error: a task and a flow have the same name `build`
         --> deploy.rhai:1:6
          |
        1 | flow("build", ["lock"]);
          |      ^^^^^^^
    "#]],
    );
}

#[test]
fn an_empty_flow() {
    refused(
        r#"flow("nothing", []);"#,
        expect![[r#"
        error: flow `nothing` has no tasks
         --> deploy.rhai:1:6
          |
        1 | flow("nothing", []);
          |      ^^^^^^^^^
    "#]],
    );
}

#[test]
fn a_flow_that_runs_a_task_twice() {
    refused(
        r#"flow("again", ["lock", "reload", "reload"]);"#,
        expect![[r#"
        error: flow `again` runs task `reload` twice
         --> deploy.rhai:1:24
          |
        1 | flow("again", ["lock", "reload", "reload"]);
          |                        ^^^^^^^^
    "#]],
    );
}

#[test]
fn a_flow_that_holds_a_function() {
    refused(
        r#"flow("again", ["lock", || 1]);"#,
        expect![[r#"
        error: a flow must be a list of texts, but it contains a function
         --> deploy.rhai:1:1
          |
        1 | flow("again", ["lock", || 1]);
          | ^^^^
    "#]],
    );
}

#[test]
fn a_flow_that_is_settled_by_a_task_that_it_does_not_run() {
    refused(
        r#"flow("again", ["lock", "reload", "verify"], #{ settles: "verifi" });"#,
        expect![[r#"
        error: flow `again` does not run task `verifi`, which must settle it (did you mean `verify`?)
         --> deploy.rhai:1:57
          |
        1 | flow("again", ["lock", "reload", "verify"], #{ settles: "verifi" });
          |                                                         ^^^^^^^^
    "#]],
    );
}

#[test]
fn a_flow_with_an_option_that_there_is_not() {
    refused(
        r#"flow("again", ["lock", "reload"], #{ setles: "reload" });"#,
        expect![[r#"
        error: a flow has no option `setles` (did you mean `settles`?)
         --> deploy.rhai:1:1
          |
        1 | flow("again", ["lock", "reload"], #{ setles: "reload" });
          | ^^^^
    "#]],
    );
}

#[test]
fn a_task_of_two_parameters() {
    refused(
        r#"task("prepare", |host, command| host.run(command));"#,
        expect![[r#"
        error: the function of a task must have no parameter or one (the host), not 2
         --> deploy.rhai:1:1
          |
        1 | task("prepare", |host, command| host.run(command));
          | ^^^^
        hint: write `|host| ...` to run on every host, or `|| ...` to run once, on this machine
    "#]],
    );
}

#[test]
fn an_undo_without_a_parameter() {
    refused(
        r#"task("prepare", |host| host.run("true")).undo(|| local("true"));"#,
        expect![[r#"
        error: the function of `undo` must have one parameter (the host), not none
         --> deploy.rhai:1:42
          |
        1 | task("prepare", |host| host.run("true")).undo(|| local("true"));
          |                                          ^^^^
        hint: write `|host| ...`
    "#]],
    );
}

#[test]
fn an_undo_of_a_task_that_runs_here() {
    refused(
        r#"task("build", || local("true")).undo(|host| host.run("true"));"#,
        expect![[r#"
        error: `undo` needs a task that runs on hosts, but `build` runs on this machine
         --> deploy.rhai:1:33
          |
        1 | task("build", || local("true")).undo(|host| host.run("true"));
          |                                 ^^^^
        hint: write `|host| ...` to run the task on hosts
    "#]],
    );
}

#[test]
fn limits_of_zero() {
    refused(
        r#"task("prepare", |host| host.run("true")).limit(0).timeout(0);"#,
        expect![[r#"
        error: `limit` must be at least 1 host, not 0
         --> deploy.rhai:1:42
          |
        1 | task("prepare", |host| host.run("true")).limit(0).timeout(0);
          |                                          ^^^^^
        error: `timeout` must be at least 1 second, not 0
         --> deploy.rhai:1:51
          |
        1 | task("prepare", |host| host.run("true")).limit(0).timeout(0);
          |                                                   ^^^^^^^
    "#]],
    );
}

// Settings.

#[test]
fn a_setting_set_twice() {
    refused(
        r#"set("keep_releases", 5);
set("keep_releases", 6);"#,
        expect![[r#"
            error: setting `keep_releases` is set twice in this file
             --> deploy.rhai:2:5
              |
            2 | set("keep_releases", 6);
              |     ^^^^^^^^^^^^^^^
              = first set at deploy.rhai:1
        "#]],
    );
}

#[test]
fn a_setting_of_another_type() {
    refused(
        r#"set("keep_releases", "5");"#,
        expect![[r#"
            error: setting `keep_releases` must be a whole number, not text
             --> deploy.rhai:1:5
              |
            1 | set("keep_releases", "5");
              |     ^^^^^^^^^^^^^^^
              = its default is set at shipped/settings.rhai:34
        "#]],
    );
}

#[test]
fn a_misspelt_setting() {
    refused(
        r#"set("keep_relases", 5);"#,
        expect![[r#"
        error: no script reads setting `keep_relases` (did you mean `keep_releases`?)
         --> deploy.rhai:1:5
          |
        1 | set("keep_relases", 5);
          |     ^^^^^^^^^^^^^^
    "#]],
    );
}

#[test]
fn adding_to_an_unknown_setting() {
    refused(
        r#"add("sahred", ["storage/"]);"#,
        expect![[r#"
        error: cannot add to unknown setting `sahred` (did you mean `shared`?)
         --> deploy.rhai:1:5
          |
        1 | add("sahred", ["storage/"]);
          |     ^^^^^^^^
    "#]],
    );
}

#[test]
fn adding_to_what_is_no_list() {
    refused(
        r#"add("keep_releases", [1]);"#,
        expect![[r#"
            error: cannot add to setting `keep_releases`: it is a whole number, not a list
             --> deploy.rhai:1:5
              |
            1 | add("keep_releases", [1]);
              |     ^^^^^^^^^^^^^^^
              = its default is set at shipped/settings.rhai:34
        "#]],
    );
}

#[test]
fn a_setting_that_the_project_must_give() {
    refused(
        r#"/// nothing
fn x() {}
set("domain", ());
task("prepare", |host| host.run(host.get("domain")));"#,
        expect![[r#"
            error: setting `domain` is required but has no value
             --> deploy.rhai:3:5
              |
            3 | set("domain", ());
              |     ^^^^^^^^
            hint: add `domain = ...` to `[settings]` in `runner.toml`
        "#]],
    );
}

#[test]
fn shared_paths_within_each_other() {
    refused(
        r#"set("shared", ["storage/", "storage/logs/"]);"#,
        expect![[r#"
        error: setting `shared`: shared paths `storage/` and `storage/logs/` must not contain each other
         --> deploy.rhai:1:5
          |
        1 | set("shared", ["storage/", "storage/logs/"]);
          |     ^^^^^^^^
    "#]],
    );
}

#[test]
fn a_shared_path_outside_of_the_site() {
    refused(
        r#"add("shared", ["../uploads"]);"#,
        expect![[r#"
        error: setting `shared`: `../uploads` is not a valid shared path: path `../uploads` must not contain `.` or `..`
         --> deploy.rhai:1:5
          |
        1 | add("shared", ["../uploads"]);
          |     ^^^^^^^^
    "#]],
    );
}

#[test]
fn bad_words() {
    refused(
        r#"set("strategy", "copy");
set("copy", "lnik");
set("drift", "ignore");
set("keep_releases", 0);"#,
        expect![[r#"
            error: setting `strategy`: unknown strategy `copy`: must be `copy-previous` or `cache`
             --> deploy.rhai:1:5
              |
            1 | set("strategy", "copy");
              |     ^^^^^^^^^^
            error: setting `keep_releases` must be at least 1, not 0
             --> deploy.rhai:4:5
              |
            4 | set("keep_releases", 0);
              |     ^^^^^^^^^^^^^^^
            error: setting `copy`: `lnik` must be `auto`, `link`, `reflink` or `copy`
             --> deploy.rhai:2:5
              |
            2 | set("copy", "lnik");
              |     ^^^^^^
            error: setting `drift`: `ignore` must be `report`, `fail` or `overwrite`
             --> deploy.rhai:3:5
              |
            3 | set("drift", "ignore");
              |     ^^^^^^^
        "#]],
    );
}

#[test]
fn a_bad_name_of_an_environment_variable() {
    refused(
        r#"set("env", #{ "APP-ENV": "prod" });"#,
        expect![[r#"
        error: setting `env`: `APP-ENV` is not a valid name for an environment variable
         --> deploy.rhai:1:5
          |
        1 | set("env", #{ "APP-ENV": "prod" });
          |     ^^^^^
    "#]],
    );
}

#[test]
fn unknown_settings_and_wrong_types_in_runner_toml() {
    told(Test::new().toml("[settings]\nsource = \"source\"\nkeep_relases = 5\ndurable = \"yes\"\n\n[stage.local]\npath = \"site\"\ntransport = \"local\"\nhosts = [{ name = \"a\", settings = { copy = \"lnik\", strategyy = 1 } }]\n\n[stage.local.settings]\nshared.add = [\"../x\"]\nexclude = 3\n"), &[], expect![[r#"
        error: unknown setting `keep_relases` (did you mean `keep_releases`?)
         --> runner.toml:3:1
          |
        3 | keep_relases = 5
          | ^^^^^^^^^^^^
        error: setting `durable` must be true or false, not text
         --> runner.toml:4:1
          |
        4 | durable = "yes"
          | ^^^^^^^
          = its default is set at shipped/settings.rhai:46
        error: setting `exclude` must be a list, not a whole number
          --> runner.toml:13:1
           |
        13 | exclude = 3
           | ^^^^^^^
           = its default is set at shipped/settings.rhai:10
        error: unknown setting `strategyy` (did you mean `strategy`?)
         --> runner.toml:9:52
          |
        9 | hosts = [{ name = "a", settings = { copy = "lnik", strategyy = 1 } }]
          |                                                    ^^^^^^^^^
        error: setting `shared`: `../x` is not a valid shared path: path `../x` must not contain `.` or `..`
          --> runner.toml:12:1
           |
        12 | shared.add = ["../x"]
           | ^^^^^^
        error: setting `copy`: `lnik` must be `auto`, `link`, `reflink` or `copy`
         --> runner.toml:9:37
          |
        9 | hosts = [{ name = "a", settings = { copy = "lnik", strategyy = 1 } }]
          |                                     ^^^^
    "#]]);
}

#[test]
fn a_bad_word_in_runner_toml() {
    told(
        Test::new()
            .toml("[settings]\ncopy = \"lnik\"\n[stage.local]\npath = \"site\"\ntransport = \"local\"\n"),
        &[],
        expect![[r#"
            error: setting `copy`: `lnik` must be `auto`, `link`, `reflink` or `copy`
             --> runner.toml:2:1
              |
            2 | copy = "lnik"
              | ^^^^
        "#]],
    );
}

#[test]
fn unknown_settings_and_wrong_types_on_the_command_line() {
    told(
        Test::new(),
        &["--set", "keep_relases=5", "--set", "keep_releases=many", "--set", "durable.add=1"],
        expect![[r#"
            error: unknown setting `keep_relases` (did you mean `keep_releases`?)
             --> --set
              |
              | keep_relases=5
              | ^^^^^^^^^^^^
            error: setting `keep_releases` must be a whole number, not text
             --> --set
              |
              | keep_releases=many
              | ^^^^^^^^^^^^^
              = its default is set at shipped/settings.rhai:34
            error: cannot add to setting `durable`: it must be true or false, not a list
             --> --set
              |
              | durable.add=1
              | ^^^^^^^^^^^
              = its default is set at shipped/settings.rhai:46
        "#]],
    );
}

#[test]
fn a_set_without_a_value() {
    told(
        Test::new(),
        &["--set", "keep_releases"],
        expect![[r#"
        error: `--set` needs `KEY=VALUE` or `KEY.add=VALUE`
         --> --set
          |
          | keep_releases
          | ^^^^^^^^^^^^^
    "#]],
    );
}

// runner.toml.

#[test]
fn a_syntax_error_in_runner_toml() {
    told(
        Test::new().toml("[stage.prod\npath = \"/x\"\n"),
        &[],
        expect![[r#"
        error: invalid TOML: unclosed table, expected `]`
         --> runner.toml:1:12
          |
        1 | [stage.prod
          |            ^
    "#]],
    );
}

#[test]
fn an_unknown_key() {
    told(
        Test::new().toml("[stage.local]\npaht = \"site\"\ntransport = \"local\"\n"),
        &[],
        expect![[r#"
        error: unknown key `paht` in a stage (did you mean `path`?)
         --> runner.toml:2:1
          |
        2 | paht = "site"
          | ^^^^
          = known: `path`, `user`, `port`, `transport`, `hosts`, `settings`
    "#]],
    );
}

#[test]
fn a_wrong_type_in_runner_toml() {
    told(
        Test::new().toml("[stage.local]\npath = 5\ntransport = \"local\"\n"),
        &[],
        expect![[r#"
        error: `path` must be text, not 5
         --> runner.toml:2:8
          |
        2 | path = 5
          |        ^
    "#]],
    );
}

#[test]
fn no_runner_toml() {
    told(
        Test::new().remove("runner.toml"),
        &[],
        expect![[r#"
            error: no `runner.toml` in `[project]` or above it
            hint: `runner init` writes one; a minimal one is:
                [stage.prod]
                path = "/var/www/shop"
                user = "deploy"
                hosts = ["web1.example.com"]
        "#]],
    );
}

#[test]
fn a_recipe_that_is_not_there() {
    told(
        Test::new()
            .toml("recipe = \"deplyo.rhai\"\n[stage.local]\npath = \"site\"\ntransport = \"local\"\n")
            .recipe(""),
        &[],
        expect![[r#"
            error: no recipe `deplyo.rhai` (did you mean `deploy.rhai`?)
             --> runner.toml:1:10
              |
            1 | recipe = "deplyo.rhai"
              |          ^^^^^^^^^^^^^
        "#]],
    );
}

// The command line.

#[test]
fn an_unknown_stage() {
    told(Test::new().toml("[stage.prod]\npath = \"site\"\ntransport = \"local\"\n[stage.staging]\npath = \"site\"\ntransport = \"local\"\n"), &["--stage", "pord"], expect![[r#"
        error: no stage named `pord` (did you mean `prod`?)
         = stages of `runner.toml`: `prod`, `staging`
    "#]]);
}

#[test]
fn no_stage_where_there_are_several() {
    told(Test::new().toml("[stage.prod]\npath = \"site\"\ntransport = \"local\"\n[stage.staging]\npath = \"site\"\ntransport = \"local\"\n"), &[], expect![[r#"
        error: choose a stage with `--stage`: `prod`, `staging`
    "#]]);
}

#[test]
fn an_unknown_host() {
    told(
        Test::with_sites(2),
        &["--host", "h3"],
        expect![[r#"
        error: no host named `h3` in stage `local` (did you mean `h1`?)
         = its hosts: `h1`, `h2`
    "#]],
    );
}

#[test]
fn an_unknown_role() {
    told(Test::new().toml("[stage.local]\ntransport = \"local\"\nhosts = [{ name = \"a\", path = \"site\", roles = [\"web\"] }]\n"), &["--role", "wbe"], expect![[r#"
        error: no host of stage `local` has the role `wbe` (did you mean `web`?)
         = its roles: `web`
    "#]]);
}

#[test]
fn a_release_that_cannot_be_one() {
    told(
        Test::new(),
        &["rollback", "--release", "../x"],
        expect![[r#"
        error: `../x` is not a valid release name
    "#]],
    );
}

#[test]
fn an_unknown_flow() {
    told(
        Test::new(),
        &["rolback"],
        expect![[r#"
            error: `rolback` is not a verb, flow, task or stage (did you mean `rollback`?)
             = flows: `deploy`, `doctor`, `rollback`
             = stages: `local`
            hint: `runner tasks` lists the tasks, `runner help` the verbs
        "#]],
    );
}

#[test]
fn too_many_words() {
    told(
        Test::new(),
        &["deploy", "rollback", "now"],
        expect![[r#"
            error: too many arguments: `deploy rollback now`
             = `deploy` is not a recipe: a recipe ends in `.rhai`, contains a `/`, or is a shipped name
            hint: `runner help` shows what it takes
        "#]],
    );
}

#[test]
fn an_unknown_option() {
    told(
        Test::new(),
        &["--stgae", "prod"],
        expect![[r#"
            error: there is no option `--stgae` (did you mean `--stage`?)
            hint: `runner help` lists the options
        "#]],
    );
}

#[test]
fn a_recipe_typed_that_is_not_there() {
    told(
        Test::new().recipe(""),
        &["deplyo.rhai"],
        expect![[r#"
        error: no recipe `deplyo.rhai` (did you mean `deploy.rhai`?)
    "#]],
    );
}

#[test]
fn a_shipped_recipe_that_is_misspelt() {
    // Only a program that ships recipes has a name to suggest.
    if std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/laravel.rhai")).exists() {
        let test = Test::new().recipe("import \"larvel\" as laravel;\n");
        test.ends(2, &[]).says("no shipped recipe `larvel` (did you mean `laravel`?)");
        test.ends(2, &["check"]).says("no shipped recipe `larvel` (did you mean `laravel`?)");
    }
}

// The end of a flow.

#[test]
fn who_waits_for_the_end_of_an_unknown_flow() {
    refused(
        r#"on_success("depoly", |outcome| note(outcome.verdict));
on_failure("build", |outcome| note(outcome.verdict));"#,
        expect![[r#"
            error: no flow named `depoly` (did you mean `deploy`?)
             --> deploy.rhai:1:12
              |
            1 | on_success("depoly", |outcome| note(outcome.verdict));
              |            ^^^^^^^^
            error: `on_failure` needs a flow, but `build` is a task
             --> deploy.rhai:2:12
              |
            2 | on_failure("build", |outcome| note(outcome.verdict));
              |            ^^^^^^^
        "#]],
    );
}

#[test]
fn a_function_for_the_end_of_a_flow_with_other_parameters() {
    refused(
        r#"fn tell(outcome, more) { note(outcome.verdict); }
on_success("deploy", || note("done"));
on_failure("deploy", tell);
on_failure("deploy");"#,
        expect![[r#"
            error: the function of `on_success` must have one parameter (the outcome), not none
             --> deploy.rhai:2:1
              |
            2 | on_success("deploy", || note("done"));
              | ^^^^^^^^^^
            hint: write `|outcome| ...`
            error: the function of `on_failure` must have one parameter (the outcome), not 2
             --> deploy.rhai:3:1
              |
            3 | on_failure("deploy", tell);
              | ^^^^^^^^^^
            hint: write `|outcome| ...`
            error: `on_failure` takes 2 arguments, not 1
             --> deploy.rhai:4:1
              |
            4 | on_failure("deploy");
              | ^^^^^^^^^^
        "#]],
    );
}

#[test]
fn an_end_of_a_flow_that_is_declared_in_a_task() {
    let test = Test::new()
        .source("a", "1")
        .recipe(r#"task("build", || on_success("deploy", |outcome| note("done")));"#);
    let ran = test.ends(2, &[]);
    ran.says("`on_success` cannot be called in a task").says("deploy.rhai:1:");
}

#[test]
fn a_function_that_hides_the_end_of_a_flow() {
    refused(
        r#"fn on_failure(flow, body) { note("mine"); }
task("build", || note("x"));"#,
        expect![[r#"
            error: `fn on_failure(flow, body)` hides the primitive `on_failure`
             --> deploy.rhai:1:4
              |
            1 | fn on_failure(flow, body) { note("mine"); }
              |    ^^^^^^^^^^
            hint: rename the function; a task may have this name
        "#]],
    );
}

/// Each statement of a task, and the words of its report.
#[track_caller]
fn statements(cases: &[(&str, &str)]) {
    for (statement, words) in cases {
        let test = Test::new().recipe(&format!("task(\"prepare\", |host| {{\n    {statement}\n}});"));
        for verb in [&["check"][..], &[]] {
            let ran = test.ends(2, verb);
            ran.says(words).says("--> deploy.rhai:2:");
            assert!(!test.path("site").exists(), "a host was touched\n{ran}");
        }
    }
}

#[test]
fn literals_that_a_primitive_does_not_take() {
    statements(&[
        ("host.run(42);", "the argument of `run` must be text, not a whole number"),
        ("host.run([\"a\"]);", "the argument of `run` must be text, not a list"),
        ("host.link_shared(\"x\");", "the argument of `link_shared` must be a list, not text"),
        ("host.run(\"true\", #{ timeout: \"60\" });", "option `timeout` must be a whole number, not text"),
        ("host.prune(-1);", "`prune` must have at least 1 release, not -1"),
        ("hosts().perform(\"reload\");", "the argument of `perform` must be a list, not text"),
        ("hosts().perform([\"relaod\"]);", "no task named `relaod` (did you mean `reload`?)"),
        ("host.template(\"nginx.conf\", \"/etc/x\", #{});", "template `nginx.conf` not found"),
        ("try { host.run(1) } catch {}", "the argument of `run` must be text, not a whole number"),
    ]);
}

#[test]
fn literals_of_the_wrong_type_wherever_the_call_is() {
    statements(&[
        ("for server in hosts() { server.write(\"a\", 5); }", "argument 2 of `write` must be text"),
        ("host.http(\"http://x/\", #{ headers: [] });", "option `headers` must be a table, not a list"),
        ("if host.exists(true) { }", "the argument of `exists` must be text, not true or false"),
        ("let f = |h| h.wait_until(\"30\", || true); f.call(host);", "argument 1 of `wait_until` must be"),
        ("host.watch(\"http://x/\", #{ secnds: 5 });", "unknown option `secnds` (did you mean `seconds`?)"),
        ("host.run(host.name, #{ timeout: 0 });", "option `timeout` must be at least 1"),
    ]);
}

#[test]
fn the_value_of_what_returns_nothing() {
    statements(&[
        ("let y = \" a \"; let x = y.trim();", "`trim` changes the value that it is called on"),
        ("let y = \"a\"; host.run(`rm ${y.make_lower()}`);", "`make_lower` changes the value"),
        ("let l = [2, 1]; for x in l.sort() { }", "`sort` changes the value"),
        ("let x = host.write(\"a\", \"b\");", "`write` returns nothing"),
    ]);
    let fine = "task(\"prepare\", |host| { let y = \" a \"; y.trim(); [1].for_each(|n| y.replace(\"a\", \"b\")); y.trim() });";
    Test::new().recipe(fine).ends(0, &["check"]);
}

/// How many mistakes of the corpus `runner check` finds, and how many of them with the right line and cure.
const FOUND: usize = 229;
const CURED: usize = 229;

/// A project with one mistake, the line that it is on, and a part of the cure.
struct Case {
    project: Test,
    text: String,
    line: String,
    cure: String,
}

/// Cases of the form `=== line | cure`, each followed by its text.
fn cases(corpus: &str, project: impl Fn(&str) -> Test) -> Vec<Case> {
    let case = |case: &str| {
        let (head, text) = case.split_once('\n').expect("a head and a text");
        let (line, cure) = head.split_once(" | ").expect("a line and a cure");
        Case { project: project(text), text: text.to_owned(), line: line.to_owned(), cure: cure.to_owned() }
    };
    corpus.split("=== ").skip(1).map(case).collect()
}

/// Statements of a task, each on a line with its cure.
fn statement_cases(corpus: &str) -> Vec<Case> {
    let case = |line: &str| {
        let (statement, cure) = line.split_once(" ## ").expect("a statement and a cure");
        let recipe = format!("task(\"prepare\", |host| {{\n    {statement}\n}});\n");
        let (text, line, cure) = (statement.to_owned(), "2".to_owned(), cure.to_owned());
        Case { project: Test::new().recipe(&recipe), text, line, cure }
    };
    corpus.lines().map(case).collect()
}

#[test]
fn the_corpus_of_mistakes_is_found_before_a_host_is_touched() {
    let stage = "[stage.local]\npath = \"site\"\ntransport = \"local\"\n";
    let mut all = statement_cases(include_str!("mistakes/statements.txt"));
    all.extend(cases(include_str!("mistakes/files.txt"), |text| Test::new().recipe(text)));
    all.extend(cases(include_str!("mistakes/toml.txt"), |text| {
        Test::new().write("runner.toml", &format!("{text}{stage}")).recipe("//! x\n")
    }));
    let (mut found, mut cured) = (0, 0);
    for Case { project, text, line, cure } in &all {
        let ran = project.run(&["check"]);
        let is_found = ran.code == Some(2) && !project.path("site").exists();
        let is_cured = is_found && ran.err.contains(&format!(":{line}:")) && ran.err.contains(cure.as_str());
        found += usize::from(is_found);
        cured += usize::from(is_cured);
        if !is_cured {
            println!(
                "--- found: {is_found}, wanted line {line} and `{cure}`\n{text}\n{}{}",
                ran.out, ran.err
            );
        }
    }
    println!("{found} of {} mistakes found, {cured} with the right line and cure", all.len());
    assert!(all.len() >= 150, "the corpus has {} mistakes", all.len());
    assert!(found >= FOUND && cured >= CURED, "{found} found, {cured} with the right line and cure");
}

// What only a run can see.

#[test]
fn a_mistake_of_types_is_not_caught_by_try() {
    let body = |statement: &str| format!("task(\"prepare\", |host| {{\n    {statement}\n}});");
    for (statement, words) in [
        (
            "try { let n = 1; host.run(n); } catch {}",
            "the argument of `run` must be text, not a whole number",
        ),
        (
            "try { let n = [1]; note(n); } catch (e) { note(`${e}`); }",
            "the argument of `note` must be text, not a list",
        ),
        (
            "try { let o = #{}; o.timeout = \"5\"; host.run(\"true\", o); } catch {}",
            "option `timeout` must be",
        ),
        (
            "try { let t = 0; host.http(\"http://127.0.0.1:1/\", #{ timeout: t }); } catch {}",
            "option `timeout` must be",
        ),
        (
            "try { host.wait_until(5, |host| { let n = 1; host.exists(n) }); } catch {}",
            "the argument of `exists` must be",
        ),
    ] {
        let ran = Test::new().source("a", "1").recipe(&body(statement)).ends(1, &[]);
        ran.says(words).says("--> deploy.rhai:2:");
    }
    // A failure of a command is caught, as before.
    let fine = "try { host.run(\"exit 3\"); } catch (failure) { note(`status ${failure.status}`); }";
    Test::new().source("a", "1").recipe(&body(fine)).ends(0, &[]).says("status 3");
}

#[test]
fn a_function_that_a_variable_names_is_refused_when_it_is_called() {
    for call in [
        "[\"touch x\"].map(name)",
        "[\"touch x\"].for_each(name)",
        "[1, 2].reduce(name, 0)",
        "[2, 1].sort(name)",
    ] {
        let recipe = format!("task(\"prepare\", |host| {{ let name = \"lo\" + \"cal\"; {call}; }});");
        let test = Test::new().source("a", "1").recipe(&recipe);
        test.ends(1, &[]).says("takes a function, not the name of one").says("a closure: `|item| ...`");
        assert!(!test.path("x").exists());
    }
    let own =
        r#"task("prepare", |host| { let f = |x| x + 1; note(`${[1].map(f)} ${["a"].index_of("a")}`); });"#;
    Test::new().source("a", "1").recipe(own).ends(0, &[]).says("[2] 0");
}

#[test]
fn a_property_that_a_value_does_not_have_is_told_with_what_it_is_called_here() {
    let recipe = r#"task("prepare", |host| { let all = host.releases(); note(`${all.length}`); });"#;
    let ran = Test::new().source("a", "1").recipe(recipe).ends(1, &[]);
    ran.says("a list has no property `length`").says("write `.len()`");
}

#[test]
fn a_private_function_of_another_file_is_told_before_the_run() {
    let test = Test::new()
        .write(
            "lib.rhai",
            "private fn helper(host) { host.run(\"true\"); }\nfn open(host) { helper(host); }\n",
        )
        .recipe("import \"./lib.rhai\" as l;\ntask(\"prepare\", |host| l::helper(host));\n");
    told(
        test,
        &["check"],
        expect![[r#"
            error: `helper` of `l` is private: only its own file can call it
             --> deploy.rhai:2:27
              |
            2 | task("prepare", |host| l::helper(host));
              |                           ^^^^^^
            hint: write `fn helper` instead of `private fn helper` in that file
        "#]],
    );
    let test = Test::new()
        .write(
            "lib.rhai",
            "private fn helper(host) { host.run(\"true\"); }\nfn open(host) { helper(host); }\n",
        )
        .recipe("import \"./lib.rhai\" as l;\ntask(\"prepare\", |host| l::open(host));\n");
    test.source("a", "1").ends(0, &[]);
}

#[test]
fn a_secret_that_cannot_be_asked_for_is_told_before_a_host_is_touched() {
    told(
        Test::new().recipe(r#"task("prepare", |host| host.run(`x ${secret("RUNNER_TEST_NONE")}`));"#),
        &[],
        expect![[r#"
            error: cannot ask without a terminal: secret `RUNNER_TEST_NONE` is not set in the environment
             --> deploy.rhai:1:38
              |
            1 | task("prepare", |host| host.run(`x ${secret("RUNNER_TEST_NONE")}`));
              |                                      ^^^^^^
            hint: run it in a terminal, or set the variable: `RUNNER_TEST_NONE=... runner ...`
        "#]],
    );
    // Where it may not be read, it is a warning; in a flow that does not read it, it is nothing.
    let maybe = r#"
fn token() { if stage() == "prod" { secret("RUNNER_TEST_NONE") } else { "none" } }
set("token", || token());
task("prepare", |host| note(get("token")));"#;
    let test = Test::new().source("a", "1").recipe(maybe);
    let words = "warning: cannot ask without a terminal: secret `RUNNER_TEST_NONE` is not set";
    test.ends(0, &[]).says(words);
    test.ends(0, &["check"]).says(words);
    test.ends(0, &["doctor"]).says_not("RUNNER_TEST_NONE");
}

#[test]
fn a_cd_whose_failure_is_ignored_is_a_line_of_check() {
    let recipe =
        |statement: &str| Test::new().recipe(&format!("task(\"prepare\", |host| {{\n    {statement}\n}});"));
    for statement in [
        "host.run(\"cd web; rm -rf cache\");",
        "host.run(`cd ${host.release}/web ; rm -rf cache`);",
        "local(\"umask 022; cd web; rm -rf cache\");",
        "host.run(\"cd web\\nrm -rf cache\", #{ errexit: false });",
    ] {
        recipe(statement).ends(0, &["check"]).says("warning: if `cd ").says("&& ...`").says("deploy.rhai:2:");
    }
    for fine in [
        "host.run(\"cd web && rm -rf cache\");",
        "host.run(\"cd web\\nrm -rf cache\");",
        "host.run(\"echo 'cd x; y'\");",
    ] {
        recipe(fine).ends(0, &["check"]).says_not("cd ");
    }
}

// Settings that would change nothing.

#[test]
fn a_setting_of_another_tool_is_refused_with_its_translation() {
    refused(
        r#"set("linked_dirs", ["uploads"]);"#,
        expect![[r#"
            error: no script reads setting `linked_dirs`
             --> deploy.rhai:1:5
              |
            1 | set("linked_dirs", ["uploads"]);
              |     ^^^^^^^^^^^^^
              = `linked_dirs` is a setting of Capistrano
            hint: write `add("shared", ["uploads/"]);`
        "#]],
    );
}

#[test]
fn a_setting_of_another_tool_is_refused_in_each_layer() {
    let test = Test::new().recipe("add(\"writable_dirs\", [\"cache\"]);\n");
    test.ends(2, &[])
        .says("cannot add to unknown setting `writable_dirs`")
        .says("write `add(\"writable\", [\"cache/\"]);`");
    let test = Test::new().recipe("");
    test.ends(2, &["--set", "branch=main"]).says("unknown setting `branch`").says("write `ref = \"main\"`");
    test.ends(2, &["--set", "deploy_to=/srv"]).says("write `path = \"/var/www/shop\"` below the stage");
    test.ends(2, &["check", "--set", "shared_files=[\".env\"]"]).says("write `shared.add = [\".env\"]`");
    // A recipe's own setting may have such a name.
    Test::new()
        .recipe("set(\"branch\", \"x\");\ntask(\"build\", || print(get(\"branch\")));\n")
        .ends(0, &["check"]);
}

#[test]
fn a_setting_that_no_script_reads_is_a_line_of_check() {
    let test = Test::new().recipe("set(\"foobar\", 1);\n");
    test.ends(0, &["check"]).says("warning: no script reads setting `foobar`").says("deploy.rhai:1:5");
    // A computed name may be any.
    let computed =
        "set(\"foobar\", 1);\ntask(\"build\", || { let key = \"foo\" + \"bar\"; print(get(key)); });\n";
    test.recipe(computed).ends(0, &["check"]).says_not("foobar");
}

// Roles.

const TWO_ROLES: &str = "[settings]\nsource = \"source\"\n[stage.local]\ntransport = \"local\"\nhosts = [\n\
    { name = \"a\", path = \"sites/a\", roles = [\"web\"] },\n\
    { name = \"b\", path = \"sites/b\", roles = [\"worker\"] } ]\n";

#[test]
fn a_role_that_no_stage_has_is_refused() {
    told(
        Test::new()
            .toml(TWO_ROLES)
            .recipe(r#"task("prepare", |host| host.run("true")).on("database").once();"#),
        &[],
        expect![[r#"
            error: no host of any stage has the role `database`
             --> deploy.rhai:1:45
              |
            1 | task("prepare", |host| host.run("true")).on("database").once();
              |                                             ^^^^^^^^^^
              = roles in `runner.toml`: `web`, `worker`
            hint: add the role to a host in `runner.toml`: `roles = ["database"]`
        "#]],
    );
    told(
        Test::new().toml(TWO_ROLES).recipe(r#"task("prepare", || hosts().on("wbe").perform(["reload"]));"#),
        &["check"],
        expect![[r#"
            error: no host of any stage has the role `wbe` (did you mean `web`?)
             --> deploy.rhai:1:31
              |
            1 | task("prepare", || hosts().on("wbe").perform(["reload"]));
              |                               ^^^^^
              = roles in `runner.toml`: `web`, `worker`
        "#]],
    );
}

#[test]
fn a_role_in_runner_toml_that_resembles_one_in_use_is_refused() {
    let toml = TWO_ROLES.replace("\"worker\"", "\"wbe\"");
    let test = Test::new().toml(&toml).recipe(r#"task("prepare", |host| host.run("true")).on("web");"#);
    test.ends(2, &[]).says("no recipe uses the role `wbe` (did you mean `web`?)").says("runner.toml:7:");
    // A script that looks for it uses it.
    let uses = r#"task("prepare", |host| if "wbe" in host.roles { host.run("true"); });
task("reload", |host| host.run("true")).on("web");"#;
    test.recipe(uses).ends(0, &["check"]);
}

#[test]
fn a_task_that_runs_once_needs_a_host_in_the_stage() {
    let toml = TWO_ROLES.to_owned()
        + "[stage.other]\ntransport = \"local\"\nhosts = [{ name = \"c\", path = \"sites/c\", roles = [\"web\"] }]\n";
    let test = Test::new()
        .toml(&toml)
        .source("a", "1")
        .recipe(r#"task("prepare", |host| host.run("true")).once().on("worker");"#);
    let message = "task `prepare` would never run: no host of stage `other` has the role `worker`";
    test.ends(2, &["--stage", "other"]).says(message);
    test.ends(2, &["check"]).says(message);
    // A task that is not essential is one line.
    let test = test.recipe(r#"task("prepare", |host| host.run("true")).on("worker");"#);
    test.ends(0, &["--stage", "other"])
        .says("task `prepare` is skipped: no host of this run has the role `worker`");
}

// Files that do not import each other.

#[test]
fn two_files_that_fill_the_same_task_are_refused_with_the_lines_that_combine_them() {
    let test = Test::new()
        .write("a.rhai", "fn warm(host) { host.run(\"true\"); }\ntask(\"prepare\", warm);\nset(\"port\", 1);\nset(\"shared\", [\"x/\"]);\n")
        .write("b.rhai", "task(\"prepare\", |host| host.run(\"true\"));\nset(\"port\", 2);\nset(\"shared\", [\"y/\"]);\n")
        .recipe("import \"./a.rhai\" as a;\nimport \"./b.rhai\" as b;\n");
    let ran = test.ends(2, &[]);
    ran.says("task `prepare` is declared in `a.rhai` and in `b.rhai`")
        .says("these files do not import each other")
        .says("        a::warm(host);\n        b::prepare(host);\n")
        .says("give the function in `b.rhai` a name first")
        .says("setting `port` is set in `a.rhai` and in `b.rhai`")
        .says("set(\"shared\", [\"x/\", \"y/\"]);");
    test.ends(2, &["check"]).says("setting `port` is set in `a.rhai` and in `b.rhai`");
}

#[test]
fn shipped_recipes_that_do_not_import_each_other_are_refused_until_they_are_combined() {
    let imports = "import \"wordpress\" as wordpress;\nimport \"node\" as node;\n";
    let ran = Test::new().recipe(imports).ends(2, &["check"]);
    ran.says("task `build` is declared in").says("wordpress::build").says("node::build");
}

#[test]
fn a_file_overrides_what_it_imports_directly_or_through_others() {
    let test = Test::new()
        .source("index", "1")
        .write("base.rhai", "task(\"verify\", |host| host.note(\"base\"));\nset(\"shared\", [\"x/\", \"y/\"]);\n")
        .write("a.rhai", "import \"./base.rhai\" as base;\ntask(\"verify\", |host| host.note(\"a\"));\n")
        .write("b.rhai", "import \"./base.rhai\" as base;\nadd(\"shared\", [\"b/\"]);\n")
        .recipe("import \"./a.rhai\" as a;\nimport \"./b.rhai\" as b;\nimport \"./base.rhai\" as base;\nremove(\"shared\", [\"y/\"]);\n");
    test.deploy().says("a\n").says_not("base\n");
    assert!(test.path("site/shared/x").is_dir() && test.path("site/shared/b").is_dir());
    assert!(!test.path("site/shared/y").exists());
}

#[test]
fn items_that_one_file_adds_outlive_a_list_that_another_sets() {
    let test = Test::new()
        .source("index", "1")
        .write("a.rhai", "add(\"shared\", [\"a/\"]);\n")
        .write("b.rhai", "set(\"shared\", [\"b/\"]);\n")
        .recipe("import \"./a.rhai\" as a;\nimport \"./b.rhai\" as b;\n");
    test.deploy();
    assert!(test.path("site/shared/a").is_dir() && test.path("site/shared/b").is_dir());
    test.deploy();
    // One item is taken out again by the project.
    test.ends(2, &["--set", "shared.remove=c/"])
        .says("setting `shared` does not contain `c/`")
        .says("it contains `b/`, `a/`");
    test.ends(0, &["--set", "shared.remove=a/"]);
    assert!(!test.path("site/current/a").exists() && test.path("site/current/b").exists());
}
