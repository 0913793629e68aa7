//! Names the hooks of the user's recipes that a rollback skips: those after `swap` that are not repeated.

use crate::event::Report;
use crate::recipe::world::World;

pub fn remarks(world: &World) -> Vec<Report> {
    let declared = &world.declared;
    let Some(playbook) = world.playbook.get().and_then(|playbook| playbook.upgrade()) else {
        return Vec::new();
    };
    let mut remarks = Vec::new();
    for flow in playbook.flows.keys() {
        let order = playbook.order(flow);
        let reverted = order.iter().filter_map(|name| playbook.tasks.get(name)?.reverts.as_deref());
        for task in reverted {
            let Some(revert) = playbook.reverts_in(&order, task) else { continue };
            let after = playbook.hooked_after(task);
            let is_skipped = |name: &String| after.contains(name) && !order.contains(name);
            for hook in declared.hooks.iter().filter(|hook| is_skipped(&hook.task)) {
                if declared.source(&hook.task_place.place.file).is_none_or(|source| source.is_shipped()) {
                    continue;
                }
                remarks.push(
                    Report::new(format!("`{flow}` skips task `{}`, which is hooked in after `{task}`", hook.task))
                        .at(hook.task_place.clone())
                        .note(format!("to run it after `{revert}` and after a swap back, too, add `.repeat_on_swap_back()` to the task"))
                );
            }
        }
    }
    remarks
}
