//! Runs a flow: one task after the other, each on all of its hosts at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::event::{Event, TaskResult};
use crate::flow::ending::{self, FlowProgress};
use crate::flow::failure::TaskFailure;
use crate::flow::outcome::{Outcome, Verdict};
use crate::flow::perform::{keep_hosts_of_once, perform};
use crate::flow::playbook::Playbook;
use crate::flow::task::Task;
use crate::flow::{notice, unwind};
use crate::run::Run;
use crate::run::heartbeat::HeartbeatThread;
use crate::run::rollback_target::note_no_rollback_target;
use crate::run::{deploy, lock};

/// What the user wants to run.
#[derive(Debug, Clone)]
pub enum Goal {
    Flow(String),
    /// A single task. It runs in `current`, with the lock.
    Task(String),
}

impl Goal {
    pub fn name(&self) -> &str {
        match self {
            Goal::Flow(name) | Goal::Task(name) => name,
        }
    }
}

/// The tasks of a run in their order, and where the run does more than run them.
struct TaskOrder {
    tasks: Vec<String>,
    /// The task that settles the run. `None`: the run is settled when all tasks have succeeded.
    settles_at: Option<usize>,
    /// From this task on, no task changes the source before it is sent. It can be walked while the run connects to hosts.
    walks_from: Option<usize>,
}

impl TaskOrder {
    fn of(playbook: &Playbook, goal: &Goal) -> Self {
        match goal {
            Goal::Task(name) => Self { tasks: vec![name.clone()], settles_at: None, walks_from: None },
            Goal::Flow(name) => {
                let tasks = playbook.order(name);
                Self {
                    settles_at: playbook.settles_at(name, &tasks),
                    walks_from: walks_from(playbook, &tasks),
                    tasks,
                }
            }
        }
    }

    /// The task after which the run is confirmed.
    fn settles(&self) -> &str {
        let task = self.settles_at.and_then(|n| self.tasks.get(n)).or(self.tasks.last());
        task.map_or("", String::as_str)
    }
}

fn walks_from(playbook: &Playbook, order: &[String]) -> Option<usize> {
    let sends = playbook.sends_at(order)?;
    let keeps = |name: &&String| playbook.tasks.get(*name).is_none_or(Task::keeps_source);
    let n = order[..=sends].iter().rev().take_while(keeps).count();
    (n > 0).then(|| sends + 1 - n)
}

/// Runs a flow or a task to its end. Emits every failure, and what each host serves afterwards.
pub fn execute(run: &Arc<Run>, playbook: &Playbook, goal: &Goal) -> Outcome {
    let began = Instant::now();
    let order = TaskOrder::of(playbook, goal);
    let heartbeat = HeartbeatThread::start(run);
    keep_hosts_of_once(run, playbook, &order.tasks);
    let failures = match goal {
        Goal::Flow(_) => Vec::new(),
        Goal::Task(_) => lock_all(run),
    };
    let done = run_tasks(run, playbook, &order, failures);
    let (verdict, failures) = ending::end(run, playbook, order.settles(), done);
    drop(heartbeat);
    if verdict == Verdict::Done {
        note_no_rollback_target(run);
    }
    let was_undo_stopped = verdict != Verdict::Done && run.cancel_token.is_cancelled();
    let serving = unwind::serving(run, was_undo_stopped);
    let outcome = Outcome { verdict, failures, took: began.elapsed(), serving };
    if let Goal::Flow(name) = goal {
        notice::call_all(run, &playbook.notices, name, &outcome);
    }
    report(run, &outcome);
    outcome
}

/// Runs the tasks. The barrier: no task begins before all hosts have finished the previous one, and none after a failure.
fn run_tasks(
    run: &Arc<Run>,
    playbook: &Playbook,
    order: &TaskOrder,
    failures: Vec<TaskFailure>,
) -> FlowProgress {
    let mut done = FlowProgress { failures, is_settled: false };
    for (n, name) in order.tasks.iter().enumerate() {
        if order.walks_from == Some(n) {
            run.here.source.walk_ahead();
            deploy::preopen_upload(run);
        }
        let Some(task) = playbook.tasks.get(name).filter(|_| done.failures.is_empty()) else {
            skip(run, name);
            continue;
        };
        done.failures = perform(run, task, &run.fleet.all());
        if done.failures.is_empty() && order.settles_at == Some(n) {
            ending::settle(run, name, &mut done);
        }
    }
    done
}

fn skip(run: &Run, task: &str) {
    run.events.event(Event::TaskFinished {
        task: task.to_owned(),
        n_hosts: 0,
        took: Duration::ZERO,
        ended: TaskResult::Skipped,
        n_failed: 0,
    });
}

fn lock_all(run: &Arc<Run>) -> Vec<TaskFailure> {
    let error = lock::lock_all(run, &run.fleet.all()).err();
    error.into_iter().map(|error| TaskFailure::of("lock", None, error)).collect()
}

/// Emits the last events of a run.
fn report(run: &Run, outcome: &Outcome) {
    let ended = match outcome.verdict {
        Verdict::Done => TaskResult::Well,
        _ => TaskResult::Failed,
    };
    run.events.event(Event::Finished { ended, verdict: outcome.verdict.word(), took: outcome.took });
    for serves in &outcome.serving {
        run.events.event(serves.event());
    }
}
