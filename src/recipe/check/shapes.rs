//! Finds properties that a variable cannot have, because it is always a list or a text.

use std::collections::HashMap;

use rhai::{AST, ASTNode, Expr, Stmt};

use crate::event::Report;
use crate::recipe::foreign;
use crate::recipe::literal::LiteralType;

/// The variables of a file that hold literals of one type only.
pub(super) fn shapes(ast: &AST) -> HashMap<String, LiteralType> {
    let mut shapes: HashMap<String, Option<LiteralType>> = HashMap::new();
    let mut holds = |name: &str, kind: Option<LiteralType>| {
        let known = shapes.entry(name.to_owned()).or_insert(kind);
        *known = known.filter(|known| Some(*known) == kind);
    };
    for function in ast.shared_lib().iter_script_fn_info() {
        function.4.params.iter().for_each(|param| holds(param, None));
    }
    ast.walk(&mut |path: &[ASTNode]| {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Var(variable, ..))) => {
                holds(&variable.0.name, LiteralType::of(&variable.1));
            }
            Some(ASTNode::Stmt(Stmt::For(flow, _))) => {
                holds(&flow.0.name, None);
                flow.1.iter().for_each(|counter| holds(&counter.name, None));
            }
            Some(ASTNode::Stmt(Stmt::TryCatch(flow, _))) => {
                if let Expr::Variable(caught, ..) = &flow.expr {
                    holds(&caught.1, None);
                }
            }
            Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => {
                if let Expr::Variable(variable, ..) = &assignment.1.lhs {
                    holds(&variable.1, LiteralType::of(&assignment.1.rhs));
                }
            }
            _ => {}
        }
        true
    });
    shapes.into_iter().filter_map(|(name, kind)| Some((name, kind?))).collect()
}

/// What a property that a value does not have may be called here.
pub fn no_property(kind: &str, name: &str) -> Report {
    let report = Report::new(format!("{kind} has no property `{name}`"));
    match foreign::name(name) {
        Some(hint) => report.hint(hint),
        None => report,
    }
}
