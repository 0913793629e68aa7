//! Decides which payloads of an upload to send now, which must wait, and when the upload is over. `upload` acts on
//! these decisions.

use std::collections::VecDeque;
use std::io::Read;
use std::time::{Duration, Instant};

use crate::shell::{Act, Answer};
use crate::transport::cancel::POLL_INTERVAL;
use crate::transport::link::ChannelId;
use crate::transport::turn::Turn;
use crate::transport::{ExtraStreams, Fallback, TransportError};

/// How long a server may count a channel as open after it was closed.
const LINGER: Duration = Duration::from_secs(10);
/// In bytes per second. On a slower connection, sending uncompressed files takes longer than compressing them, which
/// one processor does at 100 MB/s and more (fast Ethernet carries 12.5 MB/s).
const SLOW: u64 = 12_000_000;
/// How long to measure before deciding that.
const MEASURE_INTERVAL: Duration = Duration::from_secs(1);
/// Another channel is not worth it for fewer bytes than this.
const REST_MIN: u64 = 4_000_000;

/// An act in progress with its payload.
pub struct UploadStream<'a> {
    pub is_first: bool,
    /// Its channel had been opened before it was needed.
    pub was_ready: bool,
    pub act: &'a Act,
    pub turn: Turn<'a>,
}

impl UploadStream<'_> {
    pub fn channel(&self) -> ChannelId {
        self.turn.exchange.channel
    }
}

/// The streams of one upload, and the payloads that wait for a stream.
pub struct UploadStreams<'a> {
    pub open: Vec<UploadStream<'a>>,
    /// Each payload with the act that reads it.
    waiting: VecDeque<(&'a Act, &'a mut dyn Read)>,
    after: &'static [u8],
    left: &'a dyn Fn() -> u64,
    fallback: Option<Fallback<'a>>,
    /// Bytes that finished streams have sent.
    sent: u64,
    /// When the speed was last measured, and how many bytes had been sent by then.
    measured: Option<(Instant, u64)>,
    /// Whether waiting payloads may begin.
    may_send_extra: bool,
    /// How many streams the host allows at once, as far as known.
    max_open: usize,
    /// When a stream last ended, and when the next one may begin.
    ended: Option<Instant>,
    retry_at: Instant,
    /// The answer of the upload's own act.
    first: Option<Answer>,
}

impl<'a> UploadStreams<'a> {
    pub fn new(first: UploadStream<'a>, extra: ExtraStreams<'a>) -> Self {
        let ExtraStreams { act, payloads, after, left, fallback } = extra;
        Self {
            open: vec![first],
            waiting: payloads.into_iter().map(|payload| (act, payload)).collect(),
            after,
            left,
            fallback,
            sent: 0,
            measured: None,
            may_send_extra: false,
            max_open: usize::MAX,
            ended: None,
            retry_at: Instant::now(),
            first: None,
        }
    }

    pub fn n_waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The next payload to send, if one may begin now.
    pub fn next(&mut self) -> Option<(&'a Act, &'a mut dyn Read)> {
        self.fall_back();
        if self.may_send_extra && (self.left)() == 0 {
            self.waiting.clear();
        }
        let may_begin =
            self.may_send_extra && self.open.len() < self.max_open && self.retry_at <= Instant::now();
        if may_begin { self.waiting.pop_front() } else { None }
    }

    /// Switches to the fallback if the connection turns out to be slow.
    fn fall_back(&mut self) {
        if self.fallback.is_none() || !self.may_send_extra || (self.left)() < REST_MIN {
            return;
        }
        let sent = self.sent + self.open.iter().map(|stream| stream.turn.exchange.sent()).sum::<u64>();
        let (since, before) = *self.measured.get_or_insert_with(|| (Instant::now(), sent));
        let span = since.elapsed();
        if span < MEASURE_INTERVAL {
            return;
        }
        self.measured = Some((Instant::now(), sent));
        if (sent - before) as f64 / span.as_secs_f64() < SLOW as f64
            && let Some(fallback) = self.fallback.take()
        {
            (fallback.begin)();
            self.waiting = fallback.payloads.into_iter().map(|payload| (fallback.act, payload)).collect();
            // The fallback streams begin as the previous ones end.
            self.max_open = self.max_open.min(self.open.len().max(1));
        }
    }

    /// Whether the host may have refused a channel only because others are open, or because it still counts closed
    /// ones as open. Then it is worth waiting.
    pub fn may_be_crowded(&self) -> bool {
        self.open.len() > 1 || self.lingers()
    }

    fn lingers(&self) -> bool {
        self.ended.is_some_and(|ended| ended.elapsed() < LINGER)
    }

    /// Makes a refused stream wait until another one has ended, also for the host. Returns its channel.
    pub fn requeue(&mut self, n: usize) -> ChannelId {
        let lingers = self.lingers();
        let UploadStream { act, turn, .. } = self.open.swap_remove(n);
        let others = self.open.len();
        if others == 0 && !lingers {
            self.ended = Some(Instant::now());
        }
        self.max_open = others.max(1);
        self.retry_at = Instant::now() + POLL_INTERVAL;
        let channel = turn.exchange.channel;
        self.waiting.extend(turn.exchange.into_payload().map(|payload| (act, payload)));
        channel
    }

    /// Removes a finished stream.
    pub fn take(&mut self, n: usize) -> UploadStream<'a> {
        let stream = self.open.swap_remove(n);
        self.sent += stream.turn.exchange.sent();
        stream
    }

    /// Records how a stream ended. If its answer is a failure, it is the answer of the upload and ends the other
    /// streams.
    pub fn ended(&mut self, is_first: bool, answer: Answer) -> Option<Answer> {
        self.ended = Some(Instant::now());
        if !answer.exit.is_success() {
            return Some(answer);
        }
        if is_first {
            self.may_send_extra = contains(&answer.stdout, self.after);
            self.first = Some(answer);
        }
        None
    }

    /// The outcome of the upload, once no stream is in progress and none can follow.
    pub fn outcome(&mut self) -> Option<Result<Answer, TransportError>> {
        if !self.open.is_empty() || self.may_send_extra && !self.waiting.is_empty() {
            return None;
        }
        let left = if self.may_send_extra { (self.left)() } else { 0 };
        let first = self.first.take().filter(|_| left == 0);
        let why = "the host did not read all of the payload".to_owned();
        Some(first.ok_or(TransportError::Gone { why, sent: self.sent }))
    }
}

/// Whether the output of an act contains `text`.
fn contains(said: &[u8], text: &[u8]) -> bool {
    text.is_empty() || said.windows(text.len()).any(|part| part == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::{Effect, Exit, Script, Step};
    use crate::transport::exchange::{Exchange, Input};
    use crate::transport::mark::known;

    fn act() -> Act {
        Step::new("check", Effect::Writes, Script::new(":"), |_| Ok(())).act
    }

    fn stream<'a>(channel: u32, act: &'a Act, payload: &'a mut dyn Read) -> UploadStream<'a> {
        let input = Input::with_payload(b"script\n".to_vec(), payload);
        let exchange = Exchange::new(ChannelId(channel), &known(0), input);
        UploadStream { is_first: channel == 1, was_ready: false, act, turn: Turn::new(exchange, None) }
    }

    fn answer(code: i32, stdout: &str) -> Answer {
        Answer { exit: Exit::Code(code), stdout: stdout.into(), stderr: Vec::new() }
    }

    /// An upload with two extra payloads that wait for `half`.
    fn check(left: u64, then: impl for<'a> FnOnce(&mut UploadStreams<'a>, &'a Act)) {
        let (act, left) = (act(), move || left);
        let (mut first, mut second, mut third) = (&b"1"[..], &b"2"[..], &b"3"[..]);
        let payloads: Vec<&mut dyn Read> = vec![&mut second, &mut third];
        let extra = ExtraStreams { act: &act, payloads, after: b"half", left: &left, fallback: None };
        let mut streams = UploadStreams::new(stream(1, &act, &mut first), extra);
        then(&mut streams, &act);
    }

    #[test]
    fn what_waits_begins_when_the_act_has_said_its_word() {
        check(9, |streams, _| {
            assert!(streams.next().is_none());
            let first = streams.take(0);
            assert_eq!(streams.ended(first.is_first, answer(0, "the half is done")), None);
            assert!(streams.outcome().is_none());
            assert!(streams.next().is_some() && streams.next().is_some() && streams.next().is_none());
        });
    }

    #[test]
    fn without_that_word_what_waits_is_not_sent() {
        check(9, |streams, _| {
            streams.take(0);
            assert_eq!(streams.ended(true, answer(0, "nothing to do")), None);
            assert!(streams.next().is_none());
            assert_eq!(streams.outcome(), Some(Ok(answer(0, "nothing to do"))));
        });
    }

    #[test]
    fn what_is_not_needed_any_more_does_not_begin() {
        check(0, |streams, _| {
            streams.take(0);
            streams.ended(true, answer(0, "half"));
            assert!(streams.next().is_none());
            assert_eq!(streams.outcome(), Some(Ok(answer(0, "half"))));
        });
    }

    #[test]
    fn an_answer_that_is_no_success_is_the_uploads() {
        check(9, |streams, _| {
            streams.take(0);
            assert_eq!(streams.ended(true, answer(1, "half")), Some(answer(1, "half")));
        });
    }

    #[test]
    fn bytes_that_nobody_took_are_a_loss() {
        check(9, |streams, _| {
            streams.take(0);
            streams.ended(true, answer(0, "half"));
            while streams.next().is_some() {}
            assert!(matches!(streams.outcome(), Some(Err(TransportError::Gone { .. }))));
        });
    }

    #[test]
    fn a_stream_that_was_refused_waits_for_another_to_end() {
        check(9, |streams, act| {
            streams.take(0);
            assert!(!streams.may_be_crowded());
            streams.ended(true, answer(0, "half"));
            // The server may not have noticed yet.
            assert!(streams.may_be_crowded());
            let (_, payload) = streams.next().unwrap();
            streams.open.push(stream(2, act, payload));
            let (_, payload) = streams.next().unwrap();
            streams.open.push(stream(3, act, payload));
            assert_eq!(streams.requeue(1), ChannelId(3));
            assert_eq!(streams.n_waiting(), 1);
            // One stream is open, and the host allows no more.
            streams.retry_at = Instant::now();
            assert!(streams.next().is_none());
            streams.take(0);
            assert!(streams.next().is_some());
        });
    }
}
