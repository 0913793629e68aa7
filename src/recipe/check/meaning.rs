//! Finds what is valid Rhai and cannot be meant: `if host.run("x")`, `"${host.name}"` in quotes, functions named by texts.

use rhai::{ASTFlags, ASTNode, Expr, FnCallExpr, Position, Stmt};

use crate::event::Report;
use crate::recipe::check::calls::is_word;
use crate::recipe::check::file::File;
use crate::recipe::foreign;
use crate::recipe::literal::LiteralType;

/// Primitives whose value is text, and what to ask instead where true or false is needed.
const TEXTS: [(&str, &str); 5] = [
    ("run", "to ask whether a command succeeds, write `host.test(\"...\")`"),
    ("output", "to ask whether a command succeeds, write `host.test(\"...\")`"),
    ("read", "to ask whether there is a file, write `host.exists(\"...\")`"),
    ("local", "`local` fails if its command fails; compare its output: `local(\"...\") == \"text\"`"),
    ("env", "write `env(\"NAME\") != ()`"),
];

/// Methods of lists that call a function.
const CALLING: [&str; 14] = [
    "map",
    "filter",
    "for_each",
    "some",
    "all",
    "reduce",
    "reduce_rev",
    "sort",
    "retain",
    "find",
    "find_map",
    "dedup",
    "extract_if",
    "call",
];

impl File<'_> {
    pub(super) fn meaning(&mut self, path: &[ASTNode]) {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::If(flow, _))) => self.condition(&flow.expr),
            Some(ASTNode::Stmt(stmt @ Stmt::While(flow, position))) => {
                self.condition(&flow.expr);
                self.endless(path, stmt, &flow.expr, *position);
            }
            Some(ASTNode::Expr(Expr::And(operands, _) | Expr::Or(operands, _))) => {
                operands.iter().for_each(|operand| self.condition(operand));
            }
            Some(ASTNode::Expr(Expr::FnCall(call, _))) if call.is_operator_call() => self.operator(call),
            Some(ASTNode::Expr(Expr::MethodCall(call, _))) => self.named_function(call),
            Some(ASTNode::Expr(Expr::Dot(dot, ..))) => self.property_of_literal(&dot.lhs, &dot.rhs),
            Some(ASTNode::Expr(Expr::StringConstant(text, position))) => self.text(text, *position),
            _ => {}
        }
    }

    /// A loop whose condition stays as it is, without an end. A failure of what it calls is no end.
    fn endless(&mut self, path: &[ASTNode], stmt: &Stmt, condition: &Expr, position: Position) {
        let Some(variables) = variables(condition) else { return };
        let (mut may_end, mut has_calls) = (false, false);
        stmt.walk(&mut Vec::new(), &mut |path: &[ASTNode]| {
            let call = match path.last() {
                Some(ASTNode::Stmt(Stmt::FnCall(call, _))) => call,
                Some(ASTNode::Expr(Expr::MethodCall(call, _) | Expr::FnCall(call, _))) => call,
                Some(node) => {
                    may_end |= ends(node, &variables);
                    return true;
                }
                None => return true,
            };
            let name = call.name.as_str();
            has_calls |= is_word(name) && !call.is_operator_call();
            // Functions of recipes may throw; a closure may change what it captures.
            let is_native = self.natives.functions.contains_key(name) && !self.own.contains_key(name);
            may_end |= !call.namespace.is_empty()
                || ["fail", "call", "curry"].contains(&name)
                || !(is_native || call.is_operator_call());
            true
        });
        // A failure may be what the script waits for.
        let is_tried = path.iter().any(|node| matches!(node, ASTNode::Stmt(Stmt::TryCatch(..))));
        if may_end || (has_calls && is_tried) {
            return;
        }
        let message = if has_calls { "this loop can only end by a failure" } else { "this loop never ends" };
        self.problem(position, Report::new(message).hint("end it with `break`, `return` or `throw`"));
    }

    /// A text is neither true nor false.
    fn condition(&mut self, expr: &Expr) {
        if let Some((name, cure, position)) =
            text_call(expr).filter(|(name, ..)| !self.own.contains_key(*name))
        {
            let report = Report::new(format!("a condition must be true or false, and `{name}` returns text"));
            self.problem(position, report.hint(cure));
        }
    }

    fn operator(&mut self, call: &FnCallExpr) {
        if call.name == "!" {
            call.args.iter().for_each(|operand| self.condition(operand));
        }
        if let ("==" | "!=" | "<" | ">" | "<=" | ">=", [a, b]) = (call.name.as_str(), call.args.as_slice()) {
            let number = |expr: &Expr| {
                LiteralType::of(expr).filter(|kind| {
                    matches!(kind, LiteralType::Whole | LiteralType::Fraction | LiteralType::Flag)
                })
            };
            for (call, other) in [(a, b), (b, a)] {
                if let (Some((name, cure, position)), Some(kind)) = (text_call(call), number(other)) {
                    let message = format!("`{name}` returns text, which is never equal to {}", kind.words());
                    let hint = match kind {
                        LiteralType::Flag => cure.to_owned(),
                        _ => "compare it with text: `== \"1\"`; or write `parse_int(...)`".to_owned(),
                    };
                    self.problem(position, Report::new(message).hint(hint));
                }
            }
        }
    }

    /// A function that is named by a text escapes this check.
    fn named_function(&mut self, call: &FnCallExpr) {
        let is_text = |expr: &Expr| match expr {
            Expr::FnCall(call, _) => call.name == "+" && call.is_operator_call(),
            expr => LiteralType::of(expr) == Some(LiteralType::Text),
        };
        if CALLING.contains(&call.name.as_str())
            && call.name != "call"
            && let Some(argument) = call.args.first().filter(|argument| is_text(argument))
        {
            let report = Report::new(format!("`{}` takes a function, not the name of one", call.name));
            self.problem(
                argument.start_position(),
                report.hint("write the function itself, or a closure: `|item| ...`"),
            );
        }
    }

    /// `${...}` and `{{...}}` in a text in which they have no meaning.
    fn text(&mut self, text: &str, position: Position) {
        for rest in text.split("${").skip(1) {
            let inner = rest.split('}').next().unwrap_or_default();
            let name = inner.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            let next = inner[name.len()..].chars().next();
            // `${HOME}` and `${x:-y}` are for the shell.
            if !name.is_empty() && matches!(next, Some('.' | '(')) {
                let report = Report::new(format!("`${{{inner}}}` is plain text in \"quotes\""));
                return self.problem(position, report.hint("write the text in `backticks`"));
            }
        }
        for rest in text.split("{{").skip(1) {
            let name = rest.split("}}").next().unwrap_or_default().trim();
            let is_name =
                !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '/');
            if is_name && rest.contains("}}") {
                let report = Report::new(format!("`{{{{{name}}}}}` is plain text here"));
                let cure = foreign::name(name);
                return self.problem(
                    position,
                    report.hint(cure.unwrap_or_else(|| {
                        format!("write the text in `backticks`, with `${{host.get(\"{name}\")}}`")
                    })),
                );
            }
        }
    }
}

/// The variables of a condition that is made of nothing else; `None` if it may change by itself, or is false.
fn variables(condition: &Expr) -> Option<Vec<&str>> {
    match condition {
        Expr::Unit(_)
        | Expr::BoolConstant(true, _)
        | Expr::IntegerConstant(..)
        | Expr::StringConstant(..) => Some(Vec::new()),
        Expr::Variable(variable, ..) => Some(vec![variable.1.as_str()]),
        Expr::FnCall(call, _) if call.is_operator_call() => all_variables(&call.args),
        Expr::And(operands, _) | Expr::Or(operands, _) => all_variables(operands),
        _ => None,
    }
}

fn all_variables(operands: &[Expr]) -> Option<Vec<&str>> {
    let all: Option<Vec<_>> = operands.iter().map(variables).collect();
    all.map(|all| all.concat())
}

/// Whether a part of a loop ends it, or may change one of the variables.
fn ends(node: &ASTNode, variables: &[&str]) -> bool {
    let is_one = |expr: &Expr| match expr {
        Expr::Variable(variable, ..) => variables.contains(&variable.1.as_str()),
        _ => false,
    };
    match node {
        ASTNode::Stmt(Stmt::BreakLoop(_, flags, _)) => flags.intersects(ASTFlags::BREAK),
        ASTNode::Stmt(Stmt::Return(..)) => true,
        ASTNode::Stmt(Stmt::Assignment(assignment)) => {
            is_one(&assignment.1.lhs) || !matches!(assignment.1.lhs, Expr::Variable(..))
        }
        ASTNode::Expr(Expr::Dot(access, ..) | Expr::Index(access, ..)) => is_one(&access.lhs),
        ASTNode::Expr(Expr::DynamicConstant(value, _)) => value.is_fnptr(),
        _ => false,
    }
}

/// The call of a primitive whose value is text.
fn text_call(expr: &Expr) -> Option<(&str, &'static str, Position)> {
    let (call, position) = match expr {
        Expr::FnCall(call, position) if ["local", "env"].contains(&&*call.name) => (call, position),
        Expr::Dot(dot, ..) => match &dot.rhs {
            Expr::MethodCall(call, position) => (call, position),
            _ => return None,
        },
        _ => return None,
    };
    // With a default, `env` is text as well.
    let (_, cure) = TEXTS.iter().find(|(name, _)| *name == call.name)?;
    Some((call.name.as_str(), cure, *position))
}
