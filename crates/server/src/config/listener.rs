//! `[listener.NAME]`: a further listener for senders, with settings of its own.

use hookhouse_core::SourceName;
use serde::Deserialize;

use super::diagnostic::{Code, Diagnostic, Span};
use super::field::{Field, Given};
use super::loader::Loader;
use super::model::{ListenerConfig, ServerConfig};
use super::section::Section;
use super::tls::RawTls;
use crate::tls::{Challenge, Tls};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawListener {
    address: Field<String>,
    tls: Field<RawTls>,
    proxy_protocol: Field<bool>,
}

/// A listener, and where the file says how it speaks TLS.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) config: ListenerConfig,
    tls: Span,
}

/// Reads a section. `others` are the listeners before it.
pub(super) fn read(
    name: &str,
    key: &Span,
    section: &Section<'_>,
    server: &ServerConfig,
    others: &[Listener],
    loader: &Loader<'_>,
) -> Option<Listener> {
    let raw: RawListener = section.read();
    section
        .finish("a listener", |name| (name == "listen").then(|| "a listener has one `address`".to_owned()));
    // Names of listeners are made like those of sources.
    if let Err(error) = name.parse::<SourceName>() {
        loader.report.value(key, format!("`{name}`: {error}"));
    }
    if raw.address.is_missing() {
        section.missing("address", "a listener listens somewhere", "`address = \"0.0.0.0:80\"`");
    }
    let tls = raw.tls.given().and_then(|given| loader.tls(given, &server.names()));
    let proxy_protocol = loader.proxy_protocol(&raw.proxy_protocol, &server.trusted_proxies);
    let given = raw.address.given()?;
    let address = loader.listen(given)?;
    let mut taken = server.listen.iter().chain(others.iter().map(|other| &other.config.address));
    if taken.any(|other| other.clashes_with(&address)) {
        twice(given, loader);
    }
    let place = raw.tls.given().map_or_else(|| key.clone(), |given| given.span.clone());
    Some(Listener {
        config: ListenerConfig { name: name.to_owned(), address, tls, proxy_protocol },
        tls: place,
    })
}

fn twice(given: &Given<String>, loader: &Loader<'_>) {
    let message = format!("`{}` has a listener already", given.value);
    loader.report.push(
        Diagnostic::error(Code::Value, &given.span, message)
            .help("an address has one listener: in `[server] listen`, or in a section of its own"),
    );
}

/// What holds between the listeners. `place` is where `[server]` says how it speaks TLS.
pub(super) fn check(
    server: &ServerConfig,
    place: Option<&Span>,
    listeners: &[Listener],
    loader: &Loader<'_>,
) {
    let own = server.tls.as_ref().zip(place);
    let others = listeners.iter().filter_map(|other| Some((other.config.tls.as_ref()?, &other.tls)));
    let mut orders = own.into_iter().chain(others).filter_map(|(tls, place)| match tls {
        Tls::Acme(acme) => Some((acme, place)),
        Tls::Files(_) => None,
    });
    let Some((first, place)) = orders.next() else { return };
    if let Some((_, other)) = orders.find(|(acme, _)| *acme != first) {
        loader.report.push(
            Diagnostic::error(Code::Value, other, "two listeners order certificates in different ways")
                .related(place, "the other one")
                .help("one account and one certificate serve them all: let both say the same"),
        );
    }
    let plain = server.tls.is_none() || listeners.iter().any(|other| other.config.tls.is_none());
    if first.challenge == Challenge::Http01 && !plain {
        loader.report.missing_key(
            place,
            "listener",
            "`http-01` is answered over plain HTTP, and every listener has TLS",
            "`[listener.http]` with `address = \"0.0.0.0:80\"`",
        );
    }
}
