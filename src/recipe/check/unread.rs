//! Finds settings of the user's recipes that no script reads, so that they would change nothing.

use std::collections::HashSet;

use rhai::{AST, ASTNode, Expr, Stmt};

use crate::event::{Hint, Report, Suggestion};
use crate::recipe::draft::{Declared, SettingDraft};
use crate::recipe::foreign_settings::{self, Layer};
use crate::recipe::sources::RecipeSource;

/// The settings that scripts read.
#[derive(Default)]
pub struct Reads {
    names: HashSet<String>,
    /// Whether a script of the user computes the name of a setting that it reads. It may be any.
    is_computed: bool,
}

impl Reads {
    pub fn of(trees: &[(RecipeSource, AST)]) -> Self {
        let mut reads = Self::default();
        for (source, ast) in trees {
            ast.walk(&mut |path: &[ASTNode]| {
                let call = match path.last() {
                    Some(ASTNode::Expr(Expr::MethodCall(call, _) | Expr::FnCall(call, _))) => call,
                    Some(ASTNode::Stmt(Stmt::FnCall(call, _))) => call,
                    _ => return true,
                };
                match call.args.as_slice() {
                    [Expr::StringConstant(key, _)] if call.name == "get" => {
                        reads.names.insert(key.to_string());
                    }
                    [_] if call.name == "get" && !source.is_shipped() => reads.is_computed = true,
                    _ => {}
                }
                true
            });
        }
        reads
    }
}

/// The user's settings that no script reads by its literal name.
fn unread<'a>(
    declared: &'a Declared,
    reads: &'a Reads,
) -> impl Iterator<Item = (&'a String, &'a SettingDraft)> {
    let is_unread =
        |(name, setting): &(&String, &SettingDraft)| !setting.is_shipped && !reads.names.contains(*name);
    declared.settings.iter().filter(is_unread)
}

/// The name of a shipped setting that is similar.
fn near<'a>(declared: &'a Declared, name: &str) -> Suggestion<'a> {
    let shipped = declared.settings.iter().filter(|(_, other)| other.is_shipped);
    Suggestion::new(name, shipped.map(|(other, _)| other.as_str()))
}

/// A setting whose name resembles another is misspelt; one that another tool has was meant for `runner`.
pub fn check(declared: &Declared, reads: &Reads) -> Vec<Report> {
    let mistake = |(name, setting): (&String, &SettingDraft)| {
        let near = near(declared, name).to_string();
        let report = match foreign_settings::is_foreign(name) {
            true => {
                let report = Report::new(format!("no script reads setting `{name}`"));
                foreign_settings::translate(report, name, &setting.default, Layer::Recipe)
            }
            false if near.is_empty() => return None,
            false => Report::new(format!("no script reads setting `{name}`{near}")),
        };
        Some(report.at(setting.place.clone()))
    };
    unread(declared, reads).filter_map(mistake).collect()
}

/// Any other setting that nothing reads.
pub fn remarks(declared: &Declared, reads: &Reads) -> Vec<Report> {
    if reads.is_computed {
        return Vec::new();
    }
    unread(declared, reads)
        .map(|(name, setting)| {
            Report::new(format!("no script reads setting `{name}`"))
                .at(setting.place.clone())
                .hint(Hint::runner(["docs"], " lists the settings that change something"))
        })
        .collect()
}
