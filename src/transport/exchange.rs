//! One script on one channel: the input that is not written yet, and the output so far. The caller advances it step
//! by step, so several exchanges can be in progress on one link.

use std::io::{self, ErrorKind, Read};
use std::time::{Duration, Instant};

use crate::shell::{Answer, Exit};
use crate::transport::error::last_lines;
use crate::transport::frame::Scanner;
use crate::transport::link::{ChannelId, Link, ReadOutcome};
use crate::transport::mark::Mark;
use crate::transport::{Listener, Stream, TransportError};

/// How much of a payload is in memory at once.
const BLOCK: usize = 64 * 1024;
const BUFFER: usize = 64 * 1024;
/// The most that a script may print: all of it is in memory. The largest answers are manifests, compressed.
const OUTPUT_MAX: usize = 128 * 1024 * 1024;

/// The input of a script: a text, and maybe a payload after it. After a payload, standard input is closed.
pub struct Input<'a> {
    block: Vec<u8>,
    at: usize,
    payload: Option<&'a mut dyn Read>,
    is_payload: bool,
    /// The script stopped reading before the end.
    is_short: bool,
    sent: u64,
}

impl<'a> Input<'a> {
    pub fn text(text: Vec<u8>) -> Self {
        Self { block: text, at: 0, payload: None, is_payload: false, is_short: false, sent: 0 }
    }

    pub fn with_payload(text: Vec<u8>, payload: &'a mut dyn Read) -> Self {
        Self { payload: Some(payload), ..Self::text(text) }
    }

    fn is_empty(&self) -> bool {
        self.block.is_empty() && self.payload.is_none()
    }

    /// Stops writing, and leaves standard input open.
    fn stop(&mut self) {
        self.is_short |= self.has_unsent_input();
        self.payload = None;
        self.at = self.block.len();
    }

    /// Whether unsent input is left, other than the zeros at the end of a tar, which need not be read.
    fn has_unsent_input(&mut self) -> bool {
        let mut rest = [0; 1];
        self.is_short
            || self.block[self.at..].iter().any(|byte| *byte != 0)
            || self.payload.as_mut().is_some_and(|payload| !matches!(payload.read(&mut rest), Ok(0)))
    }

    /// Loads the next block if necessary. Returns false at the end of the input.
    fn fill(&mut self) -> io::Result<bool> {
        if self.at < self.block.len() {
            return Ok(true);
        }
        let Some(payload) = &mut self.payload else {
            return Ok(false);
        };
        self.is_payload = true;
        self.block.resize(BLOCK, 0);
        let n = loop {
            match payload.read(&mut self.block) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        // Also after an error, the block must not contain bytes that look like input.
        self.block.truncate(n.as_ref().map_or(0, |n| *n));
        self.at = 0;
        n.map(|n| n > 0)
    }
}

/// One of the two output streams.
struct Capture {
    stream: Stream,
    scanner: Scanner,
    kept: Vec<u8>,
    is_at_end: bool,
}

impl Capture {
    fn new(stream: Stream, mark: &Mark) -> Self {
        Self { stream, scanner: Scanner::new(mark), kept: Vec::new(), is_at_end: false }
    }
}

/// A script in progress.
pub struct Exchange<'a> {
    pub channel: ChannelId,
    input: Input<'a>,
    out: Capture,
    err: Capture,
    started: Option<Instant>,
    /// When the channel last accepted bytes, or was opened.
    last_accepted: Instant,
    /// When the end mark arrived on one of the streams, while the other has none.
    half_ended: Option<Instant>,
    buffer: Vec<u8>,
}

impl<'a> Exchange<'a> {
    pub fn new(channel: ChannelId, mark: &Mark, input: Input<'a>) -> Self {
        Self {
            channel,
            out: Capture::new(Stream::Stdout, mark),
            err: Capture::new(Stream::Stderr, mark),
            // Without input, it has started already.
            started: input.is_empty().then(Instant::now),
            last_accepted: Instant::now(),
            half_ended: None,
            input,
            buffer: vec![0; BUFFER],
        }
    }

    /// Writes and reads as much as possible without waiting. Returns false if that was nothing.
    pub fn advance(
        &mut self,
        link: &mut impl Link,
        listener: &mut dyn Listener,
    ) -> Result<bool, TransportError> {
        let wrote = self.write(link, listener)?;
        let sent = self.input.sent;
        let mut moved = wrote;
        for capture in [&mut self.out, &mut self.err] {
            moved |= read(link, self.channel, capture, &mut self.buffer, listener)
                .map_err(|error| TransportError::broken(&error, sent))?;
        }
        let is_half_ended = self.out.scanner.end().is_some() != self.err.scanner.end().is_some();
        if is_half_ended {
            self.half_ended.get_or_insert_with(Instant::now);
        }
        Ok(moved)
    }

    fn write(&mut self, link: &mut impl Link, listener: &mut dyn Listener) -> Result<bool, TransportError> {
        let had_payload = self.input.payload.is_some();
        let is_more =
            self.input.fill().map_err(|error| TransportError::Payload { why: error.to_string() })?;
        if !is_more {
            if had_payload {
                self.input.payload = None;
                link.close_stdin(self.channel)
                    .map_err(|error| TransportError::broken(&error, self.input.sent))?;
            }
            return Ok(had_payload);
        }
        match link.write(self.channel, &self.input.block[self.input.at..]) {
            Ok(0) => Ok(false),
            Ok(n) => {
                self.last_accepted = Instant::now();
                self.started.get_or_insert(self.last_accepted);
                self.input.at += n;
                if self.input.is_payload {
                    self.input.sent += n as u64;
                    listener.sent(n as u64);
                }
                Ok(true)
            }
            // The reader is gone. Its last output and its mark may still arrive.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.input.stop();
                Ok(true)
            }
            Err(error) => Err(TransportError::broken(&error, self.input.sent)),
        }
    }

    /// Stops sending the payload. The text before it is still written completely: a script that arrives incomplete
    /// never begins.
    pub fn stop_payload(&mut self) {
        self.input.payload = None;
        if self.input.is_payload {
            self.input.stop();
        }
    }

    /// When the channel accepted the first byte.
    pub fn started(&self) -> Option<Instant> {
        self.started
    }

    /// How long ago the channel last accepted bytes, if the script has not begun yet; zero if it has.
    pub fn stalled(&self) -> Duration {
        self.out.scanner.begin().map_or_else(|| self.last_accepted.elapsed(), |_| Duration::ZERO)
    }

    /// How long ago the end mark arrived on one of the streams, if the other has none.
    pub fn half_ended(&self) -> Duration {
        self.half_ended.map_or(Duration::ZERO, |since| since.elapsed())
    }

    pub fn sent(&self) -> u64 {
        self.input.sent
    }

    /// Whether the script ended without reading all of its input. Nothing may be sent after that.
    pub fn has_unsent_input(&mut self) -> bool {
        self.input.has_unsent_input()
    }

    /// Whether no byte of the payload was used yet.
    pub fn is_untouched(&self) -> bool {
        self.input.payload.is_some() && !self.input.is_payload
    }

    pub fn into_payload(self) -> Option<&'a mut dyn Read> {
        self.input.payload
    }

    /// The process id of the script, and how to find all processes that belong to it.
    pub fn process(&self) -> Option<(u32, &str)> {
        let (pid, way) = self.out.scanner.begin()?.split_once(' ')?;
        Some((pid.parse().ok().filter(|pid| *pid > 1)?, way))
    }

    /// The value of `$?`, once the end mark arrived on both streams.
    pub fn status(&self) -> Option<i32> {
        self.err.scanner.end()?;
        // A mark without a valid number is a failure.
        Some(self.out.scanner.end()?.parse().unwrap_or(-1))
    }

    pub fn into_answer(self, exit: Exit) -> Answer {
        let mut stderr = self.err.kept;
        if self.err.scanner.begin().is_none() {
            // The script's shell could not be started: this output says why.
            stderr = self.err.scanner.stray().to_vec();
        }
        Answer { exit, stdout: self.out.kept, stderr }
    }

    /// The error that the script was lost because of `why`, with its last output.
    pub fn lost(&self, why: &str) -> TransportError {
        let words = match self.err.kept.as_slice() {
            // `nologin` explains itself on stdout.
            [] if self.out.scanner.begin().is_none() && self.err.scanner.stray().is_empty() => {
                self.out.scanner.stray()
            }
            [] => self.err.scanner.stray(),
            words => words,
        };
        let words = String::from_utf8_lossy(last_lines(words));
        let why = match words.trim() {
            "" => why.to_owned(),
            words => format!("{why}: {words}"),
        };
        TransportError::Gone { why, sent: self.input.sent }
    }
}

fn read(
    link: &mut impl Link,
    channel: ChannelId,
    capture: &mut Capture,
    buffer: &mut [u8],
    listener: &mut dyn Listener,
) -> io::Result<bool> {
    let Capture { stream, scanner, kept, is_at_end } = capture;
    if *is_at_end {
        return Ok(false);
    }
    let mut out = |bytes: &[u8]| {
        kept.extend(bytes);
        listener.output(*stream, bytes);
    };
    match link.read(channel, *stream, buffer)? {
        ReadOutcome::Nothing => return Ok(false),
        ReadOutcome::Bytes(n) => scanner.feed(&buffer[..n], &mut out),
        ReadOutcome::End => {
            *is_at_end = true;
            scanner.finish(&mut out);
        }
    }
    match kept.len() > OUTPUT_MAX {
        true => Err(io::Error::other(format!(
            "the script printed more than {} MiB; redirect the output of its command to a file on the server",
            OUTPUT_MAX / 1024 / 1024
        ))),
        false => Ok(true),
    }
}
