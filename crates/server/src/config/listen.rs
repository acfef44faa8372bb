//! Where to listen: an address, a Unix socket, or a socket that somebody else opened.

use std::fmt;
use std::net::{AddrParseError, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Listen {
    /// `host:port`.
    Tcp(SocketAddr),
    /// `unix:/path`.
    Unix(PathBuf),
    /// `fd:NAME`: the sockets of that name that the service manager passed (`FileDescriptorName=` of a systemd socket).
    Inherited(String),
}

impl Listen {
    /// The address, where it is one.
    #[must_use]
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) | Self::Inherited(_) => None,
        }
    }

    /// Whether two of these cannot both be listened on: port 0 is another port each time.
    #[must_use]
    pub fn clashes_with(&self, other: &Self) -> bool {
        self == other && self.tcp().is_none_or(|address| address.port() != 0)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Inherited(name) => write!(f, "fd:{name}"),
        }
    }
}

/// What [`Display`](fmt::Display) says of it.
impl FromStr for Listen {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        match text.strip_prefix("fd:") {
            Some(name) => Ok(Self::Inherited(name.to_owned())),
            None => text.parse().map(Self::Tcp),
        }
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl Serialize for Listen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_are_written() {
        for text in ["127.0.0.1:8080", "[::1]:0", "unix:/run/hookhouse/in.sock", "fd:hooks"] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
        assert!("localhost".parse::<Listen>().is_err());
    }

    #[test]
    fn only_port_zero_can_be_listened_on_twice() {
        let place = |text: &str| text.parse::<Listen>().unwrap();
        for (text, clashes) in
            [("127.0.0.1:80", true), ("127.0.0.1:0", false), ("unix:/a", true), ("fd:a", true)]
        {
            assert_eq!(place(text).clashes_with(&place(text)), clashes, "{text}");
        }
        assert!(!place("127.0.0.1:80").clashes_with(&place("127.0.0.1:81")));
    }
}
