//! What every store promises, as tests: one rule, one test, the same for each store.
//!
//! A store's test file implements [`Place`] and says
//!
//! ```ignore
//! hookhouse_testkit::store_contract!(MyPlace::new());
//! ```
//!
//! which makes a test of every rule. The rules are those of `hookhouse_core::store`; each names the promise that it
//! checks. Time is a [`FakeClock`], but for leases, which run on the runtime's clock: where a rule needs one to run
//! out it waits for that, and no rule asserts how long anything takes.

pub mod consumers;
pub mod duplicates;
pub mod life;
pub mod log;
pub mod operators;
pub mod retention;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hookhouse_core::delivery::{Next, Settled, Settlement};
use hookhouse_core::store::{LeaseRequest, Receipt, Subscription};
use hookhouse_core::{
    Arrival, Attempt, AttemptOutcome, Clock, DestinationName, Event, EventId, EventStore, Lease, Repeats,
    Request, Secret, Sequence, SourceName, Timestamp,
};
use hookhouse_verify::danger::Unsigned;
use hookhouse_verify::{Key, Verdict, x};

use crate::clock::FakeClock;

/// Where a store lies: opened again, it has what it had.
#[async_trait]
pub trait Place: Send + Sync + 'static {
    /// Opens the store.
    async fn open(&self, settings: Settings) -> Arc<dyn EventStore>;

    /// Ends a store as a crash would: nothing is closed, nothing that is not durable stays. The next
    /// [`Place::open`] finds what a new process would.
    async fn crash(&self, store: Arc<dyn EventStore>);
}

/// How a rule wants its store.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The wall clock.
    pub clock: Arc<FakeClock>,
    /// How long events are kept.
    pub retention_age: Option<Duration>,
    /// How many bytes they may take.
    pub retention_size: Option<u64>,
}

/// A store to try a rule on, and the time there.
#[expect(missing_debug_implementations, reason = "a place need not be printable")]
pub struct Bed {
    place: Box<dyn Place>,
    /// The settings of every store that is opened from now on.
    pub settings: Settings,
}

impl Bed {
    /// A bed in a new place.
    pub fn new(place: impl Place) -> Self {
        let settings = Settings { clock: Arc::default(), retention_age: None, retention_size: None };
        Self { place: Box::new(place), settings }
    }

    /// Opens the store.
    pub async fn open(&self) -> Arc<dyn EventStore> {
        self.place.open(self.settings.clone()).await
    }

    /// Closes the store in good order and opens it again.
    pub async fn reopen(&self, store: Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        store.close().await;
        drop(store);
        self.open().await
    }

    /// Opens what a crash leaves of the store.
    pub async fn crash(&self, store: Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        self.place.crash(store).await;
        self.open().await
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.settings.clock.now()
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.settings.clock.advance(by);
    }

    /// An event that nothing vouches for, received now.
    pub fn event(&self, source: &str, body: &str) -> Event {
        let request = Request::new("POST", "/in", &[("content-type", "text/plain")], body.to_owned());
        let request = request.expect("the header is plain");
        Event::accept(Unsigned::accept(request), self.arrival(source, Duration::ZERO))
    }

    /// An event of X, received now. Two with the same number are repeats of each other.
    pub fn signed(&self, source: &str, number: u32, window: Duration) -> Event {
        self.signed_where(source, number, window, Repeats::Acknowledge)
    }

    /// The same, where repeats are dealt with so.
    pub fn signed_where(&self, source: &str, number: u32, window: Duration, repeats: Repeats) -> Event {
        self.posts_where(source, &[number], window, repeats)
    }

    /// An event of X with several elements in one body, received now.
    pub fn posts(&self, source: &str, numbers: &[u32], window: Duration) -> Event {
        self.posts_where(source, numbers, window, Repeats::Acknowledge)
    }

    fn posts_where(&self, source: &str, numbers: &[u32], window: Duration, repeats: Repeats) -> Event {
        let secret = || Secret::new("a consumer secret for tests").expect("not empty");
        let posts: Vec<_> = numbers.iter().map(|number| format!(r#"{{"id_str":"{number}"}}"#)).collect();
        let body = format!(r#"{{"for_user_id":"1","tweet_create_events":[{}]}}"#, posts.join(","));
        let signature = x::sign_post(&secret(), body.as_bytes());
        let request = Request::new("POST", "/x", &[(x::SIGNATURE_HEADER, signature.as_str())], body);
        let settings =
            x::Settings { consumer: vec![Key::new("consumer_secret", secret())], ..x::Settings::default() };
        let verifier = x::Verifier::new(settings).expect("there is a key");
        match verifier.verify(request.expect("base64 is plain"), self.now()) {
            Verdict::Verified(verified) => {
                Event::accept(verified, Arrival { repeats, ..self.arrival(source, window) })
            }
            other => panic!("what was signed a moment ago verifies: {other:?}"),
        }
    }

    fn arrival(&self, source: &str, dedupe_window: Duration) -> Arrival {
        let (received_at, repeats) = (self.now(), Repeats::Acknowledge);
        Arrival { source: self::source(source), received_at, peer: None, dedupe_window, repeats }
    }
}

/// A source of this name.
pub fn source(name: &str) -> SourceName {
    name.parse().expect("a rule's names are good")
}

/// A destination of this name.
pub fn destination(name: &str) -> DestinationName {
    name.parse().expect("a rule's names are good")
}

/// A destination that wants these sources.
pub fn wants(destination_name: &str, sources: &[&str]) -> Subscription {
    Subscription {
        destination: destination(destination_name),
        sources: sources.iter().copied().map(source).collect(),
    }
}

/// Appends an event that is no repeat.
pub async fn append(store: &dyn EventStore, event: Event) -> EventId {
    append_at(store, event).await.0
}

/// Appends an event that is no repeat; its name and its place.
pub async fn append_at(store: &dyn EventStore, event: Event) -> (EventId, Sequence) {
    match store.append(event).await {
        Ok(Receipt::Stored { event, repeat_of: None }) => (event.id(), event.sequence()),
        other => panic!("a new event is stored: {other:?}"),
    }
}

/// Longer than any test waits for what must happen.
pub const LONG: Duration = Duration::from_secs(30);

/// A wish for one destination's work: it waits, and its leases hold for long.
pub fn request(destination_name: &str, max: usize) -> LeaseRequest {
    LeaseRequest {
        destination: destination(destination_name),
        max,
        wait: LONG,
        hold: Duration::from_secs(3600),
    }
}

/// Takes exactly so many leases, waiting for them.
pub async fn leases(store: &dyn EventStore, destination_name: &str, count: usize) -> Vec<Lease> {
    let mut all = Vec::new();
    while all.len() < count {
        let some = store.lease(&request(destination_name, count - all.len())).await.expect("leasing works");
        assert!(!some.is_empty(), "{} of {count} leases came for {destination_name}", all.len());
        all.extend(some);
    }
    all
}

/// Takes one lease, waiting for it.
pub async fn lease(store: &dyn EventStore, destination_name: &str) -> Lease {
    leases(store, destination_name, 1).await.pop().expect("there is one")
}

/// Asserts that there is nothing to do.
pub async fn assert_idle(store: &dyn EventStore, destination_name: &str) {
    let request = LeaseRequest { wait: Duration::ZERO, ..request(destination_name, 100) };
    let leases = store.lease(&request).await.expect("leasing works");
    assert!(leases.is_empty(), "nothing is due for {destination_name}: {leases:?}");
}

/// A settlement of a lease, with the attempt that fits.
pub fn settlement(lease: &Lease, at: Timestamp, next: Next) -> Settlement {
    let outcome = match &next {
        Next::Done => AttemptOutcome::Delivered { status: 204 },
        Next::RetryAt(_) | Next::GiveUp(_) => {
            AttemptOutcome::Refused { status: 500, answer: "no".to_owned() }
        }
        Next::Release => {
            return Settlement { delivery: lease.delivery.clone(), token: lease.token, attempt: None, next };
        }
    };
    let attempt = Attempt {
        delivery: lease.delivery.clone(),
        number: lease.attempt,
        started_at: at,
        duration_ms: 12,
        outcome,
    };
    Settlement { delivery: lease.delivery.clone(), token: lease.token, attempt: Some(attempt), next }
}

/// Settles a lease that is held.
pub async fn settle(store: &dyn EventStore, lease: &Lease, at: Timestamp, next: Next) {
    let settled = store.settle(vec![settlement(lease, at, next)]).await;
    assert_eq!(settled, Ok(vec![Settled::Recorded]));
}

/// Waits until something holds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(LONG, wait).await.is_ok(), "in vain: {what}");
}

/// Makes a test of every rule, for the place that an expression makes; with `in turn` instead a
/// function `every_rule` that tries one after the other, where places are dear, each in a new one.
#[macro_export]
macro_rules! store_contract {
    (@each $place:expr => $($part:ident: $($rule:ident),+;)+) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                $crate::store_contract::$part::$rule($crate::store_contract::Bed::new($place)).await;
            }
        )+)+
    };
    (@in_turn $place:expr => $($part:ident: $($rule:ident),+;)+) => {
        async fn every_rule<P: $crate::store_contract::Place>(place: impl Fn() -> P) {
            $($(
                println!("{}", stringify!($rule));
                let bed = $crate::store_contract::Bed::new(place());
                Box::pin($crate::store_contract::$part::$rule(bed)).await;
            )+)+
        }
    };
    (in turn) => { $crate::store_contract! { @rules in_turn () } };
    (@rules $how:ident $place:expr) => {
        $crate::store_contract! { @$how $place =>
            log: events_come_back_byte_for_byte, events_survive_a_crash, places_and_ids_grow,
                ids_grow_when_the_clock_is_set_back, only_the_exact_id_finds_an_event,
                an_answer_is_kept_beside_its_event, a_later_answer_replaces_an_earlier_one,
                pages_go_both_ways_while_events_come_in, pages_are_filtered;
            duplicates: a_repeat_names_its_original, repeats_at_once_are_stored_once,
                a_repeat_is_known_after_a_reopen, a_repeat_is_known_after_a_crash,
                a_window_ends, each_event_brings_its_own_window, each_source_has_its_own_repeats,
                unsigned_events_have_no_repeats, a_kept_repeat_is_stored_and_named,
                a_body_of_known_elements_is_a_repeat, one_new_element_makes_a_new_event,
                elements_are_known_after_a_crash, elements_have_their_window;
            consumers: a_new_destination_begins_with_the_next_event, events_come_in_order_and_once,
                a_destination_gets_its_sources_alone, destinations_are_independent,
                a_waiting_lease_is_woken_by_an_event, a_waiting_lease_ends_empty,
                a_lease_keeps_others_out, a_late_worker_loses, a_lease_is_settled_once,
                a_released_lease_does_not_count, a_retry_waits_and_comes_first, a_retry_that_is_due_wakes,
                attempts_are_counted_over_restarts, a_dead_delivery_rests_until_it_is_retried,
                a_crash_repeats_what_was_not_settled, a_restart_goes_on_where_it_stopped,
                an_unsubscribed_destination_rests_and_goes_on, a_destination_without_sources_gets_replays,
                settlements_are_answered_in_order;
            operators: a_retry_says_what_became_of_it, a_cancelled_delivery_rests_until_it_is_retried,
                a_delivery_cancelled_ahead_and_retried_comes_once, a_replay_is_a_delivery_of_its_own,
                an_edited_replay_sends_what_was_edited, a_replay_wakes_a_waiting_lease, attempts_are_listed_in_order, deliveries_are_listed_newest_first,
                deliveries_are_filtered, backlogs_are_counted, states_are_compared_and_set,
                refusals_are_listed_newest_first, refusing_never_waits;
            retention: age_takes_what_is_done_and_nothing_else, an_answer_goes_with_its_event,
                an_edit_goes_with_its_event, size_takes_the_oldest_that_are_done,
                a_store_full_of_waiting_events_says_so, repeats_of_removed_events_are_still_known;
            life: a_closed_store_answers_closed, closing_wakes_those_who_wait, the_status_counts,
                what_is_stored_is_counted;
        }
    };
    ($place:expr) => { $crate::store_contract! { @rules each $place } };
}
