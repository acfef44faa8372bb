//! Whole calls and messages, against an application that behaves as it is told.

mod call;
mod logins;
mod message;
mod requests;
mod stream;
mod tls;

use hookhouse_testkit::receiver::{Behaviour, Received, Receiver};
use hookhouse_verify::twilio::{self as scheme, Algorithm, PublicUrl};
use hookhouse_verify::{Key, Verdict};
use http::Method;
use jiff::Timestamp;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rustls::{ClientConfig, RootCertStore};

use super::*;

const TOKEN: &str = "an auth token of the tests";

fn now() -> Timestamp {
    "2026-11-22T03:54:00Z".parse().unwrap()
}

fn client(roots: RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

fn twilio() -> Twilio {
    let signer = Signer::Twilio { algorithm: Algorithm::HmacSha1, shared_key: None };
    Twilio::new(client(RootCertStore::empty())).signed_by(signer, Secret::new(TOKEN).unwrap())
}

fn url(text: &str) -> WebhookUrl {
    WebhookUrl::parse(text).unwrap()
}

fn call_to(text: &str) -> Call {
    Call {
        url: url(text),
        method: Method::POST,
        fallback: None,
        status_callback: None,
        digits: Vec::new(),
        media_frames: 0,
    }
}

fn message_to(text: &str) -> Message {
    Message { url: url(text), method: Method::POST, body: None, fallback: None, status_callback: None }
}

fn twiml(text: &str) -> Behaviour {
    Behaviour::status(200).header("content-type", "text/xml").body(text.to_owned())
}

fn redirect(status: u16, location: &str) -> Behaviour {
    Behaviour::status(status).header("location", location)
}

/// What a call or a message came to.
#[derive(Debug)]
struct Told {
    steps: Vec<Step>,
    outcome: Outcome,
}

async fn call(twilio: &Twilio, call: &Call) -> Told {
    let mut steps = Vec::new();
    let outcome = twilio.call(call, now(), &mut StdRng::seed_from_u64(1), &mut |step| steps.push(step)).await;
    Told { steps, outcome }
}

async fn message(twilio: &Twilio, message: &Message) -> Told {
    let mut steps = Vec::new();
    let mut observe = |step| steps.push(step);
    let outcome = twilio.message(message, now(), &mut StdRng::seed_from_u64(1), &mut observe).await;
    Told { steps, outcome }
}

impl Told {
    /// The codes of what was found; 0 for what Twilio has no number for.
    fn codes(&self) -> Vec<u32> {
        let finding = |step: &Step| match step {
            Step::Finding(finding) => Some(finding.code.unwrap_or(0)),
            _ => None,
        };
        self.steps.iter().filter_map(finding).collect()
    }

    /// What was acted out, `Verb detail`.
    fn verbs(&self) -> Vec<String> {
        let verb = |step: &Step| match step {
            Step::Verb { verb, detail } => Some(format!("{verb} {detail}")),
            Step::Message { from, to, body, media } => Some(format!(
                "{from} to {to}: {body}{}",
                media.iter().map(|url| format!(" [{url}]")).collect::<String>()
            )),
            _ => None,
        };
        self.steps.iter().filter_map(verb).collect()
    }
}

/// The value of a parameter, from the body or the query.
fn parameter(request: &Received, name: &str) -> Option<String> {
    let query = request.target.split_once('?').map_or("", |(_, query)| query);
    let body = form_urlencoded::parse(&request.body);
    let mut all = form_urlencoded::parse(query.as_bytes()).chain(body);
    all.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// Whether a request verifies, where Twilio was told a URL that begins so; and by which spelling.
fn verified(request: &Received, public_url: &str) -> Option<String> {
    let urls = vec![PublicUrl::parse(public_url).unwrap()];
    let tokens = vec![Key::new("k", Secret::new(TOKEN).unwrap())];
    let settings = scheme::Settings { urls, tokens, ..scheme::Settings::default() };
    let headers: Vec<_> = request.headers.iter().map(|(name, value)| (name, value)).collect();
    let (method, target) = (request.method.clone(), request.target.clone());
    let request = hookhouse_verify::Request::new(method, target, &headers, request.body.clone()).unwrap();
    match scheme::Verifier::new(settings).unwrap().verify(request, now()) {
        Verdict::Verified(verified) => verified.evidence().variant.as_deref().map(str::to_owned),
        _ => None,
    }
}

async fn application() -> Receiver {
    Receiver::start().await.unwrap()
}

#[test]
fn debug_shows_no_secret() {
    let secret = || Secret::new("hush hush").unwrap();
    let signer = Signer::Twilio { algorithm: Algorithm::HmacSha1, shared_key: None };
    let twilio = twilio().signed_by(signer, secret()).logging_in(Credentials::new("u", secret()).unwrap());
    let call = call_to("https://u:hush@h/?hush=1");
    assert!(!format!("{twilio:?} {call:?}").contains("hush"), "{twilio:?} {call:?}");
}
