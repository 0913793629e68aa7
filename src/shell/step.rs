//! A remote act as a value: its name, whether it writes, its script, and how its answer is read.

use std::fmt;
use std::time::Duration;

use anyhow::Result;

use crate::shell::Script;

/// The name of an act and its data, for plans, logs and tests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Op {
    pub name: &'static str,
    pub data: Vec<(&'static str, String)>,
}

impl Op {
    /// All values of a key, in order.
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

/// Whether an act can change anything on the host. A plan performs acts that read, and only lists acts that write.
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
    /// It ran longer than the timeout of the act and was killed.
    TimedOut(Duration),
    /// The user pressed Ctrl-C, and it was killed.
    Interrupted,
}

impl Exit {
    pub fn is_success(self) -> bool {
        self == Exit::Code(0)
    }

    /// Converts the `$?` of a shell: 128 + n stands for signal n.
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
            // The rest of a task's time is not a round number.
            Exit::TimedOut(limit) => {
                write!(f, "timed out after {} s", (limit.as_secs_f64() * 10.0).round() / 10.0)
            }
            Exit::Interrupted => write!(f, "was interrupted"),
        }
    }
}

/// The answer of a host to an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub exit: Exit,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// Everything that a transport needs to know about an act.
#[derive(Debug, Clone)]
pub struct Act {
    pub op: Op,
    pub effect: Effect,
    pub script: Script,
    /// Counted from the start of the script. None by default, since a healthy command may run silently for hours.
    pub timeout: Option<Duration>,
    /// Other users on the host may read the script, so it can be sent as an argument of a command.
    pub is_public: bool,
    /// A script that the persistent shell itself runs before the act's script. A descriptor that it opens stays open
    /// for this and all later scripts, until the shell ends. It must not fail: that would end the shell.
    pub prelude: Option<Script>,
}

type Read<A> = Box<dyn Fn(&Answer) -> Result<A> + Send>;

/// An act, and the function that reads its answer.
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
            act: Act { op, effect, script, timeout: None, is_public: false, prelude: None },
            read: Box::new(read),
        }
    }

    /// Adds data to the name of the act.
    pub fn data(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.act.op.data.push((key, value.to_string()));
        self
    }

    /// Adds several values with the same key.
    pub fn data_each<T: fmt::Display>(
        mut self,
        key: &'static str,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        self.act.op.data.extend(values.into_iter().map(|value| (key, value.to_string())));
        self
    }

    /// Allows other users on the host to read the script. If it is the first script, this saves a round trip.
    pub fn public(mut self) -> Self {
        self.act.is_public = true;
        self
    }

    /// Makes the persistent shell run `prelude` itself before the script.
    pub fn prelude(mut self, prelude: Script) -> Self {
        self.act.prelude = Some(prelude);
        self
    }

    pub fn timeout(mut self, limit: Option<Duration>) -> Self {
        self.act.timeout = limit;
        self
    }
}
