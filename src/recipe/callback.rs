//! A function of a recipe that is kept and called later, from other threads, in the world that it was written in.
//!
//! **Invariant:** a kept function shares nothing with its script or with other calls of itself.

use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, GlobalRuntimeState, NativeCallContext, Position};

use crate::event::Report;
use crate::recipe::closure::{foreign_closure, is_closure};
use crate::recipe::uncaught;

/// A function pointer of Rhai is a name and captured values. `world` is the state of Rhai that knows the name.
#[derive(Clone)]
pub struct Callback {
    function: FnPtr,
    world: Arc<GlobalRuntimeState>,
    /// How many arguments it takes.
    pub arity: usize,
    /// Where a script passed it to a primitive, and in which file.
    pub position: Position,
    pub caller: String,
}

impl Callback {
    pub fn new(context: &NativeCallContext, mut function: FnPtr) -> Result<Self, Report> {
        let mut world = context.global_runtime_state().clone();
        let curried = function.curry().len();
        let name = function.fn_name();
        // A closure may be passed to a function of another file, which passes it on. Then the world has both files.
        let found = world.lib.iter().rev().find_map(|module| {
            let n_params = module.iter_script_fn_info().find(|(_, _, known, ..)| *known == name)?.3;
            Some((n_params.saturating_sub(curried), module.id().map(Into::into)))
        });
        let (arity, file) = found.ok_or_else(|| match is_closure(name) {
            true => foreign_closure(),
            false => Report::new(format!("`{name}` is not a function of this file")),
        })?;
        let caller = world.source.as_deref().unwrap_or_default().to_owned();
        if file.is_some() {
            world.source = file;
        }
        // Captured variables are cells that threads would share and compete for. The callback gets a copy of their
        // present values.
        for value in function.iter_curry_mut() {
            *value = flat(value);
        }
        Ok(Self { function, world: Arc::new(world), arity, position: context.call_position(), caller })
    }

    /// Calls it. Primitives find their context in `tag`.
    pub fn call(
        &self,
        engine: &Engine,
        tag: Dynamic,
        arguments: &mut [Dynamic],
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let mut world = (*self.world).clone();
        world.tag = tag;
        let source = world.source.clone();
        let context = NativeCallContext::new_with_all_fields(
            engine,
            self.function.fn_name(),
            source.as_deref(),
            &world,
            self.position,
        );
        uncaught::heeded(|| self.function.call_raw(&context, None, arguments))
    }

    /// An error without the outermost call, which has no place in a file; and the file where the error arose.
    pub fn inner<'a>(&'a self, error: &'a EvalAltResult) -> (&'a str, &'a EvalAltResult) {
        match error {
            EvalAltResult::ErrorInFunctionCall(_, callee, inner, position) if *position == self.position => {
                (if callee.is_empty() { self.source() } else { callee }, inner)
            }
            error => (self.source(), error),
        }
    }

    /// The same error with `name` as the called function, and without a place: that of the calling primitive is shown.
    pub fn named(&self, error: EvalAltResult, name: &str) -> Box<EvalAltResult> {
        match error {
            EvalAltResult::ErrorInFunctionCall(_, callee, inner, position) if position == self.position => {
                let callee = if callee.is_empty() { self.source().to_owned() } else { callee };
                EvalAltResult::ErrorInFunctionCall(name.to_owned(), callee, inner, Position::NONE).into()
            }
            error => error.into(),
        }
    }

    pub fn name(&self) -> &str {
        self.function.fn_name()
    }

    /// The file that it is written in.
    pub fn source(&self) -> &str {
        self.world.source.as_deref().unwrap_or_default()
    }
}

/// A deep copy without shared cells.
fn flat(value: &Dynamic) -> Dynamic {
    let value = value.flatten_clone();
    if let Some(array) = value.read_lock::<rhai::Array>() {
        return Dynamic::from_array(array.iter().map(flat).collect());
    }
    if let Some(map) = value.read_lock::<rhai::Map>() {
        return Dynamic::from_map(map.iter().map(|(key, v)| (key.clone(), flat(v))).collect());
    }
    value
}
