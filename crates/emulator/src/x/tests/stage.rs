//! A platform with a stopped clock, a webhook that answers as it is told, and a client.

use std::collections::{HashMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use hookhouse_core::{Clock, Secret};
use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use rustls::RootCertStore;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::x::client::HookClient;
use crate::x::{Act, Action, EmulatedClock, Options, Performed, Platform, UserId, keys_in, reveal};
use crate::x::{auth, signature};

/// How a webhook answers challenges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Right,
    WrongToken,
    Redirects,
    Status(u16),
    Hangs,
}

/// What a webhook knows and was told.
#[derive(Debug)]
pub(super) struct HookState {
    pub(super) mood: Mutex<Mood>,
    /// The keys that the right answer and a right signature are made with.
    pub(super) secret: Mutex<Secret>,
    /// The statuses of the next answers to events; 200 when there are no more.
    pub(super) statuses: Mutex<VecDeque<u16>>,
    /// Events, as they arrived: headers and body.
    pub(super) events: Mutex<Vec<(HeaderMap, Bytes)>>,
    /// Queries and headers of challenges.
    pub(super) challenges: Mutex<Vec<(String, HeaderMap)>>,
    /// While true, answers to events wait.
    pub(super) held: watch::Sender<bool>,
    /// How many events wait for their answer at once, at most so far.
    pub(super) waiting: Mutex<(usize, usize)>,
}

/// The whole scene.
pub(super) struct Stage {
    pub(super) platform: Platform,
    pub(super) hook: Arc<HookState>,
    pub(super) hook_url: String,
    client: HookClient,
    _server: JoinSet<()>,
}

/// Who calls.
#[derive(Debug, Clone)]
pub(super) enum As<'a> {
    Nobody,
    App,
    OAuth1(&'a str),
    OAuth2(&'a str),
    Raw(String),
}

pub(super) fn start() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

pub(super) fn options() -> Options {
    let mut options = Options::with_clock(EmulatedClock::stopped(start()));
    options.allow_http = true;
    options.roots = Some(RootCertStore::empty());
    options.crc.timeout = Duration::from_millis(400);
    options.delivery.timeout = Duration::from_secs(5);
    options
}

impl Stage {
    pub(super) async fn new(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = options();
        change(&mut options);
        let client = HookClient::new(&options);
        let platform = Platform::start(options).await.unwrap();
        let hook = Arc::new(HookState {
            mood: Mutex::new(Mood::Right),
            secret: Mutex::new(platform.credentials().consumer_secret),
            statuses: Mutex::default(),
            events: Mutex::default(),
            challenges: Mutex::default(),
            held: watch::Sender::new(false),
            waiting: Mutex::default(),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let hook_url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new().fallback(receive).with_state(Arc::clone(&hook));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { platform, hook, hook_url, client, _server: server }
    }

    /// A stage with a registered webhook, and its id.
    pub(super) async fn registered(change: impl FnOnce(&mut Options)) -> (Self, String) {
        let stage = Self::new(change).await;
        let id = stage.register().await;
        (stage, id)
    }

    pub(super) async fn register(&self) -> String {
        let (status, body) = self.post("/2/webhooks", As::App, json!({ "url": self.hook_url })).await;
        assert_eq!(status, 200, "{body}");
        body["data"]["id"].as_str().unwrap().to_owned()
    }

    pub(super) async fn subscribe(&self, webhook: &str, user: &str) {
        let path = format!("/2/account_activity/webhooks/{webhook}/subscriptions/all");
        let (status, body) = self.post(&path, As::OAuth1(user), json!({})).await;
        assert_eq!((status, body), (200, json!({ "data": { "subscribed": true } })));
    }

    /// Subscribes to an X Activity event about a user, as that user.
    pub(super) async fn watch(&self, webhook: &str, user: &str, event_type: &str) {
        let about = self.id_of(user).to_string();
        let body = json!({ "event_type": event_type, "filter": { "user_id": about }, "webhook_id": webhook, "tag": "t" });
        let (status, body) = self.post("/2/activity/subscriptions", As::OAuth1(user), body).await;
        assert_eq!(status, 200, "{body}");
    }

    pub(super) fn id_of(&self, user: &str) -> UserId {
        self.platform.tokens_of(user).unwrap().user
    }

    pub(super) fn act(
        &self,
        user: &str,
        action: Action,
        target: Option<&str>,
        text: Option<&str>,
    ) -> Performed {
        let (target, text) = (target.map(str::to_owned), text.map(str::to_owned));
        self.platform.act(&Act { user: user.to_owned(), action, text, target }).unwrap()
    }

    pub(super) async fn get(&self, path: &str, who: As<'_>) -> (u16, Value) {
        let (status, _, body) = self.call(Method::GET, path, who, None).await;
        (status, body)
    }

    pub(super) async fn post(&self, path: &str, who: As<'_>, body: Value) -> (u16, Value) {
        let (status, _, body) = self.call(Method::POST, path, who, Some(body)).await;
        (status, body)
    }

    pub(super) async fn put(&self, path: &str, who: As<'_>) -> (u16, Value) {
        let (status, _, body) = self.call(Method::PUT, path, who, None).await;
        (status, body)
    }

    pub(super) async fn delete(&self, path: &str, who: As<'_>) -> (u16, Value) {
        let (status, _, body) = self.call(Method::DELETE, path, who, None).await;
        (status, body)
    }

    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        who: As<'_>,
        body: Option<Value>,
    ) -> (u16, HeaderMap, Value) {
        let authorization = match who {
            As::Nobody => None,
            As::App => Some(format!("Bearer {}", reveal(&self.platform.credentials().bearer))),
            As::OAuth2(user) => {
                Some(format!("Bearer {}", reveal(&self.platform.tokens_of(user).unwrap().oauth2)))
            }
            As::OAuth1(user) => Some(self.oauth1(&method, path, user, &HashMap::new())),
            As::Raw(value) => Some(value),
        };
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = method;
        *request.uri_mut() = format!("{}{path}", self.platform.base_url()).parse().unwrap();
        if let Some(authorization) = authorization {
            request.headers_mut().insert("authorization", authorization.parse().unwrap());
        }
        if let Some(body) = body {
            request.headers_mut().insert("content-type", "application/json".parse().unwrap());
            *request.body_mut() = Bytes::from(body.to_string());
        }
        self.send(request).await
    }

    pub(super) async fn send(&self, request: http::Request<Bytes>) -> (u16, HeaderMap, Value) {
        let answer = self.client.send(request, Duration::from_secs(30)).await.unwrap();
        let body = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
        (answer.status().as_u16(), answer.headers().clone(), body)
    }

    /// A signed OAuth 1.0a header, some of its parts replaced before signing (or after it: the signature).
    pub(super) fn oauth1(
        &self,
        method: &Method,
        path: &str,
        user: &str,
        other: &HashMap<&str, &str>,
    ) -> String {
        let app = self.platform.credentials();
        let tokens = self.platform.tokens_of(user).unwrap();
        let now = self.platform.clock().now().as_second().to_string();
        let nonce = rand::random::<u64>().to_string();
        let mut parameters: Vec<(String, String)> = [
            ("oauth_consumer_key", app.consumer_key.as_str()),
            ("oauth_nonce", &nonce),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", &now),
            ("oauth_token", reveal(&tokens.access_token)),
            ("oauth_version", "1.0"),
        ]
        .map(|(name, value)| (name.to_owned(), (*other.get(name).unwrap_or(&value)).to_owned()))
        .to_vec();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let target = auth::Target { method, path, query, form: b"" };
        let base = auth::oauth1::base_string(target, &self.platform.local_addr().to_string(), &parameters);
        let signature = auth::oauth1::sign(&app.consumer_secret, &tokens.access_token_secret, &base);
        let signature = other.get("oauth_signature").map_or(signature, |other| (*other).to_owned());
        parameters.push(("oauth_signature".to_owned(), signature));
        let encoded = |text: &str| auth::oauth1::percent_encode(text.as_bytes());
        let parts: Vec<_> =
            parameters.iter().map(|(name, value)| format!("{name}=\"{}\"", encoded(value))).collect();
        format!("OAuth {}", parts.join(", "))
    }

    pub(super) fn mood(&self, mood: Mood) {
        *self.hook.mood.lock().unwrap() = mood;
    }

    /// The next statuses that the webhook answers events with.
    pub(super) fn answers(&self, statuses: &[u16]) {
        self.hook.statuses.lock().unwrap().extend(statuses);
    }

    /// The bodies that arrived so far, and forgets them.
    pub(super) fn bodies(&self) -> Vec<Bytes> {
        std::mem::take(&mut *self.hook.events.lock().unwrap()).into_iter().map(|(_, body)| body).collect()
    }

    /// The same as JSON.
    pub(super) fn values(&self) -> Vec<Value> {
        self.bodies().iter().map(|body| serde_json::from_slice(body).unwrap()).collect()
    }

    /// The keys of everything in them, each once, sorted.
    pub(super) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<_> = self.bodies().iter().flat_map(|body| keys_in(body)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

async fn receive(State(hook): State<Arc<HookState>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    if parts.method == Method::GET {
        let query = parts.uri.query().unwrap_or_default().to_owned();
        hook.challenges.lock().unwrap().push((query.clone(), parts.headers));
        let mood = *hook.mood.lock().unwrap();
        return answer(&hook, mood, &query).await;
    }
    let secret = hook.secret.lock().unwrap().clone();
    let expected = signature::sign(&secret, &body);
    let signed = [signature::HEADER, signature::OAUTH2_HEADER]
        .iter()
        .any(|name| parts.headers.get(*name).is_some_and(|value| value.as_bytes() == expected.as_bytes()));
    if !signed {
        return StatusCode::FORBIDDEN.into_response();
    }
    let status = hook.statuses.lock().unwrap().pop_front().unwrap_or(200);
    if status == 200 {
        hook.events.lock().unwrap().push((parts.headers, body));
    }
    {
        let mut waiting = hook.waiting.lock().unwrap();
        waiting.0 += 1;
        waiting.1 = waiting.1.max(waiting.0);
    }
    hook.held.subscribe().wait_for(|held| !held).await.unwrap();
    hook.waiting.lock().unwrap().0 -= 1;
    StatusCode::from_u16(status).unwrap().into_response()
}

async fn answer(hook: &HookState, mood: Mood, query: &str) -> Response {
    let token = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "crc_token").unwrap().1;
    let secret = match mood {
        Mood::Right => hook.secret.lock().unwrap().clone(),
        Mood::WrongToken => Secret::new("another secret").unwrap(),
        Mood::Redirects => return Redirect::permanent("/elsewhere").into_response(),
        Mood::Status(status) => return StatusCode::from_u16(status).unwrap().into_response(),
        Mood::Hangs => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            return StatusCode::OK.into_response();
        }
    };
    axum::Json(json!({ "response_token": signature::sign(&secret, token.as_bytes()) })).into_response()
}
