//! POSIX shell text as a value: a word is quoted by its type, and a remote act is data until a transport performs it.

pub mod script;
pub mod step;
pub mod word;

pub use script::Script;
pub use step::{Act, Answer, Effect, Exit, Op, Step};
pub use word::{Word, escape};
