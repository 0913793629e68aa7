//! What this run has done about `current` on one host.
//!
//! Whether a swap is armed, or confirmed already, is no state of its own: while the server watches over a swap, the session
//! knows it.

use crate::release::history::HistoryEntry;
use crate::release::swap::Swap;
use crate::release::{Record, ReleaseName};

#[derive(Default)]
pub(super) enum Swapping {
    #[default]
    None,
    /// It is armed or not. It may even have been made: an answer that never came may have been a yes.
    Prepared { swap: Swap, entry: HistoryEntry },
    /// `current` leads to the release of this run, or to the one that was rolled back to.
    Made { swap: Swap },
    /// `current` led already to the release that this run rolls back to.
    AlreadyServed { record: Record },
    /// The release was served and is not any more: it stays as failed until the next prune, since processes may still be
    /// in it.
    TakenBack { record: Record },
}

impl Swapping {
    /// The swap, from when it is prepared until it is taken back.
    pub(super) fn swap(&self) -> Option<&Swap> {
        match self {
            Swapping::Prepared { swap, .. } | Swapping::Made { swap } => Some(swap),
            _ => None,
        }
    }

    /// Whether `current` leads where this run wants it.
    pub(super) fn is_live(&self) -> bool {
        matches!(self, Swapping::Made { .. } | Swapping::AlreadyServed { .. })
    }

    /// The release that was swapped to, still served or not.
    pub(super) fn release(&self) -> Option<&ReleaseName> {
        match self {
            Swapping::None | Swapping::Prepared { .. } => None,
            Swapping::Made { swap } => Some(&swap.intent.release),
            Swapping::AlreadyServed { record } | Swapping::TakenBack { record } => Some(&record.name),
        }
    }
}
