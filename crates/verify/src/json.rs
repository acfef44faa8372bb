//! A look into JSON without building it.
//!
//! Bodies are hostile even when they are signed: a person's text is in them. Whatever is not looked for is skipped by
//! `serde_json`'s iterative skipper, which takes any depth, any number and any escape, so that neither ten thousand
//! brackets nor `1e400` nor a lone surrogate costs an event. The looking itself descends only as deep as the caller
//! names keys.

mod glance;
mod pieces;
mod scan;

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

pub(crate) use self::glance::text_in;
pub(crate) use self::pieces::{Canonical, Items, Member, Object, Raw, text};

/// Whether the bytes are a JSON object and nothing else.
pub(crate) fn is_object(bytes: &[u8]) -> bool {
    begins_with(b'{', bytes) && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// Whether the bytes are a JSON array and nothing else.
pub(crate) fn is_array(bytes: &[u8]) -> bool {
    begins_with(b'[', bytes) && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

fn begins_with(bracket: u8, bytes: &[u8]) -> bool {
    bytes.iter().find(|b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r')) == Some(&bracket)
}

/// The text or the whole number at the end of a path of keys; the first one, where a key is repeated.
pub(crate) fn text_at<'p>(bytes: &[u8], path: impl IntoIterator<Item = &'p str>) -> Option<String> {
    let path: Vec<&str> = path.into_iter().collect();
    let mut found = None;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    // The error that a find ends with, and any real one, are the same to a best-effort look.
    Find { path: &path, found: &mut found }.deserialize(&mut reader).ok();
    found
}

/// As [`text_at`], in an object or in the first element of an array of objects.
pub(crate) fn text_at_first<'p>(bytes: &[u8], path: impl IntoIterator<Item = &'p str>) -> Option<String> {
    let path: Vec<&str> = path.into_iter().collect();
    let mut found = None;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    First(Find { path: &path, found: &mut found }).deserialize(&mut reader).ok();
    found
}

/// Ends a look early; never shown.
const FOUND: &str = "found";

struct Find<'a> {
    path: &'a [&'a str],
    found: &'a mut Option<String>,
}

impl Find<'_> {
    fn end<E: Error>(self, value: impl fmt::Display) -> Result<(), E> {
        if self.path.is_empty() {
            *self.found = Some(value.to_string());
            return Err(E::custom(FOUND));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Find<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Find<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let Some((first, rest)) = self.path.split_first() else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        while let Some(is_next) = map.next_key_seed(KeyIs(first))? {
            if is_next {
                map.next_value_seed(Find { path: rest, found: &mut *self.found })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<(), S::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.end(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.end(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.end(value)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Looks into an object or the first element of an array; nothing after that element is read.
struct First<'a>(Find<'a>);

impl<'de> DeserializeSeed<'de> for First<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for First<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<(), M::Error> {
        self.0.visit_map(map)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<(), S::Error> {
        seq.next_element_seed(self.0)?;
        Err(S::Error::custom(FOUND))
    }
}

/// Whether a key is the one looked for, without keeping it.
struct KeyIs<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for KeyIs<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyIs<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

/// The text, if it is fit for logs, labels and lists: short, printable, without blanks.
pub(crate) fn label(text: &str) -> Option<String> {
    (!text.is_empty() && text.len() <= 128 && text.bytes().all(|b| b.is_ascii_graphic()))
        .then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_an_object_however_odd_its_inside() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
        let deep_objects = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
        for body in [
            "{}",
            " \r\n\t{ } ",
            r#"{"a":1,"a":2}"#,
            r#"{"n":1e400,"m":-1e-400,"k":123456789012345678901234567890}"#,
            r#"{"s":"\ud800","\udc00":"\udc00\ud800"}"#,
            &deep,
            &deep_objects,
        ] {
            assert!(is_object(body.as_bytes()), "{}", &body[..body.len().min(40)]);
        }
        assert!(is_object(b"{\"latin\":\"caf\xe9\"}"), "bytes that are not UTF-8 inside a string");
    }

    #[test]
    fn everything_else_is_not() {
        for body in [
            "",
            " ",
            "1234567890123456",
            "true",
            "null",
            "[]",
            "[{}]",
            "\"s\"",
            "{",
            "{}}",
            "{}{}",
            "{}x",
            "{a:1}",
            "{\"a\":1,}",
            "\u{feff}{}",
            "\u{a0}{}",
            "\u{b}{}",
            "N2YyYzFjMWUtNWYwZS00YTU1LTljMGUtMmIxZDlhNmYwYTEx",
        ] {
            assert!(!is_object(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn an_array_is_an_array() {
        for (body, expected) in [
            ("[]", true),
            (" \r\n[{}, 1e400]\r\n", true),
            ("{}", false),
            ("1[]", false),
            ("[", false),
            ("[]]", false),
            ("", false),
        ] {
            assert_eq!(is_array(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn text_is_found_by_its_path_and_only_there() {
        let body =
            br#"{"x":[{"type":"no"}],"n":-7,"event":{"z":{"type":"no"},"type":"message"},"type":"outer"}"#;
        assert_eq!(text_at(body, ["event", "type"]).as_deref(), Some("message"));
        assert_eq!(text_at(body, ["type"]).as_deref(), Some("outer"));
        assert_eq!(text_at(body, ["n"]).as_deref(), Some("-7"));
        for path in [&["x"][..], &["x", "type"], &["event"], &["type", "event"], &["none"], &[]] {
            assert_eq!(text_at(body, path.iter().copied()), None, "{path:?}");
        }
        assert_eq!(text_at(br#"{"a":"first","a":"second"}"#, ["a"]).as_deref(), Some("first"));
    }

    #[test]
    fn what_is_found_does_not_depend_on_what_follows() {
        assert_eq!(text_at(br#"{"a":"b","n":1e400"#, ["a"]).as_deref(), Some("b"));
        let deep = format!("{{\"x\":{}1{},\"a\":\"b\"}}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(text_at(deep.as_bytes(), ["a"]).as_deref(), Some("b"));
    }

    #[test]
    fn the_first_element_of_an_array_stands_for_all() {
        for (body, expected) in [
            (r#"[{"id":"1","type":"a.b"},{"type":"c"}]"#, Some("a.b")),
            (r#"{"type":"a.b"}"#, Some("a.b")),
            (r#"[{"type":"a.b"},{"#, Some("a.b")),
            (r#"[{"id":"1"},{"type":"c"}]"#, None),
            (r#"[[{"type":"c"}]]"#, None),
            (r#"["type"]"#, None),
            ("[]", None),
            ("\"type\"", None),
            ("", None),
        ] {
            assert_eq!(text_at_first(body.as_bytes(), ["type"]).as_deref(), expected, "{body}");
        }
        let deep = format!("[{{\"x\":{}1{},\"type\":\"b\"}}]", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(text_at_first(deep.as_bytes(), ["type"]).as_deref(), Some("b"));
    }

    #[test]
    fn a_label_is_short_and_printable() {
        assert_eq!(label("post.create").as_deref(), Some("post.create"));
        for text in ["", "a b", "a\u{202e}", "a\n", &"x".repeat(129)] {
            assert_eq!(label(text), None, "{text:?}");
        }
    }
}
