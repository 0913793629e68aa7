//! The words of the command line: positional stages, `help`, `completions`, typos, and words of other tools.

mod support;

use support::{Ran, Test};

/// A project with the stages `dev` and `prod`.
fn two_stages() -> Test {
    Test::new().source("a", "1").toml(
        "[settings]\nsource = \"source\"\n\
         [stage.dev]\npath = \"dev\"\ntransport = \"local\"\n\
         [stage.prod]\npath = \"prod\"\ntransport = \"local\"\n",
    )
}

fn with_environment(test: &Test, stage: &str, words: &[&str]) -> Ran {
    let mut command = test.command(words);
    command.env("RUNNER_STAGE", stage);
    Ran::of(command.output().unwrap())
}

#[test]
fn a_stage_can_be_named_by_a_word_before_or_after_the_flow() {
    let test = two_stages();
    test.ends(0, &["prod"]).says("to stage `prod`");
    assert!(!test.path("dev").exists());
    let test = test.source("a", "2");
    test.ends(0, &["deploy", "prod"]).says("to stage `prod`");
    test.ends(0, &["rollback", "prod"]).says("to stage `prod`");
    test.ends(0, &["prod", "deploy"]).says("to stage `prod`");
    test.ends(0, &["--stage", "prod", "rollback"]).says("to stage `prod`");
    assert!(!test.path("dev").exists());
    test.ends(0, &["status", "prod"]).says("localhost  2");
    test.ends(0, &["releases", "dev"]).says("no release yet");
    test.ends(0, &["unlock", "prod"]).says("nobody held the lock");
    let test = test.recipe("//! Ours.\n");
    test.ends(0, &["./deploy.rhai", "dev"]).says("to stage `dev`");
    test.ends(0, &["deploy.rhai", "deploy", "prod", "--plan"]).says("to stage `prod`");
}

#[test]
fn the_environment_names_a_stage_and_yields_to_all() {
    let test = two_stages();
    let ran = with_environment(&test, "prod", &[]);
    ran.says("to stage `prod`");
    with_environment(&test, "prod", &["dev"]).says("to stage `dev`");
    with_environment(&test, "prod", &["--stage", "dev"]).says("to stage `dev`");
    with_environment(&test, "", &[]).says("choose a stage");
    let ran = with_environment(&test, "production", &["status"]);
    ran.says("no stage named `production` (did you mean `prod`?)").says("`RUNNER_STAGE` names this stage");
}

#[test]
fn a_word_that_means_nothing_is_answered_with_what_was_meant() {
    let test = two_stages();
    for (words, want) in [
        (&["chek"][..], "`chek` is not a verb, flow, task or stage (did you mean `check`?)"),
        (&["rolback"], "(did you mean `rollback`?)"),
        (&["deploy", "production"], "no stage named `production` (did you mean `prod`?)"),
        (&["production", "deploy"], "`production` is not a verb, flow, task or stage (did you mean `prod`?)"),
        (&["prod", "dev"], "two stages: `prod` and `dev`"),
        (&["rollback", "deploy"], "`rollback` and `deploy` are both flows or tasks"),
        (&["rollback", "20200101000000"], "rollback --release 20200101000000` selects that release"),
        (&["deploy", "localhost"], "hint: `--host localhost` selects it"),
        (&["cap", "production", "deploy"], "leave the other tool's name out"),
        (&["cap"], "hint: `runner deploy` deploys: leave the other tool's name out"),
        (&["deploy:unlock"], "hint: `runner unlock` ends the run that holds the lock"),
        (&["plan"], "hint: `runner --plan` shows"),
        (&["--dry-run"], "hint: `--plan` shows what a run would do"),
        (&["--branch=main"], "hint: `--set ref=NAME` deploys a branch, tag or commit"),
        (&["--rol", "web"], "there is no option `--rol` (did you mean `--role`?)"),
        (&["status", "a", "b"], "hint: `runner help status` shows what it takes"),
        (&["completions", "bsh"], "no completions for `bsh` (did you mean `bash`?)"),
    ] {
        test.ends(2, words).says(want);
    }
    assert!(!test.path("prod").exists() && !test.path("dev").exists());
}

#[test]
fn hints_repeat_a_stage_that_a_word_named() {
    let test = two_stages().recipe("task(\"prepare\", |host| host.fail(\"no\"));\n");
    test.ends(2, &["prod", "--release", "20200101000000"])
        .says("hint: `runner --stage prod rollback --release 20200101000000` rolls back to it");
}

#[test]
fn names_that_hide_behind_others_are_told() {
    let test = Test::new()
        .source("a", "1")
        .toml(
            "[settings]\nsource = \"source\"\n[stage.warm]\npath = \"x\"\ntransport = \"local\"\n\
             [stage.node]\npath = \"y\"\ntransport = \"local\"\n",
        )
        .recipe("task(\"warm\", |host| host.run(\"touch warm\"));\nafter(\"prepare\", \"warm\");\n");
    test.ends(2, &["check"])
        .says("stage `warm` has the name of a flow or task of the recipe")
        .says("stage `node` has the name of a shipped recipe");
    test.ends(2, &["warm"]).says("`warm` is a stage, and also a flow or task").says("`--stage warm`");
    test.ends(0, &["--stage", "warm"]).says("to stage `warm`");
    let test = Test::new().source("a", "1").recipe(
        "task(\"status\", |host| host.run(\"true\"));\nafter(\"prepare\", \"status\");\nflow(\"unlock\", [\"lock\", \"status\"]);\n",
    );
    test.ends(2, &["check"]).says("a flow cannot be named `unlock`: `runner unlock` is a verb");
    let test = test.recipe("task(\"status\", |host| host.run(\"true\"));\nafter(\"prepare\", \"status\");\n");
    test.ends(0, &["check"])
        .says("warning: task `status` cannot be started by its name: `runner status` is a verb");
}

#[test]
fn help_describes_the_program_a_verb_a_flow_and_a_task() {
    let test = two_stages();
    test.ends(0, &["help"]).says("Verbs:").says("runner rollback prod");
    test.ends(0, &["--help"]).says("Verbs:");
    test.ends(0, &["help", "status"]).says("Usage: runner status [OPTIONS] [STAGE]").says("--verify");
    test.ends(0, &["status", "-h"]).says("--verify").says_not("--release");
    test.ends(0, &["help", "rollback"]).says("Usage: runner [OPTIONS] rollback [STAGE]").says("tasks: lock");
    test.ends(0, &["help", "swap"]).says("flows: deploy");
    test.ends(2, &["help", "swpa"]).says("(did you mean `swap`?)");
}

#[test]
fn a_shell_that_completes_is_told_verbs_stages_flows_tasks_and_hosts() {
    let test = two_stages();
    test.ends(0, &["completions", "bash"]).says("complete -");
    let complete = |words: &[&str]| {
        let mut command = test.command(&["--", "runner"]);
        command.args(words).env("RUNNER_COMPLETE", "bash");
        command.env("_CLAP_COMPLETE_INDEX", words.len().to_string()).env("_CLAP_IFS", "\n");
        let output = command.output().unwrap();
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|word| word.trim().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(complete(&["roll"]), ["rollback"]);
    assert_eq!(complete(&["rollback", "pr"]), ["prod", "preflight", "prepare", "prune"]);
    assert_eq!(complete(&["--stage", ""]), ["dev", "prod"]);
    assert_eq!(complete(&["--host", "l"]), ["localhost"]);
    assert!(complete(&["comp"]).contains(&"completions".to_owned()));
}

/// Every command in a document is one that the command line accepts.
#[test]
fn commands_in_documents_can_be_typed() {
    let test = Test::new();
    let mut n = 0;
    for entry in std::fs::read_dir("docs").unwrap().flatten().filter(|entry| entry.path().is_file()) {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let quoted = text.split('`').skip(1).step_by(2).filter(|text| text.starts_with("runner "));
        let lines = text.lines().filter(|line| line.trim_start().starts_with("runner "));
        for command in quoted.chain(lines.map(str::trim)).filter(|command| {
            // What `--version` prints is no command.
            !command.contains("...") && !command.contains("runner 0.")
        }) {
            let words: Vec<&str> =
                command.split_whitespace().skip(1).take_while(|word| !matches!(*word, ">" | "#")).collect();
            let words: Vec<&str> = [&["-C", "nowhere"], words.as_slice()].concat();
            let ran = test.run(&words);
            for wrong in ["there is no option", "too many arguments", "unexpected"] {
                assert!(!ran.err.contains(wrong), "{}: `{command}`\n{ran}", entry.path().display());
            }
            n += 1;
        }
    }
    assert!(n > 50, "{n} commands");
}

#[test]
fn the_file_of_the_hint_works_as_it_is_copied() {
    let test = Test::new().source("a", "1");
    std::fs::remove_file(test.path("runner.toml")).unwrap();
    let ran = test.ends(2, &[]);
    let hint = ran.err.split_once("a minimal one is:\n").unwrap().1;
    std::fs::write(test.path("runner.toml"), hint).unwrap();
    test.ends(0, &["check"]).says("1 stage checked");
}

#[test]
fn where_nothing_is_there_is_nothing_to_check() {
    let test = Test::new().remove("runner.toml");
    test.ends(2, &["check"]).says("runner.toml").says("runner init").says_not("no mistakes");
    test.ends(0, &["check", "laravel"]).says("has no mistakes");
}

#[test]
fn help_lists_what_one_can_run() {
    let ran = Test::new().ends(0, &["help"]);
    ran.says("  deploy ").says("  rollback ").says("  doctor ").says("  adopt ");
}
