//! Reads one `[stage.NAME]` of the file.

use std::path::Path;

use anyhow::Result;

use super::shared_keys::SharedKeys;
use super::{entry, naming};
use crate::event::Report;
use crate::host::document::{Field, Table};
use crate::host::{Host, Settings, TransportKind};

const KEYS: [&str; 6] = ["path", "user", "port", "transport", "hosts", "settings"];

/// A stage, such as `prod`: its hosts in file order, at least one, and its own settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    pub name: String,
    pub hosts: Vec<Host>,
    pub settings: Settings,
}

/// Reads a stage. Relative paths of local hosts start at `dir`.
pub fn read(field: &Field, dir: &Path) -> Result<Stage> {
    let name = field.key;
    if name.is_empty() {
        return Err(Report::new("a stage needs a name").at(field.key_place()).into());
    }
    let Ok(table) = field.table() else {
        return Err(Report::new(format!("`{name}` is not a stage"))
            .at(field.key_place())
            .hint("a stage is a table with a name, such as `[stage.prod]`")
            .into());
    };
    let elsewhere =
        format!("put settings of the stage below `[stage.{name}.settings]`, and roles into hosts");
    table.refuse_unknown("in a stage", &KEYS, &elsewhere)?;
    Ok(Stage {
        name: name.to_owned(),
        hosts: read_hosts(field, &table, dir)?,
        settings: Settings::below(&table)?,
    })
}

fn read_hosts(field: &Field, table: &Table, dir: &Path) -> Result<Vec<Host>> {
    let name = field.key;
    let shared = SharedKeys::read(table)?;
    let items = table.get("hosts").map(|hosts| hosts.list()).transpose()?;
    let entries = match items {
        None if shared.transport == Some(TransportKind::Local) => {
            vec![entry::this_machine(field.key_place(), name, &shared, dir)?]
        }
        Some(items) if !items.is_empty() => {
            items.iter().map(|item| entry::read(item, name, &shared, dir)).collect::<Result<_>>()?
        }
        _ => {
            return Err(Report::new(format!("stage `{name}` has no hosts"))
                .at(field.key_place())
                .hint("list hosts, such as `hosts = [\"web1.example.com\"]`, or deploy to this machine with `transport = \"local\"`")
                .into());
        }
    };
    naming::resolve(entries)
}

#[cfg(test)]
mod tests {
    use crate::host::inventory::tests::{parse, refused, say};
    use expect_test::expect;

    #[test]
    fn a_stage_fills_in_what_its_hosts_do_not_say() {
        let text = r#"
[stage.prod]
path = "/srv/shop"
user = "deploy"
port = 2200
transport = "openssh"
hosts = ["a", "b:22", "root@c", { address = "d", port = 23, user = "ops", path = "~/d", settings = { n = 1 } },
         { name = "e", transport = "local", path = "/srv/e" }]
settings = { n = 2, shared.add = ["up/"] }

[[stage.dev.hosts]]
address = "me@[::1]:2022"
path = "/srv/f"
"#;
        expect![[r#"
            stage prod
              set n: Set(Integer(2)) at runner.toml:9
              set shared: Edit(ListEdit { remove: [], add: [String("up/")] }) at runner.toml:9
              a: openssh deploy@a port 2200 /srv/shop
              b: openssh deploy@b port 22 /srv/shop
              c: openssh root@c port 2200 /srv/shop
              d: openssh ops@d port 23 ~/d
                set n: Set(Integer(1)) at runner.toml:7
              e: local e /srv/e
            stage dev
              ::1: ssh me@::1 port 2022 /srv/f
        "#]]
        .assert_eq(&say(&parse(text).unwrap()));
    }

    #[test]
    fn what_a_stage_must_not_say_is_refused() {
        refused(
            "[stage.prod]\npath = \"/x\"\nhost = [\"a\"]\n",
            expect![[r#"
                unknown key `host` in a stage (did you mean `hosts`?)
                 --> runner.toml:3:1
                  |
                3 | host = ["a"]
                  | ^^^^
                  = known: `path`, `user`, `port`, `transport`, `hosts`, `settings`"#]],
        );
        refused(
            "[stage.prod]\npath = \"/x\"\nroles = [\"web\"]\nhosts = [\"a\"]\n",
            expect![[r#"
                unknown key `roles` in a stage
                 --> runner.toml:3:1
                  |
                3 | roles = ["web"]
                  | ^^^^^
                  = known: `path`, `user`, `port`, `transport`, `hosts`, `settings`
                hint: put settings of the stage below `[stage.prod.settings]`, and roles into hosts"#]],
        );
        refused(
            "[stage.prod]\npath = \"/x\"\n",
            expect![[r#"
            stage `prod` has no hosts
             --> runner.toml:1:8
              |
            1 | [stage.prod]
              |        ^^^^
            hint: list hosts, such as `hosts = ["web1.example.com"]`, or deploy to this machine with `transport = "local"`"#]],
        );
        refused(
            "[stage.prod]\npath = \"/x\"\nhosts = []\n",
            expect![[r#"
            stage `prod` has no hosts
             --> runner.toml:1:8
              |
            1 | [stage.prod]
              |        ^^^^
            hint: list hosts, such as `hosts = ["web1.example.com"]`, or deploy to this machine with `transport = "local"`"#]],
        );
        refused(
            "[stage.prod]\npath = \"/x\"\nhosts = \"a\"\n",
            expect![[r#"
                `hosts` must be a list, not text
                 --> runner.toml:3:9
                  |
                3 | hosts = "a"
                  |         ^^^"#]],
        );
        refused(
            "[stage.prod.settings]\nn = 1\n",
            expect![[r#"
            stage `prod` has no hosts
             --> runner.toml:1:8
              |
            1 | [stage.prod.settings]
              |        ^^^^
            hint: list hosts, such as `hosts = ["web1.example.com"]`, or deploy to this machine with `transport = "local"`"#]],
        );
        refused(
            "[stage.dev]\ntransport = \"local\"\n",
            expect![[r#"
            host `localhost` has no `path`
             --> runner.toml:1:8
              |
            1 | [stage.dev]
              |        ^^^
            hint: set the directory to deploy to: `path = "/var/www/shop"` below `[stage.dev]`"#]],
        );
        refused(
            "[stage.\"\"]\n",
            expect![[r#"
            a stage needs a name
             --> runner.toml:1:8
              |
            1 | [stage.""]
              |        ^^"#]],
        );
    }
}
