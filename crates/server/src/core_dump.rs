//! No core dumps: what a process holds in memory, its secrets among it, stays there when it crashes.
//!
//! Two doors are closed. The limit keeps the kernel from writing a file, also where a crash reporter would make an
//! exception of it (`core(5)`: a limit of zero stops a file; a pipe ignores it). So the process also says that it is
//! not dumpable, which stops the pipe, and keeps other processes of the same user from reading its memory
//! (`PR_SET_DUMPABLE(2const)`). It is said at start, before a secret is read.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// Forbids core dumps of this process.
///
/// # Errors
/// What the system said.
pub fn forbid() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}
