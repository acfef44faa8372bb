//! The calls that write records, and what they answer.
//!
//! One record goes by itself, several go as a collection: up to 200 in one call, each judged by itself (`allOrNone` is
//! false). Where existing records are updated both are an upsert by external id: the record with the key is made, or
//! changed where it is there already. Where they are kept both are an insert, and the unique key says which ones are
//! there: for whoever sent it that is as good as having made it.
//!
//! Source: "Insert or Update (Upsert) a Record Using an External ID", "Upsert Multiple Records with Fewer Round Trips",
//! "Create a Record" and "Create Multiple Records with Fewer Round Trips", REST API Developer Guide.

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, Method, Request};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::mapping::Record;
use super::refusal::{Refusal, Written, is_for_new_records_only};
use super::settings::{Existing, Settings};
use super::token::Session;
use crate::client::Answer;
use crate::response::End;

/// What became of a record.
pub(crate) type Fate = Result<Upserted, Refusal>;

/// A record that is there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Upserted {
    /// Whether it is new.
    pub(crate) created: bool,
}

/// Records that go out in one call.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) records: Vec<&'a Record>,
    /// Without the fields that only a new record takes. What is there already is not assigned anew either.
    pub(crate) stripped: bool,
}

impl Call<'_> {
    /// The request; `None` where it is none, which no record can bring about.
    pub(crate) fn request(&self, session: &Session) -> Option<Request<Full<Bytes>>> {
        let Settings { object, external_id, api_version, existing, .. } = self.settings;
        let base = format!("/services/data/{api_version}");
        let keep = *existing == Existing::Keep;
        let (path, body) = match self.single() {
            Some(record) if keep => (format!("{base}/sobjects/{object}"), self.with_key(record, false)),
            Some(record) => {
                let key = encoded(&record.key);
                (format!("{base}/sobjects/{object}/{external_id}/{key}"), Value::Object(self.fields(record)))
            }
            None => {
                let records: Vec<_> = self.records.iter().map(|record| self.with_key(record, true)).collect();
                let of = if keep { String::new() } else { format!("/{object}/{external_id}") };
                (format!("{base}/composite/sobjects{of}"), json!({ "allOrNone": false, "records": records }))
            }
        };
        let assign = if self.stripped { "FALSE" } else { self.settings.auto_assign.header() };
        Request::builder()
            .method(if keep { Method::POST } else { Method::PATCH })
            .uri(session.url(&path)?)
            .header(AUTHORIZATION, session.authorization())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .header(ACCEPT_ENCODING, "identity")
            .header(AUTO_ASSIGN, assign)
            .body(Full::new(serde_json::to_vec(&body).ok()?.into()))
            .ok()
    }

    /// The record that goes alone, if its key may stand in a URL: some servers take an encoded slash or dot for more
    /// than a character.
    fn single(&self) -> Option<&Record> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b':');
        match self.records[..] {
            [record] if record.key.bytes().all(plain) => Some(record),
            _ => None,
        }
    }

    fn fields(&self, record: &Record) -> Map<String, Value> {
        let wanted = |name: &str| !(self.stripped && is_for_new_records_only(name));
        let fields = record.fields.iter().filter(|(name, _)| wanted(name));
        fields.map(|(name, text)| (name.clone(), Value::from(text.as_str()))).collect()
    }

    fn with_key(&self, record: &Record, typed: bool) -> Value {
        let mut fields = self.fields(record);
        if typed {
            fields.insert("attributes".to_owned(), json!({ "type": self.settings.object }));
        }
        fields.insert(self.settings.external_id.clone(), Value::from(record.key.as_str()));
        Value::Object(fields)
    }

    /// What became of each record.
    ///
    /// # Errors
    /// When the call was refused as a whole, or its answer is none.
    pub(crate) fn read(&self, answer: &Answer) -> Result<Vec<Fate>, Refused> {
        let status = answer.head.status;
        if !status.is_success() {
            let refusal = Refusal::call(answer);
            return match self.records[..] {
                [_] if self.is_kept(&refusal) => Ok(vec![Ok(Upserted { created: false })]),
                _ => Err(Refused::Whole(refusal)),
            };
        }
        let unread = |why: &str| Refused::Unread(format!("answered {}, but {why}", status.as_u16()));
        match &answer.end {
            End::Whole => {}
            End::TooLong => return Err(unread("with more than can be")),
            End::Broken(error) => return Err(unread(&format!("the answer broke off: {error}"))),
            End::TimedOut => return Err(unread("the answer did not end in time")),
        }
        if self.single().is_some() {
            // Older versions say nothing about a record that they changed.
            if answer.body.is_empty() {
                return Ok(vec![Ok(Upserted { created: status.as_u16() == 201 })]);
            }
            let saved: Saved =
                serde_json::from_slice(&answer.body).map_err(|_| unread("not with what became of it"))?;
            let created = status.as_u16() == 201;
            return Ok(vec![self.judge(saved, created)]);
        }
        let saved: Vec<Saved> = serde_json::from_slice(&answer.body)
            .map_err(|_| unread("not with what became of each record"))?;
        if saved.len() != self.records.len() {
            return Err(unread("not about as many records as it was sent"));
        }
        Ok(saved.into_iter().map(|saved| self.judge(saved, self.keeps())).collect())
    }

    fn judge(&self, saved: Saved, created: bool) -> Fate {
        if saved.success {
            return Ok(Upserted { created: saved.created.unwrap_or(created) });
        }
        let refusal = Refusal::record(saved.errors);
        if self.is_kept(&refusal) { Ok(Upserted { created: false }) } else { Err(refusal) }
    }

    fn keeps(&self) -> bool {
        self.settings.existing == Existing::Keep
    }

    /// Whether a no means that the record is there already, as it should be.
    fn is_kept(&self, refusal: &Refusal) -> bool {
        self.keeps() && refusal.is_duplicate_of(&self.settings.external_id)
    }
}

/// Why nothing is known of any record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The call was refused.
    Whole(Refusal),
    /// The answer cannot be read.
    Unread(String),
}

/// What became of a record, as it is written.
#[derive(Deserialize)]
struct Saved {
    success: bool,
    created: Option<bool>,
    #[serde(default)]
    errors: Vec<Written>,
}

/// A segment of a path: what is not a letter, a digit, `-` or `_` is encoded.
fn encoded(segment: &str) -> String {
    let mut path = String::new();
    for byte in segment.bytes() {
        match byte {
            b'-' | b'_' => path.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => path.push(char::from(byte)),
            _ => path += &format!("%{byte:02X}"),
        }
    }
    path
}

const AUTO_ASSIGN: HeaderName = HeaderName::from_static("sforce-auto-assign");

/// The most records in one call.
pub(crate) const MOST_RECORDS: usize = 200;
