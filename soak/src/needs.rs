//! What a measurement needs of the machine. What is missing is named, and is a failure: a proof that was skipped is none.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{bail, ensure};

/// Makes sure that file systems can be made, mounted and cut off.
///
/// # Errors
/// Names what is missing.
pub fn file_systems() -> anyhow::Result<()> {
    root("mounting a file system, and cutting its power,")?;
    let loops = Path::new("/dev/loop-control");
    ensure!(loops.exists(), "there is no {}: images of file systems cannot be mounted", loops.display());
    program("mkfs.ext4", "e2fsprogs")?;
    program("mkfs.xfs", "xfsprogs")?;
    program("xfs_io", "xfsprogs")?;
    program("fsfreeze", "util-linux")
}

/// Makes sure that system calls can be made to fail.
///
/// # Errors
/// Names what is missing.
pub fn tracing() -> anyhow::Result<()> {
    program("strace", "strace")
}

/// Makes sure that a library can be compiled that is put before the system's own.
///
/// # Errors
/// Names what is missing.
pub fn compiler() -> anyhow::Result<()> {
    program("cc", "gcc libc6-dev")
}

/// Makes sure that a process's clock can be set, and says by which library.
///
/// # Errors
/// Names what is missing.
pub fn clock() -> anyhow::Result<PathBuf> {
    let machine = std::env::consts::ARCH;
    let places = [
        format!("/usr/lib/{machine}-linux-gnu/faketime/libfaketimeMT.so.1"),
        "/usr/lib64/faketime/libfaketimeMT.so.1".to_owned(),
        "/usr/lib/faketime/libfaketimeMT.so.1".to_owned(),
    ];
    match places.iter().map(PathBuf::from).find(|place| place.exists()) {
        Some(library) => Ok(library),
        None => bail!(
            "there is no libfaketime, which sets the clock of one process; install it (Debian: faketime)"
        ),
    }
}

/// Makes sure that we are root. The owner of our own `/proc` entry is who we are.
///
/// # Errors
/// When we are not.
pub fn root(what: &str) -> anyhow::Result<()> {
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    ensure!(root, "{what} needs root, and this is another user");
    Ok(())
}

fn program(name: &str, package: &str) -> anyhow::Result<()> {
    let mut ask = Command::new("sh");
    ask.args(["-c", &format!("command -v {name}")]).stdout(Stdio::null()).stderr(Stdio::null());
    ensure!(ask.status()?.success(), "there is no `{name}`; install it (Debian: {package})");
    Ok(())
}
