//! One file of a recipe under check: what its functions, imports and variables are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use rhai::{AST, ASTNode, Expr, FnAccess, Position, Stmt};

use crate::event::{Excerpt, Report};
use crate::recipe::check::natives::{ArgumentCounts, Natives};
use crate::recipe::check::shapes::shapes;
use crate::recipe::draft::Declared;
use crate::recipe::literal::LiteralType;
use crate::recipe::sources::RecipeSource;

pub(super) type Functions = BTreeMap<String, ArgumentCounts>;

/// One file under check.
pub(super) struct File<'a> {
    pub(super) source: &'a RecipeSource,
    pub(super) natives: &'a Natives,
    pub(super) own: Functions,
    /// The functions of its imports, by alias; `None` for one that could not be loaded.
    pub(super) imports: BTreeMap<String, Option<Functions>>,
    /// The private functions of its imports, by alias.
    pub(super) private: HashSet<(String, String)>,
    /// The settings of all recipes; `None` if not all of them are known.
    pub(super) settings: Option<&'a HashSet<&'a str>>,
    /// By convention, a variable `host` is a host, unless the file declares one itself.
    pub(super) has_own_host: bool,
    /// Names of properties and of keys of tables. Their values may be functions, which are called like methods.
    pub(super) keys: HashSet<String>,
    /// Calls that have been checked already, because the type of the receiver is known.
    pub(super) seen: HashSet<Position>,
    /// The names of all tasks.
    pub(super) tasks: HashSet<&'a str>,
    /// The types of the variables that are always a literal of one type.
    pub(super) shapes: HashMap<String, LiteralType>,
    /// What local paths are relative to.
    pub(super) directory: &'a Path,
    pub(super) problems: Vec<Report>,
}

pub(super) fn functions_of(ast: &AST) -> Functions {
    let mut functions = Functions::new();
    for function in ast.iter_functions() {
        functions.entry(function.name.to_owned()).or_default().insert(function.params.len());
    }
    functions
}

pub(super) fn private_of(ast: &AST) -> Vec<String> {
    let private = ast.iter_functions().filter(|function| function.access == FnAccess::Private);
    private.map(|function| function.name.to_owned()).collect()
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

impl<'a> File<'a> {
    pub(super) fn new(
        source: &'a RecipeSource,
        ast: &AST,
        natives: &'a Natives,
        declared: &'a Declared,
        directory: &'a Path,
    ) -> Self {
        Self {
            source,
            natives,
            own: functions_of(ast),
            imports: BTreeMap::new(),
            private: HashSet::new(),
            settings: None,
            has_own_host: false,
            keys: HashSet::new(),
            seen: HashSet::new(),
            tasks: declared.tasks.keys().map(String::as_str).collect(),
            shapes: shapes(ast),
            directory,
            problems: Vec::new(),
        }
    }
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
    pub(super) fn statements(
        &mut self,
        ast: &AST,
        declared: &Declared,
        functions: &HashMap<&str, Functions>,
        private: &HashMap<&str, Vec<String>>,
    ) {
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
                        let target = declared.imports.iter().find(is_it).map(|(.., file)| file.as_str());
                        self.import(&import.1.name, target, functions, private);
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

    fn import(
        &mut self,
        alias: &str,
        target: Option<&str>,
        functions: &HashMap<&str, Functions>,
        private: &HashMap<&str, Vec<String>>,
    ) {
        let hidden = target.and_then(|file| private.get(file)).into_iter().flatten();
        self.private.extend(hidden.map(|name| (alias.to_owned(), name.clone())));
        let functions = target.and_then(|file| functions.get(file)).cloned();
        self.imports.insert(alias.to_owned(), functions);
    }
}
