//! Receives the output of an act while it runs.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// Receives an act's output and a payload's progress as they arrive.
pub trait Listener {
    /// A piece of the script's output, split at any byte.
    fn output(&mut self, stream: Stream, bytes: &[u8]) {
        let _ = (stream, bytes);
    }

    /// The connection accepted `bytes` more of the payload.
    fn sent(&mut self, bytes: u64) {
        let _ = bytes;
    }
}

/// Ignores all output.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Listener for Silent {}
