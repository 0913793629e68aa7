//! Imports: shipped recipes by name, files relative to the importing one, each evaluated once, in a world of its own.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{Engine, EvalAltResult, GlobalRuntimeState, Module, ModuleResolver, Position, Scope, Shared};

use crate::event::{Report, Suggestion};
use crate::recipe::draft::Draft;
use crate::recipe::failure::mistake;
use crate::recipe::sources::{self, Origin, Source};
use crate::recipe::syntax;

type Loaded = Result<Shared<Module>, Box<EvalAltResult>>;

/// The engine's module resolver, and what loads the recipe itself.
#[derive(Clone)]
pub struct Resolver {
    draft: Draft,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    done: Vec<(Origin, Shared<Module>)>,
    /// What is being evaluated, outermost first: an import of one of these is a cycle.
    open: Vec<Source>,
    /// The syntax trees of all files, for the static check.
    trees: Vec<(Source, rhai::AST)>,
}

impl Resolver {
    pub fn new(draft: Draft) -> Self {
        Self { draft, state: Arc::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn trees(&self) -> Vec<(Source, rhai::AST)> {
        std::mem::take(&mut self.lock().trees)
    }

    /// Evaluates a script, unless it was evaluated already.
    pub fn load(&self, engine: &Engine, source: Source) -> Loaded {
        {
            let state = self.lock();
            if let Some((_, module)) = state.done.iter().find(|(origin, _)| *origin == source.origin) {
                return Ok(module.clone());
            }
            if let Some(n) = state.open.iter().position(|open| open.origin == source.origin) {
                let mut names: Vec<&str> = state.open[n..].iter().map(|s| s.name.as_str()).collect();
                names.push(&source.name);
                return Err(mistake(Report::new(format!(
                    "imports go round in a circle: {}",
                    names.join(" -> ")
                ))));
            }
        }
        self.draft.lock().sources.push(source.clone());
        let mut ast =
            engine.compile(&source.text).map_err(|error| mistake(syntax::report(&source, &error)))?;
        ast.set_source(source.name.as_str());
        self.lock().open.push(source.clone());
        let mut global: GlobalRuntimeState = engine.new_global_runtime_state();
        let module = Module::eval_ast_as_new_raw(engine, &mut Scope::new(), &mut global, &ast);
        let mut state = self.lock();
        state.open.pop();
        let module: Shared<Module> = Shared::new(module?);
        state.done.push((source.origin.clone(), module.clone()));
        state.trees.push((source, ast));
        Ok(module)
    }

    fn find(&self, importer: Option<&Source>, path: &str) -> Result<Source, Report> {
        let is_file = path.ends_with(".rhai") || path.contains('/');
        if !is_file {
            return sources::shipped(path).ok_or_else(|| {
                let names = sources::recipe_names();
                Report::new(format!(
                    "no shipped recipe `{path}`{}",
                    Suggestion::new(path, names.iter().copied())
                ))
                .note(format!("shipped: {}", names.join(", ")))
                .hint(format!("for a file of your own write \"./{path}.rhai\""))
            });
        }
        let below = match importer.map(|source| &source.origin) {
            Some(Origin::File(file)) => file.parent().map(Path::to_path_buf).unwrap_or_default(),
            _ => PathBuf::from("."),
        };
        let mut file = below.join(path);
        if file.extension().is_none() {
            file.set_extension("rhai");
        }
        sources::file(&file).map_err(|error| {
            Report::new(format!("`{path}` cannot be imported: {error}"))
                .note(format!("it was looked for at {}", file.display()))
        })
    }
}

impl ModuleResolver for Resolver {
    fn resolve(&self, engine: &Engine, source: Option<&str>, path: &str, _: Position) -> Loaded {
        let (importer, is_late) = {
            let draft = self.draft.lock();
            let name = source.unwrap_or_default();
            let is_late = draft.has_declared.iter().any(|file| file == name);
            (draft.source(name).cloned(), is_late)
        };
        if is_late {
            return Err(mistake(
                Report::new(format!("import of `{path}` comes too late: imports come first"))
                    .hint("move it to the top of the file, so that what this file declares overrides it"),
            ));
        }
        let found = self.find(importer.as_ref(), path).map_err(mistake)?;
        let import = (source.unwrap_or_default().to_owned(), path.to_owned(), found.name.clone());
        self.draft.lock().imports.push(import);
        self.load(engine, found)
    }
}
