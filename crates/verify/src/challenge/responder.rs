//! Answers challenges.

use std::borrow::Cow;

use jiff::Timestamp;

use super::{Answer, Asked, Challenge, Token};
use crate::descriptor::Encoding;
use crate::json;
use crate::keyring::Keyring;
use crate::mac::{self, MacKey};
use crate::request::Request;
use crate::secret::Key;
use crate::verdict::{Evidence, Handshake, Reject};
use crate::x::crc::decode;

/// A challenge, and what it is confirmed with.
#[derive(Debug)]
pub(crate) struct Responder {
    challenge: Challenge,
    verify_tokens: Vec<Key>,
}

/// What is known of a challenge that may be answered.
struct Proved {
    key: Option<String>,
    signed: bool,
}

impl Responder {
    pub(crate) fn new(challenge: Challenge, verify_tokens: Vec<Key>) -> Self {
        Self { challenge, verify_tokens }
    }

    /// Whether events must be JSON objects, so that no answer signs one.
    pub(crate) fn wants_objects(&self) -> bool {
        self.challenge.signs()
    }

    /// The answer to a challenge that nobody signed; `None` for a request that is none. `keys` are those of the events.
    pub(crate) fn before(
        &self,
        request: &Request,
        keys: &Keyring<MacKey>,
        now: Timestamp,
    ) -> Option<Result<Handshake, Reject>> {
        let asked = match self.challenge.asked {
            Asked::Query { token, confirm } if request.method == "GET" => {
                self.query(request, token, confirm, now)
            }
            Asked::Body { signed: false, .. } => {
                let proved = Proved { key: None, signed: false };
                self.body(request)?.map(|token| (token, proved))
            }
            _ => return None,
        };
        Some(asked.and_then(|(token, proved)| self.handshake(&token, proved, keys, now)))
    }

    /// The answer to a challenge that was verified as an event is; `None` for an event.
    pub(crate) fn after(
        &self,
        request: &Request,
        evidence: &Evidence,
        keys: &Keyring<MacKey>,
        now: Timestamp,
    ) -> Option<Result<Handshake, Reject>> {
        let Asked::Body { signed: true, .. } = self.challenge.asked else { return None };
        let proved = Proved { key: Some(evidence.key.clone()), signed: true };
        Some(self.body(request)?.and_then(|token| self.handshake(&token, proved, keys, now)))
    }

    fn query<'a>(
        &self,
        request: &'a Request,
        name: &'static str,
        confirm: Option<&'static str>,
        now: Timestamp,
    ) -> Result<(Token<'a>, Proved), Reject> {
        if !request.body.is_empty() {
            return Err(Reject::BodyUnexpected { method: "GET".to_owned() });
        }
        let token = parameter(request.query(), name)?.ok_or(Reject::ChallengeTokenMissing { name })?;
        let token = match token {
            Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).ok(),
            Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).ok(),
        };
        let token = token.and_then(|token| self.challenge.token.parse(token));
        let token = token.ok_or(Reject::ChallengeTokenShape { name })?;
        let key = match confirm {
            None => None,
            Some(name) => {
                let said = parameter(request.query(), name)?.unwrap_or_default();
                Some(self.confirmed(&said, now).ok_or(Reject::ChallengeUnconfirmed { name })?)
            }
        };
        Ok((token, Proved { key, signed: false }))
    }

    /// The verify token that was said. Digests are compared, so that the time tells nothing, not even a length.
    fn confirmed(&self, said: &[u8], now: Timestamp) -> Option<String> {
        let said = mac::sha256(said);
        let is_said = |key: &&Key| {
            let wanted = mac::sha256(key.secret.expose());
            aws_lc_rs::constant_time::verify_slices_are_equal(&said, &wanted).is_ok()
        };
        self.verify_tokens.iter().filter(|key| key.is_active(now)).find(is_said).map(|key| key.name.clone())
    }

    /// The token in a body that says it has one.
    fn body(&self, request: &Request) -> Option<Result<Token<'static>, Reject>> {
        let Asked::Body { at, says, token: places, .. } = self.challenge.asked else { return None };
        let said = json::text_at(&request.body, at.split('.'));
        if request.method != "POST" || said.as_deref() != Some(says) {
            return None;
        }
        let name = places.first().copied().unwrap_or_default();
        let Some(token) = places.iter().find_map(|place| json::text_at(&request.body, place.split('.')))
        else {
            return Some(Err(Reject::ChallengeTokenMissing { name }));
        };
        Some(self.challenge.token.parse(token).ok_or(Reject::ChallengeTokenShape { name }))
    }

    /// The answer to a token, and the one place where something is signed or said that a stranger chose.
    fn handshake(
        &self,
        token: &Token<'_>,
        proved: Proved,
        keys: &Keyring<MacKey>,
        now: Timestamp,
    ) -> Result<Handshake, Reject> {
        let (content_type, body, key, notes) = match self.challenge.answer {
            Answer::Echo => {
                let key = proved.key.unwrap_or_else(|| "none".to_owned());
                ("text/plain; charset=utf-8", token.as_str().to_owned(), key, vec!["echo"])
            }
            Answer::Mac { token: name, mac } => {
                let named = match &proved.key {
                    Some(name) => keys.iter().find(|key| key.name() == name && key.is_active(now)),
                    None => keys.first_active(now),
                };
                let key = named.ok_or(Reject::ChallengeKeysEnded)?;
                let tag = key.key().tag(&[token.as_str().as_bytes()], Encoding::Hex).into_text();
                // Names are ours, and neither a token nor hex has anything that JSON would escape.
                let token = name.map(|name| format!(r#""{name}":"{}","#, token.as_str())).unwrap_or_default();
                (
                    "application/json",
                    format!(r#"{{{token}"{mac}":"{tag}"}}"#),
                    key.name().to_owned(),
                    Vec::new(),
                )
            }
        };
        Ok(Handshake {
            kind: "challenge",
            content_type,
            body,
            key,
            signed: proved.signed,
            sent_at: None,
            notes,
        })
    }
}

/// The decoded value of a parameter; an error where it occurs more than once, by whatever spelling.
fn parameter<'a>(query: Option<&'a str>, name: &'static str) -> Result<Option<Cow<'a, [u8]>>, Reject> {
    let mut found = None;
    for pair in query.unwrap_or_default().split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if decode(key).as_deref() == Some(name.as_bytes()) && found.replace(value).is_some() {
            return Err(Reject::ChallengeParameterRepeated { name });
        }
    }
    match found {
        None => Ok(None),
        Some(value) => decode(value).map(Some).ok_or(Reject::ChallengeTokenShape { name }),
    }
}
