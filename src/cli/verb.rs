//! The verbs of the command line, and the result of one: an exit code, or errors with an exit code.

use crate::event::Report;

/// The exit code for a mistake in the usage, the configuration or the recipe. No host was changed.
const MISTAKE: u8 = 2;
/// The exit code after Ctrl-C.
const INTERRUPTED: u8 = 130;

/// The errors of a verb, and the exit code for them.
pub struct VerbError {
    pub reports: Vec<Report>,
    pub code: u8,
}

impl VerbError {
    pub fn interrupted() -> Self {
        Self { reports: vec![Report::interrupted()], code: INTERRUPTED }
    }

    pub fn failed(reports: Vec<Report>) -> Self {
        Self { reports, code: 1 }
    }
}

/// An error before a host is contacted is a mistake of the user.
impl From<Vec<Report>> for VerbError {
    fn from(reports: Vec<Report>) -> Self {
        Self { reports, code: MISTAKE }
    }
}

impl From<Report> for VerbError {
    fn from(report: Report) -> Self {
        vec![report].into()
    }
}

impl From<anyhow::Error> for VerbError {
    fn from(error: anyhow::Error) -> Self {
        Report::of(&error).into()
    }
}

pub type VerbResult = Result<u8, VerbError>;

/// What `runner help` says about a verb.
pub struct VerbHelp {
    pub name: &'static str,
    /// The words after it.
    pub takes: &'static str,
    /// One line, without a final period.
    pub about: &'static str,
    /// Paragraphs below that, one a line.
    pub more: &'static [&'static str],
    /// The options that matter to it, by their long names.
    pub options: &'static [&'static str],
}

const CHOICE: &[&str] = &["directory", "stage", "hosts", "roles", "json", "color"];

/// In the order in which `runner help` lists them.
pub const VERBS: &[VerbHelp] = &[
    VerbHelp {
        name: "init",
        takes: "[STAGE]",
        about: "Recognises the project, asks where to deploy it, and writes `runner.toml`",
        more: &[
            "It also writes a recipe, `deploy.rhai`, if the project needs one. It overwrites nothing.",
            "Without a terminal: `runner init --stage prod --host ADDRESS --user NAME --path PATH --yes`.",
            "`--host localhost` deploys to a directory on this machine.",
        ],
        options: &["directory", "stage", "hosts", "user", "path", "yes", "plan", "json", "color"],
    },
    VerbHelp {
        name: "check",
        takes: "[RECIPE]",
        about: "Finds mistakes in the recipe and in `runner.toml`; contacts no host",
        more: &["`runner doctor` checks the servers."],
        options: &["directory", "set", "json", "color"],
    },
    VerbHelp {
        name: "adopt",
        takes: "[STAGE]",
        about: "Takes over a site that is served already, and shows first what it would do",
        more: &[
            "A `current` that is a directory becomes the first release. Where the web server serves the deploy",
            "path itself, the site is made beside it, and the path becomes a link. Visitors notice nothing.",
            "Uploads move to `shared/`, and `runner.toml` gets a line for them.",
            "`runner adopt --undo` takes it back, as long as nothing was deployed after it.",
        ],
        options: &[
            "directory",
            "stage",
            "hosts",
            "roles",
            "yes",
            "undo",
            "to",
            "share",
            "plan",
            "wait",
            "json",
            "color",
        ],
    },
    VerbHelp {
        name: "releases",
        takes: "[STAGE]",
        about: "Lists the releases of each host, and which one is live",
        more: &["`runner rollback --release NAME` goes to one of them."],
        options: CHOICE,
    },
    VerbHelp {
        name: "status",
        takes: "[STAGE]",
        about: "Shows what each host serves, since when, and from which revision",
        more: &["With the setting `url`, it also shows what visitors get."],
        options: &["directory", "stage", "hosts", "roles", "verify", "json", "color"],
    },
    VerbHelp {
        name: "unlock",
        takes: "[STAGE]",
        about: "Ends the run that holds the lock of a site, and says whose run that was",
        more: &["A lock whose run is dead ends by itself: the next run needs no `unlock`."],
        options: CHOICE,
    },
    VerbHelp {
        name: "tasks",
        takes: "[RECIPE]",
        about: "Lists the flows and tasks of the recipe",
        more: &["`runner help TASK` describes one of them."],
        options: &["directory", "json", "color"],
    },
    VerbHelp {
        name: "docs",
        takes: "[RECIPE]",
        about: "Describes the settings of the recipe, and all functions for recipes",
        more: &[],
        options: &["directory", "json", "color"],
    },
    VerbHelp {
        name: "completions",
        takes: "SHELL",
        about: "Prints the completions of the command line, for bash, zsh, fish, elvish or powershell",
        more: &[
            "They know the stages, flows and tasks of the project in which you type.",
            "bash: add `source <(runner completions bash)` to ~/.bashrc",
            "zsh: add `source <(runner completions zsh)` to ~/.zshrc, below `compinit`",
            "fish: `runner completions fish > ~/.config/fish/completions/runner.fish`",
        ],
        options: &["color"],
    },
    VerbHelp {
        name: "help",
        takes: "[VERB, FLOW or TASK]",
        about: "Describes the command line, a verb, or a flow or task of the recipe",
        more: &[],
        options: &["directory", "color"],
    },
];

pub fn is_verb(word: &str) -> bool {
    VERBS.iter().any(|verb| verb.name == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::statement;

    #[test]
    fn recipes_know_the_names_that_flows_cannot_have() {
        let names: Vec<&str> = VERBS.iter().map(|verb| verb.name).collect();
        assert_eq!(names, statement::VERBS);
    }
}
