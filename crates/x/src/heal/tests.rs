//! The machine against an X of a few lines.

use jiff::SignedDuration;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::transport::TransportError;

const URL: &str = "https://hooks.example.com/x";

fn start() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// X, and the way to the endpoint.
struct World {
    now: Timestamp,
    healer: Healer,
    rng: StdRng,
    /// As X has it.
    webhook: Option<Webhook>,
    /// Whether X's challenge is answered rightly.
    answers: bool,
    /// What our own challenge finds.
    probe: fn() -> Result<(), ProbeFault>,
    /// What X says instead of anything else.
    error: Option<fn() -> Error>,
    calls: Vec<(Timestamp, &'static str)>,
    deeds: Vec<Deed>,
    gaps: Vec<Window>,
}

impl World {
    fn new(valid: bool) -> Self {
        Self {
            now: start(),
            healer: Healer::new(Policy::default(), URL.to_owned(), start()),
            rng: StdRng::seed_from_u64(1),
            webhook: Some(webhook(valid)),
            answers: true,
            probe: || Ok(()),
            error: None,
            calls: Vec::new(),
            deeds: Vec::new(),
            gaps: Vec::new(),
        }
    }

    /// Lets time pass, and the machine do what it wants.
    fn run(&mut self, for_so_long: SignedDuration) {
        let end = self.now + for_so_long;
        while self.now < end {
            let step = self.healer.next(self.now);
            if let Step::Wait(until) = step {
                assert!(until > self.now, "a wait for nothing");
                self.now = until.min(end);
                continue;
            }
            let (healer, now, rng) = (&mut self.healer, self.now, &mut self.rng);
            let error = self.error.map(|error| error());
            let effects = match step {
                Step::Wait(_) => unreachable!(),
                Step::Look => {
                    self.calls.push((now, "GET"));
                    let list: Vec<_> = self.webhook.iter().cloned().collect();
                    healer.looked(error.as_ref().map_or(Ok(list.as_slice()), Err), now, rng)
                }
                Step::Probe => healer.probed((self.probe)().as_ref().copied(), now, rng),
                Step::Validate(id) => {
                    self.calls.push((now, "PUT"));
                    let webhook =
                        self.webhook.as_mut().filter(|webhook| webhook.id == id).expect("a webhook");
                    webhook.valid = self.answers;
                    if self.answers {
                        healer.challenged(now);
                    }
                    healer.validated(error.as_ref().map_or(Ok(()), Err), now, rng)
                }
                Step::Register => {
                    self.calls.push((now, "POST"));
                    self.webhook = Some(webhook(true));
                    healer.registered(
                        self.webhook.as_ref().ok_or(&Error::BadCredential { name: "" }),
                        now,
                        rng,
                    )
                }
            };
            self.deeds.extend(effects.deeds);
            self.gaps.extend(effects.gap);
        }
    }

    fn count(&self, method: &str) -> usize {
        self.calls.iter().filter(|(_, called)| *called == method).count()
    }

    /// The most calls in any hour.
    fn rush(&self) -> usize {
        let within = |from: Timestamp| {
            self.calls
                .iter()
                .filter(|(at, _)| *at >= from && *at < from + SignedDuration::from_hours(1))
                .count()
        };
        self.calls.iter().map(|(at, _)| within(*at)).max().unwrap_or(0)
    }

    fn lines(&self) -> Vec<String> {
        self.deeds.iter().map(ToString::to_string).collect()
    }
}

fn webhook(valid: bool) -> Webhook {
    let created_at = Some("2026-11-22T03:00:00.000Z".to_owned());
    Webhook { id: "123".parse().unwrap(), url: URL.to_owned(), valid, created_at }
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

#[test]
fn a_webhook_that_is_well_is_looked_at_four_times_an_hour_and_challenged_once_a_day_at_least() {
    let mut world = World::new(true);
    world.run(hours(10 * 24));
    assert!(
        world.rush() <= 8,
        "four or five looks, and once a day a challenge with its look: {}",
        world.rush()
    );
    assert!((930..=1_010).contains(&world.count("GET")), "{}", world.count("GET"));
    assert!((10..=14).contains(&world.count("PUT")), "{}", world.count("PUT"));
    assert!(world.gaps.is_empty());
    assert!(
        world.deeds.iter().all(|deed| matches!(deed, Deed::Refreshed { why: "none had come for long", .. }))
    );
    assert!(world.healer.is_settled());
    assert_eq!(world.healer.health(world.now).alerts, []);
}

#[test]
fn an_invalid_webhook_is_validated_confirmed_and_said_in_a_line() {
    let mut world = World::new(true);
    world.run(hours(1));
    let seen_valid = world.healer.health(world.now).seen_valid.unwrap();
    world.webhook = Some(webhook(false));
    world.answers = false;
    world.run(minutes(130));
    assert!(matches!(world.healer.health(world.now).condition, Condition::Invalid { .. }));
    assert!(!world.healer.is_settled());
    world.answers = true;
    world.run(minutes(60));
    let last = world.lines().pop().unwrap();
    assert!(last.starts_with("re-validated webhook 123 after 2h "), "{last}");
    assert_eq!(world.gaps.len(), 1);
    assert_eq!(world.gaps[0].from, seen_valid, "X may have stopped right after it was last seen valid");
    assert!(world.healer.is_settled());
}

#[test]
fn a_webhook_that_was_never_seen_valid_is_missed_since_it_exists() {
    let mut world = World::new(false);
    world.run(minutes(1));
    assert_eq!(world.lines()[0], "X calls webhook 123 invalid and sends nothing");
    assert_eq!(world.gaps[0].from, "2026-11-22T03:00:00Z".parse().unwrap());
    assert_eq!(world.calls.iter().map(|(_, call)| *call).collect::<Vec<_>>(), ["GET", "PUT", "GET"]);
}

/// The documented bound: days of an endpoint that answers wrongly.
#[test]
fn trouble_that_lasts_is_no_storm() {
    let mut world = World::new(false);
    world.answers = false;
    world.probe =
        || Err(ProbeFault::Redirect { status: 301, to: Some("https://www.example.com/x".to_owned()) });
    world.run(hours(3 * 24));
    assert!(world.rush() <= MOST_CALLS_AN_HOUR, "{}", world.rush());
    let calls = world.calls.len();
    assert!(calls <= 30 + 72 * 9, "{calls}");
    assert!(world.count("PUT") >= 72, "it does not give up either");
    let failed = world.lines().pop().unwrap();
    assert!(failed.contains("the URL redirects with 301 to https://www.example.com/x"), "{failed}");
    assert!(failed.contains("take the redirect out"), "{failed}");
    let alerts = world.healer.health(world.now).alerts;
    assert!(alerts.iter().any(|alert| matches!(alert, Alert::Invalid { .. })), "{alerts:?}");
    assert!(alerts.iter().any(|alert| matches!(alert, Alert::NoChallenge { .. })), "{alerts:?}");
}

#[test]
fn a_webhook_that_flaps_cannot_make_a_storm() {
    let mut world = World::new(true);
    for _ in 0..600 {
        world.webhook = Some(webhook(false));
        world.run(SignedDuration::from_secs(40));
        world.healer.interrupted(world.now);
        world.run(SignedDuration::from_secs(20));
    }
    assert!(world.rush() <= MOST_CALLS_AN_HOUR, "{}", world.rush());
}

#[test]
fn after_an_outage_a_valid_webhook_is_challenged_at_once() {
    let mut world = World::new(true);
    world.run(minutes(1));
    world.healer.interrupted(world.now);
    world.run(minutes(1));
    assert_eq!(world.lines(), ["had X challenge webhook 123: after an outage of our own"]);
    assert_eq!(world.calls.iter().map(|(_, call)| *call).collect::<Vec<_>>(), ["GET", "GET", "PUT", "GET"]);
}

#[test]
fn a_challenge_that_would_invalidate_a_valid_webhook_is_not_asked_for() {
    let mut world = World::new(true);
    world.probe = || Err(ProbeFault::WrongToken);
    world.healer.interrupted(world.now);
    world.run(hours(2));
    assert_eq!(world.count("PUT"), 0);
    assert!(
        world.lines()[0].starts_with("no challenge asked for, it would invalidate the webhook"),
        "{:?}",
        world.lines()
    );
    assert!(world.calls.len() <= 12, "{}", world.calls.len());
    world.probe = || Ok(());
    world.run(hours(1));
    assert_eq!(world.count("PUT"), 1);
}

#[test]
fn a_challenge_of_xs_own_is_as_good_as_one_that_was_asked_for() {
    let mut world = World::new(true);
    world.probe = || Err(ProbeFault::WrongToken);
    world.healer.interrupted(world.now);
    world.run(minutes(1));
    assert!(!world.healer.is_settled());
    world.healer.challenged(world.now);
    world.run(hours(1));
    assert!(world.healer.is_settled());
    assert_eq!(world.count("PUT"), 0);
}

#[test]
fn what_cannot_be_told_from_here_does_not_keep_x_from_trying() {
    let mut world = World::new(true);
    world.probe =
        || Err(ProbeFault::Unreachable(TransportError::NoAddress { host: "hooks.example.com".to_owned() }));
    world.healer.interrupted(world.now);
    world.run(minutes(1));
    assert_eq!(world.count("PUT"), 1);
}

#[test]
fn a_url_that_x_does_not_have_is_registered_where_the_policy_says_so() {
    let mut world = World::new(true);
    world.webhook = None;
    world.run(minutes(1));
    assert_eq!(
        world.lines(),
        [
            "X has no webhook for https://hooks.example.com/x",
            "registered webhook 123; subscriptions are made anew for a new webhook"
        ]
    );
    assert_eq!(world.gaps, [], "a new webhook has missed nothing");
    assert!(world.healer.is_settled());

    let mut world = World::new(true);
    world.webhook = None;
    let policy = Policy { register: false, ..Policy::default() };
    world.healer = Healer::new(policy, URL.to_owned(), start());
    world.run(hours(1));
    assert_eq!(world.count("POST"), 0);
    assert!(matches!(world.healer.health(world.now).condition, Condition::Missing { .. }));
}

#[test]
fn credentials_that_are_refused_are_not_tried_again_and_again() {
    let mut world = World::new(true);
    world.error = Some(|| Error::Unauthorized { detail: "Unauthorized".to_owned() });
    world.run(hours(24));
    assert!(world.calls.len() <= 54, "{}", world.calls.len());
    assert!(world.lines()[0].contains("copy the credentials anew"), "{:?}", world.lines());
    world.error = None;
    world.run(hours(1));
    assert!(world.healer.is_settled());
    assert_eq!(world.healer.health(world.now).last_error, None);
}

#[test]
fn a_rate_limit_is_waited_out_but_nobody_waits_for_ever() {
    let mut world = World::new(true);
    world.error =
        Some(|| Error::RateLimited { operation: "webhooks list", until: Some(start() + minutes(14)) });
    world.run(minutes(14));
    assert_eq!(world.calls.len(), 1);

    let mut world = World::new(true);
    world.error = Some(|| Error::RateLimited { operation: "webhooks list", until: Some(Timestamp::MAX) });
    world.run(hours(1));
    assert!(world.calls.len() > 3, "{}", world.calls.len());
}

#[test]
fn silence_alerts_after_twenty_hours() {
    let mut healer = Healer::new(Policy::default(), URL.to_owned(), start());
    assert_eq!(healer.health(start() + hours(19)).alerts, []);
    assert_eq!(healer.health(start() + hours(20)).alerts, [Alert::NoChallenge { since: start() }]);
    healer.challenged(start() + hours(19));
    let health = healer.health(start() + hours(20));
    assert_eq!(health.alerts, []);
    assert_eq!(health.invalidated_at, Some(start() + hours(47)));
}

#[test]
fn what_is_kept_is_taken_up_again_for_the_same_url_only() {
    let mut world = World::new(false);
    world.answers = false;
    world.run(hours(5));
    let saved = world.healer.saved();
    let resumed = Healer::resume(Policy::default(), URL.to_owned(), &saved, world.now);
    assert_eq!(resumed.health(world.now).condition, world.healer.health(world.now).condition);
    assert!(matches!(resumed.next(world.now), Step::Wait(_)), "the pause goes on after a restart");
    let other =
        Healer::resume(Policy::default(), "https://other.example.com/x".to_owned(), &saved, world.now);
    assert_eq!(other.health(world.now).condition, Condition::Unknown);
    let broken = Healer::resume(Policy::default(), URL.to_owned(), b"{", world.now);
    assert_eq!(broken.next(world.now), Step::Look);
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_the_machine() {
    let mut world = World::new(true);
    world.run(minutes(5));
    let earlier = world.now - hours(24 * 30);
    assert_eq!(world.healer.next(earlier), Step::Look);
}
