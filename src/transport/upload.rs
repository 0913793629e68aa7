//! Sends several payloads at once, each on its own channel: a channel carries only its window per round trip.

use std::io::Read;

use crate::shell::{Act, Answer, Exit};
use crate::transport::cancel::POLL_INTERVAL;
use crate::transport::encode;
use crate::transport::ending::end;
use crate::transport::exchange::{Exchange, Input};
use crate::transport::heartbeat::HeartbeatSender;
use crate::transport::link::{ChannelId, Link};
use crate::transport::mark::Nonce;
use crate::transport::shell::Shell;
use crate::transport::spare::SpareChannels;
use crate::transport::streams::{UploadStream, UploadStreams};
use crate::transport::turn::{ExchangeEnd, Turn, TurnLimits, TurnProgress, wait};
use crate::transport::{ExtraStreams, Listener, TransportError};

/// The parts of a remote that an upload needs.
pub struct Uploader<'a, L: Link> {
    pub link: &'a mut L,
    pub limits: &'a TurnLimits,
    /// Ends scripts, if it is open.
    pub shell: &'a mut Shell,
    pub heartbeat: &'a mut HeartbeatSender,
    pub spare: &'a mut SpareChannels,
    pub listener: &'a mut dyn Listener,
}

impl<L: Link> Uploader<'_, L> {
    /// Performs an act with its payload, then sends the extra streams, as many at once as the host allows. Returns
    /// the first answer that is a failure, which ends the other streams, else the answer of the act.
    pub fn send(
        &mut self,
        act: &Act,
        payload: &mut dyn Read,
        mut extra: ExtraStreams,
    ) -> Result<Answer, TransportError> {
        match self.try_to_send(act, payload, extra.again()) {
            // If the host allows only two channels, the payload gets the one of the heartbeats.
            Err(TransportError::Refused { .. }) if self.heartbeat.free_channel(self.link) => {
                self.try_to_send(act, payload, extra.again())
            }
            answer => answer,
        }
    }

    fn try_to_send<'p>(
        &mut self,
        act: &'p Act,
        payload: &'p mut dyn Read,
        extra: ExtraStreams<'p>,
    ) -> Result<Answer, TransportError> {
        let had_no_channel = self.heartbeat.has_no_channel() && self.spare.is_empty();
        let mut streams = UploadStreams::new(self.open(act, payload, true)?, extra);
        self.spare.open_to(self.link, streams.n_waiting());
        let answer = self.drive(&mut streams);
        self.spare.close(self.link);
        // Ends the scripts before they can see the end of their input and mistake it for complete.
        for mut stream in streams.open {
            let _ = self.end(&mut stream.turn.exchange);
            self.link.close(stream.channel());
        }
        if !had_no_channel {
            // Heartbeats can have their own channel again.
            self.heartbeat.resume();
        }
        answer
    }

    /// Advances all streams until the last one is over. The caller ends streams that are still open then.
    fn drive(&mut self, streams: &mut UploadStreams) -> Result<Answer, TransportError> {
        loop {
            if self.shell.is_open() {
                self.heartbeat.send(self.link);
            }
            if let Some((act, payload)) = streams.next() {
                streams.open.push(self.open(act, payload, false)?);
            }
            let mut has_moved = false;
            let mut n = 0;
            while n < streams.open.len() {
                match streams.open[n].turn.advance(self.link, self.limits, self.listener) {
                    Ok(TurnProgress::Still) => n += 1,
                    Ok(TurnProgress::Moved) => {
                        has_moved = true;
                        n += 1;
                    }
                    Ok(TurnProgress::Over(end)) => {
                        has_moved = true;
                        if let Some(failed) = self.finish(streams, n, end)? {
                            return Ok(failed);
                        }
                    }
                    Err(lost) => self.handle_loss(streams, n, lost)?,
                }
            }
            if let Some(outcome) = streams.outcome() {
                return outcome;
            }
            if !has_moved {
                let channels: Vec<ChannelId> = streams.open.iter().map(UploadStream::channel).collect();
                wait(self.link, &channels, POLL_INTERVAL)?;
            }
        }
    }

    fn open<'p>(
        &mut self,
        act: &'p Act,
        payload: &'p mut dyn Read,
        is_first: bool,
    ) -> Result<UploadStream<'p>, TransportError> {
        let (channel, was_ready) = self.spare.take(self.link)?;
        let mark = Nonce::random().mark(0);
        let line = encode::first_line(&mark, &act.script);
        let exchange = Exchange::new(channel, &mark, Input::with_payload(line, payload));
        Ok(UploadStream { is_first, was_ready, act, turn: Turn::new(exchange, act.timeout) })
    }

    /// Removes the finished stream `n`. Returns its answer if that is a failure, which is the answer of the upload.
    fn finish(
        &mut self,
        streams: &mut UploadStreams,
        n: usize,
        end: ExchangeEnd,
    ) -> Result<Option<Answer>, TransportError> {
        let stream = streams.take(n);
        let is_first = stream.is_first;
        let answer = self.close(stream, end)?;
        Ok(streams.ended(is_first, answer))
    }

    /// Handles the loss of stream `n`. If the host only refused its channel, tries another one, now or when one is
    /// free. Any other loss ends the upload.
    fn handle_loss<'p>(
        &mut self,
        streams: &mut UploadStreams<'p>,
        n: usize,
        lost: TransportError,
    ) -> Result<(), TransportError> {
        let stream = &streams.open[n];
        if !matches!(lost, TransportError::Refused { .. }) || !stream.turn.exchange.is_untouched() {
            return Err(lost);
        }
        if stream.was_ready {
            // When this channel was opened, others were open that may be closed now.
            let UploadStream { is_first, act, turn, .. } = streams.open.swap_remove(n);
            self.link.close(turn.exchange.channel);
            if let Some(payload) = turn.exchange.into_payload() {
                streams.open.push(self.open(act, payload, is_first)?);
            }
            return Ok(());
        }
        if !stream.is_first && (streams.may_be_crowded() || self.heartbeat.free_channel(self.link)) {
            self.link.close(streams.requeue(n));
            return Ok(());
        }
        Err(lost)
    }

    /// Closes a finished stream. Afterwards nothing reads its payload any more.
    fn close(&mut self, stream: UploadStream, end: ExchangeEnd) -> Result<Answer, TransportError> {
        let UploadStream { is_first, turn, .. } = stream;
        let mut exchange = turn.exchange;
        let ended = match end {
            ExchangeEnd::Exit(_) => Ok(()),
            ExchangeEnd::Overdue(_) => self.end(&mut exchange),
            // A process that still reads the payload must not mistake partial input for complete input. The output of
            // the script matters, not whether this succeeds.
            ExchangeEnd::Closed(_) => {
                let _ = self.end(&mut exchange);
                Ok(())
            }
        };
        self.link.close(exchange.channel);
        ended?;
        answer(exchange, end, is_first)
    }

    /// Ends a script that still runs.
    fn end(&mut self, exchange: &mut Exchange) -> Result<(), TransportError> {
        end(self.link, exchange, self.shell, self.listener)
    }
}

/// The answer of a finished stream.
fn answer(mut exchange: Exchange, end: ExchangeEnd, is_first: bool) -> Result<Answer, TransportError> {
    match end {
        // Only the first stream need not read all of its input.
        ExchangeEnd::Exit(exit) if exit.is_success() && !is_first && exchange.has_unsent_input() => {
            let mut answer = exchange.into_answer(Exit::Code(1));
            answer.stderr.extend(b"the script succeeded, but did not read all of its input\n");
            Ok(answer)
        }
        // Without an end mark there is no success, whatever the exit of the process is.
        ExchangeEnd::Closed(exit) if exit.is_success() => {
            Err(exchange.lost("the channel closed without an answer"))
        }
        ExchangeEnd::Exit(exit) | ExchangeEnd::Closed(exit) | ExchangeEnd::Overdue(exit) => {
            Ok(exchange.into_answer(exit))
        }
    }
}
