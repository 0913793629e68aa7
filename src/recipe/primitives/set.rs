//! Several hosts as one: a swap belongs to the set, so that all of its hosts swap together.

use rhai::plugin::*;
use rhai::{Array, Dynamic, Map};

use crate::event::{Report, Suggestion};
use crate::recipe::context::{ScriptHost, ScriptHosts};
use crate::recipe::failure::{ScriptResult, mistake, mistake_text};
use crate::recipe::value::texts;
use crate::recipe::world::locked;
use crate::release::ReleaseName;
use crate::run::rollback::{self, RollbackOptions};
use crate::run::{lock, serve};

impl IntoIterator for ScriptHosts {
    type Item = ScriptHost;
    type IntoIter = std::vec::IntoIter<ScriptHost>;

    fn into_iter(self) -> Self::IntoIter {
        self.each().collect::<Vec<ScriptHost>>().into_iter()
    }
}

#[export_module]
pub mod api {
    /// The hosts of the set that have a role, as a set.
    #[rhai_fn(pure)]
    pub fn on(hosts: &mut ScriptHosts, role: &str) -> ScriptHosts {
        let run = hosts.context.run();
        let has = |index: &usize| run.fleet.hosts[*index].has_role(role);
        let indices = hosts.left().into_iter().filter(has).collect();
        ScriptHosts { context: hosts.context.clone(), indices }
    }

    /// Splits the set into sets of at most `n` hosts, in order.
    #[rhai_fn(pure, return_raw)]
    pub fn batches(hosts: &mut ScriptHosts, n: i64) -> ScriptResult<Array> {
        let n = usize::try_from(n).unwrap_or(0);
        if n == 0 {
            return Err(mistake_text("a batch must have at least 1 host"));
        }
        let set = |indices: &[usize]| {
            Dynamic::from(ScriptHosts { context: hosts.context.clone(), indices: indices.to_vec() })
        };
        Ok(hosts.left().chunks(n).map(set).collect())
    }

    /// The number of hosts in the set.
    #[rhai_fn(pure)]
    pub fn len(hosts: &mut ScriptHosts) -> i64 {
        i64::try_from(hosts.left().len()).unwrap_or(i64::MAX)
    }

    /// The hosts of the set, as a list.
    #[rhai_fn(pure)]
    pub fn list(hosts: &mut ScriptHosts) -> Array {
        hosts.each().map(Dynamic::from).collect()
    }

    /// The first host of the set, in the order of `runner.toml`. Fails if the set is empty.
    #[rhai_fn(pure, return_raw)]
    pub fn first(hosts: &mut ScriptHosts) -> ScriptResult<ScriptHost> {
        hosts.each().next().ok_or_else(|| mistake_text("the set of hosts is empty"))
    }

    /// Runs tasks on these hosts only. All of them finish a task before any starts the next one.
    #[rhai_fn(pure, return_raw)]
    pub fn perform(hosts: &mut ScriptHosts, tasks: Array) -> ScriptResult<()> {
        let names = texts(tasks, "the argument of `perform`").map_err(mistake_text)?;
        let playbook = hosts.context.world().playbook.get().and_then(|book| book.upgrade());
        let Some(playbook) = playbook else {
            return Err(mistake_text("`perform` can only be used in a run"));
        };
        for name in &names {
            if !playbook.tasks.contains_key(name) {
                let near = Suggestion::new(name, playbook.tasks.keys().map(String::as_str));
                return Err(mistake(Report::new(format!("no task named `{name}`{near}"))));
            }
        }
        let world = hosts.context.world();
        let mut open = locked(&world.performing);
        let around = open.iter().map(String::as_str).chain([hosts.context.task()]);
        if let Some(task) = around.into_iter().find(|task| names.iter().any(|name| name == task)) {
            return Err(mistake_text(format!("task `{task}` performs itself")));
        }
        open.push(hosts.context.task().to_owned());
        drop(open);
        let done =
            hosts.outcome(|run, indices| crate::flow::perform::perform_all(run, &playbook, &names, indices));
        locked(&world.performing).pop();
        done
    }

    /// Connects to the hosts and reads the state of their sites, without locking them. This is for flows that change
    /// nothing.
    #[rhai_fn(pure, return_raw)]
    pub fn connect(hosts: &mut ScriptHosts) -> ScriptResult<()> {
        hosts.outcome(|run, indices| lock::connect_all(run, indices))
    }

    /// Connects to the hosts, locks their sites and cleans up after interrupted runs. Fails if another run holds a
    /// lock; with `--wait`, it waits. A plan takes no lock.
    #[rhai_fn(pure, return_raw)]
    pub fn lock(hosts: &mut ScriptHosts) -> ScriptResult<()> {
        hosts.outcome(lock::lock_all)
    }

    /// Points `current` to the release of this run, on all of these hosts. First it checks every host; then all swap
    /// at the same time. If the run fails before the swap is confirmed, all of them swap back.
    #[rhai_fn(pure, return_raw)]
    pub fn swap(hosts: &mut ScriptHosts) -> ScriptResult<()> {
        hosts.outcome(serve::swap)
    }

    /// Undoes the swap of this run on these hosts.
    #[rhai_fn(pure, return_raw)]
    pub fn swap_back(hosts: &mut ScriptHosts) -> ScriptResult<()> {
        hosts.outcome(|run, indices| serve::swap_back(run, indices))
    }

    /// Points `current` to the release that was live before, and returns its name. It is older than the live one, and
    /// complete on all of these hosts. The release that was live is marked as bad. Fails if the hosts serve different
    /// releases, or if the release was changed on a host after it was deployed.
    #[rhai_fn(pure, return_raw)]
    pub fn rollback(hosts: &mut ScriptHosts) -> ScriptResult<String> {
        rollback_with(hosts, Map::new())
    }

    /// Like `hosts.rollback()`, with options. If `allow_apart` is true, the hosts may serve different releases. If
    /// `allow_edited` is true, the release may have been changed.
    #[rhai_fn(name = "rollback", pure, return_raw)]
    pub fn rollback_with(hosts: &mut ScriptHosts, options: Map) -> ScriptResult<String> {
        let options = rollback_options(options)?;
        let name = hosts.outcome(|run, indices| rollback::roll_back(run, indices, options))?;
        Ok(name.to_string())
    }

    /// Points `current` to the release with this name, and returns the name. All of these hosts must have it. The
    /// release that was live is marked as bad if it is newer. Fails if the release was changed on a host after it was
    /// deployed; warns if it is marked as bad.
    #[rhai_fn(name = "rollback", pure, return_raw)]
    pub fn rollback_to(hosts: &mut ScriptHosts, name: &str) -> ScriptResult<String> {
        rollback_to_with(hosts, name, Map::new())
    }

    /// The same, with the options of `hosts.rollback(options)`.
    #[rhai_fn(name = "rollback", pure, return_raw)]
    pub fn rollback_to_with(hosts: &mut ScriptHosts, name: &str, options: Map) -> ScriptResult<String> {
        let options = rollback_options(options)?;
        let name = hosts.outcome(|run, indices| {
            let wanted = ReleaseName::new(name)?;
            rollback::roll_back_to(run, indices, &wanted, options)
        })?;
        Ok(name.to_string())
    }
}

fn rollback_options(options: Map) -> ScriptResult<RollbackOptions> {
    let mut read = RollbackOptions::default();
    for (key, value) in options {
        let option = match key.as_str() {
            "allow_apart" => &mut read.may_be_apart,
            "allow_edited" => &mut read.may_be_edited,
            other => {
                let near = Suggestion::new(other, ["allow_apart", "allow_edited"]);
                return Err(mistake_text(format!("`rollback` has no option `{other}`{near}")));
            }
        };
        *option = value.as_bool().map_err(|_| mistake_text(format!("`{key}` must be true or false")))?;
    }
    Ok(read)
}
