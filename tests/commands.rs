//! Commands of a recipe: what they see, and what they leave untouched.

mod support;

use support::Test;

/// Runs one command on the host of a task that stands alone, and shows what it said.
fn said(test: Test, command: &str) -> String {
    let recipe = format!(
        "const COMMAND = `{command}`;\ntask(\"try\", |host| host.note(host.run(global::COMMAND))).alone();\n"
    );
    let test = test.recipe(&recipe).source("a", "1");
    test.deploy();
    test.ends(0, &["try"]).err
}

#[test]
fn a_command_sees_none_of_our_functions_and_variables() {
    let names =
        "say refuse enter put record note drop paths names plain expect guard point each list edit check";
    let command = format!(
        "for f in {names}; do command -v $f | grep -v / || :; done; set | grep ^runner_; echo end $#"
    );
    let said = said(Test::new(), &command);
    assert!(said.contains("`localhost`: end 0"), "{said}");
}

#[test]
fn a_command_finds_stage_release_revision_and_env_but_not_our_locale() {
    let test = Test::new().env("LC_ALL", "C.UTF-8").shell(
        "git init -q source && cd source && git -c user.name=t -c user.email=t@t commit -q --allow-empty -m 1",
    );
    let test = test.recipe(
        "set(\"env\", #{ APP: \"it's $HOME\" });\n\
         task(\"prepare\", |host| host.note(host.run(\"echo $STAGE/$RELEASE/${#REVISION}/$APP/$LC_ALL\")));\n\
         task(\"build\", || note(local(\"echo here $STAGE $APP\")));\n",
    );
    let test = test.source("a", "1");
    let ran = test.deploy();
    let live = test.live("site").unwrap();
    ran.says(&format!("local/{live}/40/it's $HOME/C.UTF-8")).says("here local it's $HOME");
}

#[test]
fn a_command_is_not_found_in_the_process_list() {
    let command =
        "x=a-word-of-mine; cat /proc/[0-9]*/cmdline | tr '\\\\0' ' ' | grep -ac a-word-of-[m]ine || :";
    let said = said(Test::new(), command);
    assert!(said.contains("`localhost`: 0\n"), "{said}");
}

#[test]
fn options_of_a_command_hold() {
    let test = Test::new().source("sub/a", "1").recipe(
        "task(\"prepare\", |host| {\n\
           host.note(host.run(\"basename $PWD; echo $X\", #{ cwd: \"sub\", env: #{ X: \"y z\" } }));\n\
           try { host.run(\"sleep 1000\", #{ timeout: 1 }); } catch (failure) { host.note(failure.message); }\n\
           try { host.run(\"no-such-program\"); } catch (failure) { host.note(`status ${failure.status}`); }\n\
         });\n",
    );
    let ran = test.deploy();
    ran.says("sub\ny z").says("`sleep 1000` timed out after 1 s").says("status 127");
}

/// A deploy whose `prepare` has this statement.
fn prepares(statement: &str) -> Test {
    Test::new().source("a", "1").recipe(&format!("task(\"prepare\", |host| {{ {statement} }});\n"))
}

#[test]
fn a_command_of_several_lines_ends_at_the_first_that_fails() {
    for (call, n) in [("host.run(", 1), ("host.output(", 1), ("local(", 1)] {
        let test = prepares(&format!("{call}`\ncd /nonexistent\ntouch \"${{host.path}}/marker\"\n`);"));
        test.ends(n, &[]).says("task `prepare` failed").says("nonexistent");
        assert!(!test.has("site/marker"), "{call}");
    }
    // As `sh` does: not before `||`, in a condition, or after `!`; and a list that ends well is well.
    let test = prepares(
        "host.run(`false || true\nif false; then :; fi\n! false\ncd .\ntouch \"${host.path}/marker\"`);",
    );
    test.deploy();
    assert!(test.has("site/marker"));
}

#[test]
fn errexit_is_an_option_and_one_line_is_as_at_a_terminal() {
    let marker = "touch \"${host.path}/marker\"";
    for statement in [
        format!("host.run(`false\n{marker}`, #{{ errexit: false }});"),
        format!("host.run(`false; {marker}`);"),
        format!("host.run(`\nfalse; {marker}\n`);"),
    ] {
        let test = prepares(&statement);
        test.deploy();
        assert!(test.has("site/marker"), "{statement}");
    }
    let test = prepares(&format!("host.run(`false; {marker}`, #{{ errexit: true }});"));
    test.ends(1, &[]);
    assert!(!test.has("site/marker"));
    let test = prepares("host.run(\"true\", #{ errexit: \"yes\" });");
    test.ends(2, &[]).says("option `errexit` must be true or false");
    // A command that a program starts is no line of this text.
    let test = prepares("host.run(`sh -c 'false; true'\ntrue`);");
    test.deploy();
}

#[test]
fn a_command_of_another_user_has_the_same_environment() {
    // Behind an sshd, the user who deploys must not become another.
    let test = Test::new().source("a", "1");
    if test.is_remote() || !rustix::process::getuid().is_root() {
        return;
    }
    let recipe = r#"
set("env", #{ APP_ENV: `it's \n $HOME` });
task("prepare", |host| {
    let options = #{ user: "nobody", cwd: "/", env: #{ MORE: "two\nlines", SECRET: secret("TOKEN") } };
    let command = "printf '[%s]' \"$(id -un)\" \"$APP_ENV\" \"$MORE\" \"$RELEASE\" \"$STAGE\" \"${c-none}\" $#";
    host.note(host.run(command, options));
    let command = "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c a-word-of-[m]ine || :";
    host.note("in the process list: " + host.run(command, options));
    host.note("its input: " + host.run("wc -c", options));
    try { host.run("false\necho no", options); } catch { host.note("ended"); }
});
"#;
    let ran = test.recipe(recipe).env("TOKEN", "a-word-of-mine").deploy();
    ran.says(r"[nobody][it's \n $HOME][two")
        .says("lines][2")
        .says("][local][none][0]")
        .says("in the process list: 0")
        .says("its input: 0")
        .says("ended");
}

#[test]
fn a_program_that_is_not_found_is_reported_with_the_path() {
    let test =
        Test::new().source("a", "1").recipe("task(\"prepare\", |host| host.run(\"no-such-program\"));\n");
    test.ends(1, &[])
        .says("`no-such-program` exited with status 127")
        .says("PATH was ")
        .says("in the setting `env`");
}

#[test]
fn a_command_here_takes_options_and_words_are_quoted() {
    let test = Test::new().source("it's a $dir/x", "1").recipe(
        "task(\"build\", || {\n\
           note(local(\"basename \\\"$PWD\\\"; echo $X\", #{ cwd: \"source\", env: #{ X: \"y z\" } }));\n\
           local(`cp ${quote(\"source/it's a $dir/x\")} ${quote(\"-copy\")} 2>/dev/null || cp ${quote(\"source/it's a $dir/x\")} copy`);\n\
         });\n",
    );
    test.deploy().says("source\ny z");
    assert!(test.path("copy").exists());
}
