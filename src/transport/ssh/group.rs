//! A child process in its own process group: Ctrl-C at the terminal does not reach it directly, and processes that it
//! started end with it.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process_group};

/// When this is dropped, kills the whole group, unless the child has ended by itself: then the processes that it left
/// were meant to stay.
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
        // Both fail only if it has ended already.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}
