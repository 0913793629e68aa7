//! The signals that end a run: Ctrl-C and what others send.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::transport::CancelToken;

/// From here on, a Ctrl-C raises the interrupt instead of ending the program.
pub fn hear_signals(cancel_token: &CancelToken) -> anyhow::Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, cancel_token.flag())?;
    }
    Ok(())
}
