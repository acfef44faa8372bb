//! Consumers: every destination gets every event of its sources, in order, until it is settled.

use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::delivery::{Next, Settled};
use hookhouse_core::store::LeaseRequest;
use hookhouse_core::{AttemptNumber, DeadReason, EventStore, Lease, LeaseToken};

use super::{Bed, append, assert_idle, lease, leases, request, settle, settlement, wants};

fn texts(leases: &[Lease]) -> Vec<&str> {
    leases.iter().map(|lease| std::str::from_utf8(lease.event.body()).expect("rules send text")).collect()
}

async fn append_all(bed: &Bed, store: &dyn EventStore, source: &str, texts: &[&str]) {
    for text in texts {
        append(store, bed.event(source, text)).await;
    }
}

/// Events from before a destination was there are not its own.
pub async fn a_new_destination_begins_with_the_next_event(bed: Bed) {
    let store = bed.open().await;
    append_all(&bed, &*store, "inbox", &["before"]).await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    assert_idle(&*store, "app").await;
    append_all(&bed, &*store, "inbox", &["after"]).await;
    store.subscribe(&[wants("app", &["inbox"]), wants("late", &["inbox"])]).await.expect("open");
    append_all(&bed, &*store, "inbox", &["later"]).await;
    assert_eq!(texts(&leases(&*store, "app", 2).await), ["after", "later"]);
    assert_eq!(texts(&leases(&*store, "late", 1).await), ["later"]);
    assert_idle(&*store, "late").await;
}

/// Every event comes once, in the order of the log, at most as many as asked for.
pub async fn events_come_in_order_and_once(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    let numbers: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    append_all(&bed, &*store, "inbox", &numbers.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut seen = Vec::new();
    while seen.len() < 50 {
        let some = store.lease(&request("app", 7)).await.expect("open");
        assert!((1..=7).contains(&some.len()));
        for lease in some {
            assert_eq!((lease.attempt, lease.delivery.round), (AttemptNumber(1), 0));
            assert_eq!(lease.delivery.event, lease.event.id());
            settle(&*store, &lease, bed.now(), Next::Done).await;
            seen.push(texts(&[lease])[0].to_owned());
        }
    }
    assert_eq!(seen, numbers);
    assert_idle(&*store, "app").await;
}

/// A destination gets the events of its sources and no others, however many of those there are in between.
pub async fn a_destination_gets_its_sources_alone(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["rare", "seldom"])]).await.expect("open");
    for number in 0..300 {
        append(&*store, bed.event("common", "foreign")).await;
        match number {
            100 => append_all(&bed, &*store, "rare", &["1"]).await,
            101 => append_all(&bed, &*store, "seldom", &["2"]).await,
            299 => append_all(&bed, &*store, "rare", &["3"]).await,
            _ => {}
        }
    }
    assert_eq!(texts(&leases(&*store, "app", 3).await), ["1", "2", "3"]);
    assert_idle(&*store, "app").await;
    let store = bed.crash(store).await;
    store.subscribe(&[wants("app", &["rare", "seldom"])]).await.expect("open");
    assert_eq!(texts(&leases(&*store, "app", 3).await), ["1", "2", "3"], "nothing was settled");
}

/// What one destination does with an event is nothing to another.
pub async fn destinations_are_independent(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("a", &["inbox"]), wants("b", &["inbox"])]).await.expect("open");
    append_all(&bed, &*store, "inbox", &["1", "2"]).await;
    let a = leases(&*store, "a", 2).await;
    settle(&*store, &a[0], bed.now(), Next::Done).await;
    settle(&*store, &a[1], bed.now(), Next::GiveUp(DeadReason::Gone)).await;
    assert_idle(&*store, "a").await;
    let b = leases(&*store, "b", 2).await;
    assert_eq!(texts(&b), ["1", "2"]);
    assert_eq!(b[1].attempt, AttemptNumber(1));
    settle(&*store, &b[0], bed.now(), Next::RetryAt(bed.now())).await;
    assert_idle(&*store, "a").await;
}

/// A lease that waits is answered when there is something.
pub async fn a_waiting_lease_is_woken_by_an_event(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    let (came, _) = tokio::join!(lease(&*store, "app"), append_all(&bed, &*store, "inbox", &["1"]));
    assert_eq!(texts(&[came]), ["1"]);
}

/// A lease that waits in vain is answered with none.
pub async fn a_waiting_lease_ends_empty(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    for name in ["app", "nobody"] {
        let short = LeaseRequest { wait: Duration::from_millis(20), ..request(name, 1) };
        assert_eq!(store.lease(&short).await.expect("open").len(), 0);
    }
}

/// Nothing is handed out to two workers while a lease holds.
pub async fn a_lease_keeps_others_out(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    append_all(&bed, &*store, "inbox", &["1", "2", "3"]).await;
    let first = leases(&*store, "app", 2).await;
    let second = leases(&*store, "app", 1).await;
    assert_eq!((texts(&first), texts(&second)), (vec!["1", "2"], vec!["3"]));
    assert_idle(&*store, "app").await;
}

/// A lease that runs out is given to somebody else, and whoever had it cannot settle it any more.
pub async fn a_late_worker_loses(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    append_all(&bed, &*store, "inbox", &["1"]).await;
    let hold = Duration::from_millis(20);
    let mut first = store.lease(&LeaseRequest { hold, ..request("app", 1) }).await.expect("open");
    let first = first.pop().expect("one event waits");
    bed.advance(hold);
    let second = lease(&*store, "app").await;
    assert_eq!(first.delivery, second.delivery);
    assert_ne!(first.token, second.token);
    assert_eq!(second.attempt, AttemptNumber(1), "a try that was never told of does not count");
    let late = store.settle(vec![settlement(&first, bed.now(), Next::Done)]).await;
    assert_eq!(late, Ok(vec![Settled::LeaseLost]));
    assert!(store.attempts(first.delivery.event).await.expect("open").is_empty(), "nothing was recorded");
    settle(&*store, &second, bed.now(), Next::Done).await;
    assert_idle(&*store, "app").await;
}

/// A lease is settled once, by its own token.
pub async fn a_lease_is_settled_once(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    append_all(&bed, &*store, "inbox", &["1"]).await;
    let lease = lease(&*store, "app").await;
    let mut forged = settlement(&lease, bed.now(), Next::Done);
    forged.token = LeaseToken(lease.token.0.wrapping_add(1));
    assert_eq!(store.settle(vec![forged]).await, Ok(vec![Settled::LeaseLost]));
    let twice = vec![settlement(&lease, bed.now(), Next::Done), settlement(&lease, bed.now(), Next::Done)];
    assert_eq!(store.settle(twice).await, Ok(vec![Settled::Recorded, Settled::LeaseLost]));
    let again = store.settle(vec![settlement(&lease, bed.now(), Next::Done)]).await;
    assert_eq!(again, Ok(vec![Settled::LeaseLost]));
    assert_eq!(store.attempts(lease.delivery.event).await.expect("open").len(), 1);
}

/// Handing a lease back costs no try, for a fresh delivery and for a retry.
pub async fn a_released_lease_does_not_count(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    append_all(&bed, &*store, "inbox", &["1"]).await;
    let steps = [
        (1, Next::Release),
        (1, Next::RetryAt(bed.now())),
        (2, Next::Release),
        (2, Next::Release),
        (2, Next::RetryAt(bed.now())),
        (3, Next::Done),
    ];
    for (number, next) in steps {
        let lease = lease(&*store, "app").await;
        assert_eq!(lease.attempt, AttemptNumber(number));
        settle(&*store, &lease, bed.now(), next).await;
    }
    assert_idle(&*store, "app").await;
}

/// A retry is handed out when it is due and not before, ahead of fresh events, the one that was due first first.
pub async fn a_retry_waits_and_comes_first(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    append_all(&bed, &*store, "inbox", &["1", "2"]).await;
    let first = leases(&*store, "app", 2).await;
    let minute = Duration::from_secs(60);
    settle(&*store, &first[0], bed.now(), Next::RetryAt(bed.now() + 2 * minute)).await;
    settle(&*store, &first[1], bed.now(), Next::RetryAt(bed.now() + minute)).await;
    assert_idle(&*store, "app").await;
    bed.advance(minute - Duration::from_millis(1));
    assert_idle(&*store, "app").await;
    append_all(&bed, &*store, "inbox", &["3"]).await;
    bed.advance(Duration::from_millis(1));
    assert_eq!(texts(&leases(&*store, "app", 1).await), ["2"]);
    bed.advance(minute);
    let rest = leases(&*store, "app", 2).await;
    assert_eq!(texts(&rest), ["1", "3"]);
    assert_eq!((rest[0].attempt, rest[1].attempt), (AttemptNumber(2), AttemptNumber(1)));
}

/// A lease that waits is answered when a retry becomes due, though nothing else happens.
pub async fn a_retry_that_is_due_wakes(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    append_all(&bed, &*store, "inbox", &["1"]).await;
    let first = lease(&*store, "app").await;
    let due = bed.now() + Duration::from_secs(3600);
    settle(&*store, &first, bed.now(), Next::RetryAt(due)).await;
    let waiting = Arc::clone(&store);
    let second = tokio::join!(lease(&*waiting, "app"), async { bed.settings.clock.set(due) }).0;
    assert_eq!((second.delivery, second.attempt), (first.delivery, AttemptNumber(2)));
}

/// Tries are counted over restarts and crashes, once they are recorded.
pub async fn attempts_are_counted_over_restarts(bed: Bed) {
    let mut store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    append_all(&bed, &*store, "inbox", &["1"]).await;
    for number in 1..=4 {
        let held = lease(&*store, "app").await;
        assert_eq!(held.attempt, AttemptNumber(number));
        settle(&*store, &held, bed.now(), Next::RetryAt(bed.now())).await;
        store = if number % 2 == 0 { bed.crash(store).await } else { bed.reopen(store).await };
        store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    }
    let held = lease(&*store, "app").await;
    assert_eq!(held.attempt, AttemptNumber(5));
    assert_eq!(store.attempts(held.delivery.event).await.expect("open").len(), 4);
}

/// What was given up is not handed out, also after a restart, until somebody wants it retried; then its tries go on.
pub async fn a_dead_delivery_rests_until_it_is_retried(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    append_all(&bed, &*store, "inbox", &["1"]).await;
    let first = lease(&*store, "app").await;
    settle(&*store, &first, bed.now(), Next::GiveUp(DeadReason::Exhausted)).await;
    assert_idle(&*store, "app").await;
    let store = bed.reopen(store).await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    assert_idle(&*store, "app").await;
    let due = store.retry(&first.delivery).await;
    assert_eq!(due, Ok(hookhouse_core::store::RetryOutcome::Due));
    let second = lease(&*store, "app").await;
    assert_eq!((&second.delivery, second.attempt), (&first.delivery, AttemptNumber(2)));
    settle(&*store, &second, bed.now(), Next::Done).await;
    assert_idle(&*store, "app").await;
}

/// A crash hands out again what was leased and not settled, and nothing that was settled, in whatever order.
pub async fn a_crash_repeats_what_was_not_settled(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    append_all(&bed, &*store, "inbox", &["0", "1", "2", "3", "4", "5", "6"]).await;
    let held = leases(&*store, "app", 6).await;
    settle(&*store, &held[1], bed.now(), Next::Done).await;
    settle(&*store, &held[3], bed.now(), Next::RetryAt(bed.now() + Duration::from_secs(60))).await;
    settle(&*store, &held[5], bed.now(), Next::GiveUp(DeadReason::Gone)).await;
    let store = bed.crash(store).await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    assert_eq!(texts(&leases(&*store, "app", 4).await), ["0", "2", "4", "6"]);
    let late = store.settle(vec![settlement(&held[0], bed.now(), Next::Done)]).await;
    assert_eq!(late, Ok(vec![Settled::LeaseLost]), "leases end with the process");
    assert_idle(&*store, "app").await;
    bed.advance(Duration::from_secs(60));
    let retry = lease(&*store, "app").await;
    assert_eq!((texts(std::slice::from_ref(&retry)), retry.attempt), (vec!["3"], AttemptNumber(2)));
}

/// A restart in good order repeats nothing that was settled and forgets nothing that was not.
pub async fn a_restart_goes_on_where_it_stopped(bed: Bed) {
    let mut store = bed.open().await;
    let subscription = [wants("app", &["inbox"])];
    store.subscribe(&subscription).await.expect("open");
    for round in 0..3 {
        let names = [format!("{round}a"), format!("{round}b")];
        append_all(&bed, &*store, "inbox", &[&names[0], &names[1]]).await;
        let held = leases(&*store, "app", 2).await;
        assert_eq!(texts(&held), names);
        settle(&*store, &held[1], bed.now(), Next::Done).await;
        store = bed.reopen(store).await;
        store.subscribe(&subscription).await.expect("open");
        let again = leases(&*store, "app", 1).await;
        assert_eq!(texts(&again), [&names[0]]);
        settle(&*store, &again[0], bed.now(), Next::Done).await;
        assert_idle(&*store, "app").await;
    }
}

/// A destination that is no longer named gets nothing and keeps what it has; named again, it goes on.
pub async fn an_unsubscribed_destination_rests_and_goes_on(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"]), wants("other", &["inbox"])]).await.expect("open");
    append_all(&bed, &*store, "inbox", &["dead", "1"]).await;
    let dead = leases(&*store, "app", 1).await.remove(0);
    settle(&*store, &dead, bed.now(), Next::GiveUp(DeadReason::Gone)).await;
    store.subscribe(&[wants("other", &["inbox"])]).await.expect("open");
    append_all(&bed, &*store, "inbox", &["2"]).await;
    assert_idle(&*store, "app").await;
    assert_eq!(leases(&*store, "other", 3).await.len(), 3);
    let query = hookhouse_core::store::DeliveryQuery {
        state: Some(hookhouse_core::DeliveryState::Dead),
        limit: 10,
        ..Default::default()
    };
    let page = store.deliveries(&query).await.expect("open");
    assert_eq!(page.items.iter().map(|delivery| &delivery.id).collect::<Vec<_>>(), [&dead.delivery]);
    let backlogs = store.backlogs().await.expect("open");
    assert_eq!(backlogs.iter().map(|backlog| backlog.destination.as_str()).collect::<Vec<_>>(), ["other"]);
    let store = bed.reopen(store).await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    assert_eq!(texts(&leases(&*store, "app", 2).await), ["1", "2"]);
}

/// A destination that wants no source gets what is sent to it again, and nothing else.
pub async fn a_destination_without_sources_gets_replays(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &[])]).await.expect("open");
    let event = append(&*store, bed.event("inbox", "1")).await;
    assert_idle(&*store, "app").await;
    let replay =
        store.redeliver(event, &super::destination("app")).await.expect("open").expect("it is stored");
    let lease = lease(&*store, "app").await;
    assert_eq!((&lease.delivery, lease.delivery.round > 0), (&replay, true));
    settle(&*store, &lease, bed.now(), Next::Done).await;
    assert_idle(&*store, "app").await;
}

/// Settlements are answered one by one, in their order.
pub async fn settlements_are_answered_in_order(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    append_all(&bed, &*store, "inbox", &["1", "2", "3"]).await;
    let held = leases(&*store, "app", 3).await;
    settle(&*store, &held[1], bed.now(), Next::Done).await;
    let at = bed.now();
    let batch = vec![
        settlement(&held[2], at, Next::Done),
        settlement(&held[1], at, Next::Done),
        settlement(&held[0], at, Next::GiveUp(DeadReason::Exhausted)),
    ];
    let answers = store.settle(batch).await;
    assert_eq!(answers, Ok(vec![Settled::Recorded, Settled::LeaseLost, Settled::Recorded]));
    assert_eq!(store.settle(Vec::new()).await, Ok(Vec::new()));
    assert_idle(&*store, "app").await;
}
