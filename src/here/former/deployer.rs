//! Deployer's `deploy.php`: hosts and what is set, as far as it is literal.

use crate::here::former::lexer::{Dialect, lex};
use crate::here::former::literal::{CallReader, Called, Value};
use crate::here::former::model::{Former, FormerHost, directories};

/// A setting with its value, and the line it is on.
type DeployerSetting = (String, Value, usize);

/// What a file of Deployer declares.
#[derive(Debug, Default)]
pub struct Declarations {
    pub settings: Vec<DeployerSetting>,
    /// Each with its settings.
    pub hosts: Vec<(String, Vec<DeployerSetting>)>,
    /// What could not be read, and its line.
    pub unread: Vec<(String, usize)>,
}

pub fn read(file: &str, text: &str) -> Former {
    let lexed = lex(text, Dialect::Php);
    let mut reader = CallReader::new(&lexed, Dialect::Php);
    let mut found = Declarations::default();
    while let Some(call) = reader.call(&["set", "add", "host", "localhost", "inventory", "import"]) {
        match call.name.as_str() {
            "set" | "add" => found.settings.extend(setting(&call)),
            "host" => found.hosts_of(&call, &mut reader),
            "localhost" => {}
            // `require` and `import` of Deployer's own recipes say nothing about hosts.
            "import"
                if call
                    .text(0)
                    .is_some_and(|file| file.starts_with("recipe/") || file.starts_with("contrib/")) => {}
            _ => found.unread.push((format!("{}({})", call.name, shown(&call)), call.line)),
        }
    }
    found.former(file)
}

fn setting(call: &Called) -> Option<DeployerSetting> {
    let [key, value] = call.arguments.as_slice() else { return None };
    Some((key.text()?.to_owned(), value.clone(), call.line))
}

fn shown(call: &Called) -> String {
    call.text(0).map_or_else(|| "…".to_owned(), |text| format!("'{text}'"))
}

impl Declarations {
    /// The hosts of `host('a', 'b')->set(…)->setPort(…)`.
    fn hosts_of(&mut self, call: &Called, reader: &mut CallReader) {
        let mut settings = Vec::new();
        while let Some(method) = reader.method() {
            settings.extend(of_method(&method));
        }
        for argument in &call.arguments {
            match argument.text() {
                // A range, as in `web[01:10]`.
                Some(name) if !name.contains('[') => self.hosts.push((name.to_owned(), settings.clone())),
                Some(name) => self.unread.push((format!("host('{name}')"), call.line)),
                None => self.unread.push(("host(…)".to_owned(), call.line)),
            }
        }
    }

    /// What it means for us. `file` is the name of the file, for messages.
    pub fn former(self, file: &str) -> Former {
        let mut former = Former { tool: "Deployer", files: vec![file.to_owned()], ..Former::default() };
        for (what, line) in &self.unread {
            former.miss(what.clone(), file, *line);
        }
        former.application = self.text(&[], "application", "", &mut former);
        former.branch = self.text(&[], "branch", "", &mut former);
        for (name, own) in &self.hosts {
            let host = self.host(name, own, &mut former);
            let stage = stage_of(name, &host.address, own);
            former.branch = former.branch.take().or_else(|| self.text(own, "branch", name, &mut former));
            former.add(&stage, host);
        }
        former.shared = self.paths("shared_files", &mut former);
        let shared = self.paths("shared_dirs", &mut former);
        former.shared.extend(directories(shared));
        former.writable = directories(self.paths("writable_dirs", &mut former)).collect();
        former
    }

    fn host(&self, name: &str, own: &[DeployerSetting], former: &mut Former) -> FormerHost {
        let mut text = |key: &str| self.text(own, key, name, former);
        let named = text("hostname").unwrap_or_else(|| name.to_owned());
        let (user, address) = match named.rsplit_once('@') {
            Some((user, address)) => (Some(user.to_owned()), address.to_owned()),
            None => (None, named),
        };
        let user = text("remote_user").or_else(|| text("user")).or(user);
        let (port, path) = (text("port").and_then(|port| port.parse().ok()), text("deploy_path"));
        let roles = own.iter().find(|(key, ..)| key == "roles").and_then(|(_, value, _)| value.texts());
        FormerHost { address, port, user, path, roles: roles.unwrap_or_default() }
    }

    /// The value of a setting, for the host `name`, with the names in it (`{{application}}`) resolved.
    fn text(&self, own: &[DeployerSetting], key: &str, name: &str, former: &mut Former) -> Option<String> {
        let (_, value, line) = self.find(own, key)?;
        let resolved = value.text().and_then(|text| self.resolve(own, text, name, 0));
        if resolved.is_none() {
            let file = former.files[0].clone();
            former.miss(format!("set('{key}', …)"), &file, *line);
        }
        resolved
    }

    fn find<'a>(&'a self, own: &'a [DeployerSetting], key: &str) -> Option<&'a DeployerSetting> {
        let is_it = |setting: &&DeployerSetting| setting.0 == key;
        own.iter().rfind(is_it).or_else(|| self.settings.iter().rfind(is_it))
    }

    fn resolve(&self, own: &[DeployerSetting], text: &str, name: &str, depth: usize) -> Option<String> {
        let Some((before, rest)) = text.split_once("{{") else { return Some(text.to_owned()) };
        let (key, after) = rest.split_once("}}")?;
        let known = match (self.find(own, key.trim()), key.trim()) {
            (Some((_, value, _)), _) if depth < 8 => self.resolve(own, value.text()?, name, depth + 1)?,
            (None, "alias" | "hostname" | "host") if !name.is_empty() => name.to_owned(),
            _ => return None,
        };
        self.resolve(own, &format!("{before}{known}{after}"), name, depth + 1)
    }

    /// All items of a list of paths, from each `set` and `add`.
    fn paths(&self, key: &str, former: &mut Former) -> Vec<String> {
        let mut paths: Vec<String> = Vec::new();
        for (_, value, line) in self.settings.iter().filter(|setting| setting.0 == key) {
            match value.texts() {
                Some(texts) => paths.extend(texts.into_iter().filter(|text| !text.contains("{{"))),
                None => {
                    let file = former.files[0].clone();
                    former.miss(format!("set('{key}', …)"), &file, *line);
                }
            }
        }
        paths.dedup();
        paths
    }
}

/// A method of a host, as the setting that it sets: `setRemoteUser('x')`, and version 6's `user('x')`.
fn of_method(method: &Called) -> Option<DeployerSetting> {
    let key = match method.name.as_str() {
        "set" | "add" => return setting(method),
        "setHostname" | "hostname" => "hostname",
        "setRemoteUser" | "user" => "remote_user",
        "setPort" | "port" => "port",
        "setDeployPath" => "deploy_path",
        "setLabels" => "labels",
        "stage" => "stage",
        "roles" => "roles",
        _ => return None,
    };
    let value = match (key, method.arguments.as_slice()) {
        ("labels", []) => Value::Table(method.named.clone()),
        ("roles", several) => Value::List(several.to_vec()),
        (_, [value, ..]) => value.clone(),
        (_, []) => return None,
    };
    Some((key.to_owned(), value, method.line))
}

/// The stage of a host: its label, else its name where that is no address, else `prod`.
fn stage_of(name: &str, address: &str, own: &[DeployerSetting]) -> String {
    let labels = own.iter().rfind(|(key, ..)| key == "labels").map(|(_, value, _)| value);
    let label = |key| labels.and_then(|labels| labels.get(key)).and_then(Value::text);
    let old = own.iter().rfind(|(key, ..)| key == "stage").and_then(|(_, value, _)| value.texts());
    let old = old.and_then(|stages| stages.into_iter().next());
    let named = label("stage").or_else(|| label("env")).map(str::to_owned).or(old);
    let is_alias = name != address && !name.contains(['.', '@', ':']);
    named.unwrap_or_else(|| if is_alias { name.to_owned() } else { "prod".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn case(text: &str, want: Expect) {
        want.assert_eq(&read("deploy.php", text).shown());
    }

    #[test]
    fn hosts_and_paths_of_version_7_are_read() {
        case(
            r#"<?php
namespace Deployer;
require 'recipe/laravel.php';
set('application', 'shop');
set('repository', 'git@example.com:shop.git');
add('shared_files', ['.env']);
add('shared_dirs', ['storage', "public/media"]);
add('writable_dirs', ['bootstrap/cache']);
host('web1.example.com')
    ->set('remote_user', 'deployer')
    ->set('labels', ['stage' => 'production', 'type' => 'web'])
    ->set('deploy_path', '/var/www/{{application}}'); // it's here
host('staging')->setHostname('10.0.0.9')->setPort(2222)->setRemoteUser('me')
    ->set('branch', 'develop')->set('deploy_path', '~/{{alias}}/{{hostname}}');
task('build', function () { set('deploy_path', '/nowhere'); cd('{{release_path}}'); run('npm run build'); });
after('deploy:failed', 'deploy:unlock');
"#,
            expect![[r#"
                Deployer: deploy.php; application shop, branch develop
                shared .env storage/ public/media/; writable bootstrap/cache/
                production: deployer@web1.example.com /var/www/shop []
                staging: me@10.0.0.9:2222 ~/staging/10.0.0.9 []
            "#]],
        );
    }

    #[test]
    fn hosts_of_version_6_are_read() {
        case(
            r#"<?php
set('deploy_path', '/srv/app');
host('a.example.com', 'b.example.com')->stage('production')->user('deploy')->port(22)->roles('app', 'db');
localhost()->stage('local');
"#,
            expect![[r#"
                Deployer: deploy.php; application -, branch -
                shared ; writable 
                production: deploy@a.example.com:22 /srv/app ["app", "db"]
                production: deploy@b.example.com:22 /srv/app ["app", "db"]
            "#]],
        );
    }

    #[test]
    fn what_only_running_it_would_tell_is_named() {
        case(
            r#"<?php
set('application', getenv('APP'));
import('hosts.yml');
host('web[01:10].example.com')->set('deploy_path', '/srv/x');
host('web1.example.com')
    ->set('remote_user', $_ENV['DEPLOY_USER'] ?? 'deploy')
    ->set('deploy_path', '/srv/{{nothing}}');
"#,
            expect![[r#"
                Deployer: deploy.php; application -, branch -
                shared ; writable 
                prod: web1.example.com - []
                unread: import('hosts.yml') in deploy.php:3
                unread: host('web[01:10].example.com') in deploy.php:4
                unread: set('application', …) in deploy.php:2
                unread: set('remote_user', …) in deploy.php:6
                unread: set('deploy_path', …) in deploy.php:7
            "#]],
        );
    }
}
