//! What goes wrong, grouped: one issue for each destination and way to fail.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use hookhouse_core::store::DeliveryQuery;
use hookhouse_core::{AttemptOutcome, Delivery, DeliveryState, DestinationName, Timestamp};

use super::Admin;
use super::action::Form;
use super::done::Done;
use super::frame::{Frame, Section, Visit};
use super::moment::{self, Moment};
use super::shown::{Shown, Trouble, after, page};
use crate::admin::AdminState;

/// Deliveries of each state that are looked at, at most.
const MOST: usize = 2_000;

/// Pages of a store that are looked at for them.
const LOOKS: usize = 20;

#[derive(Template)]
#[template(path = "issues.html")]
struct IssuesPage {
    frame: Frame,
    issues: Vec<IssueRow>,
    /// Whether there are more failures than were looked at.
    more: bool,
    back: String,
}

/// An issue.
struct IssueRow {
    destination: String,
    error: String,
    dead: String,
    waiting: String,
    any_dead: bool,
    total: String,
    first: Moment,
    last: Moment,
    sample: String,
    detail: Option<String>,
}

/// Deliveries that fail for one reason.
#[derive(Debug, Default)]
struct Issue {
    deliveries: Vec<Delivery>,
}

pub(super) async fn issues(State(state): Admin, visit: Visit) -> Shown {
    let now = state.clock.now();
    let (groups, more) = grouped(&state).await?;
    let dead = state.dead().await;
    let mut rows: Vec<_> = groups
        .into_iter()
        .filter_map(|((destination, error), issue)| {
            let size = issue.deliveries.len();
            Some((size, IssueRow::of(&destination, error, &issue, now)?))
        })
        .collect();
    rows.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
    page(&IssuesPage {
        issues: rows.into_iter().map(|(_, row)| row).collect(),
        more,
        back: visit.here.clone(),
        frame: Frame::new(Some(Section::Issues), "Issues", visit, dead),
    })
}

/// Has every delivery of an issue tried now; those that are there at this moment.
pub(super) async fn retry(State(state): Admin, body: bytes::Bytes) -> Result<Response, Trouble> {
    let form = Form::read(&body);
    let wanted = form.field("destination").zip(form.field("error"));
    let (destination, error) = wanted.ok_or_else(|| Trouble::BadRequest("which issue".to_owned()))?;
    let (groups, _) = grouped(&state).await?;
    let issue = groups
        .into_iter()
        .find(|((to, why), _)| to.as_str() == destination && why == error)
        .ok_or(Trouble::NotFound("issue"))?;
    for delivery in &issue.1.deliveries {
        // One that has gone on by itself meanwhile is no failure of this.
        state.store.retry(&delivery.id).await?;
    }
    Ok(after(form.back(), Done::RetriedAll))
}

type Groups = BTreeMap<(DestinationName, String), Issue>;

/// Failures by destination and by what went wrong; and whether there are more than were looked at.
async fn grouped(state: &AdminState) -> Result<(Groups, bool), Trouble> {
    let mut groups = Groups::new();
    let mut more = false;
    for wanted in [DeliveryState::Dead, DeliveryState::Waiting] {
        let mut query = DeliveryQuery { state: Some(wanted), ..DeliveryQuery::default() };
        let mut found = 0;
        for _ in 0..LOOKS {
            query.limit = MOST - found;
            let page = state.store.deliveries(&query).await?;
            found += page.items.len();
            for delivery in page.items {
                let key = (delivery.id.destination.clone(), error(&delivery));
                groups.entry(key).or_default().deliveries.push(delivery);
            }
            query.cursor = page.next;
            if query.cursor.is_none() || found >= MOST {
                break;
            }
        }
        more |= query.cursor.is_some();
    }
    Ok((groups, more))
}

/// What went wrong, in words that are the same for the same trouble.
fn error(delivery: &Delivery) -> String {
    match delivery.last_attempt.as_ref().map(|attempt| &attempt.outcome) {
        Some(AttemptOutcome::Refused { status, .. }) => format!("answered {status}"),
        Some(AttemptOutcome::Failed { error }) => error.clone(),
        Some(AttemptOutcome::Skipped { reason }) => reason.clone(),
        Some(AttemptOutcome::Delivered { .. }) | None => "not tried yet".to_owned(),
    }
}

impl IssueRow {
    fn of(destination: &DestinationName, error: String, issue: &Issue, now: Timestamp) -> Option<Self> {
        let last_try = |delivery: &Delivery| {
            delivery
                .last_attempt
                .as_ref()
                .map_or_else(|| delivery.id.event.made_at(), |attempt| attempt.started_at)
        };
        let dead =
            issue.deliveries.iter().filter(|delivery| delivery.state == DeliveryState::Dead).count() as u64;
        let total = issue.deliveries.len() as u64;
        let newest = issue.deliveries.iter().max_by_key(|delivery| last_try(delivery))?;
        let first = issue.deliveries.iter().map(|delivery| delivery.id.event.made_at()).min()?;
        let detail = newest.last_attempt.as_ref().and_then(|attempt| match &attempt.outcome {
            AttemptOutcome::Refused { answer, .. } => {
                Some(answer.clone()).filter(|answer| !answer.is_empty())
            }
            _ => None,
        });
        Some(Self {
            destination: destination.to_string(),
            error,
            any_dead: dead > 0,
            dead: moment::count(dead),
            waiting: moment::count(total - dead),
            total: moment::count(total),
            first: Moment::new(first, now),
            last: Moment::new(last_try(newest), now),
            sample: newest.id.event.to_string(),
            detail,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::hostile;

    #[test]
    fn whatever_went_wrong_is_text() {
        hostile::is_text(|text| {
            let at = || Moment::new(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
            let text = || text.to_owned();
            let issue = IssueRow {
                destination: text(),
                error: text(),
                dead: text(),
                waiting: text(),
                any_dead: true,
                total: text(),
                first: at(),
                last: at(),
                sample: text(),
                detail: Some(text()),
            };
            let frame = Frame::new(Some(Section::Issues), text(), Visit::plain(&text()), 0);
            IssuesPage { frame, issues: vec![issue], more: true, back: text() }.render().unwrap()
        });
    }
}
