//! Where to listen, and under which names to answer.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::diagnostic::{Code, Diagnostic};
use super::field::{Field, Given, List};
use super::listen::Listen;
use super::loader::Loader;

impl Loader<'_> {
    /// Where to listen.
    pub(super) fn listen(&self, given: &Given<String>) -> Option<Listen> {
        let text = given.value.as_str();
        if let Some(path) = text.strip_prefix("unix:") {
            let path = self.path(path);
            // sun_path of unix(7), with its final zero.
            let fits = !given.value.contains('\0') && path.as_os_str().len() < 108;
            if !fits || path.file_name().is_none() {
                self.refuse(
                    given,
                    format!("`{text}` is not the path of a socket"),
                    "`unix:/run/hookhouse/in.sock`",
                );
                return None;
            }
            return Some(Listen::Unix(path));
        }
        if let Some(name) = text.strip_prefix("fd:") {
            // What systemd lets a descriptor be called (systemd.socket(5), FileDescriptorName=).
            let fits = !name.is_empty()
                && name.len() < 256
                && name.bytes().all(|b| b.is_ascii_graphic() && b != b':');
            if !fits {
                let help = "name it as `FileDescriptorName=` of the systemd socket does: `fd:hooks`";
                self.refuse(given, format!("`{text}` names no descriptor"), help);
                return None;
            }
            return Some(Listen::Inherited(name.to_owned()));
        }
        self.listen_address(given).map(Listen::Tcp)
    }

    /// `host:port`, where the host is an address or `localhost`: names would have to be looked up.
    fn listen_address(&self, given: &Given<String>) -> Option<SocketAddr> {
        let text = given.value.as_str();
        if let Ok(address) = text.parse() {
            return Some(address);
        }
        let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
        let Ok(port) = port.parse::<u16>() else {
            self.refuse(
                given,
                format!("`{text}` is not `host:port`, `unix:/path` or `fd:NAME`"),
                "write it like `127.0.0.1:8080`",
            );
            return None;
        };
        if host == "localhost" {
            return Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
        }
        if host.is_empty() || host == "*" {
            self.refuse(
                given,
                format!("`{text}` has no address"),
                &format!("`0.0.0.0:{port}` is every IPv4 address, `[::]:{port}` every IPv6 address"),
            );
        } else if host.parse::<IpAddr>().is_ok() {
            self.refuse(
                given,
                format!("`{text}`: an IPv6 address needs brackets"),
                &format!("`[{host}]:{port}`"),
            );
        } else {
            self.refuse(
                given,
                format!("`{host}` is not an IP address"),
                "listen on an address of this machine, not on a name",
            );
        }
        None
    }

    /// `Host` values in lower case; a missing list is empty.
    pub(super) fn host_names(&self, list: &Field<List<String>>) -> Vec<String> {
        list.elements().filter_map(|given| self.host_name(given)).collect()
    }

    fn host_name(&self, given: &Given<String>) -> Option<String> {
        let text = given.value.to_ascii_lowercase();
        if text.starts_with('[') {
            if text
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
                .is_some_and(|v6| v6.parse::<IpAddr>().is_ok())
            {
                return Some(text);
            }
        } else if !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        {
            return Some(text);
        }
        let help = if text.contains("://") || text.contains('/') {
            "a host alone: without scheme and path"
        } else if text.contains('*') {
            "name each host: there are no wildcards"
        } else if text.contains(':') {
            "a host alone: without the port"
        } else {
            "write it like `hooks.example.com`; a name that is not ASCII in its xn-- form"
        };
        self.refuse(given, format!("`{}` is not a host", given.value), help);
        None
    }

    fn refuse(&self, given: &Given<String>, message: String, help: &str) {
        self.report.push(Diagnostic::error(Code::Value, &given.span, message).help(help));
    }
}
