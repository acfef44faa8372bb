//! How the server is: its store, how fast it makes events durable, its listeners.

use askama::Template;
use axum::extract::State;
use hookhouse_core::Timestamp;

use super::Admin;
use super::chart::{Histogram, Meter};
use super::frame::{Frame, Section, Visit};
use super::moment::{self, Moment};
use super::pulse::Spread;
use super::row::Mood;
use super::shown::{Shown, page};
use crate::tls::Issued;

#[derive(Template)]
#[template(path = "status.html")]
struct StatusPage {
    frame: Frame,
    cards: Vec<Card>,
    started: Moment,
    store: Vec<(&'static str, String)>,
    space: Option<Meter>,
    committed: Timing,
    acknowledged: Timing,
    listeners: Vec<Listener>,
    certificates: Vec<Certificate>,
}

/// A part of the server, and how it is.
struct Card {
    mood: Mood,
    name: &'static str,
    words: String,
    href: &'static str,
}

/// How long something takes.
struct Timing {
    figures: Vec<(&'static str, String)>,
    picture: Option<Histogram>,
}

/// A listener.
struct Listener {
    name: &'static str,
    addresses: Vec<String>,
    open: String,
    turned_away: u64,
    turned_away_words: String,
}

/// A certificate in use.
struct Certificate {
    names: String,
    algorithm: String,
    ends: Option<Moment>,
    mood: Mood,
    problem: Option<String>,
}

pub(super) async fn status(State(state): Admin, visit: Visit) -> Shown {
    let now = state.clock.now();
    let store = state.store.status().await?;
    let backlogs = state.store.backlogs().await?;
    let dead: u64 = backlogs.iter().map(|backlog| backlog.dead).sum();
    let open =
        state.engine.standings().values().filter(|standing| standing.open_until.is_some()).count() as u64;
    let in_force = state.in_force();
    let alerts = in_force.sources.iter().filter_map(|source| state.webhooks.view(&source.name));
    let alerts = alerts.map(|webhook| webhook.alerts.len() as u64).sum::<u64>();
    let well = |trouble: u64, trouble_words: &str, good: &str| match trouble {
        0 => (Mood::Good, good.to_owned()),
        number => (Mood::Bad, format!("{} {trouble_words}", moment::count(number))),
    };
    let card = |name, href, (mood, words)| Card { mood, name, words, href };
    let taking = match &store.problem {
        None if store.writable => (Mood::Good, "takes events".to_owned()),
        problem => (Mood::Bad, problem.clone().unwrap_or_else(|| "takes no events".to_owned())),
    };
    let cards = vec![
        card("Store", "/status", taking),
        card("Deliveries", "/issues", well(dead, "given up", "none given up")),
        card("Destinations", "/destinations", well(open, "left alone", "all are tried")),
        card("Webhooks", "/sources", well(alerts, "to look at", "no alerts")),
    ];
    let mut figures = vec![
        ("Kind", store.kind.clone()),
        ("Events", moment::count(store.events)),
        ("Size", moment::bytes(store.bytes)),
    ];
    figures.extend(store.free_bytes.map(|free| ("Free", moment::bytes(free))));
    figures.push(("Kept free", moment::bytes(state.reserve)));
    figures.push(("Refusals not recorded", moment::count(store.refusals_dropped)));
    let space = store.free_bytes.map(|free| {
        let (used, free) =
            (i64::try_from(store.bytes).unwrap_or(i64::MAX), i64::try_from(free).unwrap_or(i64::MAX));
        let label =
            format!("{} used, {} free", moment::bytes(store.bytes), moment::bytes(free.unsigned_abs()));
        Meter::new(used, used.saturating_add(free), (80, 95), label)
    });
    let seats = &state.seats;
    let listener = |name, addresses: Vec<String>, seats: &crate::listener::Seats| Listener {
        name,
        addresses,
        open: moment::count(seats.open() as u64),
        turned_away: seats.turned_away(),
        turned_away_words: moment::count(seats.turned_away()),
    };
    page(&StatusPage {
        cards,
        started: Moment::new(state.started_at, now),
        store: figures,
        space,
        committed: Timing::of("Commits", &state.pulse.committed()),
        acknowledged: Timing::of("Acknowledgements", &state.pulse.acknowledged()),
        listeners: vec![
            listener("For senders", in_force.places.clone(), &seats.ingress),
            listener("For operators", vec![state.address.to_string()], &seats.admin),
        ],
        certificates: certificates(state.certificates.list(), now),
        frame: Frame::new(Some(Section::Status), "Status", visit, dead),
    })
}

/// What is shown to senders, and what is not because there is none yet.
fn certificates(issued: Vec<Issued>, now: Timestamp) -> Vec<Certificate> {
    let mut shown = Vec::new();
    for Issued { from, certificates, problem } in issued {
        if certificates.is_empty() {
            let (names, algorithm) = (from, String::new());
            shown.push(Certificate { names, algorithm, ends: None, mood: Mood::Bad, problem });
            continue;
        }
        for certificate in certificates {
            let days = (certificate.not_after.as_second() - now.as_second()) / (24 * 3_600);
            let mood = match days {
                ..3 => Mood::Bad,
                3..14 => Mood::Warn,
                _ => Mood::Good,
            };
            shown.push(Certificate {
                names: certificate.names.join(" "),
                algorithm: certificate.algorithm,
                ends: Some(Moment::new(certificate.not_after, now)),
                mood,
                problem: problem.clone(),
            });
        }
    }
    shown
}

impl Timing {
    fn of(what: &str, spread: &Spread) -> Self {
        let figure = |name, percent| Some((name, moment::span(spread.percentile(percent)?)));
        let figures = [figure("half within", 50), figure("95 % within", 95), figure("99 % within", 99)];
        Self { figures: figures.into_iter().flatten().collect(), picture: Histogram::new(what, spread) }
    }
}
