//! Checks that the hosts of a stage have different names and different sites.

use anyhow::Result;

use super::address::with_port;
use super::entry::HostEntry;
use crate::event::Report;
use crate::host::{Host, TransportKind};

pub fn resolve(mut entries: Vec<HostEntry>) -> Result<Vec<Host>> {
    refuse_same_sites(&entries)?;
    name_by_port(&mut entries);
    refuse_same_names(&entries)?;
    Ok(entries.into_iter().map(|entry| entry.host).collect())
}

/// Otherwise two hosts would wait for the same lock.
fn refuse_same_sites(entries: &[HostEntry]) -> Result<()> {
    let Some((first, second)) = first_pair(entries, |a, b| is_same_site(&a.host, &b.host)) else {
        return Ok(());
    };
    let message = format!("`{}` and `{}` are the same site", first.host.name, second.host.name);
    Err(Report::new(message)
        .at(second.place.clone())
        .note(format!("the first is at {}", first.place.place))
        .hint("give one of them another `path`")
        .into())
}

fn is_same_site(a: &Host, b: &Host) -> bool {
    let is_local = |host: &Host| host.transport == TransportKind::Local;
    let is_same_login = a.address.eq_ignore_ascii_case(&b.address) && a.port == b.port && a.user == b.user;
    a.path == b.path && is_local(a) == is_local(b) && (is_local(a) || is_same_login)
}

/// Adds the port to the names of hosts that would otherwise be named after the same address.
fn name_by_port(entries: &mut [HostEntry]) {
    let names: Vec<_> = entries.iter().map(|entry| entry.host.name.clone()).collect();
    let is_shared = |name: &String| names.iter().filter(|other| *other == name).count() > 1;
    for HostEntry { host, is_named, .. } in entries {
        if let (false, Some(port)) = (*is_named, host.port)
            && is_shared(&host.name)
        {
            host.name = with_port(&host.address, port);
        }
    }
}

fn refuse_same_names(entries: &[HostEntry]) -> Result<()> {
    let Some((first, second)) = first_pair(entries, |a, b| a.host.name == b.host.name) else {
        return Ok(());
    };
    Err(Report::new(format!("two hosts are named `{}`", second.host.name))
        .at(second.place.clone())
        .note(format!("the first is at {}", first.place.place))
        .hint("give one of them another `name`: `{ address = \"...\", name = \"...\" }`")
        .into())
}

fn first_pair(
    entries: &[HostEntry],
    is_pair: impl Fn(&HostEntry, &HostEntry) -> bool,
) -> Option<(&HostEntry, &HostEntry)> {
    entries.iter().enumerate().find_map(|(n, second)| {
        let first = entries[..n].iter().find(|first| is_pair(first, second))?;
        Some((first, second))
    })
}

#[cfg(test)]
mod tests {
    use crate::host::inventory::tests::{parse, refused};
    use expect_test::expect;

    fn with_hosts(hosts: &str) -> String {
        format!("[stage.prod]\npath = \"/x\"\nhosts = [{hosts}]\n")
    }

    #[track_caller]
    fn names(hosts: &str, want: &[&str]) {
        let inventory = parse(&with_hosts(hosts)).unwrap();
        let names: Vec<_> = inventory.stages[0].hosts.iter().map(|host| host.name.clone()).collect();
        assert_eq!(names, want);
    }

    #[test]
    fn a_host_is_called_by_its_address_and_by_its_port_where_that_is_not_enough() {
        names(r#""a:2222", "b", "me@c""#, &["a", "b", "c"]);
        names(r#""a:1", "a:2", "a""#, &["a:1", "a:2", "a"]);
        names(r#""[::1]:1", "[::1]:2""#, &["[::1]:1", "[::1]:2"]);
        names(r#"{ address = "b", name = "a" }, "a:2""#, &["a", "a:2"]);
        names(r#""a", { address = "a", path = "/y", name = "second" }"#, &["a", "second"]);
    }

    #[test]
    fn hosts_with_one_name_are_refused_at_the_second() {
        refused(
            &with_hosts(r#"{ address = "a", name = "n" }, { address = "b", name = "n" }"#),
            expect![[r#"
                two hosts are named `n`
                 --> runner.toml:3:65
                  |
                3 | hosts = [{ address = "a", name = "n" }, { address = "b", name = "n" }]
                  |                                                                 ^^^
                  = the first is at runner.toml:3
                hint: give one of them another `name`: `{ address = "...", name = "..." }`"#]],
        );
        refused(
            &with_hosts(r#""me@a", "you@a""#),
            expect![[r#"
            two hosts are named `a`
             --> runner.toml:3:18
              |
            3 | hosts = ["me@a", "you@a"]
              |                  ^^^^^^^
              = the first is at runner.toml:3
            hint: give one of them another `name`: `{ address = "...", name = "..." }`"#]],
        );
    }

    #[test]
    fn one_site_in_two_entries_is_refused_at_the_second() {
        refused(
            &with_hosts(r#""a", "b", "A""#),
            expect![[r#"
            `a` and `A` are the same site
             --> runner.toml:3:20
              |
            3 | hosts = ["a", "b", "A"]
              |                    ^^^
              = the first is at runner.toml:3
            hint: give one of them another `path`"#]],
        );
        refused(
            &with_hosts(
                "{ address = \"a:22\" },\n  { name = \"n\", address = \"a\", port = 22, path = \"/x/\" }",
            ),
            expect![[r#"
                `a` and `n` are the same site
                 --> runner.toml:4:12
                  |
                4 |   { name = "n", address = "a", port = 22, path = "/x/" }]
                  |            ^^^
                  = the first is at runner.toml:3
                hint: give one of them another `path`"#]],
        );
        refused(
            "[stage.dev]\ntransport = \"local\"\npath = \"a\"\nhosts = [\"a\", { name = \"b\", path = \"b/../a\" }]\n",
            expect![[r#"
                `a` and `b` are the same site
                 --> runner.toml:4:24
                  |
                4 | hosts = ["a", { name = "b", path = "b/../a" }]
                  |                        ^^^
                  = the first is at runner.toml:4
                hint: give one of them another `path`"#]],
        );
    }
}
