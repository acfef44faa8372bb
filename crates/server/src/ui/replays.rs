//! Replays as jobs: ordered here after a count, watched while they run, called off.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use hookhouse_core::{DestinationName, SourceName, Timestamp};
use serde::Deserialize;

use super::Admin;
use super::action::Form;
use super::chart::Meter;
use super::done::Done;
use super::frame::{Frame, Section, Visit};
use super::moment::{self, Moment};
use super::row::Mood;
use super::search;
use super::shown::{Asked, Shown, Trouble, after, page};
use crate::admin::view::{NewReplay, ReplayFilter, ReplayState, ReplayView};
use crate::admin::{Cancelled, Principal};

/// What is asked for, as it was typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    source: String,
    r#type: String,
    after: String,
    before: String,
    destination: String,
    rate: String,
    /// Whether it is only counted.
    count: Option<String>,
}

#[derive(Template)]
#[template(path = "replays.html")]
struct ReplaysPage {
    frame: Frame,
    wish: Wish,
    sources: Vec<(String, bool)>,
    destinations: Vec<(String, bool)>,
    counted: Option<String>,
    problem: Option<&'static str>,
    jobs: Vec<Job>,
    back: String,
}

/// A replay.
struct Job {
    id: String,
    mood: Mood,
    state: &'static str,
    what: String,
    to: String,
    ordered: Moment,
    by: String,
    meter: Option<Meter>,
    figures: String,
    error: Option<String>,
    open: bool,
}

pub(super) async fn replays(State(state): Admin, visit: Visit, Asked(wish): Asked<Wish>) -> Shown {
    let now = state.clock.now();
    let (mut counted, mut problem) = (None, None);
    if wish.count.is_some() {
        match wish.order(now) {
            Ok(order) => {
                let count = state.replays.count(&order.filter).await?;
                let number = moment::plural(count.events, "event");
                counted = Some(if count.complete { number } else { format!("at least {number}") });
            }
            Err(what) => problem = Some(what),
        }
    }
    let chosen = |name: String, wanted: &str| {
        let is = name == wanted;
        (name, is)
    };
    page(&ReplaysPage {
        sources: state
            .in_force()
            .sources
            .iter()
            .map(|source| chosen(source.name.to_string(), &wish.source))
            .collect(),
        destinations: state
            .in_force()
            .destinations
            .iter()
            .map(|name| chosen(name.to_string(), &wish.destination))
            .collect(),
        jobs: state.replays.list().into_iter().map(|replay| Job::of(replay, now)).collect(),
        back: "/replays".to_owned(),
        frame: Frame::new(Some(Section::Replays), "Replays", visit, state.dead().await),
        wish,
        counted,
        problem,
    })
}

/// Orders a replay.
pub(super) async fn order(
    State(state): Admin,
    Extension(principal): Extension<Principal>,
    body: bytes::Bytes,
) -> Result<Response, Trouble> {
    let form = Form::read(&body);
    let field = |name: &str| form.field(name).unwrap_or_default().to_owned();
    let wish = Wish {
        source: field("source"),
        r#type: field("type"),
        after: field("after"),
        before: field("before"),
        destination: field("destination"),
        rate: field("rate"),
        count: None,
    };
    let order = wish.order(state.clock.now()).map_err(|what| Trouble::BadRequest(what.to_owned()))?;
    if order.destination.as_ref().is_some_and(|name| !state.in_force().destinations.contains(name)) {
        return Err(Trouble::NotFound("destination"));
    }
    let ordered = state.replays.order(order, &principal.token).await?;
    Ok(after("/replays", if ordered.is_some() { Done::Ordered } else { Done::TooManyReplays }))
}

/// Calls a replay off.
pub(super) async fn cancel(State(state): Admin, Path(id): Path<String>) -> Result<Response, Trouble> {
    match state.replays.cancel(&id).await? {
        Cancelled::Yes(_) => Ok(after("/replays", Done::ReplayCancelled)),
        Cancelled::Ended => Ok(after("/replays", Done::ReplayEnded)),
        Cancelled::Unknown => Err(Trouble::NotFound("replay")),
    }
}

impl Wish {
    /// What is meant; or which field cannot be read.
    fn order(&self, now: Timestamp) -> Result<NewReplay, &'static str> {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let moment =
            |text: &str| given(text).map(|word| search::moment(&word, now).ok_or("the time")).transpose();
        let rate = given(&self.rate).map(|rate| rate.parse().map_err(|_| "the rate")).transpose()?;
        if rate.is_some_and(|rate: u32| !(1..=10_000).contains(&rate)) {
            return Err("the rate");
        }
        let source = given(&self.source).map(|name| name.parse::<SourceName>().map_err(|_| "the source"));
        let to = given(&self.destination)
            .map(|name| name.parse::<DestinationName>().map_err(|_| "the destination"));
        Ok(NewReplay {
            filter: ReplayFilter {
                source: source.transpose()?,
                event_type: given(&self.r#type),
                since: moment(&self.after)?,
                until: moment(&self.before)?,
                ..ReplayFilter::default()
            },
            destination: to.transpose()?,
            rate,
            dry_run: false,
        })
    }
}

impl Job {
    fn of(replay: ReplayView, now: Timestamp) -> Self {
        let (state, mood) = match replay.state {
            ReplayState::Queued => ("queued", Mood::Calm),
            ReplayState::Counting => ("counting", Mood::Calm),
            ReplayState::Running => ("running", Mood::Warn),
            ReplayState::Done => ("done", Mood::Good),
            ReplayState::Cancelled => ("cancelled", Mood::Calm),
            ReplayState::Failed => ("given up", Mood::Bad),
        };
        let meter = replay.total.map(|total| {
            let label = format!("{} of {}", moment::count(replay.processed), moment::plural(total, "event"));
            let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
            // It is never too much.
            Meter::new(number(replay.processed), number(total), (101, 101), label)
        });
        let mut figures = match replay.deliveries {
            1 => "1 delivery".to_owned(),
            number => format!("{} deliveries", moment::count(number)),
        };
        if replay.skipped > 0 {
            figures += &format!(", {} gone or delivering nowhere", moment::count(replay.skipped));
        }
        Self {
            what: what(&replay.filter),
            to: replay
                .destination
                .map_or_else(|| "where each source delivers".to_owned(), |to| to.to_string())
                + &replay.rate.map_or_else(String::new, |rate| {
                    format!(", {} a second", moment::count(u64::from(rate)))
                }),
            ordered: Moment::new(replay.created_at, now),
            by: replay.created_by,
            open: !replay.state.is_final(),
            id: replay.id,
            error: replay.error,
            mood,
            state,
            meter,
            figures,
        }
    }
}

/// Which events, in words.
fn what(filter: &ReplayFilter) -> String {
    if !filter.events.is_empty() {
        return moment::plural(filter.events.len() as u64, "named event");
    }
    let mut words = vec!["events".to_owned()];
    words.extend(filter.source.as_ref().map(|source| format!("of {source}")));
    words.extend(filter.event_type.as_ref().map(|kind| format!("of type {kind}")));
    words.extend(filter.verified.map(|verified| if verified { "verified" } else { "unverified" }.to_owned()));
    words.extend(filter.since.map(|since| format!("from {}", moment::exactly(since))));
    words.extend(filter.until.map(|until| format!("until {}", moment::exactly(until))));
    if words.len() == 1 { "every event".to_owned() } else { words.join(" ") }
}
