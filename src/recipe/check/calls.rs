//! Calls that cannot work: unknown functions, wrong numbers of arguments, properties that a host does not have,
//! functions of the script that hide a primitive.

use std::any::TypeId;
use std::collections::{HashMap, HashSet};

use rhai::{AST, ASTNode, Engine, Expr, FnCallExpr, Position, Stmt};

use crate::event::{Report, Suggestion};
use crate::recipe::context::Host;
use crate::recipe::sources::Source;
use crate::recipe::world::World;

/// Functions that the language itself knows, or that any value may have.
const BUILT_IN: [&str; 12] = [
    "Fn",
    "call",
    "curry",
    "print",
    "debug",
    "type_of",
    "is_def_var",
    "is_def_fn",
    "is_shared",
    "eval",
    "tag",
    "range",
];

/// The functions of the engine: by name, with the numbers of arguments they take.
struct Natives {
    /// Called as `f(a, b)`; a method `a.f(b)` is one of these as well.
    all: HashMap<String, HashSet<usize>>,
    /// Methods and properties of a host, less the host itself.
    host: HashMap<String, HashSet<usize>>,
    host_properties: HashSet<String>,
    /// Ours, by name, with the number of arguments of a call as scripts write it.
    primitives: HashMap<String, HashSet<(usize, bool)>>,
}

impl Natives {
    fn of(engine: &Engine) -> Self {
        let mut natives = Self {
            all: HashMap::new(),
            host: HashMap::new(),
            host_properties: HashSet::new(),
            primitives: HashMap::new(),
        };
        let functions = engine.collect_fn_metadata(
            None,
            |info| {
                let of = info.metadata;
                let is_host = of.param_types.first() == Some(&TypeId::of::<Host>());
                let is_method = of.params_info.first().is_some_and(|param| param.contains("&mut"));
                let is_ours = !of.comments.is_empty();
                Some((of.name.to_string(), of.num_params, is_host, is_method, is_ours))
            },
            true,
        );
        let ours = engine.collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), false);
        let ours: HashSet<String> = ours.into_iter().collect();
        for (name, n_params, is_host, is_method, is_commented) in functions {
            if let Some(property) = name.strip_prefix("get$") {
                if is_host {
                    natives.host_properties.insert(property.to_owned());
                }
                continue;
            }
            if is_host {
                natives.host.entry(name.clone()).or_default().insert(n_params - 1);
            }
            if is_commented && ours.contains(&name) {
                let written = n_params - usize::from(is_method);
                natives.primitives.entry(name.clone()).or_default().insert((written, is_method));
            }
            natives.all.entry(name).or_default().insert(n_params);
        }
        natives
    }
}

/// One file under check.
struct File<'a> {
    source: &'a Source,
    natives: &'a Natives,
    /// Functions of the file, and of its imports by alias.
    own: HashMap<String, HashSet<usize>>,
    imports: HashMap<String, HashMap<String, HashSet<usize>>>,
    settings: HashSet<&'a str>,
    problems: Vec<Report>,
}

pub fn check(world: &World, trees: &[(Source, AST)]) -> Vec<Report> {
    let natives = Natives::of(&world.engine);
    let functions: HashMap<&str, HashMap<String, HashSet<usize>>> =
        trees.iter().map(|(source, ast)| (source.name.as_str(), functions_of(ast))).collect();
    let mut problems = Vec::new();
    for (source, ast) in trees {
        let mut file = File {
            source,
            natives: &natives,
            own: functions_of(ast),
            imports: HashMap::new(),
            settings: world.declared.settings.keys().map(String::as_str).collect(),
            problems: Vec::new(),
        };
        for (alias, path) in imports_of(ast) {
            let target = world
                .declared
                .imports
                .iter()
                .find(|(importer, said, _)| *importer == source.name && *said == path)
                .and_then(|(_, _, target)| functions.get(target.as_str()));
            if let Some(target) = target {
                file.imports.insert(alias, target.clone());
            }
        }
        file.hidden_primitives(ast);
        ast.walk(&mut |path: &[ASTNode]| {
            if let Some(ASTNode::Expr(expr)) = path.last() {
                file.expression(expr);
            }
            true
        });
        problems.append(&mut file.problems);
    }
    problems
}

fn functions_of(ast: &AST) -> HashMap<String, HashSet<usize>> {
    let mut functions: HashMap<String, HashSet<usize>> = HashMap::new();
    for function in ast.iter_functions() {
        functions.entry(function.name.to_owned()).or_default().insert(function.params.len());
    }
    functions
}

/// The imports of a file: alias and what was written.
fn imports_of(ast: &AST) -> Vec<(String, String)> {
    let mut imports = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last()
            && let Expr::StringConstant(said, _) = &import.0
        {
            imports.push((import.1.name.to_string(), said.to_string()));
        }
        true
    });
    imports
}

/// The settings that the scripts read by a literal name.
pub fn settings_read(trees: &[(Source, AST)]) -> HashSet<String> {
    let mut read = HashSet::new();
    for (_, ast) in trees {
        ast.walk(&mut |path: &[ASTNode]| {
            if let Some(ASTNode::Expr(Expr::MethodCall(call, _) | Expr::FnCall(call, _))) = path.last()
                && call.name == "get"
                && let Some(Expr::StringConstant(key, _)) = call.args.first()
            {
                read.insert(key.to_string());
            }
            true
        });
    }
    read
}

/// "1 argument", "2 or 3 arguments".
fn arguments(counts: &HashSet<usize>) -> String {
    let mut counts: Vec<usize> = counts.iter().copied().collect();
    counts.sort_unstable();
    let words: Vec<String> = counts.iter().map(usize::to_string).collect();
    let plural = if counts == [1] { "argument" } else { "arguments" };
    format!("{} {plural}", words.join(" or "))
}

fn is_word(name: &str) -> bool {
    name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_') && !name.contains('$')
}

impl File<'_> {
    fn problem(&mut self, position: Position, report: Report) {
        let line = position.line().unwrap_or(1);
        let column = position.position().unwrap_or(1);
        let report = report.at(self.source.excerpt(line, column));
        if !self.problems.contains(&report) {
            self.problems.push(report);
        }
    }

    /// `host.upload(x)` calls a script's `fn upload(x)` with the host as `this`, and not the primitive.
    fn hidden_primitives(&mut self, ast: &AST) {
        let natives = self.natives;
        for function in ast.iter_functions() {
            let Some(known) = natives.primitives.get(function.name) else {
                continue;
            };
            let Some((_, is_method)) = known.iter().find(|(n, _)| *n == function.params.len()) else {
                continue;
            };
            let subject = if *is_method { "host." } else { "" };
            let name = function.name;
            let shown = format!("fn {name}({})", function.params.join(", "));
            let report = Report::new(format!("`{shown}` hides the primitive `{subject}{name}`"))
                .hint("give the function another name; a task may keep the name");
            self.problem(self.position_of(name), report);
        }
    }

    /// Functions have no position in a syntax tree: their line is looked for.
    fn position_of(&self, name: &str) -> Position {
        let head = format!("fn {name}");
        for (n, line) in self.source.text.lines().enumerate() {
            if let Some(at) = line.find(&head)
                && !line[at + head.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
            {
                let column = line[..at].chars().count() + 4;
                let line = u16::try_from(n + 1).unwrap_or(1);
                return Position::new(line, u16::try_from(column).unwrap_or(1));
            }
        }
        Position::NONE
    }

    fn expression(&mut self, expr: &Expr) {
        match expr {
            Expr::FnCall(call, position) => self.call(call, *position),
            Expr::MethodCall(call, position) => self.method(call, *position),
            Expr::Dot(dot, ..) => {
                if let Expr::Variable(variable, ..) = &dot.lhs
                    && variable.1 == "host"
                {
                    self.of_host(&dot.rhs);
                }
            }
            _ => {}
        }
    }

    fn call(&mut self, call: &FnCallExpr, position: Position) {
        let name = call.name.as_str();
        if call.is_operator_call() || !is_word(name) || BUILT_IN.contains(&name) {
            return;
        }
        let n = call.args.len();
        if !call.namespace.is_empty() {
            let alias = call.namespace.root().to_owned();
            self.imported(&alias, name, n, position);
            return;
        }
        self.setting(call);
        let own = self.own.get(name);
        let native = self.natives.all.get(name);
        match (own, native) {
            (Some(own), _) if own.contains(&n) => {}
            (_, Some(native)) if native.contains(&n) => {}
            (Some(counts), _) | (None, Some(counts)) => {
                let report = Report::new(format!("`{name}` takes {}, not {n}", arguments(counts)));
                self.problem(position, report);
            }
            (None, None) => {
                let known = self.own.keys().chain(self.natives.primitives.keys());
                let near = Suggestion::new(name, known.map(String::as_str));
                let report = Report::new(format!("no function `{name}`{near}"));
                self.problem(position, report);
            }
        }
    }

    fn imported(&mut self, alias: &str, name: &str, n: usize, position: Position) {
        let Some(functions) = self.imports.get(alias) else {
            return;
        };
        let report = match functions.get(name) {
            Some(counts) if counts.contains(&n) => return,
            Some(counts) => Report::new(format!("`{alias}::{name}` takes {}, not {n}", arguments(counts))),
            None => {
                let names = functions.keys().filter(|name| is_word(name));
                let near = Suggestion::new(name, names.map(String::as_str));
                Report::new(format!("`{alias}` has no function `{name}`{near}"))
            }
        };
        self.problem(position, report);
    }

    fn method(&mut self, call: &FnCallExpr, position: Position) {
        let name = call.name.as_str();
        if !is_word(name) || BUILT_IN.contains(&name) {
            return;
        }
        let n = call.args.len();
        let is_own = self.own.get(name).is_some_and(|counts| counts.contains(&n));
        let is_native = self.natives.all.get(name).is_some_and(|counts| counts.contains(&(n + 1)));
        if is_own || is_native {
            return;
        }
        let report = match self.natives.host.get(name) {
            Some(counts) => Report::new(format!("`{name}` takes {}, not {n}", arguments(counts))),
            None => {
                let known = self.natives.primitives.keys();
                Report::new(format!("no method `{name}`{}", Suggestion::new(name, known.map(String::as_str))))
            }
        };
        self.problem(position, report);
    }

    /// What comes behind `host.`: by convention it is the host.
    fn of_host(&mut self, rhs: &Expr) {
        match rhs {
            Expr::Dot(dot, ..) => self.of_host(&dot.lhs),
            Expr::Index(index, ..) => self.of_host(&index.lhs),
            Expr::Property(property, position) => {
                let name = property.2.as_str();
                if !self.natives.host_properties.contains(name) {
                    let known = self.natives.host_properties.iter().chain(self.natives.host.keys());
                    let near = Suggestion::new(name, known.map(String::as_str));
                    self.problem(*position, Report::new(format!("a host has no `{name}`{near}")));
                }
            }
            Expr::MethodCall(call, position) => {
                self.setting(call);
                let name = call.name.as_str();
                let is_own = self.own.get(name).is_some_and(|counts| counts.contains(&call.args.len()));
                let is_native =
                    self.natives.all.get(name).is_some_and(|counts| counts.contains(&(call.args.len() + 1)));
                if is_native && !is_own && is_word(name) && !BUILT_IN.contains(&name) {
                    match self.natives.host.get(name) {
                        Some(counts) if counts.contains(&call.args.len()) => {}
                        Some(counts) => {
                            let report = Report::new(format!(
                                "`{name}` takes {}, not {}",
                                arguments(counts),
                                call.args.len()
                            ));
                            self.problem(*position, report);
                        }
                        None => {
                            let known = self.natives.host.keys().map(String::as_str);
                            let near = Suggestion::new(name, known);
                            self.problem(
                                *position,
                                Report::new(format!("a host has no method `{name}`{near}")),
                            );
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// `get("name")` of a setting that no recipe has.
    fn setting(&mut self, call: &FnCallExpr) {
        if call.name != "get" || call.args.len() != 1 {
            return;
        }
        let Some(Expr::StringConstant(key, position)) = call.args.first() else {
            return;
        };
        if self.settings.contains(key.as_str()) {
            return;
        }
        let near = Suggestion::new(key, self.settings.iter().copied());
        self.problem(*position, Report::new(format!("no recipe has a setting `{key}`{near}")));
    }
}
