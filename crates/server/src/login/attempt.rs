//! What a Digest `Authorization` says, as RFC 7616 section 3.4 means it.

use std::borrow::Cow;

use super::algorithm::Algorithm;
use super::parameters::Parameters;
use super::refused::Fault;

/// The parameters of an attempt: all there, each of its form, none believed yet.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    pub(super) user: Cow<'a, [u8]>,
    pub(super) realm: &'a [u8],
    pub(super) nonce: &'a [u8],
    pub(super) uri: &'a [u8],
    pub(super) response: &'a [u8],
    pub(super) cnonce: &'a [u8],
    /// The nonce count as it was hashed.
    pub(super) nc: &'a [u8],
    /// The nonce count as a number, from 1.
    pub(super) count: u32,
    /// `None` for an algorithm that nobody here knows.
    pub(super) algorithm: Option<Algorithm>,
}

impl<'a> Attempt<'a> {
    pub(super) fn read(parameters: &'a Parameters) -> Result<Self, Fault> {
        // Without a name it is MD5 (RFC 7616 section 3.3).
        let algorithm = parameters.find("algorithm").map_or(Some(Algorithm::Md5), Algorithm::parse);
        // Without `qop` there is no nonce count, so nothing would tell a repeat.
        if !parameters.find("qop").is_some_and(|qop| qop.eq_ignore_ascii_case(b"auth")) {
            return Err(Fault::Qop);
        }
        if parameters.find("userhash").is_some_and(|hashed| !hashed.eq_ignore_ascii_case(b"false")) {
            return Err(Fault::UserHash);
        }
        let required = |name: &str, fault| parameters.find(name).ok_or(Fault::Malformed(fault));
        let nc = required("nc", "no `nc`")?;
        Ok(Self {
            user: user(parameters)?,
            realm: required("realm", "no `realm`")?,
            nonce: required("nonce", "no `nonce`")?,
            uri: required("uri", "no `uri`")?,
            response: required("response", "no `response`")?,
            cnonce: required("cnonce", "no `cnonce`")?,
            nc,
            count: count(nc).ok_or(Fault::Malformed("`nc` is not eight hex digits from 00000001 on"))?,
            algorithm,
        })
    }
}

/// `8LHEX`, from 1; upper case too, since what is hashed is the text.
fn count(nc: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(nc).ok().filter(|text| text.len() == 8 && !text.starts_with('+'))?;
    u32::from_str_radix(text, 16).ok().filter(|count| *count > 0)
}

/// The user name: `username`, or `username*` in the form of RFC 8187 where a quoted-string cannot carry it.
fn user(parameters: &Parameters) -> Result<Cow<'_, [u8]>, Fault> {
    match (parameters.find("username"), parameters.find("username*")) {
        (Some(plain), None) => Ok(Cow::Borrowed(plain)),
        (None, Some(extended)) => extended_value(extended)
            .map(Cow::Owned)
            .ok_or(Fault::Malformed("`username*` is not UTF-8 in the form of RFC 8187")),
        (None, None) => Err(Fault::Malformed("no `username`")),
        (Some(_), Some(_)) => Err(Fault::Malformed("`username` and `username*`")),
    }
}

/// `UTF-8 ' [language] ' *( pct-encoded / attr-char )`.
fn extended_value(value: &[u8]) -> Option<Vec<u8>> {
    let mut fields = value.splitn(3, |b| *b == b'\'');
    let (charset, _language, encoded) = (fields.next()?, fields.next()?, fields.next()?);
    if !charset.eq_ignore_ascii_case(b"utf-8") {
        return None;
    }
    let mut bytes = encoded.iter();
    let mut decoded = Vec::with_capacity(encoded.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => (hex(*bytes.next()?)? << 4) | hex(*bytes.next()?)?,
            b if b.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(b) => *b,
            _ => return None,
        });
    }
    std::str::from_utf8(&decoded).is_ok().then_some(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str =
        r#"username="u", realm="r", nonce="n", uri="/", response="x", cnonce="c", nc=00000001, qop=auth"#;

    fn fault(text: &str) -> Option<Fault> {
        let parameters = Parameters::parse(text.as_bytes()).unwrap();
        Attempt::read(&parameters).err()
    }

    #[test]
    fn every_parameter_must_be_there() {
        assert_eq!(fault(WHOLE), None);
        for name in ["username", "realm", "nonce", "uri", "response", "cnonce", "nc"] {
            let without = WHOLE.replacen(&format!("{name}="), &format!("x-{name}="), 1);
            assert!(matches!(fault(&without), Some(Fault::Malformed(_))), "{without}");
        }
    }

    #[test]
    fn quality_of_protection_is_auth_and_nothing_else() {
        assert_eq!(fault(&WHOLE.replace("qop=auth", "qop=\"AUTH\"")), None);
        for other in ["qop=auth-int", "qop=\"auth,auth-int\"", "qop=\"\"", "other=auth"] {
            assert_eq!(fault(&WHOLE.replace("qop=auth", other)), Some(Fault::Qop), "{other}");
        }
    }

    #[test]
    fn hashed_user_names_are_refused_as_such() {
        assert_eq!(fault(&format!("{WHOLE}, userhash=false")), None);
        for hashed in ["true", "TRUE", "1"] {
            assert_eq!(fault(&format!("{WHOLE}, userhash={hashed}")), Some(Fault::UserHash));
        }
    }

    #[test]
    fn counts() {
        assert_eq!(count(b"00000001"), Some(1));
        assert_eq!(count(b"fFFFFFFf"), Some(u32::MAX));
        for bad in [
            &b"00000000"[..],
            b"1",
            b"0000000g",
            b"+0000001",
            b"-0000001",
            b"000000001",
            b"",
            b"\xff\xff\xff\xff",
        ] {
            assert_eq!(count(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn extended_values() {
        assert_eq!(
            extended_value(b"UTF-8''J%C3%A4s%c3%B8n%20Doe").unwrap(),
            "J\u{e4}s\u{f8}n Doe".as_bytes()
        );
        assert_eq!(extended_value(b"utf-8'en'a").unwrap(), b"a");
        for bad in [
            &b"a"[..],
            b"UTF-8'a",
            b"ISO-8859-1''a",
            b"UTF-8''%",
            b"UTF-8''%4",
            b"UTF-8''%zz",
            b"UTF-8''%FF",
            b"UTF-8''a b",
            b"UTF-8''a'b",
        ] {
            assert_eq!(extended_value(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn two_user_names_are_one_too_many() {
        let both = format!("{WHOLE}, username*=UTF-8''u");
        assert!(matches!(fault(&both), Some(Fault::Malformed(_))));
        assert_eq!(fault(&both.replacen("username=", "x=", 1)), None);
    }
}
