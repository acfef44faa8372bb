//! Requests that were turned away, each with what would let it in.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use hookhouse_core::store::{Cursor, RefusalQuery};
use hookhouse_core::{Refusal, SourceName, StoredRefusal, Timestamp};
use serde::Deserialize;

use super::Admin;
use super::frame::{Frame, Section, Visit};
use super::moment::{self, Moment};
use super::prose::Prose;
use super::shown::{Asked, Shown, Trouble, page};
use crate::admin::AdminState;

/// Refusals on a page.
const PAGE: usize = 50;

/// A store may look at so many of its pages for one of ours.
const LOOKS: usize = 20;

/// Refusals that are counted by reason.
const COUNTED: usize = 1_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Question {
    source: Option<String>,
    before: Option<u64>,
}

#[derive(Template)]
#[template(path = "refusals.html")]
struct RefusalsPage {
    frame: Frame,
    sources: Vec<(String, bool)>,
    rows: Vec<Row>,
    reasons: Vec<Reason>,
    counted: String,
    older: Option<String>,
    newest: bool,
    filtered: bool,
}

/// A refusal.
struct Row {
    at: Moment,
    source: Option<String>,
    status: u16,
    code: String,
    reason: Prose,
    method: String,
    path: String,
    peer: Option<String>,
    request_id: String,
    size: String,
}

/// How often something was the reason.
struct Reason {
    code: String,
    count: String,
    /// Of a hundred of the most frequent one, for its bar.
    part: usize,
}

pub(super) async fn refusals(State(state): Admin, visit: Visit, Asked(asked): Asked<Question>) -> Shown {
    let now = state.clock.now();
    let wanted: Option<SourceName> = asked
        .source
        .filter(|name| !name.is_empty())
        .map(|name| name.parse())
        .transpose()
        .map_err(|_| Trouble::BadRequest("the source".to_owned()))?;
    let query = RefusalQuery { source: wanted.clone(), ..RefusalQuery::default() };
    let (found, next) =
        find(&state, RefusalQuery { cursor: asked.before.map(Cursor), ..query.clone() }).await?;
    let recent = state.store.refusals(&RefusalQuery { limit: COUNTED, ..query }).await?.items;
    page(&RefusalsPage {
        sources: state
            .in_force()
            .sources
            .iter()
            .map(|source| (source.name.to_string(), wanted.as_ref() == Some(&source.name)))
            .collect(),
        rows: found.into_iter().map(|refusal| Row::of(refusal.refusal, now)).collect(),
        reasons: reasons(&recent),
        counted: moment::count(recent.len() as u64),
        older: next.map(|next| match &wanted {
            Some(source) => format!("/refusals?source={source}&before={}", next.0),
            None => format!("/refusals?before={}", next.0),
        }),
        newest: asked.before.is_none(),
        filtered: wanted.is_some(),
        frame: Frame::new(Some(Section::Refusals), "Refusals", visit, state.dead().await),
    })
}

/// A page of refusals; a store may need several of its own for it.
async fn find(
    state: &AdminState,
    mut query: RefusalQuery,
) -> Result<(Vec<StoredRefusal>, Option<Cursor>), Trouble> {
    let mut found = Vec::new();
    for _ in 0..LOOKS {
        query.limit = PAGE - found.len();
        let page = state.store.refusals(&query).await?;
        found.extend(page.items);
        query.cursor = page.next;
        if query.cursor.is_none() || found.len() >= PAGE {
            break;
        }
    }
    Ok((found, query.cursor))
}

/// The reasons by how frequent they are, the first eight of them.
fn reasons(refusals: &[StoredRefusal]) -> Vec<Reason> {
    let mut counts = BTreeMap::<&str, usize>::new();
    for refusal in refusals {
        *counts.entry(&refusal.refusal.code).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let most = counts.first().map_or(1, |(_, count)| *count);
    let reason = |(code, count): (&str, usize)| Reason {
        code: code.to_owned(),
        count: moment::count(count as u64),
        part: (count * 100 / most).max(1),
    };
    counts.into_iter().take(8).map(reason).collect()
}

impl Row {
    fn of(refusal: Refusal, now: Timestamp) -> Self {
        Self {
            at: Moment::new(refusal.at, now),
            source: refusal.source.map(|source| source.to_string()),
            status: refusal.status,
            code: refusal.code,
            reason: Prose::new(&refusal.reason),
            method: refusal.method,
            path: refusal.path,
            peer: refusal.peer.map(|peer| peer.to_string()),
            request_id: refusal.request_id,
            size: moment::bytes(refusal.body_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::hostile;

    #[test]
    fn whatever_was_refused_is_text() {
        hostile::is_text(|text| {
            let text = || text.to_owned();
            let row = Row {
                at: Moment::new(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH),
                source: Some(text()),
                status: 403,
                code: text(),
                reason: Prose::new(&text()),
                method: text(),
                path: text(),
                peer: Some(text()),
                request_id: text(),
                size: text(),
            };
            let page = RefusalsPage {
                frame: Frame::new(Some(Section::Refusals), text(), Visit::plain(&text()), 0),
                sources: vec![(text(), true)],
                rows: vec![row],
                reasons: vec![Reason { code: text(), count: text(), part: 50 }],
                counted: text(),
                older: Some(text()),
                newest: false,
                filtered: true,
            };
            page.render().unwrap()
        });
    }
}
