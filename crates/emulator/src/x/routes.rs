//! The API: which endpoints there are, who may call them and how often, and what every answer carries.

mod account;
mod activity;
mod control;
mod stream;
mod token;
mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use http::request::Parts;
use http::{Method, StatusCode, header};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::auth::{self, Allowed, Caller, Target};
use super::driver::Turn;
use super::ledger::{CallRecord, Entry};
use super::problem::{Note, Problem};
use super::rates::Rate;
use super::state::World;

/// What handlers work with.
#[derive(Debug, Clone)]
struct Api {
    world: Arc<World>,
    turns: mpsc::Sender<Turn>,
}

/// An endpoint.
#[derive(Debug, Clone)]
struct Endpoint {
    name: &'static str,
    method: Method,
    path: &'static str,
    allowed: Allowed,
    /// Calls in 15 minutes.
    limit: u32,
}

const fn endpoint(
    name: &'static str,
    method: Method,
    path: &'static str,
    allowed: Allowed,
    limit: u32,
) -> Endpoint {
    Endpoint { name, method, path, allowed, limit }
}

const SUBSCRIBE: &str = "/2/account_activity/webhooks/{id}/subscriptions/all";
const SUBSCRIBED: &str = "/2/account_activity/webhooks/{id}/subscriptions/all/list";
const UNSUBSCRIBE: &str = "/2/account_activity/webhooks/{id}/subscriptions/{user}/all";
const COUNT: &str = "/2/account_activity/subscriptions/count";
const OLD_REPLAY: &str = "/2/account_activity/replay/webhooks/{id}/subscriptions/all";
const ACTIVITY: &str = "/2/activity/subscriptions";
const ONE_ACTIVITY: &str = "/2/activity/subscriptions/{id}";
const LINK: &str = "/2/tweets/search/webhooks/{id}";
const LINKS: &str = "/2/tweets/search/webhooks";
const OTHER_LINKS: &str = "/2/tweets/search/stream/webhooks";
const RULES: &str = "/2/tweets/search/stream/rules";

/// Where X's prose and its OpenAPI document disagree about who may call, both may.
const ENDPOINTS: &[Endpoint] = &[
    endpoint("oauth2.token", Method::POST, "/oauth2/token", Allowed::Anybody, 450),
    endpoint("webhooks.create", Method::POST, "/2/webhooks", Allowed::Either, 450),
    endpoint("webhooks.list", Method::GET, "/2/webhooks", Allowed::App, 450),
    endpoint("webhooks.validate", Method::PUT, "/2/webhooks/{id}", Allowed::Either, 450),
    endpoint("webhooks.delete", Method::DELETE, "/2/webhooks/{id}", Allowed::Either, 450),
    endpoint("webhooks.replay", Method::POST, "/2/webhooks/replay", Allowed::App, 100),
    endpoint("account.subscribe", Method::POST, SUBSCRIBE, Allowed::User, 500),
    endpoint("account.check", Method::GET, SUBSCRIBE, Allowed::User, 500),
    endpoint("account.list", Method::GET, SUBSCRIBED, Allowed::App, 500),
    endpoint("account.unsubscribe", Method::DELETE, UNSUBSCRIBE, Allowed::App, 500),
    endpoint("account.count", Method::GET, COUNT, Allowed::App, 500),
    endpoint("account.replay", Method::POST, OLD_REPLAY, Allowed::App, 100),
    endpoint("activity.create", Method::POST, ACTIVITY, Allowed::Either, 500),
    endpoint("activity.list", Method::GET, ACTIVITY, Allowed::Either, 500),
    endpoint("activity.update", Method::PUT, ONE_ACTIVITY, Allowed::App, 500),
    endpoint("activity.delete", Method::DELETE, ONE_ACTIVITY, Allowed::App, 500),
    endpoint("activity.delete_many", Method::DELETE, ACTIVITY, Allowed::App, 500),
    endpoint("stream.link", Method::POST, LINK, Allowed::App, 450),
    endpoint("stream.unlink", Method::DELETE, LINK, Allowed::App, 450),
    endpoint("stream.links", Method::GET, LINKS, Allowed::App, 450),
    endpoint("stream.links", Method::GET, OTHER_LINKS, Allowed::App, 450),
    endpoint("stream.rules", Method::GET, RULES, Allowed::App, 450),
    endpoint("stream.change_rules", Method::POST, RULES, Allowed::App, 100),
];

/// Everything that the platform serves.
pub(super) fn router(world: Arc<World>, turns: mpsc::Sender<Turn>) -> Router {
    let api = Api { world, turns };
    Router::new()
        .route("/oauth2/token", post(token::issue))
        .route("/2/webhooks", post(webhooks::create).get(webhooks::list))
        .route("/2/webhooks/replay", post(webhooks::replay))
        .route("/2/webhooks/{id}", put(webhooks::validate).delete(webhooks::remove))
        .route(SUBSCRIBE, post(account::subscribe).get(account::check))
        .route(SUBSCRIBED, get(account::list))
        .route(UNSUBSCRIBE, delete(account::unsubscribe))
        .route(COUNT, get(account::count))
        .route(OLD_REPLAY, post(account::replay))
        .route(ACTIVITY, post(activity::create).get(activity::list).delete(activity::remove_many))
        .route(ONE_ACTIVITY, put(activity::update).delete(activity::remove))
        .route(LINK, post(stream::link).delete(stream::unlink))
        .route(LINKS, get(stream::links))
        .route(OTHER_LINKS, get(stream::links_nested))
        .route(RULES, get(stream::rules).post(stream::change_rules))
        .route_layer(middleware::from_fn_with_state(api.clone(), guard))
        .nest("/emulator", control::router(api.clone()))
        .fallback(|| async { Problem::not_found("endpoint", "path", "this one is not emulated") })
        .with_state(api)
}

/// Before a handler: who calls, and how often. After it: the headers, and a line in the ledger.
async fn guard(State(api): State<Api>, path: MatchedPath, request: Request, next: Next) -> Response {
    let found =
        ENDPOINTS.iter().find(|other| other.path == path.as_str() && other.method == *request.method());
    let Some(endpoint) = found else { return next.run(request).await };
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MOST_BODY).await else {
        return Problem::invalid("the body cannot be read, or is too large")
            .with_status(StatusCode::PAYLOAD_TOO_LARGE)
            .into_response();
    };
    let (mut caller, mut rate) = (None, None);
    let admitted = admit(&api.world, endpoint, &parts, &body, &mut caller, &mut rate);
    let user = caller.as_ref().and_then(Caller::user);
    let mut response = match admitted {
        Ok(()) => {
            let mut request = Request::from_parts(parts, Body::from(body));
            if let Some(caller) = caller {
                request.extensions_mut().insert(caller);
            }
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    if let Some(rate) = rate {
        rate.write(response.headers_mut());
    }
    let note = response.extensions().get::<Note>().map(|note| note.0.clone());
    let mut state = api.world.lock();
    let record = CallRecord {
        number: state.ledger.number(),
        at: api.world.now(),
        endpoint: endpoint.name,
        user,
        status: response.status().as_u16(),
        note,
    };
    let record = state.ledger.call(record);
    if let Some(watch) = &api.world.options.watch {
        watch.tell(Entry::Call(record));
    }
    drop(state);
    api.world.changed.notify_one();
    response
}

/// Whether the call may go on.
fn admit(
    world: &World,
    endpoint: &Endpoint,
    parts: &Parts,
    body: &[u8],
    caller: &mut Option<Caller>,
    rate: &mut Option<Rate>,
) -> Result<(), Problem> {
    let now = world.now();
    let mut state = world.lock();
    if endpoint.allowed != Allowed::Anybody {
        let is_form = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_form = is_form.is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
        let target = Target {
            method: &parts.method,
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            form: if is_form { body } else { b"" },
        };
        let who = caller.insert(auth::authenticate(&mut state, target, &parts.headers, now)?);
        if !world.options.enrolled {
            return Err(Problem::client_forbidden(
                &state.credentials.consumer_key,
                "client-not-enrolled",
                "When authenticating requests to the Twitter API v2 endpoints, you must use keys and tokens from a Twitter developer App that is attached to a Project.",
            ));
        }
        endpoint.allowed.check(who)?;
    }
    let bucket = caller.as_ref().and_then(Caller::user);
    let limit = world.options.rate_limit.unwrap_or(endpoint.limit);
    let here = rate.insert(state.rates.take(endpoint.name, bucket, limit, now));
    if !here.allowed {
        return Err(Problem::rate_limited());
    }
    match state.fault(endpoint.name) {
        Some(StatusCode::TOO_MANY_REQUESTS) => Err(Problem::rate_limited()),
        Some(status) => Err(Problem::injected(status)),
        None => Ok(()),
    }
}

/// A body that is a JSON object with these members alone.
fn object(body: &[u8], members: &[&str]) -> Result<Map<String, Value>, Problem> {
    let Ok(Value::Object(object)) = serde_json::from_slice(body) else {
        return Err(Problem::invalid(
            "Requests with bodies must have content-type of application/json and a JSON object.",
        ));
    };
    match object.keys().find(|key| !members.contains(&key.as_str())) {
        Some(unknown) => Err(Problem::invalid(&format!(
            "$.{unknown}: is not defined in the schema and the schema does not allow additional properties"
        ))),
        None => Ok(object),
    }
}

/// A member that is a string, if it is there at all.
fn string<'a>(object: &'a Map<String, Value>, member: &str) -> Result<Option<&'a str>, Problem> {
    match object.get(member) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Problem::invalid(&format!("$.{member}: string expected"))),
    }
}

/// A member that has to be there.
fn required<'a>(object: &'a Map<String, Value>, member: &str) -> Result<&'a str, Problem> {
    string(object, member)?
        .ok_or_else(|| Problem::invalid(&format!("$.{member}: is missing but it is required")))
}

/// The first parameter of this name in a query.
fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
}

/// Its parts between commas.
fn list(query: Option<&str>, name: &str) -> Option<Vec<String>> {
    let value = parameter(query, name)?;
    Some(value.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect())
}

/// The largest body of a call.
const MOST_BODY: usize = 1 << 20;
