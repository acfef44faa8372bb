//! How a cluster is reached, and how the store lies in it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use hookhouse_core::Secret;

/// How a cluster is reached, and how the store lies in it.
#[derive(Debug, Clone)]
pub struct Options {
    /// Servers of the cluster: `nats://host:port` or `tls://host:port`. The others are learnt from these.
    pub servers: Vec<String>,
    /// What the names of streams and subjects begin with: letters, digits, `-` and `_`.
    pub prefix: String,
    /// How many servers keep each message.
    pub replicas: usize,
    /// Who we are to the cluster.
    pub credentials: Credentials,
    /// How the connection is encrypted.
    pub tls: TlsOptions,
    /// How long events are kept; `None` for ever.
    pub retention_age: Option<Duration>,
    /// How many bytes the log may take; `None` for no bound but the cluster's own.
    pub retention_size: Option<u64>,
    /// The largest event that must fit into a message: the servers' `max_payload` is checked against it.
    pub largest_event: u64,
    /// How long a gateway may be silent before others take over what it works on.
    pub takeover: Duration,
    /// How long the cluster may take to answer before what was asked has failed.
    pub patience: Duration,
}

impl Options {
    /// The usual settings for a cluster.
    #[must_use]
    pub fn new(servers: Vec<String>) -> Self {
        Self {
            servers,
            prefix: "hookhouse".to_owned(),
            replicas: 3,
            credentials: Credentials::None,
            tls: TlsOptions::default(),
            retention_age: None,
            retention_size: None,
            largest_event: 0,
            takeover: Duration::from_secs(5),
            patience: Duration::from_secs(4),
        }
    }
}

/// What proves to the cluster who we are.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// Nothing, or what the URL says.
    #[default]
    None,
    /// A token.
    Token(Secret),
    /// A user and a password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// The seed of an NKey.
    NKey(Secret),
    /// The contents of a credentials file: a JWT and the seed that signs for it.
    File(Secret),
}

/// How the connection to the cluster is encrypted.
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    /// Refuse a server that does not encrypt.
    pub required: bool,
    /// Certificates of authorities to trust besides the system's.
    pub ca: Option<PathBuf>,
    /// A certificate and its key, where the servers want one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A server's address cannot be read.
    #[error("`{0}` is not the address of a NATS server")]
    Address(String),
    /// The credentials cannot be used.
    #[error("the credentials cannot be used: {0}")]
    Credentials(String),
    /// No server could be reached, or none let us in.
    #[error("no server of the cluster lets us in: {0}")]
    Connect(String),
    /// The server is too old.
    #[error("nats-server {found} is too old: {} or newer is needed", OldestServer)]
    Version {
        /// What it says it is.
        found: String,
    },
    /// The servers do not take messages as large as the events that are to be taken.
    #[error(
        "the servers take messages of {max_payload} bytes, and events of up to {needed} are to be taken: \
         set `max_payload: {needed}` or more in every server's configuration, or a smaller `max_body` here"
    )]
    Payload {
        /// What the servers take.
        max_payload: u64,
        /// What is needed.
        needed: u64,
    },
    /// A stream could not be made or read.
    #[error("the cluster refuses the stream {stream}: {reason}")]
    Stream {
        /// Which.
        stream: String,
        /// What it says.
        reason: String,
    },
    /// Something could not be read at the start.
    #[error("the cluster did not answer: {0}")]
    Silent(String),
}

/// The oldest server that knows atomic batches of messages, which recognising repeats rests on.
#[derive(Debug, Clone, Copy)]
pub struct OldestServer;

impl OldestServer {
    /// Major, minor and patch.
    pub const VERSION: (u64, u64, u64) = (2, 12, 2);

    /// Whether a server's version is this one or newer. What cannot be read is not.
    #[must_use]
    pub fn is_met_by(version: &str) -> bool {
        let plain = version.split(['-', '+']).next().unwrap_or_default();
        let mut parts = plain.split('.').map(|part| part.parse::<u64>().ok());
        match (parts.next().flatten(), parts.next().flatten(), parts.next().flatten()) {
            (Some(major), Some(minor), Some(patch)) => (major, minor, patch) >= Self::VERSION,
            _ => false,
        }
    }
}

impl fmt::Display for OldestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor, patch) = Self::VERSION;
        write!(f, "{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        for good in ["2.12.2", "2.15.1", "2.100.0", "3.0.0", "2.15.0-RC.2"] {
            assert!(OldestServer::is_met_by(good), "{good}");
        }
        for bad in ["2.12.1", "2.9.10", "2.12", "", "two", "1.99.99"] {
            assert!(!OldestServer::is_met_by(bad), "{bad}");
        }
    }
}
