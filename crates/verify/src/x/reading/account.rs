//! The Account Activity API: `for_user_id`, and one array of events to a body as a rule. A revocation comes as an object,
//! `user_event`, and without a user.

use std::borrow::Cow;

use super::{Element, Family, Reading, present};
use crate::json::{self, Canonical, Member, Object, Raw};

const REVOCATION: &str = "user_event";

pub(super) fn read(body: &Object<'_>) -> Option<Reading> {
    let user = body.get("for_user_id");
    if user.is_none() && body.get(REVOCATION).is_none() {
        return None;
    }
    let mut reading = Reading::new(Family::AccountActivity);
    reading.user = user.and_then(json::text).and_then(|user| json::label(&user));
    let user = match (user, &reading.user) {
        (Some(_), None) => None,
        (_, user) => Some(user.clone().unwrap_or_default()),
    };
    for (key, _) in body.iter().filter(|(key, _)| is_event(key)) {
        reading.add_type(key);
    }
    let elements = user.and_then(|user| elements(body, &user));
    // Direct messages have the apps and the users that are in them beside them.
    let is_known = |key: &str| is_event(key) || matches!(key, "apps" | "users");
    Some(reading.with_elements(body, is_known, elements))
}

fn is_event(key: &str) -> bool {
    key == REVOCATION || is_list(key)
}

/// Whether a member of a body is a list of events.
pub(super) fn is_list(key: &str) -> bool {
    key.ends_with("_events")
}

fn elements(body: &Object<'_>, user: &str) -> Option<Vec<Element>> {
    let mut canonical = Canonical::new();
    let mut elements = Vec::new();
    for (key, value) in body.iter().filter(|(key, _)| is_event(key)) {
        match value {
            Member::One(event) if key == REVOCATION => {
                elements.push(element(user, key, *event, &mut canonical)?)
            }
            Member::Many(events) if !events.more => {
                for event in &events.list {
                    elements.push(element(user, key, *event, &mut canonical)?);
                }
            }
            // More than anybody looks at, or no list.
            _ => return None,
        }
    }
    Some(elements)
}

fn element(user: &str, key: &str, event: Raw<'_>, canonical: &mut Canonical) -> Option<Element> {
    let (user, name) = (user.as_bytes(), key.as_bytes());
    match known_by(key, event) {
        Some(texts) => {
            let texts = texts.iter().map(|text| text.as_bytes());
            let parts: Vec<&[u8]> = [b"account", user, name, b"id"].into_iter().chain(texts).collect();
            Element::new(key, &parts)
        }
        None => Element::new(key, &[b"account", user, name, b"whole", &canonical.of(event)?]),
    }
}

/// What tells an event of this kind from every other of it; `None` where that is all that it says.
///
/// `id_str` comes first: the `id` beside it is a number beyond 2^53, which some that pass X's bodies on have rounded.
fn known_by<'a>(key: &str, event: Raw<'a>) -> Option<Vec<Cow<'a, str>>> {
    let at = |path: &[&str]| present(json::text_in(event, path));
    let either = |id_str: &[&str], id: &[&str]| at(id_str).or_else(|| at(id));
    let id_of = |key: &str| either(&[key, "id_str"], &[key, "id"]);
    match key {
        "tweet_create_events" | "favorite_events" | "direct_message_events" => {
            Some(vec![either(&["id_str"], &["id"])?])
        }
        "tweet_delete_events" => Some(vec![id_of("status")?]),
        "follow_events" | "unfollow_events" | "block_events" | "unblock_events" | "mute_events"
        | "unmute_events" => {
            Some(vec![at(&["type"])?, at(&["created_timestamp"])?, id_of("source")?, id_of("target")?])
        }
        REVOCATION => Some(vec![
            at(&["revoke", "date_time"])?,
            at(&["revoke", "target", "app_id"])?,
            at(&["revoke", "source", "user_id"])?,
        ]),
        _ => None,
    }
}
