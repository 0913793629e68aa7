//! The keys that both stages and hosts can set: how to reach a host, and where its site is.

use std::path::Path;

use anyhow::Result;

use super::address::is_plain;
use crate::event::{Report, Suggestion};
use crate::host::document::{Field, Table};
use crate::host::list::List;
use crate::host::{DeployPath, TransportKind};

#[derive(Default)]
pub struct SharedKeys<'a> {
    pub path: Option<Field<'a>>,
    pub user: Option<String>,
    pub port: Option<u16>,
    pub transport: Option<TransportKind>,
}

impl<'a> SharedKeys<'a> {
    pub fn read(table: &Table<'a>) -> Result<Self> {
        Ok(Self {
            path: table.get("path"),
            user: table.get("user").map(user).transpose()?,
            port: table.get("port").map(|field| field.port()).transpose()?,
            transport: table.get("transport").map(transport).transpose()?,
        })
    }
}

/// Reads the deploy path. Its meaning depends on the transport, so this needs to know it.
pub fn deploy_path(field: &Field, transport: TransportKind, dir: &Path) -> Result<DeployPath> {
    let text = field.text()?;
    let path = match transport {
        TransportKind::Local => DeployPath::local(text, dir),
        TransportKind::Ssh | TransportKind::OpenSsh => DeployPath::remote(text),
    };
    path.map_err(|problem| field.report(format!("`path` {problem}")).into())
}

fn user(field: Field) -> Result<String> {
    let user = field.text()?;
    if is_plain(user) {
        Ok(user.to_owned())
    } else {
        Err(field.report(format!("`{user}` is not a valid user name")).into())
    }
}

fn transport(field: Field) -> Result<TransportKind> {
    let name = field.text()?;
    TransportKind::named(name).ok_or_else(|| {
        let known = TransportKind::ALL.map(TransportKind::as_str);
        let suggestion = Suggestion::new(name, known);
        let report: Report = field.report(format!("unknown transport `{name}`{suggestion}"));
        report.note(format!("known: {}", List::new(known))).into()
    })
}

#[cfg(test)]
mod tests {
    use crate::host::inventory::tests::{parse, refused};
    use expect_test::expect;

    #[test]
    fn a_local_path_counts_from_the_file_and_a_remote_one_stays() {
        let text = "[stage.x]\npath = \"~/site\"\nhosts = [\"a\", { name = \"b\", transport = \"local\", path = \"../b\" }]\n";
        let inventory =
            crate::host::Inventory::parse(std::path::Path::new("/home/me/shop/runner.toml"), text);
        let paths: Vec<_> = inventory.unwrap().stages[0].hosts.iter().map(|h| h.path.to_string()).collect();
        assert_eq!(paths, ["~/site", "/home/me/b"]);
        assert!(parse("[stage.x]\npath = \"/it's a \\\"site\\\"\"\nhosts = [\"a\"]\n").is_ok());
    }

    #[test]
    fn values_of_a_wrong_type_or_form_are_refused() {
        refused(
            "[stage.prod]\npath = \"/x\"\nport = \"22\"\nhosts = [\"a\"]\n",
            expect![[r#"
                `port` must be a whole number from 1 to 65535, not text
                 --> runner.toml:3:8
                  |
                3 | port = "22"
                  |        ^^^^"#]],
        );
        refused(
            "[stage.prod]\npath = \"/x\"\nport = 70000\nhosts = [\"a\"]\n",
            expect![[r#"
                `port` must be a whole number from 1 to 65535, not 70000
                 --> runner.toml:3:8
                  |
                3 | port = 70000
                  |        ^^^^^"#]],
        );
        refused(
            "[stage.prod]\npath = \"/x\"\nuser = 3\nhosts = [\"a\"]\n",
            expect![[r#"
                `user` must be text, not 3
                 --> runner.toml:3:8
                  |
                3 | user = 3
                  |        ^"#]],
        );
        refused(
            "[stage.prod]\npath = \"/x\"\nuser = \"-x\"\nhosts = [\"a\"]\n",
            expect![[r#"
                `-x` is not a valid user name
                 --> runner.toml:3:8
                  |
                3 | user = "-x"
                  |        ^^^^"#]],
        );
        refused(
            "[stage.prod]\npath = \"/x\"\ntransport = \"shh\"\nhosts = [\"a\"]\n",
            expect![[r#"
                unknown transport `shh` (did you mean `ssh`?)
                 --> runner.toml:3:13
                  |
                3 | transport = "shh"
                  |             ^^^^^
                  = known: `ssh`, `local`, `openssh`"#]],
        );
        refused(
            "[stage.prod]\npath = true\nhosts = [\"a\"]\n",
            expect![[r#"
                `path` must be text, not true
                 --> runner.toml:2:8
                  |
                2 | path = true
                  |        ^^^^"#]],
        );
        refused(
            "[stage.prod]\npath = \"www/shop\"\nhosts = [\"a\"]\n",
            expect![[r#"
                `path` must be absolute or start with `~/`, not `www/shop`
                 --> runner.toml:2:8
                  |
                2 | path = "www/shop"
                  |        ^^^^^^^^^^"#]],
        );
        refused(
            "[stage.prod]\npath = \"\"\nhosts = [\"a\"]\n",
            expect![[r#"
                `path` must not be empty
                 --> runner.toml:2:8
                  |
                2 | path = ""
                  |        ^^"#]],
        );
        refused(
            "[stage.prod]\npath = \"/\"\nhosts = [\"a\"]\n",
            expect![[r#"
                `path` must not be `/` itself
                 --> runner.toml:2:8
                  |
                2 | path = "/"
                  |        ^^^"#]],
        );
    }
}
