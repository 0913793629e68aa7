//! The functions of the engine, as the static check needs them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rhai::{Engine, FuncMetadata};

use crate::recipe::value::plain_type;

/// The types of script values that can be known without running anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValueKind {
    Host,
    Hosts,
    Task,
    Failure,
}

impl ValueKind {
    const ALL: [ValueKind; 4] = [ValueKind::Host, ValueKind::Hosts, ValueKind::Task, ValueKind::Failure];

    fn of(plain_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_name() == plain_type)
    }

    fn type_name(self) -> &'static str {
        match self {
            ValueKind::Host => "Host",
            ValueKind::Hosts => "Hosts",
            ValueKind::Task => "Task",
            ValueKind::Failure => "Failure",
        }
    }

    /// "a host has no method `x`".
    pub fn words(self) -> &'static str {
        match self {
            ValueKind::Host => "a host",
            ValueKind::Hosts => "a set of hosts",
            ValueKind::Task => "a task",
            ValueKind::Failure => "a failure",
        }
    }

    /// How a recipe writes one.
    pub fn example(self) -> &'static str {
        match self {
            ValueKind::Host => "host",
            ValueKind::Hosts => "hosts()",
            ValueKind::Task => "task(...)",
            ValueKind::Failure => "failure",
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

/// What a call is made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    None,
    Unknown,
    Of(ValueKind),
}

/// One function of the engine.
#[derive(Clone)]
pub struct Overload {
    /// The plain type that it is a method of.
    receiver: Option<String>,
    /// The other parameters: their names, and their types in Rust.
    pub params: Vec<(String, String)>,
    returns_nothing: bool,
    /// Whether it is a primitive, and not a function of Rhai.
    is_ours: bool,
}

impl Overload {
    fn of(metadata: &FuncMetadata, is_ours: bool) -> Self {
        let param = |text: &str| {
            let (name, kind) = text.split_once(':').unwrap_or((text, ""));
            (name.trim().to_owned(), kind.trim().to_owned())
        };
        let mut params: Vec<(String, String)> = metadata.params_info.iter().map(|text| param(text)).collect();
        let is_method = params.first().is_some_and(|(_, kind)| kind.contains("&mut"));
        let receiver = is_method.then(|| plain_type(&params.remove(0).1));
        let returns = plain_type(&metadata.return_type);
        let returns_nothing =
            ["()", "nothing", ""].contains(&returns.as_str()) || returns.replace(' ', "").contains("<()");
        Self { receiver, params, returns_nothing, is_ours }
    }

    pub fn usage(&self, name: &str) -> String {
        let kind = self.receiver.as_deref().and_then(ValueKind::of);
        let subject = kind.map_or(String::new(), |kind| format!("{}.", kind.example()));
        let params: Vec<String> =
            self.params.iter().map(|(name, kind)| format!("{name}: {}", plain_type(kind))).collect();
        format!("usage: `{subject}{name}({})`", params.join(", "))
    }
}

#[derive(Default)]
pub struct Natives {
    /// All functions, called as `f(a, b)`: the receiver of a method counts.
    pub functions: BTreeMap<String, ArgumentCounts>,
    methods: BTreeMap<(ValueKind, String), NativeMethod>,
    properties: BTreeSet<(ValueKind, String)>,
    /// Primitives that are called without a receiver.
    pub globals: BTreeMap<String, ArgumentCounts>,
    overloads: BTreeMap<String, Vec<Overload>>,
}

impl Natives {
    pub fn of(engine: &Engine) -> Self {
        let mut natives = Self::default();
        let signature = |of: &FuncMetadata| {
            (of.name.to_string(), of.params_info.iter().map(|param| param.to_string()).collect::<Vec<_>>())
        };
        let ours = engine.collect_fn_metadata(None, |info| Some(signature(info.metadata)), false);
        let ours: HashSet<_> = ours.into_iter().collect();
        let all = engine.collect_fn_metadata(
            None,
            |info| {
                let of = info.metadata;
                let receiver = of.params_info.first().and_then(|param| {
                    let (_, kind) = param.split_once(':')?;
                    kind.contains("&mut").then(|| plain_type(kind))
                });
                let is_global =
                    receiver.is_none() && !of.comments.is_empty() && ours.contains(&signature(of));
                let returns = ValueKind::of(&plain_type(&of.return_type));
                let overload = Overload::of(of, !of.comments.is_empty() && ours.contains(&signature(of)));
                Some((of.name.to_string(), of.num_params, receiver, is_global, returns, overload))
            },
            true,
        );
        for (name, n_params, receiver, is_global, returns, overload) in all {
            // Functions for values of the wrong type name no parameters.
            let is_of_any_type = n_params > 0 && overload.receiver.is_none() && overload.params.is_empty();
            // The unknown answers of a plan have methods of texts.
            if is_of_any_type || overload.receiver.as_deref() == Some("Unanswered") {
                continue;
            }
            natives.overloads.entry(name.clone()).or_default().push(overload);
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

    /// The functions that a call may mean. Empty if it may mean a function of Rhai, whose types are not checked.
    pub fn overloads(&self, receiver: Receiver, name: &str, n_arguments: usize) -> Vec<Overload> {
        let all = self.overloads.get(name).into_iter().flatten();
        let is_it = |overload: &&Overload| match receiver {
            Receiver::None => overload.receiver.is_none(),
            Receiver::Unknown => overload.receiver.is_some(),
            Receiver::Of(kind) => overload.receiver.as_deref() == Some(kind.type_name()),
        };
        let all: Vec<Overload> =
            all.filter(|overload| overload.params.len() == n_arguments).filter(is_it).cloned().collect();
        let is_global = receiver == Receiver::None && self.globals.contains_key(name);
        if is_global || all.iter().all(|overload| overload.is_ours) { all } else { Vec::new() }
    }

    /// Whether a function of Rhai, and not a primitive, is meant by a call that returns nothing; `None` for a call that
    /// may return something.
    pub fn returns_nothing(&self, name: &str, n_params: usize, is_method: bool) -> Option<bool> {
        let all = self.overloads.get(name).into_iter().flatten();
        let is_it = |overload: &&Overload| {
            let n = overload.params.len() + usize::from(overload.receiver.is_some());
            n == n_params && overload.receiver.is_some() == is_method
        };
        let all: Vec<&Overload> = all.filter(is_it).collect();
        let is_nothing = !all.is_empty() && all.iter().all(|overload| overload.returns_nothing);
        is_nothing.then(|| !all.iter().any(|overload| overload.is_ours))
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

    /// Whether a value of any type has such a property.
    pub fn has_getter(&self, name: &str) -> bool {
        self.overloads.contains_key(&format!("get${name}"))
    }

    /// The names of all methods.
    pub fn method_names(&self) -> impl Iterator<Item = &str> {
        let is_method = |(_, all): &(&String, &Vec<Overload>)| all.iter().any(|one| one.receiver.is_some());
        self.overloads.iter().filter(is_method).map(|(name, _)| name.as_str())
    }

    /// Whether a value of any type has such a method.
    pub fn any_method(&self, name: &str, n_arguments: usize) -> bool {
        self.functions.get(name).is_some_and(|counts| counts.contains(&(n_arguments + 1)))
    }
}
