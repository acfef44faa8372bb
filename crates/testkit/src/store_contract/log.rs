//! The log: what went in comes out, in order.

use std::net::IpAddr;
use std::time::Duration;

use hookhouse_core::store::{Cursor, EventQuery, Order};
use hookhouse_core::{
    Answer, Arrival, Event, EventId, EventStore, Headers, Passed, Repeats, Request, Sequence,
};
use hookhouse_verify::danger::Unsigned;

use super::{Bed, append, append_at, source};

/// A request with what other formats would not survive.
fn odd_event(bed: &Bed) -> (Event, Request) {
    let headers: [(&str, &[u8]); 4] =
        [("x-a", b"1"), ("x-b", b"caf\xe9: \xff"), ("x-a", b"2"), ("x-empty", b"")];
    let body: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let request = Request::new("PATCH", "/in/%2e%2e?a=%00&a=b&&", &headers, body).expect("good headers");
    let arrival = Arrival {
        source: source("inbox"),
        received_at: bed.now(),
        peer: Some("2001:db8::7".parse::<IpAddr>().expect("an address")),
        dedupe_window: Duration::from_secs(60),
        repeats: Repeats::Acknowledge,
    };
    (Event::accept(Unsigned::accept(request.clone()), arrival), request)
}

async fn assert_odd_event(
    store: &dyn EventStore,
    bed: &Bed,
    id: EventId,
    sequence: Sequence,
    sent: &Request,
) {
    let event = store.event(id).await.expect("readable").expect("there");
    let record = event.record();
    assert_eq!((event.id(), event.sequence()), (id, sequence));
    assert_eq!((&record.request.method, &record.request.target), (&sent.method, &sent.target));
    assert_eq!((&record.request.headers, &record.request.body), (&sent.headers, &sent.body));
    assert_eq!((record.source.as_str(), record.received_at), ("inbox", bed.now()));
    assert_eq!(record.peer, "2001:db8::7".parse().ok());
    assert_eq!((record.provenance.provider.as_ref(), record.provenance.is_verified()), ("none", false));
    assert_eq!(record.event_type, None);
}

/// Append is durable, and keeps every byte.
pub async fn events_come_back_byte_for_byte(bed: Bed) {
    let store = bed.open().await;
    let (event, sent) = odd_event(&bed);
    let (id, sequence) = append_at(&*store, event).await;
    assert_odd_event(&*store, &bed, id, sequence, &sent).await;
    let signed = append(&*store, bed.signed("x", 1, Duration::from_secs(60))).await;
    let store = bed.reopen(store).await;
    assert_odd_event(&*store, &bed, id, sequence, &sent).await;
    let signed = store.event(signed).await.expect("readable").expect("there");
    let provenance = &signed.record().provenance;
    assert_eq!((provenance.provider.as_ref(), provenance.key.as_deref()), ("x", Some("consumer_secret")));
    assert!(provenance.is_verified());
    assert_eq!(signed.record().event_type.as_deref(), Some("tweet_create_events"));
}

/// Append is durable when it returns.
pub async fn events_survive_a_crash(bed: Bed) {
    let store = bed.open().await;
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push(append(&*store, bed.event("inbox", &number.to_string())).await);
    }
    let store = bed.crash(store).await;
    for (number, id) in ids.into_iter().enumerate() {
        let event = store.event(id).await.expect("readable").expect("acknowledged, so there");
        assert_eq!(event.body(), number.to_string().as_bytes());
    }
}

/// Places grow in the order of durability, ids with them, and neither is used again.
pub async fn places_and_ids_grow(bed: Bed) {
    let mut store = bed.open().await;
    let mut all = Vec::new();
    for round in 0..3 {
        let at_once = (0..20).map(|_| append_at(&*store, bed.event("inbox", "x")));
        let mut stored = join_all(at_once.collect()).await;
        stored.sort_by_key(|(_, sequence)| *sequence);
        all.extend(stored);
        store = if round == 0 { bed.crash(store).await } else { bed.reopen(store).await };
    }
    assert!(all.is_sorted_by(|a, b| a.1 < b.1 && a.0 < b.0), "{all:?}");
}

/// Ids stay in order when the wall clock is set back, and no event is lost by it.
pub async fn ids_grow_when_the_clock_is_set_back(bed: Bed) {
    let store = bed.open().await;
    let first = append(&*store, bed.event("inbox", "1")).await;
    let noon = bed.now();
    bed.settings.clock.set(noon - Duration::from_secs(86_400 * 365));
    let second = append(&*store, bed.event("inbox", "2")).await;
    let store = bed.reopen(store).await;
    let third = append(&*store, bed.event("inbox", "3")).await;
    bed.advance(Duration::from_secs(86_400 * 365 * 2));
    let fourth = append(&*store, bed.event("inbox", "4")).await;
    assert!([first, second, third, fourth].is_sorted_by(|a, b| a < b));
    for id in [first, second, third, fourth] {
        assert!(store.event(id).await.expect("readable").is_some());
    }
}

/// An id that was never given out finds nothing, however near it is.
pub async fn only_the_exact_id_finds_an_event(bed: Bed) {
    let store = bed.open().await;
    let id = append(&*store, bed.event("inbox", "1")).await;
    for byte in [0, 5, 9, 15] {
        let mut other = *id.as_bytes();
        other[byte] ^= 1;
        assert!(store.event(EventId::from_bytes(other)).await.expect("readable").is_none());
    }
}

/// An answer with what other formats would not survive.
fn odd_answer(bed: &Bed, event: EventId) -> Answer {
    let headers: [(&str, &[u8]); 3] = [("set-cookie", b"a=1"), ("set-cookie", b"b=\xff"), ("x-empty", b"")];
    Answer {
        event,
        destination: super::destination("app"),
        asked_at: bed.now(),
        duration_ms: 7,
        status: 502,
        headers: Headers::from_pairs(headers).expect("good headers"),
        body: (0..=255).cycle().take(5000).collect::<Vec<u8>>().into(),
        failure: Some("no answer in time".to_owned()),
        repeat_of: Some(event),
        passed: None,
    }
}

/// An answer is durable, keeps every byte, and is nobody else's.
pub async fn an_answer_is_kept_beside_its_event(bed: Bed) {
    let store = bed.open().await;
    let answered = append(&*store, bed.event("inbox", "1")).await;
    let other = append(&*store, bed.event("inbox", "2")).await;
    let answer = odd_answer(&bed, answered);
    store.keep_answer(answer.clone()).await.expect("kept");
    let store = bed.crash(store).await;
    assert_eq!(store.answer(answered).await, Ok(Some(answer.clone())));
    assert_eq!(store.answer(other).await, Ok(None));
    let mut unknown = *answered.as_bytes();
    unknown[15] ^= 1;
    let unknown = EventId::from_bytes(unknown);
    store.keep_answer(Answer { event: unknown, ..answer.clone() }).await.expect("nothing to keep it beside");
    assert_eq!(store.answer(unknown).await, Ok(None));
    assert_eq!(store.answer(answered).await, Ok(Some(answer)));
}

/// A connection's end takes the place of its beginning.
pub async fn a_later_answer_replaces_an_earlier_one(bed: Bed) {
    let store = bed.open().await;
    let event = append(&*store, bed.event("inbox", "1")).await;
    let opened = Answer { status: 101, failure: None, ..odd_answer(&bed, event) };
    let passed = Passed { up: u64::MAX >> 1, down: 0, end: "closed".to_owned() };
    let ended = Answer { passed: Some(passed), duration_ms: 86_400_000, ..opened.clone() };
    store.keep_answer(opened).await.expect("kept");
    store.keep_answer(ended.clone()).await.expect("kept");
    let store = bed.reopen(store).await;
    assert_eq!(store.answer(event).await, Ok(Some(ended)));
}

async fn bodies(store: &dyn EventStore, query: &EventQuery) -> (Vec<String>, Option<Cursor>) {
    let page = store.events(query).await.expect("readable");
    assert!(page.items.len() <= query.limit);
    let text = |body: &[u8]| String::from_utf8(body.to_vec()).expect("rules send text");
    (page.items.iter().map(|event| text(event.body())).collect(), page.next)
}

async fn all_bodies(store: &dyn EventStore, mut query: EventQuery) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let (some, next) = bodies(store, &query).await;
        all.extend(some);
        let Some(next) = next else { return all };
        query.cursor = Some(next);
    }
}

/// Pages follow each other without a gap or a repeat, while events are added.
pub async fn pages_go_both_ways_while_events_come_in(bed: Bed) {
    let store = bed.open().await;
    for number in 0..10 {
        append(&*store, bed.event("inbox", &number.to_string())).await;
    }
    let newest = EventQuery { limit: 4, ..EventQuery::default() };
    let (first, next) = bodies(&*store, &newest).await;
    assert_eq!(first, ["9", "8", "7", "6"]);
    append(&*store, bed.event("inbox", "10")).await;
    let rest = all_bodies(&*store, EventQuery { cursor: next, ..newest.clone() }).await;
    assert_eq!(rest, ["5", "4", "3", "2", "1", "0"]);

    let oldest = EventQuery { order: Order::OldestFirst, ..newest };
    let (first, next) = bodies(&*store, &oldest).await;
    assert_eq!(first, ["0", "1", "2", "3"]);
    append(&*store, bed.event("inbox", "11")).await;
    let rest = all_bodies(&*store, EventQuery { cursor: next, ..oldest }).await;
    assert_eq!(rest, ["4", "5", "6", "7", "8", "9", "10", "11"]);
}

/// Filters pass what they say, alone and together.
pub async fn pages_are_filtered(bed: Bed) {
    let store = bed.open().await;
    let start = bed.now();
    for number in 0..9 {
        append(&*store, bed.event(if number % 3 == 0 { "a" } else { "b" }, &number.to_string())).await;
        bed.advance(Duration::from_secs(60));
    }
    append(&*store, bed.signed("x", 1, Duration::ZERO)).await;
    let minute = |n: u64| Some(start + Duration::from_secs(60 * n));
    let query = || EventQuery { limit: 2, order: Order::OldestFirst, ..EventQuery::default() };

    let of_a = EventQuery { source: Some(source("a")), ..query() };
    assert_eq!(all_bodies(&*store, of_a.clone()).await, ["0", "3", "6"]);
    let nobodys = EventQuery { source: Some(source("c")), ..query() };
    assert!(all_bodies(&*store, nobodys).await.is_empty());
    let hour = EventQuery { since: minute(3), until: minute(6), ..query() };
    assert_eq!(all_bodies(&*store, hour.clone()).await, ["3", "4", "5"]);
    let newest = EventQuery { order: Order::NewestFirst, ..hour };
    assert_eq!(all_bodies(&*store, newest).await, ["5", "4", "3"]);
    let both = EventQuery { since: minute(1), ..of_a };
    assert_eq!(all_bodies(&*store, both).await, ["3", "6"]);
    let tweets = EventQuery { event_type: Some("tweet_create_events".to_owned()), ..query() };
    assert_eq!(all_bodies(&*store, tweets).await.len(), 1);
    for (pattern, count) in [("tweet_*", 1), ("*_events", 1), ("*", 1), ("follow_*", 0)] {
        let some = EventQuery { event_type: Some(pattern.to_owned()), ..query() };
        assert_eq!(all_bodies(&*store, some).await.len(), count, "{pattern}");
    }
    let other = EventQuery { event_type: Some("follow_events".to_owned()), ..query() };
    assert!(all_bodies(&*store, other).await.is_empty());
    let verified = |wanted| EventQuery { verified: Some(wanted), ..query() };
    assert_eq!(all_bodies(&*store, verified(true)).await.len(), 1);
    assert_eq!(all_bodies(&*store, verified(false)).await.len(), 9);
    let text = |text: &str| EventQuery { text: Some(text.to_owned()), ..query() };
    append(&*store, bed.event("a", "a needle in a body")).await;
    assert_eq!(all_bodies(&*store, text("nEEdle")).await, ["a needle in a body"]);
    assert_eq!(all_bodies(&*store, text("TWEET_Create")).await.len(), 1, "in a type or a body, in any case");
    assert_eq!(all_bodies(&*store, text("/IN")).await.len(), 10, "in a target");
    assert!(all_bodies(&*store, text("text/plain")).await.is_empty(), "not in headers");
}

/// Waits for all of some futures, which run at once.
pub(super) async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, output) in &mut running {
            if output.is_none()
                && let std::task::Poll::Ready(ready) = future.as_mut().poll(cx)
            {
                *output = Some(ready);
            }
        }
        match running.iter().all(|(_, output)| output.is_some()) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    running.into_iter().filter_map(|(_, output)| output).collect()
}
