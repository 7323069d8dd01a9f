//! The step between `up` and Envoy: ties the child's life to its parent's, then becomes Envoy.
//!
//! A gateway that was killed outright would leave its Envoy listening, and the next one would share the port with it. Linux
//! ends a child with its parent if the child asks for it; asking in a forked child before `exec` is unsafe Rust, asking in
//! a program of one's own is not. So `up` starts itself with a hidden command, which asks, checks that the parent is still
//! there, and replaces itself. Elsewhere than on Linux only the check remains.

use std::{
    ffi::OsString,
    io,
    os::unix::process::{CommandExt, parent_id},
    path::Path,
    process::Command,
};

/// Becomes `program`, unless `parent` is gone. Returns only when that failed.
#[must_use]
pub fn replace(parent: u32, program: &Path, arguments: &[OsString]) -> io::Error {
    if let Err(error) = tie() {
        return error;
    }
    if parent_id() != parent {
        return io::Error::other("the parent is gone");
    }
    Command::new(program).args(arguments).exec()
}

#[cfg(target_os = "linux")]
fn tie() -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).map_err(io::Error::from)
}

#[cfg(not(target_os = "linux"))]
fn tie() -> io::Result<()> {
    Ok(())
}
