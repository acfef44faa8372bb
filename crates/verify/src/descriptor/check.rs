//! What is wrong with a descriptor, in words for whoever wrote it.

use super::{Descriptor, Locator, Parse, Part, TimestampFrom};

/// As deep as a value in a body is looked for.
const DEEPEST_PATH: usize = 8;

pub(super) fn descriptor(descriptor: &Descriptor) -> Result<(), String> {
    if descriptor.scheme.is_empty() {
        return Err("the scheme has no name".to_owned());
    }
    header("signature header", &descriptor.signature.header)?;
    parse(&descriptor.signature.parse)?;
    message(descriptor)?;
    timestamp(descriptor)?;
    locator("dedupe id", descriptor.dedupe_id.as_ref())?;
    locator("event type", descriptor.event_type.as_ref())
}

fn header(role: &str, name: &str) -> Result<(), String> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(format!("the {role} is not a header name"));
    }
    Ok(())
}

fn parse(parse: &Parse) -> Result<(), String> {
    let visible = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
    match parse {
        Parse::Plain { prefix } if !visible(prefix) => {
            Err("the signature's prefix has a blank or a character outside ASCII".to_owned())
        }
        Parse::Plain { .. } => Ok(()),
        Parse::KeyValue { delimiter, signature, timestamp } => {
            if !delimiter.is_ascii_punctuation() || matches!(delimiter, '=' | '+' | '/' | '-' | '_') {
                return Err("the delimiter could be part of a signature".to_owned());
            }
            let word = |text: &str| !text.is_empty() && visible(text) && !text.contains(['=', *delimiter]);
            if !word(signature) || timestamp.as_ref().is_some_and(|name| !word(name)) {
                return Err("the signature's fields have no usable names".to_owned());
            }
            if timestamp.as_ref() == Some(signature) {
                return Err("signature and timestamp have one name".to_owned());
            }
            Ok(())
        }
        Parse::SpaceList { version } if version.is_empty() || !visible(version) => {
            Err("the signature's version is empty or has a blank".to_owned())
        }
        Parse::SpaceList { .. } => Ok(()),
    }
}

fn message(descriptor: &Descriptor) -> Result<(), String> {
    let mut says_something = false;
    for part in descriptor.message.iter() {
        match part {
            Part::Header(name) => header("signed header", name)?,
            Part::Timestamp if descriptor.timestamp.is_none() => {
                return Err("the message has a timestamp, and nothing says where it stands".to_owned());
            }
            Part::Literal(_)
            | Part::Timestamp
            | Part::Body
            | Part::Url
            | Part::Path
            | Part::Query
            | Part::Method => {}
        }
        says_something |= !matches!(part, Part::Literal(_) | Part::Timestamp | Part::Method);
    }
    if says_something { Ok(()) } else { Err("the message has nothing of the request in it".to_owned()) }
}

fn timestamp(descriptor: &Descriptor) -> Result<(), String> {
    let field = match &descriptor.signature.parse {
        Parse::KeyValue { timestamp, .. } => timestamp.is_some(),
        Parse::Plain { .. } | Parse::SpaceList { .. } => false,
    };
    let Some(timestamp) = &descriptor.timestamp else {
        return if field { Err("the signature's timestamp field is never read".to_owned()) } else { Ok(()) };
    };
    match &timestamp.from {
        TimestampFrom::Header(name) => header("timestamp header", name)?,
        TimestampFrom::SignatureField if !field => {
            return Err("the signature header has no timestamp field".to_owned());
        }
        TimestampFrom::SignatureField => {}
    }
    if descriptor.message.contains(&Part::Timestamp) {
        Ok(())
    } else {
        Err("the timestamp is not signed, so anybody could set it".to_owned())
    }
}

fn locator(role: &str, locator: Option<&Locator>) -> Result<(), String> {
    match locator {
        None => Ok(()),
        Some(Locator::Header(name)) => header(role, name),
        Some(Locator::Json(path)) => {
            let keys = path.split('.').count();
            if keys > DEEPEST_PATH || path.split('.').any(str::is_empty) {
                return Err(format!(
                    "the path to the {role} is not one to {DEEPEST_PATH} keys with dots between them"
                ));
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::time::Duration;

    use super::super::{Direction, TimestampSpec, TimestampUnit};
    use super::*;

    fn with(change: impl FnOnce(&mut Descriptor)) -> Result<(), String> {
        let mut it = Descriptor::new("X-Signature");
        change(&mut it);
        descriptor(&it)
    }

    fn time(from: TimestampFrom) -> Option<TimestampSpec> {
        let tolerance = Duration::from_secs(300);
        Some(TimestampSpec { from, unit: TimestampUnit::Seconds, tolerance, direction: Direction::Both })
    }

    fn key_value(timestamp: Option<&'static str>) -> Parse {
        Parse::KeyValue { delimiter: ',', signature: "v1".into(), timestamp: timestamp.map(Cow::Borrowed) }
    }

    #[test]
    fn the_default_is_fine() {
        assert_eq!(with(|_| {}), Ok(()));
    }

    #[test]
    fn what_could_not_be_verified_is_refused() {
        type Change = fn(&mut Descriptor);
        let refused: [(&str, Change); 17] = [
            ("no scheme", |d| d.scheme = "".into()),
            ("no header", |d| d.signature.header = "".into()),
            ("a header that is none", |d| d.signature.header = "X Signature".into()),
            ("a blank in the prefix", |d| d.signature.parse = Parse::Plain { prefix: "v0 ".into() }),
            ("no message", |d| d.message = Cow::Borrowed(&[])),
            ("a constant message", |d| d.message = Cow::Owned(vec![Part::Literal("a".into()), Part::Method])),
            ("a signed header that is none", |d| d.message = Cow::Owned(vec![Part::Header("é".into())])),
            ("a timestamp from nowhere", |d| d.message = Cow::Owned(vec![Part::Timestamp, Part::Body])),
            ("an unsigned timestamp", |d| d.timestamp = time(TimestampFrom::Header("t".into()))),
            ("a timestamp field that is not there", |d| {
                d.timestamp = time(TimestampFrom::SignatureField);
                d.message = Cow::Owned(vec![Part::Timestamp, Part::Body]);
            }),
            ("a timestamp field that is never read", |d| d.signature.parse = key_value(Some("t"))),
            ("one name for two fields", |d| d.signature.parse = key_value(Some("v1"))),
            ("a delimiter of base64", |d| {
                d.signature.parse =
                    Parse::KeyValue { delimiter: '/', signature: "v1".into(), timestamp: None };
            }),
            ("an empty version", |d| d.signature.parse = Parse::SpaceList { version: "".into() }),
            ("an empty path", |d| d.dedupe_id = Some(Locator::Json("".into()))),
            ("an empty key", |d| d.event_type = Some(Locator::Json("a..b".into()))),
            ("a path without end", |d| d.dedupe_id = Some(Locator::Json("a.b.c.d.e.f.g.h.i".into()))),
        ];
        for (what, change) in refused {
            assert!(with(change).is_err(), "{what}");
        }
    }
}
