//! Questions to what listens on a host: carried by a channel of their own, so that nothing is needed there.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use crate::transport::framed::Framed;
use crate::transport::interrupt::POLL_INTERVAL;
use crate::transport::link::{ChannelId, Got, Link};
use crate::transport::{Lost, Stream};
use crate::web::{Question, Response};

/// Bytes of an answer that are read, whatever they are.
const SAID_MAX: usize = 40 * 1024 * 1024;

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// And how long after the question was under way: once to the host and back is in it.
    Answered(Response, Duration),
    /// There was no answer, or none that can be read.
    Failed(String),
    Interrupted,
}

impl<L: Link> Framed<L> {
    pub(super) fn ask_through(&mut self, question: &Question) -> Result<Told, Lost> {
        let began = Instant::now();
        let channel = self.link.dial(&question.to)?;
        let told = self.converse(channel, question, began);
        self.link.close(channel);
        told
    }

    fn converse(&mut self, channel: ChannelId, question: &Question, began: Instant) -> Result<Told, Lost> {
        let (mut rest, mut said) = (question.bytes.as_slice(), Vec::new());
        let mut sent = None;
        let mut buffer = [0; 16 * 1024];
        loop {
            // No act runs meanwhile.
            self.beat_idle();
            if self.is_interrupted() {
                return Ok(Told::Interrupted);
            }
            let failed = |why: String| Ok(Told::Failed(why));
            let mut has_moved = false;
            if !rest.is_empty() {
                match self.link.write(channel, rest) {
                    Ok(n) => {
                        has_moved = n > 0;
                        sent = sent.or(has_moved.then(Instant::now));
                        rest = &rest[n..];
                    }
                    // Who has heard enough may have answered all the same.
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => rest = b"",
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                        return failed(error.to_string());
                    }
                    Err(error) => return Err(Lost::broken(&error, 0)),
                }
            }
            let is_over = match self.link.read(channel, Stream::Stdout, &mut buffer) {
                Ok(Got::Bytes(n)) => {
                    said.extend(&buffer[..n]);
                    has_moved = true;
                    // There is more at once.
                    if n == buffer.len() && said.len() < SAID_MAX {
                        continue;
                    }
                    false
                }
                Ok(Got::Nothing) => false,
                Ok(Got::End) => true,
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    return failed(error.to_string());
                }
                Err(error) => return Err(Lost::broken(&error, 0)),
            };
            if said.len() >= SAID_MAX {
                return failed("its answer has no end".to_owned());
            }
            if has_moved || is_over {
                match question.protocol.read(&said, is_over) {
                    Ok(Some(response)) => {
                        return Ok(Told::Answered(response, sent.unwrap_or(began).elapsed()));
                    }
                    Ok(None) => {}
                    Err(why) => return failed(why),
                }
            }
            let left = question.timeout.saturating_sub(began.elapsed());
            if left.is_zero() {
                let got = if said.is_empty() {
                    "no answer".to_owned()
                } else {
                    format!("{} bytes and no more", said.len())
                };
                return failed(format!("{got} within {} s", question.timeout.as_secs_f64()));
            }
            if !has_moved {
                self.wait(&[channel], left.min(POLL_INTERVAL))?;
            }
        }
    }
}
