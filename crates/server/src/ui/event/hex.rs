//! Bytes, sixteen to a line.

/// Sixteen bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct Line {
    pub(in crate::ui) offset: String,
    pub(in crate::ui) bytes: String,
    /// The same as text, where it is printable ASCII.
    pub(in crate::ui) text: String,
}

pub(super) fn lines(body: &[u8]) -> Vec<Line> {
    let line = |(place, bytes): (usize, &[u8])| {
        let halves = bytes
            .chunks(8)
            .map(|half| half.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "));
        Line {
            offset: format!("{:06x}", place * 16),
            bytes: format!("{:<48}", halves.collect::<Vec<_>>().join("  ")),
            text: bytes
                .iter()
                .map(|byte| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '·' })
                .collect(),
        }
    };
    body.chunks(16).enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bytes_are_a_line() {
        let lines = lines(b"<b>hello\xff\0\n 01234567");
        assert_eq!(lines[0].bytes, "3c 62 3e 68 65 6c 6c 6f  ff 00 0a 20 30 31 32 33");
        assert_eq!((lines[0].text.as_str(), lines[1].offset.as_str()), ("<b>hello··· 0123", "000010"));
        assert_eq!(lines[1].bytes.trim_end(), "34 35 36 37");
    }
}
