//! A release on one host, step by step.

use std::num::NonZeroUsize;

use rhai::plugin::*;
use rhai::{Array, Dynamic, Map};

use crate::event::Suggestion;
use crate::recipe::context::ScriptHost;
use crate::recipe::failure::{ScriptResult, mistake_text};
use crate::recipe::options;
use crate::recipe::value::texts;
use crate::release::Record;
use crate::release::history::HistoryEntry;
use crate::release::plan::Strategy;
use crate::run::{deploy, fill, guard, serve};

fn seen_of(record: &Record, is_live: bool) -> Map {
    let mut map = Map::new();
    map.insert("name".into(), record.name.to_string().into());
    map.insert("state".into(), record.state.to_string().into());
    map.insert("created".into(), record.created.to_string().into());
    map.insert("by".into(), record.by.clone().into());
    let revision = record.revision.clone();
    map.insert("revision".into(), revision.map_or(Dynamic::UNIT, Dynamic::from));
    map.insert("is_live".into(), is_live.into());
    map
}

#[export_module]
pub mod api {
    /// Creates the release of this run. If the run fails, the release is removed.
    #[rhai_fn(pure, return_raw)]
    pub fn create_release(host: &mut ScriptHost) -> ScriptResult<()> {
        host.outcome(deploy::create_release(host.context.run(), host.index))
    }

    /// Fills the release with the source. The option `strategy` is `"copy-previous"` (the default) or `"cache"`. Only
    /// what changed is sent. Fails if the host has too little space. A plan shows what would be sent.
    #[rhai_fn(pure, return_raw)]
    pub fn fill(host: &mut ScriptHost, options: Map) -> ScriptResult<()> {
        let mut strategy = Strategy::CopyPrevious;
        for (key, value) in options {
            match key.as_str() {
                "strategy" => {
                    let text = value.into_string().unwrap_or_default();
                    strategy = host.outcome(Strategy::parse(&text))?;
                }
                other => {
                    let near = Suggestion::new(other, ["strategy"]);
                    return Err(mistake_text(format!("`fill` has no option `{other}`{near}")));
                }
            }
        }
        host.outcome(fill::fill(host.context.run(), host.index, strategy))
    }

    /// Links shared paths into the release. A path that `shared/` does not have yet is copied there from the release. A
    /// directory that neither of them has is created; for a file, that is a failure. So is a file where `paths` says a
    /// directory (`uploads/`), and a directory where it says a file (`.env`).
    #[rhai_fn(pure, return_raw)]
    pub fn link_shared(host: &mut ScriptHost, paths: Array) -> ScriptResult<()> {
        let paths = texts(paths, "the argument of `link_shared`").map_err(mistake_text)?;
        let paths = host.outcome(options::shared(&paths))?;
        host.outcome(deploy::link_shared(host.context.run(), host.index, &paths))
    }

    /// Makes directories of the release writable for their owner and group, and creates those that are missing.
    #[rhai_fn(pure, return_raw)]
    pub fn writable(host: &mut ScriptHost, paths: Array) -> ScriptResult<()> {
        let paths = texts(paths, "the argument of `writable`").map_err(mistake_text)?;
        let paths = host.outcome(options::paths("writable", &paths))?;
        let done = host.site().writable(&paths);
        host.outcome(done)
    }

    /// Checks the release and marks it as complete. Only a complete release can be swapped to, and it must not change
    /// any more. Fails if a shared link is missing, or if a command wrote into a file that other releases share.
    #[rhai_fn(pure, return_raw)]
    pub fn seal(host: &mut ScriptHost) -> ScriptResult<()> {
        host.outcome(guard::seal(host.context.run(), host.index))
    }

    /// Removes old releases and returns their names. The `keep` complete releases that were live last stay, and so does
    /// the live one. A release that cannot be removed after a swap is only a warning. A plan lists the releases.
    #[rhai_fn(pure, return_raw)]
    pub fn prune(host: &mut ScriptHost, keep: i64) -> ScriptResult<Array> {
        let keep = usize::try_from(keep).ok().and_then(NonZeroUsize::new);
        let Some(keep) = keep else {
            return Err(mistake_text("`prune` must keep at least 1 release"));
        };
        let removed = host.outcome(serve::prune(host.context.run(), host.index, keep))?;
        Ok(removed.into_iter().map(Dynamic::from).collect())
    }

    /// The releases on the host, oldest first. Each is a table with `name`, `state` (`building`, `complete`, `failed`
    /// or `bad`), `created`, `by`, `revision` and `is_live`.
    #[rhai_fn(pure, return_raw)]
    pub fn releases(host: &mut ScriptHost) -> ScriptResult<Array> {
        let site = host.site();
        let seen = host.outcome(site.seen())?;
        let live = seen.live();
        let map = |record| Dynamic::from(seen_of(record, live == Some(&record.name)));
        Ok(seen.records.iter().map(map).collect())
    }

    /// The lines of the host's history, oldest first.
    #[rhai_fn(pure, return_raw)]
    pub fn history(host: &mut ScriptHost) -> ScriptResult<Array> {
        let lines = host.site().session.history();
        let lines = host.outcome(lines)?;
        let text =
            |line: Result<HistoryEntry, String>| line.map_or_else(|text| text, |entry| entry.to_string());
        Ok(lines.into_iter().map(text).map(Dynamic::from).collect())
    }
}
