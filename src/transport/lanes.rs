//! Several payloads at once, each on a channel of its own: one channel carries no more than its window each round trip.

use std::collections::VecDeque;
use std::io::Read;
use std::time::{Duration, Instant};

use crate::shell::{Act, Answer, Exit};
use crate::transport::encode;
use crate::transport::exchange::{Exchange, Input};
use crate::transport::framed::{Framed, Outcome};
use crate::transport::interrupt::POLL_INTERVAL;
use crate::transport::link::Link;
use crate::transport::{Listener, Lost};

/// For how long a server may take a channel for open that has ended.
const LINGERS: Duration = Duration::from_secs(10);

/// What travels beside an act with a payload of its own.
pub struct Beside<'a> {
    /// Is performed for each of the payloads.
    pub act: &'a Act,
    pub payloads: Vec<&'a mut dyn Read>,
    /// They wait for the act to succeed, and are not sent at all unless it said this.
    pub after: &'static [u8],
    /// How many bytes none of them has taken yet. At 0 one that has not begun is not needed.
    pub left: &'a dyn Fn() -> u64,
    /// What is sent instead if the line turns out to be slow.
    pub relief: Option<Relief<'a>>,
}

/// The same with less to carry.
pub struct Relief<'a> {
    pub act: &'a Act,
    pub payloads: Vec<&'a mut dyn Read>,
    /// Makes the payloads of before end as soon as they can, and leave the rest to these.
    pub begin: &'a dyn Fn(),
}

/// Whether `text` is in what an act has said so far.
pub(super) fn says(said: &[u8], text: &[u8]) -> bool {
    text.is_empty() || said.windows(text.len()).any(|part| part == text)
}

/// A line that carries fewer bytes each second costs more time than compression does, which makes 100 MB and more of one
/// processor (fast Ethernet carries 12.5).
const SLOW: u64 = 12_000_000;
/// How long is looked before that is said.
const LOOK: Duration = Duration::from_secs(1);
/// What is not worth another channel.
const REST: u64 = 4_000_000;

/// An act under way with its payload.
struct Lane<'a> {
    is_first: bool,
    /// Its channel was opened before it was needed.
    was_ready: bool,
    act: &'a Act,
    limit: Option<Duration>,
    exchange: Exchange<'a>,
    looked: Instant,
}

/// The lanes of one act, and what waits for one.
struct Lanes<'a> {
    open: Vec<Lane<'a>>,
    /// Each with the act that reads it.
    waiting: VecDeque<(&'a Act, &'a mut dyn Read)>,
    after: &'static [u8],
    left: &'a dyn Fn() -> u64,
    relief: Option<Relief<'a>>,
    /// Bytes that lanes which are over have sent.
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

impl Relief<'_> {
    fn again(&mut self) -> Relief<'_> {
        let payloads = self.payloads.iter_mut().map(|payload| &mut **payload as &mut dyn Read).collect();
        Relief { act: self.act, payloads, begin: self.begin }
    }
}

impl Lanes<'_> {
    /// Sends less from now on if the line turns out to be slow.
    fn relieve(&mut self) {
        let sent = self.sent + self.open.iter().map(|lane| lane.exchange.sent()).sum::<u64>();
        if self.relief.is_none() || !self.is_free || (self.left)() < REST {
            return;
        }
        let (since, before) = *self.looked.get_or_insert_with(|| (Instant::now(), sent));
        let span = since.elapsed();
        if span < LOOK {
            return;
        }
        self.looked = Some((Instant::now(), sent));
        if (sent - before) as f64 / span.as_secs_f64() < SLOW as f64
            && let Some(relief) = self.relief.take()
        {
            (relief.begin)();
            self.waiting = relief.payloads.into_iter().map(|payload| (relief.act, payload)).collect();
            // As those of before end.
            self.most = self.most.min(self.open.len().max(1));
        }
    }
}

impl<L: Link> Framed<L> {
    /// Performs an act with its payload, and then those beside it, as many at once as the host allows. Answers the first of
    /// them that failed, whose failure ends the others, or else the act.
    pub(super) fn send_lanes(
        &mut self,
        act: &Act,
        payload: &mut dyn Read,
        beside: &mut Beside,
        listener: &mut dyn Listener,
    ) -> Result<Answer, Lost> {
        let was_silent = self.is_silent() && self.ready.is_empty();
        let first = self.lane(act, payload, true)?;
        let waiting = beside.payloads.iter_mut().map(|payload| (beside.act, &mut **payload as &mut dyn Read));
        let mut lanes = Lanes {
            open: vec![first],
            waiting: waiting.collect(),
            after: beside.after,
            left: beside.left,
            relief: beside.relief.as_mut().map(Relief::again),
            sent: 0,
            looked: None,
            is_free: false,
            most: usize::MAX,
            ended: None,
            again: Instant::now(),
            first: None,
        };
        self.open_ahead(lanes.waiting.len().saturating_sub(self.ready.len()));
        let answer = self.drive(&mut lanes, listener);
        for channel in std::mem::take(&mut self.ready) {
            self.link.close(channel);
        }
        // Ended before it can take the end of its input for the whole.
        for mut lane in lanes.open {
            let _ = self.end(&mut lane.exchange, listener);
            self.link.close(lane.exchange.channel);
        }
        if !was_silent {
            // There is room again for signs of life on a channel of their own.
            self.beat_again();
        }
        answer
    }

    /// Advances all lanes until the last one is over. What is left open afterwards is of no use any more.
    fn drive(&mut self, lanes: &mut Lanes, listener: &mut dyn Listener) -> Result<Answer, Lost> {
        loop {
            self.beat_beside();
            lanes.relieve();
            if lanes.is_free && (lanes.left)() == 0 {
                lanes.waiting.clear();
            }
            if lanes.is_free
                && lanes.open.len() < lanes.most
                && lanes.again <= Instant::now()
                && let Some((act, payload)) = lanes.waiting.pop_front()
            {
                lanes.open.push(self.lane(act, payload, false)?);
            }
            let mut has_moved = false;
            let mut n = 0;
            while n < lanes.open.len() {
                let others = lanes.open.len() - 1;
                let lingers = lanes.ended.is_some_and(|ended| ended.elapsed() < LINGERS);
                let lane = &mut lanes.open[n];
                let moved = match lane.exchange.advance(&mut self.link, listener) {
                    Err(Lost::Refused { .. }) if lane.was_ready && lane.exchange.is_untouched() => {
                        // When it was asked for there were others, which may be over.
                        let Lane { is_first, act, exchange, .. } = lanes.open.swap_remove(n);
                        self.link.close(exchange.channel);
                        if let Some(payload) = exchange.into_payload() {
                            lanes.open.push(self.lane(act, payload, is_first)?);
                        }
                        continue;
                    }
                    Err(Lost::Refused { .. })
                        if !lane.is_first
                            && lane.exchange.is_untouched()
                            && (others > 0 || lingers || self.stop_beating(true)) =>
                    {
                        // The host allows no more at once: it waits for another to end, on the host as well.
                        let lane = lanes.open.swap_remove(n);
                        self.link.close(lane.exchange.channel);
                        lanes.waiting.extend(lane.exchange.into_payload().map(|payload| (lane.act, payload)));
                        if others == 0 && !lingers {
                            lanes.ended = Some(Instant::now());
                        }
                        lanes.most = others.max(1);
                        lanes.again = Instant::now() + POLL_INTERVAL;
                        continue;
                    }
                    moved => moved?,
                };
                has_moved |= moved;
                let Some(outcome) =
                    self.look(&mut lane.exchange, lane.limit, listener, moved, &mut lane.looked)?
                else {
                    n += 1;
                    continue;
                };
                let lane = lanes.open.swap_remove(n);
                let is_first = lane.is_first;
                lanes.sent += lane.exchange.sent();
                let answer = self.close_lane(lane, outcome, listener)?;
                lanes.ended = Some(Instant::now());
                if !answer.exit.is_success() {
                    return Ok(answer);
                }
                if is_first {
                    lanes.is_free = says(&answer.stdout, lanes.after);
                    lanes.first = Some(answer);
                }
            }
            if lanes.open.is_empty() && (lanes.waiting.is_empty() || !lanes.is_free) {
                let left = if lanes.is_free { (lanes.left)() } else { 0 };
                let first = lanes.first.take().filter(|_| left == 0);
                let why = "not all of the payload was taken".to_owned();
                return first.ok_or(Lost::Gone { why, sent: lanes.sent });
            }
            if !has_moved {
                let channels: Vec<_> = lanes.open.iter().map(|lane| lane.exchange.channel).collect();
                self.wait(&channels, POLL_INTERVAL)?;
            }
        }
    }

    fn lane<'a>(
        &mut self,
        act: &'a Act,
        payload: &'a mut dyn Read,
        is_first: bool,
    ) -> Result<Lane<'a>, Lost> {
        let (channel, was_ready) = self.take_channel()?;
        let mark = self.next_mark();
        let line = encode::first_line(&mark, &act.script);
        let exchange = Exchange::new(channel, &mark, Input::with_payload(line, payload));
        Ok(Lane { is_first, was_ready, act, limit: act.timeout, exchange, looked: Instant::now() })
    }

    fn close_lane(
        &mut self,
        lane: Lane,
        outcome: Outcome,
        listener: &mut dyn Listener,
    ) -> Result<Answer, Lost> {
        let mut exchange = lane.exchange;
        if let Outcome::Closed(_) = outcome {
            // Whatever still reads the payload must not take its part for the whole.
            let _ = self.end(&mut exchange, listener);
        }
        self.link.close(exchange.channel);
        match outcome {
            // Only the first may do without what it is given.
            Outcome::Exit(exit) if exit.is_success() && !lane.is_first && exchange.leaves_some() => {
                let mut answer = exchange.into_answer(Exit::Code(1));
                answer.stderr.extend(b"it ended well, but did not read all that was sent\n");
                Ok(answer)
            }
            Outcome::Exit(exit) => Ok(exchange.into_answer(exit)),
            // Without a mark there is no success, whatever the process says.
            Outcome::Closed(exit) if exit.is_success() => {
                Err(exchange.lost("the channel ended without an answer"))
            }
            Outcome::Closed(exit) => Ok(exchange.into_answer(exit)),
        }
    }
}
