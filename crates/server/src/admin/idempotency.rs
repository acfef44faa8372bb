//! `Idempotency-Key`: a write that is sent again with the same key is answered as before, and done once.
//!
//! Answers are kept for a day in the store's small state, so that a restart does not forget them: in 256 documents of
//! sixteen answers each, by the key's digest. Of more than sixteen in one document the oldest goes, so a flood of keys
//! costs others their answers before it costs the store its space. Keys of different tokens are different keys.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use hookhouse_core::{EventStore, StoreError, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use serde::{Deserialize, Serialize};

use super::AdminState;
use super::access::Principal;
use super::extract;
use super::kept::Kept;
use super::problem::Problem;

/// How long an answer is kept.
const LIFE: Duration = Duration::from_secs(24 * 3600);

/// Answers in one document.
const EACH: usize = 16;

/// The longest answer that is kept.
const LONGEST: usize = 8 << 10;

/// The longest key.
const LONGEST_KEY: usize = 255;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The writes that are under way, and where answers are kept.
#[derive(Debug)]
pub(crate) struct Idempotency {
    store: Arc<dyn EventStore>,
    under_way: Mutex<HashSet<String>>,
}

/// An answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Answered {
    /// The digest of token and key.
    key: String,
    /// The digest of what was asked.
    request: String,
    at: Timestamp,
    status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    body: String,
}

impl Idempotency {
    pub(crate) fn new(store: &Arc<dyn EventStore>) -> Self {
        Self { store: Arc::clone(store), under_way: Mutex::default() }
    }

    fn document(&self, key: &str) -> Kept<Vec<Answered>> {
        Kept::new(&self.store, format!("admin/answers/{}", key.get(..2).unwrap_or_default()))
    }

    async fn find(&self, key: &str, now: Timestamp) -> Result<Option<Answered>, StoreError> {
        let answers = self.document(key).read().await?.unwrap_or_default();
        Ok(answers.into_iter().find(|answer| answer.key == key && answer.is_alive(now)))
    }

    async fn keep(&self, answer: &Answered) -> Result<(), StoreError> {
        self.document(&answer.key)
            .change(|all| {
                all.retain(|kept| kept.is_alive(answer.at) && kept.key != answer.key);
                if all.len() >= EACH {
                    all.remove(0);
                }
                all.push(answer.clone());
            })
            .await
    }

    /// Nobody else may use the key until this is dropped; `None` where somebody does.
    fn begin(&self, key: &str) -> Option<UnderWay<'_>> {
        let mut all = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(key.to_owned()).then(|| UnderWay { all: &self.under_way, key: key.to_owned() })
    }
}

struct UnderWay<'a> {
    all: &'a Mutex<HashSet<String>>,
    key: String,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl Answered {
    fn is_alive(&self, now: Timestamp) -> bool {
        Duration::try_from(now.duration_since(self.at)).is_ok_and(|age| age < LIFE)
    }

    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let headers = response.headers_mut();
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
        for (name, value) in [(header::CONTENT_TYPE, self.content_type), (header::LOCATION, self.location)] {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// Does what a request asks for, unless it was done already.
pub(super) async fn once(State(state): State<Arc<AdminState>>, request: Request, next: Next) -> Response {
    run(&state, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn run(state: &AdminState, request: Request, next: Next) -> Result<Response, Problem> {
    let Some(key) = key(request.headers())? else { return Ok(next.run(request).await) };
    let token = request.extensions().get::<Principal>().map(|principal| principal.token.clone());
    let key = digest([token.unwrap_or_default().as_bytes(), key.as_bytes()]);
    let Some(_under_way) = state.idempotency.begin(&key) else {
        return Err(Problem::conflict("idempotency-under-way", "a request with this key is under way"));
    };
    let (parts, body) = request.into_parts();
    let body = extract::read(body).await?;
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let asked = digest([parts.method.as_str().as_bytes(), target.as_bytes(), &body]);
    if let Some(answered) = state.idempotency.find(&key, state.clock.now()).await? {
        if answered.request != asked {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "this key was used with another request",
            ));
        }
        return Ok(answered.into_response());
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    keep(state, key, asked, response).await
}

/// Keeps what was answered, unless it may be another time: a failure of ours is no answer.
async fn keep(
    state: &AdminState,
    key: String,
    request: String,
    response: Response,
) -> Result<Response, Problem> {
    if response.status().is_server_error() {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, extract::MAX_BODY).collect().await.map(http_body_util::Collected::to_bytes);
    let body = body.map_err(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the answer could not be read")
    })?;
    let header =
        |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned);
    if let Ok(text) = std::str::from_utf8(&body)
        && text.len() <= LONGEST
    {
        let answered = Answered {
            key,
            request,
            at: state.clock.now(),
            status: parts.status.as_u16(),
            content_type: header(header::CONTENT_TYPE),
            location: header(header::LOCATION),
            body: text.to_owned(),
        };
        if let Err(error) = state.idempotency.keep(&answered).await {
            tracing::warn!(%error, "the answer to a key could not be kept: sent again, the request is done again");
        }
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut keys = headers.get_all(KEY).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let text = key.to_str().ok().filter(|text| !text.is_empty() && text.len() <= LONGEST_KEY);
    match (text, keys.next()) {
        (Some(text), None) => Ok(Some(text.to_owned())),
        _ => Err(Problem::bad_request("`Idempotency-Key` is one printable text of up to 255 characters")),
    }
}

/// The digest of parts, none of which can pass for another's end.
fn digest<const N: usize>(parts: [&[u8]; N]) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    }
    HEXLOWER.encode(context.finish().as_ref())
}

#[cfg(test)]
mod tests {
    use hookhouse_testkit::clock::FakeClock;
    use hookhouse_testkit::memory::MemoryStore;

    use super::*;

    fn answered(key: String, at: Timestamp) -> Answered {
        Answered {
            key,
            request: digest([b"r"]),
            at,
            status: 202,
            content_type: None,
            location: None,
            body: "{}".to_owned(),
        }
    }

    #[tokio::test]
    async fn an_answer_is_kept_for_a_day_and_across_restarts() {
        let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new(Arc::<FakeClock>::default()));
        let (now, key) = (Timestamp::UNIX_EPOCH, digest([b"root", b"k"]));
        Idempotency::new(&store).keep(&answered(key.clone(), now)).await.unwrap();
        let again = Idempotency::new(&store);
        let before = now + (LIFE - Duration::from_secs(1));
        assert_eq!(again.find(&key, before).await.unwrap().unwrap().status, 202);
        assert!(again.find(&key, now + LIFE).await.unwrap().is_none());
        assert!(again.find(&digest([b"tok_1", b"k"]), now).await.unwrap().is_none(), "another token's");
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded() {
        let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new(Arc::<FakeClock>::default()));
        let idempotency = Idempotency::new(&store);
        let now = Timestamp::UNIX_EPOCH;
        for n in 0..=EACH {
            idempotency.keep(&answered(format!("aa{n}"), now)).await.unwrap();
        }
        assert!(idempotency.find("aa0", now).await.unwrap().is_none());
        assert!(idempotency.find("aa1", now).await.unwrap().is_some());
        let kept = store.state("admin/answers/aa").await.unwrap().unwrap();
        assert_eq!(serde_json::from_slice::<Vec<Answered>>(&kept.value).unwrap().len(), EACH);
    }

    #[test]
    fn one_at_a_time() {
        let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new(Arc::<FakeClock>::default()));
        let idempotency = Idempotency::new(&store);
        let first = idempotency.begin("k").unwrap();
        assert!(idempotency.begin("k").is_none());
        assert!(idempotency.begin("other").is_some());
        drop(first);
        assert!(idempotency.begin("k").is_some());
        assert_ne!(digest([b"ab", b"c"]), digest([b"a", b"bc"]));
    }
}
