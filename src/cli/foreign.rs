//! Words and options of other deployment tools, and what they are called here.

use crate::cli::verb::is_verb;
use crate::event::{Hint, Report};

/// The words of `runner` for the same, and what they do; or a text.
enum Meant {
    Runner(&'static str, &'static str),
    Text(&'static str),
}

use Meant::{Runner, Text};

const WORDS: [(&[&str], Meant); 12] = [
    (
        &["cap", "capistrano", "dep", "deployer", "mina", "shipit", "kamal", "envoy", "ansistrano"],
        Runner("deploy", " deploys: leave the other tool's name out"),
    ),
    (&["plan", "dry-run", "dryrun", "noop", "preview"], Runner("--plan", " shows what a deploy would do")),
    (&["version"], Runner("--version", " prints it")),
    (
        &["deploy:rollback", "deploy:revert", "revert", "undo", "back"],
        Runner("rollback", " goes back to the release that was live before"),
    ),
    (
        &["deploy:unlock", "force-unlock", "deploy:force_unlock"],
        Runner("unlock", " ends the run that holds the lock"),
    ),
    (&["deploy:check", "deploy:check_remote", "test-connection"], Runner("doctor", " checks the servers")),
    (&["list", "tree", "commands", "flows"], Runner("tasks", " lists flows and tasks")),
    (&["history", "audit", "deploys"], Runner("releases", " lists who deployed what and when")),
    (
        &["config", "config:dump", "validate", "lint"],
        Runner("check", " finds mistakes in the recipe and in `runner.toml`"),
    ),
    (
        &["ssh", "run", "exec", "logs", "log", "console"],
        Text("`runner` has no verb for that yet: use `ssh` itself"),
    ),
    (
        &["deploy:cleanup", "cleanup", "deploy:clear_paths"],
        Text("nothing to do: every deploy removes old releases (setting `keep_releases`)"),
    ),
    (&["deploy:lock"], Text("nothing to do: a run locks the sites by itself")),
];

/// What a word of another tool is called here.
pub fn hint(word: &str) -> Option<Hint> {
    let (_, meant) = WORDS.iter().find(|(words, _)| words.contains(&word))?;
    Some(match meant {
        Runner(words, after) => Hint::runner([words], after),
        Text(text) => (*text).into(),
    })
}

/// What an option of another tool is called here.
pub fn option(option: &str) -> Option<&'static str> {
    let name = option.split('=').next().unwrap_or(option);
    Some(match name {
        "--dry-run" | "--dryrun" | "-n" | "--noop" | "--check" => "`--plan` shows what a run would do",
        "--branch" | "--tag" | "--revision" | "--ref" | "-b" => {
            "`--set ref=NAME` deploys a branch, tag or commit"
        }
        "-o" | "--option" => "`--set KEY=VALUE` changes a setting",
        "-f" | "--file" => "name the recipe as the first word: `runner deploy.rhai`",
        "-T" | "--tasks" => "`runner tasks` lists flows and tasks",
        "--hosts" | "--limit" | "-l" | "--select" => "`--host NAME` selects a host; it can be repeated",
        "--roles" => "`--role NAME` selects hosts by role; it can be repeated",
        "--env" | "--environment" | "-e" | "-s" => "`--stage NAME` selects the stage",
        "--no-interaction" | "--non-interactive" => "leave it out: without a terminal, `runner` asks nothing",
        _ => return None,
    })
}

/// The error for more words than a command line can have.
pub fn too_many(words: &[String], first: &str) -> Report {
    let report = Report::new(format!("too many arguments: `{}`", words.join(" ")));
    if let Some(hint) = hint(first) {
        return report.hint(hint);
    }
    match is_verb(first) {
        true => report.hint(Hint::runner(["help", first], " shows what it takes")),
        false => report
            .note(format!(
                "`{first}` is not a recipe: a recipe ends in `.rhai`, contains a `/`, or is a shipped name"
            ))
            .hint(Hint::runner(["help"], " shows what it takes")),
    }
}

/// Prints that there is no such option. No renderer exists before the command line is understood.
pub fn unknown_option(name: &str, near: Option<&str>) {
    let meant = option(name);
    let near =
        near.filter(|_| meant.is_none()).map_or(String::new(), |near| format!(" (did you mean `{near}`?)"));
    eprintln!("error: there is no option `{name}`{near}");
    eprintln!("hint: {}", meant.unwrap_or("`runner help` lists the options"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_other_tools_are_translated() {
        for (word, want) in [
            ("cap", "`runner deploy` deploys"),
            ("deploy:rollback", "`runner rollback`"),
            ("deploy:unlock", "`runner unlock`"),
            ("plan", "`runner --plan`"),
            ("tree", "`runner tasks`"),
        ] {
            let hint = hint(word).unwrap().to_string();
            assert!(hint.starts_with(want), "{word}: {hint}");
        }
        assert!(hint("reindex").is_none());
        assert!(option("--branch=main").unwrap().contains("--set ref=NAME"));
        assert!(option("--verbose").is_none());
    }
}
