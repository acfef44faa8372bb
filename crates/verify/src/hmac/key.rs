//! From a stored secret to key bytes.

use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER_PERMISSIVE};
use zeroize::Zeroizing;

use crate::descriptor::KeyForm;

impl KeyForm {
    /// The key bytes; `None` when the secret is not of this form, or holds nothing.
    pub(crate) fn bytes(self, secret: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let bytes = match self {
            Self::Utf8 => secret.to_vec(),
            Self::Base64 => base64(secret)?,
            Self::WhsecBase64 => match secret.strip_prefix(b"whsec_") {
                Some(encoded) => base64(encoded)?,
                None => BASE64.decode(secret).unwrap_or_else(|_| secret.to_vec()),
            },
            Self::Hex => HEXLOWER_PERMISSIVE.decode(secret).ok()?,
        };
        Some(Zeroizing::new(bytes)).filter(|bytes| !bytes.is_empty())
    }

    /// The form in words.
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::Utf8 => "text",
            Self::Base64 => "base64",
            Self::WhsecBase64 => "`whsec_` and base64",
            Self::Hex => "hex",
        }
    }
}

/// With or without its padding: secrets are pasted by people.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text.iter().rev().take_while(|b| **b == b'=').count();
    let (digits, _) = text.split_at_checked(text.len() - padding)?;
    BASE64_NOPAD.decode(digits).ok().filter(|_| padding <= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_decoded_or_refused() {
        let bytes = |form: KeyForm, secret: &str| form.bytes(secret.as_bytes()).map(|bytes| bytes.to_vec());
        for (form, secret, expected) in [
            (KeyForm::Utf8, "whsec_aGk=", Some(&b"whsec_aGk="[..])),
            (KeyForm::Base64, "aGk=", Some(b"hi")),
            (KeyForm::Base64, "aGk", Some(b"hi")),
            (KeyForm::Base64, "aGk===", None),
            (KeyForm::Base64, "a b=", None),
            (KeyForm::WhsecBase64, "whsec_aGk=", Some(b"hi")),
            (KeyForm::WhsecBase64, "whsec_", None),
            (KeyForm::WhsecBase64, "whsec_not base64", None),
            (KeyForm::WhsecBase64, "aGk=", Some(b"hi")),
            (KeyForm::WhsecBase64, "plain text", Some(b"plain text")),
            (KeyForm::Hex, "6869", Some(b"hi")),
            (KeyForm::Hex, "6A6b", Some(b"jk")),
            (KeyForm::Hex, "686", None),
            (KeyForm::Hex, "zz", None),
        ] {
            assert_eq!(bytes(form, secret).as_deref(), expected, "{secret} as {form:?}");
        }
    }
}
