//! The progress bar: one for all hosts, only on a terminal.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::out;

pub struct Progress {
    bar: ProgressBar,
    /// Bytes sent, and the total, by host.
    hosts: Mutex<HashMap<String, (u64, u64)>>,
    is_at_work: AtomicBool,
    /// The number of open questions at the terminal.
    n_open: AtomicUsize,
}

impl Progress {
    /// Draws on standard error if `is_shown`, else nowhere.
    pub fn new(is_shown: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        // Until a task begins, a line above the bar must not draw it.
        bar.finish_and_clear();
        if is_shown {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        Self {
            bar,
            hosts: Mutex::default(),
            is_at_work: AtomicBool::default(),
            n_open: AtomicUsize::default(),
        }
    }

    /// Shows that a task is running. How long it will take is unknown.
    pub fn task(&self, name: &str) {
        let style = ProgressStyle::with_template("  {spinner} {msg} {elapsed}");
        if let Ok(style) = style {
            self.bar.set_style(style);
        }
        self.lock().clear();
        self.bar.set_message(name.to_owned());
        self.is_at_work.store(true, Ordering::SeqCst);
        if self.n_open.load(Ordering::SeqCst) == 0 {
            self.begin();
        }
    }

    fn begin(&self) {
        // A cleared bar does not draw again until it is reset.
        self.bar.reset();
        self.bar.enable_steady_tick(std::time::Duration::from_millis(120));
    }

    fn end(&self) {
        self.bar.disable_steady_tick();
        self.bar.finish_and_clear();
    }

    /// Hides the bar while a question is open.
    pub fn question(&self, is_open: bool) {
        if is_open {
            self.n_open.fetch_add(1, Ordering::SeqCst);
            self.end();
        } else if self.n_open.fetch_sub(1, Ordering::SeqCst) == 1 && self.is_at_work.load(Ordering::SeqCst) {
            self.begin();
        }
    }

    pub fn sending(&self, host: &str, sent: u64, total: u64) {
        let mut hosts = self.lock();
        hosts.insert(host.to_owned(), (sent, total));
        let all = hosts.values().fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
        drop(hosts);
        let style = "  {msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            self.bar.set_style(style);
        }
        self.bar.set_length(all.1);
        self.bar.set_position(all.0);
    }

    /// Prints a line above the bar.
    pub fn line(&self, text: &str) {
        self.bar.suspend(|| out::talk(text));
    }

    /// Prints a line of data above the bar.
    pub fn data(&self, text: &str) {
        self.bar.suspend(|| out::data(text));
    }

    pub fn clear(&self) {
        self.is_at_work.store(false, Ordering::SeqCst);
        self.end();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (u64, u64)>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
