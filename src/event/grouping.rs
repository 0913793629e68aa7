//! Groups equal problems: one report for each different problem, with all hosts that have it.

use crate::event::Report;

/// Groups reports. The groups are in the order of their first reports.
pub fn group(reports: impl IntoIterator<Item = Report>) -> Vec<Report> {
    let mut all: Vec<Report> = Vec::new();
    for report in reports {
        match all.iter_mut().find(|other| other.is_like(&report)) {
            Some(other) => other.hosts.extend(report.hosts),
            None => all.push(report),
        }
    }
    all
}

/// Combines reports into one, for a caller that returns a single error. `None` if there are none.
pub fn combine(reports: impl IntoIterator<Item = Report>) -> Option<Report> {
    let mut causes = group(reports);
    if causes.len() <= 1 {
        return causes.pop();
    }
    let hosts = causes.iter().flat_map(|report| report.hosts.clone()).collect();
    let hint = causes.iter().find_map(|report| report.hint.clone());
    Some(Report { hosts, hint, causes, ..Report::new("for different reasons") })
}

/// Removes all hints except the first: the user can do only one thing next.
pub fn keep_first_hint(reports: &mut [Report]) {
    for report in reports.iter_mut().skip_while(|report| report.hint.is_none()).skip(1) {
        report.hint = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(host: &str, message: &str, hint: Option<&str>) -> Report {
        Report { hosts: vec![host.to_owned()], hint: hint.map(Into::into), ..Report::new(message) }
    }

    #[test]
    fn hosts_with_the_same_problem_stand_together() {
        let all = [report("a", "full", Some("rm a")), report("b", "gone", None), report("c", "full", None)];
        let grouped = group(all);
        assert_eq!(grouped.len(), 2);
        assert_eq!(grouped[0].headline(), "`a`, `c`: full");
        assert_eq!(grouped[1].headline(), "`b`: gone");
        // Reports with different notes are different problems.
        let said = report("a", "full", None).note("1 kB");
        assert_eq!(group([said, report("b", "full", None)]).len(), 2);
    }

    #[test]
    fn several_problems_are_the_causes_of_one() {
        assert_eq!(combine([]), None);
        assert_eq!(combine([report("a", "full", None)]), Some(report("a", "full", None)));
        let one = combine([report("a", "full", None), report("b", "gone", Some("do"))]).unwrap();
        assert_eq!(one.headline(), "`a`, `b`: for different reasons");
        assert_eq!(one.causes.len(), 2);
        assert_eq!(one.hint, Some("do".into()));
    }

    #[test]
    fn only_the_first_hint_stays() {
        let mut all = [report("a", "1", None), report("b", "2", Some("x")), report("c", "3", Some("y"))];
        keep_first_hint(&mut all);
        assert_eq!(all.map(|report| report.hint), [None, Some("x".into()), None]);
    }
}
