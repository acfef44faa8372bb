//! Whatever arrives: an explanation comes, it is bounded, and it tells no secret, no signature and no content.

use std::borrow::Cow;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::descriptor::{Descriptor, Digest, Encoding, Parse, Part};
use crate::fixtures::key;
use crate::sign::{Draft, Signer};
use crate::{catalogue, hmac, mac, sendgrid, twilio, x};

const FORM: &str = "application/x-www-form-urlencoded";

/// Sources of every scheme, each with a secret of its own.
fn sources(secrets: &[String; 5]) -> Vec<(&'static str, Verifier, Signer, String)> {
    let [x_secret, token, github, custom, stripe] = secrets.clone();
    let consumer = vec![key("consumer_secret", &x_secret)];
    let x = x::Verifier::new(x::Settings { consumer, ..x::Settings::default() }).unwrap();
    let twilio = twilio::Verifier::new(twilio::Settings {
        urls: vec!["https://user:hushhush@h.example:8443/pre".parse().unwrap()],
        tokens: vec![key("auth_token", &token)],
        ..twilio::Settings::default()
    });
    let private = super::sendgrid::PRIVATE;
    let public = sendgrid::public_key(&crate::fixtures::secret(private)).unwrap();
    let mail = sendgrid::Settings { public_keys: vec![key("public_key", &public)], tolerance: None };
    let row = |provider: &'static str, secret: &str| {
        let descriptor = catalogue::find(provider).unwrap().descriptor.clone();
        hmac::Verifier::new(provider, descriptor, vec![key("secret", secret)], vec![]).unwrap()
    };
    let mut described = Descriptor::new("X-Signature");
    described.signature.parse = Parse::Plain { prefix: "v0=".into() };
    described.message = Cow::Owned(vec![Part::Url, Part::Body]);
    let urls = vec!["https://user:hushhush@h.example".parse().unwrap()];
    let custom_verifier = hmac::Verifier::new("hmac", described.clone(), vec![key("secret", &custom)], urls);
    let signer = |provider| Signer::for_provider(provider).unwrap();
    vec![
        ("x", Verifier::X(x), signer("x"), x_secret),
        ("calls", Verifier::Twilio(twilio.unwrap()), signer("twilio"), token),
        (
            "mail",
            Verifier::SendGrid(sendgrid::Verifier::new(mail).unwrap()),
            signer("sendgrid"),
            private.to_owned(),
        ),
        ("github", Verifier::Hmac(row("github", &github)), signer("github"), github),
        ("stripe", Verifier::Hmac(row("stripe", &stripe)), signer("stripe"), stripe),
        ("custom", Verifier::Hmac(custom_verifier.unwrap()), Signer::Hmac(described), custom),
    ]
}

/// Something to sign: what was sent, and what a proxy might make of it.
#[derive(Debug, Clone)]
struct Sent {
    url: String,
    target: String,
    body: String,
    received: String,
    content_type: &'static str,
    method: &'static str,
    spoil: u8,
}

fn sent() -> impl Strategy<Value = Sent> {
    let url = prop_oneof![
        Just("https://h.example:8443/pre"),
        Just("http://h.example"),
        Just("https://proxy.example"),
        Just("https://h.example"),
    ];
    let target = "/[a-z]{1,5}(/[a-z]{1,3})?";
    let query = "(\\?Qq[a-z]{6}=[A-Za-z0-9%+']{6,12}(&b=1)?)?";
    let body = prop_oneof![
        "\\{\"Kk[a-z]{6}\":\"Vv[a-z/]{6,12}\"\\}",
        "Kk[a-z]{6}=Vv[a-z]{8}&Empty=&Body=Hh[a-z]{8}",
        "\\[\\{\"Kk[a-z]{6}\":\"Vv[a-z/]{6,12}\"\\}\\]\r\n",
    ];
    let content_type = prop_oneof![Just(FORM), Just("application/json"), Just("text/plain")];
    let method = prop_oneof![4 => Just("POST"), 1 => Just("GET")];
    let change = prop_oneof![Just(None), Just(Some("\n")), Just(Some("\u{feff}")), Just(Some(" ")),];
    (url, target, query, body, content_type, method, change, 0_u8..6).prop_map(
        |(url, target, query, body, content_type, method, change, spoil)| Sent {
            url: format!("{url}{target}{query}"),
            target: format!("{target}{query}"),
            received: change.map_or_else(|| body.replace("\r\n", "\n"), |end| format!("{body}{end}")),
            body,
            content_type,
            method,
            spoil,
        },
    )
}

fn spoiled(value: &str, how: u8) -> String {
    match how {
        0 | 1 => value.to_owned(),
        2 => value.replace("sha256=", "").replace("v0=", ""),
        3 => value.to_ascii_uppercase(),
        4 => value.chars().rev().collect(),
        _ => format!("\"{value}\""),
    }
}

/// Long pieces of what must not be told.
fn pieces(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"+/=-_".contains(c));
    words.filter(|word| word.len() >= 8).map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_told_that_must_not_be(
        secrets in vec("[A-Za-z0-9]{12,24}", 5),
        sent in sent(),
        noise in vec(any::<u8>(), 0..60),
    ) {
        let secrets: [String; 5] = secrets.try_into().unwrap();
        let sources = sources(&secrets);
        for (at, (name, verifier, ..)) in sources.iter().enumerate() {
            // Signed for this source, and for the next one.
            for (_, _, signer, secret) in [&sources[at], &sources[(at + 1) % sources.len()]] {
                let draft = Draft {
                    method: sent.method.to_owned(),
                    url: sent.url.clone(),
                    content_type: Some(sent.content_type.to_owned()),
                    body: Bytes::from(sent.body.clone()),
                    id: "evt_1".to_owned(),
                    now: now(),
                };
                let Ok(signed) = signer.sign(&crate::fixtures::secret(secret), &draft) else { continue };
                let mut headers = vec![
                    ("content-type".to_owned(), sent.content_type.to_owned()),
                    ("host".to_owned(), "proxy.example".to_owned()),
                    ("x-forwarded-proto".to_owned(), "http".to_owned()),
                    ("x-original-uri".to_owned(), format!("{}&Zz=hidden77", sent.target)),
                ];
                headers.extend(signed.headers.iter().map(|(name, value)| (name.clone(), spoiled(value, sent.spoil))));
                let body = if sent.spoil == 1 { Bytes::from(noise.clone()) } else { Bytes::from(sent.received.clone()) };
                let request = Request::new(sent.method, sent.target.as_str(), &headers, body).unwrap();
                let Verdict::Rejected { reject, request } = verifier.verify(request, now()) else { continue };

                let witnesses = sources.iter().map(|(name, verifier, ..)| Witness { name, path: None, verifier });
                let explanation = Explainer::new(witnesses).explain(&request, &reject, name, &Context::default(), now());
                prop_assert!(!explanation.findings.is_empty());
                let told = format!("{explanation:?}");
                let mut forbidden: Vec<String> = secrets.to_vec();
                forbidden.extend(["hushhush".to_owned(), super::sendgrid::PRIVATE.to_owned(), "hidden77".to_owned()]);
                for (_, value) in &signed.headers {
                    forbidden.extend(pieces(value).into_iter().filter(|piece| piece.len() > 20));
                    forbidden.extend(pieces(&spoiled(value, sent.spoil)).into_iter().filter(|piece| piece.len() > 20));
                }
                forbidden.extend(pieces(sent.target.split_once('?').map_or("", |(_, query)| query)));
                forbidden.extend(pieces(&sent.body));
                // The signatures that would have been right.
                for secret in &secrets {
                    let url = format!("https://h.example:8443/pre{}", sent.target);
                    for digest in [Digest::Sha1, Digest::Sha256] {
                        for message in [&[&request.body[..]][..], &[url.as_bytes()], &[url.as_bytes(), &request.body]] {
                            for encoding in [Encoding::Hex, Encoding::Base64] {
                                forbidden.push(mac::sign(secret.as_bytes(), digest, message, encoding).into_text());
                            }
                        }
                    }
                }
                for text in forbidden {
                    prop_assert!(!told.contains(&text), "{text} in {told}");
                }
            }
        }
    }

    #[test]
    fn nothing_panics(
        method in prop_oneof![Just("GET"), Just("POST"), Just("PUT")],
        target in prop_oneof!["/[ -~]{0,40}", "\\PC{0,20}", "/x\\?crc_token=[ -~]{0,20}"],
        values in vec("[ -~]{0,80}|(sha256=|v0=|v1,|t=1795305600,v1=)?[A-Za-z0-9+/_-]{27,128}={0,2}", 0..3),
        body in prop_oneof![vec(any::<u8>(), 0..100), "[ -~\r\n]{0,60}".prop_map(String::into_bytes)],
    ) {
        let secrets = ["one", "two", "three", "four", "five"].map(|text| text.repeat(4));
        let sources = sources(&secrets);
        let names = [
            "x-twitter-webhooks-signature", "x-twitter-webhooks-signature-oauth2", "x-twilio-signature",
            "x-twilio-webhooks-signature-settings", "x-hub-signature-256", "stripe-signature", "x-signature",
            "x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp", "host", "forwarded",
            "x-forwarded-host", "x-forwarded-prefix", "x-original-uri", "content-type", "upgrade",
        ];
        let mut headers: Vec<(&str, &str)> = Vec::new();
        for (at, value) in values.iter().enumerate() {
            headers.extend(names.iter().skip(at).step_by(at + 1).map(|name| (*name, value.as_str())));
        }
        let request = Request::new(method, target, &headers, body).unwrap();
        let explainer =
            Explainer::new(sources.iter().map(|(name, verifier, ..)| Witness { name, path: None, verifier }));
        for (name, verifier, ..) in &sources {
            if let Verdict::Rejected { reject, request } = verifier.verify(request.clone(), now()) {
                let explanation = explainer.explain(&request, &reject, name, &Context::default(), now());
                prop_assert!(!explanation.sentence.is_empty());
            }
        }
    }
}
