//! A child process in a group of its own: a Ctrl-C at the terminal is this program's to pass on, and what the child
//! started ends with it.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process_group};

/// Killed with all of its group when it is dropped, unless it has ended by itself: what it left then was meant to stay.
pub struct Group {
    pub child: Child,
}

impl Group {
    pub fn start(command: &mut Command) -> io::Result<Self> {
        command.process_group(0).spawn().map(|child| Self { child })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let Ok(None) = self.child.try_wait() else {
            return;
        };
        // Either fails only if it is already gone.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}
