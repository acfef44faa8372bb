//! S04, S06, and what each answer leads to.

use std::time::Duration;

use bytes::Bytes;
use hookhouse_core::delivery::Next;
use hookhouse_core::{AttemptOutcome, DeadReason, DeliveryState};
use hookhouse_delivery::Destination;
use hookhouse_testkit::receiver::Behaviour;

use crate::world::{World, bodies, destination, error_of};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test(start_paused = true)]
async fn s04_an_answer_without_end_is_a_failed_attempt_and_bounded() {
    let gzip_bomb = vec![0x1f; 1024 * 1024];
    for (behaviour, words) in [
        (Behaviour::Endless { status: 200 }, "answered 200, but with a body of more than 64 KiB"),
        (
            Behaviour::Trickle { status: 200, every: seconds(1) },
            "answered 200, but the answer did not end in time",
        ),
        (
            Behaviour::status(200).header("content-encoding", "gzip").body(gzip_bomb),
            "answered 200, but with a body of more than 64 KiB",
        ),
        (Behaviour::Hang, "no answer within 10s"),
    ] {
        let world = World::new();
        let receiver = world.receiver("10.0.0.1:80");
        receiver.next(behaviour);
        let running = world.start(&[destination("app", "http://10.0.0.1/")]).await;
        world.events(2).await;
        world.delivered(2).await;
        let attempts = world.attempts(3).await;
        assert_eq!(error_of(&attempts[0].0), words);
        assert!(attempts[0].0.duration_ms <= 10_000, "{:?}", attempts[0].0);
        // The next event did not wait for the first one's second try.
        assert_eq!(bodies(&receiver), ["0", "1", "0"]);
        running.drain().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_small_compressed_answer_is_taken_as_it_is() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    receiver.next(Behaviour::status(500).header("content-encoding", "gzip").body(&b"\x1f\x8b\x08bomb"[..]));
    receiver.next(Behaviour::status(200).header("content-encoding", "gzip").body(&b"\x1f\x8b\x08bomb"[..]));
    let running = world.start(&[destination("app", "http://10.0.0.1/")]).await;
    world.event("hi").await;
    let attempts = world.attempts(2).await;
    let answer = "(7 bytes of gzip, not decoded)".to_owned();
    assert_eq!(attempts[0].0.outcome, AttemptOutcome::Refused { status: 500, answer });
    assert_eq!(attempts[1].0.outcome, AttemptOutcome::Delivered { status: 200 });
    running.drain().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_proper_answer_is_a_failed_attempt() {
    let long_head = format!("HTTP/1.1 200 OK\r\nx-long: {}\r\n\r\n", "a".repeat(100 * 1024));
    for (behaviour, words) in [
        (Behaviour::Close, "connection closed before message completed"),
        (Behaviour::Raw(Bytes::from_static(b"SSH-2.0-nothing\r\n\r\n")), "invalid HTTP"),
        (Behaviour::Raw(Bytes::from_static(b"HTTP/1.1 200 OK\r\ncontent-le")), "connection closed"),
        (
            Behaviour::Raw(Bytes::from_static(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort")),
            "broke off",
        ),
        (
            Behaviour::Raw(Bytes::from_static(
                b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
            )),
            "",
        ),
        (Behaviour::Raw(Bytes::from(long_head)), ""),
    ] {
        let world = World::new();
        let receiver = world.receiver("10.0.0.1:80");
        receiver.next(behaviour.clone());
        let running = world.start(&[destination("app", "http://10.0.0.1/")]).await;
        world.event("hi").await;
        world.delivered(1).await;
        let (attempt, next) = world.one_attempt().await;
        assert!(error_of(&attempt).contains(words), "{behaviour:?}: {attempt:?}");
        assert!(matches!(next, Next::RetryAt(_)));
        running.drain().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_keeps_the_beginning_of_its_answer() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    receiver.next(Behaviour::status(422).body("field `id` \x1b[31mmissing\r\n"));
    receiver.next(Behaviour::Endless { status: 500 });
    let running = world.start(&[destination("app", "http://10.0.0.1/")]).await;
    world.event("hi").await;
    let attempts = world.attempts(3).await;
    let answer = "field `id`  [31mmissing".to_owned();
    assert_eq!(attempts[0].0.outcome, AttemptOutcome::Refused { status: 422, answer });
    assert_eq!(attempts[1].0.outcome, AttemptOutcome::Refused { status: 500, answer: ".".repeat(1024) });
    running.drain().await;
}

/// S06: it fails for ever; its schedule ends it, and nobody waits for it.
#[tokio::test(start_paused = true)]
async fn s06_a_poisoned_event_is_given_up_and_blocks_nobody() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    receiver.decide(|request| Behaviour::status(if &request.body[..] == b"2" { 500 } else { 200 }));
    let running = world.start(&[destination("app", "http://10.0.0.1/")]).await;
    let ids = world.events(6).await;
    let attempts = world.attempts(9).await;
    assert_eq!(bodies(&receiver), ["0", "1", "2", "3", "4", "5", "2", "2", "2"]);
    assert_eq!(attempts[8].1, Next::GiveUp(DeadReason::Exhausted));
    let states = world.states().await;
    assert_eq!(states[2], (DeliveryState::Dead, 4));
    assert_eq!(states.iter().filter(|state| **state == (DeliveryState::Delivered, 1)).count(), 5);
    let numbers: Vec<_> = hookhouse_core::EventStore::attempts(&*world.store, ids[2])
        .await
        .unwrap()
        .iter()
        .map(|a| a.number.0)
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert!(world.circuit_changes().is_empty(), "one event is no reason to stop");
    running.drain().await;
}

#[tokio::test(start_paused = true)]
async fn the_tries_come_at_the_schedules_pauses() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    receiver.always(Behaviour::status(404));
    let running = world.start(&[destination("app", "http://10.0.0.1/")]).await;
    world.event("hi").await;
    world.attempts(4).await;
    let times: Vec<_> = receiver.received().iter().map(|r| r.at).collect();
    let pauses: Vec<_> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert_eq!(pauses, [5, 30, 120]);
    running.drain().await;
}

#[tokio::test(start_paused = true)]
async fn gone_is_given_up_at_once_and_later_events_still_go_out() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    receiver.next(Behaviour::status(410));
    let running = world.start(&[destination("app", "http://10.0.0.1/")]).await;
    world.events(2).await;
    let attempts = world.attempts(2).await;
    assert_eq!(attempts[0].1, Next::GiveUp(DeadReason::Gone));
    assert_eq!(world.states().await, [(DeliveryState::Dead, 1), (DeliveryState::Delivered, 1)]);
    running.drain().await;
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_waited_for_where_it_is_longer_than_the_schedules_pause() {
    for (status, value, expected) in [
        (429, "90", 90),
        (503, "90", 90),
        (503, "1", 5),
        (503, "Sun, 22 Nov 2026 10:01:00 GMT", 60),
        (500, "90", 5),
    ] {
        let world = World::new();
        let receiver = world.receiver("10.0.0.1:80");
        receiver.next(Behaviour::status(status).header("retry-after", value));
        let running = world.start(&[destination("app", "http://10.0.0.1/")]).await;
        world.event("hi").await;
        let tries = receiver.wait_for(2).await;
        assert_eq!((tries[1].at - tries[0].at).as_secs(), expected, "{status} {value}");
        running.drain().await;
    }
}

/// An operator's retry of a dead delivery is one more try; a replay is a delivery of its own.
#[tokio::test(start_paused = true)]
async fn a_retry_by_hand_and_a_replay_are_delivered() {
    use hookhouse_core::EventStore;
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    receiver.always(Behaviour::status(410));
    let running = world.start(&[destination("app", "http://10.0.0.1/")]).await;
    let id = world.event("hi").await;
    world.attempts(1).await;
    receiver.always(Behaviour::status(200));
    let dead = world.deliveries().await.remove(0).id;
    world.store.retry(&dead).await.unwrap();
    world.delivered(1).await;
    let replay = world.store.redeliver(id, &dead.destination).await.unwrap().unwrap();
    world.delivered(2).await;
    let numbers: Vec<_> =
        receiver.received().iter().map(|r| r.header("hookhouse-attempt").unwrap().to_owned()).collect();
    assert_eq!((numbers, replay.round), (vec!["1".to_owned(), "2".to_owned(), "1".to_owned()], 1));
    running.drain().await;
}

/// Whoever tells the length of an answer twice may have hidden a second one behind it.
#[tokio::test(start_paused = true)]
async fn a_connection_with_an_ambiguous_answer_is_not_used_again() {
    let twice =
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let once = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    for (answer, connections) in [(twice, 2), (once, 1)] {
        let world = World::new();
        let receiver = world.receiver("10.0.0.1:80");
        receiver.next(Behaviour::RawThenHang(Bytes::from_static(answer.as_bytes())));
        let running = world.start(&[destination("app", "http://10.0.0.1/")]).await;
        world.event("first").await;
        world.delivered(1).await;
        world.event("second").await;
        tokio::time::sleep(seconds(1)).await;
        assert_eq!(receiver.connections(), connections, "{answer:?}");
        running.abort().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_for_ever_is_a_day() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    receiver.next(Behaviour::Hang);
    let app = Destination { timeout: Duration::MAX, ..destination("app", "http://10.0.0.1/") };
    let running = world.start(&[app]).await;
    world.event("hi").await;
    let (attempt, _) = world.one_attempt().await;
    assert_eq!(attempt.duration_ms, 24 * 60 * 60 * 1000);
    running.drain().await;
}
