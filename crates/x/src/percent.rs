//! Percent-encoding as RFC 5849 §3.6 wants it: everything but RFC 3986's unreserved characters.

/// The text of some bytes, fit for a path segment, a query and a signature.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::new();
    for byte in bytes.as_ref() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(*byte));
        } else {
            let digit = |nibble: u8| char::from(HEX.get(usize::from(nibble)).copied().unwrap_or(b'0'));
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    out
}

/// `name=value&…`, both encoded; empty for no pairs.
pub(crate) fn query(pairs: &[(&'static str, String)]) -> String {
    pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect::<Vec<_>>()
        .join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stay() {
        assert_eq!(encode("Ladies + Gentlemen"), "Ladies%20%2B%20Gentlemen");
        assert_eq!(encode("An encoded string!"), "An%20encoded%20string%21");
        assert_eq!(encode("☃-._~/"), "%E2%98%83-._~%2F");
        assert_eq!(query(&[("ids", "1,2".to_owned()), ("n", String::new())]), "ids=1%2C2&n=");
    }
}
