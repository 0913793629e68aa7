//! A value that is computed once for all hosts. An error is kept as well: all of them get the same one.

use std::sync::{Arc, OnceLock};

use anyhow::Result;

use crate::event::Report;

pub type Once<T> = OnceLock<Result<Arc<T>, Arc<anyhow::Error>>>;

/// The value that `make` made at the first call.
pub fn kept<T>(once: &Once<T>, make: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
    let kept = once.get_or_init(|| make().map(Arc::new).map_err(Arc::new));
    match kept {
        Ok(value) => Ok(value.clone()),
        Err(error) => Err(Report::of(error).into()),
    }
}
