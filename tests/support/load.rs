//! Visitors of a web server: they ask without a pause, over connections that they keep and over ones that they do not.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use runner::parts::web::Response;
use runner::parts::web::http::read;

/// One who asks over one connection.
pub struct Visitor {
    port: u16,
    keeps: bool,
    stream: Option<TcpStream>,
    /// As a browser keeps them.
    cookies: BTreeMap<String, String>,
}

impl Visitor {
    pub fn new(port: u16, keeps: bool) -> Self {
        Self { port, keeps, stream: None, cookies: BTreeMap::new() }
    }

    /// The text of the answer.
    pub fn reads(&mut self, path: &str) -> String {
        let response = self.ask(path).unwrap();
        assert_eq!(response.status, 200, "{path}: {}", String::from_utf8_lossy(&response.body));
        String::from_utf8(response.body).unwrap()
    }

    /// The whole answer, or what was wrong with it.
    pub fn ask(&mut self, path: &str) -> Result<Response, String> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => TcpStream::connect(("127.0.0.1", self.port)).map_err(|error| error.to_string())?,
        };
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let connection = if self.keeps { "keep-alive" } else { "close" };
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let asked = format!(
            "GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: {connection}\r\nCookie: {}\r\n\r\n",
            cookies.join("; ")
        );
        stream.write_all(asked.as_bytes()).map_err(|error| error.to_string())?;
        let (mut said, mut buffer) = (Vec::new(), [0; 65536]);
        loop {
            let n = stream.read(&mut buffer).map_err(|error| error.to_string())?;
            said.extend(&buffer[..n]);
            if let Some(response) = read(&said, n == 0, false)? {
                let set = response.headers.iter().filter(|(name, _)| name == "set-cookie");
                let set = set.filter_map(|(_, value)| value.split(';').next()?.split_once('='));
                self.cookies.extend(set.map(|(name, value)| (name.to_owned(), value.to_owned())));
                let ends = response.header("connection").is_some_and(|value| value == "close");
                self.stream = Some(stream).filter(|_| self.keeps && !ends);
                return Ok(response);
            }
        }
    }
}

/// Visitors at work, each in a thread of its own.
pub struct Load {
    is_over: Arc<AtomicBool>,
    visitors: Vec<JoinHandle<Heard>>,
}

/// What visitors heard.
#[derive(Default)]
pub struct Heard {
    pub n: usize,
    pub wrong: Vec<String>,
    pub slowest: Duration,
    /// Of each answer when it was asked for and when it was there, and the header `X-Release`.
    pub releases: Vec<(SystemTime, SystemTime, String)>,
}

impl Load {
    /// `judge` says what is wrong with an answer.
    pub fn start(port: u16, path: &'static str, judge: fn(&Response) -> Option<String>) -> Self {
        Self::start_by(4, port, path, judge)
    }

    /// By so many visitors, of whom every other keeps his connection.
    pub fn start_by(n: usize, port: u16, path: &'static str, judge: fn(&Response) -> Option<String>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let visit = |keeps: bool| {
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || {
                let (mut visitor, mut heard) = (Visitor::new(port, keeps), Heard::default());
                while !is_over.load(Ordering::SeqCst) {
                    let (began, asked) = (Instant::now(), SystemTime::now());
                    let wrong = match visitor.ask(path) {
                        Ok(response) => {
                            if let Some(release) = response.header("x-release") {
                                heard.releases.push((asked, SystemTime::now(), release.to_owned()));
                            }
                            judge(&response)
                        }
                        Err(why) => Some(why),
                    };
                    heard.slowest = heard.slowest.max(began.elapsed());
                    heard.n += 1;
                    heard.wrong.extend(wrong);
                }
                heard
            })
        };
        let visitors = (0..n).map(|n| visit(n % 2 == 0)).collect();
        Self { is_over, visitors }
    }

    pub fn end(self) -> Heard {
        self.is_over.store(true, Ordering::SeqCst);
        self.visitors.into_iter().fold(Heard::default(), |mut all, visitor| {
            let heard = visitor.join().unwrap();
            all.n += heard.n;
            all.wrong.extend(heard.wrong);
            all.releases.extend(heard.releases);
            all.slowest = all.slowest.max(heard.slowest);
            all
        })
    }
}
