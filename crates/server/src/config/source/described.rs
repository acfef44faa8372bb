//! `hmac`: how a provider signs that the catalogue does not know.
//!
//! The `hmac` table is `hookhouse_verify`'s descriptor in words:
//!
//! | key | is | default |
//! |---|---|---|
//! | `digest` | `sha1`, `sha256`, `sha512` | `sha256` |
//! | `key` | how the secret is written: `utf8`, `base64`, `whsec-base64`, `hex` | `utf8` |
//! | `header` | where the signature stands | required |
//! | `prefix` | what stands before it: `sha256=` | nothing |
//! | `key_value` | instead of `prefix`, named items: `{ delimiter = ",", signature = "v1", timestamp = "t" }` | |
//! | `space_list` | instead of `prefix`, versioned items with blanks between them: `v1,` | |
//! | `encoding` | `hex`, `base64`, `base64url` | `hex` |
//! | `message` | parts: `body`, `timestamp`, `url`, `path`, `query`, `method`, `header:NAME`, `literal:TEXT` | `["body"]` |
//! | `timestamp` | `{ header, unit = "s", tolerance = "5m", direction = "both" }`; without `header` it is in `key_value` | none |
//! | `dedupe_id`, `event_type` | `header:NAME` or `json:a.b` | none |

use std::borrow::Cow;
use std::time::Duration;

use hookhouse_verify::descriptor::{
    Descriptor, Digest, Direction, Encoding, KeyForm, Locator, Parse, Part, TimestampFrom, TimestampSpec,
    TimestampUnit,
};
use serde::Deserialize;

use super::super::diagnostic::{Code, Diagnostic};
use super::super::field::{Field, Given, List};
use super::super::loader::Loader;
use super::super::suggestion::did_you_mean;
use super::super::units::Period;

const TOLERANCE: Duration = Duration::from_secs(300);

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: { header, … }")]
pub(super) struct RawHmac {
    digest: Field<RawDigest>,
    key: Field<RawKeyForm>,
    header: Field<String>,
    prefix: Field<String>,
    key_value: Field<RawKeyValue>,
    space_list: Field<String>,
    encoding: Field<RawEncoding>,
    message: Field<List<String>>,
    timestamp: Field<RawTimestamp>,
    dedupe_id: Field<String>,
    event_type: Field<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: { delimiter, signature, timestamp }")]
struct RawKeyValue {
    delimiter: Field<String>,
    signature: Field<String>,
    timestamp: Field<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: { header, unit, tolerance, direction }")]
struct RawTimestamp {
    header: Field<String>,
    unit: Field<RawUnit>,
    tolerance: Field<Period>,
    direction: Field<RawDirection>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawDigest {
    Sha1,
    Sha256,
    Sha512,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawKeyForm {
    Utf8,
    Base64,
    WhsecBase64,
    Hex,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawEncoding {
    Hex,
    Base64,
    Base64url,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawUnit {
    S,
    Ms,
    Rfc3339,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawDirection {
    Past,
    Both,
}

/// The description; `None` where a part of it is wrong.
pub(super) fn descriptor(given: &Given<RawHmac>, loader: &Loader<'_>) -> Option<Descriptor> {
    let raw = &given.value;
    if raw.header.is_missing() {
        let help = "`header = \"X-Signature\"`";
        loader.report.missing_key(&given.key, "hmac.header", "the signature stands in a header", help);
    }
    // Each part is read before any of them ends the reading.
    let parse = parse(raw, loader);
    let message = message(&raw.message, loader);
    let timestamp = match &raw.timestamp {
        Field::Given(given) => timestamp_spec(given, loader).map(Some),
        Field::Missing => Some(parse.as_ref().and_then(default_timestamp)),
        Field::Faulty => None,
    };
    let dedupe_id = locator(&raw.dedupe_id, loader);
    let event_type = locator(&raw.event_type, loader);

    let mut descriptor = Descriptor::new(raw.header.value()?.clone());
    descriptor.digest = match raw.digest.value() {
        Some(RawDigest::Sha1) => Digest::Sha1,
        Some(RawDigest::Sha512) => Digest::Sha512,
        Some(RawDigest::Sha256) | None => Digest::Sha256,
    };
    descriptor.scheme = Cow::Borrowed(match descriptor.digest {
        Digest::Sha1 => "hmac-sha1",
        Digest::Sha256 => "hmac-sha256",
        Digest::Sha512 => "hmac-sha512",
    });
    descriptor.key = match raw.key.value() {
        Some(RawKeyForm::Base64) => KeyForm::Base64,
        Some(RawKeyForm::WhsecBase64) => KeyForm::WhsecBase64,
        Some(RawKeyForm::Hex) => KeyForm::Hex,
        Some(RawKeyForm::Utf8) | None => KeyForm::Utf8,
    };
    descriptor.signature.parse = parse?;
    descriptor.signature.encoding = match raw.encoding.value() {
        Some(RawEncoding::Base64) => Encoding::Base64,
        Some(RawEncoding::Base64url) => Encoding::Base64Url,
        Some(RawEncoding::Hex) | None => Encoding::Hex,
    };
    descriptor.message = message?;
    descriptor.timestamp = timestamp?;
    descriptor.dedupe_id = dedupe_id?;
    descriptor.event_type = event_type?;
    Some(descriptor)
}

fn parse(raw: &RawHmac, loader: &Loader<'_>) -> Option<Parse> {
    let places = [
        raw.prefix.given().map(|prefix| &prefix.key),
        raw.key_value.given().map(|key_value| &key_value.key),
        raw.space_list.given().map(|space_list| &space_list.key),
    ];
    let mut places = places.into_iter().flatten();
    if let (Some(first), Some(second)) = (places.next(), places.next()) {
        let message = "`prefix`, `key_value` and `space_list` exclude each other";
        loader
            .report
            .push(Diagnostic::error(Code::Value, second, message).related(first, "given here already"));
        return None;
    }
    if raw.prefix.is_faulty() || raw.key_value.is_faulty() || raw.space_list.is_faulty() {
        return None;
    }
    if let Some(given) = raw.key_value.given() {
        let raw = &given.value;
        if raw.signature.is_missing() {
            let help = "`signature = \"v1\"`";
            loader.report.missing_key(
                &given.key,
                "key_value.signature",
                "it names the item that is the signature",
                help,
            );
        }
        let delimiter = match raw.delimiter.given() {
            None => ',',
            Some(given) => {
                let mut chars = given.value.chars();
                match (chars.next(), chars.next()) {
                    (Some(delimiter), None) => delimiter,
                    _ => {
                        loader.report.value(&given.span, "`delimiter` is one character");
                        return None;
                    }
                }
            }
        };
        let signature = Cow::Owned(raw.signature.value()?.clone());
        return Some(Parse::KeyValue {
            delimiter,
            signature,
            timestamp: raw.timestamp.value().cloned().map(Cow::Owned),
        });
    }
    if let Some(version) = raw.space_list.value() {
        return Some(Parse::SpaceList { version: Cow::Owned(version.clone()) });
    }
    Some(Parse::Plain { prefix: Cow::Owned(raw.prefix.value().cloned().unwrap_or_default()) })
}

fn message(field: &Field<List<String>>, loader: &Loader<'_>) -> Option<Cow<'static, [Part]>> {
    let list = match field {
        Field::Missing => return Some(Cow::Borrowed(&[Part::Body])),
        Field::Faulty => return None,
        Field::Given(given) => &given.value,
    };
    let parts: Vec<_> = list.iter().map(|part| message_part(part, loader)).collect();
    let parts: Option<Vec<_>> = parts.into_iter().collect();
    parts.filter(|parts| parts.len() == list.len()).map(Cow::Owned)
}

fn message_part(given: &Given<String>, loader: &Loader<'_>) -> Option<Part> {
    const PARTS: &[&str] = &["body", "timestamp", "url", "path", "query", "method"];
    Some(match given.value.as_str() {
        "body" => Part::Body,
        "timestamp" => Part::Timestamp,
        "url" => Part::Url,
        "path" => Part::Path,
        "query" => Part::Query,
        "method" => Part::Method,
        other => match other.split_once(':') {
            Some(("literal", text)) => Part::Literal(Cow::Owned(text.to_owned())),
            Some(("header", name)) if !name.is_empty() => Part::Header(Cow::Owned(name.to_owned())),
            _ => {
                loader.report.push(
                    Diagnostic::error(
                        Code::Value,
                        &given.span,
                        format!("`{other}` is not a part of a message"),
                    )
                    .note("fixed text is written `literal:TEXT`, a header `header:NAME`")
                    .help(did_you_mean(other, PARTS, "the parts are")),
                );
                return None;
            }
        },
    })
}

fn timestamp_spec(given: &Given<RawTimestamp>, loader: &Loader<'_>) -> Option<TimestampSpec> {
    let raw = &given.value;
    if let Some(tolerance) = raw.tolerance.given()
        && tolerance.value.0.is_zero()
    {
        loader.report.value(&tolerance.span, "`tolerance` is zero: no request would ever be in time");
    }
    if raw.header.is_faulty() {
        return None;
    }
    Some(TimestampSpec {
        from: match raw.header.value() {
            Some(header) => TimestampFrom::Header(Cow::Owned(header.clone())),
            None => TimestampFrom::SignatureField,
        },
        unit: match raw.unit.value() {
            Some(RawUnit::Ms) => TimestampUnit::Milliseconds,
            Some(RawUnit::Rfc3339) => TimestampUnit::Rfc3339,
            Some(RawUnit::S) | None => TimestampUnit::Seconds,
        },
        tolerance: raw.tolerance.value().map_or(TOLERANCE, |period| period.0),
        direction: match raw.direction.value() {
            Some(RawDirection::Past) => Direction::Past,
            Some(RawDirection::Both) | None => Direction::Both,
        },
    })
}

/// A time that is named among the items is checked even if no more is said about it.
fn default_timestamp(parse: &Parse) -> Option<TimestampSpec> {
    let Parse::KeyValue { timestamp: Some(_), .. } = parse else { return None };
    Some(TimestampSpec {
        from: TimestampFrom::SignatureField,
        unit: TimestampUnit::Seconds,
        tolerance: TOLERANCE,
        direction: Direction::Both,
    })
}

/// `header:NAME` or `json:a.b`. The outer `None` is a mistake, the inner one a missing key.
fn locator(field: &Field<String>, loader: &Loader<'_>) -> Option<Option<Locator>> {
    let given = match field {
        Field::Missing => return Some(None),
        Field::Faulty => return None,
        Field::Given(given) => given,
    };
    match given.value.split_once(':') {
        Some(("header", name)) if !name.is_empty() => {
            Some(Some(Locator::Header(Cow::Owned(name.to_owned()))))
        }
        Some(("json", path)) if !path.is_empty() => Some(Some(Locator::Json(Cow::Owned(path.to_owned())))),
        _ => {
            let message = format!("`{}` is neither a header nor a place in the body", given.value);
            loader.report.push(
                Diagnostic::error(Code::Value, &given.span, message)
                    .help("write it like `header:X-Event-Id` or `json:event.id`"),
            );
            None
        }
    }
}
