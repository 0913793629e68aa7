//! The commands in a recipe: finds those that go on where a `cd` failed (`cd X; rm -rf cache`), and those that need sudo.

use std::collections::BTreeSet;

use rhai::{AST, ASTNode, Dynamic, Expr, FnCallExpr, Position, Stmt};

use crate::event::Report;
use crate::recipe::sources::RecipeSource;

/// Primitives that run a command.
const RUNNING: [&str; 4] = ["run", "output", "test", "local"];

pub fn remarks(trees: &[(RecipeSource, AST)]) -> Vec<Report> {
    let mut remarks = Vec::new();
    each_call(trees, |source, call| {
        if let Some((directory, at)) = ignored(call) {
            let place = source.excerpt(at.line().unwrap_or(1), at.position().unwrap_or(1));
            let message = format!("if `cd {directory}` fails, the rest of the command runs elsewhere");
            let cure = format!("write `cd {directory} && ...`, or use the option `cwd`");
            remarks.push(Report::new(message).at(place).hint(cure));
        }
    });
    remarks
}

/// The commands for hosts that begin with `sudo`, as far as they are constant.
pub fn with_sudo(trees: &[(RecipeSource, AST)]) -> BTreeSet<String> {
    let mut commands = BTreeSet::new();
    each_call(trees, |_, call| {
        let is_on_host = RUNNING.contains(&call.name.as_str()) && call.name != "local";
        if let Some(Expr::StringConstant(text, _)) = call.args.first().filter(|_| is_on_host)
            && text.trim().starts_with("sudo ")
            && call.args.get(1).is_none_or(|options| option(options, "user").is_none())
        {
            commands.insert(text.trim().to_owned());
        }
    });
    commands
}

/// The calls in files that are not shipped.
fn each_call(trees: &[(RecipeSource, AST)], mut act: impl FnMut(&RecipeSource, &FnCallExpr)) {
    for (source, ast) in trees.iter().filter(|(source, _)| !source.is_shipped()) {
        ast.walk(&mut |path: &[ASTNode]| {
            match path.last() {
                Some(ASTNode::Expr(Expr::MethodCall(call, _) | Expr::FnCall(call, _)))
                | Some(ASTNode::Stmt(Stmt::FnCall(call, _))) => act(source, call),
                _ => {}
            }
            true
        });
    }
}

/// The directory of the first `cd` whose failure a command ignores, and the place of the command.
fn ignored(call: &FnCallExpr) -> Option<(String, Position)> {
    let first = call.args.first().filter(|_| RUNNING.contains(&call.name.as_str()))?;
    let text = text_of(first)?;
    // A text of more than one line ends at the first failure.
    let may_go_on = call.args.get(1).is_some_and(|options| errexit(options) == Some(false));
    if text.trim().contains('\n') && !may_go_on || call.args.get(1).and_then(errexit) == Some(true) {
        return None;
    }
    Some((ignored_in(&text)?, first.start_position()))
}

/// The text of a literal, with `...` for what is computed.
fn text_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::StringConstant(text, _) => Some(text.to_string()),
        Expr::InterpolatedString(parts, _) => {
            let part = |part: &Expr| text_of(part).unwrap_or_else(|| "...".to_owned());
            Some(parts.iter().map(part).collect())
        }
        Expr::FnCall(call, _) if call.name == "+" && call.is_operator_call() => {
            let part = |part: &Expr| text_of(part).unwrap_or_else(|| "...".to_owned());
            Some(call.args.iter().map(part).collect())
        }
        _ => None,
    }
}

/// The option `errexit` of a table literal.
fn errexit(options: &Expr) -> Option<bool> {
    option(options, "errexit")?.as_bool().ok()
}

/// An option of a table literal; `()` if its value is computed.
fn option(options: &Expr, name: &str) -> Option<Dynamic> {
    match options {
        Expr::Map(map, _) => {
            let (_, value) = map.0.iter().find(|(key, _)| key.name == name)?;
            Some(value.get_literal_value(None).unwrap_or(Dynamic::UNIT))
        }
        Expr::DynamicConstant(value, _) => value.read_lock::<rhai::Map>()?.get(name).cloned(),
        _ => None,
    }
}

/// The directory of the first `cd` that a `;` or the end of the line follows, with more behind it.
fn ignored_in(text: &str) -> Option<String> {
    let (mut command, mut quote) = (String::new(), None);
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '\'' | '"') => quote = Some(c),
            None if matches!(c, ';' | '\n') => {
                let directory = command
                    .trim_start_matches(['(', '{', ' '])
                    .strip_prefix("cd ")
                    .map(|directory| directory.trim().to_owned());
                if let Some(directory) = directory.filter(|it| !it.contains(['&', '|']))
                    && !text[at + 1..].trim().is_empty()
                {
                    return Some(directory);
                }
                command.clear();
                continue;
            }
            None => {}
        }
        command.push(c);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cd_is_found_if_a_semicolon_follows_it() {
        for (text, want) in [
            ("cd /x; touch y", Some("/x")),
            ("  cd \"a;b\" ; ls", Some("\"a;b\"")),
            ("umask 027; cd web; ls", Some("web")),
            ("cd /x && touch y; ls", None),
            ("cd /x || exit 1; ls", None),
            ("cd /x;", None),
            ("echo 'cd /x; y'; ls", None),
            ("(cd /x; ls)", Some("/x")),
        ] {
            assert_eq!(ignored_in(text).as_deref(), want, "{text}");
        }
    }
}
