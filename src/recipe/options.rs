//! The settings that the core itself acts on, checked and typed before a host is touched.

use anyhow::{Context, Result, anyhow, bail};
use rhai::Dynamic;

use crate::event::report::Provenance;
use crate::event::{Excerpt, Report};
use crate::fleet::dropping::{MinHealthy, OnHostFailure};
use crate::here::options::SourceOptions;
use crate::recipe::settings::Resolved;
use crate::recipe::value::{environment, type_name};
use crate::recipe::visit::VisitSettings;
use crate::release::SharedPath;
use crate::release::contradiction::{Contradiction, Item, contradictions};
use crate::release::fill::Duplicate;
use crate::release::plan::{PathRules, Strategy};
use crate::site::{self, Drift};
use crate::tree::TreePath;
use crate::web::Visit;

/// Shared paths from the texts of a setting.
pub fn shared(texts: &[String]) -> Result<Vec<SharedPath>> {
    SharedPath::parse_all(texts.iter().map(String::as_str))
}

/// Paths in a release from the texts of a setting; a trailing slash makes no difference.
pub fn paths(what: &str, texts: &[String]) -> Result<Vec<TreePath>> {
    texts
        .iter()
        .map(|text| {
            let bare = text.strip_suffix('/').unwrap_or(text);
            TreePath::new(bare.as_bytes()).with_context(|| format!("invalid path `{text}` in `{what}`"))
        })
        .collect()
}

/// Reads settings one by one and collects mistakes in them.
struct Reader<'a> {
    resolved: &'a Resolved,
    problems: Vec<Report>,
}

impl Reader<'_> {
    /// The value of a setting; `None` if no recipe declares it, or if a function computes it later.
    fn value(&self, key: &str) -> Option<Dynamic> {
        let setting = self.resolved.get(key)?;
        (setting.function.is_none() && !setting.value.is_unit()).then(|| setting.value.clone())
    }

    fn problem(&mut self, key: &str, message: String) {
        self.report(key, Report::new(message));
    }

    fn refused(&mut self, key: &str, error: &anyhow::Error) {
        let report = Report::of(error);
        self.report(key, Report { message: format!("setting `{key}`: {}", report.message), ..report });
    }

    /// Says it at the place that gave the setting its value.
    fn report(&mut self, key: &str, mut report: Report) {
        report.excerpt = self.resolved.get(key).map(|setting| setting.place.clone());
        if !self.problems.contains(&report) {
            self.problems.push(report);
        }
    }

    fn read<T: Default>(
        &mut self,
        key: &str,
        wanted: &str,
        read: impl FnOnce(Dynamic) -> Option<Result<T>>,
    ) -> T {
        let Some(value) = self.value(key) else {
            return T::default();
        };
        let kind = type_name(&value);
        match read(value) {
            Some(Ok(read)) => return read,
            Some(Err(error)) => self.refused(key, &error),
            None => self.problem(key, format!("setting `{key}` must be {wanted}, not {kind}")),
        }
        T::default()
    }

    fn texts(&mut self, key: &str) -> Vec<String> {
        self.read(key, "a list of texts", |value| {
            let list = value.try_cast::<rhai::Array>()?;
            let wrong = |kind| anyhow!("the list must only contain texts, not {kind}");
            let text = |item: Dynamic| {
                let kind = type_name(&item);
                item.into_string().map_err(|_| wrong(kind))
            };
            Some(list.into_iter().map(text).collect())
        })
    }

    fn text<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T>) -> Option<T> {
        self.read(key, "text", |value| {
            let text = value.into_string().ok()?;
            Some(parse(&text).map(Some))
        })
    }

    fn is_set(&mut self, key: &str) -> bool {
        self.read(key, "true or false", |value| value.as_bool().ok().map(Ok))
    }

    /// A whole number of 1 or more; 0 if there is none.
    fn positive(&mut self, key: &str, unit: &str) -> u64 {
        let number = self.read(key, "a whole number", |value| value.as_int().ok().map(Ok));
        let positive = u64::try_from(number).unwrap_or(0);
        if positive == 0 && self.value(key).is_some() {
            self.problem(key, format!("setting `{key}` must be at least 1{unit}, not {number}"));
        }
        positive
    }

    /// What visitors request. Mistakes are reported at the setting that has them.
    fn visit(&mut self) -> Option<Visit> {
        let value = |key| self.value(key);
        let all = VisitSettings {
            url: value("url"),
            ask: value("ask"),
            domain: value("domain"),
            health: value("health"),
        };
        let url = VisitSettings { url: all.url.clone(), ..VisitSettings::default() };
        if let Err(error) = url.read() {
            self.refused("url", &error);
            return None;
        }
        let visit = all.read();
        visit.unwrap_or_else(|error| {
            self.refused("ask", &error);
            None
        })
    }

    /// The shared paths of a host, and the rules for paths of a release.
    fn paths(&mut self) -> (Vec<SharedPath>, PathRules) {
        let texts = self.texts("shared");
        let shared = self.checked("shared", shared(&texts));
        let [generated, writable] = ["generated", "writable"].map(|key| {
            let texts = self.texts(key);
            let paths = self.checked(key, paths(key, &texts));
            texts.into_iter().zip(paths).collect::<Vec<Item>>()
        });
        for found in contradictions(&shared, &generated, &writable) {
            self.contradiction(found);
        }
        let [generated, mut writable] =
            [generated, writable].map(|items| items.into_iter().map(|(_, path)| path).collect::<Vec<_>>());
        let tops: Vec<TreePath> = shared.iter().map(|path| path.path.clone()).collect();
        // Shared paths are not in the release.
        writable.retain(|path| !tops.iter().any(|top| path.starts_with(top)));
        (shared, PathRules { generated, writable, shared: tops })
    }

    /// Reports it at the one of both settings that the user has set.
    fn contradiction(&mut self, found: Contradiction) {
        let is_users =
            |key: &&str| self.resolved.get(*key).is_some_and(|set| set.place.provenance == Provenance::User);
        let key = [Some(found.key), found.other].into_iter().flatten().find(is_users);
        self.report(key.unwrap_or(found.key), found.report);
    }

    fn checked<T: Default>(&mut self, key: &str, result: Result<T>) -> T {
        result.unwrap_or_else(|error| {
            self.refused(key, &error);
            T::default()
        })
    }
}

/// The options of a host's site, from its settings.
pub fn of_host(resolved: &Resolved) -> (site::Options, Vec<Report>) {
    let mut reader = Reader { resolved, problems: Vec::new() };
    let (shared, rules) = reader.paths();
    reader.text("release_file", |text| release_file(text, &rules.shared));
    let env = reader.read("env", "a table", |value| {
        let map = value.try_cast::<rhai::Map>()?;
        Some(environment(map).map_err(Into::into))
    });
    let visit = reader.visit();
    reader.text("strategy", Strategy::parse);
    reader.positive("keep_releases", "");
    let options = site::Options {
        rules,
        shared,
        places: places(resolved),
        env,
        identity: None,
        takes_over: false,
        adopts: false,
        accepts_new_keys: reader.text("host_keys", accepts_new_keys).unwrap_or(false),
        confirm_within: reader.positive("confirm_within", " second"),
        revert_command: reader.text("revert_command", |text| Ok(text.to_owned())).unwrap_or_default(),
        prune_command: reader.text("prune_command", |text| Ok(text.to_owned())).unwrap_or_default(),
        duplicate: reader.text("copy", Duplicate::parse).unwrap_or(Duplicate::Link),
        drift: reader.text("drift", Drift::parse).unwrap_or(Drift::Report),
        is_durable: reader.is_set("durable"),
        allows_unlinked: reader.is_set("allow_unlinked"),
        visit,
    };
    (options, reader.problems)
}

/// Where the settings of paths are set.
fn places(resolved: &Resolved) -> Vec<(&'static str, Excerpt)> {
    let place = |key| Some((key, resolved.get(key)?.place.clone()));
    ["shared", "generated", "writable"].into_iter().filter_map(place).collect()
}

/// Whether the key of an unknown host is accepted and remembered.
fn accepts_new_keys(text: &str) -> Result<bool> {
    match text {
        "strict" => Ok(false),
        "accept-new" => Ok(true),
        _ => bail!("`{text}` is neither `strict` nor `accept-new`"),
    }
}

/// Checks the name of a file that is in the release itself. An empty name means no file.
fn release_file(text: &str, shared: &[TreePath]) -> Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let path = TreePath::new(text.as_bytes()).with_context(|| format!("invalid path `{text}`"))?;
    match shared.iter().find(|top| path.starts_with(top)) {
        Some(top) => bail!("`{text}` must not be in the shared path `{top}`"),
        None => Ok(()),
    }
}

/// What to do when a host fails, from the settings of the stage.
pub fn of_failure(resolved: &Resolved) -> (OnHostFailure, Vec<Report>) {
    let mut reader = Reader { resolved, problems: Vec::new() };
    let min = reader.read("min_healthy", "a whole number of hosts or a share such as `75%`", min_healthy);
    let wanted = "`abort`, `continue` or `{ min_healthy = ... }`";
    let policy = reader.read("on_host_failure", wanted, |value| {
        if let Some(table) = value.read_lock::<rhai::Map>() {
            return Some(of_table(&table));
        }
        let text = value.into_string().ok()?;
        Some(match text.as_str() {
            "abort" => Ok(OnHostFailure::Abort),
            "continue" => Ok(OnHostFailure::Continue(min)),
            _ => Err(anyhow!("`{text}` is neither `abort` nor `continue`")),
        })
    });
    (policy, reader.problems)
}

fn min_healthy(value: Dynamic) -> Option<Result<MinHealthy>> {
    match value.as_int() {
        Ok(number) => Some(MinHealthy::of_number(number)),
        Err(_) => Some(MinHealthy::parse(&value.into_string().ok()?)),
    }
}

/// `{ min_healthy = 2 }`: the run continues with at least this many hosts.
fn of_table(table: &rhai::Map) -> Result<OnHostFailure> {
    let (Some(value), 1) = (table.get("min_healthy"), table.len()) else {
        bail!("the table must contain `min_healthy` and nothing else");
    };
    let min = min_healthy(value.clone());
    min.unwrap_or_else(|| bail!("`min_healthy` must be a whole number of hosts or a share such as `75%`"))
        .map(OnHostFailure::Continue)
}

/// The options of the source, from the settings of the stage.
pub fn of_source(resolved: &Resolved) -> (SourceOptions, Vec<Report>) {
    let mut reader = Reader { resolved, problems: Vec::new() };
    for key in ["source", "ref"] {
        if resolved.get(key).is_some_and(|setting| setting.function.is_some()) {
            // A function may work on the source, so it cannot say where that is.
            reader.problem(key, format!("setting `{key}` must be text, not a function"));
        }
    }
    let text = |text: &str| Ok(text.to_owned());
    let reference = reader.text("ref", text).filter(|reference| !reference.is_empty());
    let is_typed = resolved.get("ref").is_some_and(|setting| setting.place.place.file == "--set");
    let source = SourceOptions {
        directory: reader.text("source", text).unwrap_or_else(|| ".".to_owned()),
        is_emptied: is_typed && reference.is_none(),
        reference,
        exclude: reader.texts("exclude"),
        include: reader.texts("include"),
    };
    (source, reader.problems)
}
