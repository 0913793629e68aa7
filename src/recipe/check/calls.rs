//! Finds calls that cannot work: unknown functions, wrong numbers of arguments.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use rhai::{AST, ASTNode, Expr, FnCallExpr, Namespace, Position, Stmt};

use crate::event::{Report, Suggestion};
use crate::recipe::check::file::{File, Functions, functions_of, private_of};
use crate::recipe::check::natives::{ArgumentCounts, Natives, Receiver};
use crate::recipe::draft::Declared;
use crate::recipe::foreign;
use crate::recipe::sources::RecipeSource;

/// Functions of the language itself, and methods that any value has.
pub(super) const BUILT_IN: [&str; 10] =
    ["Fn", "call", "curry", "print", "debug", "type_of", "is_def_var", "is_def_fn", "is_shared", "tag"];

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
    let private: HashMap<&str, Vec<String>> =
        trees.iter().map(|(source, ast)| (source.name.as_str(), private_of(ast))).collect();
    let settings: HashSet<&str> = declared.settings.keys().map(String::as_str).collect();
    let mut problems = Vec::new();
    for (source, ast) in trees {
        let mut file = File::new(source, ast, natives, declared, directory);
        file.settings = is_whole.then_some(&settings);
        file.statements(ast, declared, &functions, &private);
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
            let report = Report::new("recipes cannot use `Fn`");
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
            Some(_) if self.private.contains(&(alias.to_owned(), name.to_owned())) => {
                Report::new(format!("`{name}` of `{alias}` is private: only its own file can call it"))
                    .hint(format!("write `fn {name}` instead of `private fn {name}` in that file"))
            }
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
}
