//! How a process over there ended, as the server tells it.

use crate::shell::Exit;

/// From the channel's exit status (0 when there was none) and its signal. `None`: nothing was told yet, or a 0.
pub fn told(channel: &ssh2::Channel) -> Option<Exit> {
    if let Some(name) = channel.exit_signal().ok().and_then(|signal| signal.exit_signal) {
        return Some(Exit::Signal(number(&name)));
    }
    match channel.exit_status() {
        Ok(0) | Err(_) => None,
        Ok(status) => Some(Exit::from_shell(status)),
    }
}

/// The number of a signal's name as RFC 4254 §6.10 writes it; -1 for one of the server's own (`name@domain`).
fn number(name: &str) -> i32 {
    use rustix::process::Signal;
    let signal = match name {
        "ABRT" => Signal::ABORT,
        "ALRM" => Signal::ALARM,
        "FPE" => Signal::FPE,
        "HUP" => Signal::HUP,
        "ILL" => Signal::ILL,
        "INT" => Signal::INT,
        "KILL" => Signal::KILL,
        "PIPE" => Signal::PIPE,
        "QUIT" => Signal::QUIT,
        "SEGV" => Signal::SEGV,
        "TERM" => Signal::TERM,
        "USR1" => Signal::USR1,
        "USR2" => Signal::USR2,
        _ => return -1,
    };
    signal.as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_told_by_name() {
        assert_eq!(number("KILL"), 9);
        assert_eq!(number("TERM"), 15);
        assert_eq!(number("XCPU@openssh.com"), -1);
    }
}
