//! The project's file `runner.toml`: finds it, and reads it.

pub mod address;
mod entry;
mod find;
mod missing;
mod naming;
mod shared_keys;
mod stage;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::event::Excerpt;
use crate::host::Settings;
use crate::host::document::{Document, Field, Table};

pub(in crate::host) use missing::no_stage;
pub use stage::Stage;

/// The recipe that the file names, as it is written there, and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedRecipe {
    pub name: String,
    pub place: Excerpt,
}

/// The contents of `runner.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Inventory {
    /// The path of the file in messages.
    pub file: String,
    /// Its directory, absolute. Relative paths of the project start there.
    pub dir: PathBuf,
    pub recipe: Option<NamedRecipe>,
    /// The settings in `[settings]`. Those of stages and hosts override them.
    pub settings: Settings,
    /// In file order. There may be none: only a run needs one.
    pub stages: Vec<Stage>,
    application: Option<String>,
}

const KEYS: [&str; 4] = ["application", "recipe", "settings", "stage"];

impl Inventory {
    /// Reads the file in `dir` (the option `-C`), else in the nearest parent of the working directory that contains
    /// one.
    pub fn find(dir: Option<&Path>) -> Result<Self> {
        let cwd = std::env::current_dir().context("failed to read the working directory")?;
        Self::find_from(&cwd, dir)
    }

    fn find_from(cwd: &Path, dir: Option<&Path>) -> Result<Self> {
        let file = find::file(cwd, dir)?;
        let name = find::shown(&file, cwd).display().to_string();
        let text = find::text(&file, &name)?;
        let dir = file.parent().unwrap_or(cwd).to_owned();
        Self::parse_in(dir, name, &text)
    }

    /// Reads `text`. `file` is its path in messages, absolute or relative to the working directory.
    pub fn parse(file: &Path, text: &str) -> Result<Self> {
        let absolute = std::path::absolute(file)
            .with_context(|| format!("failed to find the directory of `{}`", file.display()))?;
        let dir = absolute.parent().unwrap_or(Path::new("/"));
        Self::parse_in(find::without_dots(dir), file.display().to_string(), text)
    }

    fn parse_in(dir: PathBuf, file: String, text: &str) -> Result<Self> {
        let document = Document { file: &file, text };
        let parsed = document.parse()?;
        let root = document.root(&parsed);
        let elsewhere = "put settings of the recipe below `[settings]`, and hosts below `[stage.NAME]`";
        root.refuse_unknown("at the top level", &KEYS, elsewhere)?;
        let application = root.get("application").map(|field| field.text()).transpose()?;
        let recipe = root.get("recipe").map(named_recipe).transpose()?;
        Ok(Self {
            recipe,
            settings: Settings::below(&root)?,
            stages: read_stages(&root, &dir)?,
            application: application.map(str::to_owned),
            dir,
            file,
        })
    }

    /// The application that sites belong to: the key `application`. The name of a directory does not count, because
    /// another checkout may have another name.
    pub fn identity(&self) -> Option<&str> {
        self.application.as_deref()
    }

    /// The name of the application for people: the key `application`, else the name of the project's directory.
    pub fn application(&self) -> String {
        let named = self.application.clone();
        named.unwrap_or_else(|| match self.dir.file_name() {
            Some(name) => name.to_string_lossy().into_owned(),
            None => "application".to_owned(),
        })
    }
}

fn named_recipe(field: Field) -> Result<NamedRecipe> {
    let name = field.text()?.to_owned();
    let place = field.place();
    Ok(NamedRecipe { name, place })
}

fn read_stages(root: &Table, dir: &Path) -> Result<Vec<Stage>> {
    let Some(field) = root.get("stage") else {
        return Ok(Vec::new());
    };
    let stages = field.table()?.fields();
    stages.iter().map(|field| stage::read(field, dir)).collect()
}

#[cfg(test)]
pub(in crate::host) mod tests {
    use super::*;
    use crate::event::Report;
    use crate::event::layout::plain;
    use crate::host::Host;
    use expect_test::{Expect, expect};

    pub fn parse(text: &str) -> Result<Inventory> {
        Inventory::parse(Path::new("runner.toml"), text)
    }

    #[track_caller]
    pub fn refused(text: &str, want: Expect) {
        want.assert_eq(&plain(&Report::of(&parse(text).unwrap_err())));
    }

    /// Everything that does not depend on the place of the file, one line each.
    pub fn say(inventory: &Inventory) -> String {
        let mut out = String::new();
        if let Some(recipe) = &inventory.recipe {
            out += &format!("recipe {} at {}\n", recipe.name, recipe.place.place);
        }
        out += &say_settings("", &inventory.settings);
        for stage in &inventory.stages {
            out += &format!("stage {}\n", stage.name);
            out += &say_settings("  ", &stage.settings);
            for host in &stage.hosts {
                out += &format!("  {}\n", say_host(host));
                out += &say_settings("    ", &host.settings);
            }
        }
        out
    }

    fn say_host(host: &Host) -> String {
        let user = host.user.as_ref().map_or(String::new(), |user| format!("{user}@"));
        let port = host.port.map_or(String::new(), |port| format!(" port {port}"));
        let roles = host.roles.as_ref().map_or(String::new(), |roles| format!(" {roles:?}"));
        let Host { name, address, path, transport, .. } = host;
        format!("{name}: {transport} {user}{address}{port} {path}{roles}")
    }

    fn say_settings(indent: &str, settings: &Settings) -> String {
        let say = |(key, setting): (&str, &crate::host::Setting)| {
            format!("{indent}set {key}: {:?} at {}\n", setting.change, setting.place.place)
        };
        settings.iter().map(say).collect()
    }

    #[test]
    fn the_example_of_the_design_is_read_whole() {
        let text = r#"# runner.toml
application = "shop"
recipe = "deploy.rhai"               # so that `runner --stage prod` suffices; a path, or a shipped name such as "laravel"

[settings]                           # any setting of the recipe; `shared.add = [...]` appends to a list
keep_releases = 5

[stage.prod]
path = "/var/www/shop"               # the deploy path on every host
user = "deploy"
hosts = ["web1.example.com", "web2.example.com:2222",
         { address = "10.0.0.9", name = "worker1", roles = ["worker"], user = "ops", transport = "openssh" }]
                                     # a host may also set port, path and settings of its own
[stage.prod.settings]
keep_releases = 10

[stage.local]
path = "site"                        # relative to this file; no server needed at all
transport = "local"
"#;
        let inventory = Inventory::parse(Path::new("/home/me/shop/runner.toml"), text).unwrap();
        assert_eq!(inventory.application(), "shop");
        expect![[r#"
            recipe deploy.rhai at /home/me/shop/runner.toml:3
            set keep_releases: Set(Integer(5)) at /home/me/shop/runner.toml:6
            stage prod
              set keep_releases: Set(Integer(10)) at /home/me/shop/runner.toml:15
              web1.example.com: ssh deploy@web1.example.com /var/www/shop
              web2.example.com: ssh deploy@web2.example.com port 2222 /var/www/shop
              worker1: openssh ops@10.0.0.9 /var/www/shop ["worker"]
            stage local
              localhost: local localhost /home/me/shop/site
        "#]]
        .assert_eq(&say(&inventory));
    }

    #[test]
    fn an_application_without_a_name_is_called_as_its_directory() {
        let inventory = Inventory::parse(Path::new("/home/me/shop/runner.toml"), "").unwrap();
        assert_eq!(inventory.application(), "shop");
        assert_eq!(inventory.dir, Path::new("/home/me/shop"));
        let inventory = Inventory::parse(Path::new("/home/me/shop/src/../runner.toml"), "").unwrap();
        assert_eq!(inventory.application(), "shop");
    }

    #[test]
    fn stages_stay_in_file_order() {
        let inventory = parse(
            "[stage.z]\npath = \"z\"\ntransport = \"local\"\n[stage.a]\npath = \"a\"\ntransport = \"local\"\n",
        );
        let names: Vec<_> = inventory.unwrap().stages.into_iter().map(|stage| stage.name).collect();
        assert_eq!(names, ["z", "a"]);
    }

    #[test]
    fn what_the_top_of_the_file_must_not_say_is_refused() {
        refused(
            "aplication = \"shop\"\n",
            expect![[r#"
                unknown key `aplication` at the top level (did you mean `application`?)
                 --> runner.toml:1:1
                  |
                1 | aplication = "shop"
                  | ^^^^^^^^^^
                  = known: `application`, `recipe`, `settings`, `stage`"#]],
        );
        refused(
            "[stages.prod]\npath = \"/x\"\n",
            expect![[r#"
                unknown key `stages` at the top level (did you mean `stage`?)
                 --> runner.toml:1:2
                  |
                1 | [stages.prod]
                  |  ^^^^^^
                  = known: `application`, `recipe`, `settings`, `stage`"#]],
        );
        refused(
            "keep_releases = 3\n",
            expect![[r#"
                unknown key `keep_releases` at the top level
                 --> runner.toml:1:1
                  |
                1 | keep_releases = 3
                  | ^^^^^^^^^^^^^
                  = known: `application`, `recipe`, `settings`, `stage`
                hint: put settings of the recipe below `[settings]`, and hosts below `[stage.NAME]`"#]],
        );
        refused(
            "application = 3\n",
            expect![[r#"
            `application` must be text, not 3
             --> runner.toml:1:15
              |
            1 | application = 3
              |               ^"#]],
        );
        refused(
            "application = \"\"\n",
            expect![[r#"
            `application` must not be empty
             --> runner.toml:1:15
              |
            1 | application = ""
              |               ^^"#]],
        );
        refused(
            "recipe = [\"a.rhai\"]\n",
            expect![[r#"
            `recipe` must be text, not a list
             --> runner.toml:1:10
              |
            1 | recipe = ["a.rhai"]
              |          ^^^^^^^^^^"#]],
        );
        refused(
            "settings = 3\n",
            expect![[r#"
            `settings` must be a table, not 3
             --> runner.toml:1:12
              |
            1 | settings = 3
              |            ^"#]],
        );
        refused(
            "stage = \"prod\"\n",
            expect![[r#"
            `stage` must be a table, not text
             --> runner.toml:1:9
              |
            1 | stage = "prod"
              |         ^^^^^^"#]],
        );
        refused(
            "[stage]\npath = \"/x\"\n",
            expect![[r#"
            `path` is not a stage
             --> runner.toml:2:1
              |
            2 | path = "/x"
              | ^^^^
            hint: a stage is a table with a name, such as `[stage.prod]`"#]],
        );
        refused(
            "[[settings]]\n",
            expect![[r#"
            `settings` must be a table, not a list
             --> runner.toml:1:1
              |
            1 | [[settings]]
              | ^^^^^^^^^^^^"#]],
        );
        refused(
            "[settings]\nn = 99999999999999999999\n",
            expect![[r#"
            `n` contains a number that is too large
             --> runner.toml:2:5
              |
            2 | n = 99999999999999999999
              |     ^^^^^^^^^^^^^^^^^^^^"#]],
        );
    }
}
