//! What a signature header says: candidate signatures, and the time where it stands there.

use std::borrow::Cow;

use crate::descriptor::{Descriptor, Parse};
use crate::tag::is_well_formed;
use crate::verdict::Reject;

/// During a rotation a provider sends one signature per key; two or three in practice. More than this is a flood.
const MOST_CANDIDATES: usize = 8;

/// What the header says.
#[derive(Debug, Default)]
pub(super) struct Said<'a> {
    /// Well-formed signatures, at least one.
    pub(super) candidates: Vec<&'a [u8]>,
    /// The time, in the sender's spelling.
    pub(super) timestamp: Option<&'a [u8]>,
}

impl<'a> Said<'a> {
    /// Reads the header's value.
    pub(super) fn read(descriptor: &Descriptor, value: &'a [u8]) -> Result<Self, Reject> {
        let said = match &descriptor.signature.parse {
            Parse::Plain { prefix } => plain(value, prefix),
            Parse::KeyValue { delimiter, signature, timestamp } => {
                key_value(value, *delimiter, signature, timestamp.as_deref())
            }
            Parse::SpaceList { version } => Some(space_list(value, version)),
        };
        let mut said = said.ok_or_else(|| refusal(descriptor, value))?;
        if said.candidates.len() > MOST_CANDIDATES {
            return Err(Reject::SignatureMalformed {
                header: descriptor.signature.header.clone(),
                expected: Cow::Owned(format!("at most {MOST_CANDIDATES} signatures")),
            });
        }
        // An empty or a short one could match nothing; it must not make a request look signed either
        // (RUSTSEC-2024-0010).
        let (bytes, encoding) = (descriptor.digest.bytes(), descriptor.signature.encoding);
        said.candidates.retain(|text| is_well_formed(text, bytes, encoding));
        if said.candidates.is_empty() { Err(refusal(descriptor, value)) } else { Ok(said) }
    }
}

fn plain<'a>(value: &'a [u8], prefix: &str) -> Option<Said<'a>> {
    let signature = value.strip_prefix(prefix.as_bytes())?;
    Some(Said { candidates: vec![signature], timestamp: None })
}

/// Fields of other names are passed over (Stripe's `v0`); a repeated time is two times.
fn key_value<'a>(
    value: &'a [u8],
    delimiter: char,
    signature: &str,
    timestamp: Option<&str>,
) -> Option<Said<'a>> {
    let mut said = Said::default();
    for field in value.split(|b| char::from(*b) == delimiter) {
        let field = field.trim_ascii();
        let (name, value) = field.split_at_checked(field.iter().position(|b| *b == b'=')?)?;
        let value = value.strip_prefix(b"=")?;
        if name == signature.as_bytes() {
            said.candidates.push(value);
        } else if timestamp.is_some_and(|timestamp| name == timestamp.as_bytes())
            && said.timestamp.replace(value).is_some()
        {
            return None;
        }
    }
    Some(said)
}

/// Items of other versions are passed over (Standard Webhooks' `v1a`).
fn space_list<'a>(value: &'a [u8], version: &str) -> Said<'a> {
    let candidates =
        value.split(|b| *b == b' ').filter_map(|item| item.strip_prefix(version.as_bytes())).collect();
    Said { candidates, timestamp: None }
}

/// Why a value is not a signature: it names another algorithm, or has another form.
fn refusal(descriptor: &Descriptor, value: &[u8]) -> Reject {
    let spec = &descriptor.signature;
    let header = spec.header.clone();
    let expected = match &spec.parse {
        Parse::Plain { prefix } if names_another_algorithm(value, prefix) => {
            return Reject::AlgorithmRefused { header };
        }
        Parse::Plain { prefix } if prefix.is_empty() => format!("a digest in {}", spec.encoding.name()),
        Parse::Plain { prefix } => format!("`{prefix}` and a digest in {}", spec.encoding.name()),
        Parse::KeyValue { delimiter, signature, timestamp: None } => {
            format!("`{signature}=…`, several with `{delimiter}`, in {}", spec.encoding.name())
        }
        Parse::KeyValue { delimiter, signature, timestamp: Some(timestamp) } => {
            format!("`{timestamp}=…{delimiter}{signature}=…` in {}", spec.encoding.name())
        }
        Parse::SpaceList { version } => {
            format!("`{version}…`, several with blanks, in {}", spec.encoding.name())
        }
    };
    Reject::SignatureMalformed { header, expected: Cow::Owned(expected) }
}

/// Whether the value has the name of a hash where the scheme has nothing or another one's: `sha1=` for `sha256=`.
fn names_another_algorithm(value: &[u8], prefix: &str) -> bool {
    const NAMES: [&[u8]; 6] = [b"md5", b"sha1", b"sha224", b"sha256", b"sha384", b"sha512"];
    let name = value.split(|b| *b == b'=').next().unwrap_or_default();
    let ours = prefix.trim_end_matches('=').as_bytes();
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)) && !name.eq_ignore_ascii_case(ours)
}
