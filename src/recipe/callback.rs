//! A function of a recipe, kept to be called later: from other threads, with the world it was written in.
//!
//! **Invariant:** a kept function shares nothing with its script or with other calls of itself.

use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, GlobalRuntimeState, NativeCallContext, Position};

use crate::event::Report;

/// A function pointer of Rhai's is a name and captured values; `world` is where the name means something.
#[derive(Clone)]
pub struct Callback {
    function: FnPtr,
    world: Arc<GlobalRuntimeState>,
    /// How many arguments it takes.
    pub arity: usize,
    /// Where it was handed over, and in which file.
    pub position: Position,
    pub caller: String,
}

impl Callback {
    pub fn new(context: &NativeCallContext, mut function: FnPtr) -> Result<Self, Report> {
        let mut world = context.global_runtime_state().clone();
        let curried = function.curry().len();
        let name = function.fn_name();
        // A closure may be handed to a function of another file, which hands it on: both are in the world then.
        let found = world.lib.iter().rev().find_map(|module| {
            let n_params = module.iter_script_fn_info().find(|(_, _, known, ..)| *known == name)?.3;
            Some((n_params.saturating_sub(curried), module.id().map(Into::into)))
        });
        let (arity, file) =
            found.ok_or_else(|| Report::new(format!("`{name}` is not a function of this file")))?;
        let caller = world.source.as_deref().unwrap_or_default().to_owned();
        if file.is_some() {
            world.source = file;
        }
        // Captured variables are shared cells, which threads would fight over: each call gets a copy of what they
        // hold now.
        for value in function.iter_curry_mut() {
            *value = flat(value);
        }
        Ok(Self { function, world: Arc::new(world), arity, position: context.call_position(), caller })
    }

    /// Calls it with `tag` as what primitives find their surroundings by.
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
        self.function.call_raw(&context, None, arguments)
    }

    /// An error of a call, less the call itself, which stands in no file; and the file that it arose in.
    pub fn inner<'a>(&'a self, error: &'a EvalAltResult) -> (&'a str, &'a EvalAltResult) {
        match error {
            EvalAltResult::ErrorInFunctionCall(_, callee, inner, position) if *position == self.position => {
                (if callee.is_empty() { self.source() } else { callee }, inner)
            }
            error => (self.source(), error),
        }
    }

    /// The same error with `name` as what was called: by a primitive, which will be shown as the caller's place.
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

/// A copy with no shared cell in it, however deep.
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
