//! `X-Twilio-Webhooks-Signature-Settings: key=<id>,algorithm=<name>`: which SharedKey signed.

use std::borrow::Cow;

use super::SIGNATURE_SETTINGS_HEADER;
use crate::request::Headers;
use crate::verdict::Reject;

/// What the header says. It is not signed: it may choose among configured keys, and nothing else.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Announced<'a> {
    /// The id of the SharedKey.
    pub(crate) key: &'a str,
    /// The algorithm, if it is named.
    pub(crate) algorithm: Option<&'a str>,
}

impl<'a> Announced<'a> {
    /// Reads the header, if there is one.
    pub(crate) fn read(headers: &'a Headers) -> Result<Option<Self>, Reject> {
        let header = Cow::Borrowed(SIGNATURE_SETTINGS_HEADER);
        match headers.one(SIGNATURE_SETTINGS_HEADER) {
            Err(_) => Err(Reject::SignatureAmbiguous { header }),
            Ok(None) => Ok(None),
            Ok(Some(value)) => Self::parse(value).map(Some).ok_or(Reject::SignatureMalformed {
                header,
                expected: Cow::Borrowed("`key=<id>,algorithm=<name>`"),
            }),
        }
    }

    /// Items that are not known are passed over, repeated ones are not.
    fn parse(value: &'a [u8]) -> Option<Self> {
        let (mut key, mut algorithm) = (None, None);
        for item in std::str::from_utf8(value).ok()?.split(',') {
            let (name, value) = item.split_once('=')?;
            let repeated = match name.trim() {
                "key" => key.replace(value.trim()).is_some(),
                "algorithm" => algorithm.replace(value.trim()).is_some(),
                _ => false,
            };
            if repeated {
                return None;
            }
        }
        key.filter(|key| !key.is_empty()).map(|key| Self { key, algorithm })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<(String, Option<String>)> {
        Announced::parse(value.as_bytes()).map(|a| (a.key.to_owned(), a.algorithm.map(str::to_owned)))
    }

    #[test]
    fn key_and_algorithm_are_read() {
        let expected = Some(("k1".to_owned(), Some("HMAC_SHA256".to_owned())));
        assert_eq!(read("key=k1,algorithm=HMAC_SHA256"), expected);
        assert_eq!(read(" algorithm = HMAC_SHA256 , later=1, key = k1 "), expected);
        assert_eq!(read("key=k1"), Some(("k1".to_owned(), None)));
    }

    #[test]
    fn anything_doubtful_is_malformed() {
        for value in [
            "",
            "key",
            "key=",
            "algorithm=HMAC_SHA1",
            "key=a,key=a",
            "key=a,algorithm=x,algorithm=x",
            "key=a,",
        ] {
            assert_eq!(read(value), None, "{value}");
        }
        assert_eq!(Announced::parse(b"key=\xff"), None);
    }
}
