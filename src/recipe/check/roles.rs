//! Checks roles: those that recipes name must exist in `runner.toml`, and a task that runs once must have a host.

use std::collections::BTreeSet;

use rhai::{AST, ASTNode, Expr};

use crate::event::{Excerpt, Report, Suggestion};
use crate::host::Stage;
use crate::recipe::draft::{Declared, TaskDraft};
use crate::recipe::sources::RecipeSource;

/// A role that a recipe names, and where.
struct Named {
    role: String,
    place: Option<Excerpt>,
}

/// Checks the roles of a recipe against `all` stages; a task that runs once needs a host in each of `used`.
pub fn check(
    declared: &Declared,
    trees: &[(RecipeSource, AST)],
    all: &[Stage],
    used: &[&Stage],
) -> Vec<Report> {
    if all.is_empty() {
        return Vec::new();
    }
    let tasks: Vec<_> = declared.tasks.iter().filter(|(name, _)| !is_removed(declared, name)).collect();
    let of_tasks = tasks
        .iter()
        .filter_map(|(_, task)| Some(Named { role: task.role.clone()?, place: task.role_place.clone() }));
    let named: Vec<Named> =
        of_tasks.chain(trees.iter().flat_map(|(source, ast)| of_sets(source, ast))).collect();
    let listed = listed(all);
    let mut problems: Vec<Report> = named.iter().filter_map(|named| unknown(named, all, &listed)).collect();
    if problems.is_empty() {
        for stage in used {
            problems.extend(tasks.iter().filter_map(|(name, task)| without_host(name, task, stage)));
        }
    }
    let texts = texts(trees);
    let roles = named.iter().map(|named| named.role.as_str());
    let named: BTreeSet<&str> = roles.filter(|role| listed.contains(role)).collect();
    problems.extend(all.iter().flat_map(|stage| misspelt(stage, &named, &texts)));
    problems
}

fn is_removed(declared: &Declared, task: &str) -> bool {
    declared.removed.iter().any(|removal| removal.task == task)
}

/// The roles that hosts list.
fn listed(stages: &[Stage]) -> BTreeSet<&str> {
    let hosts = stages.iter().flat_map(|stage| &stage.hosts);
    hosts.flat_map(|host| host.roles.iter().flatten()).map(String::as_str).collect()
}

fn list(roles: &BTreeSet<&str>) -> String {
    roles.iter().map(|role| format!("`{role}`")).collect::<Vec<_>>().join(", ")
}

/// A similar name. Names that differ only in their digits, such as `web1` and `web2`, are meant to be different.
fn near(role: &str, known: &BTreeSet<&str>) -> String {
    let letters = |name: &str| name.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    let others = known.iter().copied().filter(|other| letters(other) != letters(role));
    Suggestion::new(role, others).to_string()
}

/// A host that lists no roles has every role, so a role that no host lists can be intended. But one that is almost a
/// listed role is a typo.
fn unknown(named: &Named, stages: &[Stage], listed: &BTreeSet<&str>) -> Option<Report> {
    let role = named.role.as_str();
    let near = near(role, listed);
    let has_host = stages.iter().any(|stage| stage.hosts.iter().any(|host| host.has_role(role)));
    if listed.contains(role) || (has_host && near.is_empty()) {
        return None;
    }
    let report = Report::new(format!("no host of any stage has the role `{role}`{near}"));
    let mut report = match listed.is_empty() {
        true => report.note("the hosts have no roles"),
        false => report.note(format!("roles in `runner.toml`: {}", list(listed))),
    };
    if near.is_empty() {
        report = report.hint(format!("add the role to a host in `runner.toml`: `roles = [\"{role}\"]`"));
    }
    report.excerpt = named.place.clone();
    Some(report)
}

/// A task that runs once and has no host would never run, and what it does is usually essential.
fn without_host(name: &str, task: &TaskDraft, stage: &Stage) -> Option<Report> {
    let role = task.role.as_deref().filter(|_| task.is_once && task.body.is_some())?;
    if stage.hosts.iter().any(|host| host.has_role(role)) {
        return None;
    }
    let mut report = Report::new(format!(
        "task `{name}` would never run: no host of stage `{}` has the role `{role}`",
        stage.name
    ))
    .hint(format!("add the role to a host of the stage: `roles = [\"{role}\"]`"));
    report.excerpt = task.role_place.clone();
    Some(report)
}

/// The roles of a stage that no recipe mentions, and that resemble one that a recipe names.
fn misspelt(stage: &Stage, named: &BTreeSet<&str>, texts: &BTreeSet<String>) -> Vec<Report> {
    let mut problems = Vec::new();
    for host in &stage.hosts {
        for (role, place) in host.roles.iter().flatten().zip(&host.places.roles) {
            let near = near(role, named);
            if !texts.contains(role) && !near.is_empty() {
                problems
                    .push(Report::new(format!("no recipe uses the role `{role}`{near}")).at(place.clone()));
            }
        }
    }
    problems
}

/// The roles that scripts give to sets of hosts: `hosts().on("web")`. Those of tasks are known from their declarations.
fn of_sets(source: &RecipeSource, ast: &AST) -> Vec<Named> {
    let mut named = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        if let Some(ASTNode::Expr(Expr::MethodCall(call, _))) = path.last()
            && call.name == "on"
            && let [Expr::StringConstant(role, position)] = call.args.as_slice()
            && !path.iter().any(is_of_task)
        {
            let (line, column) = (position.line().unwrap_or(1), position.position().unwrap_or(1));
            named.push(Named { role: role.to_string(), place: Some(source.excerpt(line, column)) });
        }
        true
    });
    named
}

/// Whether this is a chain that begins with `task(...)`.
fn is_of_task(node: &ASTNode) -> bool {
    let ASTNode::Expr(Expr::Dot(dot, ..)) = node else { return false };
    matches!(&dot.lhs, Expr::FnCall(call, _) if call.name == "task")
}

/// All texts in the recipes: a script may compare a role with `host.roles`.
fn texts(trees: &[(RecipeSource, AST)]) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    for (_, ast) in trees {
        ast.walk(&mut |path: &[ASTNode]| {
            if let Some(ASTNode::Expr(Expr::StringConstant(text, _))) = path.last() {
                texts.insert(text.to_string());
            }
            true
        });
    }
    texts
}
