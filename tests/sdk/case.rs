//! A request, and what is known of how it was signed.

use std::fmt;

use aws_lc_rs::{digest, hmac};
use data_encoding::{BASE64, HEXLOWER};
use hookhouse_verify::sign::{Draft, Signer};
use hookhouse_verify::twilio::{self, Algorithm, PublicUrl, Settings, SharedKey};
use hookhouse_verify::{Key, Request, Secret, Verdict};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::url::{Url, fields};

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const JSON: &str = "application/json";

/// The auth token that everybody has.
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// The SharedKeys that everybody has: id, secret, and the algorithm it is configured with.
pub(crate) const SHARED_KEYS: [(&str, &str, Algorithm); 2] = [
    ("webhooks_sharedkey_one", "the first shared secret", Algorithm::HmacSha1),
    ("webhooks_sharedkey_two", "the second shared secret", Algorithm::HmacSha256),
];

/// What the operator configured and the SDK's application was told: everything before the path.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    pub(crate) scheme: &'static str,
    pub(crate) user_info: Option<&'static str>,
    pub(crate) host: &'static str,
    pub(crate) port: Option<u16>,
}

/// What the signature was made of.
#[derive(Clone, Default)]
pub(crate) struct Signed {
    pub(crate) url: String,
    pub(crate) parameters: Vec<u8>,
    /// Whether the auth token made it, and nothing became of it since.
    pub(crate) by_token: bool,
}

/// A request and its circumstances.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) base: Base,
    /// Whether the application was told the user information as well.
    pub(crate) told_user_info: bool,
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) handshake: bool,
    pub(crate) body: Vec<u8>,
    pub(crate) signature: Option<String>,
    /// `X-Twilio-Webhooks-Signature-Settings`.
    pub(crate) settings: Option<String>,
    pub(crate) signed: Signed,
}

/// What we say of a case.
#[derive(Debug)]
pub(crate) struct Ours {
    pub(crate) accepts: bool,
    /// The spelling that matched, or the reason for refusing.
    pub(crate) because: String,
}

impl Case {
    /// The URL as the application is told it.
    pub(crate) fn told(&self) -> String {
        self.url(self.base.user_info.filter(|_| self.told_user_info))
    }

    /// The URL as Twilio signs it.
    pub(crate) fn exact(&self) -> String {
        self.url(None)
    }

    fn url(&self, user_info: Option<&str>) -> String {
        let scheme = match (self.handshake, self.base.scheme) {
            (false, scheme) => scheme,
            (true, "http") => "ws",
            (true, _) => "wss",
        };
        let port = self.base.port.map(|port| port.to_string());
        Url { scheme, user_info, host: self.base.host, port: port.as_deref(), rest: &self.target }.write()
    }

    pub(crate) fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    pub(crate) fn is_form(&self) -> bool {
        self.content_type.is_some_and(|it| it.to_ascii_lowercase().starts_with(FORM))
    }

    /// The values of `bodySHA256` where it is written so in the query.
    pub(crate) fn digests(&self) -> Vec<&str> {
        let fields = fields(self.query().unwrap_or_default());
        fields.filter(|(name, _)| *name == "bodySHA256").map(|(_, value)| value).collect()
    }

    /// What a form signs of itself, worked out apart from the verifier.
    pub(crate) fn parameters(&self) -> Vec<u8> {
        if !self.is_form() {
            return Vec::new();
        }
        let mut pairs: Vec<_> = form_urlencoded::parse(&self.body).collect();
        pairs.sort();
        pairs.dedup();
        pairs.iter().flat_map(|(key, value)| [key.as_bytes(), value.as_bytes()].concat()).collect()
    }

    /// Signs it as Twilio does, and sees to it that our signer does the same.
    pub(crate) fn sign(&mut self) {
        self.sign_as(self.exact());
        let draft = Draft {
            method: self.method.to_owned(),
            url: self.exact(),
            content_type: self.content_type.map(str::to_owned),
            body: self.body.clone().into(),
            id: "evt_1".to_owned(),
            now: Timestamp::UNIX_EPOCH,
        };
        // A body that is no form has its digest in the URL by now; the signer would add it once more.
        if self.is_form() || self.body.is_empty() {
            let signer = Signer::for_provider("twilio").expect("Twilio has a signer");
            let ours = signer.sign(&secret(TOKEN), &draft).expect("it can be signed");
            let header = ours.headers.into_iter().next().map(|(_, value)| value);
            assert_eq!(header, self.signature, "our signer and the rules differ: {self:?}");
        }
    }

    /// Signs it under another spelling of its URL.
    pub(crate) fn sign_as(&mut self, url: String) {
        let parameters = if self.method == "GET" { Vec::new() } else { self.parameters() };
        self.sign_text(url, parameters);
    }

    /// Signs any text.
    pub(crate) fn sign_text(&mut self, url: String, parameters: Vec<u8>) {
        self.signature =
            Some(mac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, TOKEN, &[url.as_bytes(), &parameters].concat()));
        self.signed = Signed { url, parameters, by_token: true };
    }

    /// Signs it with a SharedKey.
    pub(crate) fn sign_shared(&mut self, secret: &str, algorithm: Algorithm, settings: String) {
        let (url, parameters) = (self.exact(), self.parameters());
        let algorithm = match algorithm {
            Algorithm::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Algorithm::HmacSha256 => hmac::HMAC_SHA256,
        };
        self.signature = Some(mac(algorithm, secret, &[url.as_bytes(), &parameters].concat()));
        self.signed = Signed { url, parameters, by_token: false };
        self.settings = Some(settings);
    }

    /// Replaces the signature; nothing vouches for the request afterwards.
    pub(crate) fn spoil(&mut self, signature: Option<String>) {
        self.signature = signature;
        self.signed.by_token = false;
    }

    /// What the verifier says.
    pub(crate) fn judge(&self) -> Ours {
        let public = Base { user_info: None, ..self.base.clone() };
        let user_info = self.base.user_info.map(|user_info| format!("{user_info}@")).unwrap_or_default();
        let port = public.port.map(|port| format!(":{port}")).unwrap_or_default();
        let url = format!("{}://{user_info}{}{port}", public.scheme, public.host);
        let shared_key = |(id, text, algorithm): (&str, &str, Algorithm)| SharedKey {
            id: id.to_owned(),
            key: Key::new(id, secret(text)),
            algorithm,
        };
        let verifier = twilio::Verifier::new(Settings {
            urls: vec![PublicUrl::parse(&url).expect("a public URL")],
            tokens: vec![Key::new("current", secret(TOKEN))],
            shared_keys: SHARED_KEYS.map(shared_key).to_vec(),
            accounts: Vec::new(),
        });
        let mut headers: Vec<(&str, &str)> = Vec::new();
        headers.extend(self.signature.as_deref().map(|it| (twilio::SIGNATURE_HEADER, it)));
        headers.extend(self.settings.as_deref().map(|it| (twilio::SIGNATURE_SETTINGS_HEADER, it)));
        headers.extend(self.content_type.map(|it| ("content-type", it)));
        headers.extend(self.handshake.then_some(("upgrade", "websocket")));
        let request = Request::new(self.method, self.target.clone(), &headers, self.body.clone());
        let request = request.expect("a request that HTTP can carry");
        match verifier.expect("keys and a URL").verify(request, Timestamp::UNIX_EPOCH) {
            Verdict::Verified(verified) => Ours {
                accepts: true,
                because: verified.evidence().variant.as_deref().unwrap_or("").to_owned(),
            },
            other => Ours { accepts: false, because: format!("{other:?}") },
        }
    }

    /// The case as the judges of other languages are asked about it.
    pub(crate) fn question(&self) -> Value {
        let told = self.told();
        let url = Url::split(&told);
        let host = url.user_info.map(|user_info| format!("{user_info}@")).unwrap_or_default()
            + url.host
            + &url.port.map(|port| format!(":{port}")).unwrap_or_default();
        json!({
            "url": told,
            "protocol": url.scheme.to_ascii_lowercase(),
            "host": host,
            "target": self.target,
            "method": self.method,
            "content_type": self.content_type,
            "handshake": self.handshake,
            "body": BASE64.encode(&self.body),
            "signature": self.signature,
            "settings": self.settings,
            "token": TOKEN,
            "shared_keys": SHARED_KEYS.map(|(id, secret, _)| (id, secret)).into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        })
    }
}

/// With everything that is mostly text as text.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("told", &self.told())
            .field("method", &self.method)
            .field("content_type", &self.content_type)
            .field("body", &String::from_utf8_lossy(&self.body))
            .field("signature", &self.signature)
            .field("settings", &self.settings)
            .field("signed_url", &self.signed.url)
            .field("signed_parameters", &String::from_utf8_lossy(&self.signed.parameters))
            .field("signed_by_token", &self.signed.by_token)
            .finish_non_exhaustive()
    }
}

/// The digest of a body as `bodySHA256` has it.
pub(crate) fn digest_of(body: &[u8]) -> String {
    HEXLOWER.encode(digest::digest(&digest::SHA256, body).as_ref())
}

pub(crate) fn mac(algorithm: hmac::Algorithm, secret: &str, text: &[u8]) -> String {
    BASE64.encode(hmac::sign(&hmac::Key::new(algorithm, secret.as_bytes()), text).as_ref())
}

fn secret(text: &str) -> Secret {
    Secret::new(text).expect("it is not empty")
}
