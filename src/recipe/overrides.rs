//! Finds declarations in files that do not import each other: neither overrides the other, so the order of imports would
//! decide. The report has the lines that combine them.

use std::collections::{HashMap, HashSet};

use rhai::{AST, ASTNode, Dynamic, Expr, Stmt};

use crate::event::{Excerpt, Report};
use crate::recipe::closure::is_closure;
use crate::recipe::draft::{Content, Declaration, Declared};
use crate::recipe::sources::RecipeSource;

/// A report for each setting, task and flow that files declare without one overriding the others.
pub fn conflicts(declared: &Declared, trees: &[(RecipeSource, AST)]) -> Vec<Report> {
    let Some((root, ast)) = trees.iter().find(|(source, _)| !source.is_stdlib()) else {
        return Vec::new();
    };
    let imports = imports_of(declared, root, ast);
    let mut reports = Vec::new();
    let mut seen = HashSet::new();
    for first in &declared.declarations {
        if !seen.insert((first.kind, &first.name)) {
            continue;
        }
        let all = declared.declarations.iter().filter(|d| (d.kind, &d.name) == (first.kind, &first.name));
        let all: Vec<&Declaration> = all.collect();
        let is_final = |one: &&&Declaration| {
            !all.iter().any(|other| other.file != one.file && declared.overrides(&other.file, &one.file))
        };
        let last: Vec<&Declaration> = all.iter().filter(is_final).copied().collect();
        let files: HashSet<&str> = last.iter().map(|declaration| declaration.file.as_str()).collect();
        if files.len() > 1 {
            reports.push(conflict(&last, root, &imports));
        }
    }
    reports
}

/// The imports of the recipe itself: the alias and the place of each file.
fn imports_of(declared: &Declared, root: &RecipeSource, ast: &AST) -> HashMap<String, (String, Excerpt)> {
    let mut imports = HashMap::new();
    ast.walk(&mut |path: &[ASTNode]| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last()
            && let Expr::StringConstant(said, position) = &import.0
        {
            let found =
                declared.imports.iter().find(|(file, path, _)| *file == root.name && path == said.as_str());
            let (line, column) = (position.line().unwrap_or(1), position.position().unwrap_or(1));
            let place = root.excerpt(line, column);
            imports.extend(found.map(|(.., target)| (target.clone(), (import.1.name.to_string(), place))));
        }
        true
    });
    imports
}

fn conflict(
    last: &[&Declaration],
    root: &RecipeSource,
    imports: &HashMap<String, (String, Excerpt)>,
) -> Report {
    let first = last[0];
    let (kind, name) = (first.kind, &first.name);
    let files: Vec<String> = last.iter().map(|d| format!("`{}`", d.file)).collect();
    let said = if kind == "setting" { "set" } else { "declared" };
    let report = Report::new(format!("{kind} `{name}` is {said} in {}", files.join(" and in ")));
    // The import is what the user can change, unless the recipe does not import the file itself.
    let later = last[last.len() - 1];
    let place = imports.get(&later.file).map_or(&later.place, |(_, place)| place);
    let report = last.iter().fold(report.at(place.clone()), |report, declaration| {
        report.note(format!("{said} at {}", declaration.place.place))
    });
    let report = report.note("these files do not import each other, so neither overrides the other");
    let alias =
        |d: &&&Declaration| imports.get(&d.file).map(|(alias, _)| alias.as_str()).filter(|a| !a.is_empty());
    match last.iter().map(|d| alias(&d)).collect::<Option<Vec<_>>>() {
        Some(aliases) => combined(report, last, &aliases, &root.name),
        None => {
            report.hint(format!("import these files in `{}` and declare {kind} `{name}` there", root.name))
        }
    }
}

/// Adds the lines that combine declarations.
fn combined(report: Report, last: &[&Declaration], aliases: &[&str], root: &str) -> Report {
    let name = &last[0].name;
    let lines = match last[0].kind {
        "task" => task_lines(name, last, aliases),
        "setting" => setting_line(name, last),
        kind => return report.hint(format!("declare {kind} `{name}` in `{root}`, too")),
    };
    let closures = last.iter().filter(|d| matches!(&d.content, Content::Function(f, _) if is_closure(f)));
    let report = match last[0].kind {
        "task" => closures.fold(report, |report, d| {
            report.note(format!("give the function in `{}` a name first: `fn {}(...)`", d.file, word(name)))
        }),
        _ => report,
    };
    report.hint(format!("combine them in `{root}`:\n    {}", lines.replace('\n', "\n    ")))
}

/// A name that functions can have.
fn word(name: &str) -> String {
    name.replace(|c: char| !c.is_alphanumeric(), "_")
}

fn task_lines(name: &str, last: &[&Declaration], aliases: &[&str]) -> String {
    let functions: Vec<(&str, String, usize)> = last
        .iter()
        .zip(aliases)
        .filter_map(|(declaration, alias)| match &declaration.content {
            Content::Function(function, n) if is_closure(function) => Some((*alias, word(name), *n)),
            Content::Function(function, n) => Some((*alias, function.clone(), *n)),
            _ => None,
        })
        .collect();
    let Some((_, _, n)) = functions.first() else {
        return format!("task({name:?});");
    };
    if functions.iter().all(|(.., other)| other == n) {
        let (parameter, argument) = if *n == 0 { ("||", "") } else { ("|host|", "host") };
        let call =
            |(alias, function, _): &(&str, String, usize)| format!("    {alias}::{function}({argument});\n");
        let calls: String = functions.iter().map(call).collect();
        return format!("task({name:?}, {parameter} {{\n{calls}}});");
    }
    // One runs here and one on hosts: they stay two tasks.
    let (alias, function, _) = &functions[0];
    let mut lines = format!("task({name:?}, |{}| {alias}::{function}({}));", parameter(*n), parameter(*n));
    for (alias, function, n) in &functions[1..] {
        let other = format!("{alias}_{}", word(name));
        let host = parameter(*n);
        lines +=
            &format!("\ntask({other:?}, |{host}| {alias}::{function}({host}));\nafter({name:?}, {other:?});");
    }
    lines
}

fn parameter(n: usize) -> &'static str {
    if n == 0 { "" } else { "host" }
}

/// Lists are joined; of other values, the last one is proposed.
fn setting_line(name: &str, last: &[&Declaration]) -> String {
    let values: Vec<&Dynamic> = last
        .iter()
        .filter_map(|declaration| match &declaration.content {
            Content::Value(value) => Some(value),
            _ => None,
        })
        .collect();
    let mut items: Vec<String> = Vec::new();
    for list in values.iter().filter_map(|value| value.read_lock::<rhai::Array>()) {
        for item in list.iter().map(|item| format!("{item:?}")) {
            if !items.contains(&item) {
                items.push(item);
            }
        }
    }
    let value = match values.last() {
        Some(value) if value.is_array() => format!("[{}]", items.join(", ")),
        Some(value) => format!("{value:?}"),
        None => "...".to_owned(),
    };
    format!("set({name:?}, {value});")
}
