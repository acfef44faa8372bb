//! What somebody on the way could do to a signed request.

use bytes::{BufMut, Bytes, BytesMut};

/// What to change after the event was signed. Both leave it well formed, so that nothing but the signature check can
/// refuse it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tamper {
    /// One character of the signature.
    Signature,
    /// One digit of the body.
    Body,
}

/// Another body of the same form: its last digit is changed, or a space added where there is no digit.
pub(super) fn body(body: &Bytes) -> Bytes {
    let mut changed = BytesMut::from(body.as_ref());
    match changed.iter_mut().rfind(|byte| byte.is_ascii_digit()) {
        Some(digit) => *digit = if *digit == b'1' { b'2' } else { b'1' },
        None => changed.put_u8(b' '),
    }
    changed.freeze()
}

/// Another signature of the same form. The last character of base64 has spare bits, so the one before it is changed.
pub(super) fn signature(value: &str) -> String {
    let at = value.trim_end_matches('=').len().saturating_sub(2);
    let flip = |c| match c {
        '1' => '2',
        '0'..='9' => '1',
        'b' => 'c',
        'a'..='z' => 'b',
        'B' => 'C',
        'A'..='Z' => 'B',
        _ => 'x',
    };
    value.char_indices().map(|(i, c)| if i == at { flip(c) } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_character_changes_and_the_form_stays() {
        for value in ["sha256=AAAA1+==", "v1,abcDEF/=", "t=1,v1=00ff", "deadbeef"] {
            let changed = signature(value);
            assert_eq!(value.len(), changed.len());
            assert_eq!(
                value.chars().zip(changed.chars()).filter(|(a, b)| a != b).count(),
                1,
                "{value} {changed}"
            );
        }
    }

    #[test]
    fn one_digit_of_the_body_changes() {
        for (before, after) in
            [("{\"n\":10}", "{\"n\":11}"), ("a=1&b=c", "a=2&b=c"), ("{}", "{} "), ("", " ")]
        {
            assert_eq!(body(&Bytes::from(before)), after);
        }
    }
}
