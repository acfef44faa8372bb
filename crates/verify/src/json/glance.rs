//! A glance into JSON that was read already: the way to one text in it, without an error to end with, which would be
//! allocated.

use std::borrow::Cow;

use super::pieces::{Raw, string};
use super::scan::Scan;

/// The text or the whole number at the end of a path of keys, as [`text_at`](super::text_at) finds it: the first one,
/// where a key is repeated.
pub(crate) fn text_in<'a>(value: Raw<'a>, path: &[&str]) -> Option<Cow<'a, str>> {
    look(value.get(), path).ok().flatten()
}

/// A text on the way is none: half a surrogate pair.
struct Unreadable;

fn look<'a>(json: &'a str, path: &[&str]) -> Result<Option<Cow<'a, str>>, Unreadable> {
    let Some((first, rest)) = path.split_first() else { return end(json) };
    let mut scan = Scan::new(json);
    if !scan.takes(b'{') {
        return Ok(None);
    }
    while let Some(key) = scan.string() {
        let key = string(key).ok_or(Unreadable)?;
        if !scan.takes(b':') {
            break;
        }
        let Some(value) = scan.value() else { break };
        if key == *first
            && let Some(found) = look(value, rest)?
        {
            return Ok(Some(found));
        }
        scan.takes(b',');
    }
    Ok(None)
}

fn end(json: &str) -> Result<Option<Cow<'_, str>>, Unreadable> {
    let is_there = match json.as_bytes().first() {
        Some(b'"') => return string(json).ok_or(Unreadable).map(Some),
        // `-0` is no whole number to `serde_json`, and neither is what 64 bits do not hold.
        Some(b'-') => json != "-0" && json.parse::<i64>().is_ok(),
        Some(b'0'..=b'9') => json.parse::<u64>().is_ok(),
        _ => false,
    };
    Ok(is_there.then_some(Cow::Borrowed(json)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::text_at;

    /// Both ways see the same.
    #[test]
    fn a_glance_sees_what_a_look_sees() {
        let bodies = [
            r#"{"id_str":"1","id":2}"#,
            " { \"a\" : [ { \"id\" : 1 } , \"]}\" ] ,\r\n\t\"id\" : -7 , \"b\":{} } ",
            r#"{"id":18446744073709551615,"a":{"id":18446744073709551616}}"#,
            r#"{"id":-9223372036854775808,"a":{"id":-9223372036854775809}}"#,
            r#"{"id":1.0,"a":{"id":-0}}"#,
            r#"{"id":0,"a":{"id":1e3,"id":3}}"#,
            r#"{"id":true,"a":{"id":null}}"#,
            r#"{"id":{},"id":[],"id":"third","id":"fourth","a":1,"a":{"id":"x"}}"#,
            r#"{"\u0069d":"h\u0069 \"\\ caf\u00e9 é"}"#,
            r#"{"a\\\"":{"id":"1"},"a":{"\"id":"2","id":"3}"}}"#,
            r#"{"id":"\ud800"}"#,
            r#"{"\ud800":1,"id":"1"}"#,
            r#"{"id":"1","\ud800":1}"#,
            r#"{"id":"","a":{"id":""}}"#,
            r#"{"a":{"b":{"id":"deep"}},"a":{"id":"shallow"}}"#,
            "{}",
            "[]",
            r#"["id"]"#,
            r#""id""#,
            "7",
            "null",
        ];
        for body in bodies {
            let value = Raw::read(body).unwrap();
            for path in
                [&[][..], &["id"], &["id_str"], &["a", "id"], &["a", "b", "id"], &["a"], &["id", "id"]]
            {
                let looked = text_at(body.as_bytes(), path.iter().copied());
                assert_eq!(text_in(value, path).as_deref(), looked.as_deref(), "{path:?} in {body}");
            }
        }
    }

    #[test]
    fn a_glance_at_a_deep_value_passes_over_it() {
        let deep = format!("{{\"x\":{}1{},\"id\":\"b\"}}", "[".repeat(10_000), "]".repeat(10_000));
        let value = Raw::read(&deep).unwrap();
        assert_eq!(text_in(value, &["id"]).as_deref(), Some("b"));
    }
}
