//! The settings of other deployment tools, each with what says the same here.

use rhai::Dynamic;

use crate::event::Report;

/// Where a setting was given: it decides how the hint is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    Recipe,
    /// `runner.toml` or `--set`.
    Project,
}

/// What says the same as a setting of another tool.
#[derive(Clone, Copy)]
enum Translation {
    /// A list of directories, added to this setting.
    Directories(&'static str),
    /// A list of files or patterns, added to this setting.
    Paths(&'static str),
    /// A setting of another name, with an example of its value.
    Setting(&'static str, &'static str),
    /// Anything else, as a sentence.
    Text(&'static str),
}

use Translation::{Directories, Paths, Setting, Text};

const PATH: Translation = Text("write `path = \"/var/www/shop\"` below the stage in `runner.toml`");
const USER: Translation = Text("write `user = \"deploy\"` below the stage in `runner.toml`");
const HOSTS: Translation = Text("write `hosts = [\"web1.example.com\"]` below the stage in `runner.toml`");
const PORT: Translation = Text("write `port = 22` below the stage in `runner.toml`");
const KEY: Translation = Text("write `IdentityFile` for the host into `~/.ssh/config`");
const NAME: Translation = Text("write `application = \"shop\"` at the top of `runner.toml`");
const ROLE: Translation = Text("give the task a role: `task(...).on(\"database\")`");
const SOURCE: Translation = Text(
    "remove it: `runner` sends the work tree, or the commit that the setting `ref` names, from this machine",
);
const SUDO: Translation = Text("remove it: begin the commands that need it with `sudo -n`");
const NONE: Translation = Text("remove it: `runner` needs no such setting");
const REF: Translation = Setting("ref", "\"main\"");

/// Names of settings, the tools that have them, and their translations.
const WORDS: &[(&str, &str, Translation)] = &[
    ("linked_dirs", "Capistrano", Directories("shared")),
    ("linked_files", "Capistrano", Paths("shared")),
    ("shared_dirs", "Deployer and Mina", Directories("shared")),
    ("shared_files", "Deployer and Mina", Paths("shared")),
    ("shared_paths", "Mina", Paths("shared")),
    ("shared_children", "Capistrano 2", Directories("shared")),
    ("linkedDirs", "Shipit", Directories("shared")),
    ("linkedFiles", "Shipit", Paths("shared")),
    ("writable_dirs", "Deployer", Directories("writable")),
    ("file_permissions_paths", "Capistrano", Directories("writable")),
    ("clear_paths", "Deployer", Paths("exclude")),
    ("copy_exclude", "Capistrano 2", Paths("exclude")),
    ("ignores", "Shipit", Paths("exclude")),
    ("deploy_to", "Capistrano and Mina", PATH),
    ("deployTo", "Shipit", PATH),
    ("deploy_path", "Deployer", PATH),
    ("release_path", "Capistrano and Deployer", Text("use `host.release` in a task")),
    ("current_path", "Capistrano and Deployer", Text("use `host.current` in a task")),
    ("repository", "Deployer and Mina", SOURCE),
    ("repo_url", "Capistrano", SOURCE),
    ("repositoryUrl", "Shipit", SOURCE),
    ("repo_tree", "Capistrano", Setting("source", "\"app\"")),
    ("sub_directory", "Deployer", Setting("source", "\"app\"")),
    ("dirToCopy", "Shipit", Setting("source", "\"dist\"")),
    ("scm", "Capistrano", SOURCE),
    ("deploy_via", "Capistrano 2", SOURCE),
    ("update_code_strategy", "Deployer", SOURCE),
    ("git_shallow_clone", "Capistrano", NONE),
    ("shallowClone", "Shipit", NONE),
    ("git_ssh_command", "Deployer", NONE),
    ("branch", "Capistrano, Deployer and Mina", REF),
    ("tag", "Deployer", REF),
    ("target", "Deployer", REF),
    ("revision", "Capistrano", REF),
    ("commit", "Mina", REF),
    ("keepReleases", "Shipit", Setting("keep_releases", "5")),
    ("releases_to_keep", "other tools", Setting("keep_releases", "5")),
    ("default_env", "Capistrano", Setting("env", "#{ NAME: \"value\" }")),
    ("default_environment", "Capistrano 2", Setting("env", "#{ NAME: \"value\" }")),
    ("user", "Capistrano and Mina", USER),
    ("ssh_user", "other tools", USER),
    ("remote_user", "Deployer", USER),
    ("http_user", "Deployer", Text("remove it: directories in `writable` are writable for their group")),
    ("writable_mode", "Deployer", Text("remove it: directories in `writable` are writable for their group")),
    ("hostname", "Deployer", HOSTS),
    ("servers", "Shipit", HOSTS),
    ("server", "Capistrano", HOSTS),
    ("ssh_port", "other tools", PORT),
    ("identity_file", "Deployer and Mina", KEY),
    ("ssh_options", "Capistrano", Text("write the options for the host into `~/.ssh/config`")),
    ("ssh_multiplexing", "Deployer", NONE),
    ("forward_agent", "Deployer and Mina", Text("write `ForwardAgent` for the host into `~/.ssh/config`")),
    ("pty", "Capistrano", NONE),
    ("use_sudo", "Capistrano 2", SUDO),
    ("application", "Capistrano and Deployer", NAME),
    ("application_name", "Mina", NAME),
    ("migration_role", "Capistrano", ROLE),
    (
        "default_stage",
        "Capistrano and Deployer",
        Text("set the environment variable `RUNNER_STAGE`, or use `--stage`"),
    ),
    ("stages", "Capistrano", Text("write a table `[stage.NAME]` for each stage into `runner.toml`")),
    ("default_timeout", "Deployer", Text("limit the time of a task: `task(...).timeout(300)`")),
    ("tmp_dir", "Capistrano", NONE),
    ("workspace", "Shipit", NONE),
    ("deleteOnRollback", "Shipit", NONE),
    ("execution_mode", "Mina", NONE),
];

/// Whether another tool has a setting of this name.
pub fn is_foreign(name: &str) -> bool {
    WORDS.iter().any(|(word, ..)| *word == name)
}

/// Adds to a report about a setting what says the same here, if another tool has a setting of this name.
pub fn translate(report: Report, name: &str, value: &Dynamic, layer: Layer) -> Report {
    let Some((_, tools, translation)) = WORDS.iter().find(|(word, ..)| *word == name) else {
        return report;
    };
    let report = report.note(format!("`{name}` is a setting of {tools}"));
    report.hint(match translation {
        Directories(setting) => addition(setting, items(value).map(directory), "uploads/", layer),
        Paths(setting) => addition(setting, items(value), ".env", layer),
        Setting(setting, example) => match layer {
            Layer::Recipe => format!("write `set(\"{setting}\", {example});`"),
            Layer::Project => format!("write `{setting} = {}`", example.replace("#{ NAME:", "{ NAME =")),
        },
        Text(text) => (*text).to_owned(),
    })
}

/// The texts of a list, or a single text.
fn items(value: &Dynamic) -> impl Iterator<Item = String> {
    let list = value.clone().into_array().unwrap_or_else(|_| vec![value.clone()]);
    list.into_iter().filter_map(|item| item.into_string().ok())
}

fn directory(path: String) -> String {
    format!("{}/", path.trim_end_matches('/'))
}

fn addition(setting: &str, items: impl Iterator<Item = String>, example: &str, layer: Layer) -> String {
    let mut items: Vec<String> = items.map(|item| format!("{item:?}")).collect();
    if items.is_empty() {
        items.push(format!("{example:?}"));
    }
    let items = items.join(", ");
    match layer {
        Layer::Recipe => format!("write `add(\"{setting}\", [{items}]);`"),
        Layer::Project => format!("write `{setting}.add = [{items}]`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::layout::plain;

    #[test]
    fn a_list_of_another_tool_becomes_a_line_to_paste() {
        let value: Dynamic = vec![Dynamic::from("log"), Dynamic::from("tmp/pids/")].into();
        let said = |layer| plain(&translate(Report::new("x"), "linked_dirs", &value, layer));
        assert!(said(Layer::Recipe).ends_with("write `add(\"shared\", [\"log/\", \"tmp/pids/\"]);`"));
        assert!(said(Layer::Project).ends_with("write `shared.add = [\"log/\", \"tmp/pids/\"]`"));
    }
}
