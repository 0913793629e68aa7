//! Reads and writes pipes and sockets without waiting.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::transport::link::ReadOutcome;

/// Makes reads and writes of `file` non-blocking.
pub fn unblock(file: &impl AsFd) -> io::Result<()> {
    let flags = fcntl_getfl(file)?;
    Ok(fcntl_setfl(file, flags | OFlags::NONBLOCK)?)
}

/// Writes as much as possible. `None` is a closed pipe.
pub fn write(to: Option<&mut impl Write>, bytes: &[u8]) -> io::Result<usize> {
    let Some(to) = to else {
        return Err(ErrorKind::BrokenPipe.into());
    };
    loop {
        match to.write(bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            result => return result,
        }
    }
}

/// Reads what is available. At the end, closes `from`.
pub fn read(from: &mut Option<impl Read>, buffer: &mut [u8]) -> io::Result<ReadOutcome> {
    let Some(open) = from else {
        return Ok(ReadOutcome::End);
    };
    loop {
        match open.read(buffer) {
            Ok(0) => {
                *from = None;
                return Ok(ReadOutcome::End);
            }
            Ok(n) => return Ok(ReadOutcome::Bytes(n)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(ReadOutcome::Nothing),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
