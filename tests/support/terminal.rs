//! The program at a terminal of its own: what it shows, and what a person types.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::Test;

/// The program at a terminal of its own. When it has ended, its exit code and the terminal's settings are shown.
pub struct Terminal {
    script: Child,
    typed: ChildStdin,
    pub shown: Arc<Mutex<String>>,
}

impl Terminal {
    pub fn new(test: &Test, words: &str) -> Self {
        Self::of_kind(test, words, "dumb")
    }

    pub fn of_kind(test: &Test, words: &str, kind: &str) -> Self {
        // The Ctrl-C is the program's; the shell waits for it.
        let text = format!("trap : INT; {} {words}; echo \"exit $?\"; stty -a", env!("CARGO_BIN_EXE_runner"));
        let mut inner = test.command(&[]);
        let mut script = Command::new("script");
        script
            .args(["-qfc", &text, "/dev/null"])
            .current_dir(test.root())
            .env_clear()
            .env("SHELL", "/bin/sh");
        script.envs(inner.env("TERM", kind).get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut script =
            script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let shown: Arc<Mutex<String>> = Arc::default();
        let (mut stdout, to) = (script.stdout.take().unwrap(), Arc::clone(&shown));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = stdout.read(&mut buffer) {
                to.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..n]));
            }
        });
        Self { typed: script.stdin.take().unwrap(), script, shown }
    }

    /// Waits until this is shown; a minute is for a machine that is busy with other things.
    #[track_caller]
    pub fn shows(&mut self, text: &str) -> &mut Self {
        let start = Instant::now();
        while !self.shown.lock().unwrap().contains(text) {
            let is_late = start.elapsed() > Duration::from_secs(60);
            assert!(!is_late, "`{text}` is not shown:\n{}", self.shown.lock().unwrap());
            thread::sleep(Duration::from_millis(5));
        }
        self
    }

    pub fn types(&mut self, text: &str) -> &mut Self {
        self.typed.write_all(text.as_bytes()).unwrap();
        self
    }

    /// All that was shown, once the program has ended with this exit code and left a terminal that shows what is typed.
    #[track_caller]
    pub fn ends(mut self, code: i32) -> String {
        self.shows("exit ").shows(" echoke");
        let shown = self.shown.lock().unwrap().clone();
        assert!(shown.contains(&format!("exit {code}\r\n")), "{shown}");
        assert!(shown.contains(" echo ") && shown.contains("isig icanon "), "{shown}");
        shown
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Either fails only if it is already gone.
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}
