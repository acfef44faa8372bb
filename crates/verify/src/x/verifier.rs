//! Judges X's requests.

use std::borrow::Cow;

use jiff::Timestamp;

use super::crc::Query;
use super::settings::{CrcKey, CrcPolicy, CrcShape, CrcSignature, Settings};
use super::{OAUTH2_SIGNATURE_HEADER, PREFIX, SIGNATURE_HEADER, reading};
use crate::descriptor::{Digest, Encoding};
use crate::keyring::{Keyring, Named, NoMatch};
use crate::mac::{self, MacKey};
use crate::request::Request;
use crate::secret::Key;
use crate::tag::is_well_formed;
use crate::verdict::{Covers, Evidence, Handshake, Identity, Reject, Verdict};
use crate::verifier::SchemeError;

/// A signed challenge older than this is noted as stale.
const STALE_AFTER_SECONDS: u64 = 15 * 60;

/// Verifies X's events and answers its challenges.
#[derive(Debug)]
pub struct Verifier {
    pub(crate) consumer: Lane,
    pub(crate) oauth2: Lane,
    crc: CrcPolicy,
}

impl Verifier {
    /// A verifier.
    ///
    /// # Errors
    /// [`SchemeError::NoKeys`] when there is no key of either kind.
    pub fn new(settings: Settings) -> Result<Self, SchemeError> {
        let consumer = Lane::new(SIGNATURE_HEADER, "x-post-hmac-sha256", &settings.consumer);
        let oauth2 = Lane::new(OAUTH2_SIGNATURE_HEADER, "x-post-hmac-sha256-oauth2", &settings.oauth2);
        if consumer.keys.is_empty() && oauth2.keys.is_empty() {
            return Err(SchemeError::NoKeys);
        }
        Ok(Self { consumer, oauth2, crc: settings.crc })
    }

    /// Judges a request as of `now`.
    pub fn verify(&self, request: Request, now: Timestamp) -> Verdict {
        match request.method.as_ref() {
            "POST" => {
                let judged = self.event(&request, now);
                Verdict::on_event(request, judged)
            }
            "GET" => match self.challenge(&request, now) {
                Ok(handshake) => Verdict::Handshake(handshake),
                Err(reject) => Verdict::Rejected { reject, request },
            },
            method => {
                let reject = Reject::MethodUnexpected { method: method.to_owned() };
                Verdict::Rejected { reject, request }
            }
        }
    }

    /// The headers that count, the one whose key answers unsigned challenges first.
    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        let lanes = match self.crc.key {
            CrcKey::Consumer => [&self.consumer, &self.oauth2],
            CrcKey::Oauth2 => [&self.oauth2, &self.consumer],
        };
        lanes.into_iter().filter(|lane| !lane.keys.is_empty())
    }

    fn event(&self, request: &Request, now: Timestamp) -> Result<Evidence, Reject> {
        let mut proof = None;
        for lane in self.lanes() {
            let Some(signature) = lane.signature(request)? else { continue };
            let found = lane.keys.find(now, |key| {
                key.tag(&[&request.body], Encoding::Base64).matches(signature).then_some(())
            });
            let (key, ()) = found.map_err(|NoMatch { retired }| Reject::SignatureMismatch {
                header: Cow::Borrowed(lane.header),
                retired,
            })?;
            proof.get_or_insert((lane, key));
        }
        let Some((lane, key)) = proof else {
            let header = self.lanes().next().map_or(SIGNATURE_HEADER, |lane| lane.header);
            return Err(Reject::SignatureMissing { header: Cow::Borrowed(header) });
        };
        let reading = reading::of_object(&request.body).ok_or(Reject::BodyNotObject)?;
        Ok(Evidence {
            provider: Cow::Borrowed("x"),
            scheme: Cow::Borrowed(lane.scheme),
            key: key.name().to_owned(),
            variant: None,
            covers: Covers::Body,
            identity: Some(Identity(mac::sha256(&request.body))),
            elements: reading.elements.into_iter().map(|element| element.identity).collect(),
            event_type: reading.event_type,
        })
    }

    fn challenge(&self, request: &Request, now: Timestamp) -> Result<Handshake, Reject> {
        if !request.body.is_empty() {
            return Err(Reject::BodyUnexpected { method: "GET".to_owned() });
        }
        let query = Query::parse(request.query())?;
        let token = query.token();
        if self.crc.shape == CrcShape::XStrict && !query.is_usual() {
            return Err(Reject::CrcTokenShape);
        }
        let signer = self.challenge_signer(request, &query, now)?;
        let mut notes = Vec::new();
        if !token.is_usual() {
            notes.push("shape=unusual");
        }
        if signer.is_some() && self.is_stale(&query, now)? {
            notes.push("stale");
        }
        let key = match (signer, self.crc.signature) {
            (Some(key), _) => key,
            (None, CrcSignature::Require) => return Err(Reject::CrcSignatureMissing),
            (None, CrcSignature::IfPresent) => {
                self.lanes().find_map(|lane| lane.keys.first_active(now)).ok_or(Reject::CrcKeysEnded)?
            }
        };
        Ok(Handshake {
            kind: "crc",
            content_type: "application/json",
            body: token.answer(key.key()),
            key: key.name().to_owned(),
            signed: signer.is_some(),
            sent_at: query.sent_at(),
            notes,
        })
    }

    /// The key that signed the challenge; `None` for an unsigned one. As with events, every header that has keys must
    /// verify.
    fn challenge_signer(
        &self,
        request: &Request,
        query: &Query<'_>,
        now: Timestamp,
    ) -> Result<Option<&Named<MacKey>>, Reject> {
        let mut signer = None;
        for lane in self.lanes() {
            let Some(signature) = lane.signature(request)? else { continue };
            let messages = query.signed_messages();
            let found = lane.keys.find(now, |key| {
                let matches = |message: &[u8]| key.tag(&[message], Encoding::Base64).matches(signature);
                messages.iter().any(|message| matches(message)).then_some(())
            });
            let (key, ()) = found.map_err(|_| Reject::CrcSignatureMismatch)?;
            signer.get_or_insert(key);
        }
        Ok(signer)
    }

    /// Whether a signed challenge's time lies far from ours; refused where the policy sets a limit.
    fn is_stale(&self, query: &Query<'_>, now: Timestamp) -> Result<bool, Reject> {
        let Some(sent_at) = query.sent_at() else {
            // X does not document the nonce. Whoever set a limit wants no challenge whose age is unknown.
            return match self.crc.max_age {
                None => Ok(false),
                Some(_) => Err(Reject::SignatureMalformed {
                    header: Cow::Borrowed("nonce"),
                    expected: Cow::Borrowed("base64 of a time in milliseconds"),
                }),
            };
        };
        let age_seconds = now.as_second() - sent_at.as_second();
        match self.crc.max_age.map(|limit| limit.as_secs()) {
            Some(limit) if age_seconds.unsigned_abs() > limit => {
                Err(Reject::Stale { age_seconds, tolerance_seconds: limit })
            }
            _ => Ok(age_seconds.unsigned_abs() > STALE_AFTER_SECONDS),
        }
    }
}

/// A signature header and its keys.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) header: &'static str,
    scheme: &'static str,
    pub(crate) keys: Keyring<MacKey>,
}

impl Lane {
    fn new(header: &'static str, scheme: &'static str, keys: &[Key]) -> Self {
        let keys = keys.iter().map(|key| MacKey::named(key, Digest::Sha256)).collect();
        Self { header, scheme, keys }
    }

    /// The base64 of this lane's header, if the request has it.
    fn signature<'a>(&self, request: &'a Request) -> Result<Option<&'a [u8]>, Reject> {
        let header = Cow::Borrowed(self.header);
        match request.headers.one(self.header) {
            Err(_) => Err(Reject::SignatureAmbiguous { header }),
            Ok(None) => Ok(None),
            Ok(Some(b"")) => Err(Reject::SignatureMissing { header }),
            Ok(Some(value)) => value
                .strip_prefix(PREFIX.as_bytes())
                .filter(|text| is_well_formed(text, Digest::Sha256.bytes(), Encoding::Base64))
                .map(Some)
                .ok_or(Reject::SignatureMalformed {
                    header,
                    expected: Cow::Borrowed("`sha256=` and 44 characters of standard base64"),
                }),
        }
    }
}
