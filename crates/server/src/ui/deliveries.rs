//! Deliveries, newest first, by state and destination.

use askama::Template;
use axum::extract::State;
use hookhouse_core::store::{Cursor, DeliveryQuery};
use hookhouse_core::{Delivery, DeliveryState, DestinationName};
use serde::Deserialize;

use super::Admin;
use super::frame::{Frame, Section, Visit};
use super::moment;
use super::row::{DeliveryRow, Mood, state_word};
use super::shown::{Asked, Shown, Trouble, page};
use crate::admin::AdminState;

/// Deliveries on a page.
const PAGE: usize = 50;

/// A store may look at so many of its pages for one of ours.
const LOOKS: usize = 20;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Question {
    state: Option<String>,
    destination: Option<String>,
    before: Option<u64>,
}

#[derive(Template)]
#[template(path = "deliveries.html")]
struct DeliveriesPage {
    frame: Frame,
    states: Vec<Choice>,
    destinations: Vec<Choice>,
    rows: Vec<DeliveryRow>,
    older: Option<String>,
    newest: bool,
    filtered: bool,
    figures: Vec<Figure>,
    back: String,
}

/// An entry of a list to choose from.
struct Choice {
    value: String,
    words: String,
    chosen: bool,
}

/// A number on top, which leads to what it counts.
struct Figure {
    href: String,
    words: &'static str,
    number: String,
    mood: Mood,
}

pub(super) async fn deliveries(State(state): Admin, visit: Visit, Asked(asked): Asked<Question>) -> Shown {
    let now = state.clock.now();
    let given = |field: &Option<String>| field.clone().filter(|value| !value.is_empty());
    let wanted: Option<DeliveryState> = given(&asked.state)
        .map(|word| word.parse())
        .transpose()
        .map_err(|_| Trouble::BadRequest("the state".into()))?;
    let to: Option<DestinationName> = given(&asked.destination)
        .map(|name| name.parse())
        .transpose()
        .map_err(|_| Trouble::BadRequest("the destination".into()))?;
    let query = DeliveryQuery {
        state: wanted,
        destination: to.clone(),
        cursor: asked.before.map(Cursor),
        ..DeliveryQuery::default()
    };
    let (found, next) = find(&state, query).await?;
    let states = DeliveryState::ALL.into_iter().map(|choice| Choice {
        value: choice.as_str().to_owned(),
        words: state_word(choice).to_owned(),
        chosen: wanted == Some(choice),
    });
    let in_force = state.in_force();
    let destinations = in_force.destinations.iter().map(|name| Choice {
        value: name.to_string(),
        words: name.to_string(),
        chosen: to.as_ref() == Some(name),
    });
    let (figures, dead) = figures(&state).await?;
    page(&DeliveriesPage {
        states: states.collect(),
        destinations: destinations.collect(),
        rows: found.iter().map(|delivery| DeliveryRow::of(delivery, now)).collect(),
        older: next.map(|next| older(wanted, to.as_ref(), next)),
        newest: asked.before.is_none(),
        filtered: wanted.is_some() || to.is_some(),
        figures,
        back: visit.here.clone(),
        frame: Frame::new(Some(Section::Deliveries), "Deliveries", visit, dead),
    })
}

/// A page of deliveries; a store may need several of its own for it.
async fn find(
    state: &AdminState,
    mut query: DeliveryQuery,
) -> Result<(Vec<Delivery>, Option<Cursor>), Trouble> {
    let mut found = Vec::new();
    for _ in 0..LOOKS {
        query.limit = PAGE - found.len();
        let page = state.store.deliveries(&query).await?;
        found.extend(page.items);
        query.cursor = page.next;
        if query.cursor.is_none() || found.len() >= PAGE {
            break;
        }
    }
    Ok((found, query.cursor))
}

async fn figures(state: &AdminState) -> Result<(Vec<Figure>, u64), Trouble> {
    let backlogs = state.store.backlogs().await?;
    let sum = |of: fn(&hookhouse_core::store::Backlog) -> u64| backlogs.iter().map(of).sum::<u64>();
    let dead = sum(|backlog| backlog.dead);
    let figure = |wanted: DeliveryState, words, number: u64, mood| Figure {
        href: format!("/deliveries?state={}", wanted.as_str()),
        words,
        number: moment::count(number),
        mood: if number == 0 { Mood::Calm } else { mood },
    };
    let figures = vec![
        figure(DeliveryState::Pending, "due or under way", sum(|backlog| backlog.pending), Mood::Calm),
        figure(
            DeliveryState::Waiting,
            "waiting for the next try",
            sum(|backlog| backlog.waiting),
            Mood::Warn,
        ),
        figure(DeliveryState::Dead, "given up", dead, Mood::Bad),
    ];
    Ok((figures, dead))
}

fn older(state: Option<DeliveryState>, destination: Option<&DestinationName>, next: Cursor) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(state) = state {
        query.append_pair("state", state.as_str());
    }
    if let Some(destination) = destination {
        query.append_pair("destination", destination.as_str());
    }
    format!("/deliveries?{}", query.append_pair("before", &next.0.to_string()).finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::hostile;
    use crate::ui::row::AttemptRow;

    #[test]
    fn whatever_a_destination_answers_is_text() {
        hostile::is_text(|text| {
            let text = || text.to_owned();
            let choice = || vec![Choice { value: text(), words: text(), chosen: true }];
            let page = DeliveriesPage {
                frame: Frame::new(Some(Section::Deliveries), text(), Visit::plain(&text()), 0),
                states: choice(),
                destinations: choice(),
                rows: vec![DeliveryRow {
                    last: Some(AttemptRow::specimen(&text())),
                    ..DeliveryRow::specimen(&text())
                }],
                older: Some(text()),
                newest: false,
                filtered: true,
                figures: vec![Figure { href: text(), words: "due", number: text(), mood: Mood::Bad }],
                back: text(),
            };
            page.render().unwrap()
        });
    }
}
