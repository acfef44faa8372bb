//! Retention: by age and by size, and never what a destination waits for.

use std::time::Duration;

use hookhouse_core::delivery::Next;
use hookhouse_core::store::{CancelOutcome, Receipt};
use hookhouse_core::{
    Answer, DeadReason, DeliveryId, Edit, Edited, EventId, EventStore, Headers, StoreError,
};

use super::{Bed, append, destination, eventually, lease, leases, settle, wants};

const DAY: Duration = Duration::from_secs(86_400);

async fn is_there(store: &dyn EventStore, id: EventId) -> bool {
    store.event(id).await.expect("open").is_some()
}

/// What is older than the age goes, with its attempts, once every subscribed destination has taken it or given it up.
pub async fn age_takes_what_is_done_and_nothing_else(mut bed: Bed) {
    bed.settings.retention_age = Some(DAY);
    let store = bed.open().await;
    store.subscribe(&[wants("a", &["inbox"]), wants("b", &["inbox"])]).await.expect("open");
    let mut ids = Vec::new();
    for text in ["done", "dead", "waiting", "leased", "pending"] {
        ids.push(append(&*store, bed.event("inbox", text)).await);
    }
    let unwanted = append(&*store, bed.event("other", "nobody's")).await;
    for held in leases(&*store, "a", 5).await {
        settle(&*store, &held, bed.now(), Next::Done).await;
    }
    let b = leases(&*store, "b", 4).await;
    settle(&*store, &b[0], bed.now(), Next::Done).await;
    settle(&*store, &b[1], bed.now(), Next::GiveUp(DeadReason::Gone)).await;
    settle(&*store, &b[2], bed.now(), Next::RetryAt(bed.now() + 10 * DAY)).await;
    bed.advance(2 * DAY);
    let young = append(&*store, bed.event("inbox", "young")).await;
    eventually("what is done goes", async || {
        !is_there(&*store, ids[0]).await
            && !is_there(&*store, ids[1]).await
            && !is_there(&*store, unwanted).await
    })
    .await;
    assert!(store.attempts(ids[0]).await.expect("open").is_empty());
    for id in [ids[2], ids[3], ids[4], young] {
        assert!(is_there(&*store, id).await, "somebody waits for it");
    }
    assert_eq!(store.status().await.expect("open").events, 4);

    // What was waited for goes when it is not any more.
    settle(&*store, &b[3], bed.now(), Next::Done).await;
    eventually("the leased one goes", async || !is_there(&*store, ids[3]).await).await;
    assert!(is_there(&*store, ids[2]).await && is_there(&*store, ids[4]).await);
    let pending = DeliveryId { event: ids[4], destination: destination("b"), round: 0 };
    assert_eq!(store.cancel(&pending).await, Ok(CancelOutcome::Cancelled));
    eventually("the cancelled one goes", async || !is_there(&*store, ids[4]).await).await;
    store.subscribe(&[wants("a", &["inbox"])]).await.expect("open");
    eventually("what only an unsubscribed destination wants goes", async || !is_there(&*store, ids[2]).await)
        .await;
    assert!(is_there(&*store, young).await);
    let store = bed.reopen(store).await;
    let status = store.status().await.expect("open");
    assert_eq!(status.events, 1);
    let (_, next) = super::append_at(&*store, bed.event("inbox", "next")).await;
    assert!(next > status.head, "places are not used again");
}

/// An answer is kept for as long as its event.
pub async fn an_answer_goes_with_its_event(mut bed: Bed) {
    bed.settings.retention_age = Some(DAY);
    let store = bed.open().await;
    let event = append(&*store, bed.event("inbox", "answered")).await;
    let answer = Answer {
        event,
        destination: destination("app"),
        asked_at: bed.now(),
        duration_ms: 1,
        status: 200,
        headers: Headers::default(),
        body: "<Response/>".into(),
        failure: None,
        repeat_of: None,
        passed: None,
    };
    store.keep_answer(answer.clone()).await.expect("open");
    assert_eq!(store.answer(event).await, Ok(Some(answer.clone())));
    bed.advance(2 * DAY);
    append(&*store, bed.event("inbox", "later")).await;
    eventually("it goes", async || !is_there(&*store, event).await).await;
    assert_eq!(store.answer(event).await, Ok(None));
    store.keep_answer(answer).await.expect("a call that outlives its event");
    assert_eq!(store.answer(event).await, Ok(None));
}

/// What an operator sent in the place of an event goes with the event.
pub async fn an_edit_goes_with_its_event(mut bed: Bed) {
    bed.settings.retention_age = Some(DAY);
    let store = bed.open().await;
    store.subscribe(&[wants("app", &[])]).await.expect("open");
    let event = append(&*store, bed.event("inbox", "edited")).await;
    let mark = Edited { by: "root".to_owned(), at: bed.now() };
    let edit = Edit { mark, headers: Headers::default(), body: "as edited".into() };
    let made = store.redeliver_edited(event, &destination("app"), edit.clone()).await;
    let made = made.expect("open").expect("it is stored");
    bed.advance(2 * DAY);
    append(&*store, bed.event("inbox", "later")).await;
    assert_eq!(store.edit(&made).await, Ok(Some(edit)), "what is owed stays");
    let held = lease(&*store, "app").await;
    settle(&*store, &held, bed.now(), Next::Done).await;
    append(&*store, bed.event("inbox", "later still")).await;
    eventually("it goes", async || !is_there(&*store, event).await).await;
    assert_eq!(store.edit(&made).await, Ok(None));
}

/// More than the size goes, the oldest first, as long as nobody waits for it.
pub async fn size_takes_the_oldest_that_are_done(mut bed: Bed) {
    bed.settings.retention_size = Some(2 << 20);
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    let kept = append(&*store, bed.event("inbox", "waited for")).await;
    let held = lease(&*store, "app").await;
    let body = "x".repeat(32 << 10);
    let first = append(&*store, bed.event("other", &body)).await;
    let mut last = first;
    for _ in 0..200 {
        last = append(&*store, bed.event("other", &body)).await;
    }
    eventually("the store is small again", async || {
        let status = store.status().await.expect("open");
        status.bytes <= 2 << 20 && status.writable
    })
    .await;
    assert!(!is_there(&*store, first).await);
    assert!(is_there(&*store, last).await && is_there(&*store, kept).await);
    settle(&*store, &held, bed.now(), Next::Done).await;
}

/// A store that may not grow and has nothing to remove refuses events, and takes them again when it has.
pub async fn a_store_full_of_waiting_events_says_so(mut bed: Bed) {
    bed.settings.retention_size = Some(2 << 20);
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    let body = "x".repeat(32 << 10);
    let mut stored = 0;
    let full = loop {
        match store.append(bed.event("inbox", &body)).await {
            Ok(Receipt::Stored { .. }) => stored += 1,
            other => break other,
        }
        assert!(stored < 5000, "2 MB do not hold 160 MB");
    };
    assert!(matches!(full, Err(StoreError::Full(_))), "{full:?}");
    let status = store.status().await.expect("open");
    assert!(!status.writable && status.problem.is_some());
    let mut delivered = 0;
    while delivered < stored {
        for held in store.lease(&super::request("app", 100)).await.expect("open") {
            settle(&*store, &held, bed.now(), Next::Done).await;
            delivered += 1;
        }
    }
    eventually("there is room again", async || store.append(bed.event("inbox", "small")).await.is_ok()).await;
    // Replays are waited for like anything else.
    let last = append(&*store, bed.event("other", "replayed")).await;
    store.redeliver(last, &destination("app")).await.expect("open").expect("stored");
    for _ in 0..200 {
        // Some may be refused while the oldest go.
        let _ = store.append(bed.event("other", &body)).await;
    }
    assert!(is_there(&*store, last).await);
}

/// A repeat is recognised for as long as its window says, though its original was removed.
pub async fn repeats_of_removed_events_are_still_known(mut bed: Bed) {
    bed.settings.retention_age = Some(DAY);
    let store = bed.open().await;
    let first = append(&*store, bed.signed("x", 1, 7 * DAY)).await;
    bed.advance(2 * DAY);
    append(&*store, bed.event("inbox", "later")).await;
    eventually("it goes", async || !is_there(&*store, first).await).await;
    let repeat = store.append(bed.signed("x", 1, 7 * DAY)).await;
    assert_eq!(repeat, Ok(Receipt::Duplicate { of: first }));
    let store = bed.reopen(store).await;
    let repeat = store.append(bed.signed("x", 1, 7 * DAY)).await;
    assert_eq!(repeat, Ok(Receipt::Duplicate { of: first }));
    bed.advance(5 * DAY);
    append(&*store, bed.signed("x", 1, 7 * DAY)).await;
}
