//! Talking to the cluster: publishing until it is acknowledged or refused, and reading what is in a stream.
//!
//! What the cluster does not answer in time is asked again until the patience ends. Everything here may therefore
//! happen twice; each caller says how a second time is recognised: by a message id, or by the sequence that a subject
//! is expected to have.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::{Client, HeaderMap, Message, Request, RequestErrorKind, StatusCode};
use bytes::Bytes;
use data_encoding::BASE64;
use futures_util::StreamExt as _;
use hookhouse_core::StoreError;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;
use tokio::time::Instant;

/// A connection, and how long to wait on it.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) patience: Duration,
}

/// What an acknowledgement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ack {
    /// Where the message is; of a batch the last one.
    pub(crate) sequence: u64,
}

/// Why something was not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// A subject has another last message than was expected.
    Conflict,
    /// What the trait calls it.
    Store(StoreError),
}

impl From<Refused> for StoreError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Conflict => Self::Conflict,
            Refused::Store(error) => error,
        }
    }
}

/// One message of a stream.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    pub(crate) subject: String,
    pub(crate) sequence: u64,
    pub(crate) payload: Bytes,
    /// What was published with it as [`NONCE`], for those who look for their own.
    pub(crate) nonce: Option<String>,
    /// Whether it says that what was there is gone.
    pub(crate) is_marker: bool,
}

/// A message to publish.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) subject: String,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Bytes,
}

/// Says who published a message, so that whoever asks again recognises what he did himself.
pub(crate) const NONCE: &str = "Hookhouse-Nonce";
const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";
const MARKER: &str = "KV-Operation";
const TTL: &str = "Nats-TTL";

/// How long one try may take, where several fit into the patience.
const TRY: Duration = Duration::from_secs(2);
/// The pause before the next try.
const PAUSE: Duration = Duration::from_millis(50);
/// At most so many bytes of one answer to a read.
const MOST_BYTES: u64 = 8 << 20;

impl Outgoing {
    pub(crate) fn new(subject: String, payload: impl Into<Bytes>) -> Self {
        Self { subject, headers: HeaderMap::new(), payload: payload.into() }
    }

    /// The server drops a second one with this id within its window.
    pub(crate) fn with_id(self, id: &str) -> Self {
        self.with("Nats-Msg-Id", id)
    }

    /// The subject's last message must be this one; 0 where there must be none.
    pub(crate) fn expecting(self, sequence: u64) -> Self {
        self.with(EXPECTED, &sequence.to_string())
    }

    pub(crate) fn with_nonce(self, nonce: &str) -> Self {
        self.with(NONCE, nonce)
    }

    pub(crate) fn for_a_while(self, ttl: Duration) -> Self {
        self.with(TTL, &format!("{}s", ttl.as_secs().max(1)))
    }

    /// Says that what was there is gone.
    pub(crate) fn into_marker(self) -> Self {
        self.with(MARKER, "DEL")
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value);
        self
    }
}

#[derive(Debug, Deserialize)]
struct AckAnswer {
    error: Option<async_nats::jetstream::Error>,
    #[serde(default)]
    seq: u64,
}

impl Link {
    /// Publishes a message and waits until the cluster has it.
    pub(crate) async fn publish(&self, message: &Outgoing) -> Result<Ack, Refused> {
        self.publish_all(&[], message).await
    }

    /// Publishes messages that are stored together, next to each other, or not at all.
    pub(crate) async fn publish_all(&self, first: &[Outgoing], last: &Outgoing) -> Result<Ack, Refused> {
        let deadline = Instant::now() + self.patience;
        loop {
            let answer = self.try_publish(first, last, deadline).await;
            match answer {
                Ok(ack) => return Ok(ack),
                Err(Try::Over(refused)) => return Err(refused),
                Err(Try::Again(why)) if Instant::now() + PAUSE >= deadline => {
                    tracing::debug!(
                        subject = last.subject,
                        why,
                        "the cluster did not take a message in time"
                    );
                    return Err(Refused::Store(StoreError::Overloaded));
                }
                Err(Try::Again(_)) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn try_publish(&self, first: &[Outgoing], last: &Outgoing, deadline: Instant) -> Result<Ack, Try> {
        let batch = (!first.is_empty()).then(|| format!("{:016x}", rand::random::<u64>()));
        let mut headers = last.headers.clone();
        if let Some(batch) = &batch {
            for (n, message) in first.iter().enumerate() {
                let mut headers = message.headers.clone();
                headers.insert("Nats-Batch-Id", batch.as_str());
                headers.insert("Nats-Batch-Sequence", (n + 1).to_string().as_str());
                let (subject, payload) = (message.subject.clone(), message.payload.clone());
                let sent = self.client.publish_with_headers(subject, headers, payload).await;
                sent.map_err(|error| Try::Again(error.to_string()))?;
            }
            headers.insert("Nats-Batch-Id", batch.as_str());
            headers.insert("Nats-Batch-Sequence", (first.len() + 1).to_string().as_str());
            headers.insert("Nats-Batch-Commit", "1");
        }
        let left = deadline.saturating_duration_since(Instant::now()).min(TRY);
        let request = Request::new().payload(last.payload.clone()).headers(headers).timeout(Some(left));
        let answer = match self.client.send_request(last.subject.clone(), request).await {
            Ok(answer) => answer,
            Err(error) if error.kind() == RequestErrorKind::MaxPayloadExceeded => {
                let reason = format!("an event is larger than the cluster's max_payload: {error}");
                return Err(Try::Over(Refused::Store(StoreError::Full(reason))));
            }
            Err(error) => return Err(Try::Again(error.to_string())),
        };
        let answer: AckAnswer =
            serde_json::from_slice(&answer.payload).map_err(|error| Try::Again(error.to_string()))?;
        match answer.error {
            None => Ok(Ack { sequence: answer.seq }),
            Some(error) => Err(judge(&error)),
        }
    }

    /// Replaces the last message of a subject if it is still the expected one. A conflict with what an earlier try of
    /// the same call did is none.
    pub(crate) async fn replace(
        &self,
        stream: &str,
        message: Outgoing,
        expected: u64,
        nonce: &str,
    ) -> Result<u64, Refused> {
        let message = message.expecting(expected).with_nonce(nonce);
        match self.publish(&message).await {
            Ok(ack) => Ok(ack.sequence),
            Err(Refused::Conflict) => match self.last(stream, &message.subject).await {
                Ok(Some(raw)) if raw.nonce.as_deref() == Some(nonce) => Ok(raw.sequence),
                Ok(_) => Err(Refused::Conflict),
                Err(error) => Err(Refused::Store(error)),
            },
            Err(other) => Err(other),
        }
    }

    // ── reading from the stream's leader: what was acknowledged before is seen ─────────────────────────────────────

    /// The last message of a subject, which may have wildcards.
    pub(crate) async fn last(&self, stream: &str, subject: &str) -> Result<Option<Raw>, StoreError> {
        self.message(stream, json!({ "last_by_subj": subject })).await
    }

    /// The first message of a subject from a place on.
    pub(crate) async fn next(
        &self,
        stream: &str,
        subject: &str,
        from: u64,
    ) -> Result<Option<Raw>, StoreError> {
        self.message(stream, json!({ "seq": from.max(1), "next_by_subj": subject })).await
    }

    /// The message at a place.
    pub(crate) async fn at(&self, stream: &str, sequence: u64) -> Result<Option<Raw>, StoreError> {
        self.message(stream, json!({ "seq": sequence })).await
    }

    async fn message(&self, stream: &str, request: serde_json::Value) -> Result<Option<Raw>, StoreError> {
        #[derive(Deserialize)]
        struct Answer {
            message: Option<Found>,
        }
        #[derive(Deserialize)]
        struct Found {
            subject: String,
            seq: u64,
            #[serde(default)]
            hdrs: String,
            #[serde(default)]
            data: String,
        }
        let found = self.ask::<Answer>(&format!("STREAM.MSG.GET.{stream}"), &request).await;
        let found = match found {
            Ok(answer) => answer.message,
            Err(Asked::Refused(error)) if error.error_code() == NO_MESSAGE => None,
            Err(other) => return Err(other.into()),
        };
        let Some(found) = found else { return Ok(None) };
        let decode = |text: &str| {
            BASE64.decode(text.as_bytes()).map_err(|_| StoreError::Read("a message is damaged".to_owned()))
        };
        let headers = decode(&found.hdrs)?;
        Ok(Some(Raw {
            subject: found.subject,
            sequence: found.seq,
            payload: decode(&found.data)?.into(),
            nonce: header(&headers, NONCE),
            is_marker: header(&headers, MARKER).is_some(),
        }))
    }

    /// Asks the cluster something of its API, until it answers.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        what: &str,
        request: &impl Serialize,
    ) -> Result<T, Asked> {
        let payload =
            Bytes::from(serde_json::to_vec(request).map_err(|error| Asked::Silent(error.to_string()))?);
        let deadline = Instant::now() + self.patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).min(TRY);
            let request = Request::new().payload(payload.clone()).timeout(Some(left));
            let why = match self.client.send_request(format!("$JS.API.{what}"), request).await {
                Ok(answer) => match read_answer(&answer.payload) {
                    Err(Asked::Refused(error)) if is_passing(&error) => error.to_string(),
                    other => return other,
                },
                Err(error) => error.to_string(),
            };
            if Instant::now() + PAUSE >= deadline {
                return Err(Asked::Silent(why));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    // ── reading from any replica: it may be a moment behind ────────────────────────────────────────────────────────

    /// Messages of a subject from a place on, in order: as many as one answer holds, `most` at most.
    pub(crate) async fn stretch(
        &self,
        stream: &str,
        subject: &str,
        from: u64,
        most: usize,
    ) -> Result<Vec<Raw>, StoreError> {
        let deadline = Instant::now() + self.patience;
        loop {
            match self.try_stretch(stream, subject, from, most).await {
                Err(error) if Instant::now() + PAUSE >= deadline => return Err(error),
                // Another replica answers the next one.
                Err(_) => tokio::time::sleep(PAUSE).await,
                found => return found,
            }
        }
    }

    async fn try_stretch(
        &self,
        stream: &str,
        subject: &str,
        from: u64,
        most: usize,
    ) -> Result<Vec<Raw>, StoreError> {
        let request = json!({
            "seq": from.max(1), "next_by_subj": subject, "batch": most, "max_bytes": MOST_BYTES,
        });
        let silent = |error: &dyn std::fmt::Display| StoreError::Read(error.to_string());
        let inbox = self.client.new_inbox();
        let mut answers = self.client.subscribe(inbox.clone()).await.map_err(|error| silent(&error))?;
        let subject = format!("$JS.API.DIRECT.GET.{stream}");
        let payload = Bytes::from(request.to_string());
        let sent = self.client.publish_with_reply(subject, inbox, payload).await;
        sent.map_err(|error| silent(&error))?;
        let mut found = Vec::new();
        loop {
            let answer = tokio::time::timeout(self.patience.min(TRY), answers.next()).await;
            let Ok(Some(message)) = answer else {
                return Err(StoreError::Read("the cluster does not answer".to_owned()));
            };
            match message.status {
                None => found.extend(direct(message)),
                // The end of a batch, and no message at all.
                Some(StatusCode::NOT_FOUND) => return Ok(found),
                Some(status) if status.as_u16() == 204 => return Ok(found),
                Some(status) => {
                    let what = message.description.unwrap_or_default();
                    return Err(StoreError::Read(format!("the cluster answered {status} {what}")));
                }
            }
        }
    }
}

/// Whether to ask again.
enum Try {
    Again(String),
    Over(Refused),
}

fn judge(error: &async_nats::jetstream::Error) -> Try {
    match error.error_code() {
        ErrorCode::STREAM_WRONG_LAST_SEQUENCE | ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT => {
            Try::Over(Refused::Conflict)
        }
        STREAM_STORE_FAILED
        | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
        | ErrorCode::INSUFFICIENT_RESOURCES
        | ErrorCode::STORAGE_RESOURCES_EXCEEDED
        | ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM => {
            Try::Over(Refused::Store(StoreError::Full(error.to_string())))
        }
        _ => Try::Again(error.to_string()),
    }
}

/// The stream would not hold it: its limits, or a disk.
const STREAM_STORE_FAILED: ErrorCode = ErrorCode(10077);
const NO_MESSAGE: ErrorCode = ErrorCode(10037);

/// What is over once there is a leader again.
fn is_passing(error: &async_nats::jetstream::Error) -> bool {
    matches!(
        error.error_code(),
        ErrorCode::CLUSTER_NOT_AVAILABLE
            | ErrorCode::CLUSTER_INCOMPLETE
            | ErrorCode::STREAM_TOO_MANY_REQUESTS
    )
}

/// Why a question of the API has no answer.
#[derive(Debug)]
pub(crate) enum Asked {
    /// The cluster said no.
    Refused(async_nats::jetstream::Error),
    /// It said nothing.
    Silent(String),
}

impl From<Asked> for StoreError {
    fn from(asked: Asked) -> Self {
        match asked {
            Asked::Refused(error) => Self::Read(error.to_string()),
            Asked::Silent(why) => Self::Read(format!("the cluster does not answer: {why}")),
        }
    }
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::Silent(why) => f.write_str(why),
        }
    }
}

fn read_answer<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Asked> {
    #[derive(Deserialize)]
    struct Failure {
        error: async_nats::jetstream::Error,
    }
    if let Ok(failure) = serde_json::from_slice::<Failure>(payload) {
        return Err(Asked::Refused(failure.error));
    }
    serde_json::from_slice(payload)
        .map_err(|error| Asked::Silent(format!("an answer makes no sense: {error}")))
}

/// A message that a replica gave directly.
fn direct(message: Message) -> Option<Raw> {
    let headers = message.headers.as_ref()?;
    let text = |name: &str| headers.get(name).map(|value| value.as_str().to_owned());
    Some(Raw {
        subject: text("Nats-Subject")?,
        sequence: text("Nats-Sequence")?.parse().ok()?,
        nonce: text(NONCE),
        is_marker: text(MARKER).is_some(),
        payload: message.payload,
    })
}

/// The value of a header in a block as the server keeps it.
fn header(block: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(block).ok()?;
    text.split("\r\n").find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}
