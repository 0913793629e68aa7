//! The items that the tests of this repository use. Nothing else is public, so that the compiler reports unused code.

pub mod event {
    pub use crate::event::{Report, layout};
}

pub mod host {
    pub use crate::host::Inventory;
}

/// The rules of scripts make every step.
pub mod release {
    pub use crate::release::{
        Record, ReleaseName, SharedPath, adoption, command, contents, current, file, fill, guard, heal,
        history, intent, lifecycle, lock, origins, plan, probe, share, sharing, surroundings, survey, swap,
        take,
    };
}

pub mod shell {
    pub use crate::shell::{Act, Answer, Effect, Exit, Script, Step, Word};
}

pub mod transport {
    pub use crate::transport::{
        CancelToken, Heartbeat, Listener, Remote, Silent, Stream, TransportError, encode, framed, local,
        mark, ssh,
    };
}

pub mod tree {
    pub use crate::tree::{Contents, Entry, Hash, Kind, Manifest, Pack, Tree, TreePath};
}

pub mod web {
    pub use crate::web::{Response, http};
}
