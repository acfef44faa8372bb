//! Judges Twilio's requests.

use std::borrow::Cow;

use jiff::Timestamp;

use super::content::{ClaimedAccount, Content, kind};
use super::settings::{Account, Algorithm, Settings, SharedKey};
use super::settings_header::Announced as AnnouncedKey;
use super::spelling::{Kind, Spellings};
use super::{PublicUrl, SIGNATURE_HEADER, SIGNATURE_SETTINGS_HEADER};
use crate::descriptor::Encoding;
use crate::keyring::{self, Keyring, NoMatch};
use crate::mac::MacKey;
use crate::request::{Headers, Request};
use crate::secret::Key;
use crate::tag::is_well_formed;
use crate::verdict::{Covers, Evidence, Identity, Reject, Verdict};
use crate::verifier::SchemeError;

/// Verifies Twilio's requests.
#[derive(Debug)]
pub struct Verifier {
    pub(crate) urls: Vec<PublicUrl>,
    pub(crate) tokens: Keyring<MacKey>,
    pub(crate) shared: Vec<SharedLane>,
    pub(crate) accounts: Vec<AccountLane>,
}

/// A SharedKey, as the verifier has it.
#[derive(Debug)]
pub(crate) struct SharedLane {
    pub(crate) id: String,
    pub(crate) keys: Keyring<MacKey>,
    pub(crate) algorithm: Algorithm,
}

/// An account's tokens, as the verifier has them.
#[derive(Debug)]
pub(crate) struct AccountLane {
    pub(crate) sid: String,
    pub(crate) keys: Keyring<MacKey>,
}

impl Verifier {
    /// A verifier.
    ///
    /// # Errors
    /// When there is no key (of any kind, or of an account), no URL, or two SharedKeys or accounts with one id.
    pub fn new(settings: Settings) -> Result<Self, SchemeError> {
        let Settings { urls, tokens, shared_keys, accounts } = settings;
        if tokens.is_empty() && shared_keys.is_empty() && accounts.is_empty() {
            return Err(SchemeError::NoKeys);
        }
        if urls.is_empty() {
            return Err(SchemeError::NoPublicUrl);
        }
        let ring = |keys: &[Key], algorithm: Algorithm| {
            keys.iter().map(|key| MacKey::named(key, algorithm.digest())).collect()
        };
        let mut shared: Vec<SharedLane> = Vec::with_capacity(shared_keys.len());
        for SharedKey { id, key, algorithm } in shared_keys {
            if shared.iter().any(|known| known.id == id) {
                return Err(SchemeError::KeyIdRepeated { id });
            }
            shared.push(SharedLane { id, keys: ring(&[key], algorithm), algorithm });
        }
        let mut lanes: Vec<AccountLane> = Vec::with_capacity(accounts.len());
        for Account { sid, keys } in accounts {
            if keys.is_empty() {
                return Err(SchemeError::NoKeys);
            }
            if lanes.iter().any(|known| known.sid == sid) {
                return Err(SchemeError::KeyIdRepeated { id: sid });
            }
            lanes.push(AccountLane { sid, keys: ring(&keys, Algorithm::HmacSha1) });
        }
        Ok(Self { urls, tokens: ring(&tokens, Algorithm::HmacSha1), shared, accounts: lanes })
    }

    /// Judges a request as of `now`.
    pub fn verify(&self, request: Request, now: Timestamp) -> Verdict {
        let judged = self.judge(&request, now);
        Verdict::on_event(request, judged)
    }

    fn judge(&self, request: &Request, now: Timestamp) -> Result<Evidence, Reject> {
        let kind = kind(request)?;
        let shared = self.shared_key(&request.headers)?;
        let algorithm = shared.map_or(Algorithm::HmacSha1, |lane| lane.algorithm);
        let signature = signature(&request.headers, algorithm)?;
        let content = Content::of(request, kind)?;
        let rings = match shared {
            Some(lane) => vec![&lane.keys],
            None => self.tokens_for(&content, request)?,
        };

        let parameters = content.parameters.signed();
        let spellings = Spellings::new(&self.urls, kind, &request.target);
        let mut url = Vec::with_capacity(256);
        let found = keyring::find(rings.iter().flat_map(|ring| ring.iter()), now, |key| {
            spellings.iter().find_map(|spelling| {
                spelling.write(&mut url);
                let message = [url.as_slice(), spelling.parameters().unwrap_or(&parameters)];
                key.tag(&message, Encoding::Base64).matches(signature).then(|| spelling.name())
            })
        });
        let (key, variant) = found.map_err(|NoMatch { retired }| Reject::SignatureMismatch {
            header: Cow::Borrowed(SIGNATURE_HEADER),
            retired,
        })?;
        if let Some(digest) = content.digest {
            digest.check(&request.body)?;
        }
        let reading = content.reading(request);
        Ok(Evidence {
            provider: Cow::Borrowed("twilio"),
            scheme: Cow::Borrowed(scheme(kind, content.covers, algorithm)),
            key: key.name().to_owned(),
            variant: Some(variant),
            covers: content.covers,
            identity: Some(Identity::of(&[
                b"twilio",
                request.method.as_bytes(),
                request.path().as_bytes(),
                signature,
            ])),
            elements: reading.elements,
            event_type: reading.event_type,
        })
    }

    /// The SharedKey that the request names, if it names one.
    pub(crate) fn shared_key(&self, headers: &Headers) -> Result<Option<&SharedLane>, Reject> {
        let Some(announced) = AnnouncedKey::read(headers)? else { return Ok(None) };
        let known = self.shared.iter().find(|lane| lane.id == announced.key);
        let lane = known.ok_or_else(|| Reject::KeyUnknown { id: printable(announced.key.as_bytes()) })?;
        if announced.algorithm.is_some_and(|name| name != lane.algorithm.name()) {
            return Err(Reject::AlgorithmRefused { header: Cow::Borrowed(SIGNATURE_SETTINGS_HEADER) });
        }
        Ok(Some(lane))
    }

    /// The auth tokens that may have signed a request, in the order they are tried. What the request says of its
    /// account narrows the choice; the signature proves it afterwards.
    pub(crate) fn tokens_for(
        &self,
        content: &Content<'_>,
        request: &Request,
    ) -> Result<Vec<&Keyring<MacKey>>, Reject> {
        let account = match self.accounts.as_slice() {
            [] => ClaimedAccount::None,
            _ => content.account(request)?,
        };
        let mut rings = Vec::with_capacity(2);
        match &account {
            ClaimedAccount::Sid(sid) => {
                rings.extend(
                    self.accounts.iter().find(|lane| lane.sid.as_bytes() == sid).map(|lane| &lane.keys),
                );
                rings.push(&self.tokens);
            }
            ClaimedAccount::None => {
                rings.push(&self.tokens);
                rings.extend(self.accounts.iter().map(|lane| &lane.keys));
            }
        }
        if rings.iter().all(|ring| ring.is_empty()) {
            return Err(match account {
                ClaimedAccount::Sid(sid) => Reject::AccountUnknown { sid: printable(&sid) },
                ClaimedAccount::None => Reject::KeyUnknown { id: "(auth token)".to_owned() },
            });
        }
        Ok(rings)
    }
}

fn signature(headers: &Headers, algorithm: Algorithm) -> Result<&[u8], Reject> {
    let header = Cow::Borrowed(SIGNATURE_HEADER);
    match headers.one(SIGNATURE_HEADER) {
        Err(_) => Err(Reject::SignatureAmbiguous { header }),
        Ok(None | Some(b"")) => Err(Reject::SignatureMissing { header }),
        Ok(Some(value)) if is_well_formed(value, algorithm.digest().bytes(), Encoding::Base64) => Ok(value),
        Ok(Some(_)) => Err(Reject::SignatureMalformed {
            header,
            expected: Cow::Borrowed(match algorithm {
                Algorithm::HmacSha1 => "28 characters of standard base64",
                Algorithm::HmacSha256 => "44 characters of standard base64",
            }),
        }),
    }
}

fn scheme(kind: Kind, covers: Covers, algorithm: Algorithm) -> &'static str {
    match (kind, covers, algorithm) {
        (Kind::WebSocket, _, Algorithm::HmacSha1) => "twilio-websocket-hmac-sha1",
        (Kind::WebSocket, _, Algorithm::HmacSha256) => "twilio-websocket-hmac-sha256",
        (_, Covers::UrlAndForm, Algorithm::HmacSha1) => "twilio-form-hmac-sha1",
        (_, Covers::UrlAndForm, Algorithm::HmacSha256) => "twilio-form-hmac-sha256",
        (_, Covers::UrlAndBodyDigest, Algorithm::HmacSha1) => "twilio-body-digest-hmac-sha1",
        (_, Covers::UrlAndBodyDigest, Algorithm::HmacSha256) => "twilio-body-digest-hmac-sha256",
        (_, _, Algorithm::HmacSha1) => "twilio-url-hmac-sha1",
        (_, _, Algorithm::HmacSha256) => "twilio-url-hmac-sha256",
    }
}

/// An id from outside, fit for a message.
fn printable(id: &[u8]) -> String {
    let id = String::from_utf8_lossy(id);
    id.chars().take(64).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}
