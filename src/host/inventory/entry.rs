//! Reads one entry of `hosts`: an address, or a table with an address and other keys.

use std::path::Path;

use anyhow::Result;

use super::address::HostAddress;
use super::shared_keys::{SharedKeys, deploy_path};
use crate::event::{Excerpt, Report};
use crate::host::document::{Field, Table};
use crate::host::{Host, Places, Settings, TransportKind};

const KEYS: [&str; 9] =
    ["address", "name", "roles", "user", "port", "path", "transport", "host_key", "settings"];

/// A host, completed with the keys of its stage. Until all hosts are known, a host without a name is named after its
/// address.
pub struct HostEntry {
    pub host: Host,
    pub is_named: bool,
    /// Where to point if the entry conflicts with another one.
    pub place: Excerpt,
}

/// The keys of an entry, the same for text and table.
#[derive(Default)]
struct EntryKeys<'a> {
    name: Option<String>,
    address: Option<HostAddress>,
    address_place: Option<Excerpt>,
    roles: Option<Vec<(String, Excerpt)>>,
    host_keys: Vec<String>,
    shared: SharedKeys<'a>,
    settings: Settings,
}

/// Reads an entry. `stage` has the defaults for keys that the host does not set.
pub fn read(field: &Field, stage_name: &str, stage: &SharedKeys, dir: &Path) -> Result<HostEntry> {
    let (keys, place) = if field.is_text() {
        let is_local = stage.transport == Some(TransportKind::Local);
        let keys = if is_local {
            EntryKeys { name: Some(field.text()?.to_owned()), ..EntryKeys::default() }
        } else {
            EntryKeys { address: Some(address(field)?), ..EntryKeys::default() }
        };
        (keys, field.place())
    } else {
        let Ok(table) = field.table() else {
            return Err(field.must_be("an address or a table").into());
        };
        let pointed_at = table.get("name").or_else(|| table.get("address"));
        let place = pointed_at.map_or_else(|| field.place(), |field| field.place());
        (read_table(&table)?, place)
    };
    resolve(keys, place, stage_name, stage, dir)
}

/// The host of a local stage that lists none.
pub fn this_machine(place: Excerpt, stage_name: &str, stage: &SharedKeys, dir: &Path) -> Result<HostEntry> {
    let keys = EntryKeys { name: Some("localhost".to_owned()), ..EntryKeys::default() };
    resolve(keys, place, stage_name, stage, dir)
}

fn read_table<'a>(table: &Table<'a>) -> Result<EntryKeys<'a>> {
    table.refuse_unknown("in a host", &KEYS, "put settings of a host into `settings = { ... }`")?;
    let shared = SharedKeys::read(table)?;
    let name = table.get("name").map(|field| field.text().map(str::to_owned));
    let roles = table.get("roles").map(|field| {
        let roles = field.list()?;
        roles.iter().map(|role| Ok((role.text()?.to_owned(), role.place()))).collect::<Result<Vec<_>>>()
    });
    let address = table.get("address").map(|field| address_beside(&field, &shared));
    Ok(EntryKeys {
        name: name.transpose()?,
        address: address.transpose()?,
        address_place: table.get("address").map(|field| field.place()),
        roles: roles.transpose()?,
        host_keys: table.get("host_key").map(|field| host_keys(&field)).transpose()?.unwrap_or_default(),
        settings: Settings::below(table)?,
        shared,
    })
}

/// One fingerprint, or a list of them.
fn host_keys(field: &Field) -> Result<Vec<String>> {
    if field.is_text() {
        return Ok(vec![fingerprint(field)?]);
    }
    let Ok(fields) = field.list() else {
        return Err(field.must_be("a fingerprint or a list of fingerprints").into());
    };
    fields.iter().map(fingerprint).collect()
}

/// A SHA-256 fingerprint, as `ssh-keygen -l` shows it: 43 characters of base64 without padding.
fn fingerprint(field: &Field) -> Result<String> {
    let text = field.text()?;
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    match text.strip_prefix("SHA256:") {
        Some(hash) if hash.len() == 43 && hash.bytes().all(is_base64) => Ok(text.to_owned()),
        _ => Err(field
            .report(format!("`{text}` is not the fingerprint of a host key: `SHA256:` and 43 characters"))
            .hint("on the server, `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints it")
            .into()),
    }
}

fn address(field: &Field) -> Result<HostAddress> {
    HostAddress::parse(field.text()?).map_err(|problem| field.report(problem).into())
}

/// Reads the key `address`. It must not contain a user or a port that another key sets as well.
fn address_beside(field: &Field, shared: &SharedKeys) -> Result<HostAddress> {
    let address = address(field)?;
    let twice =
        |key: &str| Err(field.report(format!("the {key} is set in both the address and `{key}`")).into());
    if address.user.is_some() && shared.user.is_some() {
        return twice("user");
    }
    if address.port.is_some() && shared.port.is_some() {
        return twice("port");
    }
    Ok(address)
}

fn resolve(
    keys: EntryKeys,
    place: Excerpt,
    stage_name: &str,
    stage: &SharedKeys,
    dir: &Path,
) -> Result<HostEntry> {
    let EntryKeys { name, address, address_place, roles, host_keys, shared, settings } = keys;
    let transport = shared.transport.or(stage.transport).unwrap_or_default();
    let is_named = name.is_some();
    let label = name.clone().or_else(|| address.as_ref().map(|a| a.name.clone()));
    let Some(label) = label else {
        let needed = if transport == TransportKind::Local { "name" } else { "address" };
        return Err(Report::new(format!("this host has no `{needed}`")).at(place).into());
    };
    let Some(path) = shared.path.as_ref().or(stage.path.as_ref()) else {
        return Err(Report::new(format!("host `{label}` has no `path`"))
            .at(place)
            .hint(format!(
                "set the directory to deploy to: `path = \"/var/www/shop\"` below `[stage.{stage_name}]`"
            ))
            .into());
    };
    let (roles, role_places): (Option<Vec<_>>, _) = match roles {
        Some(roles) => {
            let (names, places) = roles.into_iter().unzip();
            (Some(names), places)
        }
        None => (None, Vec::new()),
    };
    let places = Places {
        host: address_place.unwrap_or_else(|| place.clone()),
        path: path.place(),
        roles: role_places,
    };
    let path = deploy_path(path, transport, dir)?;
    // A local host needs no login, so it ignores the stage's user and port.
    let (address, user, port) = match (transport, address) {
        (TransportKind::Local, _) => (label.clone(), None, None),
        (TransportKind::Ssh | TransportKind::OpenSsh, Some(address)) => (
            address.name,
            address.user.or(shared.user).or_else(|| stage.user.clone()),
            address.port.or(shared.port).or(stage.port),
        ),
        (TransportKind::Ssh | TransportKind::OpenSsh, None) => {
            let hint =
                format!("if it is the name in DNS or in ssh's configuration, add `address = \"{label}\"`");
            return Err(Report::new(format!("host `{label}` has no `address`")).at(place).hint(hint).into());
        }
    };
    let host = Host { name: label, address, port, user, host_keys, path, roles, transport, settings, places };
    Ok(HostEntry { host, is_named, place })
}

#[cfg(test)]
mod tests {
    use crate::host::inventory::tests::{parse, refused, say};
    use expect_test::expect;

    fn with_hosts(hosts: &str) -> String {
        format!("[stage.prod]\npath = \"/x\"\nhosts = [{hosts}]\n")
    }

    #[test]
    fn hosts_of_a_local_stage_need_only_names() {
        let text = "[stage.dev]\ntransport = \"local\"\npath = \"/x\"\nuser = \"ignored\"\n\
                    hosts = [{ name = \"a\", path = \"/a\" }, { address = \"b\", path = \"/b\" }, \"c:1\"]\n";
        expect![[r#"
            stage dev
              a: local a /a
              b: local b /b
              c:1: local c:1 /x
        "#]]
        .assert_eq(&say(&parse(text).unwrap()));
    }

    #[test]
    fn a_host_key_is_a_fingerprint_or_some() {
        let keys = |text: &str| parse(&with_hosts(text)).unwrap().stages[0].hosts[0].host_keys.len();
        let key = format!("SHA256:{}", "a/+9".repeat(11).split_at(43).0);
        assert_eq!(keys(&format!("{{ address = \"a\", host_key = \"{key}\" }}")), 1);
        assert_eq!(keys(&format!("{{ address = \"a\", host_key = [\"{key}\", \"{key}\"] }}")), 2);
        refused(
            &with_hosts("{ address = \"a\", host_key = \"SHA256:abc\" }"),
            expect![[r#"
                `SHA256:abc` is not the fingerprint of a host key: `SHA256:` and 43 characters
                 --> runner.toml:3:38
                  |
                3 | hosts = [{ address = "a", host_key = "SHA256:abc" }]
                  |                                      ^^^^^^^^^^^^
                hint: on the server, `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints it"#]],
        );
    }

    #[test]
    fn what_a_host_must_not_say_is_refused() {
        refused(
            &with_hosts("3"),
            expect![[r#"
            each of `hosts` must be an address or a table, not 3
             --> runner.toml:3:10
              |
            3 | hosts = [3]
              |          ^"#]],
        );
        refused(
            &with_hosts("\"a\", \"b:http\""),
            expect![[r#"
            the port must be a whole number from 1 to 65535, not `http`
             --> runner.toml:3:15
              |
            3 | hosts = ["a", "b:http"]
              |               ^^^^^^^^"#]],
        );
        refused(
            &with_hosts("{ adress = \"a\" }"),
            expect![[r#"
                unknown key `adress` in a host (did you mean `address`?)
                 --> runner.toml:3:12
                  |
                3 | hosts = [{ adress = "a" }]
                  |            ^^^^^^
                  = known: `address`, `name`, `roles`, `user`, `port`, `path`, `transport`, `host_key`, `settings`"#]],
        );
        refused(
            &with_hosts("{ address = \"a\", keep_releases = 3 }"),
            expect![[r#"
                unknown key `keep_releases` in a host
                 --> runner.toml:3:27
                  |
                3 | hosts = [{ address = "a", keep_releases = 3 }]
                  |                           ^^^^^^^^^^^^^
                  = known: `address`, `name`, `roles`, `user`, `port`, `path`, `transport`, `host_key`, `settings`
                hint: put settings of a host into `settings = { ... }`"#]],
        );
        refused(
            &with_hosts("{ name = \"a\" }"),
            expect![[r#"
            host `a` has no `address`
             --> runner.toml:3:19
              |
            3 | hosts = [{ name = "a" }]
              |                   ^^^
            hint: if it is the name in DNS or in ssh's configuration, add `address = "a"`"#]],
        );
        refused(
            &with_hosts("{ roles = [\"web\"] }"),
            expect![[r#"
            this host has no `address`
             --> runner.toml:3:10
              |
            3 | hosts = [{ roles = ["web"] }]
              |          ^^^^^^^^^^^^^^^^^^^"#]],
        );
        refused(
            &with_hosts("{ name = \"a\", transport = \"local\" }, { transport = \"local\" }"),
            expect![[r#"
                this host has no `name`
                 --> runner.toml:3:47
                  |
                3 | hosts = [{ name = "a", transport = "local" }, { transport = "local" }]
                  |                                               ^^^^^^^^^^^^^^^^^^^^^^^"#]],
        );
        refused(
            &with_hosts("{ address = \"a\", roles = \"web\" }"),
            expect![[r#"
                `roles` must be a list, not text
                 --> runner.toml:3:35
                  |
                3 | hosts = [{ address = "a", roles = "web" }]
                  |                                   ^^^^^"#]],
        );
        refused(
            &with_hosts("{ address = \"a\", roles = [3] }"),
            expect![[r#"
                each of `roles` must be text, not 3
                 --> runner.toml:3:36
                  |
                3 | hosts = [{ address = "a", roles = [3] }]
                  |                                    ^"#]],
        );
        refused(
            &with_hosts("{ address = \"a:22\", port = 23 }"),
            expect![[r#"
                the port is set in both the address and `port`
                 --> runner.toml:3:22
                  |
                3 | hosts = [{ address = "a:22", port = 23 }]
                  |                      ^^^^^^"#]],
        );
        refused(
            &with_hosts("{ address = \"me@a\", user = \"you\" }"),
            expect![[r#"
                the user is set in both the address and `user`
                 --> runner.toml:3:22
                  |
                3 | hosts = [{ address = "me@a", user = "you" }]
                  |                      ^^^^^^"#]],
        );
        refused(
            &with_hosts("{ address = \"a\", settings = 3 }"),
            expect![[r#"
                `settings` must be a table, not 3
                 --> runner.toml:3:38
                  |
                3 | hosts = [{ address = "a", settings = 3 }]
                  |                                      ^"#]],
        );
        refused(
            "[stage.prod]\nhosts = [{ address = \"a\", path = \"/x\" }, \"b\"]\n",
            expect![[r#"
                host `b` has no `path`
                 --> runner.toml:2:42
                  |
                2 | hosts = [{ address = "a", path = "/x" }, "b"]
                  |                                          ^^^
                hint: set the directory to deploy to: `path = "/var/www/shop"` below `[stage.prod]`"#]],
        );
    }
}
