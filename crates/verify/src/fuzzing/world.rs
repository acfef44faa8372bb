//! Sources with keys, as the fuzzers meet them.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;

use crate::descriptor::{
    Descriptor, Digest, Direction, Encoding, KeyForm, Locator, Parse, Part, TimestampFrom, TimestampSpec,
    TimestampUnit,
};
use crate::twilio::{Algorithm, SharedKey};
use crate::{Key, Request, Secret, Verifier, catalogue, hmac, sendgrid, twilio, x};

/// Every secret: valid as text, as base64 and as hex.
pub(super) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The URL that senders were told.
pub(super) const ORIGIN: &str = "https://user:pass@hooks.example.com:8443";

/// A pair that was made for these programs.
const PRIVATE: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgP4fY6Tykoh5fBLZARtqv4EMM58FG/8qVCruTwrqikRGhRANCAAR89bqUFFZDkDca3MarSwOs3+xogmAlUJchhXTS98Gt78tfNhKeYEDogNdTVwrzJyKHfp9ioNwaFeHDPuFBgSEj";

/// When the requests come.
pub(super) fn now() -> Timestamp {
    Timestamp::from_second(1_795_305_600).expect("a moment in 2026")
}

pub(super) fn secret() -> Secret {
    Secret::new(SECRET).expect("not empty")
}

pub(super) fn private_key() -> Secret {
    Secret::new(PRIVATE).expect("not empty")
}

fn keys() -> Vec<Key> {
    vec![Key::new("secret", secret())]
}

/// A request, where HTTP could carry it. An empty value stands for a header that is not there.
pub(super) fn request(
    method: &'static str,
    target: &[u8],
    headers: &[(&str, &[u8])],
    body: &[u8],
) -> Option<Request> {
    let headers: Vec<_> = headers.iter().copied().filter(|(_, value)| !value.is_empty()).collect();
    let target = String::from_utf8_lossy(target).into_owned();
    Request::new(method, target, &headers, body.to_vec()).ok()
}

/// An X source.
pub(super) static X: LazyLock<Verifier> = LazyLock::new(|| {
    let oauth2 = vec![Key::new("oauth2", Secret::new("another secret").expect("not empty"))];
    let settings = x::Settings { consumer: keys(), oauth2, ..x::Settings::default() };
    Verifier::X(x::Verifier::new(settings).expect("there are keys"))
});

/// A Twilio source.
pub(super) static TWILIO: LazyLock<Verifier> = LazyLock::new(|| {
    let shared = SharedKey { id: "k1".into(), key: keys().remove(0), algorithm: Algorithm::HmacSha256 };
    let urls = vec![ORIGIN.parse().expect("a URL")];
    let settings =
        twilio::Settings { urls, tokens: keys(), shared_keys: vec![shared], ..twilio::Settings::default() };
    Verifier::Twilio(twilio::Verifier::new(settings).expect("there are keys and a URL"))
});

/// A SendGrid source.
pub(super) static SENDGRID: LazyLock<Verifier> = LazyLock::new(|| {
    let public = sendgrid::public_key(&private_key()).expect("a private key");
    let public_keys = vec![Key::new("public_key", Secret::new(public).expect("not empty"))];
    let settings = sendgrid::Settings { public_keys, tolerance: Some(Duration::from_secs(300)) };
    Verifier::SendGrid(sendgrid::Verifier::new(settings).expect("a public key"))
});

/// The rows of the catalogue, and schemes with what they leave out.
pub(super) static DESCRIBED: LazyLock<Vec<(Descriptor, Verifier)>> = LazyLock::new(|| {
    let rows = catalogue::rows().iter().map(|row| row.descriptor.clone());
    let with_verifier = |descriptor: Descriptor| {
        let urls = vec![ORIGIN.parse().expect("a URL")];
        let verifier = hmac::Verifier::new("any", descriptor.clone(), keys(), urls).expect("a valid row");
        (descriptor, Verifier::Hmac(verifier))
    };
    rows.chain([many_parts(), by_url()]).map(with_verifier).collect()
});

fn many_parts() -> Descriptor {
    let message = [
        Part::Method,
        Part::Literal("\n".into()),
        Part::Path,
        Part::Query,
        Part::Header("content-type".into()),
        Part::Timestamp,
        Part::Body,
    ];
    Descriptor {
        digest: Digest::Sha512,
        key: KeyForm::Hex,
        message: Cow::Owned(message.to_vec()),
        timestamp: Some(time(TimestampFrom::Header("x-time".into()), TimestampUnit::Rfc3339)),
        dedupe_id: Some(Locator::Json("a.b".into())),
        ..Descriptor::new("x-signature")
    }
}

fn by_url() -> Descriptor {
    let mut it = Descriptor::new("x-signature");
    it.digest = Digest::Sha1;
    it.signature.encoding = Encoding::Base64Url;
    it.signature.parse =
        Parse::KeyValue { delimiter: ';', signature: "h1".into(), timestamp: Some("ts".into()) };
    it.message = Cow::Owned(vec![Part::Url, Part::Timestamp, Part::Literal(":".into()), Part::Body]);
    it.timestamp = Some(time(TimestampFrom::SignatureField, TimestampUnit::Milliseconds));
    it
}

fn time(from: TimestampFrom, unit: TimestampUnit) -> TimestampSpec {
    TimestampSpec { from, unit, tolerance: Duration::from_secs(5), direction: Direction::Both }
}
