//! The functions that recipes call: thin, documented, one file for each noun. Their `///` comments are the user manual.

#![allow(clippy::unwrap_used, reason = "`export_module` writes them; there are none of our own")]

mod arity;
mod cause;
pub mod command;
pub mod declare;
pub mod fact;
pub mod fetch;
pub mod file;
pub mod finding;
pub mod flow;
pub mod here;
pub mod migration;
mod option;
pub mod release;
mod request;
pub mod set;
pub mod setting;
pub mod unanswered;
pub mod visit;
pub mod watch;
pub mod web;
mod wrong_type;

use rhai::{Engine, exported_module};

pub use option::options_of;

pub fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<super::context::ScriptHost>("Host")
        .register_type_with_name::<super::context::ScriptHosts>("Hosts")
        .register_type_with_name::<declare::ScriptTask>("Task")
        .register_type_with_name::<super::failure::Failure>("Failure")
        .register_type_with_name::<super::failure::Unanswered>("Unanswered");
    engine.register_iterator::<super::context::ScriptHosts>();
    unanswered::register(engine);
    for module in [
        exported_module!(declare::api),
        exported_module!(flow::api),
        exported_module!(setting::api),
        exported_module!(here::api),
        exported_module!(fetch::api),
        exported_module!(fact::api),
        exported_module!(command::api),
        exported_module!(file::api),
        exported_module!(release::api),
        exported_module!(migration::api),
        exported_module!(set::api),
        exported_module!(watch::api),
        exported_module!(web::api),
        exported_module!(visit::api),
        exported_module!(finding::api),
    ] {
        engine.register_global_module(module.into());
    }
    wrong_type::register(engine);
}
