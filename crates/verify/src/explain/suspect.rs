//! Which secrets may have signed, and in which form.

use std::collections::HashSet;

use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER_PERMISSIVE};
use zeroize::Zeroizing;

use super::cause::Cause;
use super::explanation::Clue;
use super::trial::Suspect;
use crate::descriptor::KeyForm;
use crate::mac;
use crate::verifier::Verifier;

/// As many keys of other sources as are looked at.
const MOST_OF_OTHERS: usize = 64;

/// The secret of a source, with its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) name: &'a str,
    pub(super) secret: &'a [u8],
    pub(super) form: KeyForm,
}

impl<'a> Known<'a> {
    /// A key that counts as it is.
    pub(super) fn as_configured(self) -> Option<Suspect> {
        self.suspect(Vec::new())
    }

    /// A key that would have been right but for what the clue says.
    pub(super) fn but(self, clue: Clue) -> Option<Suspect> {
        self.suspect(vec![clue])
    }

    fn suspect(self, clues: Vec<Clue>) -> Option<Suspect> {
        Some(Suspect { bytes: self.form.bytes(self.secret)?, clues })
    }

    /// The same secret in the forms that it may have been meant in.
    pub(super) fn forms(self, is_described: bool) -> Vec<Suspect> {
        let mut suspects: Vec<Suspect> = Vec::new();
        let mut add = |bytes: Option<Vec<u8>>, clue: Clue| {
            let bytes = bytes.filter(|bytes| !bytes.is_empty());
            suspects.extend(bytes.map(|bytes| Suspect { bytes: Zeroizing::new(bytes), clues: vec![clue] }));
        };
        let bare = unquoted(self.secret);
        if bare != self.secret {
            let detail = format!(
                "`{}` has blanks, a line end or quotes around it, which the provider's secret has not",
                self.name
            );
            let bytes = self.form.bytes(bare).map(|bytes| bytes.to_vec());
            add(bytes, Clue::new(Cause::KeyBlanks, detail).set(self.name));
        }
        let with_line_end = [bare, b"\n"].concat();
        if self.form == KeyForm::Utf8 && with_line_end != self.secret {
            let detail = format!("the sender's copy of `{}` has a line end after it", self.name);
            add(Some(with_line_end), Clue::new(Cause::KeyBlanks, detail).set(self.name));
        }
        let form = |how: &str, setting: &str| {
            let detail = format!("it was signed with `{}` {how}", self.name);
            let clue = Clue::new(Cause::KeyForm, detail);
            clue.set(if is_described {
                format!("hmac = {{ key = \"{setting}\" }}")
            } else {
                self.name.to_owned()
            })
        };
        let text = bare.strip_prefix(b"whsec_").unwrap_or(bare);
        if self.form != KeyForm::Utf8 {
            add(Some(bare.to_vec()), form("as it is written, without decoding it", "utf8"));
        }
        if text != bare {
            add(Some(text.to_vec()), form("as it is written after `whsec_`", "utf8"));
        }
        if !matches!(self.form, KeyForm::Base64 | KeyForm::WhsecBase64) {
            let decoded = BASE64.decode(text).or_else(|_| BASE64_NOPAD.decode(text)).ok();
            let setting = if text == bare { "base64" } else { "whsec-base64" };
            add(decoded, form("decoded from base64", setting));
        }
        if self.form != KeyForm::Hex {
            add(HEXLOWER_PERMISSIVE.decode(text).ok(), form("decoded from hex", "hex"));
        }
        suspects
    }
}

/// The keys of other sources, each once, in the form of this scheme or else in their own.
pub(super) fn of_others<'a>(
    others: impl Iterator<Item = (&'a str, &'a Verifier)>,
    form: KeyForm,
) -> Vec<Suspect> {
    let mut seen = HashSet::new();
    let mut suspects = Vec::new();
    for (source, verifier) in others {
        for known in secrets(verifier) {
            let Some(bytes) = form.bytes(known.secret).or_else(|| known.form.bytes(known.secret)) else {
                continue;
            };
            if suspects.len() < MOST_OF_OTHERS && seen.insert(mac::sha256(&bytes)) {
                let detail = format!("it was signed with `{}` of source `{source}`", known.name);
                suspects.push(Suspect { bytes, clues: vec![Clue::new(Cause::KeyOtherSource, detail)] });
            }
        }
    }
    suspects
}

/// Every secret of a source. SendGrid's keys are public: nothing could be signed with one.
pub(super) fn secrets(verifier: &Verifier) -> Vec<Known<'_>> {
    let rings = match verifier {
        Verifier::X(x) => vec![(&x.consumer.keys, KeyForm::Utf8), (&x.oauth2.keys, KeyForm::Utf8)],
        Verifier::Twilio(twilio) => {
            let shared = twilio.shared.iter().map(|lane| &lane.keys);
            let accounts = twilio.accounts.iter().map(|lane| &lane.keys);
            std::iter::once(&twilio.tokens)
                .chain(accounts)
                .chain(shared)
                .map(|keys| (keys, KeyForm::Utf8))
                .collect()
        }
        Verifier::Hmac(hmac) => vec![(&hmac.keys, hmac.descriptor.key)],
        Verifier::SendGrid(_) | Verifier::Unsigned => Vec::new(),
    };
    let known = |form| move |key| known(key, form);
    rings.into_iter().flat_map(|(keys, form)| keys.iter().map(known(form))).collect()
}

/// A key of a ring.
pub(super) fn known<K>(key: &crate::keyring::Named<K>, form: KeyForm) -> Known<'_> {
    Known { name: key.name(), secret: key.secret().expose(), form }
}

/// Without blanks, line ends and one pair of quotes.
fn unquoted(secret: &[u8]) -> &[u8] {
    let secret = secret.trim_ascii();
    let inner = [b"\"", b"'"].into_iter().find_map(|quote| secret.strip_prefix(quote)?.strip_suffix(quote));
    inner.unwrap_or(secret).trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(secret: &str, form: KeyForm) -> Vec<(String, &'static str, Option<String>)> {
        let known = Known { name: "secret", secret: secret.as_bytes(), form };
        let told = |suspect: &Suspect| {
            let clue = &suspect.clues[0];
            let bytes = String::from_utf8_lossy(&suspect.bytes).into_owned();
            (bytes, clue.cause.code(), clue.setting.clone())
        };
        known.forms(true).iter().map(told).collect()
    }

    fn has(forms: &[(String, &'static str, Option<String>)], bytes: &str, code: &str, setting: &str) -> bool {
        forms.iter().any(|(b, c, s)| b == bytes && *c == code && s.as_deref() == Some(setting))
    }

    #[test]
    fn a_secret_is_tried_in_the_forms_it_may_have_been_meant_in() {
        let text = forms("aGk=", KeyForm::Utf8);
        assert!(has(&text, "hi", "key.form", "hmac = { key = \"base64\" }"));
        assert!(has(&text, "aGk=\n", "key.blanks", "secret"));
        assert!(has(&forms("aGk=\r\n", KeyForm::Utf8), "aGk=", "key.blanks", "secret"));
        assert!(has(&forms("\"aGk=\"", KeyForm::Utf8), "aGk=", "key.blanks", "secret"));
        assert!(has(&forms("6869", KeyForm::Utf8), "hi", "key.form", "hmac = { key = \"hex\" }"));
        assert!(has(&forms("aGk=", KeyForm::Base64), "aGk=", "key.form", "hmac = { key = \"utf8\" }"));
        let whsec = forms("whsec_aGk=", KeyForm::WhsecBase64);
        assert!(has(&whsec, "whsec_aGk=", "key.form", "hmac = { key = \"utf8\" }"));
        assert!(has(&whsec, "aGk=", "key.form", "hmac = { key = \"utf8\" }"));
        let plain = forms("whsec_aGk=", KeyForm::Utf8);
        assert!(has(&plain, "hi", "key.form", "hmac = { key = \"whsec-base64\" }"));
    }
}
