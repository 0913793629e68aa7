//! The functions of the engine, as the static check needs them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rhai::Engine;

use crate::recipe::value::plain_type;

/// The types of script values that can be known without running anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValueKind {
    Host,
    Hosts,
    Task,
}

impl ValueKind {
    const ALL: [ValueKind; 3] = [ValueKind::Host, ValueKind::Hosts, ValueKind::Task];

    fn of(plain_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_name() == plain_type)
    }

    fn type_name(self) -> &'static str {
        match self {
            ValueKind::Host => "Host",
            ValueKind::Hosts => "Hosts",
            ValueKind::Task => "Task",
        }
    }

    /// "a host has no method `x`".
    pub fn words(self) -> &'static str {
        match self {
            ValueKind::Host => "a host",
            ValueKind::Hosts => "a set of hosts",
            ValueKind::Task => "a task",
        }
    }

    /// How a recipe writes one.
    pub fn example(self) -> &'static str {
        match self {
            ValueKind::Host => "host",
            ValueKind::Hosts => "hosts()",
            ValueKind::Task => "task(...)",
        }
    }
}

/// The numbers of arguments that a call may have.
pub type ArgumentCounts = BTreeSet<usize>;

/// A method of one of our values.
#[derive(Default)]
pub struct NativeMethod {
    pub counts: ArgumentCounts,
    pub returns: Option<ValueKind>,
}

#[derive(Default)]
pub struct Natives {
    /// All functions, called as `f(a, b)`: the receiver of a method counts.
    pub functions: BTreeMap<String, ArgumentCounts>,
    methods: BTreeMap<(ValueKind, String), NativeMethod>,
    properties: BTreeSet<(ValueKind, String)>,
    /// Primitives that are called without a receiver.
    pub globals: BTreeMap<String, ArgumentCounts>,
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
                let returns = ValueKind::of(&plain_type(&of.return_type));
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
        returns: Option<ValueKind>,
    ) {
        let receiver = receiver.and_then(ValueKind::of);
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

    pub fn method(&self, kind: ValueKind, name: &str) -> Option<&NativeMethod> {
        self.methods.get(&(kind, name.to_owned()))
    }

    /// The first of our types that has the method.
    pub fn has_method(&self, name: &str) -> Option<(ValueKind, &NativeMethod)> {
        ValueKind::ALL.into_iter().find_map(|kind| Some((kind, self.method(kind, name)?)))
    }

    pub fn has_property(&self, kind: ValueKind, name: &str) -> bool {
        self.properties.contains(&(kind, name.to_owned()))
    }

    /// The names that can follow a dot.
    pub fn members(&self, kind: ValueKind) -> impl Iterator<Item = &str> {
        let methods = self.methods.keys().filter(move |(of, _)| *of == kind);
        methods
            .chain(self.properties.iter().filter(move |(of, _)| *of == kind))
            .map(|(_, name)| name.as_str())
    }

    /// Whether a value of any type has such a method.
    pub fn any_method(&self, name: &str, n_arguments: usize) -> bool {
        self.functions.get(name).is_some_and(|counts| counts.contains(&(n_arguments + 1)))
    }
}
