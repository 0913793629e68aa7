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

#[derive(Default)]
pub struct Playbook {
    pub tasks: IndexMap<String, Task>,
    pub flows: IndexMap<String, Vec<String>>,
    /// In the order they were declared.
    pub hooks: Vec<Hook>,
    pub notices: Vec<Notice>,
}

impl Playbook {
    /// The tasks of a flow in the order they run, hooks and their hooks included.
    pub fn order(&self, flow: &str) -> Vec<String> {
        let mut order = Vec::new();
        for name in self.flows.get(flow).into_iter().flatten() {
            self.place(name, &mut Vec::new(), &mut order);
        }
        order
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
        book.flows.insert("deploy".to_owned(), flow);
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
}
