//! Makes what the verifier accepts.

use jiff::Timestamp;

use crate::descriptor::{Descriptor, Locator, Parse, Part, TimestampFrom};
use crate::mac;
use crate::secret::Secret;
use crate::verifier::SchemeError;

/// What a message is made of. The URL's parts are already taken apart.
#[derive(Debug)]
pub(crate) struct Material<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) body: &'a [u8],
    pub(crate) id: &'a str,
    pub(crate) now: Timestamp,
}

/// The headers that sign the material.
pub(crate) fn sign(
    descriptor: &Descriptor,
    secret: &Secret,
    material: &Material<'_>,
) -> Result<Vec<(String, String)>, SchemeError> {
    descriptor.validate()?;
    let key = descriptor.key.bytes(secret.expose()).ok_or_else(|| SchemeError::KeyForm {
        key: "secret".to_owned(),
        expected: descriptor.key.expected(),
    })?;
    let time = descriptor.timestamp.as_ref().map(|spec| (spec, spec.unit.write(material.now)));
    let timestamp = time.as_ref().map_or("", |(_, text)| text);
    let message = message(descriptor, material, timestamp)?;
    let encoding = descriptor.signature.encoding;
    let signature = mac::sign(&key, descriptor.digest, &message, encoding).into_text();

    let mut headers = Vec::with_capacity(3);
    if let Some(Locator::Header(name)) = &descriptor.dedupe_id {
        headers.push((name.to_ascii_lowercase(), material.id.to_owned()));
    }
    if let Some((spec, text)) = &time
        && let TimestampFrom::Header(name) = &spec.from
    {
        headers.push((name.to_ascii_lowercase(), text.clone()));
    }
    let value = match &descriptor.signature.parse {
        Parse::Plain { prefix } => format!("{prefix}{signature}"),
        Parse::KeyValue { delimiter, signature: name, timestamp: Some(time) } => {
            format!("{time}={timestamp}{delimiter}{name}={signature}")
        }
        Parse::KeyValue { signature: name, timestamp: None, .. } => format!("{name}={signature}"),
        Parse::SpaceList { version } => format!("{version}{signature}"),
    };
    headers.push((descriptor.signature.header.to_ascii_lowercase(), value));
    Ok(headers)
}

fn message<'a>(
    descriptor: &'a Descriptor,
    material: &'a Material<'_>,
    timestamp: &'a str,
) -> Result<Vec<&'a [u8]>, SchemeError> {
    let mut message = Vec::with_capacity(descriptor.message.len());
    for (at, part) in descriptor.message.iter().enumerate() {
        message.push(match part {
            Part::Literal(text) => text.as_bytes(),
            Part::Timestamp => timestamp.as_bytes(),
            Part::Body => material.body,
            Part::Header(name) => {
                let value = header(descriptor, material, name)?;
                // A value with the delimiter in it could be read as two parts: Standard Webhooks forbids a `.` in ids.
                if let Some(Part::Literal(delimiter)) = descriptor.message.get(at + 1)
                    && !delimiter.is_empty()
                    && value.contains(delimiter.as_ref())
                {
                    return Err(SchemeError::Draft {
                        reason: format!("the value of `{name}` must not have `{delimiter}` in it"),
                    });
                }
                value.as_bytes()
            }
            Part::Url => material.url.as_bytes(),
            Part::Path => material.path.as_bytes(),
            Part::Query => material.query.as_bytes(),
            Part::Method => material.method.as_bytes(),
        });
    }
    Ok(message)
}

/// The value that a signed header will have.
fn header<'a>(descriptor: &Descriptor, material: &Material<'a>, name: &str) -> Result<&'a str, SchemeError> {
    match &descriptor.dedupe_id {
        Some(Locator::Header(id)) if id.eq_ignore_ascii_case(name) => Some(material.id),
        _ if name.eq_ignore_ascii_case("content-type") => material.content_type,
        _ => None,
    }
    .filter(|value| !value.is_empty())
    .ok_or_else(|| SchemeError::Draft {
        reason: format!("the value of the signed header `{name}` is not known"),
    })
}
