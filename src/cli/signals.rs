//! The signals that end a run: Ctrl-C and what others send.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::transport::Interrupt;

/// From here on, a Ctrl-C raises the interrupt instead of ending the program.
pub fn hear_signals(interrupt: &Interrupt) -> anyhow::Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, interrupt.flag())?;
    }
    Ok(())
}
