//! Access tokens: one for all calls, fetched by one attempt while the others wait, and fetched anew when it is refused.
//!
//! The answer names the host that the token is for. That host is judged by the same rules as a configured one, and the
//! way to it is no less secure than the way to the login host.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use form_urlencoded::Serializer;
use hookhouse_core::{Clock, Secret};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::Full;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::refusal::{self, Refusal};
use super::settings::Grant;
use crate::circuit::Health;
use crate::client::{Answer, Client};
use crate::guard::Guard;
use crate::response::{End, Tried};

/// An access token, and where it counts.
pub(crate) struct Session {
    authorization: HeaderValue,
    instance: Uri,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("instance", &self.instance).finish_non_exhaustive()
    }
}

impl Session {
    /// The `Authorization` of a call.
    pub(crate) fn authorization(&self) -> HeaderValue {
        self.authorization.clone()
    }

    /// The URL of a path of the instance's; `None` where that is none.
    pub(crate) fn url(&self, path: &str) -> Option<Uri> {
        let scheme = self.instance.scheme()?.clone();
        let authority = self.instance.authority()?.clone();
        Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build().ok()
    }
}

/// Why there is no token.
#[derive(Debug, Clone)]
pub(crate) enum NoSession {
    /// The host did not answer as it should.
    Failed(Tried),
    /// It said no.
    Refused(Refusal),
}

/// Where tokens come from.
#[derive(Debug)]
pub(crate) struct Tokens {
    grant: Grant,
    login: Uri,
    guard: Arc<Guard>,
    allow_loopback: bool,
    clock: Arc<dyn Clock>,
    /// One fetch at a time.
    turn: Semaphore,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    session: Option<Arc<Session>>,
    /// The last fetch that failed: those who waited for it share its fate.
    failed: Option<(Instant, NoSession)>,
}

impl Tokens {
    pub(crate) fn new(
        grant: Grant,
        login: Uri,
        guard: Arc<Guard>,
        allow_loopback: bool,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (turn, kept) = (Semaphore::new(1), Mutex::default());
        Self { grant, login, guard, allow_loopback, clock, turn, kept }
    }

    /// A session other than `stale`: the kept one, or a new one.
    pub(crate) async fn session(
        &self,
        client: &Client,
        stale: Option<&Arc<Session>>,
        deadline: Instant,
    ) -> Result<Arc<Session>, NoSession> {
        let began = Instant::now();
        if let Some(session) = self.kept_other_than(stale) {
            return Ok(session);
        }
        let late = || NoSession::Failed(Tried::failed("no access token in time", Health::Failing));
        let turn = tokio::time::timeout_at(deadline, self.turn.acquire()).await.map_err(|_| late())?;
        // Somebody else's fetch may have ended while this attempt waited for its turn.
        if let Some(session) = self.kept_other_than(stale) {
            return Ok(session);
        }
        if let Some((at, failure)) = &self.kept().failed
            && *at >= began
        {
            return Err(failure.clone());
        }
        let fetched = self.fetch(client, deadline).await;
        let mut kept = self.kept();
        match &fetched {
            Ok(session) => *kept = Kept { session: Some(Arc::clone(session)), failed: None },
            Err(failure) => *kept = Kept { session: None, failed: Some((Instant::now(), failure.clone())) },
        }
        drop((kept, turn));
        fetched
    }

    /// Forgets a session that was refused.
    pub(crate) fn forget(&self, refused: &Arc<Session>) {
        let mut kept = self.kept();
        if kept.session.as_ref().is_some_and(|session| Arc::ptr_eq(session, refused)) {
            kept.session = None;
        }
    }

    fn kept_other_than(&self, stale: Option<&Arc<Session>>) -> Option<Arc<Session>> {
        let kept = self.kept();
        let other = |session: &&Arc<Session>| stale.is_none_or(|stale| !Arc::ptr_eq(session, stale));
        kept.session.as_ref().filter(other).map(Arc::clone)
    }

    /// Nothing under this lock can panic half-way, so a poisoned one is as good as another.
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self, client: &Client, deadline: Instant) -> Result<Arc<Session>, NoSession> {
        let request = self.request().ok_or_else(|| failed("the access token cannot be asked for"))?;
        let answer = client.exchange(request, MOST, deadline).await.map_err(NoSession::Failed)?;
        if !answer.head.status.is_success() {
            return Err(refused(&answer));
        }
        let token = match answer.end {
            End::Whole => serde_json::from_slice::<Granted>(&answer.body).ok(),
            _ => None,
        };
        let Some(token) = token else {
            let words = format!(
                "the token endpoint answered {} without an access token",
                answer.head.status.as_u16()
            );
            return Err(NoSession::Failed(Tried::failed(words, Health::Failing)));
        };
        self.accept(token).map(Arc::new).map_err(|words| NoSession::Refused(Refusal::login(words)))
    }

    fn request(&self) -> Option<Request<Full<Bytes>>> {
        let mut form = Serializer::new(String::new());
        match &self.grant {
            Grant::ClientCredentials { client_id, client_secret } => {
                form.append_pair("grant_type", "client_credentials");
                form.append_pair("client_id", client_id);
                form.append_pair("client_secret", std::str::from_utf8(client_secret.expose()).ok()?);
            }
            Grant::JwtBearer { client_id, username, audience, key } => {
                form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
                form.append_pair(
                    "assertion",
                    &key.assert(client_id, username, audience, self.clock.now()).ok()?,
                );
            }
        }
        let (scheme, authority) = (self.login.scheme()?.clone(), self.login.authority()?.clone());
        let url = Uri::builder().scheme(scheme).authority(authority).path_and_query(TOKEN_PATH);
        Request::builder()
            .method(Method::POST)
            .uri(url.build().ok()?)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .header(ACCEPT_ENCODING, "identity")
            .body(Full::new(form.finish().into()))
            .ok()
    }

    /// Judges the answer's token and host.
    fn accept(&self, token: Granted) -> Result<Session, String> {
        let instance: Uri =
            token.instance_url.parse().map_err(|_| "its `instance_url` is not a URL".to_owned())?;
        if self.login.scheme_str() == Some("https") && instance.scheme_str() != Some("https") {
            return Err("its `instance_url` is not https".to_owned());
        }
        if !matches!(instance.path(), "" | "/") || instance.query().is_some() {
            return Err("its `instance_url` is more than a host".to_owned());
        }
        self.guard
            .check_url(&instance, self.allow_loopback)
            .map_err(|denied| format!("its `instance_url` is not allowed: {denied}"))?;
        let secret = Secret::new(format!("Bearer {}", token.access_token))
            .map_err(|_| "its access token is empty".to_owned())?;
        let mut authorization = HeaderValue::from_bytes(secret.expose())
            .map_err(|_| "its access token does not fit into a header".to_owned())?;
        authorization.set_sensitive(true);
        Ok(Session { authorization, instance })
    }
}

/// What the token endpoint answers; the rest of it is not wanted.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    instance_url: String,
}

/// The token endpoint's no, in its own words and what to do about them (RFC 6749 section 5.2).
#[derive(Deserialize)]
struct Denied {
    error: String,
    #[serde(default)]
    error_description: String,
}

fn refused(answer: &Answer) -> NoSession {
    let status = answer.head.status;
    if status.is_client_error() && status.as_u16() != 429 {
        let said = serde_json::from_slice::<Denied>(&answer.body);
        let words = match said {
            Ok(Denied { error, error_description }) => {
                let hint = refusal::hint(&error, &error_description);
                format!("{error}: {error_description}{hint}")
            }
            Err(_) => format!("answered {}", status.as_u16()),
        };
        return NoSession::Refused(Refusal::login(words));
    }
    let words = format!("the token endpoint answered {}", status.as_u16());
    let retry_after = answer.head.retry_after;
    NoSession::Failed(Tried { retry_after, ..Tried::failed(words, Health::Failing) })
}

fn failed(words: &str) -> NoSession {
    NoSession::Failed(Tried::failed(words, Health::Untold))
}

const TOKEN_PATH: &str = "/services/oauth2/token";

/// The longest answer of the token endpoint.
const MOST: usize = 64 * 1024;
