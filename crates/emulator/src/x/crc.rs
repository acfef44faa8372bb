//! The challenge: what is sent, and what X makes of the answer.
//!
//! A wrong token, a redirect and a fault of TLS make a webhook invalid at once. An answer of 4xx or 5xx, a late one and
//! none at all are transient: X asks again every half hour, and gives up 28 hours after the last success.
//! (<https://docs.x.com/x-api/webhooks/introduction>, read 2026-11-22.)

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::{BASE64, BASE64_NOPAD};
use http::{HeaderValue, Method, Request, Response, Uri, header};
use jiff::Timestamp;
use rand::Rng;
use serde::{Serialize, Serializer};

use super::client::Fault;
use super::signature::{self, AppKey};

/// Why a challenge is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CrcReason {
    /// The webhook is being registered.
    Create,
    /// Somebody asked for it.
    Put,
    /// Somebody wants a replay.
    Replay,
    /// A day has passed since the last success.
    Schedule,
    /// More than a day has passed, and the last ones failed.
    Probe,
}

impl CrcReason {
    /// Whether it is part of an API call.
    #[must_use]
    pub fn is_manual(self) -> bool {
        matches!(self, Self::Create | Self::Put | Self::Replay)
    }
}

impl fmt::Display for CrcReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "registration",
            Self::Put => "PUT",
            Self::Replay => "replay",
            Self::Schedule => "daily",
            Self::Probe => "half-hourly",
        })
    }
}

/// What X makes of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is right.
    Passed,
    /// The webhook is invalid at once.
    Invalid(String),
    /// It counts as no answer.
    Transient(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Invalid(why) => write!(f, "invalid, {why}"),
            Self::Transient(why) => write!(f, "failed for now, {why}"),
        }
    }
}

/// As a line.
impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A challenge on its way.
#[derive(Debug)]
pub(super) struct Challenge {
    pub(super) request: Request<Bytes>,
    pub(super) signed: bool,
    /// What `response_token` has to be.
    expected: String,
}

impl Challenge {
    /// Makes one up. The shapes are those of captured requests: `crc_token` is the base64 of a UUID in text form, 48
    /// characters, and `nonce` the unpadded base64 of the time in milliseconds.
    pub(super) fn new<R: Rng + ?Sized>(
        url: &Uri,
        key: AppKey<'_>,
        signed: bool,
        now: Timestamp,
        rng: &mut R,
    ) -> Self {
        let uuid = uuid::Builder::from_random_bytes(rng.random()).into_uuid();
        let token = BASE64.encode(uuid.to_string().as_bytes());
        let nonce = BASE64_NOPAD.encode(now.as_millisecond().to_string().as_bytes());
        // This literal is what is signed, whatever else the URL's query has.
        let query = format!("crc_token={token}&nonce={nonce}");
        let divider = if url.query().is_some() { '&' } else { '?' };
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = format!("{url}{divider}{query}").parse().unwrap_or_else(|_| url.clone());
        if signed && let Ok(value) = HeaderValue::try_from(signature::sign(key.secret, query.as_bytes())) {
            request.headers_mut().insert(key.header, value);
        }
        Self { request, signed, expected: signature::sign(key.secret, token.as_bytes()) }
    }

    /// Judges what came back.
    pub(super) fn judge(expected: &str, answer: &Result<Response<Bytes>, Fault>) -> Verdict {
        let answer = match answer {
            Ok(answer) => answer,
            Err(fault @ Fault::Tls(_)) => return Verdict::Invalid(fault.to_string()),
            // An answer that long was no token.
            Err(fault @ Fault::TooLong) => return Verdict::Invalid(fault.to_string()),
            Err(fault) => return Verdict::Transient(fault.to_string()),
        };
        let status = answer.status();
        if status.is_redirection() {
            return Verdict::Invalid(format!("the endpoint redirects ({status})"));
        }
        if !status.is_success() {
            return Verdict::Transient(format!("the endpoint answered {status}"));
        }
        // Nobody asked for an encoding, and one that is claimed and not there invalidates at once.
        let encodings = answer.headers().get_all(header::CONTENT_ENCODING).iter();
        if encodings.into_iter().any(|encoding| encoding != "identity") {
            return Verdict::Invalid("the answer has a Content-Encoding".to_owned());
        }
        let body: Option<serde_json::Value> = serde_json::from_slice(answer.body()).ok();
        match body.as_ref().and_then(|body| body.get("response_token")).and_then(|token| token.as_str()) {
            None => Verdict::Invalid("the answer is no JSON object with a `response_token`".to_owned()),
            Some(token) if token == expected => Verdict::Passed,
            Some(_) => Verdict::Invalid("Invalid response_token: it was made with another secret".to_owned()),
        }
    }

    /// What the answer has to say.
    pub(super) fn into_parts(self) -> (Request<Bytes>, String) {
        (self.request, self.expected)
    }
}

/// A webhook is challenged this long after the last success,
pub(super) const PERIOD: Duration = Duration::from_hours(24);
/// then so often until there is one,
pub(super) const PROBE: Duration = Duration::from_mins(30);
/// and is invalid when it has been this long.
pub(super) const GRACE: Duration = Duration::from_hours(28);

#[cfg(test)]
mod tests {
    use hookhouse_core::Secret;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Is {
        Passed,
        Invalid,
        Transient,
    }

    /// The rules, as a table.
    #[test]
    fn verdicts() {
        let right = "sha256=right";
        let token = |token: &str| format!(r#"{{"response_token":"{token}"}}"#);
        let answer = |status: u16, body: &str| {
            Ok(Response::builder().status(status).body(Bytes::copy_from_slice(body.as_bytes())).unwrap())
        };
        let encoded = |encoding: &str| {
            let builder = Response::builder().header("content-encoding", encoding);
            Ok(builder.body(Bytes::from(token(right))).unwrap())
        };
        let cases = [
            ("right", answer(200, &token(right)), Is::Passed),
            ("right, with white space", answer(200, &format!(" {} ", token(right))), Is::Passed),
            ("right, 201", answer(201, &token(right)), Is::Passed),
            ("identity", encoded("identity"), Is::Passed),
            ("wrong", answer(200, &token("sha256=wrong")), Is::Invalid),
            ("wrong, 202", answer(202, &token("sha256=wrong")), Is::Invalid),
            ("204", answer(204, ""), Is::Invalid),
            ("empty", answer(200, ""), Is::Invalid),
            ("the token alone", answer(200, right), Is::Invalid),
            ("no string", answer(200, r#"{"response_token":1}"#), Is::Invalid),
            ("another key", answer(200, r#"{"responsetoken":"sha256=right"}"#), Is::Invalid),
            ("gzip that is none", encoded("gzip"), Is::Invalid),
            ("301", answer(301, &token(right)), Is::Invalid),
            ("302", answer(302, ""), Is::Invalid),
            ("304", answer(304, ""), Is::Invalid),
            ("308", answer(308, ""), Is::Invalid),
            ("400", answer(400, &token(right)), Is::Transient),
            ("401", answer(401, ""), Is::Transient),
            ("404", answer(404, ""), Is::Transient),
            ("429", answer(429, ""), Is::Transient),
            ("500", answer(500, ""), Is::Transient),
            ("503", answer(503, &token("sha256=wrong")), Is::Transient),
            ("TLS", Err(Fault::Tls("certificate expired".to_owned())), Is::Invalid),
            ("too long", Err(Fault::TooLong), Is::Invalid),
            ("late", Err(Fault::TimedOut(Duration::from_secs(3))), Is::Transient),
            ("refused", Err(Fault::Unreachable("connection refused".to_owned())), Is::Transient),
            ("closed", Err(Fault::BrokeOff("connection reset".to_owned())), Is::Transient),
        ];
        for (name, answer, expected) in cases {
            let verdict = match Challenge::judge(right, &answer) {
                Verdict::Passed => Is::Passed,
                Verdict::Invalid(_) => Is::Invalid,
                Verdict::Transient(_) => Is::Transient,
            };
            assert_eq!(verdict, expected, "{name}");
        }
    }

    #[test]
    fn a_challenge_looks_like_a_captured_one() {
        let secret = Secret::new("a consumer secret").unwrap();
        let key = AppKey { header: signature::HEADER, secret: &secret };
        let now = Timestamp::from_millisecond(1_685_662_448_060).unwrap();
        for (url, begins) in [("http://h/x", "/x?crc_token="), ("http://h/x?a=1", "/x?a=1&crc_token=")] {
            let challenge =
                Challenge::new(&url.parse().unwrap(), key, true, now, &mut StdRng::seed_from_u64(3));
            let query = challenge.request.uri().path_and_query().unwrap().as_str();
            assert!(query.starts_with(begins), "{query}");
            let (_, signed) = query.split_once("crc_token=").unwrap();
            let (token, nonce) = signed.split_once("&nonce=").unwrap();
            assert_eq!((token.len(), nonce), (48, "MTY4NTY2MjQ0ODA2MA"));
            let message = format!("crc_token={signed}");
            assert_eq!(
                challenge.request.headers()[signature::HEADER],
                signature::sign(&secret, message.as_bytes())
            );
        }
    }
}
