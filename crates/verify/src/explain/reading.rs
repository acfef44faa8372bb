//! What a signature header may mean, however it is written.
//!
//! The verifiers know one spelling of a signature. Here each is read in every form that senders are known to use, so
//! that a signature that is right and written wrongly can be told from one that is wrong.

use data_encoding::{
    BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, Encoding as Alphabet, HEXLOWER_PERMISSIVE,
};

use super::cause::Cause;
use super::explanation::Clue;
use crate::descriptor::{Digest, Encoding, Parse};

/// How a scheme writes signatures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form<'a> {
    pub(super) header: &'a str,
    pub(super) parse: &'a Parse,
    pub(super) encoding: Encoding,
    pub(super) digest: Digest,
    /// Whether the form is the operator's own description, which a setting can change.
    pub(super) is_described: bool,
}

/// One way to take a signature.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) bytes: Vec<u8>,
    pub(super) digest: Digest,
    /// What is odd about it.
    pub(super) clues: Vec<Clue>,
}

/// Longer values are no signature of any scheme.
const LONGEST_VALUE: usize = 4_096;

/// As many items of a header as are looked at.
const MOST_ITEMS: usize = 16;

/// What senders put in front of a signature.
const USUAL_PREFIXES: [&str; 9] =
    ["sha256=", "sha1=", "sha512=", "v0=", "v1=", "v2=", "v1,", "hmac=", "hmac-sha256="];

/// The shortest text that a digest can have: SHA-1 in base64 without padding.
const SHORTEST_DIGEST: usize = 27;

impl Form<'_> {
    /// Every way to take a header's value, those without clues first.
    pub(super) fn readings(&self, value: &[u8]) -> Vec<Reading> {
        let Some(value) = std::str::from_utf8(value).ok().filter(|value| value.len() <= LONGEST_VALUE) else {
            return Vec::new();
        };
        let bare = unquoted(value);
        let mut readings = Vec::new();
        for (text, clue) in self.items(bare).into_iter().take(MOST_ITEMS) {
            // A list's items may have blanks around them; what stands alone may not.
            let blanks = (bare != value).then(|| {
                Clue::new(Cause::SignatureBlanks, format!("`{}` has blanks or quotes around it", self.header))
            });
            for (bytes, spelling) in self.decoded(text) {
                let Some(digest) = digest_of(bytes.len()) else { continue };
                let clues =
                    blanks.iter().chain(&clue).cloned().chain(spelling).chain(self.other_hash(digest));
                readings.push(Reading { bytes, digest, clues: clues.collect() });
            }
        }
        readings.sort_by_key(|reading| reading.clues.len());
        readings
    }

    /// The texts that may be signatures.
    fn items<'v>(&self, value: &'v str) -> Vec<(&'v str, Option<Clue>)> {
        match self.parse {
            Parse::Plain { prefix } => vec![self.plain(value, prefix)],
            Parse::KeyValue { delimiter, signature, timestamp } => value
                .split(*delimiter)
                .map(str::trim)
                .filter_map(|field| match named(field) {
                    Some((name, text)) if name == signature => Some((text, None)),
                    Some((name, _)) if timestamp.as_ref().is_some_and(|timestamp| timestamp == name) => None,
                    Some((name, text)) => {
                        Some((text, Some(self.other_prefix(name, &format!("{signature}=")))))
                    }
                    None => Some((field, Some(self.no_prefix(&format!("{signature}="))))),
                })
                .filter(|(text, _)| text.len() >= SHORTEST_DIGEST)
                .collect(),
            Parse::SpaceList { version } => value
                .split(' ')
                .map(|item| match item.strip_prefix(version.as_ref()) {
                    Some(text) => (text, None),
                    None => self.plain(item, version),
                })
                .filter(|(text, _)| text.len() >= SHORTEST_DIGEST)
                .collect(),
        }
    }

    fn plain<'v>(&self, value: &'v str, prefix: &str) -> (&'v str, Option<Clue>) {
        match (value.strip_prefix(prefix), named(value)) {
            (Some(text), None) => (text, None),
            (Some(text), Some(_)) if !prefix.is_empty() => (text, None),
            (_, Some((name, text))) => (text, Some(self.other_prefix(name, prefix))),
            (None, None) => (value, Some(self.no_prefix(prefix))),
        }
    }

    fn no_prefix(&self, prefix: &str) -> Clue {
        let clue = Clue::new(
            Cause::SignaturePrefix,
            format!("`{}` lacks the `{prefix}` in front of the signature", self.header),
        );
        self.with_prefix(clue, Some(""))
    }

    fn other_prefix(&self, found: &str, expected: &str) -> Clue {
        // What stands there is told only if it is one of the usual names: it could be a piece of the signature.
        let found = USUAL_PREFIXES
            .into_iter()
            .find(|usual| found.eq_ignore_ascii_case(usual.trim_end_matches(['=', ','])));
        let is = found.map_or("another name or version".to_owned(), |found| format!("`{found}`"));
        let expected = match expected {
            "" => "nothing is expected".to_owned(),
            expected => format!("`{expected}` is expected"),
        };
        let detail = format!("`{}` has {is} in front of the signature, and {expected} there", self.header);
        self.with_prefix(Clue::new(Cause::SignaturePrefix, detail), found)
    }

    /// With the setting for another prefix, where a prefix is what there is to set.
    fn with_prefix(&self, clue: Clue, prefix: Option<&str>) -> Clue {
        match (self.parse, prefix) {
            (Parse::Plain { .. }, Some(prefix)) => self.described(clue, &format!("prefix = \"{prefix}\"")),
            _ => clue,
        }
    }

    /// The bytes that a text stands for, with what is odd about its spelling.
    fn decoded(&self, text: &str) -> Vec<(Vec<u8>, Option<Clue>)> {
        if let Some(bytes) = hex(text) {
            let clue = match self.encoding {
                Encoding::Hex if text.bytes().any(|b| b.is_ascii_uppercase()) => {
                    Some(self.spelling("in upper-case hex"))
                }
                Encoding::Hex => None,
                Encoding::Base64 | Encoding::Base64Url => {
                    Some(self.encoding_clue(Cause::SignatureHex, "hex", "hex"))
                }
            };
            return vec![(bytes, clue)];
        }
        let alphabets: [(&Alphabet, bool, bool); 4] = [
            (&BASE64, false, true),
            (&BASE64_NOPAD, false, false),
            (&BASE64URL, true, true),
            (&BASE64URL_NOPAD, true, false),
        ];
        for (alphabet, is_url, is_padded) in alphabets {
            let Ok(bytes) = alphabet.decode(text.as_bytes()) else { continue };
            if let Some(twice) = std::str::from_utf8(&bytes).ok().and_then(hex) {
                return vec![(twice, Some(self.spelling("hex that was put into base64")))];
            }
            let other_alphabet = text.contains(['+', '/', '-', '_']);
            let clue = match self.encoding {
                Encoding::Hex => Some(self.encoding_clue(Cause::SignatureBase64, "base64", "base64")),
                Encoding::Base64 if is_url && other_alphabet => {
                    Some(self.encoding_clue(Cause::SignatureBase64Url, "URL-safe base64", "base64url"))
                }
                Encoding::Base64Url if !is_url && other_alphabet => {
                    Some(self.encoding_clue(Cause::SignatureBase64Url, "standard base64", "base64"))
                }
                Encoding::Base64 if !is_padded => Some(self.spelling("without its padding")),
                Encoding::Base64Url if is_padded => Some(self.spelling("with padding")),
                Encoding::Base64 | Encoding::Base64Url => None,
            };
            return vec![(bytes, clue)];
        }
        Vec::new()
    }

    fn encoding_clue(&self, cause: Cause, is: &str, setting: &str) -> Clue {
        let detail = format!(
            "the signature in `{}` is in {is}, and {} is expected",
            self.header,
            self.encoding.name()
        );
        self.described(Clue::new(cause, detail), &format!("encoding = \"{setting}\""))
    }

    fn spelling(&self, how: &str) -> Clue {
        let detail =
            format!("the signature in `{}` is {how}, and {} is expected", self.header, self.encoding.name());
        Clue::new(Cause::SignatureSpelling, detail)
    }

    fn other_hash(&self, digest: Digest) -> Option<Clue> {
        if digest == self.digest {
            return None;
        }
        let detail = format!(
            "the signature in `{}` is as long as one of HMAC-{}, and HMAC-{} is expected",
            self.header,
            name(digest),
            name(self.digest)
        );
        let setting = format!("digest = \"{}\"", name(digest).to_ascii_lowercase().replace('-', ""));
        Some(self.described(Clue::new(Cause::SignatureAlgorithm, detail), &setting))
    }

    /// With the setting that would make it right, where the form is the operator's.
    fn described(&self, clue: Clue, setting: &str) -> Clue {
        if self.is_described { clue.set(format!("hmac = {{ {setting} }}")) } else { clue }
    }
}

/// Without blanks and one pair of quotes.
fn unquoted(value: &str) -> &str {
    let value = value.trim();
    let inner = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    inner.unwrap_or(value).trim()
}

/// `sha256=…`, `v1,…`: a short name, and something long enough to be a signature.
fn named(text: &str) -> Option<(&str, &str)> {
    let at = text.find(['=', ',', ':'])?;
    let (name, rest) = (text.get(..at)?, text.get(at + 1..)?);
    let is_name = (1..=16).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    (is_name && !rest.is_empty() && rest != "=").then_some((name, rest))
}

fn hex(text: &str) -> Option<Vec<u8>> {
    matches!(text.len(), 40 | 64 | 128).then(|| HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok())?
}

fn digest_of(bytes: usize) -> Option<Digest> {
    match bytes {
        20 => Some(Digest::Sha1),
        32 => Some(Digest::Sha256),
        64 => Some(Digest::Sha512),
        _ => None,
    }
}

pub(super) fn name(digest: Digest) -> &'static str {
    match digest {
        Digest::Sha1 => "SHA-1",
        Digest::Sha256 => "SHA-256",
        Digest::Sha512 => "SHA-512",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Parse = Parse::Plain { prefix: std::borrow::Cow::Borrowed("sha256=") };

    fn read(parse: &Parse, encoding: Encoding, value: &str) -> Vec<(usize, Vec<&'static str>)> {
        let form =
            Form { header: "x-signature", parse, encoding, digest: Digest::Sha256, is_described: true };
        let readings = form.readings(value.as_bytes());
        readings
            .iter()
            .map(|reading| {
                (reading.bytes.len(), reading.clues.iter().map(|clue| clue.cause.code()).collect())
            })
            .collect()
    }

    #[test]
    fn every_spelling_is_read_and_what_is_odd_is_said() {
        let bytes = [0xfb_u8; 32];
        let (hex, base64) = (HEXLOWER_PERMISSIVE.encode(&bytes), BASE64.encode(&bytes));
        let url = BASE64URL_NOPAD.encode(&bytes);
        let twice = BASE64.encode(hex.as_bytes());
        let upper = hex.to_ascii_uppercase();
        let short = "ab".repeat(20);
        for (value, encoding, clues) in [
            (format!("sha256={hex}"), Encoding::Hex, vec![]),
            (format!("sha256={base64}"), Encoding::Base64, vec![]),
            (format!("sha256={url}"), Encoding::Base64Url, vec![]),
            (format!("sha256={hex}"), Encoding::Base64, vec!["sig.hex"]),
            (format!("sha256={base64}"), Encoding::Hex, vec!["sig.base64"]),
            (format!("sha256={url}"), Encoding::Hex, vec!["sig.base64"]),
            (format!("sha256={url}"), Encoding::Base64, vec!["sig.base64url"]),
            (format!("sha256={base64}"), Encoding::Base64Url, vec!["sig.base64url"]),
            (format!("sha256={}", base64.replace('=', "")), Encoding::Base64, vec!["sig.spelling"]),
            (format!("sha256={upper}"), Encoding::Hex, vec!["sig.spelling"]),
            (format!("sha256={twice}"), Encoding::Hex, vec!["sig.spelling"]),
            (hex.clone(), Encoding::Hex, vec!["sig.prefix"]),
            (base64.clone(), Encoding::Base64, vec!["sig.prefix"]),
            (format!("v1={hex}"), Encoding::Hex, vec!["sig.prefix"]),
            (format!("SHA256={base64}"), Encoding::Base64, vec!["sig.prefix"]),
            (format!(" sha256={hex}"), Encoding::Hex, vec!["sig.blanks"]),
            (format!("\"sha256={hex}\""), Encoding::Hex, vec!["sig.blanks"]),
            (format!("sha1={short}"), Encoding::Hex, vec!["sig.prefix", "sig.algorithm"]),
            (
                format!("\"{}\"", hex.to_ascii_uppercase()),
                Encoding::Base64,
                vec!["sig.blanks", "sig.prefix", "sig.hex"],
            ),
        ] {
            let bytes = if value.contains("sha1") { 20 } else { 32 };
            assert_eq!(read(&PLAIN, encoding, &value), [(bytes, clues)], "{value} as {encoding:?}");
        }
    }

    #[test]
    fn what_is_no_signature_is_not_read() {
        for value in ["", "=", "sha256=", "sha256=abc", "t=1,v1=", "\u{e9}", &"ab".repeat(3_000)] {
            assert_eq!(read(&PLAIN, Encoding::Hex, value), [], "{value}");
        }
        let form = Form {
            header: "x-signature",
            parse: &PLAIN,
            encoding: Encoding::Hex,
            digest: Digest::Sha256,
            is_described: false,
        };
        assert!(form.readings(b"sha256=\xff").is_empty());
    }

    #[test]
    fn lists_are_read_item_by_item() {
        let (one, two) = ("ab".repeat(32), "cd".repeat(32));
        let stripe = Parse::KeyValue { delimiter: ',', signature: "v1".into(), timestamp: Some("t".into()) };
        let value = format!("t=1795305600, v0={one},v1={two}");
        assert_eq!(read(&stripe, Encoding::Hex, &value), [(32, vec![]), (32, vec!["sig.prefix"])]);
        assert_eq!(read(&stripe, Encoding::Hex, &one), [(32, vec!["sig.prefix"])]);
        let list = Parse::SpaceList { version: "v1,".into() };
        let base64 = BASE64.encode(&[1; 32]);
        let value = format!("v1a,{base64} v1,{base64} {base64}");
        let prefix = vec!["sig.prefix"];
        assert_eq!(read(&list, Encoding::Base64, &value), [(32, vec![]), (32, prefix.clone()), (32, prefix)]);
        let flood = format!("v1,{base64} ").repeat(40);
        assert_eq!(read(&list, Encoding::Base64, &flood).len(), MOST_ITEMS);
    }

    #[test]
    fn a_setting_is_proposed_where_the_form_is_the_operators() {
        let value = format!("sha256={}", BASE64.encode(&[1; 20]));
        let form = |is_described| Form {
            header: "x-signature",
            parse: &PLAIN,
            encoding: Encoding::Hex,
            digest: Digest::Sha256,
            is_described,
        };
        let settings = |is_described| -> Vec<Option<String>> {
            let readings = form(is_described).readings(value.as_bytes());
            readings[0].clues.iter().map(|clue| clue.setting.clone()).collect()
        };
        let expected = ["hmac = { encoding = \"base64\" }", "hmac = { digest = \"sha1\" }"];
        assert_eq!(settings(true), expected.map(|setting| Some(setting.to_owned())));
        assert_eq!(settings(false), [None, None]);
    }
}
