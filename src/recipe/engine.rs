//! The engine that evaluates recipes: strict, limited, and with the primitives.

use rhai::{Dynamic, Engine, OptimizationLevel};

use crate::event::Event;
use crate::recipe::draft::Draft;
use crate::recipe::nothing;
use crate::recipe::primitives;
use crate::recipe::resolver::Resolver;
use crate::recipe::uncaught;
use crate::transport::CancelToken;

/// Enough for any recipe; an endless loop reaches it within a second.
const MAX_OPERATIONS: u64 = 10_000_000;

pub fn engine(
    draft: &Draft,
    resolver: &Resolver,
    cancel_token: &CancelToken,
    events: &std::sync::Arc<dyn crate::event::Sink>,
) -> Engine {
    let mut engine = Engine::new();
    engine
        // Otherwise the check would not see what Rhai simplifies, such as `if host.run("x") {}`.
        .set_optimization_level(OptimizationLevel::None)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_max_call_levels(64)
        // In debug builds, the default of Rhai is 16 inside functions, which refuses ordinary recipes.
        .set_max_expr_depths(128, 64)
        .set_max_operations(MAX_OPERATIONS)
        .set_max_modules(64)
        .set_max_string_size(64 << 20)
        // Interning would take a lock in every interpolation.
        .set_max_strings_interned(0)
        .disable_symbol("eval")
        .set_default_tag(Dynamic::from(draft.clone()))
        .set_module_resolver(resolver.clone());
    let stop = cancel_token.clone();
    engine.on_progress(move |_| uncaught::found().or_else(|| stop.is_cancelled().then_some(Dynamic::UNIT)));
    let sink = events.clone();
    engine.on_print(move |text| {
        sink.event(Event::Note { host: None, text: text.to_owned() });
    });
    let sink = events.clone();
    engine.on_debug(move |text, file, position| {
        let file = file.map_or(String::new(), |file| format!("{file}:"));
        let line = position.line().unwrap_or_default();
        sink.event(Event::Note { host: None, text: format!("{file}{line}: {text}") });
    });
    primitives::register(&mut engine);
    nothing::register(&mut engine);
    engine
}
