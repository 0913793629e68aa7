//! Receives the output of an act while it runs.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// Receives an act's output and a payload's progress as they arrive.
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
