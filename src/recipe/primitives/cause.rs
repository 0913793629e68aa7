//! Selects the lines of a failed command's output that say why it failed: the first errors, and the last lines.

use crate::event::visible::last_written;
use crate::shell::Answer;

/// At most this many lines of each output are shown.
const MOST: usize = 10;
/// Of these, at most so many are the first that look like errors.
const FIRST: usize = 5;

/// Words of lines that name a cause, in lower case.
const CAUSES: [&str; 12] = [
    "error",
    "fatal",
    "exception",
    "failed",
    "failure",
    "cannot",
    "could not",
    "unable",
    "denied",
    "not found",
    "no such",
    "err!",
];

/// The standard output, then the standard error, each without empty lines and shortened.
pub fn lines(answer: &Answer) -> String {
    let both = [&answer.stdout, &answer.stderr]
        .map(|bytes| shortened(&last_written(&String::from_utf8_lossy(bytes))));
    both.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
}

fn shortened(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.len() <= MOST {
        return lines.join("\n");
    }
    let names_cause = |line: &str| {
        let line = line.to_lowercase();
        CAUSES.iter().any(|word| line.contains(word))
    };
    let end = lines.len() - (MOST - FIRST);
    let mut shown: Vec<usize> = (0..end).filter(|n| names_cause(lines[*n])).take(FIRST).collect();
    let n_last = MOST - shown.len();
    let begin = (lines.len() - n_last).max(shown.last().map_or(0, |n| n + 1));
    shown.extend(begin..lines.len());
    let (mut all, mut next) = (Vec::new(), 0);
    for n in shown {
        // What comes before the first errors leads nowhere.
        match n - next {
            0 => {}
            _ if next == 0 && n == begin => {}
            1 => all.push("... 1 line ...".to_owned()),
            left => all.push(format!("... {left} lines ...")),
        }
        all.push(lines[n].to_owned());
        next = n + 1;
    }
    all.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(n_lines: usize, errors: &[usize], want: &str) {
        let line = |n: usize| if errors.contains(&n) { format!("Error {n}\n") } else { format!("{n}\n") };
        let text: String = (1..=n_lines).map(line).collect();
        assert_eq!(shortened(&text).replace('\n', " "), want);
    }

    #[test]
    fn the_first_errors_and_the_last_lines_are_shown() {
        case(3, &[], "1 2 3");
        case(12, &[], "3 4 5 6 7 8 9 10 11 12");
        case(98, &[3], "... 2 lines ... Error 3 ... 86 lines ... 90 91 92 93 94 95 96 97 98");
        case(12, &[1, 2], "Error 1 Error 2 ... 2 lines ... 5 6 7 8 9 10 11 12");
        let many: Vec<usize> = (1..=40).collect();
        let want = "Error 1 Error 2 Error 3 Error 4 Error 5 ... 30 lines ... Error 36 Error 37 Error 38 Error 39 Error 40";
        case(40, &many, want);
    }
}
