//! The tasks and flows of a recipe, as a run needs them.

use indexmap::IndexMap;

use crate::flow::Task;
use crate::flow::notice::Notice;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Before,
    After,
}

/// A task that runs before or after another one, in every flow that contains that one.
#[derive(Debug, Clone)]
pub struct Hook {
    pub side: Side,
    pub anchor: String,
    pub task: String,
}

/// A declared flow: its own tasks, without hooks.
#[derive(Debug, Clone, Default)]
pub struct TaskSequence {
    pub tasks: Vec<String>,
    /// The task that settles the flow, if its declaration says it.
    pub settles: Option<String>,
}

#[derive(Default)]
pub struct Playbook {
    pub tasks: IndexMap<String, Task>,
    pub flows: IndexMap<String, TaskSequence>,
    /// In the order of declaration.
    pub hooks: Vec<Hook>,
    pub notices: Vec<Notice>,
}

impl Playbook {
    /// The tasks of a flow in the order in which they run, with hooks and the hooks of hooks.
    pub fn order(&self, flow: &str) -> Vec<String> {
        let mut order = Vec::new();
        for name in self.flows.get(flow).into_iter().flat_map(|flow| &flow.tasks) {
            self.place(name, &mut Vec::new(), &mut order);
        }
        self.place_repeated(&mut order);
        order
    }

    /// The tasks that are hooked in after `task`, directly or through others.
    pub fn hooked_after(&self, task: &str) -> Vec<String> {
        let mut order = Vec::new();
        self.place(task, &mut Vec::new(), &mut order);
        order.into_iter().skip_while(|name| name != task).skip(1).collect()
    }

    /// The task that a task reverts.
    fn reverted_by(&self, name: &str) -> Option<&str> {
        self.tasks.get(name)?.reverts.as_deref()
    }

    /// The task of `order` that reverts `task`, in a flow that does not run `task` itself.
    pub fn reverts_in<'a>(&self, order: &'a [String], task: &str) -> Option<&'a String> {
        let is_run = order.iter().any(|name| name == task);
        order.iter().find(|name| self.reverted_by(name) == Some(task)).filter(|_| !is_run)
    }

    /// Places, after a task that reverts another, what is hooked in after that one and loads the live release. Each of
    /// these runs once, and without its own hooks: what a rollback skips must not come back through them.
    fn place_repeated(&self, order: &mut Vec<String>) {
        let Some(at) = order.iter().position(|name| {
            self.reverted_by(name).is_some_and(|reverted| self.reverts_in(order, reverted) == Some(name))
        }) else {
            return;
        };
        let reverted = self.reverted_by(&order[at]).unwrap_or_default();
        let mut repeated = self.hooked_after(reverted);
        repeated.retain(|name| {
            !order.contains(name) && self.tasks.get(name).is_some_and(|task| task.is_repeated)
        });
        order.splice(at + 1..at + 1, repeated);
    }

    /// The position in `order` of the task that settles `flow`. If its declaration names none, that is the last task that
    /// settles another flow. `None` if the flow can be undone until it ends.
    pub fn settles_at(&self, flow: &str, order: &[String]) -> Option<usize> {
        let flow = self.flows.get(flow)?;
        order.iter().rposition(|task| match &flow.settles {
            Some(settles) => settles == task,
            None => self.flows.values().any(|other| other.settles.as_ref() == Some(task)),
        })
    }

    /// The first task of `order` that sends the source.
    pub fn sends_at(&self, order: &[String]) -> Option<usize> {
        order.iter().position(|name| self.tasks.get(name).is_some_and(|task| task.sends))
    }

    fn place<'a>(&'a self, name: &'a str, around: &mut Vec<&'a str>, order: &mut Vec<String>) {
        // A task that is a hook on itself, directly or through others, runs once.
        if around.contains(&name) {
            return;
        }
        around.push(name);
        self.place_hooks(Side::Before, name, around, order);
        order.push(name.to_owned());
        self.place_hooks(Side::After, name, around, order);
        around.pop();
    }

    fn place_hooks<'a>(
        &'a self,
        side: Side,
        anchor: &str,
        around: &mut Vec<&'a str>,
        order: &mut Vec<String>,
    ) {
        for hook in self.hooks.iter().filter(|hook| hook.side == side && hook.anchor == anchor) {
            self.place(&hook.task, around, order);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(hooks: &[(Side, &str, &str)], want: &str) {
        let mut book = Playbook::default();
        let flow = ["build", "swap"].map(str::to_owned).to_vec();
        book.flows.insert("deploy".to_owned(), TaskSequence { tasks: flow, settles: None });
        book.hooks = hooks
            .iter()
            .map(|(side, anchor, task)| Hook {
                side: *side,
                anchor: anchor.to_string(),
                task: task.to_string(),
            })
            .collect();
        assert_eq!(book.order("deploy").join(" "), want);
    }

    #[test]
    fn hooks_stand_beside_their_task_in_the_order_they_were_declared() {
        use Side::*;
        case(&[], "build swap");
        case(&[(After, "swap", "a"), (After, "swap", "b")], "build swap a b");
        case(&[(Before, "swap", "a"), (Before, "swap", "b")], "build a b swap");
        case(&[(After, "build", "a"), (Before, "a", "b")], "build b a swap");
        case(&[(After, "build", "a"), (After, "a", "a")], "build a swap");
    }

    /// The flow `own` runs `tasks`. The task `watch` settles another flow.
    #[track_caller]
    fn settles(settles: Option<&str>, tasks: &[&str], want: Option<usize>) {
        let flow = |settles: Option<&str>, tasks: &[&str]| TaskSequence {
            tasks: tasks.iter().map(ToString::to_string).collect(),
            settles: settles.map(str::to_owned),
        };
        let mut book = Playbook::default();
        book.flows.insert("own".to_owned(), flow(settles, tasks));
        book.flows.insert("rollback".to_owned(), flow(Some("watch"), &["revert", "watch"]));
        assert_eq!(book.settles_at("own", &book.order("own")), want);
    }

    #[test]
    fn a_flow_that_does_not_say_what_settles_it_is_settled_as_others_are() {
        settles(Some("swap"), &["swap", "watch", "prune"], Some(0));
        settles(None, &["swap", "watch", "prune"], Some(1));
        settles(None, &["swap", "prune"], None);
        // The task that it names was removed.
        settles(Some("look"), &["swap", "watch"], None);
    }
}
