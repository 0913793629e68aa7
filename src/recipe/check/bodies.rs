//! Checks the bodies of tasks as wholes: what they declare, which properties of an outcome or a failure they read, and
//! whether a flow does what its primitives need before it needs it.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};

use crate::event::{Report, Suggestion};
use crate::recipe::check::natives::{Natives, ValueKind};
use crate::recipe::outcome;
use crate::recipe::sources::RecipeSource;
use crate::recipe::world::World;

/// Functions that only declare.
const DECLARING: [&str; 10] =
    ["set", "add", "task", "flow", "before", "after", "remove", "desc", "on_success", "on_failure"];

/// What a primitive needs to have been called before, and the shipped task that does it.
const NEEDS: [(&str, &str, &str); 8] = [
    ("create_release", "lock", "lock"),
    ("fill", "create_release", "release"),
    ("link_shared", "create_release", "release"),
    ("writable", "create_release", "release"),
    ("seal", "create_release", "release"),
    ("swap", "seal", "seal"),
    ("prune", "lock", "lock"),
    ("rollback", "lock", "lock"),
];

/// A function of a recipe.
pub struct FunctionBody<'a> {
    pub source: &'a RecipeSource,
    params: Vec<String>,
    /// The functions and methods that it calls, each with a place.
    pub calls: Vec<(String, Position)>,
    /// Its loops, outermost first, and whether each of them has an end: one over a list does.
    pub loops: Vec<(Position, bool)>,
    /// The secrets that it reads by a literal name.
    pub secrets: Vec<SecretRead>,
    /// The settings that it reads by a literal name.
    pub settings: Vec<String>,
    returns: Vec<Position>,
    /// The properties that it reads of a variable.
    reads: Vec<(String, String, Position)>,
    /// The properties that it reads of a caught error.
    caught: Vec<(String, Position)>,
}

/// `secret("NAME")` in a function.
pub struct SecretRead {
    pub name: String,
    pub at: Position,
    /// Whether each call of the function reads it.
    pub is_certain: bool,
}

/// The bodies of all files, by the name of the function. The name of a closure is unique.
pub struct Bodies<'a>(BTreeMap<String, Vec<FunctionBody<'a>>>);

pub fn check(world: &World, trees: &[(RecipeSource, AST)], natives: &Natives) -> Vec<Report> {
    let bodies = Bodies::of(trees);
    let mut problems = declaring(world, &bodies);
    problems.extend(unknown_properties(world, &bodies, natives));
    problems.extend(missing_steps(world, &bodies));
    problems
}

impl<'a> Bodies<'a> {
    pub fn of(trees: &'a [(RecipeSource, AST)]) -> Self {
        let mut all: BTreeMap<String, Vec<FunctionBody>> = BTreeMap::new();
        for (source, ast) in trees {
            let mut own: Vec<(Position, Position, String, FunctionBody)> = Vec::new();
            for (_, _, name, _, function) in ast.shared_lib().iter_script_fn_info() {
                let params = function.params.iter().map(ToString::to_string).collect();
                let body = FunctionBody::new(source, params);
                let (start, end) = (function.body.start_position(), function.body.end_position());
                own.push((start, end, name.to_string(), body));
            }
            ast.walk(&mut |path: &[ASTNode]| {
                let Some(ASTNode::Stmt(root)) = path.first() else { return true };
                let at = root.position();
                // The innermost function. The body of a closure without braces is one statement, and has no end.
                let is_in = |start: Position, end: Position| match end.is_none() {
                    true => at == start,
                    false => start <= at && at <= end,
                };
                let around = own.iter_mut().filter(|(start, end, ..)| is_in(*start, *end));
                if let Some((.., body)) = around.max_by_key(|(start, ..)| *start) {
                    body.node(path);
                }
                true
            });
            for (.., name, body) in own {
                all.entry(name).or_default().push(body);
            }
        }
        Self(all)
    }

    pub fn named(&self, name: &str) -> impl Iterator<Item = &FunctionBody<'a>> {
        self.0.get(name).into_iter().flatten()
    }

    /// All functions with their names.
    pub fn all(&self) -> impl Iterator<Item = (&String, &FunctionBody<'a>)> {
        self.0.iter().flat_map(|(name, bodies)| bodies.iter().map(move |body| (name, body)))
    }

    /// The functions that a function calls, itself or through others.
    pub fn reached(&self, name: &str, into: &mut BTreeSet<String>) {
        for (call, _) in self.named(name).flat_map(|body| &body.calls) {
            if into.insert(call.clone()) {
                self.reached(call, into);
            }
        }
    }
}

impl<'a> FunctionBody<'a> {
    fn new(source: &'a RecipeSource, params: Vec<String>) -> Self {
        Self {
            source,
            params,
            calls: Vec::new(),
            loops: Vec::new(),
            secrets: Vec::new(),
            settings: Vec::new(),
            returns: Vec::new(),
            reads: Vec::new(),
            caught: Vec::new(),
        }
    }

    fn node(&mut self, path: &[ASTNode]) {
        match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, at) | Expr::MethodCall(call, at))) => {
                self.call(path, call, *at)
            }
            Some(ASTNode::Stmt(Stmt::FnCall(call, at))) => self.call(path, call, *at),
            Some(ASTNode::Stmt(Stmt::While(_, at) | Stmt::Do(_, _, at))) => self.loops.push((*at, false)),
            Some(ASTNode::Stmt(Stmt::For(_, at))) => self.loops.push((*at, true)),
            Some(ASTNode::Stmt(Stmt::Return(_, _, at))) => self.returns.push(*at),
            // A closure is called by whoever it is passed to.
            Some(ASTNode::Expr(Expr::DynamicConstant(value, at))) if value.is_fnptr() => {
                if let Some(function) = value.read_lock::<rhai::FnPtr>() {
                    self.calls.push((function.fn_name().to_owned(), *at));
                }
            }
            Some(ASTNode::Expr(Expr::Dot(dot, ..))) => {
                let first = match &dot.rhs {
                    Expr::Dot(inner, ..) | Expr::Index(inner, ..) => &inner.lhs,
                    rhs => rhs,
                };
                if let (Expr::Variable(variable, ..), Expr::Property(property, at)) = (&dot.lhs, first) {
                    self.read(path, variable.1.as_str(), property.2.as_str(), *at);
                }
            }
            _ => {}
        }
    }

    fn call(&mut self, path: &[ASTNode], call: &FnCallExpr, at: Position) {
        self.calls.push((call.name.to_string(), at));
        let [Expr::StringConstant(name, _)] = call.args.as_slice() else { return };
        match call.name.as_str() {
            "secret" => {
                let is_certain =
                    self.returns.is_empty() && !path[..path.len() - 1].iter().any(may_be_skipped);
                self.secrets.push(SecretRead { name: name.to_string(), at, is_certain });
            }
            "get" => self.settings.push(name.to_string()),
            _ => {}
        }
    }

    fn read(&mut self, path: &[ASTNode], variable: &str, property: &str, at: Position) {
        let is_caught = path.iter().any(|node| match node {
            ASTNode::Stmt(Stmt::TryCatch(flow, _)) => {
                matches!(&flow.expr, Expr::Variable(caught, ..) if caught.1 == variable)
            }
            _ => false,
        });
        match is_caught {
            true => self.caught.push((property.to_owned(), at)),
            false => self.reads.push((variable.to_owned(), property.to_owned(), at)),
        }
    }

    pub fn problem(&self, at: Position, report: Report) -> Report {
        report.at(self.source.excerpt(at.line().unwrap_or(1), at.position().unwrap_or(1)))
    }
}

/// Whether a statement or an expression may leave out what is in it.
fn may_be_skipped(node: &ASTNode) -> bool {
    match node {
        ASTNode::Stmt(stmt) => matches!(
            stmt,
            Stmt::If(..) | Stmt::Switch(..) | Stmt::While(..) | Stmt::For(..) | Stmt::TryCatch(..)
        ),
        ASTNode::Expr(expr) => matches!(expr, Expr::And(..) | Expr::Or(..) | Expr::Coalesce(..)),
        _ => false,
    }
}

/// Declarations in the function of a task.
fn declaring(world: &World, bodies: &Bodies) -> Vec<Report> {
    let tasks = world.declared.tasks.values();
    let functions = tasks.filter_map(|task| task.body.as_ref()).map(|body| (body.name(), body.source()));
    let mut problems = Vec::new();
    for (name, file) in functions {
        for body in bodies.named(name).filter(|body| body.source.name == file) {
            for (call, at) in body.calls.iter().filter(|(call, _)| DECLARING.contains(&call.as_str())) {
                // `add` and `remove` are methods, too.
                if !["add", "remove"].contains(&call.as_str()) {
                    let report = Report::new(format!("`{call}` cannot be called in a task"));
                    problems.push(body.problem(*at, report.hint("move it to the top level of the file")));
                }
            }
        }
    }
    problems
}

fn unknown_properties(world: &World, bodies: &Bodies, natives: &Natives) -> Vec<Report> {
    let mut problems = Vec::new();
    for notice in &world.declared.notices {
        for body in bodies.named(notice.function.name()) {
            let Some(outcome) = body.params.last() else { continue };
            let unknown = |property: &str| !outcome::KEYS.contains(&property);
            for (_, property, at) in
                body.reads.iter().filter(|(of, property, _)| of == outcome && unknown(property))
            {
                let near = Suggestion::new(property, outcome::KEYS);
                let message = format!("an outcome has no property `{property}`{near}");
                problems.push(body.problem(*at, Report::new(message)));
            }
        }
    }
    let known: Vec<&str> = natives.members(ValueKind::Failure).collect();
    for body in bodies.0.values().flatten() {
        for (property, at) in body.caught.iter().filter(|(property, _)| !known.contains(&property.as_str())) {
            // A script can throw a table of its own.
            let near = Suggestion::new(property, known.iter().copied()).to_string();
            if !near.is_empty() {
                let message = format!("a failure has no property `{property}`{near}");
                problems.push(body.problem(*at, Report::new(message)));
            }
        }
    }
    problems
}

/// Flows of the user in which a task calls a primitive before another has done what that needs.
fn missing_steps(world: &World, bodies: &Bodies) -> Vec<Report> {
    let Some(playbook) = world.playbook.get().and_then(|playbook| playbook.upgrade()) else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    for (name, flow) in &world.declared.flows {
        let mut done = BTreeSet::new();
        for task in playbook.order(name) {
            let mut here = BTreeSet::new();
            if let Some(function) = world.declared.tasks.get(&task).and_then(|task| task.body.as_ref()) {
                bodies.reached(function.name(), &mut here);
            }
            // What it performs may do anything.
            if here.contains("perform") {
                break;
            }
            let missing = NEEDS
                .iter()
                .find(|(act, need, _)| here.contains(*act) && !here.contains(*need) && !done.contains(*need));
            if let Some((act, _, by)) = missing {
                let place = flow.tasks.iter().position(|known| *known == task);
                let place = place.map_or(&flow.place, |n| &flow.task_places[n]);
                let message = format!(
                    "task `{task}` of flow `{name}` calls `{act}`, which needs the task `{by}` before it"
                );
                let report = Report::new(message).at(place.clone());
                problems.push(report.hint(format!("write `\"{by}\"` before `\"{task}\"` in the flow")));
                break;
            }
            done.extend(here);
        }
    }
    problems
}
