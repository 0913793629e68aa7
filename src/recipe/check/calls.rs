//! Calls that cannot work: unknown functions, wrong numbers of arguments, members that a host does not have.

use std::collections::{BTreeMap, HashMap, HashSet};

use rhai::{AST, ASTNode, Expr, FnCallExpr, Namespace, Position, Stmt};

use crate::event::{Report, Suggestion};
use crate::recipe::check::natives::{Counts, Kind, Natives};
use crate::recipe::draft::Declared;
use crate::recipe::sources::Source;

/// Functions that the language itself knows, or that any value may have.
const BUILT_IN: [&str; 10] =
    ["Fn", "call", "curry", "print", "debug", "type_of", "is_def_var", "is_def_fn", "is_shared", "tag"];

type Functions = BTreeMap<String, Counts>;

/// One file under check.
struct File<'a> {
    source: &'a Source,
    natives: &'a Natives,
    own: Functions,
    /// The functions of its imports, by alias; `None` for one that could not be loaded.
    imports: BTreeMap<String, Option<Functions>>,
    /// Of all recipes; `None` while they are not all known.
    settings: Option<&'a HashSet<&'a str>>,
    /// By convention `host` is a host, unless the file gives the name to something else.
    has_own_host: bool,
    /// Calls whose receiver is known, and that were looked at with it.
    seen: HashSet<Position>,
    problems: Vec<Report>,
}

/// Looks at every call of every file. Settings are left out if a file could not be evaluated to its end.
pub fn check(natives: &Natives, declared: &Declared, trees: &[(Source, AST)], is_whole: bool) -> Vec<Report> {
    let functions: HashMap<&str, Functions> =
        trees.iter().map(|(source, ast)| (source.name.as_str(), functions_of(ast))).collect();
    let settings: HashSet<&str> = declared.settings.keys().map(String::as_str).collect();
    let mut problems = Vec::new();
    for (source, ast) in trees {
        let mut file = File {
            source,
            natives,
            own: functions_of(ast),
            imports: BTreeMap::new(),
            settings: is_whole.then_some(&settings),
            has_own_host: false,
            seen: HashSet::new(),
            problems: Vec::new(),
        };
        file.statements(ast, declared, &functions);
        ast.walk(&mut |path: &[ASTNode]| {
            match path.last() {
                Some(ASTNode::Expr(expr)) => file.expression(expr),
                Some(ASTNode::Stmt(Stmt::FnCall(call, position))) => file.call(call, *position),
                _ => {}
            }
            true
        });
        problems.append(&mut file.problems);
    }
    problems
}

fn functions_of(ast: &AST) -> Functions {
    let mut functions = Functions::new();
    for function in ast.iter_functions() {
        functions.entry(function.name.to_owned()).or_default().insert(function.params.len());
    }
    functions
}

/// "1 argument", "2 or 3 arguments".
fn arguments(counts: &Counts) -> String {
    let words: Vec<String> = counts.iter().map(usize::to_string).collect();
    let plural = if words == ["1"] { "argument" } else { "arguments" };
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

    /// What the file imports, and whether it has variables that are called `host`.
    fn statements(&mut self, ast: &AST, declared: &Declared, functions: &HashMap<&str, Functions>) {
        let is_import = |stmt: &&Stmt| matches!(stmt, Stmt::Import(..));
        let first: HashSet<Position> =
            ast.statements().iter().filter(is_import).map(Stmt::position).collect();
        let mut late = Vec::new();
        ast.walk(&mut |path: &[ASTNode]| {
            match path.last() {
                Some(ASTNode::Stmt(stmt @ Stmt::Import(import, _))) => {
                    if !first.contains(&stmt.position()) {
                        late.push(stmt.position());
                    }
                    if let Expr::StringConstant(said, _) = &import.0 {
                        let is_it = |(importer, path, _): &&(String, String, String)| {
                            *importer == self.source.name && path == said.as_str()
                        };
                        let target = declared.imports.iter().find(is_it);
                        let target = target.and_then(|(.., target)| functions.get(target.as_str()));
                        self.imports.insert(import.1.name.to_string(), target.cloned());
                    }
                }
                Some(ASTNode::Stmt(Stmt::Var(variable, ..))) if variable.0.name == "host" => {
                    self.has_own_host = true;
                }
                _ => {}
            }
            true
        });
        for position in late {
            self.problem(
                position,
                Report::new("an `import` stands at the top of a file, outside of everything"),
            );
        }
    }

    fn expression(&mut self, expr: &Expr) {
        match expr {
            Expr::FnCall(call, position) => self.call(call, *position),
            Expr::MethodCall(call, position) => self.method(call, *position),
            Expr::Dot(dot, ..) => {
                if let Some(kind) = self.kind(&dot.lhs) {
                    self.members(kind, &dot.rhs);
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
            self.imported(&call.namespace, name, n, position);
            return;
        }
        self.setting(call);
        let own = self.own.get(name);
        let native = self.natives.functions.get(name);
        if own.is_some_and(|own| own.contains(&n)) || native.is_some_and(|native| native.contains(&n)) {
            return;
        }
        let takes = |counts: &Counts| Report::new(format!("`{name}` takes {}, not {n}", arguments(counts)));
        let report = match (own, self.natives.globals.get(name), self.natives.has_method(name), native) {
            (Some(counts), ..) | (_, Some(counts), ..) => takes(counts),
            (_, _, Some((kind, _)), _) => {
                Report::new(format!("`{name}` is a method: write `{}.{name}(...)`", kind.example()))
            }
            (.., Some(counts)) => takes(counts),
            (None, None, None, None) => {
                let known = self.own.keys().chain(self.natives.globals.keys());
                let near = Suggestion::new(name, known.map(String::as_str));
                Report::new(format!("no function `{name}`{near}"))
            }
        };
        self.problem(position, report);
    }

    fn imported(&mut self, namespace: &Namespace, name: &str, n: usize, position: Position) {
        let alias = namespace.root();
        let functions = match self.imports.get(alias) {
            Some(Some(functions)) => functions,
            Some(None) => return,
            None if alias == "global" => return,
            None => {
                let near = Suggestion::new(alias, self.imports.keys().map(String::as_str)).to_string();
                let report = Report::new(format!("no import is called `{alias}`{near}"));
                self.problem(
                    namespace.position(),
                    match near.is_empty() {
                        true => report
                            .hint(format!("write `import \"{alias}\" as {alias};` at the top of the file")),
                        false => report,
                    },
                );
                return;
            }
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

    /// A method of a value whose type nobody knows.
    fn method(&mut self, call: &FnCallExpr, position: Position) {
        let (name, n) = (call.name.as_str(), call.args.len());
        let is_own = self.own.get(name).is_some_and(|counts| counts.contains(&n));
        if !is_word(name)
            || BUILT_IN.contains(&name)
            || self.seen.contains(&position)
            || is_own
            || self.natives.any_method(name, n)
        {
            return;
        }
        let report = if let Some((_, method)) = self.natives.has_method(name) {
            Report::new(format!("`{name}` takes {}, not {n}", arguments(&method.counts)))
        } else if self.natives.globals.contains_key(name) {
            Report::new(format!("`{name}` is no method: write `{name}(...)`"))
        } else if let Some(counts) = self.natives.functions.get(name) {
            let counts: Counts = counts.iter().filter_map(|n| n.checked_sub(1)).collect();
            Report::new(format!("`{name}` takes {}, not {n}", arguments(&counts)))
        } else {
            let known = self.natives.functions.keys().filter(|name| is_word(name));
            let near = Suggestion::new(name, known.map(String::as_str));
            Report::new(format!("no method `{name}`{near}"))
        };
        self.problem(position, report);
    }

    /// The type of an expression, if it is plain to see.
    fn kind(&self, expr: &Expr) -> Option<Kind> {
        match expr {
            Expr::Variable(variable, ..) if variable.1 == "host" && !self.has_own_host => Some(Kind::Host),
            Expr::FnCall(call, _)
                if call.namespace.is_empty() && !self.own.contains_key(call.name.as_str()) =>
            {
                match call.name.as_str() {
                    "hosts" => Some(Kind::Hosts),
                    "task" => Some(Kind::Task),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// What comes behind the dot of a value of that type, and behind the dots after it.
    fn members(&mut self, kind: Kind, rhs: &Expr) {
        match rhs {
            Expr::Dot(dot, ..) => {
                if let Some(next) = self.member(kind, &dot.lhs) {
                    self.members(next, &dot.rhs);
                }
            }
            Expr::Index(index, ..) => {
                self.member(kind, &index.lhs);
            }
            member => {
                self.member(kind, member);
            }
        }
    }

    /// Answers the type of the member's value.
    fn member(&mut self, kind: Kind, member: &Expr) -> Option<Kind> {
        let words = kind.words();
        match member {
            Expr::Property(property, position) => {
                let name = property.2.as_str();
                if self.natives.has_property(kind, name) {
                    return None;
                }
                let report = match self.natives.method(kind, name) {
                    Some(_) => {
                        Report::new(format!("`{name}` is a method: write `{}.{name}(...)`", kind.example()))
                    }
                    None => Report::new(format!("{words} has no `{name}`{}", self.near_member(kind, name))),
                };
                self.problem(*position, report);
            }
            Expr::MethodCall(call, position) => {
                self.setting(call);
                let (name, n) = (call.name.as_str(), call.args.len());
                if !is_word(name) || BUILT_IN.contains(&name) {
                    return None;
                }
                self.seen.insert(*position);
                let method = self.natives.method(kind, name);
                if let Some(method) = method.filter(|method| method.counts.contains(&n)) {
                    return method.returns;
                }
                if self.own.get(name).is_some_and(|counts| counts.contains(&n)) {
                    return None;
                }
                let report = if let Some(method) = method {
                    Report::new(format!("`{name}` takes {}, not {n}", arguments(&method.counts)))
                } else if self.natives.has_property(kind, name) {
                    Report::new(format!("`{name}` is no method: write `{}.{name}`", kind.example()))
                } else if self.natives.globals.contains_key(name) {
                    Report::new(format!("{words} has no method `{name}`: write `{name}(...)`"))
                } else if kind == Kind::Hosts && self.natives.method(Kind::Host, name).is_some() {
                    Report::new(format!("{words} has no method `{name}`: a host has"))
                        .hint(format!("write `for host in hosts() {{ host.{name}(...); }}`"))
                } else {
                    let near = self.near_member(kind, name);
                    Report::new(format!("{words} has no method `{name}`{near}"))
                };
                self.problem(*position, report);
            }
            _ => {}
        }
        None
    }

    fn near_member(&self, kind: Kind, name: &str) -> String {
        Suggestion::new(name, self.natives.members(kind)).to_string()
    }

    /// `get("name")` of a setting that no recipe has.
    fn setting(&mut self, call: &FnCallExpr) {
        let Some(settings) = self.settings.filter(|_| call.name == "get" && call.args.len() == 1) else {
            return;
        };
        let Some(Expr::StringConstant(key, position)) = call.args.first() else {
            return;
        };
        if !settings.contains(key.as_str()) {
            let near = Suggestion::new(key, settings.iter().copied());
            self.problem(*position, Report::new(format!("no recipe has a setting `{key}`{near}")));
        }
    }
}
