//! A remote act as a value: what it is, whether it writes, the script that does it and how its answer is read.

use std::fmt;
use std::time::Duration;

use anyhow::Result;

use crate::shell::Script;

/// The name of an act and its plain data, for plans, logs and tests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Op {
    pub name: &'static str,
    pub data: Vec<(&'static str, String)>,
}

impl Op {
    /// All data of one kind, in order.
    pub fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.data.iter().filter(move |(k, _)| *k == key).map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name)?;
        for (key, value) in &self.data {
            write!(f, " {key}={value}")?;
        }
        Ok(())
    }
}

/// Whether an act may change anything on the server. A plan performs what reads and records what writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Reads,
    Writes,
}

/// How a script ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
    /// It ran longer than the act's timeout and was ended.
    TimedOut(Duration),
    /// The user asked for the end (Ctrl-C) and it was ended.
    Interrupted,
}

impl Exit {
    pub fn is_success(self) -> bool {
        self == Exit::Code(0)
    }

    /// What a shell's `$?` says: 128 + n stands for signal n.
    pub fn from_shell(status: i32) -> Self {
        match status {
            129..=192 => Exit::Signal(status - 128),
            code => Exit::Code(code),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exited with status {code}"),
            Exit::Signal(number) => write!(f, "was killed by signal {number}"),
            // What is left of a task's time is no round number.
            Exit::TimedOut(limit) => {
                write!(f, "was ended after {} s", (limit.as_secs_f64() * 10.0).round() / 10.0)
            }
            Exit::Interrupted => write!(f, "was interrupted"),
        }
    }
}

/// What a server said to an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub exit: Exit,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// What a transport needs to know of an act.
#[derive(Debug, Clone)]
pub struct Act {
    pub op: Op,
    pub effect: Effect,
    pub script: Script,
    /// From the start of the script; none by default, since a silent healthy command may run for hours.
    pub timeout: Option<Duration>,
    /// Anybody on the host may read the script, so it may travel as an argument.
    pub is_public: bool,
    /// What the host's persistent shell does itself before the script: a descriptor that it opens is open in this and all
    /// later scripts, and is closed when the shell ends. It must not fail: that would end the shell.
    pub keeps: Option<Script>,
}

type Read<A> = Box<dyn Fn(&Answer) -> Result<A> + Send>;

/// An act with the reader of its answer.
pub struct Step<A> {
    pub act: Act,
    pub read: Read<A>,
}

impl<A> Step<A> {
    pub fn new(
        name: &'static str,
        effect: Effect,
        script: Script,
        read: impl Fn(&Answer) -> Result<A> + Send + 'static,
    ) -> Self {
        let op = Op { name, data: Vec::new() };
        Self {
            act: Act { op, effect, script, timeout: None, is_public: false, keeps: None },
            read: Box::new(read),
        }
    }

    /// Adds a piece of data to the act's name.
    pub fn data(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.act.op.data.push((key, value.to_string()));
        self
    }

    /// Adds as many pieces of the same kind.
    pub fn data_each<T: fmt::Display>(
        mut self,
        key: &'static str,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        self.act.op.data.extend(values.into_iter().map(|value| (key, value.to_string())));
        self
    }

    /// Lets the script be read by anybody on the host: it saves a round trip when it is the first.
    pub fn public(mut self) -> Self {
        self.act.is_public = true;
        self
    }

    /// Has the persistent shell do something itself, before the script.
    pub fn keeping(mut self, keeps: Script) -> Self {
        self.act.keeps = Some(keeps);
        self
    }

    pub fn timeout(mut self, limit: Option<Duration>) -> Self {
        self.act.timeout = limit;
        self
    }
}
