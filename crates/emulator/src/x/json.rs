//! JSON on the wire, in the two hands that X writes: the old API escapes everything outside ASCII and every slash, the
//! new one does not.

use std::io;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

/// As the v2 API writes it.
pub(super) fn plain(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

/// As the Account Activity API writes it: `\u00e9`, `\/`, `\u003c`.
pub(super) fn escaped(value: &Value) -> Bytes {
    let mut out = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut out, Escaping);
    match value.serialize(&mut serializer) {
        Ok(()) => Bytes::from(out),
        // A `Value` in memory always has a text; the other hand would write the same.
        Err(_) => plain(value),
    }
}

struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut units = [0; 2];
        for c in fragment.chars() {
            match c {
                '/' => writer.write_all(b"\\/")?,
                '<' | '>' => write!(writer, "\\u{:04x}", u32::from(c))?,
                c if c.is_ascii() => {
                    CompactFormatter.write_string_fragment(writer, c.encode_utf8(&mut [0; 4]))?
                }
                c => {
                    for unit in c.encode_utf16(&mut units) {
                        write!(writer, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_hands_say_the_same() {
        let value = json!({ "id": 2_080_761_269_309_813_134_u64, "t": "a/b <é> 💡 \"q\"\n" });
        let text = escaped(&value);
        assert!(text.is_ascii());
        assert_eq!(
            &text[..],
            br#"{"id":2080761269309813134,"t":"a\/b \u003c\u00e9\u003e \ud83d\udca1 \"q\"\n"}"#
        );
        assert_ne!(text, plain(&value));
        assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), value);
    }
}
