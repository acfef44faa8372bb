//! `[admin]`: the listener for operators.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::Deserialize;

use super::diagnostic::{Code, Diagnostic};
use super::field::{Field, List};
use super::loader::Loader;
use super::model::AdminConfig;
use super::network::is_loopback;
use super::section::Section;

const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4040);

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawAdmin {
    listen: Field<String>,
    allowed_hosts: Field<List<String>>,
}

/// Reads the section, or its defaults where there is none. `ingress` is taken already.
pub(super) fn read(
    section: Option<&Section<'_>>,
    ingress: &[SocketAddr],
    loader: &Loader<'_>,
) -> AdminConfig {
    let raw: RawAdmin = section.map(Section::read).unwrap_or_default();
    if let Some(section) = section {
        section.finish("the admin listener", |_| None);
    }
    let mut listen = LISTEN;
    if let Some(given) = raw.listen.given()
        && let Some(address) = loader.listen_address("admin.listen", given)
    {
        listen = address;
        if !is_loopback(address.ip()) {
            loader.report.push(
                Diagnostic::error(
                    Code::AdminPublic,
                    &given.span,
                    format!("the admin listener refuses to be public without authentication: `{}`", given.value),
                )
                .note("whoever reaches it can read every event and replay it")
                .help("listen on `127.0.0.1:4040` and reach it through an SSH tunnel or an authenticating proxy"),
            );
        }
        if ingress.contains(&address) && address.port() != 0 {
            let message =
                format!("`{address}` is the ingress's own address: the two need separate listeners");
            loader.report.value(&given.span, message);
        }
    }
    AdminConfig { listen, allowed_hosts: loader.host_names(&raw.allowed_hosts) }
}
