//! X's challenge-response check: the request that X sends, and the judgement that it passes on the answer.
//!
//! The shapes are those of captured requests: `crc_token` is the base64 of a UUID in text form, 48 characters, and
//! `nonce` the unpadded base64 of the time in milliseconds, 18 characters.

use data_encoding::{BASE64, BASE64_NOPAD};
use hookhouse_verify::sign::Draft;
use hookhouse_verify::x;
use http::{Method, StatusCode};
use jiff::Timestamp;
use rand::Rng;

use super::{SendError, Sender, Sent, exchange};

/// A challenge and what came of it.
#[derive(Debug)]
pub struct Challenge {
    /// The token that was sent.
    pub token: String,
    /// The answer.
    pub sent: Sent,
    /// What X would make of it.
    pub verdict: Result<(), CrcFault>,
}

/// Why X would not take an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CrcFault {
    /// X follows no redirect, and marks the webhook invalid at once.
    #[error("the endpoint redirects, which makes a webhook invalid at once")]
    Redirect,
    /// Any other status than 200; X tries again for 28 hours.
    #[error("the endpoint answers {0}, not 200")]
    Status(StatusCode),
    /// The answer is not `{"response_token":"…"}`.
    #[error("the answer is not a JSON object with a `response_token`")]
    Malformed,
    /// The token is not the one that the secret makes; X marks the webhook invalid at once.
    #[error("the `response_token` was made with another secret")]
    WrongToken,
}

impl Sender {
    /// Sends a CRC as X does, with a signature of its own if `signed`, and judges the answer.
    ///
    /// # Errors
    /// When the challenge cannot be signed, or no complete answer comes.
    pub async fn challenge<R: Rng + ?Sized>(
        &self,
        now: Timestamp,
        rng: &mut R,
        signed: bool,
    ) -> Result<Challenge, SendError> {
        let uuid = uuid::Builder::from_random_bytes(rng.random()).into_uuid();
        let token = BASE64.encode(uuid.to_string().as_bytes());
        let nonce = BASE64_NOPAD.encode(now.as_millisecond().to_string().as_bytes());
        let draft = Draft {
            method: "GET".to_owned(),
            url: format!("{}?crc_token={token}&nonce={nonce}", self.public_url),
            content_type: None,
            body: bytes::Bytes::new(),
            id: String::new(),
            now,
        };
        let signature = if signed { self.sign(&draft)?.1 } else { Vec::new() };
        let headers = signature.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let request = self.assemble(Method::GET, &draft.url, headers, draft.body)?;
        let sent = exchange::exchange(&self.target, request, self.timeout).await?;
        let verdict = self.judge(&token, &sent);
        Ok(Challenge { token, sent, verdict })
    }

    /// Without a secret, only the form of the answer can be judged.
    pub(super) fn judge(&self, token: &str, sent: &Sent) -> Result<(), CrcFault> {
        if sent.status.is_redirection() {
            return Err(CrcFault::Redirect);
        }
        if sent.status != StatusCode::OK {
            return Err(CrcFault::Status(sent.status));
        }
        let received = response_token(&sent.body).ok_or(CrcFault::Malformed)?;
        let Some(signing) = &self.signing else { return Ok(()) };
        let expected = x::crc_response(&signing.secret, token).ok();
        let expected = expected.and_then(|answer| response_token(answer.as_bytes()));
        if expected.is_some_and(|expected| expected == received) { Ok(()) } else { Err(CrcFault::WrongToken) }
    }
}

fn response_token(answer: &[u8]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(answer).ok()?;
    Some(answer.get("response_token")?.as_str()?.to_owned())
}
