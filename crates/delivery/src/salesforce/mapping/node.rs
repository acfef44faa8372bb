//! JSON, read no further than it is asked.
//!
//! Ids of posts and users are larger than 2^53, so a number must never become a float on its way: here a number is the
//! text that it was written as.

use std::collections::HashMap;

use serde_json::value::RawValue;

/// A value in a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'a>(&'a RawValue);

impl<'a> Node<'a> {
    /// The value that a body is; `None` where it is no JSON.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(body).ok().map(Self)
    }

    /// Whether it is an object.
    pub(super) fn is_object(self) -> bool {
        self.0.get().starts_with('{')
    }

    /// A member of an object, or an element of a list by its number. A `null` is as good as nothing.
    pub(super) fn get(self, key: &str) -> Option<Self> {
        let found = if self.is_object() {
            let mut members: HashMap<String, &'a RawValue> = serde_json::from_str(self.0.get()).ok()?;
            Self(members.remove(key)?)
        } else {
            let index: usize = key.parse().ok()?;
            self.items().get(index).copied()?
        };
        (found.0.get() != "null").then_some(found)
    }

    /// What a path of members leads to.
    pub(super) fn at(self, path: impl IntoIterator<Item = impl AsRef<str>>) -> Option<Self> {
        path.into_iter().try_fold(self, |node, key| node.get(key.as_ref()))
    }

    /// The elements of a list; none of anything else.
    pub(super) fn items(self) -> Vec<Self> {
        if !self.0.get().starts_with('[') {
            return Vec::new();
        }
        let items: Vec<&'a RawValue> = serde_json::from_str(self.0.get()).unwrap_or_default();
        items.into_iter().map(Self).collect()
    }

    /// A string's text, a number or a boolean as it was written; `None` for what is no plain value.
    pub(super) fn text(self) -> Option<String> {
        match self.0.get().as_bytes().first()? {
            b'"' => serde_json::from_str(self.0.get()).ok(),
            b'{' | b'[' | b'n' => None,
            _ => Some(self.0.get().to_owned()),
        }
    }

    /// The text of a member.
    pub(super) fn text_of(self, key: &str) -> Option<String> {
        self.get(key)?.text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_every_digit_and_nothing_else_has_a_text() {
        let body = br#"{"id": 2046318829014921217, "rate": 1.50, "on": true, "s": "a\u00e9\n", "o": {}, "l": [[7]], "n": null}"#;
        let node = Node::parse(body).unwrap();
        for (key, text) in [
            ("id", Some("2046318829014921217")),
            ("rate", Some("1.50")),
            ("on", Some("true")),
            ("s", Some("aé\n")),
            ("o", None),
            ("l", None),
            ("n", None),
            ("missing", None),
        ] {
            assert_eq!(node.text_of(key).as_deref(), text, "{key}");
        }
        assert_eq!(node.at(["l", "0", "0"]).unwrap().text().as_deref(), Some("7"));
        for path in [&["l", "1"][..], &["l", "x"], &["s", "0"], &["n", "0"], &["id", "id"]] {
            assert!(node.at(path).is_none(), "{path:?}");
        }
        assert!(Node::parse(b"{").is_none());
        assert!(Node::parse(b"\xff").is_none());
    }
}
