//! One call of a function that declares something: its file, its place, and how mistakes in it are reported.
//!
//! **Invariant:** a mistake in a declaration does not stop the file, so that all mistakes are reported at once.

use rhai::{NativeCallContext, Position};

use crate::event::{Excerpt, Report};
use crate::recipe::draft::{Content, Declaration, Declared, Draft};
use crate::recipe::failure::{ScriptResult, mistake};
use crate::recipe::sources;

/// The verbs of the command line. A flow with such a name could not be started; a task is mostly started by a flow.
pub const VERBS: [&str; 10] =
    ["init", "check", "adopt", "releases", "status", "unlock", "tasks", "docs", "completions", "help"];

pub struct Statement {
    pub draft: Draft,
    pub file: String,
    pub is_shipped: bool,
    pub is_stdlib: bool,
    position: Position,
}

impl Statement {
    /// Marks the file as one that has declared something. Fails in a running task, which cannot declare anything.
    pub fn of(context: &NativeCallContext) -> ScriptResult<Self> {
        let draft = context.tag().and_then(|tag| tag.read_lock::<Draft>().map(|d| d.clone()));
        let draft = draft.ok_or_else(|| {
            mistake(
                Report::new(format!("`{}` cannot be called in a task", context.fn_name()))
                    .hint("move it to the top level of the file"),
            )
        })?;
        let file = context.global_runtime_state().source.as_deref().unwrap_or_default().to_owned();
        let mut declared = draft.lock();
        if !declared.has_declared.contains(&file) {
            declared.has_declared.push(file.clone());
        }
        let is_shipped = declared.source(&file).is_some_and(|source| source.is_shipped());
        let is_stdlib = declared.source(&file).is_some_and(|source| source.is_stdlib());
        drop(declared);
        Ok(Self { draft, file, is_shipped, is_stdlib, position: context.call_position() })
    }

    /// The place of the literal `text` in the statement; its beginning if it is not in there.
    pub fn place_of(&self, declared: &Declared, text: &str) -> Excerpt {
        let (line, column) = (self.position.line().unwrap_or(1), self.position.position().unwrap_or(1));
        match declared.source(&self.file) {
            Some(source) => source.excerpt_of(line, column, text),
            None => Excerpt::default(),
        }
    }

    pub fn declaration(
        &self,
        kind: &'static str,
        name: &str,
        place: &Excerpt,
        content: Content,
    ) -> Declaration {
        let (name, file) = (name.to_owned(), self.file.clone());
        Declaration { kind, name, file, place: place.clone(), content }
    }

    pub fn place(&self) -> Excerpt {
        self.draft.lock().excerpt(&self.file, self.position).unwrap_or_default()
    }

    /// Reports a mistake in the statement as a whole.
    pub fn refuse(&self, report: Report) {
        let report = report.at(self.place());
        self.draft.lock().problems.push(report);
    }

    /// Reports a mistake in one of its literals.
    pub fn refuse_text(&self, text: &str, report: Report) {
        let mut declared = self.draft.lock();
        let report = report.at(self.place_of(&declared, text));
        declared.problems.push(report);
    }

    /// Reports a name that the command line could not use.
    pub fn check_name(&self, kind: &str, name: &str) {
        if kind == "flow" && VERBS.contains(&name) {
            let message = format!("a {kind} cannot be named `{name}`: `runner {name}` is a verb");
            self.refuse_text(name, Report::new(message));
        } else if sources::recipe_names().contains(&name) {
            let message = format!("a {kind} cannot be named `{name}`: a shipped recipe has that name");
            self.refuse_text(name, Report::new(message));
        } else if name.is_empty() || name.starts_with('-') || name.ends_with(".rhai") || !is_plain(name) {
            let message = format!("`{name}` is not a valid name for a {kind}");
            let report = Report::new(message)
                .note("a name may only contain letters, digits, `_`, `-`, `:` and `.`")
                .note("it must not begin with `-` or end in `.rhai`");
            self.refuse_text(name, report);
        }
    }
}

fn is_plain(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || "_-:.".contains(c))
}
