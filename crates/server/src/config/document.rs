//! The whole file: which sections there are, in which order they are read, and what holds between them.

use hookhouse_core::DestinationName;
use hookhouse_delivery::guard::Guard;
use hookhouse_delivery::{Destination, Kind};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Code, Diagnostic, Span};
use super::effective::Origins;
use super::listen::Listen;
use super::listener::Listener;
use super::loader::Loader;
use super::model::{Config, ListenerConfig, ServerConfig, StoreConfig};
use super::prints::Prints;
use super::reader::{entries, kind};
use super::section::Section;
use super::source::{Outcome, Surroundings};
use super::suggestion::did_you_mean;
use super::{admin, destination, listener, reuse, server, source, store};
use crate::tls::Tls;

const SECTIONS: &[&str] = &["server", "admin", "store", "source", "destination", "listener"];

/// Reads every section. Where the answer is `None`, the reasons are in the report; where it is not, there may be some
/// all the same.
pub(super) fn read<'a>(root: &'a Spanned<DeTable<'a>>, loader: &Loader<'a>) -> Option<(Config, Prints)> {
    let root = root.get_ref();
    let report = loader.report;
    for (key, _) in entries(root) {
        let name = key.get_ref().as_ref();
        if !SECTIONS.contains(&name) {
            report.push(
                Diagnostic::error(Code::UnknownKey, &key.span(), format!("unknown section `{name}`"))
                    .label("not a section")
                    .help(did_you_mean(name, SECTIONS, "the sections are")),
            );
        }
    }
    let section = |name: &str| Section::new(name.to_owned(), root.get(name)?, report);

    let server::Read { config: server, public_url, tls } = server::read(section("server").as_ref(), loader);
    let mut listeners: Vec<Listener> = Vec::new();
    for (name, key, value) in named(root, "listener", loader) {
        let Some(section) = Section::new(format!("listener.{name}"), value, report) else { continue };
        listeners.extend(listener::read(name, &key, &section, &server, &listeners, loader));
    }
    listener::check(&server, tls.as_ref(), &listeners, loader);
    let listeners: Vec<_> = listeners.into_iter().map(|listener| listener.config).collect();
    let ingress: Vec<_> =
        server.listen.iter().chain(listeners.iter().map(|listener| &listener.address)).cloned().collect();
    let admin = admin::read(section("admin").as_ref(), &ingress, loader);
    let store = store::read(section("store").as_ref(), true, loader);
    sealed(&server, &listeners, &store, section("store").as_ref(), loader);
    // As configured; `serve` makes a guard of the addresses that were really bound.
    let guard = Guard::new(ingress.iter().chain([&admin.listen]).filter_map(Listen::tcp).collect());

    let mut prints = Prints::default();
    let found = named(root, "destination", loader);
    let names: Vec<&str> = found.iter().map(|(name, _, _)| *name).collect();
    let destinations: Vec<_> = found
        .iter()
        .filter_map(|(name, key, value)| {
            let section = Section::new(format!("destination.{name}"), value, report);
            let parsed: Option<DestinationName> = parse_name(name, key, loader);
            loader.read.take();
            let destination = destination::read(name, parsed.clone(), &section?, &guard, loader);
            prints.destinations.insert((*name).to_owned(), loader.print(value.get_ref(), ""));
            Some((destination, parsed, key.clone()))
        })
        .collect();

    let is_org = |destination: &Destination| matches!(destination.kind, Kind::Salesforce(_));
    let orgs: Vec<&DestinationName> = destinations
        .iter()
        .filter(|(destination, _, _)| destination.as_ref().is_some_and(is_org))
        .filter_map(|(_, name, _)| name.as_ref())
        .collect();
    let around = Surroundings { public_url: &public_url, destinations: &names, orgs: &orgs };
    let lent = public_url.value().map(ToString::to_string).unwrap_or_default();
    let found = named(root, "source", loader);
    if found.is_empty() && !root.get("source").is_some_and(|value| report.is_broken(&value.span())) {
        report.push_missing(
            Diagnostic::without_place(
                Code::MissingKey,
                "there is no `[source.NAME]`, so there is nothing to serve",
            )
            .help("`hookhouse init` writes a file to begin with"),
        );
    }
    let outcomes: Vec<_> = found
        .iter()
        .filter_map(|(name, key, value)| {
            let section = Section::new(format!("source.{name}"), value, report);
            let parsed = parse_name(name, key, loader);
            loader.read.take();
            let outcome = source::read(name, parsed, &section?, &around, loader);
            prints.sources.insert((*name).to_owned(), loader.print(value.get_ref(), &lent));
            Some(outcome)
        })
        .collect();

    overlaps(&outcomes, loader);
    unused(&destinations, &outcomes, loader);
    let routes: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| Some((outcome.provider?, &outcome.named)))
        .flat_map(|(provider, deliver)| deliver.iter().map(move |name| (provider, name.clone())))
        .collect();
    reuse::check(&loader.uses.borrow(), &routes, report);

    let config = Config {
        server,
        listeners,
        admin,
        store,
        sources: outcomes.into_iter().map(|outcome| outcome.source).collect::<Option<_>>()?,
        destinations: destinations
            .into_iter()
            .map(|(destination, _, _)| destination)
            .collect::<Option<_>>()?,
        origins: Origins::default(),
    };
    Some((config, prints))
}

/// On a cluster, certificates that are ordered are shared by the gateways, and so are their keys.
fn sealed(
    server: &ServerConfig,
    listeners: &[ListenerConfig],
    store: &StoreConfig,
    section: Option<&Section<'_>>,
    loader: &Loader<'_>,
) {
    let all = server.tls.iter().chain(listeners.iter().filter_map(|listener| listener.tls.as_ref()));
    let orders = all.into_iter().any(|tls| matches!(tls, Tls::Acme(_)));
    let Some(section) = section.filter(|_| orders && store.cluster.is_some()) else { return };
    if !store.seal.can_seal() && section.place("seal") == section.place("no such key") {
        loader.report.missing_key(
            &section.place("url"),
            "seal",
            "gateways of a cluster share the certificates that are ordered, and their keys are sealed with a key that \
             is not in the cluster",
            "`seal = { key = { file = \"/etc/hookhouse/seal.key\" } }`, the same in every gateway; `hookhouse db key \
             FILE` makes one. Or give certificates as files",
        );
    }
}

/// Reads `[store]` alone, with or without its keys.
pub(super) fn read_store<'a>(root: &'a Spanned<DeTable<'a>>, keys: bool, loader: &Loader<'a>) -> StoreConfig {
    let section =
        root.get_ref().get("store").and_then(|value| Section::new("store".to_owned(), value, loader.report));
    store::read(section.as_ref(), keys, loader)
}

type Named<'a> = (&'a str, Span, &'a Spanned<DeValue<'a>>);

/// The sections `[what.NAME]`, in file order.
fn named<'a>(root: &'a DeTable<'a>, what: &str, loader: &Loader<'a>) -> Vec<Named<'a>> {
    let Some(value) = root.get(what) else { return Vec::new() };
    match value.get_ref() {
        DeValue::Table(table) => entries(table)
            .into_iter()
            .map(|(key, value)| (key.get_ref().as_ref(), key.span(), value))
            .collect(),
        other => {
            if !loader.report.is_broken(&value.span()) {
                let message = format!("`{what}` is a group of sections, not {}", kind(other));
                loader.report.push(
                    Diagnostic::error(Code::Type, &value.span(), message)
                        .help(format!("begin each with `[{what}.NAME]`")),
                );
            }
            Vec::new()
        }
    }
}

fn parse_name<T: std::str::FromStr<Err = hookhouse_core::names::NameError>>(
    text: &str,
    span: &Span,
    loader: &Loader<'_>,
) -> Option<T> {
    text.parse().map_err(|error| loader.report.value(span, format!("`{text}`: {error}"))).ok()
}

fn overlaps(outcomes: &[Outcome], loader: &Loader<'_>) {
    let mut seen: Vec<(&str, &Span, &Outcome)> = Vec::new();
    for outcome in outcomes {
        let Some((path, span)) = &outcome.path else { continue };
        match seen.iter().find(|(other, _, _)| other == path) {
            Some((_, first, other)) => loader.report.push(
                Diagnostic::error(
                    Code::PathOverlap,
                    span,
                    format!("sources `{}` and `{}` have the same path `{path}`", other.name, outcome.name),
                )
                .label("taken already")
                .related(first, format!("by source `{}`", other.name))
                .help("give each source a path of its own: a request is for exactly one"),
            ),
            None => seen.push((path, span, outcome)),
        }
    }
}

fn unused<T>(destinations: &[(T, Option<DestinationName>, Span)], outcomes: &[Outcome], loader: &Loader<'_>) {
    for (_, name, key) in destinations {
        let Some(name) = name else { continue };
        if !outcomes.iter().any(|outcome| outcome.named.contains(name)) {
            loader.report.push_missing(
                Diagnostic::warning(
                    Code::UnusedDestination,
                    key,
                    format!("no source delivers to destination `{name}`: only replays go there"),
                )
                .help(format!("`deliver = [\"{name}\"]` in a source")),
            );
        }
    }
}
