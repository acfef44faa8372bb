//! What a running server leaves in its store's folder, so that the command line on the same machine finds it.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Where a server listens. What the file says may be old: whoever reads it tries, and is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// For operators.
    pub admin: SocketAddr,
    /// For senders.
    pub ingress: Vec<SocketAddr>,
    /// Which of these speak TLS.
    #[serde(default)]
    pub secure: Vec<SocketAddr>,
    /// What providers were told, where it is not the listener itself.
    #[serde(default)]
    pub public_url: Option<String>,
}

impl Runtime {
    const FILE: &str = "runtime.json";

    /// What the last server of a store's folder left, if one did.
    #[must_use]
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(folder.join(Self::FILE)).ok()?).ok()
    }

    /// A listener of plain HTTP, if there is one.
    #[must_use]
    pub fn plain(&self) -> Option<SocketAddr> {
        self.ingress.iter().find(|address| !self.secure.contains(address)).copied()
    }

    /// Leaves it there.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(&self, folder: &Path) -> io::Result<()> {
        write_private(&folder.join(Self::FILE), &serde_json::to_string(self)?)
    }
}

/// Replaces a file that only its owner may read, in one step.
///
/// # Errors
/// When it cannot be written.
pub fn write_private(file: &Path, text: &str) -> io::Result<()> {
    let draft = file.with_extension("new");
    let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.sync_all()?;
    std::fs::rename(draft, file)
}
