//! `tls = { cert, key }` or `tls = { acme = { … } }`: of `[server]` and of `[listener.NAME]`.
//!
//! Certificates are read while the file is, so that `check` says what is wrong with them before anything listens: what
//! cannot be used is an error, what senders will not like is a warning.

use std::fmt;
use std::os::unix::fs::PermissionsExt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

use super::diagnostic::{Code, Diagnostic};
use super::field::{Field, Given};
use super::loader::Loader;
use crate::tls::acme::roots;
use crate::tls::{Acme, Challenge, KeyFiles, Pair, Tls};

/// Let's Encrypt's own (<https://letsencrypt.org/docs/acme-protocol-updates/>, read 2026-11-22).
const DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// More than one authority puts into a certificate (Let's Encrypt: 100).
const MOST_NAMES: usize = 100;

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: { cert, key } or { acme = { … } }")]
pub(super) struct RawTls {
    cert: Field<Files>,
    key: Field<Files>,
    acme: Field<RawAcme>,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: { contact, directory, ca, challenge }")]
struct RawAcme {
    contact: Field<String>,
    directory: Field<String>,
    ca: Field<String>,
    challenge: Field<RawChallenge>,
}

#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawChallenge {
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
    #[serde(rename = "http-01")]
    Http01,
}

/// One file, or a list of them.
#[derive(Debug, Clone)]
enum Files {
    One(String),
    Several(Vec<Field<String>>),
}

impl Loader<'_> {
    /// How a listener speaks TLS. `names` are those that it is called by. Whatever is wrong is reported.
    pub(super) fn tls(&self, given: &Given<RawTls>, names: &[String]) -> Option<Tls> {
        let raw = &given.value;
        let files = !raw.cert.is_missing() || !raw.key.is_missing();
        if !raw.acme.is_missing() {
            if files {
                let message = "`tls` has files and `acme`: certificates come from one of them";
                self.report.value(&given.span, message);
                return None;
            }
            return self.acme(raw.acme.given()?, names).map(Tls::Acme);
        }
        if !files {
            self.report.missing_key(
                &given.span,
                "cert",
                "TLS needs a certificate",
                "`tls = { cert = \"fullchain.pem\", key = \"privkey.pem\" }`, or `tls = { acme = {} }` to order one",
            );
            return None;
        }
        self.pairs(given, names).map(Tls::Files)
    }

    fn pairs(&self, given: &Given<RawTls>, names: &[String]) -> Option<Vec<KeyFiles>> {
        for (field, key) in [(&given.value.cert, "cert"), (&given.value.key, "key")] {
            if field.is_missing() {
                let why = "a certificate is of no use without its key, and the other way round";
                self.report.missing_key(&given.span, key, why, "give both");
            }
        }
        let (certs, keys) = (given.value.cert.given()?, given.value.key.given()?);
        let (cert_files, key_files) = (certs.value.each(certs), keys.value.each(keys));
        if cert_files.is_empty() || cert_files.len() != key_files.len() {
            self.report.push(
                Diagnostic::error(
                    Code::Value,
                    &keys.span,
                    format!("there are {} certificates and {} keys", cert_files.len(), key_files.len()),
                )
                .related(&certs.span, "the certificates")
                .help("each certificate has its key at the same place of the other list"),
            );
            return None;
        }
        let pairs: Vec<_> = cert_files
            .iter()
            .zip(&key_files)
            .map(|(cert, key)| self.pair(cert.as_ref()?, key.as_ref()?))
            .collect::<Option<_>>()?;
        let missing: Vec<_> =
            names.iter().filter(|name| !pairs.iter().any(|(_, pair)| pair.facts.cover(name))).collect();
        if let Some(name) = missing.first() {
            let known = pairs.iter().flat_map(|(_, pair)| &pair.facts.names).map(|name| format!("`{name}`"));
            let mut known: Vec<_> = known.collect();
            known.dedup();
            self.report.push(
                Diagnostic::warning(
                    Code::CertificateName,
                    &certs.span,
                    format!("no certificate is for `{name}`, which `hosts` or `public_url` speaks of"),
                )
                .label(format!("for {}", if known.is_empty() { "no name".to_owned() } else { known.join(", ") }))
                .help("senders that call that name refuse this certificate, unless a proxy in front has another"),
            );
        }
        Some(pairs.into_iter().map(|(files, _)| files).collect())
    }

    fn pair(&self, cert: &Given<String>, key: &Given<String>) -> Option<(KeyFiles, Pair)> {
        let files = KeyFiles { cert: self.path(&cert.value), key: self.path(&key.value) };
        let pair = Pair::load(&files).map_err(|why| {
            let (place, file) = if why.is_about_key() { (key, &files.key) } else { (cert, &files.cert) };
            let message = format!("`{}`: {why}", file.display());
            self.report.push(Diagnostic::error(Code::Certificate, &place.span, message).help(why.help()));
        });
        let pair = pair.ok()?;
        if let Some(why) = pair.facts.untimely(self.environment.now()) {
            self.report.push(
                Diagnostic::warning(
                    Code::CertificateExpired,
                    &cert.span,
                    format!("`{}`: the certificate is not good now: {why}", files.cert.display()),
                )
                .label("senders refuse it")
                .help("renew it; a new file is used as soon as it is there"),
            );
        }
        if let Some(gap) = &pair.facts.gap {
            self.report.push(
                Diagnostic::warning(
                    Code::CertificateChain,
                    &cert.span,
                    format!("`{}`: {gap}", files.cert.display()),
                )
                .help("give the full chain (certbot: `fullchain.pem`)"),
            );
        }
        let mode = std::fs::metadata(&files.key).map_or(0, |found| found.permissions().mode());
        if mode & 0o044 != 0 {
            let message =
                format!("`key`: file `{}` can be read by others on this machine", files.key.display());
            self.report.push(
                Diagnostic::warning(Code::SecretPermissions, &key.span, message)
                    .help(format!("`chmod 600 {}`", files.key.display())),
            );
        }
        Some((files, pair))
    }

    fn acme(&self, given: &Given<RawAcme>, names: &[String]) -> Option<Acme> {
        let raw = &given.value;
        let mut fine = !raw.contact.is_faulty() && !raw.directory.is_faulty() && !raw.challenge.is_faulty();
        let mut wrong = |place: &Given<String>, message: String, help: &str| {
            self.report.push(Diagnostic::error(Code::Value, &place.span, message).help(help));
            fine = false;
        };
        if let Some(contact) = raw.contact.given()
            && !contact.value.strip_prefix("mailto:").is_some_and(|address| address.contains('@'))
        {
            let message = format!("`{}` is not a contact", contact.value);
            wrong(contact, message, "write it like `mailto:ops@example.com`");
        }
        if let Some(directory) = raw.directory.given() {
            let url = directory.value.parse::<http::Uri>().ok();
            if !url.is_some_and(|url| url.scheme_str() == Some("https") && url.host().is_some()) {
                let message = format!("`{}` is not the URL of a directory", directory.value);
                wrong(directory, message, "it begins with `https://`; leave it out for Let's Encrypt");
            }
        }
        let ca = raw.ca.given().map(|ca| (ca, self.path(&ca.value)));
        if let Some((ca, file)) = &ca
            && let Err(why) = roots(file)
        {
            let message = format!("`{}`: {why}", file.display());
            self.report.push(
                Diagnostic::error(Code::Certificate, &ca.span, message)
                    .help("give the certificates, in PEM, that vouch for the directory's own TLS"),
            );
            fine = false;
        }
        let ordered: Vec<_> = names.iter().filter(|name| can_be_ordered(name)).cloned().collect();
        if ordered.is_empty() || ordered.len() > MOST_NAMES {
            let why = "a certificate is ordered for names";
            let help = "`public_url = \"https://hooks.example.com\"` or `hosts = [\"hooks.example.com\"]` in [server]; \
                        public names, and not more than a hundred";
            self.report.missing_key(&given.key, "public_url", why, help);
            fine = false;
        }
        fine.then(|| Acme {
            contact: raw.contact.value().cloned(),
            directory: raw.directory.value().cloned().unwrap_or_else(|| DIRECTORY.to_owned()),
            ca: ca.map(|(_, file)| file),
            challenge: match raw.challenge.value() {
                Some(RawChallenge::Http01) => Challenge::Http01,
                Some(RawChallenge::TlsAlpn01) | None => Challenge::TlsAlpn01,
            },
            names: ordered,
        })
    }
}

/// Whether a name is one that authorities issue for: of several labels, and no address.
fn can_be_ordered(name: &str) -> bool {
    let is_address = name.starts_with('[') || name.parse::<std::net::IpAddr>().is_ok();
    name.contains('.') && !is_address && !name.contains('_')
}

impl Files {
    /// Each file with its place; the place of a single one is the value's.
    fn each(&self, whole: &Given<Self>) -> Vec<Option<Given<String>>> {
        match self {
            Self::One(file) => {
                vec![Some(Given { value: file.clone(), span: whole.span.clone(), key: whole.key.clone() })]
            }
            Self::Several(files) => files.iter().map(|file| file.given().cloned()).collect(),
        }
    }
}

impl<'de> Deserialize<'de> for Files {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrSeveral;

        impl<'de> Visitor<'de> for OneOrSeveral {
            type Value = Files;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a file, or a list of files")
            }

            fn visit_str<E: serde::de::Error>(self, file: &str) -> Result<Files, E> {
                Ok(Files::One(file.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Files, A::Error> {
                let mut files = Vec::new();
                while let Some(file) = list.next_element()? {
                    files.push(file);
                }
                Ok(Files::Several(files))
            }
        }

        deserializer.deserialize_any(OneOrSeveral)
    }
}
