//! Completes the commands in hints with the options of this run, so that they work as typed.

use std::sync::Arc;

use crate::cli::args::Args;
use crate::event::{Hint, Report};
use crate::shell::Word;

/// The options that another command needs for the same project, stage and hosts.
pub struct CommandLine {
    /// `-C`, for all commands.
    directory: Vec<String>,
    args: Arc<Args>,
}

impl CommandLine {
    pub fn of(args: &Arc<Args>) -> Self {
        let directory = args.directory.iter().map(|dir| dir.display().to_string());
        Self { directory: options("-C", directory).collect(), args: args.clone() }
    }

    /// `--stage`, `--host` and `--role`, for commands that contact hosts. A word may have named the stage meanwhile.
    fn selection(&self) -> Vec<String> {
        let selection = self.args.shared_choice();
        let all = [
            ("--stage", Vec::from_iter(selection.stage)),
            ("--host", selection.hosts),
            ("--role", selection.roles),
        ];
        all.into_iter().flat_map(|(option, names)| options(option, names)).collect()
    }

    /// Completes the hints of a report.
    pub fn complete(&self, report: Report) -> Report {
        Report {
            hint: report.hint.map(|hint| self.typed(hint)),
            causes: report.causes.into_iter().map(|cause| self.complete(cause)).collect(),
            ..report
        }
    }

    fn typed(&self, hint: Hint) -> Hint {
        match hint {
            Hint::Runner { before, words, after } => Hint::Runner {
                before,
                words: self.words(words).iter().map(|word| Word::shown(word)).collect(),
                after,
            },
            text => text,
        }
    }

    /// Adds the options to the words of a command, and the recipe if the command accepts one.
    fn words(&self, words: Vec<String>) -> Vec<String> {
        let (mut all, recipe) = (self.directory.clone(), self.args.recipe());
        match words.first().map(String::as_str) {
            Some("check" | "tasks" | "docs") => all.extend(words.into_iter().chain(recipe)),
            Some("help" | "completions") => all = words,
            Some("releases" | "status" | "unlock") => all.extend(self.selection().into_iter().chain(words)),
            _ => all.extend(self.selection().into_iter().chain(recipe).chain(words)),
        }
        all
    }
}

fn options(option: &str, values: impl IntoIterator<Item = String>) -> impl Iterator<Item = String> {
    values.into_iter().flat_map(move |value| [option.to_owned(), value])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(typed: &[&str], words: &[&str], want: &str) {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let hint = Hint::Runner { before: "type ".to_owned(), words, after: "!".to_owned() };
        let report = CommandLine::of(&Arc::new(Args::of(typed))).complete(Report::new("no").hint(hint));
        assert_eq!(report.hint.unwrap().to_string(), format!("type `{want}`!"));
    }

    #[test]
    fn a_command_is_about_the_same_project_stage_and_hosts() {
        case(&[], &["unlock"], "runner unlock");
        let typed = ["-C", "/srv/my shop", "--stage", "prod", "--host", "web1", "--host=b", "--role", "web"];
        let want = "runner -C '/srv/my shop' --stage prod --host web1 --host b --role web unlock";
        case(&typed, &["unlock"], want);
        case(&typed, &["tasks"], "runner -C '/srv/my shop' tasks");
        case(&["--stage", "it's"], &["status"], "runner --stage 'it'\\''s' status");
        case(&["--set", "a=b", "-v", "--stage", "x"], &["releases"], "runner --stage x releases");
    }

    #[test]
    fn the_recipe_that_was_typed_is_typed_again_where_it_is_taken() {
        case(&["laravel", "rollbak"], &["tasks"], "runner tasks laravel");
        case(&["check", "a b.rhai"], &["docs"], "runner docs 'a b.rhai'");
        case(
            &["laravel", "--stage", "x"],
            &["rollback", "--release", "1"],
            "runner --stage x laravel rollback --release 1",
        );
        case(&["laravel"], &["unlock"], "runner unlock");
        case(&["rollback"], &["rollback", "--release", "1"], "runner rollback --release 1");
    }
}
