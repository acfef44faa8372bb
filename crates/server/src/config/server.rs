//! `[server]`: the ingress.

use std::net::SocketAddr;

use hookhouse_verify::SchemeError;
use hookhouse_verify::twilio::PublicUrl;
use serde::Deserialize;

use super::diagnostic::{Code, Diagnostic, Span};
use super::field::{Field, Given, List};
use super::listen::Listen;
use super::loader::Loader;
use super::model::{Limits, ServerConfig};
use super::numbers::Count;
use super::section::Section;
use super::tls::RawTls;

const LISTEN: Listen =
    Listen::Tcp(SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080));

/// More connections than a process has descriptors for.
const MOST_CONNECTIONS: u64 = 1_000_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawServer {
    listen: Field<List<String>>,
    public_url: Field<String>,
    hosts: Field<List<String>>,
    trusted_proxies: Field<List<String>>,
    proxy_protocol: Field<bool>,
    tls: Field<RawTls>,
    limits: Field<RawLimits>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: { connections, per_address }")]
struct RawLimits {
    connections: Field<Count>,
    per_address: Field<Count>,
}

/// The section, and what else the others ask of it.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) config: ServerConfig,
    /// Again, as a field: who needs it must know whether it is missing or wrong.
    pub(super) public_url: Field<PublicUrl>,
    /// Where it says how it speaks TLS.
    pub(super) tls: Option<Span>,
}

/// Reads the section, or its defaults where there is none.
pub(super) fn read(section: Option<&Section<'_>>, loader: &Loader<'_>) -> Read {
    let raw: RawServer = section.map(Section::read).unwrap_or_default();
    if let Some(section) = section {
        section.finish("the server", |_| None);
    }
    let trusted_proxies: Vec<_> =
        raw.trusted_proxies.elements().filter_map(|network| loader.network(network)).collect();
    let proxy_protocol = loader.proxy_protocol(&raw.proxy_protocol, &trusted_proxies);
    if let Some(given) = raw.hosts.given()
        && given.value.is_empty()
    {
        loader.report.push(
            Diagnostic::error(Code::Value, &given.span, "`hosts` is empty: every request would be refused")
                .help("leave it out to serve every host"),
        );
    }
    let public_url = raw.public_url.and_then(|given| public_url(given, loader));
    let mut config = ServerConfig {
        listen: listen(&raw.listen, loader),
        public_url: public_url.value().cloned(),
        hosts: loader.host_names(&raw.hosts),
        trusted_proxies,
        proxy_protocol,
        tls: None,
        limits: raw.limits.value().map_or_else(Limits::default, |raw| limits(raw, loader)),
    };
    config.tls = raw.tls.given().and_then(|given| loader.tls(given, &config.names()));
    Read { config, public_url, tls: raw.tls.given().map(|given| given.span.clone()) }
}

/// What providers were told, as they sign it.
pub(super) fn public_url(given: &Given<String>, loader: &Loader<'_>) -> Option<PublicUrl> {
    PublicUrl::parse(&given.value)
        .map_err(|error| {
            let reason = match error {
                SchemeError::PublicUrl { reason } => reason.to_owned(),
                other => other.to_string(),
            };
            loader.report.push(
                Diagnostic::error(Code::Value, &given.span, format!("`public_url`: {reason}"))
                    .help("write it as the provider was told: `https://hooks.example.com`, with a port or a path prefix if it has one"),
            );
        })
        .ok()
}

fn listen(field: &Field<List<String>>, loader: &Loader<'_>) -> Vec<Listen> {
    let Some(list) = field.given() else { return vec![LISTEN] };
    if list.value.is_empty() {
        loader.report.value(&list.span, "`listen` is empty: there is nowhere to listen");
    }
    let mut seen: Vec<(Listen, &Given<String>)> = Vec::new();
    for given in list.value.iter() {
        let Some(address) = loader.listen(given) else { continue };
        match seen.iter().find(|(other, _)| other.clashes_with(&address)) {
            Some((_, first)) => loader.report.push(
                Diagnostic::error(Code::Value, &given.span, format!("`{}` is listed twice", given.value))
                    .related(&first.span, "first here"),
            ),
            None => seen.push((address, given)),
        }
    }
    seen.into_iter().map(|(address, _)| address).collect()
}

fn limits(raw: &RawLimits, loader: &Loader<'_>) -> Limits {
    let default = Limits::default();
    let read = |field, key, default: usize| {
        let default = u64::try_from(default).unwrap_or(MOST_CONNECTIONS);
        usize::try_from(loader.count(field, key, 1..=MOST_CONNECTIONS, default)).unwrap_or(usize::MAX)
    };
    Limits {
        connections: read(&raw.connections, "connections", default.connections),
        per_address: read(&raw.per_address, "per_address", default.per_address),
    }
}
