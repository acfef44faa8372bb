//! An event, whole: what proved it, what became of it, what is in it.

use askama::Template;
use askama::filters::HtmlSafe;
use hookhouse_core::store::{Cursor, DeliveryQuery, EventQuery};
use hookhouse_core::{Delivery, EventId, StoreError, StoredEvent, Timestamp};

use super::event::body::{BodyForm, BodyView, Shape};
use super::event::checks::{self, Check};
use super::event::curl;
use super::event::diff::Diff;
use super::event::edit::{EditShown, Editable};
use super::event::timeline::{self, Step};
use super::live;
use super::moment::{self, Moment};
use super::row::{AttemptRow, DeliveryRow};
use super::shown::Trouble;
use crate::admin::AdminState;
use crate::admin::view::{AnswerView, EventView};

/// The deliveries that an event is shown with, at most.
const MOST_DELIVERIES: usize = 200;

/// The edited replays that an event is shown with, at most.
const MOST_EDITS: usize = 5;

/// How many pages of a store are looked at for an earlier event of a type.
const LOOKS: usize = 5;

/// An event, for a page of its own or the right side of the inbox.
#[derive(Debug, Template)]
#[template(path = "part/article.html")]
pub(super) struct Article {
    pub(super) id: String,
    pub(super) title: String,
    source: String,
    verified: bool,
    method: String,
    target: String,
    peer: Option<String>,
    received: Moment,
    size: String,
    checks: Vec<Check>,
    timeline: Vec<Step>,
    body: BodyView,
    headers: Vec<(String, String)>,
    deliveries: Vec<DeliveryRow>,
    attempts: Vec<AttemptRow>,
    answer: Option<AnswerShown>,
    destinations: Vec<String>,
    delivers: bool,
    editable: Editable,
    edits: Vec<EditShown>,
    curl: curl::Line,
    previous: Option<String>,
    diff: Option<Diff>,
    back: String,
}

/// Its own template escapes it.
impl HtmlSafe for Article {}

/// What the sender was answered by an application.
#[derive(Debug)]
struct AnswerShown {
    status: u16,
    destination: String,
    took: String,
    failure: Option<String>,
    repeat_of: Option<String>,
    connection: Option<String>,
    headers: Vec<(String, String)>,
    body: BodyView,
}

impl Article {
    /// Reads an event. `compared`: with the one before it. `back`: where its buttons lead back to.
    pub(super) async fn read(
        state: &AdminState,
        id: EventId,
        form: BodyForm,
        compared: bool,
        back: &str,
    ) -> Result<Self, Trouble> {
        let now = state.clock.now();
        let event = state.store.event(id).await?.ok_or(Trouble::NotFound("event"))?;
        let query = DeliveryQuery { event: Some(id), limit: MOST_DELIVERIES, ..DeliveryQuery::default() };
        let deliveries = state.store.deliveries(&query).await?.items;
        let attempts = state.store.attempts(id).await?;
        let edits = edits(state, &deliveries, now).await?;
        let answer = state.store.answer(id).await?;
        let previous = previous(state, &event).await?;
        let in_force = state.in_force();
        let source = in_force.sources.iter().find(|source| source.name == event.record().source);
        let view = EventView::of(&event, false);
        let record = event.record();
        let diff = previous.as_ref().filter(|_| compared).map(|previous| Diff::between(previous, &event));
        Ok(Self {
            id: id.to_string(),
            title: live::title(&event),
            source: view.source.to_string(),
            verified: view.verified,
            method: view.method,
            target: view.target,
            peer: view.peer.map(|peer| peer.to_string()),
            received: Moment::new(record.received_at, now),
            size: moment::bytes(event.body().len() as u64),
            checks: checks::of(&event, source.map(|source| &**source), answer.as_ref()),
            timeline: timeline::of(
                &event,
                &attempts,
                &deliveries,
                answer.as_ref(),
                source.map(|source| &**source),
            ),
            body: BodyView::of(event.body(), record.request.headers.one("content-type").ok().flatten(), form),
            headers: view.headers,
            deliveries: deliveries.iter().map(|delivery| DeliveryRow::of(delivery, now)).collect(),
            attempts: attempts.iter().map(|attempt| AttemptRow::of(attempt, now)).collect(),
            answer: answer.map(AnswerShown::of),
            destinations: in_force.destinations.iter().map(ToString::to_string).collect(),
            editable: Editable::of(&event),
            edits,
            delivers: source.is_some_and(|source| !source.deliver.is_empty()),
            curl: curl::Line::of(&event, &state.base_of(source.map(|source| &**source))),
            previous: previous.map(|previous| previous.id().to_string()),
            diff,
            back: back.to_owned(),
        })
    }
}

/// What the newest edited replays sent.
async fn edits(
    state: &AdminState,
    deliveries: &[Delivery],
    now: Timestamp,
) -> Result<Vec<EditShown>, StoreError> {
    let mut edits = Vec::new();
    for delivery in deliveries.iter().filter(|delivery| delivery.edited.is_some()).take(MOST_EDITS) {
        let edit = state.store.edit(&delivery.id).await?;
        edits.extend(edit.map(|edit| EditShown::of(&delivery.id, &edit, now)));
    }
    Ok(edits)
}

impl AnswerShown {
    fn of(answer: hookhouse_core::Answer) -> Self {
        let kind = answer.headers.one("content-type").ok().flatten().map(<[u8]>::to_vec);
        let body = BodyView::of(&answer.body, kind.as_deref(), BodyForm::Pretty);
        let view = AnswerView::of(answer);
        Self {
            status: view.status,
            destination: view.destination.to_string(),
            took: moment::milliseconds(view.duration_ms),
            failure: view.failure,
            repeat_of: view.repeat_of.map(|id| id.to_string()),
            connection: view.connection.map(|connection| {
                let (up, down) = (moment::bytes(connection.up), moment::bytes(connection.down));
                format!("{up} from the sender, {down} to it; {}", connection.end)
            }),
            headers: view.headers,
            body,
        }
    }
}

/// The event before this one, of the same source and type.
async fn previous(
    state: &AdminState,
    event: &StoredEvent,
) -> Result<Option<std::sync::Arc<StoredEvent>>, StoreError> {
    let record = event.record();
    let mut query = EventQuery {
        source: Some(record.source.clone()),
        event_type: record.event_type.clone(),
        // The place in the log is the place in the list.
        cursor: Some(Cursor(event.sequence().0)),
        limit: 1,
        ..EventQuery::default()
    };
    for _ in 0..LOOKS {
        let page = state.store.events(&query).await?;
        if let Some(found) = page.items.into_iter().next() {
            // A type of a sender's may have a star in it, and then it asks for others too.
            let is_of_type = found.record().event_type == record.event_type;
            return Ok(Some(found).filter(|found| is_of_type && found.sequence() < event.sequence()));
        }
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
    }
    Ok(None)
}

/// How far a moment is from the first one, with a sign.
pub(super) fn offset(at: Timestamp, from: Timestamp) -> String {
    let apart = at.duration_since(from);
    let length = moment::span(apart.unsigned_abs());
    if apart.is_negative() { format!("−{length}") } else { format!("+{length}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::hostile;
    use crate::ui::row::Mood;

    fn article(text: &str) -> Article {
        let plain = text;
        let text = || text.to_owned();
        let pairs = || vec![(text(), text())];
        let body = || BodyView { form: "pretty", shape: Shape::Text(text()), note: Some(text()) };
        Article {
            id: text(),
            title: text(),
            source: text(),
            verified: true,
            method: text(),
            target: text(),
            peer: Some(text()),
            received: Moment::new(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH),
            size: text(),
            checks: vec![Check { mood: Mood::Good, what: text(), detail: text().into() }],
            timeline: vec![Step { mood: Mood::Bad, offset: text(), exact: text(), what: text() }],
            body: body(),
            headers: pairs(),
            deliveries: vec![DeliveryRow::specimen(plain)],
            attempts: vec![AttemptRow::specimen(plain)],
            answer: Some(AnswerShown {
                status: 200,
                destination: text(),
                took: text(),
                failure: Some(text()),
                repeat_of: Some(text()),
                connection: Some(text()),
                headers: pairs(),
                body: BodyView { shape: Shape::Form(pairs()), ..body() },
            }),
            destinations: vec![text()],
            delivers: true,
            editable: Editable::Text(text()),
            edits: vec![EditShown {
                delivery: text(),
                round: 1,
                destination: text(),
                by: text(),
                at: Moment::new(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH),
                headers: pairs(),
                body: body(),
            }],
            curl: curl::Line { command: text(), incomplete: true, body_in_file: true },
            previous: Some(text()),
            diff: Some(Diff::specimen(plain)),
            back: text(),
        }
    }

    #[test]
    fn whatever_is_in_an_event_is_text() {
        hostile::is_text(|text| article(text).to_string());
    }

    #[test]
    fn a_body_whose_pieces_are_told_apart_is_text_as_well() {
        let body = br#"{"</code><script>": ["<img src=x onerror='a'>", 1e5, null]}"#;
        let body = BodyView::of(body, None, BodyForm::Pretty);
        let shown = Article { body, ..article("plain") }.to_string();
        let (_, rest) = shown.split_once("aria-label=\"Body\"").unwrap();
        let (pre, _) = rest.split_once("</pre>").unwrap();
        insta::assert_snapshot!(pre);
    }

    #[test]
    fn a_moment_before_the_first_has_a_minus() {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        assert_eq!(offset(at(1_500), at(0)), "+1.5 s");
        assert_eq!(offset(at(0), at(5)), "−5 ms");
    }
}
