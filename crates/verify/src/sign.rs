//! Makes what the verifiers accept: for test senders, for tools, and for requests that are signed anew.

use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;

use crate::catalogue;
use crate::descriptor::{Descriptor, TimestampUnit};
use crate::hmac::{self, Material};
use crate::secret::Secret;
use crate::sendgrid;
use crate::twilio::{self, Algorithm};
use crate::verifier::SchemeError;
use crate::x;

/// How a provider signs what it sends.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "a source has one of these, and a box would show in every literal"
)]
pub enum Signer {
    /// X, with the consumer secret: a POST's body, a GET's query.
    X,
    /// X, with the OAuth 2.0 client secret.
    XOauth2,
    /// Twilio. A body that is no form gets its digest appended to the URL.
    Twilio {
        /// The MAC; that of an auth token is SHA-1.
        algorithm: Algorithm,
        /// The id of the SharedKey, when the secret is one.
        shared_key: Option<String>,
    },
    /// SendGrid, with a private key: base64 of PKCS#8, on the curve P-256.
    SendGrid,
    /// A scheme that a descriptor describes.
    Hmac(Descriptor),
}

/// A request that is to be signed.
#[derive(Clone)]
pub struct Draft {
    /// The method.
    pub method: String,
    /// The absolute URL it will be sent to.
    pub url: String,
    /// The `Content-Type`, where there is one.
    pub content_type: Option<String>,
    /// The body.
    pub body: Bytes,
    /// The id of the event, for schemes that sign or send one.
    pub id: String,
    /// The time of signing.
    pub now: Timestamp,
}

/// Without the URL, which may hold user information, and without the body.
impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("method", &self.method)
            .field("content_type", &self.content_type)
            .field("body_bytes", &self.body.len())
            .field("id", &self.id)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// What signing adds to a request.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    /// The URL to call: the draft's without its fragment, and with what the scheme puts into the query.
    pub url: String,
    /// Headers to send besides the draft's own; their names in lower case.
    pub headers: Vec<(String, String)>,
}

/// Names only: a signature is as good as the request it was made for.
impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.headers.iter().map(|(name, _)| name)).finish()
    }
}

impl Signer {
    /// How a provider signs: `x`, `twilio`, `sendgrid`, or a row of the catalogue.
    #[must_use]
    pub fn for_provider(provider: &str) -> Option<Self> {
        match provider {
            "x" => Some(Self::X),
            "twilio" => Some(Self::Twilio { algorithm: Algorithm::HmacSha1, shared_key: None }),
            "sendgrid" => Some(Self::SendGrid),
            _ => catalogue::find(provider).map(|row| Self::Hmac(row.descriptor.clone())),
        }
    }

    /// Signs a draft.
    ///
    /// # Errors
    /// When the secret is not in the scheme's form, the URL is not absolute, or the draft lacks a part of the scheme's
    /// message.
    pub fn sign(&self, secret: &Secret, draft: &Draft) -> Result<Signed, SchemeError> {
        let url = Url::split(&draft.url)?;
        match self {
            Self::X => x_signed(x::SIGNATURE_HEADER, secret, draft, &url),
            Self::XOauth2 => x_signed(x::OAUTH2_SIGNATURE_HEADER, secret, draft, &url),
            Self::Twilio { algorithm, shared_key } => {
                twilio_signed(*algorithm, shared_key.as_deref(), secret, draft, &url)
            }
            Self::SendGrid => {
                let time = TimestampUnit::Seconds.write(draft.now);
                let signature = sendgrid::sign(secret, &time, &draft.body)?;
                let headers = [(sendgrid::TIMESTAMP_HEADER, time), (sendgrid::SIGNATURE_HEADER, signature)];
                let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
                Ok(Signed { url: url.whole.to_owned(), headers })
            }
            Self::Hmac(descriptor) => {
                let (path, query) = url.target.split_once('?').unwrap_or((url.target, ""));
                let material = Material {
                    method: &draft.method,
                    url: &url.without_user_info(),
                    path: if path.is_empty() { "/" } else { path },
                    query,
                    content_type: draft.content_type.as_deref(),
                    body: &draft.body,
                    id: &draft.id,
                    now: draft.now,
                };
                Ok(Signed { url: url.whole.to_owned(), headers: hmac::sign(descriptor, secret, &material)? })
            }
        }
    }
}

/// The three Standard Webhooks headers of a body: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
///
/// The secret is base64 after `whsec_`; without the prefix it is base64 where it can be, else text
/// ([`KeyForm::WhsecBase64`](crate::descriptor::KeyForm::WhsecBase64)).
///
/// # Errors
/// When the secret begins with `whsec_` and is not base64 after it, or the id is empty or has a `.` in it.
pub fn standard_webhooks(
    secret: &Secret,
    id: &str,
    now: Timestamp,
    body: &[u8],
) -> Result<Vec<(String, String)>, SchemeError> {
    let name = "standard-webhooks";
    let row = catalogue::find(name).ok_or_else(|| SchemeError::UnknownProvider { name: name.to_owned() })?;
    let material =
        Material { method: "POST", url: "", path: "/", query: "", content_type: None, body, id, now };
    hmac::sign(&row.descriptor, secret, &material)
}

fn x_signed(header: &str, secret: &Secret, draft: &Draft, url: &Url<'_>) -> Result<Signed, SchemeError> {
    let value = if draft.method == "GET" {
        let (_, query) = url
            .target
            .split_once('?')
            .ok_or_else(|| SchemeError::Draft { reason: "the URL of a challenge has no query".to_owned() })?;
        x::sign_get(secret, query)
    } else {
        x::sign_post(secret, &draft.body)
    };
    Ok(Signed { url: url.whole.to_owned(), headers: vec![(header.to_owned(), value)] })
}

fn twilio_signed(
    algorithm: Algorithm,
    shared_key: Option<&str>,
    secret: &Secret,
    draft: &Draft,
    url: &Url<'_>,
) -> Result<Signed, SchemeError> {
    if algorithm == Algorithm::HmacSha256 && shared_key.is_none() {
        let reason = "Twilio uses HMAC_SHA256 with SharedKeys only, and the id of one is missing".to_owned();
        return Err(SchemeError::Draft { reason });
    }
    let is_form = twilio::is_form(draft.content_type.as_deref().unwrap_or_default().as_bytes());
    let form: &[u8] = if is_form && draft.method != "GET" { &draft.body } else { b"" };
    let needs_digest = !is_form && !draft.body.is_empty();
    let complete = |url: String| if needs_digest { twilio::with_body_digest(&url, &draft.body) } else { url };
    // User information does not travel in the request, and Twilio drops it before it signs.
    let signature = twilio::sign(secret, algorithm, &complete(url.without_user_info()), form);
    let mut headers = vec![(twilio::SIGNATURE_HEADER.to_owned(), signature)];
    if let Some(id) = shared_key {
        let settings = format!("key={id},algorithm={}", algorithm.name());
        headers.push((twilio::SIGNATURE_SETTINGS_HEADER.to_owned(), settings));
    }
    Ok(Signed { url: complete(url.whole.to_owned()), headers })
}

/// An absolute URL, taken apart without changing a byte of it.
struct Url<'a> {
    /// All of it but the fragment, which is never sent.
    whole: &'a str,
    scheme: &'a str,
    /// Without user information.
    authority: &'a str,
    /// Path and query.
    target: &'a str,
}

impl<'a> Url<'a> {
    fn split(url: &'a str) -> Result<Self, SchemeError> {
        let whole = url.split_once('#').map_or(url, |(whole, _)| whole);
        let (scheme, rest) = whole
            .split_once("://")
            .ok_or_else(|| SchemeError::Draft { reason: "the URL is not absolute".to_owned() })?;
        let (authority, target) = match rest.find(['/', '?']) {
            Some(end) => rest.split_at(end),
            None => (rest, ""),
        };
        let authority = authority.rsplit_once('@').map_or(authority, |(_, authority)| authority);
        Ok(Self { whole, scheme, authority, target })
    }

    fn without_user_info(&self) -> String {
        format!("{}://{}{}", self.scheme, self.authority, self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{NOW, now, secret};

    const FORM: &str = "application/x-www-form-urlencoded";

    fn draft(method: &str, url: &str, content_type: Option<&str>, body: &'static str) -> Draft {
        Draft {
            method: method.to_owned(),
            url: url.to_owned(),
            content_type: content_type.map(str::to_owned),
            body: Bytes::from_static(body.as_bytes()),
            id: "evt_1".to_owned(),
            now: now(),
        }
    }

    fn sign(provider: &str, draft: &Draft) -> Result<Signed, SchemeError> {
        Signer::for_provider(provider).unwrap().sign(&secret("12345"), draft)
    }

    #[test]
    fn every_scheme_has_a_signer_but_those_without_one() {
        for provider in ["x", "twilio", "sendgrid", "github", "slack", "standard-webhooks", "stripe"] {
            assert!(Signer::for_provider(provider).is_some(), "{provider}");
        }
        assert!(Signer::for_provider("none").is_none() && Signer::for_provider("hmac").is_none());
    }

    #[test]
    fn x_signs_the_body_of_an_event_and_the_query_of_a_challenge() {
        let key = secret("12345");
        let event = sign("x", &draft("POST", "https://h/x?a=1#f", None, "{}")).unwrap();
        assert_eq!(event.url, "https://h/x?a=1");
        assert_eq!(event.headers, [(x::SIGNATURE_HEADER.to_owned(), x::sign_post(&key, b"{}"))]);
        let challenge = draft("GET", "https://h/x?crc_token=foo&nonce=bar#f", None, "");
        let signed = Signer::XOauth2.sign(&key, &challenge).unwrap();
        let query = x::sign_get(&key, "crc_token=foo&nonce=bar");
        assert_eq!(signed.headers, [(x::OAUTH2_SIGNATURE_HEADER.to_owned(), query)]);
        assert!(matches!(sign("x", &draft("GET", "https://h/x", None, "")), Err(SchemeError::Draft { .. })));
        assert!(matches!(sign("x", &draft("POST", "/x", None, "{}")), Err(SchemeError::Draft { .. })));
    }

    #[test]
    fn twilio_signs_a_published_form() {
        let body = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
        let signed = sign(
            "twilio",
            &draft("POST", "https://u:p@mycompany.com/myapp.php?foo=1&bar=2#rc=2", Some(FORM), body),
        );
        let signed = signed.unwrap();
        assert_eq!(signed.url, "https://u:p@mycompany.com/myapp.php?foo=1&bar=2");
        let header = (twilio::SIGNATURE_HEADER.to_owned(), "RSOYDt4T1cUTdK1PDd93/VVr8B8=".to_owned());
        assert_eq!(signed.headers, [header]);
    }

    #[test]
    fn twilio_puts_the_digest_of_another_body_into_the_url() {
        let json = Some("application/json");
        let signed = sign("twilio", &draft("POST", "https://h/hook?a=1", json, "{}")).unwrap();
        let digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        assert_eq!(signed.url, format!("https://h/hook?a=1&bodySHA256={digest}"));
        let bare = sign("twilio", &draft("POST", "https://h/hook", json, "{}")).unwrap();
        assert_eq!(bare.url, format!("https://h/hook?bodySHA256={digest}"));
        assert_eq!(sign("twilio", &draft("POST", "https://h/hook", json, "")).unwrap().url, "https://h/hook");
    }

    #[test]
    fn a_shared_key_is_named_in_the_request() {
        let draft = draft("GET", "https://h/hook", None, "");
        let signer = Signer::Twilio { algorithm: Algorithm::HmacSha256, shared_key: Some("k1".to_owned()) };
        let signed = signer.sign(&secret("s"), &draft).unwrap();
        let settings = "key=k1,algorithm=HMAC_SHA256".to_owned();
        assert_eq!(signed.headers.last(), Some(&(twilio::SIGNATURE_SETTINGS_HEADER.to_owned(), settings)));
        let nameless = Signer::Twilio { algorithm: Algorithm::HmacSha256, shared_key: None };
        assert!(matches!(nameless.sign(&secret("s"), &draft), Err(SchemeError::Draft { .. })));
    }

    #[test]
    fn standard_webhooks_makes_the_published_headers() {
        let then = Timestamp::from_second(1_614_265_330).unwrap();
        let key = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let headers = standard_webhooks(&key, id, then, br#"{"test": 2432232314}"#).unwrap();
        let expected = [
            ("webhook-id", id),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ];
        assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let misspelt = standard_webhooks(&secret("whsec_%"), id, then, b"");
        assert!(matches!(misspelt, Err(SchemeError::KeyForm { .. })));
    }

    #[test]
    fn debug_shows_no_user_information_no_body_and_no_signature() {
        let draft = draft("POST", "https://u:hush@h/", None, "hush");
        let signed = sign("github", &draft).unwrap();
        let text = format!("{draft:?} {signed:?}");
        assert!(!text.contains("hush") && !text.contains("sha256="), "{text}");
    }

    #[test]
    fn a_rows_id_and_time_become_headers() {
        let signed = sign("stripe", &draft("POST", "https://h/", None, "{}")).unwrap();
        let [(name, value)] = signed.headers.as_slice() else { panic!("{signed:?}") };
        assert_eq!(name, "stripe-signature");
        assert!(value.starts_with(&format!("t={NOW},v1=")), "{value}");
        let names = |provider| {
            let signed = sign(provider, &draft("POST", "https://h/", None, "{}")).unwrap();
            signed.headers.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(names("github"), ["x-github-delivery", "x-hub-signature-256"]);
        assert_eq!(names("slack"), ["x-slack-request-timestamp", "x-slack-signature"]);
    }
}
