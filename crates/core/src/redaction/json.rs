//! Places in JSON text.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A place, as a JSON pointer (RFC 6901) says it, where `*` is every member or element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

/// Steps of a pointer, at most: a body is read once for each.
const MOST_STEPS: usize = 32;

/// A text that is no pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// It begins with something else.
    #[error("a place in JSON begins with `/`, as in `/user/email`")]
    Start,
    /// `~` stands for itself only as `~0`, and `~1` for `/`.
    #[error("in a place in JSON `~` is written `~0`, and `/` in a name `~1`")]
    Escape,
    /// It is longer than any body is deep.
    #[error("a place in JSON has at most {MOST_STEPS} steps")]
    TooDeep,
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        let steps = text.strip_prefix('/').ok_or(PointerError::Start)?;
        let steps: Vec<_> = steps.split('/').map(unescaped).collect::<Result<_, _>>()?;
        if steps.len() > MOST_STEPS { Err(PointerError::TooDeep) } else { Ok(Self(steps)) }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| write!(f, "/{}", step.replace('~', "~0").replace('/', "~1")))
    }
}

fn unescaped(step: &str) -> Result<String, PointerError> {
    let mut out = String::with_capacity(step.len());
    let mut rest = step.chars();
    while let Some(c) = rest.next() {
        match (c, if c == '~' { rest.next() } else { None }) {
            ('~', Some('0')) => out.push('~'),
            ('~', Some('1')) => out.push('/'),
            ('~', _) => return Err(PointerError::Escape),
            (c, _) => out.push(c),
        }
    }
    Ok(out)
}

/// Where in a body the values are that pointers lead to, in order; `None` where the body is not JSON.
///
/// Text is skipped, not built: numbers and strings of any form stay what they are. A key that comes twice leads to both
/// of its values.
pub(super) fn find(body: &[u8], pointers: &[Pointer]) -> Option<Vec<Range<usize>>> {
    let text = std::str::from_utf8(body).ok()?;
    let value: &RawValue = serde_json::from_str(text).ok()?;
    let steps: Vec<&[String]> = pointers.iter().map(|pointer| pointer.0.as_slice()).collect();
    let mut search = Search { start: text.as_ptr() as usize, found: Vec::new() };
    search.look(value.get(), &steps).ok()?;
    Some(search.found)
}

struct Search {
    /// Where the body begins, in memory.
    start: usize,
    found: Vec<Range<usize>>,
}

impl Search {
    fn look(&mut self, value: &str, steps: &[&[String]]) -> Result<(), serde_json::Error> {
        if steps.iter().any(|steps| steps.is_empty()) {
            let at = (value.as_ptr() as usize).saturating_sub(self.start);
            self.found.push(at..at + value.len());
            return Ok(());
        }
        if steps.is_empty() {
            return Ok(());
        }
        match value.as_bytes().first() {
            Some(b'{') => {
                let Members(members) = serde_json::from_str(value)?;
                members.iter().try_for_each(|(key, value)| self.look(value.get(), &below(steps, key)))
            }
            Some(b'[') => {
                let elements: Vec<&RawValue> = serde_json::from_str(value)?;
                let mut numbered = elements.iter().enumerate();
                numbered.try_for_each(|(at, value)| self.look(value.get(), &below(steps, &at.to_string())))
            }
            _ => Ok(()),
        }
    }
}

/// What is left of the pointers that go by a key.
fn below<'p>(steps: &[&'p [String]], key: &str) -> Vec<&'p [String]> {
    let go_by = |steps: &&'p [String]| {
        let (first, rest) = steps.split_first()?;
        (first == key || first == "*").then_some(rest)
    };
    steps.iter().filter_map(go_by).collect()
}

/// The members of an object, each as often as it is there.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    members.push((Cow::Owned(key), value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}
