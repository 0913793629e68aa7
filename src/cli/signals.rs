//! The signals that cancel a run: Ctrl-C, a closed terminal, `kill`.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::transport::CancelToken;

/// From now on, these signals cancel the token instead of ending the program.
pub fn cancel_on_signals(cancel_token: &CancelToken) -> anyhow::Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, cancel_token.flag())?;
    }
    Ok(())
}
