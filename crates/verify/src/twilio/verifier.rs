//! Judges Twilio's requests.

use std::borrow::Cow;

use jiff::Timestamp;

use super::digest::Announced as AnnouncedDigest;
use super::form::Parameters;
use super::settings::{Algorithm, Settings, SharedKey};
use super::settings_header::Announced as AnnouncedKey;
use super::spelling::{Kind, Spellings};
use super::{PublicUrl, SIGNATURE_HEADER, SIGNATURE_SETTINGS_HEADER, event, is_form};
use crate::descriptor::Encoding;
use crate::mac::{Keyring, MacKey, NoMatch};
use crate::request::{Headers, Request};
use crate::tag::is_well_formed;
use crate::verdict::{Covers, Evidence, Identity, Reject, Verdict};
use crate::verifier::SchemeError;

/// Verifies Twilio's requests.
#[derive(Debug)]
pub struct Verifier {
    urls: Vec<PublicUrl>,
    tokens: Lane,
    shared: Vec<(String, Lane)>,
}

impl Verifier {
    /// A verifier.
    ///
    /// # Errors
    /// When there is no key, no URL, or two SharedKeys with one id.
    pub fn new(settings: Settings) -> Result<Self, SchemeError> {
        let Settings { urls, tokens, shared_keys } = settings;
        if tokens.is_empty() && shared_keys.is_empty() {
            return Err(SchemeError::NoKeys);
        }
        if urls.is_empty() {
            return Err(SchemeError::NoPublicUrl);
        }
        let tokens = Lane::new(&tokens, Algorithm::HmacSha1);
        let mut shared: Vec<(String, Lane)> = Vec::with_capacity(shared_keys.len());
        for SharedKey { id, key, algorithm } in shared_keys {
            if shared.iter().any(|(known, _)| *known == id) {
                return Err(SchemeError::KeyIdRepeated { id });
            }
            shared.push((id, Lane::new(&[key], algorithm)));
        }
        Ok(Self { urls, tokens, shared })
    }

    /// Judges a request as of `now`.
    pub fn verify(&self, request: Request, now: Timestamp) -> Verdict {
        let judged = self.judge(&request, now);
        Verdict::on_event(request, judged)
    }

    fn judge(&self, request: &Request, now: Timestamp) -> Result<Evidence, Reject> {
        let kind = kind(request)?;
        let lane = self.lane(&request.headers)?;
        let signature = signature(&request.headers, lane.algorithm)?;
        let content = Content::of(request, kind)?;

        let parameters = content.parameters.signed();
        let spellings = Spellings::new(&self.urls, kind, &request.target);
        let mut url = Vec::with_capacity(256);
        let found = lane.keys.find(now, |key| {
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
        Ok(Evidence {
            provider: Cow::Borrowed("twilio"),
            scheme: Cow::Borrowed(scheme(kind, content.covers, lane.algorithm)),
            key: key.name().to_owned(),
            variant: Some(variant),
            covers: content.covers,
            identity: Some(Identity::of(&[
                b"twilio",
                request.method.as_bytes(),
                request.path().as_bytes(),
                signature,
            ])),
            event_type: content.event_type(request),
        })
    }

    /// The keys that the request may be signed with.
    fn lane(&self, headers: &Headers) -> Result<&Lane, Reject> {
        let Some(announced) = AnnouncedKey::read(headers)? else {
            if self.tokens.keys.is_empty() {
                return Err(Reject::KeyUnknown { id: "(auth token)".to_owned() });
            }
            return Ok(&self.tokens);
        };
        let known = self.shared.iter().find(|(id, _)| id == announced.key);
        let (_, lane) = known.ok_or_else(|| Reject::KeyUnknown { id: printable(announced.key) })?;
        if announced.algorithm.is_some_and(|name| name != lane.algorithm.name()) {
            return Err(Reject::AlgorithmRefused { header: Cow::Borrowed(SIGNATURE_SETTINGS_HEADER) });
        }
        Ok(lane)
    }
}

/// Keys, and the MAC they are used with.
#[derive(Debug)]
struct Lane {
    keys: Keyring,
    algorithm: Algorithm,
}

impl Lane {
    fn new(keys: &[crate::secret::Key], algorithm: Algorithm) -> Self {
        let keys = Keyring::new(keys.iter().map(|key| MacKey::new(key, algorithm.digest())));
        Self { keys, algorithm }
    }
}

/// What a request's content is, and what must vouch for it.
#[derive(Debug)]
struct Content<'a> {
    /// What is signed after the URL.
    parameters: Parameters<'a>,
    /// What the body must be compared with.
    digest: Option<AnnouncedDigest<'a>>,
    covers: Covers,
}

impl<'a> Content<'a> {
    fn of(request: &'a Request, kind: Kind) -> Result<Self, Reject> {
        let uncovered = |reason| Reject::BodyUncovered { reason };
        let digest = AnnouncedDigest::in_query(request.query())?;
        let nothing = Parameters::read(b"");
        if kind != Kind::Post {
            return Ok(Self { parameters: nothing, digest: None, covers: Covers::Url });
        }
        let content_type = request
            .headers
            .one("content-type")
            .map_err(|_| Reject::SignatureAmbiguous { header: Cow::Borrowed("content-type") })?;
        if is_form(content_type.unwrap_or_default()) {
            let parameters = Parameters::read(&request.body);
            if parameters.too_many {
                return Err(uncovered("the form has too many parameters"));
            }
            return Ok(Self { parameters, digest, covers: Covers::UrlAndForm });
        }
        match digest {
            Some(_) => Ok(Self { parameters: nothing, digest, covers: Covers::UrlAndBodyDigest }),
            None if request.body.is_empty() => Ok(Self { parameters: nothing, digest, covers: Covers::Url }),
            None => Err(uncovered("it is not a form, and the URL has no `bodySHA256`")),
        }
    }

    fn event_type(&self, request: &Request) -> Option<String> {
        match self.covers {
            Covers::Url => {
                let query = request.query().unwrap_or_default();
                event::event_type(&Parameters::read(query.as_bytes()))
            }
            _ => event::event_type(&self.parameters),
        }
    }
}

fn kind(request: &Request) -> Result<Kind, Reject> {
    match request.method.as_ref() {
        "POST" => Ok(Kind::Post),
        "GET" if !request.body.is_empty() => Err(Reject::BodyUnexpected { method: "GET".to_owned() }),
        "GET" if wants_web_socket(&request.headers) => Ok(Kind::WebSocket),
        "GET" => Ok(Kind::Get),
        method => Err(Reject::MethodUnexpected { method: method.to_owned() }),
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

fn wants_web_socket(headers: &Headers) -> bool {
    headers
        .all("upgrade")
        .flat_map(|value| value.split(|b| *b == b','))
        .any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(b"websocket"))
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
fn printable(id: &str) -> String {
    id.chars().take(64).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}
