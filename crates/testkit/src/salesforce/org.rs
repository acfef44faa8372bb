//! The org itself: who may call, what is counted, and the ledger.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::Clock;
use serde_json::{Value, json};

use super::object::{self, FieldRules, How, No};
use super::{AUDIENCE, CLIENT_ID, CLIENT_SECRET, EXTERNAL_ID, USERNAME, login};
use crate::receiver::{Behaviour, Received};

/// An org. Everything in it can be changed while it runs.
pub struct Org {
    /// What time it is, for assertions.
    pub(super) clock: Arc<dyn Clock>,
    /// What the token answers call it.
    pub instance_url: String,
    /// The consumer key.
    pub client_id: String,
    /// The consumer secret.
    pub client_secret: String,
    /// The public half of the key that assertions are signed with.
    pub assertion_key: Option<Vec<u8>>,
    /// The user of assertions.
    pub username: String,
    /// What assertions must be for.
    pub audience: String,
    /// How many tokens were given out.
    pub tokens_given: usize,
    /// Tokens that count.
    pub sessions: Vec<String>,
    /// The object that there is.
    pub object: String,
    /// Its external id.
    pub external_id: String,
    /// Its other fields.
    pub fields: BTreeMap<String, FieldRules>,
    /// The day's API requests that were made.
    pub used: u64,
    /// How many there may be.
    pub limit: u64,
    /// The records, by external id.
    pub cases: BTreeMap<String, Case>,
    /// The calls, in order.
    pub calls: Vec<Call>,
    pub(super) delay: Duration,
    pub(super) call_faults: VecDeque<Behaviour>,
    pub(super) token_faults: VecDeque<Behaviour>,
    pub(super) record_faults: VecDeque<&'static str>,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its id.
    pub id: String,
    /// What is in it.
    pub fields: BTreeMap<String, String>,
    /// How often it was written.
    pub writes: u32,
    /// What `Sforce-Auto-Assign` said each time.
    pub assigned: Vec<String>,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The path, without a key.
    pub path: String,
    /// How many records it had.
    pub records: usize,
    /// What it was answered with.
    pub status: u16,
}

impl fmt::Debug for Org {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Org").field("cases", &self.cases.len()).finish_non_exhaustive()
    }
}

impl Org {
    pub(super) fn new(clock: Arc<dyn Clock>, instance_url: String) -> Self {
        Self {
            clock,
            instance_url,
            client_id: CLIENT_ID.to_owned(),
            client_secret: CLIENT_SECRET.to_owned(),
            assertion_key: None,
            username: USERNAME.to_owned(),
            audience: AUDIENCE.to_owned(),
            tokens_given: 0,
            sessions: Vec::new(),
            object: "Case".to_owned(),
            external_id: EXTERNAL_ID.to_owned(),
            fields: object::case(),
            used: 0,
            limit: 100_000,
            cases: BTreeMap::new(),
            calls: Vec::new(),
            delay: Duration::ZERO,
            call_faults: VecDeque::new(),
            token_faults: VecDeque::new(),
            record_faults: VecDeque::new(),
        }
    }

    /// Answers a request.
    pub(super) fn answer(&mut self, request: &Received) -> Behaviour {
        let answer = if request.target == "/services/oauth2/token" && request.method == "POST" {
            match self.token_faults.pop_front() {
                Some(fault) => fault,
                None => {
                    let (status, body) = login::token(self, &request.body);
                    json_answer(status, &body)
                }
            }
        } else {
            match self.call_faults.pop_front() {
                Some(fault) => fault,
                None => self.api(request),
            }
        };
        if self.delay.is_zero() { answer } else { answer.after(self.delay) }
    }

    fn api(&mut self, request: &Received) -> Behaviour {
        let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        if !bearer.is_some_and(|token| self.sessions.iter().any(|session| session == token)) {
            return no(401, "INVALID_SESSION_ID", "Session expired or invalid", &[]);
        }
        if self.used >= self.limit {
            return self.counted(no(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", &[]));
        }
        self.used += 1;
        let mut call = Call { path: String::new(), records: 0, status: 0 };
        let (status, body) = match self.written(request, &mut call) {
            Ok(answer) => answer,
            Err(No { status, code, message, fields }) => {
                (status, json!([{ "message": message, "errorCode": code, "fields": fields }]))
            }
        };
        call.status = status;
        self.calls.push(call);
        self.counted(json_answer(status, &body))
    }

    fn written(&mut self, request: &Received, call: &mut Call) -> Result<(u16, Value), No> {
        let not_found = || No::call(404, "NOT_FOUND", "The requested resource does not exist");
        let path = request.target.strip_prefix("/services/data/v67.0/").ok_or_else(not_found)?;
        let segments: Vec<&str> = path.split('/').collect();
        let external_id = self.external_id.clone();
        let insert = request.method == "POST";
        let (object, field, key) = match segments[..] {
            ["sobjects", object, field, key] if !insert => (object, field, Some(decoded(key))),
            ["composite", "sobjects", object, field] if !insert => (object, field, None),
            ["sobjects", object] if insert => (object, external_id.as_str(), Some(String::new())),
            ["composite", "sobjects"] if insert => (self.object.as_str(), external_id.as_str(), None),
            _ => return Err(not_found()),
        };
        call.path = path.split('/').take(4).collect::<Vec<_>>().join("/");
        if object != self.object || field != self.external_id {
            return Err(No::call(404, "NOT_FOUND", "Provided external ID field does not exist"));
        }
        if !insert && request.method != "PATCH" {
            return Err(No::call(405, "METHOD_NOT_ALLOWED", "HTTP Method not allowed"));
        }
        let json = request.header("content-type") == Some("application/json");
        let body: Option<Value> = serde_json::from_slice(&request.body).ok();
        let body = body.filter(|_| json).ok_or_else(|| No::call(400, "JSON_PARSER_ERROR", "Unexpected"))?;
        let assign = request.header("sforce-auto-assign").unwrap_or("TRUE").to_owned();
        match key {
            Some(key) => {
                call.records = 1;
                let how = How { assign: &assign, insert };
                object::one(self, &key, &body, how)
            }
            None => object::collection(self, &body, How { assign: &assign, insert }, &mut call.records),
        }
    }

    fn counted(&self, answer: Behaviour) -> Behaviour {
        answer.header("sforce-limit-info", format!("api-usage={}/{}", self.used, self.limit))
    }
}

fn json_answer(status: u16, body: &Value) -> Behaviour {
    Behaviour::status(status)
        .header("content-type", "application/json;charset=UTF-8")
        .body(body.to_string().into_bytes())
}

/// A no to a whole call.
fn no(status: u16, code: &str, message: &str, fields: &[&str]) -> Behaviour {
    json_answer(status, &json!([{ "message": message, "errorCode": code, "fields": fields }]))
}

fn decoded(segment: &str) -> String {
    // The form's decoder takes a plus for a blank; a path does not.
    let text = format!("k={}", segment.replace('+', "%2B"));
    form_urlencoded::parse(text.as_bytes()).map(|(_, value)| value.into_owned()).next().unwrap_or_default()
}
