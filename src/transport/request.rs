//! A request to an application on a host, on its own channel, so that the host needs no program to send it.

use std::io::{self, ErrorKind};
use std::time::Instant;

use crate::transport::cancel::POLL_INTERVAL;
use crate::transport::link::{ChannelId, Link, ReadOutcome};
use crate::transport::{RequestResult, Stream, TransportError};
use crate::web::{Request, WebStream};

/// The limit for a response of any protocol, in bytes.
const RESPONSE_MAX: usize = 40 * 1024 * 1024;

/// A request in progress. The caller advances it step by step, like an `Exchange`.
pub struct RequestExchange<'a> {
    channel: ChannelId,
    request: &'a Request,
    wire: WebStream,
    received: Vec<u8>,
    began: Instant,
    /// When the channel accepted the first byte.
    sent: Option<Instant>,
    buffer: Vec<u8>,
}

impl<'a> RequestExchange<'a> {
    pub fn open(link: &mut impl Link, request: &'a Request, wire: WebStream) -> Result<Self, TransportError> {
        let began = Instant::now();
        Ok(Self {
            channel: link.dial(&request.to)?,
            request,
            wire,
            received: Vec::new(),
            began,
            sent: None,
            buffer: vec![0; 16 * 1024],
        })
    }

    pub fn close(self, link: &mut impl Link) {
        link.close(self.channel);
    }

    /// Writes and reads as much as possible, and waits a moment if that is nothing. `None`: not finished yet.
    pub fn advance(&mut self, link: &mut impl Link) -> Result<Option<RequestResult>, TransportError> {
        match self.transfer(link) {
            // Nothing listens at the address, but the connection to the host works.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                Ok(Some(RequestResult::Failed(error.to_string())))
            }
            outcome => outcome.map_err(|error| TransportError::broken(&error, 0)),
        }
    }

    fn transfer(&mut self, link: &mut impl Link) -> io::Result<Option<RequestResult>> {
        let has_written = self.write(link)?;
        let (n_read, is_over) = match self.read(link)? {
            Ok(read) => read,
            Err(why) => return Ok(Some(RequestResult::Failed(why))),
        };
        if self.received.len() >= RESPONSE_MAX {
            return Ok(Some(RequestResult::Failed(format!(
                "the response is larger than {} MiB",
                RESPONSE_MAX / 1024 / 1024
            ))));
        }
        if n_read == self.buffer.len() {
            // More can be read without waiting.
            return Ok(None);
        }
        let has_moved = has_written || n_read > 0;
        if (has_moved || is_over)
            && let Some(outcome) = self.parse_response(is_over)
        {
            return Ok(Some(outcome));
        }
        let left = self.request.timeout.saturating_sub(self.began.elapsed());
        if left.is_zero() {
            return Ok(Some(RequestResult::Failed(self.timeout_message())));
        }
        if !has_moved {
            link.wait(&[self.channel], left.min(POLL_INTERVAL))?;
        }
        Ok(None)
    }

    /// Returns whether the channel accepted any bytes.
    fn write(&mut self, link: &mut impl Link) -> io::Result<bool> {
        let bytes = self.wire.outgoing();
        if bytes.is_empty() {
            return Ok(false);
        }
        let n = match link.write(self.channel, bytes) {
            Ok(n) => n,
            // The application stopped reading, but may respond nevertheless.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.wire.stop();
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        self.wire.sent(n);
        let has_moved = n > 0;
        self.sent = self.sent.or(has_moved.then(Instant::now));
        Ok(has_moved)
    }

    /// Returns how many bytes were read, and whether the response has ended; or why it cannot be read.
    fn read(&mut self, link: &mut impl Link) -> io::Result<Result<(usize, bool), String>> {
        let Self { wire, received, buffer, channel, .. } = self;
        Ok(match link.read(*channel, Stream::Stdout, buffer)? {
            ReadOutcome::Bytes(n) => wire.receive(&buffer[..n], received).map(|()| (n, false)),
            ReadOutcome::Nothing => Ok((0, false)),
            ReadOutcome::End if wire.is_shaking_hands() => {
                Err("the connection closed during the TLS handshake".to_owned())
            }
            ReadOutcome::End => Ok((0, true)),
        })
    }

    fn parse_response(&self, is_over: bool) -> Option<RequestResult> {
        match self.request.protocol.read(&self.received, is_over) {
            Ok(response) => response
                .map(|response| RequestResult::Answered(response, self.sent.unwrap_or(self.began).elapsed())),
            Err(why) => Some(RequestResult::Failed(why)),
        }
    }

    fn timeout_message(&self) -> String {
        let got = match self.received.len() {
            0 => "no response".to_owned(),
            n => format!("only {n} bytes"),
        };
        format!("{got} within {} s", self.request.timeout.as_secs_f64())
    }
}
