//! A proxy on loopback that counts what passes, delays it, and cuts or freezes the line after so many bytes.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// What happens to the line once so many bytes, of both ways together, have passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Both ends are told, and nobody gets through any more.
    Cut,
    /// Both ends are told, and what connects later passes.
    Blip,
    /// Nobody is told, and nothing passes any more.
    Freeze,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

/// Ended when dropped, with all that passes through it.
pub struct Proxy {
    pub port: u16,
    line: Arc<Line>,
}

struct Line {
    to: u16,
    /// One way.
    delay: Duration,
    state: Mutex<State>,
}

/// On its way.
struct Late {
    due: Instant,
    trip: u64,
    bytes: Vec<u8>,
}

#[derive(Default)]
struct State {
    up: u64,
    down: u64,
    /// Round trips that what has reached the client is worth, and those that what has reached the server is.
    at_client: u64,
    at_server: u64,
    fault: Option<(u64, Fault)>,
    /// When the fault struck.
    struck: Option<Instant>,
    /// How many bytes pass to the server each second, if not all that come.
    rate: Option<u32>,
    is_over: bool,
    streams: Vec<TcpStream>,
}

impl Proxy {
    /// To the port `to`, with `delay` each way.
    pub fn new(to: u16, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let line = Arc::new(Line { to, delay, state: Mutex::default() });
        let accepting = Arc::clone(&line);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (is_over, fault) = accepting.ends();
                match fault {
                    _ if is_over => return,
                    Some(Fault::Cut) => {}
                    _ => accepting.carry(client),
                }
            }
        });
        Self { port, line }
    }

    /// Sets what happens after `bytes`, counted from the beginning.
    pub fn after(self, bytes: u64, fault: Fault) -> Self {
        self.line.lock().fault = Some((bytes, fault));
        self
    }

    /// Lets no more bytes pass to the server each second.
    pub fn at_most(self, rate: u32) -> Self {
        self.line.lock().rate = Some(rate);
        self
    }

    /// Cuts what is connected now. What connects later passes.
    pub fn cut(&self) {
        let mut state = self.line.lock();
        state.shut();
        state.streams.clear();
    }

    /// Freezes the line now.
    pub fn freeze(&self) {
        self.line.lock().strike(Fault::Freeze);
    }

    /// The bytes that passed, of both ways together.
    pub fn bytes(&self) -> u64 {
        let state = self.line.lock();
        state.up + state.down
    }

    /// The bytes that passed to the server, and those that came from it.
    pub fn bytes_each_way(&self) -> (u64, u64) {
        let state = self.line.lock();
        (state.up, state.down)
    }

    /// Counts the round trips whose answer has reached the client, with the one of the connection itself.
    ///
    /// As a logical clock does: what the client sends is one trip later than the latest that has reached it, and what the
    /// server sends belongs to the trip of the latest that has reached it. So neither the size of what is written at once
    /// nor who is faster counts; only a client that sleeps longer than a round trip takes can be thought to have waited
    /// for one. See `fewest`.
    pub fn n_trips(&self) -> impl Fn() -> u64 + Send + 'static {
        let line = Arc::clone(&self.line);
        move || line.lock().at_client
    }

    /// When the fault struck.
    pub fn struck(&self) -> Option<Instant> {
        self.line.lock().struck
    }
}

/// Counts, on lines that are longer and longer, until no count is higher than expected: each one's lowest. A machine that
/// is busy can only add to a count, and on a long line must be very busy to do so.
pub fn fewest<const N: usize>(expected: &[u64; N], count: impl Fn(Duration) -> [u64; N]) -> [u64; N] {
    let mut fewest = [u64::MAX; N];
    for delay in [25, 100, 400, 1600].map(Duration::from_millis) {
        let counted = count(delay);
        fewest = std::array::from_fn(|n| fewest[n].min(counted[n]));
        if fewest.iter().zip(expected).all(|(counted, expected)| counted <= expected) {
            break;
        }
    }
    fewest
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut state = self.line.lock();
        state.is_over = true;
        state.shut();
        drop(state);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Whether it is over, and the fault that has struck.
    fn ends(&self) -> (bool, Option<Fault>) {
        let state = self.lock();
        let fault = state.fault.filter(|_| state.struck.is_some());
        (state.is_over, fault.map(|(_, fault)| fault))
    }

    fn carry(self: &Arc<Self>, client: TcpStream) {
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.to)) else {
            return;
        };
        self.lock().connects();
        for (from, to, way) in [(&client, &server, Way::Up), (&server, &client, Way::Down)] {
            from.set_nodelay(true).unwrap();
            let mut state = self.lock();
            state.streams.push(from.try_clone().unwrap());
            drop(state);
            let (from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let (late, due) = mpsc::channel::<Late>();
            let line = Arc::clone(self);
            thread::spawn(move || line.read(from, way, &late));
            let line = Arc::clone(self);
            thread::spawn(move || {
                for Late { due, trip, bytes } in due {
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    line.lock().arrives(way, trip);
                    if to.write_all(&bytes).is_err() {
                        return;
                    }
                }
                // A line that is frozen says nothing, not even its end.
                if !line.lock().is_down() {
                    let _ = to.shutdown(Shutdown::Write);
                }
            });
        }
    }

    fn read(&self, mut from: TcpStream, way: Way, late: &mpsc::Sender<Late>) {
        let mut buffer = vec![0; 64 * 1024];
        let rate = self.lock().rate.filter(|_| way == Way::Up);
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            let (n, trip) = self.lock().pass(way, n);
            if let Some(rate) = rate {
                thread::sleep(Duration::from_secs(n as u64) / rate);
            }
            let due = Instant::now() + self.delay;
            if n == 0 || late.send(Late { due, trip, bytes: buffer[..n].to_vec() }).is_err() {
                return;
            }
        }
    }
}

impl State {
    /// The client has heard of its connection.
    fn connects(&mut self) {
        self.at_client += 1;
    }

    fn arrives(&mut self, way: Way, trip: u64) {
        let end = match way {
            Way::Up => &mut self.at_server,
            Way::Down => &mut self.at_client,
        };
        *end = trip.max(*end);
    }

    /// How many of `n` bytes may pass, and in which trip they are.
    fn pass(&mut self, way: Way, n: usize) -> (usize, u64) {
        if self.is_down() {
            return (0, 0);
        }
        let passed = self.up + self.down;
        let mut n = n as u64;
        let mut strikes = None;
        if let Some((at, fault)) = self.fault
            && self.struck.is_none()
            && passed + n >= at
        {
            n = at - passed;
            strikes = Some(fault);
        }
        let trip = match way {
            Way::Up => {
                self.up += n;
                self.at_client + 1
            }
            Way::Down => {
                self.down += n;
                self.at_server
            }
        };
        if let Some(fault) = strikes {
            self.strike(fault);
        }
        (n as usize, trip)
    }

    fn strike(&mut self, fault: Fault) {
        self.struck.get_or_insert_with(Instant::now);
        if fault != Fault::Freeze {
            self.shut();
        }
        if fault == Fault::Blip {
            self.streams.clear();
        }
    }

    /// A fault has struck that lasts.
    fn is_down(&self) -> bool {
        self.struck.is_some() && !matches!(self.fault, Some((_, Fault::Blip)))
    }

    fn shut(&mut self) {
        for stream in &self.streams {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
