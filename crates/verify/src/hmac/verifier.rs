//! Judges requests by a descriptor.

use std::borrow::Cow;

use jiff::Timestamp;

use super::read::Said;
use crate::challenge::{Challenge, Responder};
use crate::descriptor::{Descriptor, Direction, Locator, Part, TimestampFrom, TimestampSpec};
use crate::json;
use crate::keyring::{Keyring, Named, NoMatch};
use crate::mac::{self, MacKey};
use crate::request::Request;
use crate::secret::Key;
use crate::twilio::PublicUrl;
use crate::verdict::{Evidence, Identity, Reject, Verdict};
use crate::verifier::SchemeError;

/// Verifies the requests of one provider.
#[derive(Debug)]
pub struct Verifier {
    provider: Cow<'static, str>,
    pub(crate) descriptor: Descriptor,
    pub(crate) keys: Keyring<MacKey>,
    /// The URLs that the provider was told, where it signs them.
    pub(crate) urls: Vec<PublicUrl>,
    /// What stands before the request's target in the URL that was signed; one empty text where no URL is signed.
    origins: Vec<String>,
    responder: Option<Responder>,
}

impl Verifier {
    /// A verifier.
    ///
    /// # Errors
    /// When the descriptor is wrong, there is no key or one in another form than the descriptor's, or the scheme signs
    /// the URL and there is none.
    pub fn new(
        provider: impl Into<Cow<'static, str>>,
        descriptor: Descriptor,
        keys: Vec<Key>,
        urls: Vec<PublicUrl>,
    ) -> Result<Self, SchemeError> {
        descriptor.validate()?;
        let descriptor = descriptor.lower_cased();
        if keys.is_empty() {
            return Err(SchemeError::NoKeys);
        }
        let mut ring = Vec::with_capacity(keys.len());
        for key in &keys {
            let form = descriptor.key;
            let bytes = form
                .bytes(key.secret.expose())
                .ok_or_else(|| SchemeError::KeyForm { key: key.name.clone(), expected: form.expected() })?;
            ring.push(Named::new(key, MacKey::new(descriptor.digest, &bytes)));
        }
        let signs_url = descriptor.message.contains(&Part::Url);
        let urls = if signs_url { urls } else { Vec::new() };
        let origins = match signs_url {
            false => vec![String::new()],
            true if urls.is_empty() => return Err(SchemeError::NoPublicUrl),
            true => urls.iter().map(PublicUrl::to_string).collect(),
        };
        let (provider, keys) = (provider.into(), ring.into_iter().collect());
        Ok(Self { provider, descriptor, keys, urls, origins, responder: None })
    }

    /// The same, with answers to a challenge. `verify_tokens` are what the provider was told to say in it, where it says
    /// something ([`Challenge::is_confirmed`]).
    #[must_use]
    pub fn answering(mut self, challenge: Challenge, verify_tokens: Vec<Key>) -> Self {
        self.responder = Some(Responder::new(challenge, verify_tokens));
        self
    }

    /// The provider's name.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Judges a request as of `now`.
    pub fn verify(&self, request: Request, now: Timestamp) -> Verdict {
        let Some(responder) = &self.responder else {
            let judged = self.judge(&request, now);
            return Verdict::on_event(request, judged);
        };
        let answered = match responder.before(&request, &self.keys, now) {
            Some(answered) => answered,
            None => match self.judge(&request, now) {
                Ok(evidence) => match responder.after(&request, &evidence, &self.keys, now) {
                    Some(answered) => answered,
                    None => return Verdict::on_event(request, Ok(evidence)),
                },
                Err(reject) => Err(reject),
            },
        };
        match answered {
            Ok(handshake) => Verdict::Handshake(handshake),
            Err(reject) => Verdict::Rejected { reject, request },
        }
    }

    fn judge(&self, request: &Request, now: Timestamp) -> Result<Evidence, Reject> {
        let descriptor = &self.descriptor;
        let value = required(request, &descriptor.signature.header)?;
        let said = Said::read(descriptor, value)?;
        let time = match &descriptor.timestamp {
            Some(spec) => Some((spec, self.timestamp(spec, &said, request)?)),
            None => None,
        };
        let key = self.key(request, &said, time.map_or(b"", |(_, text)| text), now)?;
        if let Some((spec, text)) = time {
            self.check_age(spec, text, now)?;
        }
        if self.responder.as_ref().is_some_and(Responder::wants_objects) && !json::is_object(&request.body) {
            return Err(Reject::EventNotObject);
        }
        Ok(Evidence {
            provider: self.provider.clone(),
            scheme: descriptor.scheme.clone(),
            key: key.name().to_owned(),
            variant: None,
            covers: descriptor.covers(),
            identity: self.identity(request, time.map(|(_, text)| text)),
            elements: Vec::new(),
            event_type: descriptor
                .event_type
                .as_ref()
                .and_then(|at| locate(at, request))
                .and_then(|text| json::label(&text)),
        })
    }

    /// The active key with which one of the candidates was made.
    fn key(
        &self,
        request: &Request,
        said: &Said<'_>,
        timestamp: &[u8],
        now: Timestamp,
    ) -> Result<&Named<MacKey>, Reject> {
        let urls: Vec<String> =
            self.origins.iter().map(|origin| format!("{origin}{}", request.target)).collect();
        let messages =
            urls.iter().map(|url| self.message(request, url, timestamp)).collect::<Result<Vec<_>, _>>()?;
        let found = self.keys.find(now, |key| {
            messages.iter().find_map(|message| {
                let tag = key.tag(message, self.descriptor.signature.encoding);
                said.candidates.iter().any(|candidate| tag.matches(candidate)).then_some(())
            })
        });
        found.map(|(key, ())| key).map_err(|NoMatch { retired }| Reject::SignatureMismatch {
            header: self.descriptor.signature.header.clone(),
            retired,
        })
    }

    fn message<'a>(
        &'a self,
        request: &'a Request,
        url: &'a str,
        timestamp: &'a [u8],
    ) -> Result<Vec<&'a [u8]>, Reject> {
        let part = |part: &'a Part| {
            Ok(match part {
                Part::Literal(text) => text.as_bytes(),
                Part::Timestamp => timestamp,
                Part::Body => &request.body,
                Part::Header(name) => required(request, name)?,
                Part::Url => url.as_bytes(),
                Part::Path => request.path().as_bytes(),
                Part::Query => request.query().unwrap_or_default().as_bytes(),
                Part::Method => request.method.as_bytes(),
            })
        };
        self.descriptor.message.iter().map(part).collect()
    }

    fn timestamp<'a>(
        &self,
        spec: &TimestampSpec,
        said: &Said<'a>,
        request: &'a Request,
    ) -> Result<&'a [u8], Reject> {
        let text = match &spec.from {
            TimestampFrom::Header(name) => required(request, name)?,
            TimestampFrom::SignatureField => said.timestamp.unwrap_or_default(),
        };
        match spec.unit.read(text) {
            Some(_) => Ok(text),
            None => Err(self.malformed_time(spec)),
        }
    }

    /// Checked after the signature, so that "stale" is only ever said of a request that is genuine.
    fn check_age(&self, spec: &TimestampSpec, text: &[u8], now: Timestamp) -> Result<(), Reject> {
        let sent_at = spec.unit.read(text).ok_or_else(|| self.malformed_time(spec))?;
        let age_seconds = now.as_second() - sent_at.as_second();
        let distance = match spec.direction {
            Direction::Past => u64::try_from(age_seconds).unwrap_or(0),
            Direction::Both => age_seconds.unsigned_abs(),
        };
        let tolerance_seconds = spec.tolerance.as_secs();
        if distance > tolerance_seconds {
            Err(Reject::Stale { age_seconds, tolerance_seconds })
        } else {
            Ok(())
        }
    }

    fn malformed_time(&self, spec: &TimestampSpec) -> Reject {
        let header = match &spec.from {
            TimestampFrom::Header(name) => name.clone(),
            TimestampFrom::SignatureField => self.descriptor.signature.header.clone(),
        };
        Reject::SignatureMalformed { header, expected: Cow::Borrowed(spec.unit.expected()) }
    }

    /// What makes two requests the same event: the provider's id with the body, so that the same id with other content
    /// is a new event; without an id the signed time with the body. With neither there is nothing to tell a repeat from
    /// a second event that happens to have the same body.
    fn identity(&self, request: &Request, timestamp: Option<&[u8]>) -> Option<Identity> {
        let id = self.descriptor.dedupe_id.as_ref().and_then(|at| locate(at, request));
        let (kind, id) = match (&id, timestamp) {
            (Some(id), _) => (&b"id"[..], id.as_bytes()),
            (None, Some(time)) => (&b"time"[..], time),
            (None, None) => return None,
        };
        Some(Identity::of(&[kind, id, &mac::sha256(&request.body)]))
    }
}

/// The value of a header that must be there once.
fn required<'a>(request: &'a Request, name: &str) -> Result<&'a [u8], Reject> {
    let header = || Cow::Owned(name.to_owned());
    match request.headers.one(name) {
        Err(_) => Err(Reject::SignatureAmbiguous { header: header() }),
        Ok(None | Some(b"")) => Err(Reject::SignatureMissing { header: header() }),
        Ok(Some(value)) => Ok(value),
    }
}

/// A value beside the scheme; nothing where it is missing, repeated or no text.
fn locate<'a>(locator: &Locator, request: &'a Request) -> Option<Cow<'a, str>> {
    match locator {
        Locator::Header(name) => {
            let value = request.headers.one(name).ok().flatten().filter(|value| !value.is_empty())?;
            std::str::from_utf8(value).ok().map(Cow::Borrowed)
        }
        Locator::Json(path) => json::text_at(&request.body, path.split('.')).map(Cow::Owned),
    }
}
