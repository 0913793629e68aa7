//! The tasks and flows of a recipe, as a run needs them.

use indexmap::IndexMap;

use crate::flow::Task;
use crate::flow::notice::Notice;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Before,
    After,
}

/// A task that runs with another one, in whatever flow that one is.
#[derive(Debug, Clone)]
pub struct Hook {
    pub side: Side,
    pub anchor: String,
    pub task: String,
}

/// Tasks under one name, without their hooks.
#[derive(Debug, Clone, Default)]
pub struct TaskSequence {
    pub tasks: Vec<String>,
    /// The task at whose end what the flow did stays, as the flow itself says.
    pub settles: Option<String>,
}

#[derive(Default)]
pub struct Playbook {
    pub tasks: IndexMap<String, Task>,
    pub flows: IndexMap<String, TaskSequence>,
    /// In the order they were declared.
    pub hooks: Vec<Hook>,
    pub notices: Vec<Notice>,
}

impl Playbook {
    /// The tasks of a flow in the order they run, hooks and their hooks included.
    pub fn order(&self, flow: &str) -> Vec<String> {
        let mut order = Vec::new();
        for name in self.flows.get(flow).into_iter().flat_map(|flow| &flow.tasks) {
            self.place(name, &mut Vec::new(), &mut order);
        }
        order
    }

    /// At the end of which task of `order` what `flow` did stays. A flow that does not say it is settled by any task that
    /// settles another one. `None` if the flow can be undone until it ends.
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
        // A hook on itself, over whatever corners, runs once.
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

    /// `flow` runs `tasks`, and the flow beside it is settled by `watch`.
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
        // What it said of a task that was removed.
        settles(Some("look"), &["swap", "watch"], None);
    }
}
