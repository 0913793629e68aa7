//! Capistrano's `config/deploy.rb` and `config/deploy/STAGE.rb`: servers and what is set, as far as it is literal.

use crate::here::former::lexer::{Dialect, lex};
use crate::here::former::literal::{CallReader, Called, Value};
use crate::here::former::model::{Former, FormerHost, directories};

const MAIN: &str = "config/deploy.rb";

/// Reads the main file, and the files of the stages by their names.
pub fn read(main: &str, stages: &[(String, String)]) -> Former {
    let mut former = Former { tool: "Capistrano", files: vec![MAIN.to_owned()], ..Former::default() };
    let mut main = ConfigFile::read(MAIN, main);
    former.application = main.text(&[], "application", &mut former);
    former.branch = main.text(&[], "branch", &mut former);
    for (name, text) in stages {
        let file = format!("config/deploy/{name}.rb");
        let stage = ConfigFile::read(&file, text);
        former.files.push(file);
        stage.hosts(&main, name, &mut former);
        main.linked.extend(stage.linked);
    }
    for (key, paths) in main.linked {
        let paths: Vec<String> = match key.as_str() {
            "linked_files" => paths,
            _ => directories(paths).collect(),
        };
        former.shared.extend(paths);
    }
    former.shared.dedup();
    former
}

/// What one file says.
struct ConfigFile {
    name: String,
    settings: Vec<(String, Value, usize)>,
    /// `linked_files` and `linked_dirs`.
    linked: Vec<(String, Vec<String>)>,
    servers: Vec<Called>,
}

impl ConfigFile {
    fn read(name: &str, text: &str) -> Self {
        let lexed = lex(text, Dialect::Ruby);
        let mut reader = CallReader::new(&lexed, Dialect::Ruby);
        let mut file =
            Self { name: name.to_owned(), settings: Vec::new(), linked: Vec::new(), servers: Vec::new() };
        while let Some(call) = reader.call(&["set", "append", "server", "role"]) {
            match (call.name.as_str(), call.text(0)) {
                ("server" | "role", _) => file.servers.push(call),
                // Also `fetch(:linked_dirs, []).push("log")`.
                (_, Some(key @ ("linked_files" | "linked_dirs"))) => {
                    file.linked.push((key.to_owned(), call.quoted.clone()));
                }
                ("set", Some(key)) => {
                    let named = Value::Table(call.named.clone());
                    let value = call.arguments.get(1).cloned().unwrap_or(named);
                    file.settings.push((key.to_owned(), value, call.line));
                }
                _ => {}
            }
        }
        file
    }

    fn find(&self, key: &str) -> Option<&(String, Value, usize)> {
        self.settings.iter().rfind(|setting| setting.0 == key)
    }

    /// A setting of this file, else of those below, with `fetch(…)` in it resolved.
    fn text(&self, below: &[&Self], key: &str, former: &mut Former) -> Option<String> {
        let files = || [self].into_iter().chain(below.iter().copied());
        let (file, (_, value, line)) = files().find_map(|file| Some((file, file.find(key)?)))?;
        let look_up = |name: &str| files().find_map(|file| file.find(name)?.1.text().map(str::to_owned));
        let resolved = value.text().and_then(|text| resolve(text, &look_up));
        if resolved.is_none() {
            former.miss(format!("set :{key}, …"), &file.name, *line);
        }
        resolved
    }

    /// Adds the servers of a stage.
    fn hosts(&self, main: &Self, stage: &str, former: &mut Former) {
        let application = former.application.clone();
        let path = self.text(&[main], "deploy_to", former);
        // What Capistrano does by itself.
        let is_default = self.find("deploy_to").or_else(|| main.find("deploy_to")).is_none();
        let path = path.or_else(|| Some(format!("/var/www/{}", application.filter(|_| is_default)?)));
        former.branch = former.branch.take().or_else(|| self.text(&[], "branch", former));
        let options = |file: &Self| file.find("ssh_options").map(|(_, value, _)| value.clone());
        let options = options(self).or_else(|| options(main)).unwrap_or(Value::Computed);
        let user = self.text(&[main], "user", former);
        let mut hosts: Vec<FormerHost> = Vec::new();
        for server in self.servers.iter().chain(&main.servers) {
            for host in servers(server, former, &self.name) {
                match hosts.iter_mut().find(|known| known.address == host.address) {
                    Some(known) => known.roles.extend(host.roles),
                    None => hosts.push(host),
                }
            }
        }
        for host in hosts {
            let option = |key| options.get(key).and_then(Value::text).map(str::to_owned);
            let user = host.user.or_else(|| option("user")).or_else(|| user.clone());
            let port = host.port.or_else(|| option("port")?.parse().ok());
            former.add(stage, FormerHost { user, port, path: path.clone(), ..host });
        }
    }
}

/// The servers of `server "a", user: "b"` or of `role :app, %w{a b}`.
fn servers(call: &Called, former: &mut Former, file: &str) -> Vec<FormerHost> {
    let (names, roles) = match call.name.as_str() {
        "role" => (call.arguments.get(1), call.text(0).map(|role| vec![role.to_owned()])),
        _ => (call.arguments.first(), None),
    };
    let names = names.and_then(Value::texts).filter(|names| !names.iter().any(|name| name.contains("#{")));
    let Some(names) = names else {
        former.miss(format!("{} …", call.name), file, call.line);
        return Vec::new();
    };
    let named = Value::Table(call.named.clone());
    let option = |key: &str| {
        let of_ssh = named.get("ssh_options").and_then(|options| options.get(key));
        named.get(key).or(of_ssh).and_then(Value::text).map(str::to_owned)
    };
    let roles = roles.or_else(|| named.get("roles").and_then(Value::texts)).unwrap_or_default();
    let host = |name: String| {
        let (user, address) = match name.rsplit_once('@') {
            Some((user, address)) => (Some(user.to_owned()), address),
            None => (None, name.as_str()),
        };
        let (address, port) = match address.rsplit_once(':') {
            Some((address, port)) => (address, port.parse().ok()),
            None => (address, None),
        };
        FormerHost {
            address: address.to_owned(),
            port: port.or_else(|| option("port")?.parse().ok()),
            user: user.or_else(|| option("user")),
            path: None,
            roles: roles.clone(),
        }
    };
    names.into_iter().map(host).collect()
}

/// Replaces `#{fetch(:name)}`.
fn resolve(text: &str, look_up: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let Some((before, rest)) = text.split_once("#{") else { return Some(text.to_owned()) };
    let (inside, after) = rest.split_once('}')?;
    let name =
        inside.trim().strip_prefix("fetch")?.trim_start_matches(['(', ' ']).trim_end_matches([')', ' ']);
    let known = look_up(name.strip_prefix(':')?)?;
    // What is inserted may not insert again.
    (!known.contains("#{")).then_some(())?;
    resolve(after, look_up).map(|after| format!("{before}{known}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn case(main: &str, stages: &[(&str, &str)], want: Expect) {
        let stages: Vec<_> =
            stages.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        want.assert_eq(&read(main, &stages).shown());
    }

    #[test]
    fn stages_and_linked_paths_are_read() {
        case(
            "lock \"~> 3.17\"\nset :application, \"shop\" # it's\nset :repo_url, \"git@x:shop.git\"\nset :branch, 'main'\n\
             set :deploy_to, \"/srv/#{fetch(:application)}\"\nappend :linked_files, \"config/database.yml\", 'config/master.key'\n\
             append :linked_dirs, \"log\", \"tmp/pids\"\nset :ssh_options, { forward_agent: true, user: 'cap' }\n",
            &[
                (
                    "production",
                    "server \"web1.example.com\", user: \"deploy\", roles: %w{app db web}\nserver 'web2.example.com:2222', roles: [:app]\n",
                ),
                (
                    "staging",
                    "set :deploy_to, \"/home/me/shop\"\nrole :app, %w{me@10.0.0.9}\nrole :web, %w{me@10.0.0.9}\n",
                ),
            ],
            expect![[r#"
                Capistrano: config/deploy.rb config/deploy/production.rb config/deploy/staging.rb; application shop, branch main
                shared config/database.yml config/master.key log/ tmp/pids/; writable 
                production: deploy@web1.example.com /srv/shop ["app", "db", "web"]
                production: cap@web2.example.com:2222 /srv/shop ["app"]
                staging: me@10.0.0.9 /home/me/shop ["app", "web"]
            "#]],
        );
    }

    #[test]
    fn what_only_running_it_would_tell_is_named() {
        case(
            "set :application, \"shop\"\nset :deploy_to, -> { \"/srv/#{ENV['X']}\" }\n\
             set :linked_dirs, fetch(:linked_dirs, []).push('log', 'public/system')\n",
            &[
                ("production", "server ENV.fetch(\"HOST\"), user: \"a\"\nserver \"b\", user: \"a\"\n"),
                ("staging", "# server \"x\"\n"),
            ],
            expect![[r#"
                Capistrano: config/deploy.rb config/deploy/production.rb config/deploy/staging.rb; application shop, branch -
                shared log/ public/system/; writable 
                production: a@b - []
                unread: set :deploy_to, … in config/deploy.rb:2
                unread: server … in config/deploy/production.rb:1
            "#]],
        );
    }
}
