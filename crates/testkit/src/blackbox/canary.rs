//! Whether a secret shows somewhere, in any form in which it could.

use std::collections::HashMap;

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

/// Which secrets show in bytes, and in which form. One look at the bytes, however many secrets there are.
#[must_use]
pub fn sightings(canaries: &[Canary], bytes: &[u8]) -> Vec<String> {
    let mut beginnings: HashMap<[u8; HEAD], Vec<Form<'_>>> = HashMap::new();
    for canary in canaries {
        for (form, text) in &canary.forms {
            if let Some(head) = text.first_chunk::<HEAD>() {
                beginnings.entry(*head).or_default().push((canary, form, text));
            }
        }
    }
    let mut seen = Vec::new();
    let mut rest = bytes;
    while let Some(head) = rest.first_chunk::<HEAD>() {
        let here = beginnings.get(head).into_iter().flatten().filter(|(_, _, text)| rest.starts_with(text));
        seen.extend(here.map(|(canary, form, _)| format!("{} ({form})", canary.name)));
        rest = rest.get(1..).unwrap_or_default();
    }
    seen.sort();
    seen.dedup();
    seen
}

/// A form of a secret.
type Form<'a> = (&'a Canary, &'static str, &'a [u8]);

/// What is compared first. No form is shorter.
const HEAD: usize = 8;

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
