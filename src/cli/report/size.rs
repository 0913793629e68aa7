//! Formats sizes and counts for people.

/// Bytes in powers of 1000: `71 kB`, `1.2 MB`.
pub fn bytes(n: u64) -> String {
    let mut value = n as f64;
    let mut unit = "B";
    for next in ["kB", "MB", "GB", "TB"] {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    match unit {
        "B" => format!("{n} B"),
        unit if value < 9.95 => format!("{value:.1} {unit}"),
        unit => format!("{value:.0} {unit}"),
    }
}

/// `1 host`, `12 hosts`, `10,000 files`.
pub fn count(n: usize, noun: &str) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    let plural = if n == 1 { "" } else { "s" };
    format!("{text} {noun}{plural}")
}

/// The hosts of a task: "here", "3 hosts", and if some of them failed "1 of 3 hosts".
pub fn hosts(n_failed: usize, n_hosts: usize) -> String {
    match n_hosts {
        0 => "here".to_owned(),
        _ if 0 < n_failed && n_failed < n_hosts => format!("{n_failed} of {}", count(n_hosts, "host")),
        _ => count(n_hosts, "host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_counts_are_short() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_234), "1.2 kB");
        assert_eq!(bytes(71_000), "71 kB");
        assert_eq!(bytes(9_960_000), "10 MB");
        assert_eq!(count(1, "host"), "1 host");
        assert_eq!(count(10_000, "file"), "10,000 files");
        assert_eq!(count(100, "file"), "100 files");
    }
}
