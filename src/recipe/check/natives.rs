//! The functions that the engine has, as the static check asks for them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rhai::Engine;

use crate::recipe::value::plain_type;

/// The values of scripts whose type can be seen without running anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Host,
    Hosts,
    Task,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Host, Kind::Hosts, Kind::Task];

    fn of(plain_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_name() == plain_type)
    }

    fn type_name(self) -> &'static str {
        match self {
            Kind::Host => "Host",
            Kind::Hosts => "Hosts",
            Kind::Task => "Task",
        }
    }

    /// "a host has no method `x`".
    pub fn words(self) -> &'static str {
        match self {
            Kind::Host => "a host",
            Kind::Hosts => "a set of hosts",
            Kind::Task => "a task",
        }
    }

    /// How a recipe gets at one.
    pub fn example(self) -> &'static str {
        match self {
            Kind::Host => "host",
            Kind::Hosts => "hosts()",
            Kind::Task => "task(...)",
        }
    }
}

/// Numbers of arguments, as a call writes them.
pub type Counts = BTreeSet<usize>;

/// A method of one of our values.
#[derive(Default)]
pub struct Method {
    pub counts: Counts,
    pub returns: Option<Kind>,
}

#[derive(Default)]
pub struct Natives {
    /// Everything, called as `f(a, b)`; the receiver of a method counts.
    pub functions: BTreeMap<String, Counts>,
    methods: BTreeMap<(Kind, String), Method>,
    properties: BTreeSet<(Kind, String)>,
    /// Ours that are called without a receiver.
    pub globals: BTreeMap<String, Counts>,
}

impl Natives {
    pub fn of(engine: &Engine) -> Self {
        let mut natives = Self::default();
        let ours = engine.collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), false);
        let ours: HashSet<String> = ours.into_iter().collect();
        let all = engine.collect_fn_metadata(
            None,
            |info| {
                let of = info.metadata;
                let receiver = of.params_info.first().and_then(|param| {
                    let (_, kind) = param.split_once(':')?;
                    kind.contains("&mut").then(|| plain_type(kind))
                });
                let is_global = receiver.is_none() && !of.comments.is_empty() && ours.contains(&*of.name);
                let returns = Kind::of(&plain_type(&of.return_type));
                Some((of.name.to_string(), of.num_params, receiver, is_global, returns))
            },
            true,
        );
        for (name, n_params, receiver, is_global, returns) in all {
            natives.add(&name, n_params, receiver.as_deref(), is_global, returns);
        }
        natives
    }

    fn add(
        &mut self,
        name: &str,
        n_params: usize,
        receiver: Option<&str>,
        is_global: bool,
        returns: Option<Kind>,
    ) {
        let receiver = receiver.and_then(Kind::of);
        if let Some(property) = name.strip_prefix("get$") {
            self.properties.extend(receiver.map(|kind| (kind, property.to_owned())));
            return;
        }
        self.functions.entry(name.to_owned()).or_default().insert(n_params);
        if let Some(kind) = receiver {
            let method = self.methods.entry((kind, name.to_owned())).or_default();
            method.counts.insert(n_params - 1);
            method.returns = returns;
        } else if is_global {
            self.globals.entry(name.to_owned()).or_default().insert(n_params);
        }
    }

    pub fn method(&self, kind: Kind, name: &str) -> Option<&Method> {
        self.methods.get(&(kind, name.to_owned()))
    }

    /// The first of our values that has a method.
    pub fn has_method(&self, name: &str) -> Option<(Kind, &Method)> {
        Kind::ALL.into_iter().find_map(|kind| Some((kind, self.method(kind, name)?)))
    }

    pub fn has_property(&self, kind: Kind, name: &str) -> bool {
        self.properties.contains(&(kind, name.to_owned()))
    }

    /// The names behind a dot.
    pub fn members(&self, kind: Kind) -> impl Iterator<Item = &str> {
        let methods = self.methods.keys().filter(move |(of, _)| *of == kind);
        methods
            .chain(self.properties.iter().filter(move |(of, _)| *of == kind))
            .map(|(_, name)| name.as_str())
    }

    /// Whether some value, whatever its type, has such a method.
    pub fn any_method(&self, name: &str, n_arguments: usize) -> bool {
        self.functions.get(name).is_some_and(|counts| counts.contains(&(n_arguments + 1)))
    }
}
