//! Selects the hosts of a run: a stage, narrowed by names and roles.

use anyhow::Result;

use crate::event::{Report, Suggestion};
use crate::host::inventory::no_stage;
use crate::host::list::List;
use crate::host::{Host, Inventory, Stage};

/// The options `--stage`, `--host` and `--role`. A host is selected if it is one of `hosts` and has one of `roles`;
/// an empty list selects all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostSelection {
    pub stage: Option<String>,
    pub hosts: Vec<String>,
    pub roles: Vec<String>,
}

/// The stage of a run and its selected hosts, at least one, in file order.
#[derive(Debug, Clone, PartialEq)]
pub struct SelectedHosts {
    pub stage: Stage,
    pub hosts: Vec<Host>,
}

impl SelectedHosts {
    /// All hosts of the stage, selected or not: a task with `.once()` runs on the first of these that has its role.
    pub fn all(&self) -> &[Host] {
        &self.stage.hosts
    }
}

/// What people call the same stage.
const STAGE_NAMES: [&[&str]; 4] = [
    &["prod", "production", "live"],
    &["staging", "stage", "stg", "preprod"],
    &["dev", "develop", "development"],
    &["test", "testing", "qa"],
];

impl Inventory {
    pub fn select(&self, selection: &HostSelection) -> Result<SelectedHosts> {
        let stage = self.stage(selection.stage.as_deref())?;
        for name in &selection.hosts {
            self.refuse_unknown_host(stage, name)?;
        }
        for role in &selection.roles {
            refuse_unknown_role(stage, role)?;
        }
        let hosts: Vec<_> = stage.hosts.iter().filter(|host| selection.includes(host)).cloned().collect();
        if hosts.is_empty() {
            return Err(no_host_selected(stage, selection).into());
        }
        let stage = stage.clone();
        Ok(SelectedHosts { stage, hosts })
    }

    fn stage(&self, name: Option<&str>) -> Result<&Stage> {
        let names = || self.stages.iter().map(|stage| stage.name.as_str());
        match (name, self.stages.as_slice()) {
            (_, []) => Err(no_stage(&self.file).into()),
            (None, [only]) => Ok(only),
            (None, _) => {
                Err(Report::new(format!("choose a stage with `--stage`: {}", List::new(names()))).into())
            }
            (Some(name), stages) => {
                let found = stages.iter().find(|stage| stage.name == name);
                found.ok_or_else(|| self.no_such_stage(name).into())
            }
        }
    }

    /// The error for a stage that does not exist.
    pub fn no_such_stage(&self, name: &str) -> Report {
        let names = self.stages.iter().map(|stage| stage.name.as_str());
        let near = self.near_stage(name).map_or(String::new(), |near| format!(" (did you mean `{near}`?)"));
        Report::new(format!("no stage named `{name}`{near}")).note(format!(
            "stages of `{}`: {}",
            self.file,
            List::new(names)
        ))
    }

    /// The stage that somebody means by `name`: one with a similar name, or with another name for the same thing.
    pub fn near_stage(&self, name: &str) -> Option<&str> {
        let names = || self.stages.iter().map(|stage| stage.name.as_str());
        let alike = STAGE_NAMES.iter().find(|alike| alike.contains(&name));
        let same = names().find(|stage| alike.is_some_and(|alike| alike.contains(stage)));
        same.or_else(|| Suggestion::new(name, names()).name())
    }

    fn refuse_unknown_host(&self, stage: &Stage, name: &str) -> Result<()> {
        let is_in = |stage: &Stage| stage.hosts.iter().any(|host| host.name == name);
        if is_in(stage) {
            return Ok(());
        }
        let names = || stage.hosts.iter().map(|host| host.name.as_str());
        let suggestion = Suggestion::new(name, names());
        let message = format!("no host named `{name}` in stage `{}`{suggestion}", stage.name);
        let report = Report::new(message).note(format!("its hosts: {}", List::new(names())));
        match self.stages.iter().find(|stage| is_in(stage)) {
            Some(other) => {
                Err(report.note(format!("stage `{}` has a host with this name", other.name)).into())
            }
            None => Err(report.into()),
        }
    }
}

impl HostSelection {
    fn includes(&self, host: &Host) -> bool {
        let is_named = self.hosts.is_empty() || self.hosts.contains(&host.name);
        let has_role = self.roles.is_empty() || self.roles.iter().any(|role| host.has_role(role));
        is_named && has_role
    }
}

/// Hosts that list no roles have every role, so a role that no host lists can be intended. But one that is almost a
/// listed role is a typo.
fn refuse_unknown_role(stage: &Stage, role: &str) -> Result<()> {
    let listed = roles_of(stage);
    let suggestion = Suggestion::new(role, listed.iter().copied()).to_string();
    let somebody_has_it = stage.hosts.iter().any(|host| host.has_role(role));
    if listed.contains(&role) || (somebody_has_it && suggestion.is_empty()) {
        return Ok(());
    }
    let message = format!("no host of stage `{}` has the role `{role}`{suggestion}", stage.name);
    let report = Report::new(message);
    Err(match listed.as_slice() {
        [] => report.note("its hosts have no roles").into(),
        listed => report.note(format!("its roles: {}", List::new(listed.iter().copied()))).into(),
    })
}

/// The roles that hosts list, without duplicates, in file order.
fn roles_of(stage: &Stage) -> Vec<&str> {
    let mut roles = Vec::new();
    for role in stage.hosts.iter().flat_map(|host| host.roles.iter().flatten()) {
        if !roles.contains(&role.as_str()) {
            roles.push(role.as_str());
        }
    }
    roles
}

fn no_host_selected(stage: &Stage, selection: &HostSelection) -> Report {
    let of = |names: &[String]| List::new(names.iter().map(String::as_str)).to_string();
    let message = format!("none of {} has the role {}", of(&selection.hosts), of(&selection.roles));
    let report = Report::new(message);
    stage.hosts.iter().fold(report, |report, host| match &host.roles {
        Some(roles) if selection.hosts.contains(&host.name) => report.note(format!(
            "`{}` has {}",
            host.name,
            if roles.is_empty() { "no role".to_owned() } else { of(roles) }
        )),
        _ => report,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::layout::plain;
    use crate::host::inventory::tests::parse;
    use expect_test::{Expect, expect};

    const TWO_STAGES: &str = r#"
[stage.dev]
path = "site"
transport = "local"

[stage.prod]
path = "/var/www/shop"
hosts = [{ address = "web1", roles = ["web"] }, { address = "web2", roles = ["web", "cron"] },
         { address = "worker1", roles = ["worker"] }]
"#;

    const MIXED_ROLES: &str = r#"
[stage.prod]
path = "/var/www/shop"
hosts = ["all1", { address = "worker1", roles = ["worker"] }]
"#;

    /// Words are `stage`, `host=NAME` and `role=NAME`.
    fn select(text: &str, words: &str) -> Result<String> {
        let mut selection = HostSelection::default();
        for word in words.split_whitespace() {
            match word.split_once('=') {
                Some(("host", name)) => selection.hosts.push(name.to_owned()),
                Some((_, role)) => selection.roles.push(role.to_owned()),
                None => selection.stage = Some(word.to_owned()),
            }
        }
        let selected = parse(text)?.select(&selection)?;
        let names: Vec<_> = selected.hosts.iter().map(|host| host.name.as_str()).collect();
        Ok(format!("{}: {} of {}", selected.stage.name, names.join(" "), selected.all().len()))
    }

    #[track_caller]
    fn case(text: &str, words: &str, want: &str) {
        assert_eq!(select(text, words).unwrap(), want);
    }

    #[track_caller]
    fn refused(text: &str, words: &str, want: Expect) {
        want.assert_eq(&plain(&Report::of(&select(text, words).unwrap_err())));
    }

    #[test]
    fn hosts_are_chosen_by_name_and_role_in_file_order() {
        case(TWO_STAGES, "dev", "dev: localhost of 1");
        case(TWO_STAGES, "dev role=anything", "dev: localhost of 1");
        case(TWO_STAGES, "prod", "prod: web1 web2 worker1 of 3");
        case(TWO_STAGES, "prod host=worker1 host=web1", "prod: web1 worker1 of 3");
        case(TWO_STAGES, "prod role=worker role=cron", "prod: web2 worker1 of 3");
        case(TWO_STAGES, "prod host=web1 host=worker1 role=web", "prod: web1 of 3");
        case(MIXED_ROLES, "", "prod: all1 worker1 of 2");
        case(MIXED_ROLES, "role=web", "prod: all1 of 2");
        case(MIXED_ROLES, "role=worker", "prod: all1 worker1 of 2");
    }

    #[test]
    fn another_name_for_a_stage_is_understood_as_a_typo() {
        refused(
            TWO_STAGES,
            "production",
            expect![[r#"
            no stage named `production` (did you mean `prod`?)
             = stages of `runner.toml`: `dev`, `prod`"#]],
        );
    }

    #[test]
    fn a_choice_that_cannot_be_meant_is_refused() {
        refused(TWO_STAGES, "", expect!["choose a stage with `--stage`: `dev`, `prod`"]);
        refused(
            TWO_STAGES,
            "prd",
            expect![[r#"
            no stage named `prd` (did you mean `prod`?)
             = stages of `runner.toml`: `dev`, `prod`"#]],
        );
        refused(
            TWO_STAGES,
            "prod host=web3",
            expect![[r#"
            no host named `web3` in stage `prod` (did you mean `web1`?)
             = its hosts: `web1`, `web2`, `worker1`"#]],
        );
        refused(
            TWO_STAGES,
            "prod host=localhost",
            expect![[r#"
            no host named `localhost` in stage `prod`
             = its hosts: `web1`, `web2`, `worker1`
             = stage `dev` has a host with this name"#]],
        );
        refused(
            TWO_STAGES,
            "prod role=wbe",
            expect![[r#"
            no host of stage `prod` has the role `wbe` (did you mean `web`?)
             = its roles: `web`, `cron`, `worker`"#]],
        );
        refused(
            TWO_STAGES,
            "prod role=database",
            expect![[r#"
            no host of stage `prod` has the role `database`
             = its roles: `web`, `cron`, `worker`"#]],
        );
        refused(
            MIXED_ROLES,
            "role=wroker",
            expect![[r#"
            no host of stage `prod` has the role `wroker` (did you mean `worker`?)
             = its roles: `worker`"#]],
        );
        refused(
            TWO_STAGES,
            "prod host=web1 host=web2 role=worker",
            expect![[r#"
                none of `web1`, `web2` has the role `worker`
                 = `web1` has `web`
                 = `web2` has `web`, `cron`"#]],
        );
        refused(
            "recipe = \"deploy.rhai\"\n",
            "",
            expect![[r#"
            `runner.toml` has no stage
            hint: a minimal one is:
                [stage.prod]
                path = "/var/www/shop"
                user = "deploy"
                hosts = ["web1.example.com"]"#]],
        );
    }

    #[test]
    fn a_host_with_an_empty_list_of_roles_has_none() {
        let text = "[stage.prod]\npath = \"/x\"\nhosts = [\"a\", { address = \"b\", roles = [] }]\n";
        case(text, "role=web", "prod: a of 2");
        refused(
            text,
            "host=b role=web",
            expect![[r#"
            none of `b` has the role `web`
             = `b` has no role"#]],
        );
    }
}
