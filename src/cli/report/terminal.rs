//! Renders events for people: a line per task, problems in full, and at the end what each host serves.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use colored::{ColoredString, Colorize};

use crate::cli::report::progress::Progress;
use crate::cli::report::size::{bytes, count, hosts};
use crate::event::report::Label;
use crate::event::visible::harmless;
use crate::event::{Event, FillStats, LeftPath, Output, Report, Sink, TaskResult, layout};

pub struct Terminal {
    is_verbose: bool,
    is_quiet: bool,
    shows_diff: bool,
    progress: Progress,
    /// Remarks for the end of the current task's line: how much was sent, which release.
    remarks: Mutex<Vec<String>>,
    is_plan: AtomicBool,
    plan: Mutex<Vec<Planned>>,
    n_hosts: AtomicUsize,
}

/// A step of a plan, and the hosts that would take it.
struct Planned {
    text: String,
    hosts: Vec<String>,
}

impl Terminal {
    pub fn new(is_verbose: bool, is_quiet: bool, shows_diff: bool) -> Self {
        let is_shown = std::io::stderr().is_terminal() && !is_quiet;
        Self {
            is_verbose,
            is_quiet,
            shows_diff,
            progress: Progress::new(is_shown),
            remarks: Mutex::default(),
            is_plan: AtomicBool::new(false),
            plan: Mutex::default(),
            n_hosts: AtomicUsize::new(0),
        }
    }

    fn say(&self, text: impl AsRef<str>) {
        if !self.is_quiet {
            self.progress.line(text.as_ref());
        }
    }

    fn remark(&self, text: String) {
        let mut remarks = self.remarks.lock().unwrap_or_else(PoisonError::into_inner);
        if !remarks.contains(&text) {
            remarks.push(text);
        }
    }

    fn take_remarks(&self) -> Vec<String> {
        std::mem::take(&mut *self.remarks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_plan(&self) -> bool {
        self.is_plan.load(Ordering::Relaxed)
    }

    fn task_finished(
        &self,
        task: &str,
        (n_failed, n_hosts): (usize, usize),
        took: Duration,
        ended: TaskResult,
    ) {
        self.progress.clear();
        if self.is_plan() && ended == TaskResult::Well {
            self.take_remarks();
            return self.plan_of(task);
        }
        let mark = match ended {
            TaskResult::Well => "ok".green(),
            TaskResult::Failed => "failed".red(),
            TaskResult::Skipped => return,
        };
        let hosts = hosts(n_failed, n_hosts);
        let took = format!("{:.1} s", took.as_secs_f64());
        let remarks = self.take_remarks();
        let remarks = match remarks.is_empty() {
            true => String::new(),
            false => format!("  {}", remarks.join("; ")),
        };
        let line = format!("  {:12} {mark:6}  {hosts:10} {took:>7}{remarks}", task.bold());
        self.say(line.trim_end());
    }

    /// Collects a step of a plan. Hosts with the same step share a line.
    fn planned(&self, host: &str, text: String) {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        match plan.iter_mut().find(|planned| planned.text == text) {
            Some(planned) => planned.hosts.push(host.to_owned()),
            None => plan.push(Planned { text, hosts: vec![host.to_owned()] }),
        }
    }

    /// Prints the plan of a task, unless it would do nothing.
    fn plan_of(&self, task: &str) {
        let plan = std::mem::take(&mut *self.plan.lock().unwrap_or_else(PoisonError::into_inner));
        if plan.is_empty() {
            return;
        }
        self.progress.data(&task.bold().to_string());
        for Planned { text, hosts } in plan {
            let is_all = hosts.len() == self.n_hosts.load(Ordering::Relaxed) && hosts.len() > 1;
            let who = if is_all { "all hosts".to_owned() } else { hosts.join(", ") };
            let text = text.replace('\n', "\n    ");
            self.progress.data(&format!("  {}{text}", format!("{who}: ").dimmed()));
        }
    }

    /// Prints a problem. This is the only place that lays one out for the terminal.
    fn problem(&self, report: &Report) {
        let label = match report.label {
            Label::Error => "error:".red().bold(),
            Label::Warning => "warning:".yellow().bold(),
            Label::Interrupted => "interrupted:".yellow().bold(),
        };
        let text = layout::text(report, self.is_verbose, "hint:".cyan().bold());
        if text == "interrupted" {
            return self.progress.line(&format!("{}", text.yellow().bold()));
        }
        self.progress.line(&format!("{label} {text}"));
    }
}

/// The last line about a host: what it serves, or, if it did not answer, what it served before.
fn serving_line(host: &str, release: Option<String>, is_dropped: bool, problem: Option<String>) -> String {
    let who = if is_dropped { format!("{host} was dropped: it") } else { host.to_owned() };
    match (release, problem) {
        (Some(release), None) => format!("{who} serves {release}"),
        (None, None) => format!("{who} serves nothing"),
        (Some(release), Some(problem)) => format!("{who} last served {release}: {problem}"),
        (None, Some(problem)) if is_dropped => format!("{host} was dropped: {problem}"),
        (None, Some(problem)) => format!("{host}: {problem}"),
    }
}

fn left_list(paths: &[LeftPath]) -> String {
    let shown = paths.iter().take(5).map(|left| {
        let more = if left.is_measured { "" } else { "more than " };
        format!("`{}` ({more}{})", left.path, bytes(left.bytes))
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    match paths.len().saturating_sub(5) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn fill_summary(sent: &FillStats) -> String {
    let mut text = format!(
        "{} of {} unpacked, {}",
        count(sent.n_unpacked, "").trim_end_matches([' ', 's']),
        count(sent.n_files, "file"),
        bytes(sent.bytes)
    );
    if sent.n_saved > 0 {
        text.push_str(&format!(", compression saved {}", bytes(sent.n_saved)));
    }
    if sent.n_removed > 0 {
        text.push_str(&format!(", {} removed", sent.n_removed));
    }
    if sent.n_carried > 0 {
        text.push_str(&format!(", {} copied from the previous release", count(sent.n_carried, "path")));
    }
    text
}

impl Sink for Terminal {
    fn event(&self, event: Event) {
        match harmless(event) {
            Event::Started { application, stage, flow, hosts, revision, reference, is_plan } => {
                self.is_plan.store(is_plan, Ordering::Relaxed);
                self.n_hosts.store(hosts.len(), Ordering::Relaxed);
                let named = reference.map_or(String::new(), |name| format!(" (`{name}`)"));
                let of = revision
                    .map_or(String::new(), |r| format!(", revision {}{named}", &r[..r.len().min(10)]));
                let verb = if is_plan { "plan of" } else { "running" };
                self.say(format!(
                    "{verb} `{flow}`: `{application}` to stage `{stage}`, {}{of}",
                    count(hosts.len(), "host")
                ));
            }
            Event::Release { name } => self.remark(format!("release {name}")),
            Event::TaskStarted { task, .. } => self.progress.task(&task),
            Event::TaskFinished { task, n_hosts, took, ended, n_failed } => {
                self.task_finished(&task, (n_failed, n_hosts), took, ended);
            }
            Event::Command { host, text } if self.is_verbose => {
                self.say(format!("  {} {}", format!("[{host}]").dimmed(), format!("$ {text}").cyan()));
            }
            Event::Line { host, output, text } if self.is_verbose => {
                let text = match output {
                    Output::Stdout => text.normal(),
                    Output::Stderr => text.yellow(),
                };
                self.say(format!("  {} {text}", format!("[{host}]").dimmed()));
            }
            Event::Compared { base, n_files, bytes: size, n_removed } if self.is_verbose => {
                let base = base.map_or("nothing".to_owned(), |base| format!("`{base}`"));
                let (files, size) = (count(n_files, "file"), bytes(size));
                self.say(format!(
                    "  compared the source with {base}: {files} to send ({size}), {n_removed} to remove"
                ));
            }
            Event::Command { .. } | Event::Line { .. } | Event::Compared { .. } => {}
            Event::Left { paths } => {
                self.say(format!("  not sent, because git ignores it: {}", left_list(&paths)))
            }
            Event::Sending { host, sent, total } => self.progress.sending(&host, sent, total),
            Event::Filled { host, sent: what } => {
                self.remark(fill_summary(&what));
                for path in what.carried.iter().filter(|_| self.is_verbose) {
                    let host = format!("[{host}]");
                    self.say(format!("  {} copied `{path}` from the previous release", host.dimmed()));
                }
            }
            Event::Swapped { release, hosts, spread, .. } => self.remark(match hosts.len() {
                0 | 1 => format!("`current` is `{release}`"),
                n => format!("live on {}, at most {} ms apart", count(n, "host"), spread.as_millis() + 1),
            }),
            Event::Planned { host, text } => self.planned(&host, text),
            Event::Diff { host, text } if self.shows_diff => self.planned(&host, coloured(&text)),
            Event::Diff { .. } => {}
            Event::Note { host, text } => {
                let host = host.map_or(String::new(), |host| format!("`{host}`: "));
                self.say(format!("  {host}{text}"));
            }
            Event::Warning { host, text } => {
                self.problem(&Report { hosts: Vec::from_iter(host), ..Report::new(text) }.warning());
            }
            Event::Failed { report } => {
                self.progress.clear();
                self.problem(&report);
            }
            Event::Question { is_open } => self.progress.question(is_open),
            Event::Undone { what, hosts } => self.say(format!("  {what} on {}", hosts.join(", "))),
            Event::Dropped { host, report } => {
                self.progress.clear();
                let report = Report { hosts: Vec::new(), ..report }.nested();
                self.problem(&report.context(format!("`{host}` is dropped")));
            }
            Event::Serving { host, release, is_dropped, problem, visitors } => {
                self.progress.clear();
                if !self.is_quiet {
                    let visitors = visitors.map_or(String::new(), |text| format!("; visitors get {text}"));
                    self.progress
                        .data(&(serving_line(&host, release, is_dropped, problem) + visitors.as_str()));
                }
            }
            Event::Finished { ended, verdict, took } => {
                self.progress.clear();
                let took = format!("{:.1} s", took.as_secs_f64());
                match (ended, self.is_plan()) {
                    (TaskResult::Well, true) => self.say("nothing was changed: this was a plan"),
                    (TaskResult::Well, false) => self.say(format!("{} in {took}", "done".green().bold())),
                    _ => self.say(format!("{} after {took}", ended_as(verdict))),
                }
            }
        }
    }
}

/// How a run that was not done ended. A release that is live did not fail.
fn ended_as(verdict: &str) -> ColoredString {
    match verdict {
        "live" => "the release is live, but a later task failed,".yellow().bold(),
        "interrupted" => "interrupted".yellow().bold(),
        _ => "failed".red().bold(),
    }
}

/// Colours a unified diff.
fn coloured(diff: &str) -> String {
    let lines = diff.lines().map(|line| match line.as_bytes().first() {
        Some(b'+') => line.green().to_string(),
        Some(b'-') => line.red().to_string(),
        Some(b'@') => line.cyan().to_string(),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<String>>().join("\n")
}
