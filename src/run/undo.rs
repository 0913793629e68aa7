//! The undo log: what undoes the steps of a run, in reverse order, when a later step fails.

use std::cmp::Reverse;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

/// Returns whether there was anything to undo.
type UndoAct<R> = Box<dyn FnOnce(&Arc<R>) -> Result<bool> + Send>;

/// The undo of one step on one host.
pub struct Undo<R> {
    /// The number of the task that entered it. Later tasks are undone first.
    pub order: usize,
    pub host: usize,
    /// What it does, for the message if it fails: "swap back".
    pub what: String,
    /// The same in the past tense, for the message if it succeeds: "swapped back".
    pub done: String,
    /// The undo of a swap: after it, services must reload.
    pub is_swap: bool,
    pub act: UndoAct<R>,
}

pub struct UndoLog<R>(Mutex<Vec<Undo<R>>>);

impl<R> Default for UndoLog<R> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<R> UndoLog<R> {
    pub fn enter(&self, undo: Undo<R>) {
        self.lock().push(undo);
    }

    /// Removes and returns the entries of the latest task that has any, the latest entry first.
    pub fn take_latest(&self) -> Vec<Undo<R>> {
        let log = self.lock();
        let Some(latest) = log.iter().map(|undo| undo.order).max() else {
            return Vec::new();
        };
        drop(log);
        let mut taken = self.take_if(|undo| undo.order == latest);
        taken.reverse();
        taken
    }

    /// Removes and returns the entries of one host, the latest first.
    pub fn take_of(&self, host: usize) -> Vec<Undo<R>> {
        let mut taken = self.take_if(|undo| undo.host == host);
        taken.reverse();
        taken.sort_by_key(|undo| Reverse(undo.order));
        taken
    }

    fn take_if(&self, is_wanted: impl Fn(&Undo<R>) -> bool) -> Vec<Undo<R>> {
        let mut log = self.lock();
        let (taken, rest) = log.drain(..).partition(is_wanted);
        *log = rest;
        taken
    }

    /// Whether the undo of a swap is in the log.
    pub fn has_swap(&self) -> bool {
        self.lock().iter().any(|undo| undo.is_swap)
    }

    /// Removes all entries, so that nothing is undone.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Undo<R>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
