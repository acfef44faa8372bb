//! `[admin]`: the listener for operators.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::Deserialize;

use super::diagnostic::{Code, Diagnostic, Span};
use super::field::{Field, List};
use super::listen::Listen;
use super::loader::Loader;
use super::model::AdminConfig;
use super::network::is_loopback;
use super::section::Section;

const LISTEN: Listen = Listen::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4040));

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawAdmin {
    listen: Field<String>,
    allowed_hosts: Field<List<String>>,
}

/// Reads the section, or its defaults where there is none. `ingress` is taken already.
pub(super) fn read(section: Option<&Section<'_>>, ingress: &[Listen], loader: &Loader<'_>) -> AdminConfig {
    let raw: RawAdmin = section.map(Section::read).unwrap_or_default();
    if let Some(section) = section {
        section.finish("the admin listener", |_| None);
    }
    let allowed_hosts = loader.host_names(&raw.allowed_hosts);
    let mut listen = LISTEN;
    if let Some(given) = raw.listen.given()
        && let Some(place) = loader.listen(given)
    {
        if matches!(place, Listen::Unix(_)) {
            loader.not_built_at(
                &given.span,
                "`admin.listen` on a Unix socket",
                "listen on `host:port` or `fd:NAME`",
            );
        }
        // Where an inherited socket listens is seen when it is there.
        if place.tcp().is_some_and(|address| !is_loopback(address.ip())) {
            loader.report.push(public(&given.span, &given.value, !allowed_hosts.is_empty()));
        }
        if ingress.iter().any(|other| other.clashes_with(&place)) {
            let message = format!("`{place}` is the ingress's own address: the two need separate listeners");
            loader.report.value(&given.span, message);
        }
        listen = place;
    }
    loader.keep_admin(section, &listen);
    AdminConfig { listen, allowed_hosts, open: false }
}

/// What there is to say of a listener that others than this machine reach. Everything there asks for a token, but a
/// token travels as it is where nothing in front speaks TLS.
fn public(span: &Span, address: &str, is_named: bool) -> Diagnostic {
    if is_named {
        return Diagnostic::warning(
            Code::AdminPublic,
            span,
            format!("the admin listener is public, and speaks no TLS: `{address}`"),
        )
        .note("tokens and cookies can be read on the way")
        .help(
            "let only a proxy that speaks TLS reach it, or listen on `127.0.0.1:4040` behind an SSH tunnel",
        );
    }
    Diagnostic::error(
        Code::AdminPublic,
        span,
        format!("the admin listener refuses to be public by its address alone: `{address}`"),
    )
    .note("whoever reaches it and has a token can read every event and replay it")
    .help(
        "listen on `127.0.0.1:4040` and reach it through an SSH tunnel; or put a proxy that speaks TLS in front, and say \
         in `allowed_hosts` what operators call it",
    )
}
