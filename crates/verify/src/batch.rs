//! JSON bodies that are one event, or an array of them, each with an id of its own.

use std::borrow::Cow;

use crate::json::{Canonical, Items, Object, Raw};
use crate::verdict::Identity;

/// The most elements by which a repeat is recognised. A body with more is known by its whole alone.
pub const MOST_ELEMENTS: usize = 100;

/// What such a body says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// What to call the event; of several, the first.
    pub event_type: Option<String>,
    /// The events, each by its id together with what it says: the same id with other content is a new event. Empty where
    /// one of them has no id, and where there are more than [`MOST_ELEMENTS`].
    pub elements: Vec<Identity>,
}

/// The events of a body; none, unless each of them has what `id_of` takes for its id. The name of the scheme keeps the
/// ids of different senders apart.
pub(crate) fn elements<'a>(
    body: &'a [u8],
    scheme: &str,
    id_of: impl Fn(&Object<'a>) -> Option<Cow<'a, str>>,
) -> Vec<Identity> {
    let mut canonical = Canonical::new();
    let identity = |event: Raw<'a>| {
        let id = id_of(&Object::read(event.get())?).filter(|id| !id.is_empty())?;
        Some(Identity::of(&[scheme.as_bytes(), id.as_bytes(), &canonical.of(event)?]))
    };
    events(body).and_then(|events| events.into_iter().map(identity).collect()).unwrap_or_default()
}

/// What a body is made of; `None` for too much.
fn events(body: &[u8]) -> Option<Vec<Raw<'_>>> {
    let json = std::str::from_utf8(body).ok()?;
    match Items::read(json, MOST_ELEMENTS) {
        Some(items) => (!items.more).then_some(items.list),
        None => Some(vec![Raw::read(json)?]),
    }
}
