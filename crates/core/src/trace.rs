//! Trace context: the trace that a sender says a request belongs to (W3C Trace Context, level 1).
//!
//! Hookhouse takes part by passing `traceparent` and `tracestate` on as they came, and by naming the trace in its log.
//! A sender's word proves nothing: the id is for finding lines again, never for deciding.

use std::fmt;

use hookhouse_verify::Headers;

/// The id of a trace: 16 bytes, not all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

impl TraceId {
    /// The trace that a `traceparent` field names. `None` for what is no such field, which a receiver must ignore.
    ///
    /// <https://www.w3.org/TR/trace-context/#traceparent-header>: `version-traceid-parentid-flags` in lower-case hex. A
    /// later version than 00 may go on behind a `-`.
    #[must_use]
    pub fn of_traceparent(field: &[u8]) -> Option<Self> {
        let mut parts = field.splitn(5, |byte| *byte == b'-');
        let version = hex::<1>(parts.next()?)?;
        let trace = hex::<16>(parts.next()?)?;
        let parent = hex::<8>(parts.next()?)?;
        hex::<1>(parts.next()?)?;
        let ends = parts.next().is_none() || version != [0];
        (version != [0xff] && trace != [0; 16] && parent != [0; 8] && ends).then_some(Self(trace))
    }

    /// The trace of a request; `None` where it names none, or several.
    #[must_use]
    pub fn of_headers(headers: &Headers) -> Option<Self> {
        let mut fields = headers.all("traceparent");
        let field = fields.next()?;
        if fields.next().is_some() { None } else { Self::of_traceparent(field) }
    }
}

/// Lower-case hex of exactly `N` bytes.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let lower = text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() != 2 * N || !lower {
        return None;
    }
    data_encoding::HEXLOWER.decode_mut(text, &mut bytes).ok()?;
    Some(bytes)
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_read_and_written_back() {
        let id = "0af7651916cd43dd8448eb211c80319c";
        for field in [
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what the future brings",
        ] {
            let read = TraceId::of_traceparent(field.as_bytes()).expect(field);
            assert_eq!(read.to_string(), id);
        }
    }

    #[test]
    fn what_is_no_traceparent_is_ignored() {
        for field in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c00-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319\n-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceId::of_traceparent(field.as_bytes()), None, "{field:?}");
        }
    }

    #[test]
    fn a_request_with_two_traces_has_none() {
        let field = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".as_slice();
        let headers = |pairs: &[(&str, &[u8])]| Headers::from_pairs(pairs.iter().copied()).unwrap();
        assert!(TraceId::of_headers(&headers(&[("Traceparent", field)])).is_some());
        assert_eq!(TraceId::of_headers(&headers(&[("traceparent", field), ("traceparent", field)])), None);
        assert_eq!(TraceId::of_headers(&headers(&[])), None);
    }
}
