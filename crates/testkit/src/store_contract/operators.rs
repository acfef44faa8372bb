//! What operators see and do: lists, retries, replays, and the small shared state.

use std::time::Duration;

use bytes::Bytes;
use hookhouse_core::delivery::Next;
use hookhouse_core::store::{CancelOutcome, Cursor, DeliveryQuery, Order, RefusalQuery, RetryOutcome};
use hookhouse_core::{
    AttemptNumber, AttemptOutcome, DeadReason, Delivery, DeliveryState, Edit, Edited, EventId, EventStore,
    Headers, Refusal, StoreError, StoredRefusal, Timestamp,
};

use super::{Bed, append, assert_idle, destination, eventually, lease, leases, settle, source, wants};

/// A retry is refused where there is nothing to retry, and says why.
pub async fn a_retry_says_what_became_of_it(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    let event = append(&*store, bed.event("inbox", "1")).await;
    let delivery = hookhouse_core::DeliveryId { event, destination: destination("app"), round: 0 };
    let retry = async |expected| assert_eq!(store.retry(&delivery).await, Ok(expected));
    retry(RetryOutcome::Refused(DeliveryState::Pending)).await;
    let first = lease(&*store, "app").await;
    retry(RetryOutcome::Refused(DeliveryState::Leased)).await;
    settle(&*store, &first, bed.now(), Next::RetryAt(bed.now() + Duration::from_secs(3600))).await;
    assert_idle(&*store, "app").await;
    retry(RetryOutcome::Due).await;
    retry(RetryOutcome::Refused(DeliveryState::Pending)).await;
    let second = lease(&*store, "app").await;
    retry(RetryOutcome::Refused(DeliveryState::Leased)).await;
    assert_eq!(second.attempt, AttemptNumber(2));
    settle(&*store, &second, bed.now(), Next::Done).await;
    retry(RetryOutcome::Refused(DeliveryState::Delivered)).await;

    let easy = append(&*store, bed.event("inbox", "2")).await;
    let at_once = lease(&*store, "app").await;
    settle(&*store, &at_once, bed.now(), Next::Done).await;
    let of = |event, name: &str, round| hookhouse_core::DeliveryId {
        event,
        destination: destination(name),
        round,
    };
    let delivered = store.retry(&of(easy, "app", 0)).await;
    assert_eq!(delivered, Ok(RetryOutcome::Refused(DeliveryState::Delivered)));
    let no_such_event = EventId::with_position(bed.now(), 1, 12_345);
    for unknown in [of(event, "app", 7), of(event, "nobody", 0), of(no_such_event, "app", 0)] {
        assert_eq!(store.retry(&unknown).await, Ok(RetryOutcome::Unknown), "{unknown}");
    }
}

/// A cancelled delivery is handed to nobody, wherever it stood, until somebody retries it.
pub async fn a_cancelled_delivery_rests_until_it_is_retried(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    let mut ids = Vec::new();
    for number in 0..6 {
        let event = append(&*store, bed.event("inbox", &number.to_string())).await;
        ids.push(hookhouse_core::DeliveryId { event, destination: destination("app"), round: 0 });
    }
    let cancel = async |store: &dyn EventStore, id, expected| {
        assert_eq!(store.cancel(id).await, Ok(expected));
    };
    let held = leases(&*store, "app", 4).await;
    cancel(&*store, &ids[0], CancelOutcome::Refused(DeliveryState::Leased)).await;
    let later = bed.now() + Duration::from_secs(60);
    settle(&*store, &held[0], bed.now(), Next::Done).await;
    settle(&*store, &held[1], bed.now(), Next::RetryAt(later)).await;
    settle(&*store, &held[2], bed.now(), Next::GiveUp(DeadReason::Gone)).await;
    settle(&*store, &held[3], bed.now(), Next::Release).await;
    cancel(&*store, &ids[0], CancelOutcome::Refused(DeliveryState::Delivered)).await;
    // Waiting, dead, handed back, and never handed out; the last one is left alone.
    for id in &ids[1..5] {
        cancel(&*store, id, CancelOutcome::Cancelled).await;
        cancel(&*store, id, CancelOutcome::Refused(DeliveryState::Cancelled)).await;
    }
    let replay = store.redeliver(ids[0].event, &destination("app")).await.expect("open").expect("stored");
    cancel(&*store, &replay, CancelOutcome::Cancelled).await;
    let backlog = store.backlogs().await.expect("open").remove(0);
    assert_eq!((backlog.pending, backlog.waiting, backlog.dead), (1, 0, 0));

    bed.advance(Duration::from_secs(120));
    let store = bed.crash(store).await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    let left = lease(&*store, "app").await;
    assert_eq!(left.delivery, ids[5]);
    settle(&*store, &left, bed.now(), Next::Done).await;
    assert_idle(&*store, "app").await;
    let query =
        DeliveryQuery { state: Some(DeliveryState::Cancelled), limit: 10, ..DeliveryQuery::default() };
    assert_eq!(all(&*store, query).await.len(), 5);

    for (id, attempt) in [(&ids[1], 2), (&ids[2], 2), (&ids[3], 1), (&ids[4], 1), (&replay, 1)] {
        assert_eq!(store.retry(id).await, Ok(RetryOutcome::Due));
        let again = lease(&*store, "app").await;
        assert_eq!((&again.delivery, again.attempt), (id, AttemptNumber(attempt)));
        settle(&*store, &again, bed.now(), Next::Done).await;
    }
    assert_idle(&*store, "app").await;
}

/// What was called off before its destination came to it, and wanted again, is delivered once.
pub async fn a_delivery_cancelled_ahead_and_retried_comes_once(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    let first = append(&*store, bed.event("inbox", "1")).await;
    let second = append(&*store, bed.event("inbox", "2")).await;
    let of = |event| hookhouse_core::DeliveryId { event, destination: destination("app"), round: 0 };
    assert_eq!(store.cancel(&of(second)).await, Ok(CancelOutcome::Cancelled));
    assert_eq!(store.retry(&of(second)).await, Ok(RetryOutcome::Due));
    let mut came: Vec<_> = leases(&*store, "app", 2).await;
    assert_idle(&*store, "app").await;
    came.sort_by_key(|lease| lease.event.sequence());
    assert_eq!([came[0].delivery.event, came[1].delivery.event], [first, second]);
    for held in &came {
        settle(&*store, held, bed.now(), Next::Done).await;
    }
    let no_such_event = EventId::with_position(bed.now(), 1, 12_345);
    let unknown = [
        hookhouse_core::DeliveryId { round: 7, ..of(first) },
        hookhouse_core::DeliveryId { destination: destination("nobody"), ..of(first) },
        of(no_such_event),
    ];
    for unknown in unknown {
        assert_eq!(store.cancel(&unknown).await, Ok(CancelOutcome::Unknown), "{unknown}");
    }
}

/// A replay is due at once, whatever became of the first delivery, and has its own tries and its own end.
pub async fn a_replay_is_a_delivery_of_its_own(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    let event = append(&*store, bed.event("inbox", "1")).await;
    let first = lease(&*store, "app").await;
    settle(&*store, &first, bed.now(), Next::GiveUp(DeadReason::Gone)).await;
    let unknown = EventId::with_position(bed.now(), 1, 12_345);
    assert_eq!(store.redeliver(unknown, &destination("app")).await, Ok(None));
    let once = store.redeliver(event, &destination("app")).await.expect("open").expect("it is stored");
    let twice = store.redeliver(event, &destination("app")).await.expect("open").expect("it is stored");
    assert!(once.round > 0 && twice.round > once.round);
    let store = bed.crash(store).await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    let held = leases(&*store, "app", 2).await;
    assert_eq!([&held[0].delivery, &held[1].delivery], [&once, &twice]);
    assert!(held.iter().all(|lease| lease.attempt == AttemptNumber(1) && lease.event.id() == event));
    settle(&*store, &held[0], bed.now(), Next::Done).await;
    settle(&*store, &held[1], bed.now(), Next::RetryAt(bed.now())).await;
    let again = lease(&*store, "app").await;
    assert_eq!((&again.delivery, again.attempt), (&twice, AttemptNumber(2)));
    settle(&*store, &again, bed.now(), Next::Done).await;
    assert_idle(&*store, "app").await;
    let third = store.redeliver(event, &destination("app")).await.expect("open").expect("it is stored");
    assert!(third.round > twice.round, "a round is not used again");
    let states =
        all(&*store, DeliveryQuery { event: Some(event), limit: 10, ..DeliveryQuery::default() }).await;
    let dead = states.iter().find(|delivery| delivery.id == first.delivery).expect("listed");
    assert_eq!((dead.state, dead.reason), (DeliveryState::Dead, Some(DeadReason::Gone)));
    assert_eq!(states.len(), 4);
}

/// An edited replay sends what was edited, try after try and after a crash, and says who edited it. The event and its
/// other deliveries stay as they were.
pub async fn an_edited_replay_sends_what_was_edited(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["x"]), wants("other", &[])]).await.expect("open");
    let event = append(&*store, bed.signed("x", 1, Duration::ZERO)).await;
    let first = lease(&*store, "app").await;
    settle(&*store, &first, bed.now(), Next::Done).await;
    bed.advance(Duration::from_secs(5));
    let headers = Headers::from_pairs([("content-type", &b"text/plain"[..]), ("x-note", b"caf\xe9")]);
    let edit = Edit {
        mark: Edited { by: "ci (tok_1)".to_owned(), at: bed.now() },
        headers: headers.expect("plain"),
        body: Bytes::from_static(b"\0 as edited \xff"),
    };
    let unknown = EventId::with_position(bed.now(), 1, 12_345);
    assert_eq!(store.redeliver_edited(unknown, &destination("app"), edit.clone()).await, Ok(None));
    let made = store.redeliver_edited(event, &destination("app"), edit.clone()).await;
    let made = made.expect("open").expect("it is stored");
    let plain = store.redeliver(event, &destination("other")).await.expect("open").expect("it is stored");

    let held = lease(&*store, "app").await;
    assert_eq!((&held.delivery, held.event.id()), (&made, event));
    settle(&*store, &held, bed.now(), Next::RetryAt(bed.now())).await;
    let store = bed.crash(store).await;
    store.subscribe(&[wants("app", &["x"]), wants("other", &[])]).await.expect("open");
    let again = lease(&*store, "app").await;
    assert_eq!((&again.delivery, again.attempt), (&made, AttemptNumber(2)));
    for sent in [&held.event, &again.event] {
        assert_eq!((sent.body(), sent.headers()), (&edit.body, &edit.headers));
        let provenance = &sent.record().provenance;
        assert_eq!(provenance.edited.as_ref(), Some(&edit.mark));
        assert!(!provenance.is_verified() && provenance.key.is_none(), "nothing vouches for it");
        assert_eq!(provenance.provider, first.event.record().provenance.provider);
    }
    settle(&*store, &again, bed.now(), Next::Done).await;
    let other = lease(&*store, "other").await;
    assert_eq!((&other.delivery, &other.event), (&plain, &first.event));
    settle(&*store, &other, bed.now(), Next::Done).await;

    assert_eq!(
        store.event(event).await.expect("open").as_ref(),
        Some(&first.event),
        "the event is as it was"
    );
    assert_eq!(store.edit(&made).await, Ok(Some(edit.clone())));
    for unedited in [&plain, &first.delivery] {
        assert_eq!(store.edit(unedited).await, Ok(None));
    }
    let query = DeliveryQuery { event: Some(event), limit: 10, ..DeliveryQuery::default() };
    let marked: Vec<_> =
        all(&*store, query).await.into_iter().filter(|found| found.edited.is_some()).collect();
    assert_eq!(marked.len(), 1);
    assert_eq!((&marked[0].id, marked[0].edited.as_ref()), (&made, Some(&edit.mark)));
}

/// A lease that waits is answered when somebody replays, or retries.
pub async fn a_replay_wakes_a_waiting_lease(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    let event = append(&*store, bed.event("inbox", "1")).await;
    let first = lease(&*store, "app").await;
    settle(&*store, &first, bed.now(), Next::GiveUp(DeadReason::Gone)).await;
    let app = destination("app");
    let (woken, replayed) = tokio::join!(lease(&*store, "app"), store.redeliver(event, &app));
    assert_eq!(Ok(Some(woken.delivery.clone())), replayed);
    settle(&*store, &woken, bed.now(), Next::Done).await;
    let (woken, retried) = tokio::join!(lease(&*store, "app"), store.retry(&first.delivery));
    assert_eq!((woken.delivery, retried), (first.delivery, Ok(RetryOutcome::Due)));
}

/// Attempts are kept with what came of them, oldest first.
pub async fn attempts_are_listed_in_order(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("a", &["inbox"]), wants("b", &["inbox"])]).await.expect("open");
    let event = append(&*store, bed.event("inbox", "1")).await;
    let mut expected = Vec::new();
    for (name, next) in [
        ("a", Next::RetryAt(bed.now())),
        ("b", Next::Done),
        ("a", Next::RetryAt(bed.now())),
        ("a", Next::GiveUp(DeadReason::Exhausted)),
    ] {
        bed.advance(Duration::from_secs(1));
        let held = lease(&*store, name).await;
        let mut settlement = super::settlement(&held, bed.now(), next);
        if let Some(attempt) = &mut settlement.attempt
            && expected.is_empty()
        {
            attempt.outcome = AttemptOutcome::Failed { error: "connection refused".to_owned() };
        }
        expected.extend(settlement.attempt.clone());
        store.settle(vec![settlement]).await.expect("open");
    }
    assert_eq!(store.attempts(event).await, Ok(expected.clone()));
    let store = bed.reopen(store).await;
    assert_eq!(store.attempts(event).await, Ok(expected));
    let unknown = EventId::with_position(bed.now(), 1, 12_345);
    assert_eq!(store.attempts(unknown).await, Ok(Vec::new()));
}

async fn all(store: &dyn EventStore, mut query: DeliveryQuery) -> Vec<Delivery> {
    let mut all = Vec::new();
    loop {
        let page = store.deliveries(&query).await.expect("open");
        assert!(page.items.len() <= query.limit);
        all.extend(page.items);
        let Some(next) = page.next else { return all };
        query.cursor = Some(next);
    }
}

/// Every delivery is listed once, newest first, while others are made.
pub async fn deliveries_are_listed_newest_first(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("a", &["inbox"]), wants("b", &["inbox"])]).await.expect("open");
    let mut events = Vec::new();
    for number in 0..6 {
        events.push(append(&*store, bed.event("inbox", &number.to_string())).await);
    }
    for held in leases(&*store, "a", 4).await {
        settle(&*store, &held, bed.now(), Next::Done).await;
    }
    store.redeliver(events[2], &destination("a")).await.expect("open");
    let query = DeliveryQuery { limit: 5, ..DeliveryQuery::default() };
    let page = store.deliveries(&query).await.expect("open");
    assert_eq!(page.items.len(), 5);
    append(&*store, bed.event("inbox", "new")).await;
    store.redeliver(events[5], &destination("b")).await.expect("open");
    let rest = all(&*store, DeliveryQuery { cursor: page.next, ..query.clone() }).await;
    let mut seen: Vec<_> = page.items.into_iter().chain(rest).map(|delivery| delivery.id).collect();
    assert!(seen.is_sorted_by(|a, b| a.event >= b.event), "{seen:?}");
    seen.sort();
    let count = seen.len();
    seen.dedup();
    assert_eq!((count, seen.len()), (13, 13), "six events, two destinations, one replay");
    let one = DeliveryQuery { limit: 1, ..query };
    assert_eq!(all(&*store, one).await.len(), 16);
}

/// Filters pass what they say; a delivery shows its state, its tries and its end.
pub async fn deliveries_are_filtered(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("a", &["inbox"]), wants("b", &["inbox"])]).await.expect("open");
    let mut events = Vec::new();
    for number in 0..5 {
        events.push(append(&*store, bed.event("inbox", &number.to_string())).await);
    }
    let later = bed.now() + Duration::from_secs(60);
    let held = leases(&*store, "a", 4).await;
    settle(&*store, &held[0], bed.now(), Next::Done).await;
    settle(&*store, &held[1], bed.now(), Next::RetryAt(later)).await;
    settle(&*store, &held[2], bed.now(), Next::GiveUp(DeadReason::Gone)).await;

    let of_a = DeliveryQuery { destination: Some(destination("a")), limit: 2, ..DeliveryQuery::default() };
    let listed = all(&*store, of_a).await;
    let events_of = |deliveries: &[Delivery]| deliveries.iter().map(|d| d.id.event).collect::<Vec<_>>();
    assert_eq!(events_of(&listed), events.iter().rev().copied().collect::<Vec<_>>());
    let states: Vec<_> = listed.iter().rev().map(|delivery| delivery.state).collect();
    use DeliveryState as S;
    assert_eq!(states, [S::Delivered, S::Waiting, S::Dead, S::Leased, S::Pending]);
    let attempts: Vec<_> = listed.iter().rev().map(|delivery| delivery.attempts).collect();
    assert_eq!(attempts, [1, 1, 1, 0, 0]);
    assert!(listed.iter().all(|delivery| delivery.source == source("inbox")));
    assert_eq!(listed.iter().rev().map(|d| d.due_at).collect::<Vec<_>>()[1], Some(later));
    assert_eq!(listed.iter().rev().map(|d| d.reason).collect::<Vec<_>>()[2], Some(DeadReason::Gone));
    let last = listed[4].last_attempt.as_ref().expect("it was tried");
    assert!(last.outcome.is_delivered());

    for (state, count) in
        [(S::Delivered, 1), (S::Waiting, 1), (S::Dead, 1), (S::Leased, 1), (S::Pending, 6), (S::Cancelled, 0)]
    {
        let query = DeliveryQuery { state: Some(state), limit: 4, ..DeliveryQuery::default() };
        let listed = all(&*store, query).await;
        assert!(listed.iter().all(|delivery| delivery.state == state));
        assert_eq!(listed.len(), count, "{state:?}");
    }
    let query = DeliveryQuery { event: Some(events[1]), limit: 10, ..DeliveryQuery::default() };
    assert_eq!(events_of(&all(&*store, query).await), [events[1], events[1]]);
}

/// Backlogs count what is due or under way, what waits, and what was given up.
pub async fn backlogs_are_counted(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    let backlog = async |store: &dyn EventStore| store.backlogs().await.expect("open").remove(0);
    let none = backlog(&*store).await;
    assert_eq!((none.pending, none.waiting, none.dead, none.oldest), (0, 0, 0, None));
    let start = bed.now();
    for number in 0..5 {
        append(&*store, bed.event("inbox", &number.to_string())).await;
        bed.advance(Duration::from_secs(1));
    }
    let all = backlog(&*store).await;
    assert_eq!((all.pending, all.waiting, all.dead, all.oldest), (5, 0, 0, Some(start)));
    let held = leases(&*store, "app", 4).await;
    settle(&*store, &held[0], bed.now(), Next::Done).await;
    settle(&*store, &held[1], bed.now(), Next::RetryAt(bed.now() + Duration::from_secs(60))).await;
    settle(&*store, &held[2], bed.now(), Next::GiveUp(DeadReason::Gone)).await;
    let oldest = Some(start + Duration::from_secs(1));
    let some = backlog(&*store).await;
    assert_eq!((some.pending, some.waiting, some.dead, some.oldest), (2, 1, 1, oldest));
    let store = bed.reopen(store).await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    let again = backlog(&*store).await;
    assert_eq!((again.pending, again.waiting, again.dead, again.oldest), (2, 1, 1, oldest));
    bed.advance(Duration::from_secs(60));
    let retry = lease(&*store, "app").await;
    assert_eq!(retry.attempt, AttemptNumber(2));
    let under_way = backlog(&*store).await;
    assert_eq!((under_way.pending, under_way.waiting, under_way.dead), (3, 0, 1));
    settle(&*store, &retry, bed.now(), Next::Done).await;
    for held in leases(&*store, "app", 2).await {
        settle(&*store, &held, bed.now(), Next::Done).await;
    }
    let done = backlog(&*store).await;
    assert_eq!((done.pending, done.waiting, done.dead, done.oldest), (0, 0, 1, None));
}

/// A value is replaced by whoever read it last, and by nobody else.
pub async fn states_are_compared_and_set(bed: Bed) {
    let store = bed.open().await;
    assert_eq!(store.state("circuit/app").await, Ok(None));
    let first = store.put_state("circuit/app", Bytes::from_static(b"1"), None).await.expect("there was none");
    let lost = store.put_state("circuit/app", Bytes::from_static(b"x"), None).await;
    assert_eq!(lost, Err(StoreError::Conflict));
    let second =
        store.put_state("circuit/app", Bytes::from_static(b"2"), Some(first)).await.expect("it was that");
    assert!(second > first);
    let lost = store.put_state("circuit/app", Bytes::from_static(b"x"), Some(first)).await;
    assert_eq!(lost, Err(StoreError::Conflict));
    let none = store.put_state("circuit/other", Bytes::new(), Some(second)).await;
    assert_eq!(none, Err(StoreError::Conflict), "each key has revisions of its own");
    let at_once = (0..8).map(|n| store.put_state("race", Bytes::from(vec![n]), None)).collect();
    let won = super::log::join_all(at_once).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(won, 1);
    let store = bed.crash(store).await;
    let kept = store.state("circuit/app").await.expect("open").expect("it was put");
    assert_eq!((&kept.value[..], kept.revision), (&b"2"[..], second));
}

fn refusal(at: Timestamp, number: usize) -> Refusal {
    Refusal {
        request_id: format!("req_{number}"),
        at,
        source: number.is_multiple_of(2).then(|| source("inbox")),
        peer: "192.0.2.7".parse().ok(),
        method: "POST".to_owned(),
        path: "/in".to_owned(),
        status: 403,
        code: "sig.mismatch".to_owned(),
        reason: "`x-signature` does not match".to_owned(),
        body_bytes: 17,
    }
}

async fn all_refusals(store: &dyn EventStore, mut query: RefusalQuery) -> Vec<StoredRefusal> {
    let mut all = Vec::new();
    loop {
        let page = store.refusals(&query).await.expect("open");
        assert!(page.items.len() <= query.limit);
        all.extend(page.items);
        let Some(next) = page.next else { return all };
        query.cursor = Some(next);
    }
}

/// Refusals are kept as they were noted, and listed newest first.
pub async fn refusals_are_listed_newest_first(bed: Bed) {
    let store = bed.open().await;
    for number in 0..7 {
        store.refuse(refusal(bed.now(), number));
    }
    let query = RefusalQuery { limit: 3, ..RefusalQuery::default() };
    eventually("seven refusals are listed", async || all_refusals(&*store, query.clone()).await.len() == 7)
        .await;
    let store = bed.reopen(store).await;
    let listed = all_refusals(&*store, query.clone()).await;
    let expected: Vec<_> = (0..7).rev().map(|number| refusal(bed.now(), number)).collect();
    assert_eq!(listed.iter().map(|stored| stored.refusal.clone()).collect::<Vec<_>>(), expected);
    assert!(listed.is_sorted_by(|a, b| a.sequence > b.sequence));
    let of_inbox = RefusalQuery { source: Some(source("inbox")), ..query.clone() };
    assert_eq!(all_refusals(&*store, of_inbox).await.len(), 4);
    let oldest = RefusalQuery { order: Order::OldestFirst, ..query.clone() };
    let mut forward = all_refusals(&*store, oldest.clone()).await;
    forward.reverse();
    assert_eq!(forward, listed);
    let after_two = RefusalQuery { cursor: Some(Cursor(listed[4].sequence.0)), ..oldest };
    assert_eq!(all_refusals(&*store, after_two).await.len(), 4);
    let page = store.refusals(&query).await.expect("open");
    store.refuse(refusal(bed.now(), 7));
    let page = store.refusals(&RefusalQuery { cursor: page.next, ..query }).await.expect("open");
    assert_eq!(
        page.items.iter().map(|stored| &stored.refusal).collect::<Vec<_>>(),
        [&expected[3], &expected[4], &expected[5]]
    );
}

/// A flood of refusals is noted or counted, and nobody waits for it.
pub async fn refusing_never_waits(bed: Bed) {
    const FLOOD: usize = 5000;
    let store = bed.open().await;
    for number in 0..FLOOD {
        store.refuse(refusal(bed.now(), number));
    }
    append(&*store, bed.event("inbox", "meanwhile")).await;
    let query = RefusalQuery { limit: 1000, cursor: None::<Cursor>, ..RefusalQuery::default() };
    eventually("every refusal is listed or counted", async || {
        let listed = all_refusals(&*store, query.clone()).await.len() as u64;
        let dropped = store.status().await.expect("open").refusals_dropped;
        assert!(listed + dropped <= FLOOD as u64);
        listed + dropped == FLOOD as u64
    })
    .await;
}
