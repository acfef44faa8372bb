//! What the buttons do. Each is a form, and leads back to the page it was on.

use axum::extract::{Extension, Path, State};
use axum::response::Response;
use hookhouse_core::store::{CancelOutcome, RetryOutcome};
use hookhouse_core::{DeliveryId, DestinationName, EventId, SourceName, StoredEvent};
use http::{HeaderValue, header};

use super::Admin;
use super::done::Done;
use super::event::edit::asked;
use super::frame::Theme;
use super::shown::{Shown, Trouble, after};
use crate::admin::{AdminState, Principal, edit, tell};

/// The fields of a form.
#[derive(Debug)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn read(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// The value of a field that is not empty.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let field = self.0.iter().find(|(known, _)| known == name);
        field.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The page to go back to.
    pub(super) fn back(&self) -> &str {
        self.field("back").unwrap_or("/")
    }
}

/// Delivers an event again: where the form says, or wherever its source delivers.
pub(super) async fn replay(State(state): Admin, Path(id): Path<String>, body: bytes::Bytes) -> Shown {
    let form = Form::read(&body);
    let id: EventId = id.parse().map_err(|_| Trouble::NotFound("event"))?;
    let event = state.store.event(id).await?.ok_or(Trouble::NotFound("event"))?;
    let mut made = 0;
    for destination in &destinations(&state, &event, &form) {
        if let Some(delivery) = state.store.redeliver(id, destination).await? {
            tell(&state, &delivery).await;
            made += 1;
        }
    }
    Ok(after(form.back(), if made > 0 { Done::Replayed } else { Done::NowhereToReplay }))
}

/// Delivers an event with other bytes than the stored ones.
pub(super) async fn edit(
    State(state): Admin,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
    body: bytes::Bytes,
) -> Shown {
    let form = Form::read(&body);
    let id: EventId = id.parse().map_err(|_| Trouble::NotFound("event"))?;
    let event = state.store.event(id).await?.ok_or(Trouble::NotFound("event"))?;
    let asked = asked(&event, form.field("body"), form.field("headers").unwrap_or_default());
    let asked = asked.map_err(Trouble::NotEdited)?;
    let edit = edit::edit(&event, &asked, edit::mark(&state, &principal))
        .map_err(|error| Trouble::NotEdited(error.to_string()))?;
    let mut made = 0;
    for destination in &destinations(&state, &event, &form) {
        if let Some(delivery) = state.store.redeliver_edited(id, destination, edit.clone()).await? {
            tell(&state, &delivery).await;
            made += 1;
        }
    }
    Ok(after(form.back(), if made > 0 { Done::ReplayedEdited } else { Done::NowhereToReplay }))
}

/// Where a form wants an event delivered: what it names, or wherever the event's source delivers.
fn destinations(state: &AdminState, event: &StoredEvent, form: &Form) -> Vec<DestinationName> {
    let in_force = state.in_force();
    let mut wanted: Vec<DestinationName> = match form.field("destination") {
        Some(name) => name.parse().into_iter().collect(),
        None => {
            let source = in_force.sources.iter().find(|source| source.name == event.record().source);
            source.map(|source| source.deliver.clone()).unwrap_or_default()
        }
    };
    wanted.retain(|name| in_force.destinations.contains(name));
    wanted
}

/// Has a delivery tried now.
pub(super) async fn retry(State(state): Admin, Path(id): Path<String>, body: bytes::Bytes) -> Shown {
    let form = Form::read(&body);
    let id: DeliveryId = id.parse().map_err(|_| Trouble::NotFound("delivery"))?;
    let done = match state.store.retry(&id).await? {
        RetryOutcome::Due => {
            tell(&state, &id).await;
            Done::Retried
        }
        RetryOutcome::Refused(_) => Done::NotRetried,
        RetryOutcome::Unknown => return Err(Trouble::NotFound("delivery")),
    };
    Ok(after(form.back(), done))
}

/// Calls a delivery off.
pub(super) async fn cancel(State(state): Admin, Path(id): Path<String>, body: bytes::Bytes) -> Shown {
    let form = Form::read(&body);
    let id: DeliveryId = id.parse().map_err(|_| Trouble::NotFound("delivery"))?;
    let done = match state.store.cancel(&id).await? {
        CancelOutcome::Cancelled => {
            tell(&state, &id).await;
            Done::Cancelled
        }
        CancelOutcome::Refused(_) => Done::NotCancelled,
        CancelOutcome::Unknown => return Err(Trouble::NotFound("delivery")),
    };
    Ok(after(form.back(), done))
}

/// Has the webhook of a source looked at.
pub(super) async fn look(State(state): Admin, Path(name): Path<String>, body: bytes::Bytes) -> Shown {
    let form = Form::read(&body);
    let name: SourceName = name.parse().map_err(|_| Trouble::NotFound("source"))?;
    let asked = state.webhooks.look(&name).await;
    Ok(after(form.back(), if asked { Done::Asked } else { Done::NobodyToAsk }))
}

/// Holds a destination.
pub(super) async fn pause(State(state): Admin, Path(name): Path<String>, body: bytes::Bytes) -> Shown {
    hold(&state, &name, &body, true).await
}

/// Lets a destination go on.
pub(super) async fn resume(State(state): Admin, Path(name): Path<String>, body: bytes::Bytes) -> Shown {
    hold(&state, &name, &body, false).await
}

async fn hold(state: &AdminState, name: &str, body: &[u8], paused: bool) -> Shown {
    let form = Form::read(body);
    let name: DestinationName = name.parse().map_err(|_| Trouble::NotFound("destination"))?;
    state.engine.pause(&name, paused).await?.ok_or(Trouble::NotFound("destination"))?;
    Ok(after(form.back(), if paused { Done::Paused } else { Done::Resumed }))
}

/// Keeps the theme for a year. It is no secret and says nothing of anybody.
pub(super) async fn theme(body: bytes::Bytes) -> Response {
    let form = Form::read(&body);
    let theme = form.field("theme").and_then(Theme::parse).unwrap_or_default();
    let mut response = axum::response::IntoResponse::into_response(axum::response::Redirect::to(
        super::shown::local(form.back()),
    ));
    let cookie =
        format!("{}={}; Path=/; Max-Age=31536000; SameSite=Strict; HttpOnly", Theme::COOKIE, theme.as_str());
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
