//! Finds literals that a call cannot take: of another type, out of range, unknown names, files that do not exist.

use rhai::{Dynamic, Expr, FnCallExpr, Map};

use crate::event::{Report, Suggestion};
use crate::recipe::check::file::{File, keys_of};
use crate::recipe::check::natives::{Overload, Receiver};
use crate::recipe::literal::LiteralType;
use crate::recipe::options::shared;
use crate::recipe::primitives::options_of;
use crate::release::ReleaseName;

/// Numbers that must be at least 1: the function, and what is counted.
const COUNTS: [(&str, &str); 2] = [("prune", "release"), ("batches", "host")];

impl File<'_> {
    /// Checks the arguments of a call whose number of arguments is right.
    pub(super) fn arguments(&mut self, receiver: Receiver, call: &FnCallExpr) {
        let name = call.name.as_str();
        let overloads: Vec<Overload> = self.natives.overloads(receiver, name, call.args.len());
        if overloads.is_empty() {
            return;
        }
        if !overloads.iter().any(|overload| wrong(overload, call).is_none()) {
            self.wrong_type(&overloads, call);
            return;
        }
        if overloads.iter().any(|overload| overload.params.last().is_some_and(|(name, _)| name == "options"))
        {
            self.options(call);
        }
        self.values(call);
    }

    fn wrong_type(&mut self, overloads: &[Overload], call: &FnCallExpr) {
        let Some(n) = overloads.iter().filter_map(|overload| wrong(overload, call)).max() else {
            return;
        };
        let (argument, name) = (&call.args[n], call.name.as_str());
        let mut wanted: Vec<&str> = overloads
            .iter()
            .filter_map(|overload| Some(LiteralType::of_parameter(&overload.params[n].1)?.words()))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        let which = match call.args.len() {
            1 => "the argument".to_owned(),
            _ => format!("argument {}", n + 1),
        };
        let got = LiteralType::of(argument).map_or("the value of a call", LiteralType::words);
        let report = Report::new(format!("{which} of `{name}` must be {}, not {got}", wanted.join(" or ")));
        let report = match name {
            "before" | "after" if LiteralType::of(argument) == Some(LiteralType::Function) => report
                .hint(format!("declare a task: `task(\"name\", |host| ...); {name}(\"swap\", \"name\");`")),
            "task" | "undo" => report.hint(
                format!("write a closure: `{name}(\"name\", |host| ...)`")
                    .replace("undo(\"name\", ", "undo("),
            ),
            "wait_until" => report.hint("write `host.wait_until(30, |host| host.exists(\"ready\"))`"),
            "perform" => report.hint("write `hosts().perform([\"reload\"])`"),
            _ => report,
        };
        let report = overloads.iter().fold(report, |report, overload| report.note(overload.usage(name)));
        self.problem(argument.start_position(), report);
    }

    /// Checks the options of a call, if they are a table literal.
    fn options(&mut self, call: &FnCallExpr) {
        let Some(known) = options_of(&call.name) else { return };
        let Some(options) = call.args.last().filter(|last| LiteralType::of(last) == Some(LiteralType::Table))
        else {
            return;
        };
        for key in keys_of(options) {
            let place = self.place_of(options.position(), &key);
            let Some((_, wanted)) = known.iter().find(|(name, _)| *name == key) else {
                let near = Suggestion::new(&key, known.iter().map(|(name, _)| *name));
                self.problem_at(place, Report::new(format!("unknown option `{key}`{near}")));
                continue;
            };
            if let Some(got) = kind_in(options, &key).filter(|got| !wanted.takes(*got)) {
                let message = format!("option `{key}` must be {}, not {}", wanted.words(), got.words());
                self.problem_at(place, Report::new(message));
            } else if wanted.is_count() && number_in(options, &key).is_some_and(|number| number < 1) {
                self.problem_at(place, Report::new(format!("option `{key}` must be at least 1")));
            }
        }
    }

    /// Checks what a literal means to the primitive.
    fn values(&mut self, call: &FnCallExpr) {
        let Some(first) = call.args.first() else { return };
        let name = call.name.as_str();
        if let Expr::IntegerConstant(number, position) = first
            && let Some((_, what)) = COUNTS.iter().find(|(known, _)| *known == name)
            && *number < 1
        {
            let message = format!("`{name}` must have at least 1 {what}, not {number}");
            self.problem(*position, Report::new(message));
        }
        match name {
            "perform" => self.task_names(first),
            "link_shared" => self.shared_paths(first),
            "template" => self.template(first),
            "rollback" => {
                if let Expr::StringConstant(text, position) = first
                    && let Err(error) = ReleaseName::new(text)
                {
                    self.problem(*position, Report::of(&error));
                }
            }
            _ => {}
        }
    }

    fn task_names(&mut self, list: &Expr) {
        for name in texts_of(list) {
            if !self.tasks.contains(name.as_str()) {
                let near = Suggestion::new(&name, self.tasks.iter().copied());
                let report = Report::new(format!("no task named `{name}`{near}"));
                self.problem_at(self.place_of(list.position(), &name), report);
            }
        }
    }

    fn shared_paths(&mut self, list: &Expr) {
        if let Err(error) = shared(&texts_of(list)) {
            self.problem(list.position(), Report::of(&error));
        }
    }

    fn template(&mut self, path: &Expr) {
        if let Expr::StringConstant(path, position) = path
            && !self.directory.join(path.as_str()).exists()
        {
            let report = Report::new(format!("template `{path}` not found"));
            self.problem(*position, report.note("its path is relative to `runner.toml`"));
        }
    }
}

/// The first argument that this overload does not take.
fn wrong(overload: &Overload, call: &FnCallExpr) -> Option<usize> {
    let is_wrong = |(param, argument): (&(String, String), &Expr)| {
        let wanted = LiteralType::of_parameter(&param.1);
        // The value of a call is no function: `wait_until(30, host.exists("x"))`.
        if wanted == Some(LiteralType::Function) && is_call(argument) {
            return true;
        }
        matches!((wanted, LiteralType::of(argument)), (Some(wanted), Some(got)) if wanted != got)
    };
    overload.params.iter().zip(&call.args).position(is_wrong)
}

fn is_call(expr: &Expr) -> bool {
    matches!(expr, Expr::Dot(dot, ..) if matches!(dot.rhs, Expr::MethodCall(..)))
}

/// The texts in a list literal.
fn texts_of(list: &Expr) -> Vec<String> {
    match list {
        Expr::Array(items, _) => {
            let text = |item: &Expr| match item {
                Expr::StringConstant(text, _) => Some(text.to_string()),
                _ => None,
            };
            items.iter().filter_map(text).collect()
        }
        Expr::DynamicConstant(value, _) => match value.read_lock::<rhai::Array>() {
            Some(list) => list.iter().filter_map(|item| item.clone().into_string().ok()).collect(),
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The value of a key of a table literal, as an expression or as a constant.
fn find<T>(
    table: &Expr,
    key: &str,
    of_expr: impl Fn(&Expr) -> Option<T>,
    of_value: impl Fn(&Dynamic) -> Option<T>,
) -> Option<T> {
    match table {
        Expr::Map(map, _) => {
            map.0.iter().find(|(name, _)| name.name == key).and_then(|(_, value)| of_expr(value))
        }
        Expr::DynamicConstant(value, _) => value.read_lock::<Map>()?.get(key).and_then(of_value),
        _ => None,
    }
}

fn kind_in(table: &Expr, key: &str) -> Option<LiteralType> {
    find(table, key, LiteralType::of, LiteralType::of_value)
}

fn number_in(table: &Expr, key: &str) -> Option<i64> {
    let of_expr = |expr: &Expr| match expr {
        Expr::IntegerConstant(number, _) => Some(*number),
        _ => None,
    };
    find(table, key, of_expr, |value| value.as_int().ok())
}
