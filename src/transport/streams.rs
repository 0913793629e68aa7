//! Decides which payloads of an upload are sent now, which wait, and when the upload is over. `upload` acts on that.

use std::collections::VecDeque;
use std::io::Read;
use std::time::{Duration, Instant};

use crate::shell::{Act, Answer};
use crate::transport::cancel::POLL_INTERVAL;
use crate::transport::link::ChannelId;
use crate::transport::turn::Turn;
use crate::transport::{ExtraStreams, Fallback, Lost};

/// How long a server may count a channel as open after it has ended.
const LINGERS: Duration = Duration::from_secs(10);
/// A line that carries fewer bytes each second costs more time than compression does, which makes 100 MB and more of
/// one processor (fast Ethernet carries 12.5).
const SLOW: u64 = 12_000_000;
/// How long to measure before deciding that.
const LOOK: Duration = Duration::from_secs(1);
/// Fewer bytes than this are not worth another channel.
const REST: u64 = 4_000_000;

/// An act under way with its payload.
pub struct UploadStream<'a> {
    pub is_first: bool,
    /// Its channel was opened before it was needed.
    pub was_ready: bool,
    pub act: &'a Act,
    pub turn: Turn<'a>,
}

impl UploadStream<'_> {
    pub fn channel(&self) -> ChannelId {
        self.turn.exchange.channel
    }
}

/// The streams of one upload, and what waits for one.
pub struct UploadStreams<'a> {
    pub open: Vec<UploadStream<'a>>,
    /// Each with the act that reads it.
    waiting: VecDeque<(&'a Act, &'a mut dyn Read)>,
    after: &'static [u8],
    left: &'a dyn Fn() -> u64,
    fallback: Option<Fallback<'a>>,
    /// Bytes that streams which are over have sent.
    sent: u64,
    /// When it was last looked how many had been sent, and how many that were.
    looked: Option<(Instant, u64)>,
    /// Whether what waits may begin.
    is_free: bool,
    /// How many the host allows at once, as far as it was met.
    most: usize,
    /// When one ended last, and when the next may begin.
    ended: Option<Instant>,
    again: Instant,
    /// What the act itself answered.
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
            looked: None,
            is_free: false,
            most: usize::MAX,
            ended: None,
            again: Instant::now(),
            first: None,
        }
    }

    pub fn n_waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The payload that must get a channel now.
    pub fn next(&mut self) -> Option<(&'a Act, &'a mut dyn Read)> {
        self.fall_back();
        if self.is_free && (self.left)() == 0 {
            self.waiting.clear();
        }
        let may_begin = self.is_free && self.open.len() < self.most && self.again <= Instant::now();
        if may_begin { self.waiting.pop_front() } else { None }
    }

    /// Switches to the fallback if the connection turns out to be slow.
    fn fall_back(&mut self) {
        if self.fallback.is_none() || !self.is_free || (self.left)() < REST {
            return;
        }
        let sent = self.sent + self.open.iter().map(|stream| stream.turn.exchange.sent()).sum::<u64>();
        let (since, before) = *self.looked.get_or_insert_with(|| (Instant::now(), sent));
        let span = since.elapsed();
        if span < LOOK {
            return;
        }
        self.looked = Some((Instant::now(), sent));
        if (sent - before) as f64 / span.as_secs_f64() < SLOW as f64
            && let Some(fallback) = self.fallback.take()
        {
            (fallback.begin)();
            self.waiting = fallback.payloads.into_iter().map(|payload| (fallback.act, payload)).collect();
            // As those of before end.
            self.most = self.most.min(self.open.len().max(1));
        }
    }

    /// Whether a channel may be refused only because others are open, or are taken for open there. Then it is worth
    /// waiting.
    pub fn may_be_crowded(&self) -> bool {
        self.open.len() > 1 || self.lingers()
    }

    fn lingers(&self) -> bool {
        self.ended.is_some_and(|ended| ended.elapsed() < LINGERS)
    }

    /// Lets a stream that was refused wait until another one has ended, on the host as well. Returns its channel.
    pub fn put_back(&mut self, n: usize) -> ChannelId {
        let lingers = self.lingers();
        let UploadStream { act, turn, .. } = self.open.swap_remove(n);
        let others = self.open.len();
        if others == 0 && !lingers {
            self.ended = Some(Instant::now());
        }
        self.most = others.max(1);
        self.again = Instant::now() + POLL_INTERVAL;
        let channel = turn.exchange.channel;
        self.waiting.extend(turn.exchange.into_payload().map(|payload| (act, payload)));
        channel
    }

    /// Takes one that is over out.
    pub fn take(&mut self, n: usize) -> UploadStream<'a> {
        let stream = self.open.swap_remove(n);
        self.sent += stream.turn.exchange.sent();
        stream
    }

    /// Takes note of how one ended. An answer that is no success is the upload's, and ends the others.
    pub fn ended(&mut self, is_first: bool, answer: Answer) -> Option<Answer> {
        self.ended = Some(Instant::now());
        if !answer.exit.is_success() {
            return Some(answer);
        }
        if is_first {
            self.is_free = says(&answer.stdout, self.after);
            self.first = Some(answer);
        }
        None
    }

    /// What the upload came to, once nothing is under way and nothing can follow.
    pub fn outcome(&mut self) -> Option<Result<Answer, Lost>> {
        if !self.open.is_empty() || self.is_free && !self.waiting.is_empty() {
            return None;
        }
        let left = if self.is_free { (self.left)() } else { 0 };
        let first = self.first.take().filter(|_| left == 0);
        let why = "the host did not take all of the payload".to_owned();
        Some(first.ok_or(Lost::Gone { why, sent: self.sent }))
    }
}

/// Whether `text` is in what an act has said.
fn says(said: &[u8], text: &[u8]) -> bool {
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

    /// An upload whose two other payloads wait for `half`.
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
            assert!(matches!(streams.outcome(), Some(Err(Lost::Gone { .. }))));
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
            assert_eq!(streams.put_back(1), ChannelId(3));
            assert_eq!(streams.n_waiting(), 1);
            // One is open, which is all that the host allows.
            streams.again = Instant::now();
            assert!(streams.next().is_none());
            streams.take(0);
            assert!(streams.next().is_some());
        });
    }
}
