//! Imports: shipped recipes by name, files relative to the importing file. Each is evaluated once, in a state of its own.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{Engine, EvalAltResult, GlobalRuntimeState, Module, ModuleResolver, Position, Scope, Shared};

use crate::event::{Report, Suggestion};
use crate::recipe::closure::is_closure;
use crate::recipe::draft::Draft;
use crate::recipe::failure::mistake;
use crate::recipe::sources::{self, Origin, RecipeSource};
use crate::recipe::syntax;
use crate::recipe::uncaught;

type Loaded = Result<Shared<Module>, Box<EvalAltResult>>;

/// The engine's module resolver. It also loads the recipe itself.
#[derive(Clone)]
pub struct Resolver {
    draft: Draft,
    state: Arc<Mutex<ResolverState>>,
}

#[derive(Default)]
struct ResolverState {
    done: Vec<(Origin, Shared<Module>)>,
    /// The scripts that are being evaluated, outermost first: an import of one of these is a cycle.
    open: Vec<RecipeSource>,
    /// The syntax trees of all files, for the static check.
    trees: Vec<(RecipeSource, rhai::AST)>,
}

impl Resolver {
    pub fn new(draft: Draft) -> Self {
        Self { draft, state: Arc::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ResolverState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn trees(&self) -> Vec<(RecipeSource, rhai::AST)> {
        std::mem::take(&mut self.lock().trees)
    }

    /// Evaluates a script, unless it was evaluated already.
    pub fn load(&self, engine: &Engine, source: RecipeSource) -> Loaded {
        let state = self.lock();
        if let Some((_, module)) = state.done.iter().find(|(origin, _)| *origin == source.origin) {
            return Ok(module.clone());
        }
        drop(state);
        self.draft.lock().sources.push(source.clone());
        let mut ast =
            engine.compile(&source.text).map_err(|error| mistake(syntax::report(&source, &error)))?;
        ast.set_source(source.name.as_str());
        let closures = ast.iter_functions().filter(|function| is_closure(function.name));
        let closures = closures.map(|function| (function.name.to_owned(), source.name.clone()));
        self.draft.lock().closures.extend(closures);
        let mut state = self.lock();
        state.open.push(source.clone());
        state.trees.push((source.clone(), ast.clone()));
        drop(state);
        // A module is evaluated in a fresh state, so that nothing of the importer leaks into it.
        let mut global: GlobalRuntimeState = engine.new_global_runtime_state();
        let module =
            uncaught::heeded(|| Module::eval_ast_as_new_raw(engine, &mut Scope::new(), &mut global, &ast));
        let mut state = self.lock();
        state.open.pop();
        let module: Shared<Module> = Shared::new(module?);
        state.done.push((source.origin, module.clone()));
        Ok(module)
    }

    /// The file that an import names. Fails if that file is being evaluated itself.
    fn find(&self, importer: &RecipeSource, path: &str) -> Result<RecipeSource, Report> {
        if path.contains("://") {
            return Err(Report::new(format!("cannot import `{path}`: recipes are imported from files"))
                .hint("copy it into the project, and write `import \"./name.rhai\" as name;`"));
        }
        let found = match path.ends_with(".rhai") || path.contains('/') {
            true => file(importer, path)?,
            false => shipped(importer, path)?,
        };
        let state = self.lock();
        if let Some(n) = state.open.iter().position(|open| open.origin == found.origin) {
            let mut names: Vec<&str> = state.open[n..].iter().map(|s| s.name.as_str()).collect();
            names.push(&found.name);
            return Err(match names.as_slice() {
                [_, _] => Report::new(format!("`{}` imports itself", found.name)),
                names => Report::new(format!("cyclic imports: {}", names.join(" -> "))),
            });
        }
        Ok(found)
    }
}

fn shipped(importer: &RecipeSource, path: &str) -> Result<RecipeSource, Report> {
    let names = sources::recipe_names();
    if let Some(source) = sources::shipped(path) {
        return Ok(source);
    }
    let near = Suggestion::new(path, names.iter().copied());
    let report = Report::new(format!("no shipped recipe `{path}`{near}"));
    if matches!(&importer.origin, Origin::File(file) if file.with_file_name(format!("{path}.rhai")).exists())
    {
        return Err(report.hint(format!("write \"./{path}.rhai\" to import the file beside this one")));
    }
    Err(match names.as_slice() {
        [] => report,
        names => report.note(format!("shipped: {}", names.join(", "))),
    })
}

/// A file that is named relative to the one that imports it.
fn file(importer: &RecipeSource, path: &str) -> Result<RecipeSource, Report> {
    let below = match &importer.origin {
        Origin::File(file) => file.parent().unwrap_or(Path::new("/")),
        Origin::Shipped(_) => Path::new("."),
    };
    let mut file: PathBuf = below.join(path).components().collect();
    if file.extension().is_none() {
        file.set_extension("rhai");
    }
    sources::file(&file).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            let known = sources::beside(&file);
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let near = Suggestion::new(&name, known.iter().map(String::as_str));
            Report::new(format!("cannot import `{}`: file not found{near}", sources::shown(&file)))
        }
        _ => Report::new(format!("cannot import `{}`: {error}", sources::shown(&file))),
    })
}

impl ModuleResolver for Resolver {
    fn resolve(&self, engine: &Engine, source: Option<&str>, path: &str, position: Position) -> Loaded {
        let name = source.unwrap_or_default();
        let declared = self.draft.lock();
        let (importer, place) = (declared.source(name).cloned(), declared.excerpt(name, position));
        let is_late = declared.has_declared.iter().any(|file| file == name);
        drop(declared);
        let refused = |mut report: Report| {
            report.excerpt = place.clone();
            mistake(report)
        };
        let Some(importer) = importer else {
            return Err(refused(Report::new(format!(
                "cannot import `{path}`: the importing file is unknown"
            ))));
        };
        if is_late {
            let report =
                Report::new(format!("cannot import `{path}` here: imports must come before declarations"));
            return Err(refused(
                report.hint("move it to the top of the file, so that declarations of this file override it"),
            ));
        }
        let found = self.find(&importer, path).map_err(refused)?;
        let (name, target) = (name.to_owned(), found.name.clone());
        self.draft.lock().imports.push((name, path.to_owned(), target.clone()));
        self.load(engine, found).map_err(|error| EvalAltResult::ErrorInModule(target, error, position).into())
    }
}
