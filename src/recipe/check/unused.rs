//! Finds uses of the value of a function that returns nothing: `let x = y.trim();`.

use rhai::{ASTNode, Expr, FnCallExpr, Stmt};

use crate::event::Report;
use crate::recipe::check::file::File;

impl File<'_> {
    /// Checks the last node of a path through the syntax tree.
    pub(super) fn value_of(&mut self, path: &[ASTNode]) {
        let Some(ASTNode::Expr(expr)) = path.last() else { return };
        let (call, position, is_method) = match expr {
            Expr::MethodCall(call, position) => (call, *position, true),
            Expr::FnCall(call, position) if call.namespace.is_empty() => (call, *position, false),
            _ => return,
        };
        let name = call.name.as_str();
        let n_params = call.args.len() + usize::from(is_method);
        if self.own.contains_key(name) || self.keys.contains(name) || !is_used(path) {
            return;
        }
        match self.natives.returns_nothing(name, n_params, is_method) {
            Some(true) if is_method => self.problem(position, in_place(call)),
            Some(_) => {
                let message = format!("`{name}` returns nothing, so its value cannot be used");
                self.problem(position, Report::new(message));
            }
            None => {}
        }
    }
}

/// The mistake in using the value of a method of Rhai that changes its receiver.
fn in_place(call: &FnCallExpr) -> Report {
    let name = call.name.as_str();
    let arguments = if call.args.is_empty() { "" } else { "..." };
    Report::new(format!("`{name}` changes the value that it is called on, and returns nothing"))
        .hint(format!("write it as a statement, then use the variable: `text.{name}({arguments}); ... text`"))
}

/// Whether the value of the last node of a path is used for sure.
fn is_used(path: &[ASTNode]) -> bool {
    let Some((ASTNode::Expr(child), above)) = path.split_last() else { return false };
    match above.last() {
        Some(ASTNode::Expr(parent)) => match parent {
            Expr::Dot(dot, ..) if std::ptr::eq(&dot.rhs, *child) => is_used(above),
            Expr::Stmt(block) => is_last(block.iter().last(), child) && is_used(above),
            _ => true,
        },
        Some(ASTNode::Stmt(parent)) => match parent {
            Stmt::Expr(_) => match above.split_last() {
                Some((ASTNode::Stmt(stmt), outer)) => match outer.last() {
                    Some(ASTNode::Expr(Expr::Stmt(block))) => {
                        block.iter().last().is_some_and(|last| std::ptr::eq(last, *stmt)) && is_used(outer)
                    }
                    _ => false,
                },
                _ => false,
            },
            Stmt::Var(..) | Stmt::Assignment(..) | Stmt::If(..) | Stmt::While(..) | Stmt::For(..) => true,
            _ => false,
        },
        _ => false,
    }
}

fn is_last(last: Option<&Stmt>, expr: &Expr) -> bool {
    matches!(last, Some(Stmt::Expr(inner)) if std::ptr::eq(&**inner, expr))
}
