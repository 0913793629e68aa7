//! Whose file it is.

use rustix::process::geteuid;

/// Whether this user is a file's owner, or root is: only they can have made it what it is. With sudo, the user who called it
/// counts, too.
pub fn is_ours(owner: u32) -> bool {
    let me = geteuid().as_raw();
    let caller = || std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
    owner == 0 || owner == me || me == 0 && caller() == Some(owner)
}
