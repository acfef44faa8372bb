//! A filtered stream: a post of the v2 API with the rules that it matched, and neither a kind nor a user.

use super::{Element, Family, Reading, present};
use crate::json::{Items, Object, Raw};

/// X's word for it in no place; this one is ours.
const KIND: &str = "matching";

/// A stream has at most 25,000 rules for those who pay for it, and a post matches a few.
const MOST_RULES: usize = 1_000;

/// What stands beside the rules and is no event.
const KNOWN: [&str; 5] = ["data", "includes", "matching_rules", "meta", "errors"];

pub(super) fn read(body: &Object<'_>) -> Option<Reading> {
    let rules = body.get("matching_rules")?;
    let mut reading = Reading::new(Family::FilteredStream);
    reading.add_type(KIND);
    let elements = body.get("data").and_then(|post| element(post, rules)).map(|element| vec![element]);
    Some(reading.with_elements(body, |key| KNOWN.contains(&key), elements))
}

/// An edited post has an id of its own. In which order the rules stand means nothing.
fn element(post: Raw<'_>, rules: Raw<'_>) -> Option<Element> {
    let id = present(Object::read(post.get())?.text("id"))?;
    let rules = Items::read(rules.get(), MOST_RULES).filter(|rules| !rules.more)?;
    let rules: Option<Vec<_>> =
        rules.list.into_iter().map(|rule| present(Object::read(rule.get())?.text("id"))).collect();
    let mut rules = rules?;
    rules.sort_unstable();
    rules.dedup();
    let mut parts = vec![&b"stream"[..], id.as_bytes()];
    parts.extend(rules.iter().map(|rule| rule.as_bytes()));
    Element::new(KIND, &parts)
}
