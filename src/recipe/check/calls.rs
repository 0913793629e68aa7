//! Finds calls that cannot work: unknown functions, wrong numbers of arguments.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use rhai::{AST, ASTNode, Expr, FnCallExpr, Namespace, Position, Stmt};

use crate::event::{Excerpt, Report, Suggestion};
use crate::recipe::check::natives::{ArgumentCounts, Natives, Receiver};
use crate::recipe::draft::Declared;
use crate::recipe::foreign;
use crate::recipe::sources::RecipeSource;

/// Functions of the language itself, and methods that any value has.
pub(super) const BUILT_IN: [&str; 10] =
    ["Fn", "call", "curry", "print", "debug", "type_of", "is_def_var", "is_def_fn", "is_shared", "tag"];

type Functions = BTreeMap<String, ArgumentCounts>;

/// One file under check.
pub(super) struct File<'a> {
    pub(super) source: &'a RecipeSource,
    pub(super) natives: &'a Natives,
    pub(super) own: Functions,
    /// The functions of its imports, by alias; `None` for one that could not be loaded.
    imports: BTreeMap<String, Option<Functions>>,
    /// The settings of all recipes; `None` if not all of them are known.
    settings: Option<&'a HashSet<&'a str>>,
    /// By convention, a variable `host` is a host, unless the file declares one itself.
    pub(super) has_own_host: bool,
    /// Names of properties and of keys of tables. Their values may be functions, which are called like methods.
    pub(super) keys: HashSet<String>,
    /// Calls that have been checked already, because the type of the receiver is known.
    pub(super) seen: HashSet<Position>,
    /// The names of all tasks.
    pub(super) tasks: HashSet<&'a str>,
    /// What local paths are relative to.
    pub(super) directory: &'a Path,
    problems: Vec<Report>,
}

/// Checks every call in every file. Names of settings are left out if a file could not be evaluated to its end.
pub fn check(
    natives: &Natives,
    declared: &Declared,
    trees: &[(RecipeSource, AST)],
    directory: &Path,
    is_whole: bool,
) -> Vec<Report> {
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
            keys: HashSet::new(),
            seen: HashSet::new(),
            tasks: declared.tasks.keys().map(String::as_str).collect(),
            directory,
            problems: Vec::new(),
        };
        file.statements(ast, declared, &functions);
        ast.walk(&mut |path: &[ASTNode]| {
            match path.last() {
                Some(ASTNode::Expr(expr)) => file.expression(expr),
                Some(ASTNode::Stmt(Stmt::FnCall(call, position))) => file.call(call, *position),
                _ => {}
            }
            file.value_of(path);
            file.meaning(path);
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

/// The keys of a table literal.
pub(super) fn keys_of(expr: &Expr) -> Vec<String> {
    match expr {
        Expr::Map(map, _) => map.0.iter().map(|(key, _)| key.name.to_string()).collect(),
        Expr::DynamicConstant(value, _) => match value.read_lock::<rhai::Map>() {
            Some(map) => map.keys().map(ToString::to_string).collect(),
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// "1 argument", "2 or 3 arguments".
pub(super) fn arguments(counts: &ArgumentCounts) -> String {
    let words: Vec<String> = counts.iter().map(usize::to_string).collect();
    let plural = if words == ["1"] { "argument" } else { "arguments" };
    format!("{} {plural}", words.join(" or "))
}

/// An unknown name: what other tools mean by it, else what is near.
pub(super) fn unknown(what: &str, name: &str, near: Suggestion) -> Report {
    match foreign::name(name) {
        Some(hint) => Report::new(format!("{what} `{name}`")).hint(hint),
        None => Report::new(format!("{what} `{name}`{near}")),
    }
}

pub(super) fn is_word(name: &str) -> bool {
    name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_') && !name.contains('$')
}

impl File<'_> {
    pub(super) fn problem(&mut self, position: Position, report: Report) {
        let line = position.line().unwrap_or(1);
        let column = position.position().unwrap_or(1);
        self.problem_at(self.source.excerpt(line, column), report);
    }

    pub(super) fn problem_at(&mut self, place: Excerpt, report: Report) {
        let report = report.at(place);
        if !self.problems.contains(&report) {
            self.problems.push(report);
        }
    }

    /// Collects the imports and the keys of the file, and whether it declares a variable `host`.
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
                Some(ASTNode::Expr(Expr::Property(property, _))) => {
                    self.keys.insert(property.2.to_string());
                }
                Some(ASTNode::Expr(expr)) => self.keys.extend(keys_of(expr)),
                _ => {}
            }
            true
        });
        for position in late {
            self.problem(position, Report::new("an `import` must be at the top level of a file"));
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
        if name != "Fn" && (call.is_operator_call() || !is_word(name) || BUILT_IN.contains(&name)) {
            return;
        }
        if name == "Fn" {
            let report = Report::new("a function cannot be named by a text: recipes cannot use `Fn`");
            self.problem(
                position,
                report.hint("write the function itself, or a closure: `|host| build(host)`"),
            );
            return;
        }
        if name == "exit" {
            self.problem(
                position,
                Report::new("recipes cannot use `exit`").hint("use `return;` to end a function"),
            );
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
        if own.is_some_and(|own| own.contains(&n)) {
            return;
        }
        if native.is_some_and(|native| native.contains(&n)) {
            return self.arguments(Receiver::None, call);
        }
        let takes =
            |counts: &ArgumentCounts| Report::new(format!("`{name}` takes {}, not {n}", arguments(counts)));
        let report = match (own, self.natives.globals.get(name), self.natives.has_method(name), native) {
            (Some(counts), ..) | (_, Some(counts), ..) => takes(counts),
            (_, _, Some((kind, _)), _) => {
                Report::new(format!("`{name}` is a method: write `{}.{name}(...)`", kind.example()))
            }
            (.., Some(counts)) => takes(counts),
            (None, None, None, None) => {
                let known = self.own.keys().chain(self.natives.globals.keys());
                unknown("no function", name, Suggestion::new(name, known.map(String::as_str)))
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
                let report = Report::new(format!("no import named `{alias}`{near}"));
                self.problem(
                    namespace.position(),
                    match near.is_empty() {
                        true => report
                            .hint(format!("add `import \"{alias}\" as {alias};` at the top of the file")),
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

    /// Reports `get("name")` of an unknown setting.
    pub(super) fn setting(&mut self, call: &FnCallExpr) {
        let Some(settings) = self.settings.filter(|_| call.name == "get" && call.args.len() == 1) else {
            return;
        };
        let Some(Expr::StringConstant(key, position)) = call.args.first() else {
            return;
        };
        if !settings.contains(key.as_str()) {
            let near = Suggestion::new(key, settings.iter().copied());
            self.problem(*position, Report::new(format!("unknown setting `{key}`{near}")));
        }
    }
}
