//! Where events go: how far behind, how fast, and whether it is tried at all.

use askama::Template;
use axum::extract::State;
use hookhouse_core::Timestamp;
use hookhouse_core::store::Backlog;
use hookhouse_delivery::circuit::Phase;
use hookhouse_delivery::engine::Standing;

use super::Admin;
use super::chart::{Histogram, Share, Sparkline};
use super::frame::{Frame, Section, Visit};
use super::moment::{self, Moment};
use super::pulse::{Spread, total};
use super::row::Mood;
use super::shown::{Shown, page};
use crate::admin::AdminState;

#[derive(Template)]
#[template(path = "destinations.html")]
struct DestinationsPage {
    frame: Frame,
    cards: Vec<Card>,
    back: String,
}

/// A destination.
struct Card {
    name: String,
    circuit: (Mood, &'static str),
    open_until: Option<Moment>,
    cause: Option<String>,
    pending: String,
    waiting: String,
    dead: String,
    any_dead: bool,
    oldest: Option<Moment>,
    median: Option<String>,
    high: Option<String>,
    took: Option<Histogram>,
    chart: Sparkline,
    success: Option<Share>,
    sources: Vec<String>,
    paused: bool,
}

pub(super) async fn destinations(State(state): Admin, visit: Visit) -> Shown {
    let now = state.clock.now();
    let standings = state.engine.standings();
    let backlogs = state.store.backlogs().await?;
    let dead = backlogs.iter().map(|backlog| backlog.dead).sum();
    let cards =
        backlogs.iter().map(|backlog| Card::of(&state, backlog, standings.get(&backlog.destination), now));
    let cards = cards.collect();
    let back = visit.here.clone();
    page(&DestinationsPage {
        frame: Frame::new(Some(Section::Destinations), "Destinations", visit, dead),
        cards,
        back,
    })
}

impl Card {
    fn of(state: &AdminState, backlog: &Backlog, standing: Option<&Standing>, now: Timestamp) -> Self {
        let name = &backlog.destination;
        let outflow = state.pulse.destination(name, now);
        let (good, bad, took) = match outflow {
            Some(outflow) => (outflow.good, outflow.bad, outflow.took),
            None => ([0; super::pulse::MINUTES], [0; super::pulse::MINUTES], Spread::default()),
        };
        let (delivered, failed) = (total(&good), total(&bad));
        let gets = |source: &&std::sync::Arc<crate::config::Source>| {
            source.deliver.contains(name) || source.relay.as_ref().is_some_and(|relay| relay.to == *name)
        };
        Self {
            name: name.to_string(),
            circuit: match standing.map_or(Phase::Closed, |standing| standing.phase) {
                Phase::Closed => (Mood::Good, "all is well"),
                Phase::HalfOpen => (Mood::Warn, "being probed"),
                Phase::Open => (Mood::Bad, "left alone for now"),
            },
            open_until: standing.and_then(|standing| standing.open_until).map(|at| Moment::new(at, now)),
            cause: standing.and_then(|standing| standing.cause.clone()),
            pending: moment::count(backlog.pending),
            waiting: moment::count(backlog.waiting),
            dead: moment::count(backlog.dead),
            any_dead: backlog.dead > 0,
            oldest: backlog.oldest.map(|oldest| Moment::new(oldest, now)),
            median: took.percentile(50).map(moment::span),
            high: took.percentile(95).map(moment::span),
            took: Histogram::new(&format!("Tries of {name}"), &took),
            chart: Sparkline::new(("tries that went well", &good), ("that failed", &bad)),
            success: Share::new(delivered, delivered + failed, "of tries went well"),
            paused: standing.is_some_and(|standing| standing.paused),
            sources: state
                .in_force()
                .sources
                .iter()
                .filter(gets)
                .map(|source| source.name.to_string())
                .collect(),
        }
    }
}
