//! `[store] url`: a NATS JetStream cluster instead of a file on this machine.

use std::fmt;
use std::path::PathBuf;

use hookhouse_core::Secret;
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use super::diagnostic::{Code, Diagnostic, Span};
use super::encryption::RawEncrypt;
use super::field::{Field, Given};
use super::loader::Loader;
use super::model::{ClusterConfig, ClusterCredentials, ClusterTls, Durability};
use super::secret::{RawSecret, Reference};

/// What the names of streams and subjects begin with, unless the file says otherwise.
const PREFIX: &str = "hookhouse";
/// A message survives the loss of one server of three.
const REPLICAS: u64 = 3;

#[derive(Debug, Default, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a table: { token } or { user, password } or { nkey } or { creds }"
)]
pub(super) struct RawCredentials {
    token: Field<Reference<RawSecret>>,
    user: Field<String>,
    password: Field<Reference<RawSecret>>,
    nkey: Field<Reference<RawSecret>>,
    creds: Field<Reference<RawSecret>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: { ca, cert, key }")]
pub(super) struct RawTls {
    ca: Field<String>,
    cert: Field<String>,
    key: Field<String>,
}

/// The operator's word on the servers' disks.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawDurability {
    /// They are asked.
    Checked,
    /// They sync, though nobody can ask them.
    Trusted,
    /// They need not.
    Relaxed,
}

/// A text, or a list of them.
#[derive(Debug, Clone)]
pub(super) struct OneOrMore(Vec<String>);

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = OneOrMore;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL or a list of URLs")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<OneOrMore, E> {
                Ok(OneOrMore(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMore, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(OneOrMore(texts))
            }
        }
        deserializer.deserialize_any(Texts)
    }
}

/// The keys of `[store]` that are about a cluster.
#[derive(Debug)]
pub(super) struct Keys<'a> {
    pub(super) url: &'a Field<OneOrMore>,
    pub(super) replicas: &'a Field<u64>,
    pub(super) prefix: &'a Field<String>,
    pub(super) credentials: &'a Field<RawCredentials>,
    pub(super) tls: &'a Field<RawTls>,
    pub(super) monitor: &'a Field<OneOrMore>,
    pub(super) durability: &'a Field<RawDurability>,
    pub(super) seal: &'a Field<RawEncrypt>,
}

impl Keys<'_> {
    /// The cluster, where there is to be one. `keys`: with what lets us in.
    pub(super) fn read(&self, keys: bool, loader: &Loader<'_>) -> Option<ClusterConfig> {
        let Some(url) = self.url.given() else {
            self.refuse_without_url(loader);
            return None;
        };
        if !cfg!(feature = "jetstream") {
            loader.report.push(
                Diagnostic::error(Code::NotBuilt, &url.key, "`store.url` needs the feature `jetstream`")
                    .label("this binary was built without it")
                    .help("take a released binary, or build one with `cargo build --release --features jetstream`"),
            );
            return None;
        }
        let servers = urls("url", url, &["nats", "tls"], "nats://host:4222", loader);
        let monitors = self.monitor.given();
        Some(ClusterConfig {
            servers,
            prefix: prefix(self.prefix, loader),
            replicas: replicas(self.replicas, loader),
            credentials: if keys { credentials(self.credentials, loader) } else { ClusterCredentials::None },
            tls: self.tls.given().map(|given| tls(given, loader)),
            monitors: monitors
                .map(|given| urls("monitor", given, &["http"], "http://host:8222", loader))
                .unwrap_or_default(),
            durability: match self.durability.value() {
                None | Some(RawDurability::Checked) => Durability::Checked,
                Some(RawDurability::Trusted) => Durability::Trusted,
                Some(RawDurability::Relaxed) => Durability::Relaxed,
            },
        })
    }

    /// The other keys mean nothing for a file.
    fn refuse_without_url(&self, loader: &Loader<'_>) {
        let keys: [(&str, Option<&Span>); 7] = [
            ("replicas", self.replicas.given().map(|given| &given.key)),
            ("prefix", self.prefix.given().map(|given| &given.key)),
            ("credentials", self.credentials.given().map(|given| &given.key)),
            ("tls", self.tls.given().map(|given| &given.key)),
            ("monitor", self.monitor.given().map(|given| &given.key)),
            ("durability", self.durability.given().map(|given| &given.key)),
            ("seal", self.seal.given().map(|given| &given.key)),
        ];
        for (key, span) in keys {
            if let Some(span) = span.filter(|_| self.url.is_missing()) {
                let message = format!("`store.{key}` is about a cluster, and there is no `store.url`");
                loader.report.push(
                    Diagnostic::error(Code::Value, span, message)
                        .help("give the cluster's address, `url = \"nats://host:4222\"`, or leave this out"),
                );
            }
        }
    }
}

fn urls(
    key: &str,
    given: &Given<OneOrMore>,
    schemes: &[&str],
    example: &str,
    loader: &Loader<'_>,
) -> Vec<String> {
    let OneOrMore(texts) = &given.value;
    if texts.is_empty() {
        loader.report.value(&given.span, format!("`{key}` names no server: `\"{example}\"`"));
    }
    for text in texts {
        let rest =
            text.split_once("://").filter(|(scheme, _)| schemes.contains(scheme)).map(|(_, rest)| rest);
        let is_good = rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['/', '?', '#', ' ']));
        if text.contains('@') {
            // The text is not repeated: a password may be in it.
            let message = format!("`{key}`: who we are to a server does not stand in its address");
            loader.report.push(
                Diagnostic::error(Code::LiteralSecret, &given.span, message)
                    .help("`credentials = { user = \"…\", password = { env = \"NATS_PASSWORD\" } }`"),
            );
        } else if !is_good {
            loader.report.value(&given.span, format!("`{key}` is the address of a server: `\"{example}\"`"));
        }
    }
    texts.clone()
}

fn prefix(field: &Field<String>, loader: &Loader<'_>) -> String {
    let Some(given) = field.given() else { return PREFIX.to_owned() };
    let text = &given.value;
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if text.is_empty() || text.len() > 32 || !text.chars().all(is_plain) {
        loader.report.value(&given.span, "`prefix` has 1 to 32 characters: a-z, 0-9, `-` and `_`");
    }
    text.clone()
}

fn replicas(field: &Field<u64>, loader: &Loader<'_>) -> usize {
    let Some(given) = field.given() else { return REPLICAS as usize };
    if !matches!(given.value, 1 | 3 | 5) {
        loader.report.value(
            &given.span,
            "`replicas` is 3 or 5, which survive the loss of one server or two, or 1 to try things out",
        );
    }
    usize::try_from(given.value).unwrap_or_default()
}

fn credentials(field: &Field<RawCredentials>, loader: &Loader<'_>) -> ClusterCredentials {
    let Some(given) = field.given() else { return ClusterCredentials::None };
    let RawCredentials { token, user, password, nkey, creds } = &given.value;
    let secret = |key: &str, field: &Field<Reference<RawSecret>>| -> Option<Secret> {
        field.given().and_then(|given| loader.password(key, given))
    };
    let kinds = [
        !token.is_missing(),
        !user.is_missing() || !password.is_missing(),
        !nkey.is_missing(),
        !creds.is_missing(),
    ];
    if kinds.iter().filter(|is_given| **is_given).count() != 1 || user.is_missing() != password.is_missing() {
        loader.report.value(
            &given.span,
            "`credentials` are one of `{ token }`, `{ user, password }`, `{ nkey }` and `{ creds }`",
        );
        return ClusterCredentials::None;
    }
    let found = if let Some(token) = secret("token", token) {
        Some(ClusterCredentials::Token(token))
    } else if let (Some(user), Some(password)) = (user.value(), secret("password", password)) {
        Some(ClusterCredentials::Password { user: user.clone(), password })
    } else if let Some(seed) = secret("nkey", nkey) {
        Some(ClusterCredentials::NKey(seed))
    } else {
        secret("creds", creds).map(ClusterCredentials::File)
    };
    found.unwrap_or(ClusterCredentials::None)
}

fn tls(given: &Given<RawTls>, loader: &Loader<'_>) -> ClusterTls {
    let path = |field: &Field<String>| -> Option<PathBuf> { field.value().map(|text| loader.path(text)) };
    let RawTls { ca, cert, key } = &given.value;
    if cert.is_missing() != key.is_missing() {
        loader.report.value(&given.span, "`tls`: a certificate of our own has `cert` and `key`");
    }
    ClusterTls { ca: path(ca), identity: path(cert).zip(path(key)) }
}
