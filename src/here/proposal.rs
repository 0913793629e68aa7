//! What `runner init` proposes: the text of `runner.toml`, and of a recipe where one is needed.

use std::path::Path;

use toml::Value;

use crate::here::former;
use crate::here::former::model::{Former, FormerHost};
use crate::here::project_file::{host_list, key, line, setting, wrapped};
use crate::here::proposed::{ProposedHost, ProposedPlace, ProposedStage};
use crate::here::recognise::kind::{Need, ProjectKind, ProposedSetting, RecipeBase, ServedBy};
use crate::here::recognise::{application, kind, plain};
use crate::host::deploy_path::is_at_or_below;

pub struct Proposal {
    pub application: String,
    pub kind: ProjectKind,
    pub former: Option<Former>,
    pub stages: Vec<ProposedStage>,
}

impl Proposal {
    /// What is known without asking anybody. It has no stages yet.
    pub fn of(directory: &Path) -> Self {
        let former = former::read(directory);
        // It becomes part of commands and names of files.
        let named = former.as_ref().and_then(|former| former.application.as_deref()).map(plain);
        let application = named.unwrap_or_else(|| application(directory));
        let mut kind = kind(directory, &application);
        let files = former.iter().flat_map(|former| &former.shared).filter(|path| !path.ends_with('/'));
        for file in more(&files.cloned().collect::<Vec<_>>(), &kind.shared) {
            kind = kind.needs(&file, Need::Written);
        }
        if former.is_some() {
            kind = kind.whole();
        }
        Self { kind, application, former, stages: Vec::new() }
    }

    /// The text of `deploy.rhai`, if the project needs one.
    pub fn recipe(&self) -> Option<&str> {
        match &self.kind.base {
            RecipeBase::Own(text) => Some(text),
            RecipeBase::Nothing | RecipeBase::Shipped(_) => None,
        }
    }

    /// The text of `runner.toml`.
    pub fn project_file(&self) -> String {
        let mut text =
            "# Where and how `runner` deploys this project. `runner docs` lists all settings.\n".to_owned();
        text += &line("application", &self.application.as_str().into(), "");
        text += &match &self.kind.base {
            RecipeBase::Nothing => String::new(),
            RecipeBase::Shipped(name) => {
                let comment = format!("shipped; `runner docs {name}` lists its settings");
                line("recipe", &(*name).into(), &comment)
            }
            RecipeBase::Own(_) => line("recipe", &"deploy.rhai".into(), "what is special about this project"),
        };
        let settings = self.settings();
        if !settings.is_empty() {
            text += "\n[settings]\n";
            text += &self.shared_by_recipe();
            text += &settings.iter().map(setting).collect::<String>();
        }
        for stage in &self.stages {
            text += &self.stage(stage);
        }
        text
    }

    /// What the recipe keeps between releases, for those who look for it here.
    fn shared_by_recipe(&self) -> String {
        let is_listed = self.kind.settings.iter().any(|setting| setting.key == "shared");
        if self.kind.shared.is_empty() || is_listed {
            return String::new();
        }
        let text = format!("Kept between releases by the recipe: {}.", self.kind.shared.join(", "));
        wrapped(&format!("{text} `shared.add = [...]` adds to these."))
    }

    /// The lines of `[settings]`: those of the kind, then what the former tool says.
    fn settings(&self) -> Vec<ProposedSetting> {
        let is_here = self.stages.iter().all(ProposedStage::is_here);
        let mut kind = self.kind.clone();
        if let Some(former) = &self.former {
            let comment = format!("from `{}`", former.files[0]);
            let shared = more(&former.shared, &self.kind.shared);
            kind = append(kind, "shared", &shared, &comment);
            let known: Vec<String> =
                listed(&kind, "writable").into_iter().chain(self.kind.shared.clone()).collect();
            // Visitors have no business with the configuration of a tool.
            let files: Vec<String> = former.files.iter().map(|file| format!("/{file}")).collect();
            kind = append(kind, "exclude", &files, "");
            kind = append(kind, "writable", &more(&former.writable, &known), &comment);
            if let Some(branch) = &former.branch {
                kind = kind.shown("ref", branch.as_str(), "deploys this branch instead of the work tree");
            }
        }
        if self.stages.iter().all(|stage| stage.url.is_none()) {
            let comment = "what visitors type: each deploy then asks for that page";
            kind = kind.shown("url", "https://www.example.com", comment);
        }
        if is_here && matches!(kind.serving, ServedBy::Process { .. }) {
            kind.settings.retain(|setting| setting.key != "restart");
            kind = kind.set("restart", ":", "put here what restarts the application on this machine");
        }
        kind.settings
    }

    fn stage(&self, stage: &ProposedStage) -> String {
        let mut text = format!("\n[stage.{}]\n", key(&stage.name));
        let root = match self.kind.serving {
            // No whole path: `runner adopt` may change it.
            ServedBy::Process { .. } => "the application runs in `current` in it".to_owned(),
            ServedBy::Files { .. } | ServedBy::Php => match self.kind.web_root.as_str() {
                "" => "the web server's root is `current` in it".to_owned(),
                below => format!("the web server's root is `current/{below}` in it"),
            },
        };
        text += &line("path", &stage.path().into(), &root);
        match &stage.place {
            ProposedPlace::Here { .. } => {
                text += &line("transport", &"local".into(), "this machine; no server needed")
            }
            ProposedPlace::Servers { user, hosts, .. } => {
                if let Some(user) = user {
                    text += &line("user", &user.as_str().into(), "");
                }
                text += &host_list(hosts);
            }
        }
        let mut settings = String::new();
        if let Some((url, serves)) = &stage.url {
            settings += &setting(&ProposedSetting {
                key: "url".to_owned(),
                value: url.as_str().into(),
                comment: "what visitors type".to_owned(),
                is_commented_out: !serves,
            });
        }
        if let Some(fpm) = &stage.fpm {
            settings += &line("fpm", &fpm.as_str().into(), "a release is tested there before it is live");
        }
        if !settings.is_empty() {
            text += &format!("\n[stage.{}.settings]\n{settings}", key(&stage.name));
        }
        text
    }
}

/// The stage of another tool, as one of ours. `None` if neither that tool nor `path` says where it deploys to.
pub fn taken_over(name: &str, hosts: &[FormerHost], path: Option<&str>) -> Option<ProposedStage> {
    let first = hosts.first()?;
    let path = first.path.clone().or_else(|| path.map(str::to_owned))?;
    let own = |value: &Option<String>, of_stage: &Option<String>| value.clone().filter(|_| value != of_stage);
    let has_roles = hosts.iter().any(|host| host.roles != first.roles);
    let proposed = |host: &FormerHost| ProposedHost {
        address: match host.port.filter(|port| *port != 22) {
            Some(port) => crate::host::inventory::address::with_port(&host.address, port),
            None => host.address.clone(),
        },
        user: own(&host.user, &first.user),
        path: own(&host.path, &first.path),
        roles: if has_roles { host.roles.clone() } else { Vec::new() },
    };
    let hosts = hosts.iter().map(proposed).collect();
    Some(ProposedStage::new(name, ProposedPlace::Servers { path, user: first.user.clone(), hosts }))
}

/// Those paths that are neither known, nor above or below one that is.
fn more(paths: &[String], known: &[String]) -> Vec<String> {
    let is_new = |path: &&String| {
        known.iter().all(|other| !is_at_or_below(path, other) && !is_at_or_below(other, path))
    };
    paths.iter().filter(is_new).cloned().collect()
}

fn listed(kind: &ProjectKind, key: &str) -> Vec<String> {
    let lists = kind
        .settings
        .iter()
        .filter(|setting| setting.key == key)
        .filter_map(|setting| setting.value.as_array());
    lists.flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Appends to a list: to that which is proposed, else to that of the recipe.
fn append(mut kind: ProjectKind, key: &str, paths: &[String], comment: &str) -> ProjectKind {
    if let Some(Value::Array(list)) =
        kind.settings.iter_mut().find(|setting| setting.key == key).map(|setting| &mut setting.value)
    {
        list.extend(paths.iter().map(|path| Value::from(path.as_str())));
        return kind;
    }
    kind.list(&format!("{key}.add"), paths.iter().map(String::as_str), comment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_above_or_below_a_known_one_is_not_shared_twice() {
        let paths = |all: &[&str]| all.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        let known = paths(&[".env", "storage/app/"]);
        let found = more(
            &paths(&[".env", "storage/", "storage/app/public/", "public/media/", "storage/apps/"]),
            &known,
        );
        assert_eq!(found, ["public/media/", "storage/apps/"]);
    }
}
