//! The inbox: what arrived, newest first, and the event that is looked at beside it.

use askama::Template;
use axum::extract::State;
use hookhouse_core::store::{Cursor, DeliveryQuery, EventQuery};
use hookhouse_core::{EventId, StoreError, StoredEvent, Timestamp};
use serde::Deserialize;

use super::Admin;
use super::article::Article;
use super::chart::Sparkline;
use super::event::body::BodyForm;
use super::frame::{Frame, Section, Visit};
use super::moment::{self, Moment};
use super::pulse::total;
use super::row::{Mood, state_word};
use super::search::{self, Search};
use super::shown::{Asked, Shown, Trouble, page};
use crate::admin::AdminState;

/// Events on a page.
const PAGE: usize = 50;

/// A store may look at so many of its pages for one of ours, where a search passes few.
const LOOKS: usize = 20;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Question {
    q: String,
    event: Option<String>,
    before: Option<u64>,
    body: BodyForm,
}

#[derive(Template)]
#[template(path = "live.html")]
struct LivePage {
    frame: Frame,
    search: Search,
    keys: [(&'static str, &'static str); 5],
    rows: Vec<Row>,
    hour: Hour,
    article: Option<Article>,
    /// The page after this one.
    older: Option<String>,
    /// Whether this is the first page, which changes while one looks.
    newest: bool,
    /// The first page of this search.
    first: String,
    /// What a newcomer can do; empty once something arrived.
    welcome: Vec<Try>,
}

/// The last hour in a line.
struct Hour {
    events: String,
    verified: Option<String>,
    refused: u64,
    refused_words: String,
    chart: Sparkline,
    /// Since when it counts everything, where that is not the whole hour.
    since: Option<Moment>,
}

/// A line to try.
struct Try {
    what: String,
    line: String,
}

/// An event in the list.
struct Row {
    id: String,
    href: String,
    at: Moment,
    source: String,
    kind: String,
    verified: bool,
    size: String,
    dots: Vec<Dot>,
    selected: bool,
}

/// A delivery in the list.
struct Dot {
    mood: Mood,
    words: String,
}

pub(super) async fn live(State(state): Admin, visit: Visit, Asked(asked): Asked<Question>) -> Shown {
    let now = state.clock.now();
    let search = Search::parse(&asked.q, now);
    let (events, next) = find(&state, &search.query, asked.before).await?;
    let mut rows = Vec::new();
    for event in &events {
        let id = event.id();
        let selected = asked.event.as_deref() == Some(&id.to_string());
        let href = address(&search.text, asked.before, Some(id));
        rows.push(Row { selected, href, ..Row::of(event, dots(&state, id).await?, now) });
    }
    let article = match &asked.event {
        Some(id) => {
            let id: EventId = id.parse().map_err(|_| Trouble::NotFound("event"))?;
            Some(Article::read(&state, id, asked.body, false, &visit.here).await?)
        }
        None => None,
    };
    let newest = asked.before.is_none();
    let welcome = if rows.is_empty() && newest && search.is_empty() { tries(&state) } else { Vec::new() };
    page(&LivePage {
        frame: Frame::new(Some(Section::Live), "Live", visit, state.dead().await),
        keys: search::KEYS,
        hour: Hour::of(&state, now),
        older: next.map(|next| address(&search.text, Some(next.0), None)),
        first: address(&search.text, None, None),
        search,
        rows,
        article,
        newest,
        welcome,
    })
}

/// A page of events; a store may need several of its own for it.
async fn find(
    state: &AdminState,
    query: &EventQuery,
    before: Option<u64>,
) -> Result<(Vec<std::sync::Arc<StoredEvent>>, Option<Cursor>), StoreError> {
    let mut found = Vec::new();
    let mut cursor = before.map(Cursor);
    for _ in 0..LOOKS {
        let query = EventQuery { cursor, limit: PAGE - found.len(), ..query.clone() };
        let page = state.store.events(&query).await?;
        found.extend(page.items);
        cursor = page.next;
        if cursor.is_none() || found.len() >= PAGE {
            break;
        }
    }
    Ok((found, cursor))
}

async fn dots(state: &AdminState, id: EventId) -> Result<Vec<Dot>, StoreError> {
    let query = DeliveryQuery { event: Some(id), limit: 8, ..DeliveryQuery::default() };
    let mut deliveries = state.store.deliveries(&query).await?.items;
    deliveries.reverse();
    let dot = |delivery: &hookhouse_core::Delivery| Dot {
        mood: Mood::of(delivery.state),
        words: format!("{}: {}", delivery.id.destination, state_word(delivery.state)),
    };
    Ok(deliveries.iter().map(dot).collect())
}

impl Row {
    fn of(event: &StoredEvent, dots: Vec<Dot>, now: Timestamp) -> Self {
        let record = event.record();
        Self {
            id: event.id().to_string(),
            href: String::new(),
            at: Moment::new(record.received_at, now),
            source: record.source.to_string(),
            kind: title(event),
            verified: record.provenance.is_verified(),
            size: moment::bytes(event.body().len() as u64),
            dots,
            selected: false,
        }
    }
}

/// What an event is called: its type, or else how it came.
pub(super) fn title(event: &StoredEvent) -> String {
    let record = event.record();
    let unnamed = || format!("{} {}", record.request.method, record.request.path());
    record.event_type.clone().filter(|kind| !kind.is_empty()).unwrap_or_else(unnamed)
}

impl Hour {
    fn of(state: &AdminState, now: Timestamp) -> Self {
        let intake = state.pulse.all_sources(now);
        let accepted = intake.accepted();
        let (events, refused) = (total(&accepted), total(&intake.refused));
        Self {
            events: moment::plural(events, "event"),
            verified: moment::percent(total(&intake.verified), events),
            refused,
            refused_words: moment::count(refused),
            chart: Sparkline::new(("events", &accepted), ("refused", &intake.refused)),
            since: state.pulse.whole_since(now).map(|since| Moment::new(since, now)),
        }
    }
}

/// The address of a page of the inbox.
fn address(search: &str, before: Option<u64>, event: Option<EventId>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if !search.is_empty() {
        query.append_pair("q", search);
    }
    if let Some(before) = before {
        query.append_pair("before", &before.to_string());
    }
    if let Some(event) = event {
        query.append_pair("event", &event.to_string());
    }
    match query.finish() {
        query if query.is_empty() => "/".to_owned(),
        query => format!("/?{query}"),
    }
}

/// What brings a first event.
fn tries(state: &AdminState) -> Vec<Try> {
    let mut tries = Vec::new();
    let mut known = Vec::new();
    for source in &state.in_force().sources {
        let provider = source.provider.as_str();
        if known.contains(&provider) {
            continue;
        }
        known.push(provider);
        let (what, line) = match provider {
            "none" => {
                let url = format!("{}{}", state.base(source), source.path);
                ("Anything at all".to_owned(), format!("curl -d '{{\"hello\":\"world\"}}' {url}"))
            }
            "x" => ("A post, signed as X does".to_owned(), "hookhouse trigger x post.create".to_owned()),
            "twilio" => {
                let line = "hookhouse trigger twilio message.received".to_owned();
                ("A message, signed as Twilio does".to_owned(), line)
            }
            "github" | "stripe" | "slack" | "standard-webhooks" | "hmac" => {
                (format!("An event, signed as {provider} does"), format!("hookhouse trigger {provider}"))
            }
            _ => continue,
        };
        tries.push(Try { what, line });
    }
    tries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::hostile;
    use crate::ui::pulse::MINUTES;

    fn inbox(text: &str) -> LivePage {
        let at = Moment::new(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        let text = || text.to_owned();
        let row = Row {
            id: text(),
            href: text(),
            at,
            source: text(),
            kind: text(),
            verified: false,
            size: text(),
            dots: vec![Dot { mood: Mood::Good, words: text() }],
            selected: true,
        };
        LivePage {
            frame: Frame::new(Some(Section::Live), text(), Visit::plain("/"), 3),
            search: Search { text: text(), complaints: vec![text().into()], ..Search::default() },
            keys: search::KEYS,
            rows: vec![row],
            hour: Hour {
                events: text(),
                verified: Some(text()),
                refused: 2,
                refused_words: text(),
                chart: Sparkline::new(("events", &[0; MINUTES]), ("refused", &[0; MINUTES])),
                since: Some(Moment::new(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH)),
            },
            article: None,
            older: Some(text()),
            newest: false,
            first: text(),
            welcome: vec![Try { what: text(), line: text() }],
        }
    }

    #[test]
    fn whatever_arrives_is_text() {
        hostile::is_text(|text| inbox(text).render().unwrap());
        hostile::is_text(|text| LivePage { rows: Vec::new(), ..inbox(text) }.render().unwrap());
    }

    #[test]
    fn an_address_carries_a_search_whatever_is_searched_for() {
        assert_eq!(address("", None, None), "/");
        assert_eq!(address("a&b=\"c\" #d", Some(7), None), "/?q=a%26b%3D%22c%22+%23d&before=7");
    }
}
