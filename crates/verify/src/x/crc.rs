//! The challenge: its token, its query, its answer.

use std::borrow::Cow;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use jiff::Timestamp;

use super::PREFIX;
use crate::descriptor::{Digest, Encoding};
use crate::mac::MacKey;
use crate::secret::Secret;
use crate::verdict::Reject;

/// A challenge token that may be signed: `[A-Za-z0-9+/_-]{1,256}` and up to two `=`.
///
/// Only parsing makes one, and only a token is ever signed for an answer. The lower bound is 1 because X's own guide
/// has users try `crc_token=foo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrcToken<'a>(Cow<'a, str>);

impl<'a> CrcToken<'a> {
    /// Takes a token in its decoded form.
    ///
    /// # Errors
    /// [`Reject::CrcTokenShape`] when signing it could sign something else than a challenge.
    pub fn parse(text: impl Into<Cow<'a, str>>) -> Result<Self, Reject> {
        let text = text.into();
        let core = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(&text);
        let opaque = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'_' | b'-');
        if (1..=256).contains(&core.len()) && core.bytes().all(opaque) {
            Ok(Self(text))
        } else {
            Err(Reject::CrcTokenShape)
        }
    }

    /// The token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is what X sends: base64 of a 36-character UUID, 48 characters.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        BASE64.decode(self.0.as_bytes()).is_ok_and(|uuid| {
            uuid.len() == 36
                && uuid.iter().enumerate().all(|(at, b)| match at {
                    8 | 13 | 18 | 23 => *b == b'-',
                    _ => b.is_ascii_hexdigit(),
                })
        })
    }

    /// The JSON answer, and the one place where something is signed that a stranger chose.
    pub(crate) fn answer(&self, key: &MacKey) -> String {
        let tag = key.tag(&[self.0.as_bytes()], Encoding::Base64);
        format!(r#"{{"response_token":"{PREFIX}{}"}}"#, tag.into_text())
    }
}

/// The JSON answer to a token, for tools.
///
/// # Errors
/// [`Reject::CrcTokenShape`] when the token is not one that may be signed.
pub fn crc_response(secret: &Secret, token: &str) -> Result<String, Reject> {
    let key = MacKey::new(Digest::Sha256, secret.expose());
    Ok(CrcToken::parse(token)?.answer(&key))
}

/// The query of a challenge.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    raw: &'a str,
    token: CrcToken<'a>,
    nonce: Option<Vec<u8>>,
}

impl<'a> Query<'a> {
    /// Reads the query of a request target.
    ///
    /// Other parameters are ignored: the webhook's own URL may have some.
    pub(crate) fn parse(raw: Option<&'a str>) -> Result<Self, Reject> {
        let raw = raw.ok_or(Reject::CrcTokenMissing)?;
        let (mut token, mut nonce) = (None, None);
        for pair in raw.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // A parameter is what its decoded name says, or the same parameter could hide from the check for repeats.
            let (slot, name) = match decode(name).as_deref() {
                Some(b"crc_token") => (&mut token, "crc_token"),
                Some(b"nonce") => (&mut nonce, "nonce"),
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(Reject::CrcParameterRepeated { name });
            }
        }
        let token = decode(token.ok_or(Reject::CrcTokenMissing)?).ok_or(Reject::CrcTokenShape)?;
        let token = String::from_utf8(token.into_owned()).map_err(|_| Reject::CrcTokenShape)?;
        let token = CrcToken::parse(token)?;
        let nonce = nonce.and_then(decode).map(Cow::into_owned).filter(|nonce| is_nonce(nonce));
        Ok(Self { raw, token, nonce })
    }

    pub(crate) fn token(&self) -> &CrcToken<'a> {
        &self.token
    }

    /// The messages that a signature of this challenge may cover, in the order they are tried. None without a nonce:
    /// `crc_token=…` alone is too near to what a token may be.
    pub(crate) fn signed_messages(&self) -> Vec<Cow<'_, [u8]>> {
        let Some(nonce) = &self.nonce else { return Vec::new() };
        let mut messages = Vec::with_capacity(2);
        // RFC 3986 has no `{` in a query. Without one, no query is an event's body.
        if !self.raw.contains('{') {
            messages.push(Cow::Borrowed(self.raw.as_bytes()));
        }
        let rebuilt = [b"crc_token=", self.token.0.as_bytes(), b"&nonce=", nonce].concat();
        messages.push(Cow::Owned(rebuilt));
        messages
    }

    /// Whether it is what X sends: such a token, and a nonce with a time in it.
    pub(crate) fn is_usual(&self) -> bool {
        self.token.is_usual() && self.sent_at().is_some()
    }

    /// The time in the nonce, if it is the unpadded base64 of one in milliseconds.
    pub(crate) fn sent_at(&self) -> Option<Timestamp> {
        let digits = BASE64URL_NOPAD.decode(self.nonce.as_ref()?).ok()?;
        let digits = std::str::from_utf8(&digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
        Timestamp::from_millisecond(digits.parse().ok()?).ok()
    }
}

/// `[A-Za-z0-9_-]+`, of a sensible length.
fn is_nonce(text: &[u8]) -> bool {
    (1..=256).contains(&text.len())
        && text.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// Undoes form encoding; `None` where a `%` is not followed by two hex digits.
pub(crate) fn decode(text: &str) -> Option<Cow<'_, [u8]>> {
    let bytes = text.as_bytes();
    if !bytes.iter().any(|b| matches!(b, b'%' | b'+')) {
        return Some(Cow::Borrowed(bytes));
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |b: &u8| char::from(*b).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => *other,
        });
    }
    Some(Cow::Owned(out))
}
