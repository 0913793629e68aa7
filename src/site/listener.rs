//! Turns what a transport reports while an act runs into events: lines of output, bytes that were sent.

use std::sync::Arc;

use crate::event::{Event, Output, Sink};
use crate::transport::{Listener, Stream};
use crate::tree::Queue;

/// Emits only whole lines: a secret that is cut in two would not be masked.
pub struct OutputListener<'a> {
    host: &'a str,
    events: &'a Arc<dyn Sink>,
    total: Option<u64>,
    n_sent: u64,
    /// The queue of a pack that may be compressed.
    queue: Option<Arc<Queue>>,
    is_shown: bool,
    partial: [Vec<u8>; 2],
}

impl<'a> OutputListener<'a> {
    pub fn new(host: &'a str, events: &'a Arc<dyn Sink>, total: Option<u64>) -> Self {
        Self { host, events, total, n_sent: 0, queue: None, is_shown: false, partial: Default::default() }
    }

    /// Counts the bytes that compression saves as sent.
    pub fn of(mut self, queue: &Arc<Queue>) -> Self {
        self.queue = Some(Arc::clone(queue));
        self
    }

    /// How many bytes of the pack were sent.
    pub fn n_sent(&self) -> u64 {
        self.n_sent + self.queue.as_ref().map_or(0, |queue| queue.saved())
    }

    /// Emits lines of output as well.
    pub fn lines(mut self) -> Self {
        self.is_shown = true;
        self
    }

    fn line(&self, output: Output, bytes: &[u8]) {
        self.events.event(Event::Line {
            host: self.host.to_owned(),
            output,
            // Spaces at the end stay: a secret may end in one.
            text: String::from_utf8_lossy(bytes).trim_end_matches('\r').to_owned(),
        });
    }
}

impl Listener for OutputListener<'_> {
    fn output(&mut self, stream: Stream, bytes: &[u8]) {
        if !self.is_shown {
            return;
        }
        let (n, output) = match stream {
            Stream::Stdout => (0, Output::Stdout),
            Stream::Stderr => (1, Output::Stderr),
        };
        let mut text = std::mem::take(&mut self.partial[n]);
        text.extend(bytes);
        while let Some(at) = text.iter().position(|&byte| byte == b'\n') {
            self.line(output, &text[..at]);
            text.drain(..=at);
        }
        self.partial[n] = text;
    }

    fn sent(&mut self, bytes: u64) {
        self.n_sent += bytes;
        if let Some(total) = self.total {
            self.events.event(Event::Sending {
                host: self.host.to_owned(),
                sent: self.n_sent().min(total),
                total,
            });
        }
    }
}

impl Drop for OutputListener<'_> {
    fn drop(&mut self) {
        for (n, output) in [(0, Output::Stdout), (1, Output::Stderr)] {
            let text = std::mem::take(&mut self.partial[n]);
            if !text.is_empty() {
                self.line(output, &text);
            }
        }
    }
}
