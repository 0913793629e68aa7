//! Sends several payloads at once, each on a channel of its own: one channel carries no more than its window per round
//! trip.

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
use crate::transport::{ExtraStreams, Listener, Lost};

/// What an upload uses of a remote.
pub struct Uploader<'a, L: Link> {
    pub link: &'a mut L,
    pub limits: &'a TurnLimits,
    /// Ends scripts, if it is there.
    pub shell: &'a mut Shell,
    pub heartbeat: &'a mut HeartbeatSender,
    pub spare: &'a mut SpareChannels,
    pub listener: &'a mut dyn Listener,
}

impl<L: Link> Uploader<'_, L> {
    /// Performs an act with its payload, and then the extra streams, as many at once as the host allows. Answers the
    /// first of them that failed, whose failure ends the others, or else the act.
    pub fn send(
        &mut self,
        act: &Act,
        payload: &mut dyn Read,
        mut extra: ExtraStreams,
    ) -> Result<Answer, Lost> {
        match self.try_to_send(act, payload, extra.again()) {
            // A host that allows two channels has one for the payload if there are no heartbeats meanwhile.
            Err(Lost::Refused { .. }) if self.heartbeat.make_room(self.link) => {
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
    ) -> Result<Answer, Lost> {
        let was_silent = self.heartbeat.is_silent() && self.spare.is_empty();
        let mut streams = UploadStreams::new(self.open(act, payload, true)?, extra);
        self.spare.open_to(self.link, streams.n_waiting());
        let answer = self.drive(&mut streams);
        self.spare.close(self.link);
        // Ended before it can take the end of its input for the whole.
        for mut stream in streams.open {
            let _ = self.end(&mut stream.turn.exchange);
            self.link.close(stream.channel());
        }
        if !was_silent {
            // There is room again for heartbeats on a channel of their own.
            self.heartbeat.resume();
        }
        answer
    }

    /// Advances all streams until the last one is over. What is left open afterwards is of no use any more.
    fn drive(&mut self, streams: &mut UploadStreams) -> Result<Answer, Lost> {
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
                    Err(lost) => self.meet_refusal(streams, n, lost)?,
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
    ) -> Result<UploadStream<'p>, Lost> {
        let (channel, was_ready) = self.spare.take(self.link)?;
        let mark = Nonce::random().mark(0);
        let line = encode::first_line(&mark, &act.script);
        let exchange = Exchange::new(channel, &mark, Input::with_payload(line, payload));
        Ok(UploadStream { is_first, was_ready, act, turn: Turn::new(exchange, act.timeout) })
    }

    /// Takes stream `n`, which is over, out. An answer is one that failed, and the upload's.
    fn finish(
        &mut self,
        streams: &mut UploadStreams,
        n: usize,
        end: ExchangeEnd,
    ) -> Result<Option<Answer>, Lost> {
        let stream = streams.take(n);
        let is_first = stream.is_first;
        let answer = self.close(stream, end)?;
        Ok(streams.ended(is_first, answer))
    }

    /// What becomes of stream `n`, which is lost. The host may only have refused its channel: then another is tried,
    /// now or when there is room. Anything else ends the upload.
    fn meet_refusal<'p>(
        &mut self,
        streams: &mut UploadStreams<'p>,
        n: usize,
        lost: Lost,
    ) -> Result<(), Lost> {
        let stream = &streams.open[n];
        if !matches!(lost, Lost::Refused { .. }) || !stream.turn.exchange.is_untouched() {
            return Err(lost);
        }
        if stream.was_ready {
            // When it was asked for there were others, which may be over.
            let UploadStream { is_first, act, turn, .. } = streams.open.swap_remove(n);
            self.link.close(turn.exchange.channel);
            if let Some(payload) = turn.exchange.into_payload() {
                streams.open.push(self.open(act, payload, is_first)?);
            }
            return Ok(());
        }
        if !stream.is_first && (streams.may_be_crowded() || self.heartbeat.make_room(self.link)) {
            self.link.close(streams.put_back(n));
            return Ok(());
        }
        Err(lost)
    }

    /// Closes a stream that is over. Afterwards nothing reads its payload any more.
    fn close(&mut self, stream: UploadStream, end: ExchangeEnd) -> Result<Answer, Lost> {
        let UploadStream { is_first, turn, .. } = stream;
        let mut exchange = turn.exchange;
        let ended = match end {
            ExchangeEnd::Exit(_) => Ok(()),
            ExchangeEnd::Overdue(_) => self.end(&mut exchange),
            // Whatever still reads the payload must not take its part for the whole. What the process said counts, not
            // this.
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
    fn end(&mut self, exchange: &mut Exchange) -> Result<(), Lost> {
        end(self.link, exchange, self.shell, self.listener)
    }
}

/// What a stream that is over answers.
fn answer(mut exchange: Exchange, end: ExchangeEnd, is_first: bool) -> Result<Answer, Lost> {
    match end {
        // Only the first may do without what it is given.
        ExchangeEnd::Exit(exit) if exit.is_success() && !is_first && exchange.leaves_some() => {
            let mut answer = exchange.into_answer(Exit::Code(1));
            answer.stderr.extend(b"the script succeeded, but did not read all that was sent\n");
            Ok(answer)
        }
        // Without a mark there is no success, whatever the process says.
        ExchangeEnd::Closed(exit) if exit.is_success() => {
            Err(exchange.lost("the channel closed without an answer"))
        }
        ExchangeEnd::Exit(exit) | ExchangeEnd::Closed(exit) | ExchangeEnd::Overdue(exit) => {
            Ok(exchange.into_answer(exit))
        }
    }
}
