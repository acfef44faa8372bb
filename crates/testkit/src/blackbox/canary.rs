//! Whether a secret shows somewhere, in any form in which it could.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;
use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

/// A secret that a test looks for, in every form.
#[derive(Debug, Clone)]
pub struct Canary {
    name: String,
    forms: Vec<(&'static str, Vec<u8>)>,
}

impl Canary {
    /// The secret of a slot.
    #[must_use]
    pub fn new(name: &str, secret: &[u8]) -> Self {
        let mut forms = vec![
            ("raw", secret.to_vec()),
            ("hex", HEXLOWER.encode(secret).into_bytes()),
            ("HEX", HEXUPPER.encode(secret).into_bytes()),
            ("percent-encoded", percent(secret, false).into_bytes()),
            ("percent-encoded throughout", percent(secret, true).into_bytes()),
            ("JSON", serde_json::to_vec(&String::from_utf8_lossy(secret)).unwrap_or_default()),
        ];
        for before in 0..3 {
            forms.push(("base64", aligned(secret, before, &BASE64_NOPAD)));
            forms.push(("base64url", aligned(secret, before, &BASE64URL_NOPAD)));
        }
        Self { name: name.to_owned(), forms }
    }
}

/// Which secrets show in bytes, and in which form. One look at the bytes, however many secrets there are: a log can have
/// hundreds of megabytes.
#[must_use]
pub fn sightings(canaries: &[Canary], bytes: &[u8]) -> Vec<String> {
    let forms: Vec<_> = canaries
        .iter()
        .flat_map(|canary| canary.forms.iter().map(move |(form, text)| (canary, form, text)))
        .collect();
    let all = AhoCorasick::new(forms.iter().map(|(_, _, text)| text)).expect("a few short patterns");
    // Forms may share their bytes: each that is there is told.
    let seen: BTreeSet<_> = all
        .find_overlapping_iter(bytes)
        .map(|found| forms[found.pattern().as_usize()])
        .map(|(canary, form, _)| format!("{} ({form})", canary.name))
        .collect();
    seen.into_iter().collect()
}

/// What base64 makes of a secret behind so many bytes of something else, without the letters that those have a part in.
fn aligned(secret: &[u8], before: usize, encoding: &data_encoding::Encoding) -> Vec<u8> {
    let mut padded = vec![0; before];
    padded.extend_from_slice(secret);
    // What follows has a part in the last letters.
    padded.truncate(padded.len() / 3 * 3);
    let text = encoding.encode(&padded).into_bytes();
    text.get((before * 8).div_ceil(6)..).unwrap_or_default().to_vec()
}

fn percent(secret: &[u8], throughout: bool) -> String {
    let plain = |byte: u8| !throughout && (byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    let one = |byte: &u8| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
    secret.iter().map(one).collect()
}

/// Thirty-two random bytes as text that fits into a variable: 44 letters.
#[must_use]
pub fn random_text() -> String {
    BASE64.encode(&random())
}

/// Thirty-two random bytes.
#[must_use]
pub fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_seen_in_every_form_and_place() {
        let secret = random();
        let canary = Canary::new("slot", &secret);
        for before in 0..7 {
            let mut inside = vec![b'x'; before];
            inside.extend_from_slice(&secret);
            inside.extend_from_slice(b"yz");
            for text in [
                inside.clone(),
                HEXLOWER.encode(&inside).into_bytes(),
                HEXUPPER.encode(&inside).into_bytes(),
                BASE64.encode(&inside).into_bytes(),
                BASE64URL_NOPAD.encode(&inside).into_bytes(),
                percent(&inside, false).into_bytes(),
                percent(&inside, true).into_bytes(),
            ] {
                assert!(!sightings(std::slice::from_ref(&canary), &text).is_empty(), "{before} {text:?}");
            }
        }
        assert!(sightings(&[canary], &random_text().into_bytes()).is_empty());
    }
}
