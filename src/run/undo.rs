//! The log of what takes a run's steps back, worked off in reverse when a later step fails.

use std::cmp::Reverse;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

/// Is given the run, and answers whether there was anything to take back.
type UndoAct<R> = Box<dyn FnOnce(&Arc<R>) -> Result<bool> + Send>;

/// One thing to take back, on one host.
pub struct Undo<R> {
    /// Which task of the run entered it; later tasks are undone first.
    pub order: usize,
    pub host: usize,
    /// What it does, for the user: "swapped back".
    pub what: String,
    /// A swap: once it is taken back, services must be told to go back as well.
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

    /// Takes the entries of the latest task that has any, the latest entry first.
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

    /// Takes the entries of one host, the latest first.
    pub fn take_of(&self, host: usize) -> Vec<Undo<R>> {
        let mut taken = self.take_if(|undo| undo.host == host);
        taken.reverse();
        taken.sort_by_key(|undo| Reverse(undo.order));
        taken
    }

    fn take_if(&self, is_meant: impl Fn(&Undo<R>) -> bool) -> Vec<Undo<R>> {
        let mut log = self.lock();
        let (taken, rest) = log.drain(..).partition(is_meant);
        *log = rest;
        taken
    }

    /// Whether a swap is still to be taken back.
    pub fn has_swap(&self) -> bool {
        self.lock().iter().any(|undo| undo.is_swap)
    }

    /// Forgets everything: what was done stays.
    pub fn confirm(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Undo<R>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
