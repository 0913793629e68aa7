//! Finds methods and properties that a host, a set of hosts or a task does not have.

use rhai::{Expr, FnCallExpr, Position};

use crate::event::{Excerpt, Report, Suggestion};
use crate::recipe::check::calls::{BUILT_IN, arguments, is_word, unknown};
use crate::recipe::check::file::File;
use crate::recipe::check::natives::{ArgumentCounts, Receiver, ValueKind};
use crate::recipe::literal::LiteralType;

impl File<'_> {
    /// Reports `get("name")` of an unknown setting.
    pub(super) fn setting(&mut self, call: &FnCallExpr) {
        let Some(settings) = self.settings.filter(|_| call.name == "get" && call.args.len() == 1) else {
            return;
        };
        let Some(Expr::StringConstant(key, position)) = call.args.first() else {
            return;
        };
        if !settings.contains(key.as_str()) {
            let near = Suggestion::new(key, settings.iter().copied());
            self.problem(*position, Report::new(format!("unknown setting `{key}`{near}")));
        }
    }

    /// Checks a method call on a value of unknown type.
    pub(super) fn method(&mut self, call: &FnCallExpr, position: Position) {
        let (name, n) = (call.name.as_str(), call.args.len());
        let is_own = self.own.get(name).is_some_and(|counts| counts.contains(&n));
        if !is_word(name)
            || BUILT_IN.contains(&name)
            || self.seen.contains(&position)
            || is_own
            || self.keys.contains(name)
        {
            return;
        }
        if self.natives.any_method(name, n) {
            return self.arguments(Receiver::Unknown, call);
        }
        let report = if let Some((_, method)) = self.natives.has_method(name) {
            Report::new(format!("`{name}` takes {}, not {n}", arguments(&method.counts)))
        } else if self.natives.globals.contains_key(name) {
            Report::new(format!("`{name}` is not a method: write `{name}(...)`"))
        } else if let Some(counts) = self.natives.functions.get(name) {
            let counts: ArgumentCounts = counts.iter().filter_map(|n| n.checked_sub(1)).collect();
            Report::new(format!("`{name}` takes {}, not {n}", arguments(&counts)))
        } else {
            unknown("no method", name, Suggestion::new(name, self.natives.method_names()))
        };
        self.problem(position, report);
    }

    /// Checks a property of a literal, or of a variable that is always one.
    pub(super) fn property_of_literal(&mut self, lhs: &Expr, rhs: &Expr) {
        let kind = match lhs {
            Expr::Variable(variable, ..) => self.shapes.get(variable.1.as_str()).copied(),
            literal => LiteralType::of(literal),
        };
        let Some(kind @ (LiteralType::List | LiteralType::Text | LiteralType::Whole)) = kind else { return };
        let first = match rhs {
            Expr::Dot(inner, ..) | Expr::Index(inner, ..) => &inner.lhs,
            rhs => rhs,
        };
        if let Expr::Property(property, position) = first
            && !self.natives.has_getter(&property.2)
        {
            let (name, what) = (property.2.as_str(), format!("{} has no property", kind.words()));
            let near = Suggestion::new(name, self.natives.method_names());
            self.problem(*position, unknown(&what, name, near));
        }
    }

    /// The type of an expression, if the expression alone shows it.
    pub(super) fn kind(&self, expr: &Expr) -> Option<ValueKind> {
        match expr {
            Expr::Variable(variable, ..) if variable.1 == "host" && !self.has_own_host => {
                Some(ValueKind::Host)
            }
            Expr::FnCall(call, _)
                if call.namespace.is_empty() && !self.own.contains_key(call.name.as_str()) =>
            {
                match call.name.as_str() {
                    "hosts" => Some(ValueKind::Hosts),
                    "task" => Some(ValueKind::Task),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Checks what follows the dot of a value of this type, and the dots after that.
    pub(super) fn members(&mut self, kind: ValueKind, rhs: &Expr) {
        match rhs {
            Expr::Dot(dot, ..) => {
                if let Some(next) = self.member(kind, &dot.lhs) {
                    self.members(next, &dot.rhs);
                }
            }
            Expr::Index(index, ..) => {
                self.member(kind, &index.lhs);
            }
            member => {
                self.member(kind, member);
            }
        }
    }

    /// Checks one member and returns the type of its value.
    fn member(&mut self, kind: ValueKind, member: &Expr) -> Option<ValueKind> {
        match member {
            Expr::Property(property, position) => self.property(kind, &property.2, *position),
            Expr::MethodCall(call, position) => return self.method_of(kind, call, *position),
            _ => {}
        }
        None
    }

    fn property(&mut self, kind: ValueKind, name: &str, position: Position) {
        if self.natives.has_property(kind, name) {
            return;
        }
        let message = match self.natives.method(kind, name) {
            Some(_) => format!("`{name}` is a method: write `{}.{name}(...)`", kind.example()),
            None => format!("{} has no property `{name}`{}", kind.words(), self.near_member(kind, name)),
        };
        self.problem(position, Report::new(message));
    }

    /// Checks a method call on a value of known type and returns the type of its result.
    fn method_of(&mut self, kind: ValueKind, call: &FnCallExpr, position: Position) -> Option<ValueKind> {
        self.setting(call);
        let (name, n) = (call.name.as_str(), call.args.len());
        if !is_word(name) || BUILT_IN.contains(&name) {
            return None;
        }
        self.seen.insert(position);
        let method = self.natives.method(kind, name);
        if let Some(method) = method.filter(|method| method.counts.contains(&n)) {
            let returns = method.returns;
            self.arguments(Receiver::Of(kind), call);
            return returns;
        }
        if self.own.get(name).is_none_or(|counts| !counts.contains(&n)) {
            self.problem(position, self.no_method(kind, name, n));
        }
        None
    }

    /// The mistake in a call with `n` arguments that no method of such a value takes.
    fn no_method(&self, kind: ValueKind, name: &str, n: usize) -> Report {
        let words = kind.words();
        if let Some(method) = self.natives.method(kind, name) {
            Report::new(format!("`{name}` takes {}, not {n}", arguments(&method.counts)))
        } else if self.natives.has_property(kind, name) {
            Report::new(format!("`{name}` is a property: write `{}.{name}`", kind.example()))
        } else if self.natives.globals.contains_key(name) {
            Report::new(format!("{words} has no method `{name}`: write `{name}(...)`"))
        } else if kind == ValueKind::Hosts && self.natives.method(ValueKind::Host, name).is_some() {
            Report::new(format!("`{name}` is a method of a host, not of {words}"))
                .hint(format!("write `for host in hosts() {{ host.{name}(...); }}`"))
        } else {
            unknown(
                &format!("{words} has no method"),
                name,
                Suggestion::new(name, self.natives.members(kind)),
            )
        }
    }

    fn near_member(&self, kind: ValueKind, name: &str) -> String {
        Suggestion::new(name, self.natives.members(kind)).to_string()
    }

    /// The place of the next occurrence of a word after a position.
    pub(super) fn place_of(&self, position: Position, word: &str) -> Excerpt {
        let (line, column) = (position.line().unwrap_or(1), position.position().unwrap_or(1));
        let source = self.source;
        let start = source.offset(line, column).unwrap_or_default();
        match source.text.get(start..).and_then(|rest| rest.find(word)) {
            Some(at) => Excerpt::at_offset(&source.name, &source.text, start + at, word.chars().count()),
            None => source.excerpt(line, column),
        }
    }
}
