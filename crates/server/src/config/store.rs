//! `[store]`: where events are kept, and for how long.

use std::path::PathBuf;
use std::time::Duration;

use hookhouse_store_sqlite::Encryption;
use serde::Deserialize;

use super::cluster::{Keys, OneOrMore, RawCredentials, RawDurability, RawTls};
use super::encryption::{self, RawEncrypt};
use super::field::Field;
use super::loader::Loader;
use super::model::StoreConfig;
use super::section::Section;
use super::units::{Limit, Period, Size};

/// Beside the file, as `hookhouse dev` keeps its data in `./.hookhouse`.
const PATH: &str = ".hookhouse";
const RESERVE: u64 = 32_000_000;
const AGE: Duration = Duration::from_hours(30 * 24);
const SIZE: u64 = 20_000_000_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawStore {
    path: Field<String>,
    url: Field<OneOrMore>,
    replicas: Field<u64>,
    prefix: Field<String>,
    credentials: Field<RawCredentials>,
    tls: Field<RawTls>,
    monitor: Field<OneOrMore>,
    durability: Field<RawDurability>,
    reserve: Field<Size>,
    retention: Field<RawRetention>,
    encrypt: Field<RawEncrypt>,
    seal: Field<RawEncrypt>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: { age, size }")]
struct RawRetention {
    age: Field<Limit<Period>>,
    size: Field<Limit<Size>>,
}

/// Reads the section, or its defaults where there is none. `keys`: with what decrypts the store, which whoever only
/// looks for it does without.
pub(super) fn read(section: Option<&Section<'_>>, keys: bool, loader: &Loader<'_>) -> StoreConfig {
    let raw: RawStore = section.map(Section::read).unwrap_or_default();
    if let Some(section) = section {
        section.finish("the store", |_| None);
    }
    let cluster = Keys {
        url: &raw.url,
        replicas: &raw.replicas,
        prefix: &raw.prefix,
        credentials: &raw.credentials,
        tls: &raw.tls,
        monitor: &raw.monitor,
        durability: &raw.durability,
        seal: &raw.seal,
    };
    let cluster = cluster.read(keys, loader);
    if let (Some(_), Some(encrypt)) = (&cluster, raw.encrypt.given()) {
        loader.not_built_at(
            &encrypt.key,
            "`store.encrypt` on a cluster",
            "leave it out; NATS encrypts what its servers keep: `cipher` and `key` in their `jetstream` part",
        );
    }
    let retention = raw.retention.value();
    if let Some(age) = retention.and_then(|raw| raw.age.given())
        && age.value == Limit::Of(Period(Duration::ZERO))
    {
        loader.report.value(
            &age.span,
            "`age` is zero: every event would be removed at once; `\"off\"` keeps them for ever",
        );
    }
    let store = StoreConfig {
        encryption: if keys {
            encryption::read("store.encrypt", &raw.encrypt, loader)
        } else {
            Encryption::default()
        },
        seal: if keys { encryption::read("store.seal", &raw.seal, loader) } else { Encryption::default() },
        path: path(&raw.path, loader),
        cluster,
        reserve: raw.reserve.value().map_or(RESERVE, |size| size.0),
        retention_age: match retention.and_then(|raw| raw.age.value()) {
            Some(limit) => limit.value().map(|period| period.0),
            None => Some(AGE),
        },
        retention_size: match retention.and_then(|raw| raw.size.value()) {
            Some(limit) => limit.value().map(|size| size.0),
            None => Some(SIZE),
        },
    };
    loader.keep_store(section, &store);
    store
}

fn path(field: &Field<String>, loader: &Loader<'_>) -> PathBuf {
    let Some(given) = field.given() else { return loader.path(PATH) };
    if given.value.is_empty() || given.value.contains('\0') {
        loader.report.value(&given.span, "`path` is the folder of the store; it must not be empty");
    }
    loader.path(&given.value)
}
