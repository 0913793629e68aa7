//! Computes a value once for all hosts, or once for each key. If that fails, all callers get the same error.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::Result;

use crate::event::Report;

pub type Once<T> = OnceLock<Result<Arc<T>, Arc<anyhow::Error>>>;

/// Returns the value, which `make` makes at the first call.
pub fn get_or_make<T>(once: &Once<T>, make: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
    let result = once.get_or_init(|| make().map(Arc::new).map_err(Arc::new));
    match result {
        Ok(value) => Ok(value.clone()),
        Err(error) => Err(Report::of(error).into()),
    }
}

/// One value for each key. Compares keys one by one: there are few.
pub struct OncePer<K, T> {
    values: Mutex<Vec<(K, Arc<Once<T>>)>>,
}

impl<K, T> Default for OncePer<K, T> {
    fn default() -> Self {
        Self { values: Mutex::default() }
    }
}

impl<K: Clone + PartialEq, T> OncePer<K, T> {
    /// Returns the value for a key, which `make` makes at the first call with this key. Only callers with the same
    /// key wait for it.
    pub fn get_or_make(&self, key: &K, make: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        get_or_make(&self.value(key), make)
    }

    fn value(&self, key: &K) -> Arc<Once<T>> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, value)) = values.iter().find(|(known, _)| known == key) {
            return Arc::clone(value);
        }
        let value = Arc::new(OnceLock::new());
        values.push((key.clone(), Arc::clone(&value)));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    #[test]
    fn a_value_is_made_once_per_key_and_no_key_waits_for_another() {
        let (once, n_made) = (OncePer::<u8, u8>::default(), AtomicUsize::new(0));
        // Both values are being made at the same time, or this never ends.
        let both = Barrier::new(2);
        thread::scope(|scope| {
            for n in 0..50 {
                let (once, n_made, both) = (&once, &n_made, &both);
                scope.spawn(move || {
                    let key = n % 2;
                    let made = once.get_or_make(&key, || {
                        both.wait();
                        n_made.fetch_add(1, Ordering::SeqCst);
                        Ok(key)
                    });
                    assert_eq!(*made.unwrap(), key);
                });
            }
        });
        assert_eq!(n_made.into_inner(), 2);
    }

    #[test]
    fn an_error_is_kept_too() {
        let once = OncePer::<u8, u8>::default();
        let made = |make: fn() -> Result<u8>| once.get_or_make(&1, make).map_err(|error| error.to_string());
        assert_eq!(made(|| anyhow::bail!("no")), Err("no".to_owned()));
        assert_eq!(made(|| Ok(1)), Err("no".to_owned()));
    }
}
