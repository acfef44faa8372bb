//! Repeats: recognised after verification, for as long as the source says, and acknowledged only once the original is
//! durable.

use std::time::Duration;

use hookhouse_core::store::{EventQuery, Receipt};
use hookhouse_core::{EventId, EventStore, Repeats};

use super::log::join_all;
use super::{Bed, append};

const WEEK: Duration = Duration::from_secs(7 * 86_400);

async fn assert_repeat(store: &dyn EventStore, event: hookhouse_core::Event, of: EventId) {
    assert_eq!(store.append(event).await, Ok(Receipt::Duplicate { of }));
}

/// A repeat is reported with the first one's id, and nothing is stored.
pub async fn a_repeat_names_its_original(bed: Bed) {
    let store = bed.open().await;
    let first = append(&*store, bed.signed("x", 1, WEEK)).await;
    let second = append(&*store, bed.signed("x", 2, WEEK)).await;
    assert_repeat(&*store, bed.signed("x", 1, WEEK), first).await;
    assert_repeat(&*store, bed.signed("x", 2, WEEK), second).await;
    assert_repeat(&*store, bed.signed("x", 1, WEEK), first).await;
    let page = store.events(&EventQuery { limit: 10, ..EventQuery::default() }).await.expect("readable");
    assert_eq!(page.items.len(), 2);
}

/// Of repeats that arrive at once one is stored; the others are answered with it, once it is durable.
pub async fn repeats_at_once_are_stored_once(bed: Bed) {
    let store = bed.open().await;
    let at_once = (0..32).map(|_| store.append(bed.signed("x", 7, WEEK))).collect();
    let receipts = join_all(at_once).await;
    let stored: Vec<_> = receipts
        .iter()
        .filter_map(|receipt| match receipt {
            Ok(Receipt::Stored { event, .. }) => Some(event.id()),
            _ => None,
        })
        .collect();
    assert_eq!(stored.len(), 1, "{receipts:?}");
    let repeats = receipts.iter().filter(|receipt| **receipt == Ok(Receipt::Duplicate { of: stored[0] }));
    assert_eq!(repeats.count(), 31);
    let store = bed.crash(store).await;
    assert!(store.event(stored[0]).await.expect("readable").is_some());
}

/// Repeats are recognised by what is durable.
pub async fn a_repeat_is_known_after_a_reopen(bed: Bed) {
    let store = bed.open().await;
    let first = append(&*store, bed.signed("x", 1, WEEK)).await;
    let store = bed.reopen(store).await;
    assert_repeat(&*store, bed.signed("x", 1, WEEK), first).await;
    append(&*store, bed.signed("x", 2, WEEK)).await;
}

/// The same after a crash.
pub async fn a_repeat_is_known_after_a_crash(bed: Bed) {
    let store = bed.open().await;
    let first = append(&*store, bed.signed("x", 1, WEEK)).await;
    let store = bed.crash(store).await;
    assert_repeat(&*store, bed.signed("x", 1, WEEK), first).await;
}

/// What comes when the window is over is a new event, and has repeats of its own.
pub async fn a_window_ends(bed: Bed) {
    let store = bed.open().await;
    let window = Duration::from_secs(3600);
    let first = append(&*store, bed.signed("x", 1, window)).await;
    bed.advance(window - Duration::from_secs(1));
    assert_repeat(&*store, bed.signed("x", 1, window), first).await;
    bed.advance(Duration::from_secs(1));
    let later = append(&*store, bed.signed("x", 1, window)).await;
    assert_ne!(first, later);
    assert_repeat(&*store, bed.signed("x", 1, window), later).await;
    let store = bed.reopen(store).await;
    assert_repeat(&*store, bed.signed("x", 1, window), later).await;
}

/// The window is the event's: a source with a short one does not shorten another's.
pub async fn each_event_brings_its_own_window(bed: Bed) {
    let store = bed.open().await;
    let short = Duration::from_secs(60);
    append(&*store, bed.signed("short", 1, short)).await;
    let long = append(&*store, bed.signed("long", 1, WEEK)).await;
    bed.advance(Duration::from_secs(3600));
    append(&*store, bed.signed("short", 1, short)).await;
    assert_repeat(&*store, bed.signed("long", 1, WEEK), long).await;
    append(&*store, bed.signed("long", 1, Duration::ZERO)).await;
}

/// The same request at another source is another event.
pub async fn each_source_has_its_own_repeats(bed: Bed) {
    let store = bed.open().await;
    let first = append(&*store, bed.signed("x", 1, WEEK)).await;
    let other = append(&*store, bed.signed("x-other", 1, WEEK)).await;
    assert_ne!(first, other);
    assert_repeat(&*store, bed.signed("x-other", 1, WEEK), other).await;
}

/// What nothing vouches for is never taken for a repeat.
pub async fn unsigned_events_have_no_repeats(bed: Bed) {
    let store = bed.open().await;
    let first = append(&*store, bed.event("inbox", "same")).await;
    let second = append(&*store, bed.event("inbox", "same")).await;
    assert_ne!(first, second);
}

/// Where every request wants an answer, a repeat is stored like any other, and says what it repeats.
pub async fn a_kept_repeat_is_stored_and_named(bed: Bed) {
    let store = bed.open().await;
    let kept = || bed.signed_where("calls", 1, WEEK, Repeats::Keep);
    let first = append(&*store, kept()).await;
    assert_kept(&*store, kept(), first).await;
    let store = bed.reopen(store).await;
    assert_kept(&*store, kept(), first).await;
}

async fn assert_kept(store: &dyn EventStore, repeat: hookhouse_core::Event, first: EventId) {
    match store.append(repeat).await {
        Ok(Receipt::Stored { event, repeat_of }) => {
            assert_ne!(event.id(), first);
            assert_eq!(repeat_of, Some(first), "the first one stays the original");
        }
        other => panic!("a kept repeat is stored: {other:?}"),
    }
}

/// What a body is made of may come again in other bodies: alone, or in another order.
pub async fn a_body_of_known_elements_is_a_repeat(bed: Bed) {
    let store = bed.open().await;
    let both = append(&*store, bed.posts("x", &[1, 2], WEEK)).await;
    for known in [&[1][..], &[2], &[2, 1], &[1, 1]] {
        assert_repeat(&*store, bed.posts("x", known, WEEK), both).await;
    }
    let third = append(&*store, bed.posts("x", &[3], WEEK)).await;
    // Known from two events: it repeats that of its first element.
    assert_repeat(&*store, bed.posts("x", &[3, 1], WEEK), third).await;
    append(&*store, bed.posts("x-other", &[1], WEEK)).await;
}

/// One element that nobody has seen makes a new event, and is known from then on; the old ones keep their original.
pub async fn one_new_element_makes_a_new_event(bed: Bed) {
    let store = bed.open().await;
    let first = append(&*store, bed.posts("x", &[1], WEEK)).await;
    let second = append(&*store, bed.posts("x", &[1, 2], WEEK)).await;
    assert_repeat(&*store, bed.posts("x", &[2], WEEK), second).await;
    assert_repeat(&*store, bed.posts("x", &[1], WEEK), first).await;
    assert_repeat(&*store, bed.posts("x", &[1, 2], WEEK), second).await;
    // Two that come at once with one element between them: one of them is stored.
    let at_once = [&[7][..], &[7, 7]].map(|posts| store.append(bed.posts("x", posts, WEEK)));
    let receipts = join_all(at_once.into_iter().collect()).await;
    let stored = receipts.iter().filter(|receipt| matches!(receipt, Ok(Receipt::Stored { .. }))).count();
    assert_eq!(stored, 1, "{receipts:?}");
}

/// What was durable is known again, with the original that it had.
pub async fn elements_are_known_after_a_crash(bed: Bed) {
    let store = bed.open().await;
    let first = append(&*store, bed.posts("x", &[1, 2], WEEK)).await;
    let second = append(&*store, bed.posts("x", &[2, 3], WEEK)).await;
    let store = bed.crash(store).await;
    assert_repeat(&*store, bed.posts("x", &[2], WEEK), first).await;
    assert_repeat(&*store, bed.posts("x", &[3], WEEK), second).await;
    append(&*store, bed.posts("x", &[4], WEEK)).await;
}

/// An element that comes again when its window is over is new.
pub async fn elements_have_their_window(bed: Bed) {
    let store = bed.open().await;
    let window = Duration::from_secs(3600);
    let first = append(&*store, bed.posts("x", &[1, 2], window)).await;
    bed.advance(window - Duration::from_secs(1));
    assert_repeat(&*store, bed.posts("x", &[1], window), first).await;
    bed.advance(Duration::from_secs(1));
    let later = append(&*store, bed.posts("x", &[1], window)).await;
    assert_repeat(&*store, bed.posts("x", &[1], window), later).await;
    append(&*store, bed.posts("x", &[2], window)).await;
}
