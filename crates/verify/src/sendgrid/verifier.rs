//! Judges SendGrid's requests.

use std::borrow::Cow;
use std::time::Duration;

use data_encoding::BASE64;
use jiff::Timestamp;

use super::key::PublicKey;
use super::{SIGNATURE_HEADER, Settings, TIMESTAMP_HEADER, reading};
use crate::descriptor::TimestampUnit;
use crate::json;
use crate::keyring::{Keyring, Named, NoMatch};
use crate::mac;
use crate::request::Request;
use crate::verdict::{Covers, Evidence, Identity, Reject, Verdict};
use crate::verifier::SchemeError;

/// The lengths of a P-256 signature in DER: two numbers of 1 to 33 bytes, with a tag and a length each and around them.
const SIGNATURE_BYTES: std::ops::RangeInclusive<usize> = 8..=72;

/// Verifies SendGrid's requests.
#[derive(Debug)]
pub struct Verifier {
    pub(crate) keys: Keyring<PublicKey>,
    tolerance: Option<Duration>,
}

impl Verifier {
    /// A verifier.
    ///
    /// # Errors
    /// When there is no key, or one that is not a public key in base64.
    pub fn new(settings: Settings) -> Result<Self, SchemeError> {
        if settings.public_keys.is_empty() {
            return Err(SchemeError::NoKeys);
        }
        let named = |key: &crate::secret::Key| {
            let public = PublicKey::read(key.secret.expose()).ok_or_else(|| SchemeError::KeyForm {
                key: key.name.clone(),
                expected: "the base64 of a public key on the curve P-256, as SendGrid shows it",
            })?;
            Ok(Named::new(key, public))
        };
        let keys = settings.public_keys.iter().map(named).collect::<Result<_, SchemeError>>()?;
        Ok(Self { keys, tolerance: settings.tolerance })
    }

    /// Judges a request as of `now`.
    pub fn verify(&self, request: Request, now: Timestamp) -> Verdict {
        let judged = self.judge(&request, now);
        Verdict::on_event(request, judged)
    }

    fn judge(&self, request: &Request, now: Timestamp) -> Result<Evidence, Reject> {
        let signature = signature(request)?;
        let time = header(request, TIMESTAMP_HEADER)?;
        let sent_at = TimestampUnit::Seconds.read(time).ok_or(Reject::SignatureMalformed {
            header: Cow::Borrowed(TIMESTAMP_HEADER),
            expected: Cow::Borrowed(TimestampUnit::Seconds.expected()),
        })?;
        let found = self
            .keys
            .find(now, |key| key.verifies(&[time, &request.body], &signature).then_some(()))
            .map_err(|NoMatch { retired }| Reject::SignatureMismatch {
                header: Cow::Borrowed(SIGNATURE_HEADER),
                retired,
            });
        let (key, ()) = found?;
        if !json::is_array(&request.body) {
            return Err(Reject::BodyNotArray);
        }
        // After the signature, so that "stale" is only ever said of a request that is genuine.
        if let Some(tolerance) = self.tolerance {
            let age_seconds = now.as_second() - sent_at.as_second();
            let tolerance_seconds = tolerance.as_secs();
            if age_seconds.unsigned_abs() > tolerance_seconds {
                return Err(Reject::Stale { age_seconds, tolerance_seconds });
            }
        }
        let reading = reading::read(&request.body);
        Ok(Evidence {
            provider: Cow::Borrowed("sendgrid"),
            scheme: Cow::Borrowed("sendgrid-ecdsa-p256-sha256"),
            key: key.name().to_owned(),
            variant: None,
            covers: Covers::BodyAndParts,
            identity: Some(Identity::of(&[b"sendgrid", time, &mac::sha256(&request.body)])),
            elements: reading.elements,
            event_type: reading.event_type,
        })
    }
}

/// The signature in DER.
fn signature(request: &Request) -> Result<Vec<u8>, Reject> {
    BASE64
        .decode(header(request, SIGNATURE_HEADER)?)
        .ok()
        .filter(|der| SIGNATURE_BYTES.contains(&der.len()))
        .ok_or(Reject::SignatureMalformed {
            header: Cow::Borrowed(SIGNATURE_HEADER),
            expected: Cow::Borrowed("standard base64 of an ECDSA signature in DER"),
        })
}

/// The value of a header that must be there once.
fn header<'a>(request: &'a Request, name: &'static str) -> Result<&'a [u8], Reject> {
    let header = Cow::Borrowed(name);
    match request.headers.one(name) {
        Err(_) => Err(Reject::SignatureAmbiguous { header }),
        Ok(None | Some(b"")) => Err(Reject::SignatureMissing { header }),
        Ok(Some(value)) => Ok(value),
    }
}
