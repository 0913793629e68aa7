//! A command of the recipe, run on a server.

use std::time::Duration;

use crate::release::ReleaseName;
use crate::release::answer::Fields;
use crate::release::lock::Lock;
use crate::release::scripts::flag;
use crate::shell::{Answer, Effect, Script, Step, Word, escape};

const RUN: &str = concat!(
    include_str!("sh/run.sh"),
    include_str!("sh/say.sh"),
    include_str!("sh/put.sh"),
    include_str!("sh/lib.sh"),
    include_str!("sh/run_guard.sh")
);

/// Comes before a command whose guard begins. Its functions are gone when the command runs.
const BEGIN: &str = concat!(
    "(\n",
    include_str!("sh/say.sh"),
    include_str!("sh/put.sh"),
    include_str!("sh/lib.sh"),
    include_str!("sh/manifest_lib.sh"),
    include_str!("sh/run_begin.sh"),
    ")\n"
);

/// Where a command runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandPlace {
    /// The release that this run builds.
    Release(ReleaseName),
    Current,
    /// The deploy path: no release is live yet.
    Site,
}

impl CommandPlace {
    pub(super) fn path(&self) -> String {
        match self {
            CommandPlace::Release(name) => format!("releases/{name}"),
            CommandPlace::Current => "current".to_owned(),
            CommandPlace::Site => String::new(),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Command {
    pub text: String,
    pub place: CommandPlace,
    /// Below `place`, or absolute; empty for `place` itself.
    pub cwd: String,
    pub env: Vec<(String, String)>,
    pub timeout: Option<Duration>,
    /// Another user to run as, by `sudo -n`.
    pub user: Option<String>,
    /// Whether it ends at its first failure (`set -e`, POSIX XCU 2.14). By default it does if it has several lines.
    pub errexit: Option<bool>,
    pub guard: Option<CommandGuard>,
}

/// The release whose linked files are compared after a command.
#[derive(Debug, Clone)]
pub struct CommandGuard {
    pub release: ReleaseName,
    /// Nothing has stored the state of its files in this run: that is done before the command.
    pub begins: bool,
}

/// A command's answer, and the managed files that differ from what was sent.
pub struct GuardedAnswer {
    pub answer: Answer,
    pub differs: Vec<Vec<u8>>,
}

impl Command {
    fn script(&self, root: impl Into<Word>, tag: &str, holder: &str) -> Script {
        let guard = self.guard.as_ref();
        let script = match guard {
            Some(CommandGuard { begins: true, .. }) => Script::new(RUN).with(BEGIN),
            _ => Script::new(RUN),
        };
        script
            .rows("runner_environment", self.env.iter().map(|(key, value)| [key, value]))
            .var("runner_root", root)
            .var("runner_place", self.place.path())
            .var("runner_cwd", &self.cwd)
            .var("runner_command", self.command())
            .var("runner_user", self.user.as_deref().unwrap_or_default())
            .var("runner_errexit", flag(self.ends_at_first_failure()))
            .var("runner_release", guard.map_or("", |guard| guard.release.as_str()))
            .var("runner_tag", tag)
            .var("runner_holder", holder)
    }

    /// What the shell reads: the text, or for another user one line that also sets the environment.
    fn command(&self) -> Word {
        match self.user {
            None => Word::from(&self.text),
            Some(_) => {
                let mut line = Vec::new();
                escape(&self.with_environment(), &mut line);
                Word::new(line)
            }
        }
    }

    /// Assigns the environment, because sudo passes none on, and then has the text.
    fn with_environment(&self) -> Vec<u8> {
        let script =
            self.env.iter().fold(Script::default(), |script, (key, value)| script.export(key, value));
        let errexit = if self.ends_at_first_failure() { "\nset -e\n" } else { "\n" };
        [script.text().as_slice(), errexit.as_bytes(), self.text.as_bytes()].concat()
    }

    /// One line works as at a terminal, where `a; b` runs both.
    fn ends_at_first_failure(&self) -> bool {
        self.errexit.unwrap_or_else(|| self.text.trim().contains('\n'))
    }

    /// `tag` is a text that no command prints: it is random, and new for each step.
    pub fn run(&self, lock: &Lock, tag: &str) -> Step<GuardedAnswer> {
        let script = self.script(&lock.root, tag, &lock.run);
        let tag = tag.to_owned();
        Step::new("run", Effect::Writes, script, move |answer| Ok(split(answer, &tag)))
            .data("command", &self.text)
            .timeout(self.timeout)
    }

    /// The same for a command that changes nothing, so a plan may run it too.
    pub fn test(&self, root: impl Into<Word>) -> Step<Answer> {
        let script = self.script(root, "", "");
        Step::new("test", Effect::Reads, script, |answer| Ok(answer.clone()))
            .data("command", &self.text)
            .timeout(self.timeout)
    }
}

fn split(answer: &Answer, tag: &str) -> GuardedAnswer {
    let stdout = &answer.stdout;
    let at = stdout.windows(tag.len().max(1)).rposition(|window| window == tag.as_bytes());
    let Some(at) = at else {
        return GuardedAnswer { answer: answer.clone(), differs: Vec::new() };
    };
    GuardedAnswer {
        differs: Fields::parse(&stdout[at + tag.len()..]).byte_list("differs"),
        answer: Answer { stdout: stdout[..at].to_vec(), ..answer.clone() },
    }
}

/// Whether a program is in the `PATH` of the server's user.
pub fn has(program: &str) -> Step<bool> {
    let script = Script::new("command -v -- \"$program\" >/dev/null 2>&1\n").var("program", program);
    Step::new("has", Effect::Reads, script, |answer| Ok(answer.exit.is_success())).data("program", program)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::Exit;

    #[test]
    fn what_the_guard_says_is_cut_from_what_the_command_said() {
        let answer =
            |stdout: &[u8]| Answer { exit: Exit::Code(0), stdout: stdout.into(), stderr: Vec::new() };
        let said = split(&answer(b"hello\nTAGdiffers=a b\0differs=c\0"), "TAG");
        assert_eq!(said.answer.stdout, b"hello\n");
        assert_eq!(said.differs, [&b"a b"[..], b"c"]);
        let said = split(&answer(b"hello\n"), "TAG");
        assert!(said.differs.is_empty() && said.answer.stdout == b"hello\n");
    }
}
