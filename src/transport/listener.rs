//! Who hears what an act says while it runs.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// Hears of an act's output and of a payload's progress as they come.
pub trait Listener {
    /// Bytes of the script's output, cut anywhere.
    fn output(&mut self, stream: Stream, bytes: &[u8]) {
        let _ = (stream, bytes);
    }

    /// `bytes` more of the payload were taken by the connection.
    fn sent(&mut self, bytes: u64) {
        let _ = bytes;
    }
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Listener for Silent {}
