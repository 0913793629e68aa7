//! Completes the commands in hints with the options of this run, so that they work as typed.

use crate::cli::args::Args;
use crate::event::{Hint, Report};
use crate::shell::Word;

/// The options that another command needs for the same project, stage and hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// `-C`, for all commands.
    directory: Vec<String>,
    /// `--stage`, `--host` and `--role`, for commands that contact hosts.
    selection: Vec<String>,
    recipe: Option<String>,
}

impl CommandLine {
    pub fn of(args: &Args) -> Self {
        let directory = args.directory.iter().map(|dir| dir.display().to_string());
        let selection = args.selection();
        let all = [
            ("--stage", Vec::from_iter(selection.stage)),
            ("--host", selection.hosts),
            ("--role", selection.roles),
        ];
        let selection = all.into_iter().flat_map(|(option, names)| options(option, names));
        Self {
            directory: options("-C", directory).collect(),
            selection: selection.collect(),
            recipe: args.recipe(),
        }
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
        let (mut all, recipe) = (self.directory.clone(), self.recipe.clone());
        match words.first().map(String::as_str) {
            Some("check" | "tasks" | "docs") => all.extend(words.into_iter().chain(recipe)),
            Some("releases" | "status" | "unlock") => all.extend(self.selection.iter().cloned().chain(words)),
            _ => all.extend(self.selection.iter().cloned().chain(recipe).chain(words)),
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
        let report = CommandLine::of(&Args::of(typed)).complete(Report::new("no").hint(hint));
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
