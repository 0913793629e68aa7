//! How a process on the host ended, as the server reports it.

use crate::shell::Exit;

/// Reads the exit signal and the exit status of a channel. `None` if nothing was reported yet, or a 0: libssh2
/// returns 0 for both.
pub fn reported(channel: &ssh2::Channel) -> Option<Exit> {
    if let Some(name) = channel.exit_signal().ok().and_then(|signal| signal.exit_signal) {
        return Some(Exit::Signal(number(&name)));
    }
    match channel.exit_status() {
        Ok(0) | Err(_) => None,
        Ok(status) => Some(Exit::from_shell(status)),
    }
}

/// The number of a signal, by its name in RFC 4254 §6.10; -1 for a name of the server's own (`name@domain`).
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
