//! The X Activity API: `{"data":{"event_uuid", "event_type", "filter", "tag", "payload", "includes"}}`.

use super::{Element, Family, Reading, present};
use crate::batch::MOST_ELEMENTS;
use crate::json::{self, Canonical, Items, Object, Raw};

/// What stands beside `data` in X's bodies and is no event.
const KNOWN: [&str; 4] = ["data", "includes", "meta", "errors"];

/// One event to a body is all that X documents; some of its clients take an array as well.
pub(super) fn read(body: &Object<'_>) -> Option<Reading> {
    let data = body.get("data")?;
    let (events, more) = match Items::read(data.get(), MOST_ELEMENTS) {
        Some(items) => (items.list, items.more),
        None => (vec![data], false),
    };
    let events: Vec<_> = events.into_iter().map(|raw| (raw, Object::read(raw.get()))).collect();
    let is_of = |(_, event): &(_, Option<Object<'_>>)| {
        event.as_ref().is_some_and(|event| event_type(event).is_some())
    };
    events.first().filter(|first| is_of(first))?;

    let mut reading = Reading::new(Family::Activity);
    for event in events.iter().filter_map(|(_, event)| event.as_ref()) {
        reading.add_type(event_type(event).as_deref().unwrap_or_default());
        reading.user = reading.user.or_else(|| user(event));
    }
    let mut canonical = Canonical::new();
    let elements = events
        .iter()
        .map(|(raw, event)| element(*raw, event.as_ref()?, &mut canonical))
        .collect::<Option<_>>()
        .filter(|_| !more);
    Some(reading.with_elements(body, |key| KNOWN.contains(&key), elements))
}

fn event_type<'a>(event: &Object<'a>) -> Option<std::borrow::Cow<'a, str>> {
    event.get("event_type").filter(|value| value.get().starts_with('"')).and_then(json::text)
}

fn user(event: &Object<'_>) -> Option<String> {
    json::label(&Object::read(event.get("filter")?.get())?.text("user_id")?)
}

/// `event_uuid` is a number in text, and may be negative: nothing is made of it.
fn element(raw: Raw<'_>, event: &Object<'_>, canonical: &mut Canonical) -> Option<Element> {
    let kind = event_type(event)?;
    let filter = match event.get("filter") {
        Some(filter) => canonical.of(filter)?,
        None => Vec::new(),
    };
    let (how, what) = match present(event.text("event_uuid")) {
        Some(uuid) => (&b"id"[..], uuid.as_bytes().to_vec()),
        None => (&b"whole"[..], canonical.of(raw)?),
    };
    Element::new(&kind, &[b"activity", kind.as_bytes(), &filter, how, &what])
}
