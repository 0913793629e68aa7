//! What this run has done to `current` on one host.
//!
//! Armed and confirmed are no states here: the session knows whether the server watches over a swap.

use crate::release::history::HistoryEntry;
use crate::release::intent::Intent;
use crate::release::swap::{Swap, Watch};
use crate::release::{Record, ReleaseName};

#[derive(Default)]
pub(super) enum Swapping {
    #[default]
    None,
    /// The swap may be armed. It may even have been made: if no answer came, the server may still have done it.
    Prepared { swap: Swap, entry: HistoryEntry },
    /// `current` points to the release of this run, or to the one that was rolled back to.
    Made { swap: Swap },
    /// `current` already pointed to the release that this run rolls back to.
    AlreadyServed { record: Record },
    /// The release was live and is not any more. It stays, marked as failed, until the next prune, because processes may
    /// still run in it.
    SwappedBack { record: Record },
}

impl Swapping {
    /// The swap, from when it is prepared until it is undone.
    pub(super) fn swap(&self) -> Option<&Swap> {
        match self {
            Swapping::Prepared { swap, .. } | Swapping::Made { swap } => Some(swap),
            _ => None,
        }
    }

    /// Whether `current` points to the release that this run wants live.
    pub(super) fn is_live(&self) -> bool {
        matches!(self, Swapping::Made { .. } | Swapping::AlreadyServed { .. })
    }

    /// The release that was swapped to, whether it is still live or not.
    pub(super) fn release(&self) -> Option<&ReleaseName> {
        match self {
            Swapping::None | Swapping::Prepared { .. } => None,
            Swapping::Made { swap } => Some(&swap.intent.release),
            Swapping::AlreadyServed { record } | Swapping::SwappedBack { record } => Some(&record.name),
        }
    }
}

/// A swap that is armed or made, and the watch over it.
#[derive(Debug, Clone)]
pub(super) struct UnconfirmedSwap {
    pub(super) watch: Watch,
    pub(super) intent: Intent,
}
