//! The parameters of an `Authorization` (RFC 9110 section 11.2): `name=token` or `name="quoted"`, with commas between.
//!
//! Strict where a second reading is possible: a repeated name, an unended quote, anything between a value and its
//! comma. Lenient only where the RFC says a recipient must be: blanks around `=` and `,`, empty list elements, tokens
//! where quotes are usual and the other way round.

use super::refused::Fault;

/// The most parameters. Digest knows twelve.
const MAX_PARAMETERS: usize = 32;

/// Parameters in order: names in lower case, values as they were meant, without quotes and escapes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parameters(Vec<(String, Vec<u8>)>);

impl Parameters {
    pub(super) fn parse(text: &[u8]) -> Result<Self, Fault> {
        let mut cursor = Cursor(text);
        let mut found = Self(Vec::new());
        loop {
            cursor.skip_blanks();
            while cursor.take(b',') {
                cursor.skip_blanks();
            }
            if cursor.0.is_empty() {
                return Ok(found);
            }
            let name = cursor.token().ok_or(Fault::Malformed("a parameter without a name"))?;
            let name: String = name.iter().map(|b| char::from(b.to_ascii_lowercase())).collect();
            cursor.skip_blanks();
            if !cursor.take(b'=') {
                return Err(Fault::Malformed("a parameter without `=`"));
            }
            cursor.skip_blanks();
            let value = cursor.value()?;
            if found.find(&name).is_some() {
                return Err(Fault::Malformed("a parameter occurs more than once"));
            }
            if found.0.len() == MAX_PARAMETERS {
                return Err(Fault::Malformed("too many parameters"));
            }
            found.0.push((name, value));
            cursor.skip_blanks();
            if !cursor.0.is_empty() && cursor.0.first() != Some(&b',') {
                return Err(Fault::Malformed("something between a parameter and its comma"));
            }
        }
    }

    /// The value of a parameter; `name` in lower case.
    pub(super) fn find(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    }
}

/// What is not read yet.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn skip_blanks(&mut self) {
        while self.take(b' ') || self.take(b'\t') {}
    }

    fn take(&mut self, byte: u8) -> bool {
        self.0.strip_prefix(&[byte]).map(|rest| self.0 = rest).is_some()
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// One or more of RFC 9110's `tchar`.
    fn token(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|b| !is_tchar(*b)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    fn value(&mut self) -> Result<Vec<u8>, Fault> {
        if self.take(b'"') {
            return self.quoted();
        }
        self.token().map(<[u8]>::to_vec).ok_or(Fault::Malformed("a parameter without a value"))
    }

    /// The rest of a quoted-string (RFC 9110 section 5.6.4), whose first quote is read.
    fn quoted(&mut self) -> Result<Vec<u8>, Fault> {
        let mut value = Vec::new();
        loop {
            let byte = match self.next() {
                Some(b'"') => return Ok(value),
                Some(b'\\') => self.next(),
                byte => byte,
            };
            match byte {
                Some(byte) if byte == b'\t' || !byte.is_ascii_control() => value.push(byte),
                Some(_) => return Err(Fault::Malformed("a control character in quotes")),
                None => return Err(Fault::Malformed("a quote that does not end")),
            }
        }
    }
}

/// RFC 9110 section 5.6.2.
fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        let found = Parameters::parse(text.as_bytes()).unwrap();
        found.0.into_iter().map(|(name, value)| (name, String::from_utf8(value).unwrap())).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn tokens_quotes_escapes_and_blanks() {
        assert_eq!(parsed(r#"A=b,c="d, e=f""#), pairs(&[("a", "b"), ("c", "d, e=f")]));
        assert_eq!(parsed(r#"a = "\"x\\y\z" , b	=1"#), pairs(&[("a", "\"x\\yz"), ("b", "1")]));
        assert_eq!(parsed(r#", ,a="",, b=c ,"#), pairs(&[("a", ""), ("b", "c")]));
        assert_eq!(parsed("a=\"\u{e4}\""), pairs(&[("a", "\u{e4}")]));
        assert_eq!(parsed(""), []);
    }

    #[test]
    fn a_second_reading_is_refused() {
        for text in [
            "a",
            "a=",
            "=b",
            "a=b c=d",
            "a=b;c=d",
            "a=\"b\"c",
            "a=\"b",
            "a=\"b\\",
            "a=\"b\\\"",
            "a=b, A=c",
            "a=\"\", a=\"\"",
            "a=/x",
            "a=b=",
            "a=\"\u{1}\"",
            "a=\"\\\u{7f}\"",
            "\u{e4}=b",
            "a=b, Basic YQ==",
        ] {
            assert!(matches!(Parameters::parse(text.as_bytes()), Err(Fault::Malformed(_))), "{text:?}");
        }
    }

    #[test]
    fn there_is_an_end_to_how_many() {
        let many = |n: usize| (0..n).map(|i| format!("p{i}=1")).collect::<Vec<_>>().join(",");
        assert_eq!(parsed(&many(MAX_PARAMETERS)).len(), MAX_PARAMETERS);
        assert!(Parameters::parse(many(MAX_PARAMETERS + 1).as_bytes()).is_err());
    }

    /// A value in quotes, every byte that may be escaped escaped when `all` says so.
    fn quote(value: &[u8], all: bool) -> Vec<u8> {
        let escaped = value.iter().flat_map(|b| {
            let escape = all || matches!(b, b'"' | b'\\');
            escape.then_some(b'\\').into_iter().chain([*b])
        });
        [b'"'].into_iter().chain(escaped).chain([b'"']).collect()
    }

    proptest! {
        #[test]
        fn what_was_written_is_what_is_read(
            values in prop::collection::btree_map(
                "[a-z0-9*-]{1,8}",
                (prop::collection::vec(prop_oneof![Just(b'\t'), 0x20_u8..0x7f, 0x80_u8..], 0..20), any::<bool>(), " {0,2}"),
                0..=MAX_PARAMETERS,
            ),
        ) {
            let mut text = Vec::new();
            for (name, (value, all, blanks)) in &values {
                text.extend_from_slice(format!("{blanks}{}{blanks}={blanks}", name.to_uppercase()).as_bytes());
                text.extend(quote(value, *all));
                text.extend_from_slice(format!("{blanks},").as_bytes());
            }
            let read = Parameters::parse(&text).unwrap();
            let written: Vec<_> = values.into_iter().map(|(name, (value, ..))| (name, value)).collect();
            prop_assert_eq!(read.0, written);
        }

        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(read) = Parameters::parse(&text) {
                prop_assert!(read.0.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() <= text.len());
            }
        }

        #[test]
        fn no_grammar_makes_it_panic(text in "([ad=, \t\"\\\\]|\"a\"|a=){0,40}") {
            let text: String = text;
            if let Ok(read) = Parameters::parse(text.as_bytes()) {
                let names: std::collections::BTreeSet<_> = read.0.iter().map(|(name, _)| name).collect();
                prop_assert_eq!(names.len(), read.0.len());
            }
        }
    }
}
