//! Form parameters, as bytes: what is signed is what they decode to.

use std::borrow::Cow;

/// Twilio sends a few dozen; the common frameworks stop at 1,000.
pub(crate) const MOST_PARAMETERS: usize = 4_096;

/// Decoded bytes, borrowed where there was nothing to decode.
type Decoded<'a> = Cow<'a, [u8]>;

/// Decoded parameters, sorted by key and then by value, each pair once.
///
/// Sorting pairs and dropping repeats is Twilio's rule in one step: keys in byte order, the values of a repeated key
/// unique and in byte order.
#[derive(Debug)]
pub(crate) struct Parameters<'a> {
    pairs: Vec<(Decoded<'a>, Decoded<'a>)>,
    /// Whether there were more than are looked at.
    pub(crate) too_many: bool,
}

impl<'a> Parameters<'a> {
    /// Reads a form body or a query.
    pub(crate) fn read(form: &'a [u8]) -> Self {
        let mut fields = fields(form);
        let read = |(key, value)| (decode(key), decode(value));
        let mut pairs: Vec<_> = fields.by_ref().take(MOST_PARAMETERS).map(read).collect();
        pairs.sort_unstable();
        pairs.dedup();
        Self { pairs, too_many: fields.next().is_some() }
    }

    /// Keys and values, one after the other, as they are signed.
    pub(crate) fn signed(&self) -> Vec<u8> {
        let bytes = self.pairs.iter().map(|(key, value)| key.len() + value.len()).sum();
        let mut signed = Vec::with_capacity(bytes);
        for (key, value) in &self.pairs {
            signed.extend_from_slice(key);
            signed.extend_from_slice(value);
        }
        signed
    }

    /// The (first) value of a key.
    pub(crate) fn value(&self, key: &str) -> Option<&[u8]> {
        self.values(key).next()
    }

    /// The values of a key, each once.
    pub(crate) fn values(&self, key: &str) -> impl Iterator<Item = &[u8]> {
        let at = self.pairs.partition_point(|(k, _)| k.as_ref() < key.as_bytes());
        let from = self.pairs.get(at..).unwrap_or_default().iter();
        from.take_while(move |(k, _)| k.as_ref() == key.as_bytes()).map(|(_, value)| value.as_ref())
    }
}

/// The fields of a form in the order they came, each as an encoded key and an encoded value.
pub(crate) fn fields(form: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    form.split(|b| *b == b'&').filter(|field| !field.is_empty()).map(|field| {
        let at = field.iter().position(|b| *b == b'=').unwrap_or(field.len());
        let (key, value) = field.split_at_checked(at).unwrap_or((field, b""));
        (key, value.strip_prefix(b"=").unwrap_or(value))
    })
}

/// Undoes form encoding. A `%` without two hex digits stays as it is, as in every form parser; nothing becomes text,
/// so nothing is lost.
pub(crate) fn decode(text: &[u8]) -> Decoded<'_> {
    if !text.iter().any(|b| matches!(b, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, escaped(tail)) {
            (b'%', Some((value, after))) => {
                out.push(value);
                rest = after;
            }
            (b'+', _) => out.push(b' '),
            (other, _) => out.push(*other),
        }
    }
    Cow::Owned(out)
}

/// The byte that two hex digits stand for, and what follows them.
fn escaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, after) = text.split_first_chunk::<2>()?;
    let [high, low] = digits.map(|b| char::from(b).to_digit(16));
    Some((u8::try_from(high? * 16 + low?).ok()?, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(form: &str) -> String {
        String::from_utf8(Parameters::read(form.as_bytes()).signed()).unwrap()
    }

    #[test]
    fn parameters_are_signed_by_key_with_unique_sorted_values() {
        assert_eq!(signed("Digits=5678&Digits=1234&Digits=1234&Sid=CA&A"), "ADigits1234Digits5678SidCA");
        assert_eq!(signed("ReasonConferenceEnded=x&Reason=y"), "ReasonyReasonConferenceEndedx");
        assert_eq!(signed("callSid=1&CallSid=2&CALLSID=3"), "CALLSID3CallSid2callSid1");
        assert_eq!(signed("Empty=&&Other"), "EmptyOther");
        assert_eq!(signed("9=b&10=a"), "10a9b");
        assert_eq!(signed(""), "");
    }

    #[test]
    fn values_are_decoded_to_bytes() {
        assert_eq!(signed("Body=a+b%2Bc%20d%3D=%26"), "Bodya b+c d==&");
        assert_eq!(signed("B%6fdy=100%&X=%zz%4"), "Body100%X%zz%4");
        assert_eq!(Parameters::read(b"a=%ff%00").signed(), b"a\xff\0");
        assert_eq!(Parameters::read("a=h\u{e9}llo".as_bytes()).signed(), "ah\u{e9}llo".as_bytes());
    }

    #[test]
    fn a_value_is_found_by_its_whole_key() {
        let parameters = Parameters::read(b"CallSid=1&CallStatus=busy&Call=2");
        assert_eq!(parameters.value("CallStatus"), Some(&b"busy"[..]));
        assert_eq!(parameters.value("Call"), Some(&b"2"[..]));
        assert_eq!(parameters.value("CallS"), None);
        assert_eq!(parameters.value("Z"), None);
        let repeated = Parameters::read(b"a=2&b=3&a=1&a=2&");
        assert_eq!(repeated.values("a").collect::<Vec<_>>(), [b"1", b"2"]);
    }

    #[test]
    fn a_flood_of_parameters_is_noticed() {
        assert!(!Parameters::read("a&".repeat(MOST_PARAMETERS).as_bytes()).too_many);
        assert!(Parameters::read("a&".repeat(MOST_PARAMETERS + 1).as_bytes()).too_many);
    }
}
