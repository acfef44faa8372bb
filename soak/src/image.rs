//! A file system of its own, in a file: one whose power can be cut.
//!
//! The cut is `FS_IOC_SHUTDOWN` without a flush of the log (`xfs_io -x -c shutdown`, which other file systems than XFS
//! take as well): from that moment nothing reaches the file system, and what was not synced is gone after the next mount, as
//! if the machine had lost its power. It drops pages; it does not tear them (`corruption` does that).

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::needs;

/// Which file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// ext4, with its journal.
    Ext4,
    /// XFS.
    Xfs,
}

impl Kind {
    /// The smallest image that holds one, with room for a store; mkfs.xfs makes none under 300 MB.
    const fn megabytes(self) -> u64 {
        match self {
            Self::Ext4 => 256,
            Self::Xfs => 320,
        }
    }

    const fn make(self) -> [&'static str; 3] {
        match self {
            Self::Ext4 => ["mkfs.ext4", "-q", "-F"],
            Self::Xfs => ["mkfs.xfs", "-q", "-f"],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "XFS",
        })
    }
}

/// An image, and where it is mounted. It is taken apart with this value.
#[derive(Debug)]
pub struct Image {
    folder: TempDir,
    mounted: bool,
}

impl Image {
    /// Makes a file system and mounts it.
    ///
    /// # Errors
    /// When the machine cannot, with the reason.
    pub fn new(kind: Kind) -> anyhow::Result<Self> {
        needs::file_systems()?;
        let mut image = Self { folder: tempfile::tempdir()?, mounted: false };
        File::create(image.file())?.set_len(kind.megabytes() << 20)?;
        let [program, quiet, force] = kind.make();
        run(Command::new(program).args([quiet, force]).arg(image.file()))?;
        std::fs::create_dir(image.place())?;
        image.mount()?;
        Ok(image)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    /// Where it is mounted.
    #[must_use]
    pub fn place(&self) -> PathBuf {
        self.folder.path().join("mount")
    }

    /// Cuts its power.
    ///
    /// # Errors
    /// When the file system does not know how.
    pub fn cut(&self) -> anyhow::Result<()> {
        run(Command::new("xfs_io").args(["-x", "-c", "shutdown"]).arg(self.place()))
    }

    /// Stalls every write to it until [`Image::thaw`].
    ///
    /// # Errors
    /// When the file system does not know how.
    pub fn freeze(&self) -> anyhow::Result<()> {
        run(Command::new("fsfreeze").arg("--freeze").arg(self.place()))
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// When it was not stalled.
    pub fn thaw(&self) -> anyhow::Result<()> {
        run(Command::new("fsfreeze").arg("--unfreeze").arg(self.place()))
    }

    /// Unmounts it and mounts it again: what a machine does that has its power back.
    ///
    /// # Errors
    /// When somebody still uses it, or it does not recover.
    pub fn remount(&mut self) -> anyhow::Result<()> {
        self.unmount()?;
        self.mount()
    }

    fn mount(&mut self) -> anyhow::Result<()> {
        run(Command::new("mount").args(["-o", "loop"]).arg(self.file()).arg(self.place()))?;
        self.mounted = true;
        Ok(())
    }

    fn unmount(&mut self) -> anyhow::Result<()> {
        // The last descriptor of a killed process goes a moment after it.
        let mut outcome = Ok(());
        for _ in 0..100 {
            outcome = run(Command::new("umount").arg(self.place()));
            if outcome.is_ok() {
                self.mounted = false;
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        outcome
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if self.mounted && self.unmount().is_err() {
            // Somebody still uses it. It goes with him.
            drop(Command::new("umount").arg("--lazy").arg(self.place()).status());
        }
    }
}

/// A file system in memory, of a size.
#[derive(Debug)]
pub struct Memory {
    folder: TempDir,
}

impl Memory {
    /// Mounts one.
    ///
    /// # Errors
    /// When the machine does not let us.
    pub fn new(megabytes: u32) -> anyhow::Result<Self> {
        needs::root("mounting a file system of a size")?;
        let memory = Self { folder: tempfile::tempdir()? };
        let size = format!("size={megabytes}m");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(memory.place()))?;
        Ok(memory)
    }

    /// Where it is mounted.
    #[must_use]
    pub fn place(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.place()).status());
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}: {}", output.status, said.trim());
    Ok(())
}
