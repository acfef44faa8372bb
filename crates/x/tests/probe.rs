//! The prober and the registration, against endpoints that are right, and wrong in each way.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::io;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use hookhouse_core::{Secret, SystemClock};
use hookhouse_verify::x::{self, Settings};
use hookhouse_verify::{Key, Request as Signed, Verdict, Verifier};
use hookhouse_x::calls::webhooks::{ReplayJob, Webhook};
use hookhouse_x::probe::{CrcProber, PROBE_AGENT, ProbeFault, ProbeKey, Prober};
use hookhouse_x::register::{Outcome, RegisterError, confirm, register};
use hookhouse_x::rules::{Caller, UrlFault, UrlWarning};
use hookhouse_x::{Error, Minute, Platform, Transport, TransportError, WebhookId};
use http::{Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

const SECRET: &str = "the consumer secret of the tests";

fn secret() -> Secret {
    Secret::new(SECRET).unwrap()
}

fn prober(transport: Transport) -> CrcProber {
    CrcProber::new(transport, ProbeKey { secret: secret(), oauth2: false }, Arc::new(SystemClock))
}

/// An endpoint.
type Answer = fn(&Request<Incoming>) -> Response<Full<Bytes>>;

/// As Hookhouse answers: only what our own verifier takes for a signed challenge.
fn right(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    assert_eq!(request.headers()[header::USER_AGENT], PROBE_AGENT);
    let headers: Vec<_> = request.headers().iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
    let signed = Signed::new("GET", request.uri().to_string(), &headers, "").unwrap();
    let mut settings =
        Settings { consumer: vec![Key::new("consumer_secret", secret())], ..Settings::default() };
    settings.crc.signature = x::CrcSignature::Require;
    settings.crc.shape = x::CrcShape::XStrict;
    let verifier = Verifier::X(x::Verifier::new(settings).unwrap());
    match verifier.verify(signed, "2026-11-22T12:00:00Z".parse().unwrap()) {
        Verdict::Handshake(handshake) => {
            assert!(handshake.signed);
            Response::new(Full::new(Bytes::from(handshake.body)))
        }
        other => panic!("{other:?}"),
    }
}

fn status(status: u16, body: &'static str) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::from(body)).unwrap()
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, answer: Answer) {
    let service =
        service_fn(move |request: Request<Incoming>| async move { Ok::<_, io::Error>(answer(&request)) });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// A plain endpoint on loopback, and its URL.
async fn endpoint(answer: Answer) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://127.0.0.1:{}/webhooks/x", listener.local_addr().unwrap().port());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            serve(stream, answer).await;
        }
    });
    (url, tasks)
}

/// The same with a certificate for `name`; the authority that a client would have to trust comes along.
async fn secured(name: &str, answer: Answer) -> (String, RootCertStore, JoinSet<()>) {
    let key = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(key.cert.der().clone()).unwrap();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/webhooks/x", listener.local_addr().unwrap().port());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream, answer).await;
            }
        }
    });
    (url, roots, tasks)
}

#[tokio::test]
async fn an_endpoint_that_answers_rightly_is_ready() {
    let (url, _tasks) = endpoint(right).await;
    prober(Transport::system()).probe(&url).await.unwrap();
    let (url, roots, _tasks) = secured("localhost", right).await;
    prober(Transport::trusting(roots)).probe(&url).await.unwrap();
}

#[tokio::test]
async fn the_urls_own_query_comes_first() {
    let (url, _tasks) = endpoint(|request| {
        assert!(request.uri().query().unwrap().starts_with("tenant=1&crc_token="), "{}", request.uri());
        right(request)
    })
    .await;
    prober(Transport::system()).probe(&format!("{url}?tenant=1")).await.unwrap();
}

#[tokio::test]
async fn each_wrong_answer_is_told_apart_and_the_fatal_ones_are_known() {
    type IsIt = fn(&ProbeFault) -> bool;
    let cases: [(Answer, IsIt, bool); 7] = [
        (
            |_| {
                let mut moved = status(308, "");
                moved.headers_mut().insert(header::LOCATION, "https://www.example.com/".parse().unwrap());
                moved
            },
            |fault| matches!(fault, ProbeFault::Redirect { status: 308, to: Some(to) } if to == "https://www.example.com/"),
            true,
        ),
        (|_| status(404, ""), |fault| matches!(fault, ProbeFault::Status { status: 404 }), false),
        (|_| status(503, ""), |fault| matches!(fault, ProbeFault::Status { status: 503 }), false),
        (|_| status(204, ""), |fault| matches!(fault, ProbeFault::Status { status: 204 }), false),
        (|_| status(200, "<html>It works!</html>"), |fault| matches!(fault, ProbeFault::NotAnAnswer), true),
        (
            |_| status(200, r#"{"error":"No crc_token"}"#),
            |fault| matches!(fault, ProbeFault::NotAnAnswer),
            true,
        ),
        (
            |_| status(200, r#"{"response_token":"sha256=x0mYd8hz2goCTfcNAaMqENy2BFgJJfJOb4PdvTffpwg="}"#),
            |fault| matches!(fault, ProbeFault::WrongToken),
            true,
        ),
    ];
    for (number, (answer, is_it, fatal)) in cases.into_iter().enumerate() {
        let (url, _tasks) = endpoint(answer).await;
        let fault = prober(Transport::system()).probe(&url).await.unwrap_err();
        assert!(is_it(&fault), "{number}: {fault:?}");
        assert_eq!(fault.is_fatal(), fatal, "{number}: {fault:?}");
        assert!(fault.advice().len() > 20, "{number}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_good_is_fatal_and_said() {
    let (url, _, _tasks) = secured("localhost", right).await;
    let unknown = prober(Transport::trusting(RootCertStore::empty())).probe(&url).await.unwrap_err();
    let (url, roots, _tasks) = secured("other.example", right).await;
    let misnamed = prober(Transport::trusting(roots)).probe(&url).await.unwrap_err();
    for fault in [unknown, misnamed] {
        assert!(matches!(fault, ProbeFault::Unreachable(TransportError::Certificate { .. })), "{fault:?}");
        assert!(fault.is_fatal());
        assert!(fault.line().contains("the certificate of `localhost` is not valid"), "{}", fault.line());
    }
}

#[tokio::test]
async fn nobody_there_is_a_fault_that_x_forgives() {
    let (url, tasks) = endpoint(right).await;
    drop(tasks);
    let fault = prober(Transport::system()).probe(&url).await.unwrap_err();
    assert!(matches!(fault, ProbeFault::Unreachable(TransportError::Connect { .. })), "{fault:?}");
    assert!(!fault.is_fatal());
}

/// An X that has what it was given, and notes what it is asked.
#[derive(Debug, Default)]
struct Platformer {
    has: Mutex<Vec<Webhook>>,
    /// What a create is answered with, if not with success.
    refuses: Option<fn() -> Error>,
    /// Appears when a create was refused.
    hidden: Option<Webhook>,
    /// Whether what is created or validated becomes valid.
    valid: bool,
    calls: Mutex<Vec<&'static str>>,
}

#[async_trait]
impl Platform for Platformer {
    async fn webhooks(&self) -> Result<Vec<Webhook>, Error> {
        self.calls.lock().unwrap().push("list");
        Ok(self.has.lock().unwrap().clone())
    }

    async fn create(&self, url: &str) -> Result<Webhook, Error> {
        self.calls.lock().unwrap().push("create");
        let mut has = self.has.lock().unwrap();
        if let Some(refuses) = self.refuses {
            has.extend(self.hidden.clone());
            return Err(refuses());
        }
        has.push(Webhook { valid: self.valid, ..webhook(url) });
        Ok(has[0].clone())
    }

    async fn validate(&self, _: &WebhookId) -> Result<(), Error> {
        self.calls.lock().unwrap().push("validate");
        for webhook in self.has.lock().unwrap().iter_mut() {
            webhook.valid = self.valid;
        }
        Ok(())
    }

    async fn replay(&self, _: &WebhookId, _: Minute, _: Minute) -> Result<ReplayJob, Error> {
        unreachable!("a registration replays nothing")
    }
}

#[derive(Debug)]
struct Fine;

#[async_trait]
impl Prober for Fine {
    async fn probe(&self, _: &str) -> Result<hookhouse_x::probe::Probed, ProbeFault> {
        Ok(hookhouse_x::probe::Probed { took: std::time::Duration::ZERO })
    }
}

#[derive(Debug)]
struct Broken;

#[async_trait]
impl Prober for Broken {
    async fn probe(&self, _: &str) -> Result<hookhouse_x::probe::Probed, ProbeFault> {
        Err(ProbeFault::WrongToken)
    }
}

const URL: &str = "https://hooks.example.com/x";

fn webhook(url: &str) -> Webhook {
    Webhook { id: "123".parse().unwrap(), url: url.to_owned(), valid: false, created_at: None }
}

impl Platformer {
    fn calls(&self) -> Vec<&'static str> {
        self.calls.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_url_is_created_and_confirmed() {
    let platform = Platformer { valid: true, ..Platformer::default() };
    let done = register(&platform, &Fine, &format!("{URL}?a=b"), Caller::X).await.unwrap();
    assert_eq!((done.outcome, done.webhook.id.as_str()), (Outcome::Registered, "123"));
    assert_eq!(done.warnings, [UrlWarning::Query]);
    assert_eq!(platform.calls(), ["list", "create", "list"]);
}

#[tokio::test(start_paused = true)]
async fn a_url_that_is_registered_is_validated_instead() {
    let platform = Platformer { valid: true, ..Platformer::default() };
    platform.has.lock().unwrap().push(webhook("https://HOOKS.example.com/x"));
    let done = register(&platform, &Fine, URL, Caller::X).await.unwrap();
    assert_eq!(done.outcome, Outcome::Known);
    assert_eq!(platform.calls(), ["list", "validate", "list"]);
}

#[tokio::test(start_paused = true)]
async fn the_same_url_is_recognised_behind_either_refusal() {
    let refusals: [fn() -> Error; 2] = [
        || Error::DuplicateUrl { detail: "exists".to_owned() },
        || Error::WebhookLimit { detail: "1 of 1".to_owned() },
    ];
    for refuses in refusals {
        let known = Platformer {
            valid: true,
            refuses: Some(refuses),
            hidden: Some(webhook(URL)),
            ..Platformer::default()
        };
        let done = register(&known, &Fine, URL, Caller::X).await.unwrap();
        assert_eq!(done.outcome, Outcome::Known);
        assert_eq!(known.calls(), ["list", "create", "list", "validate", "list"]);

        let other = webhook("https://other.example.com/x");
        let full =
            Platformer { valid: true, refuses: Some(refuses), hidden: Some(other), ..Platformer::default() };
        let error = register(&full, &Fine, URL, Caller::X).await.unwrap_err();
        assert!(matches!(error, RegisterError::X(_)), "{error:?}");
        assert_eq!(full.calls(), ["list", "create", "list"]);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_of_x_before_the_url_is_ready() {
    let platform = Platformer::default();
    let error = register(&platform, &Broken, URL, Caller::X).await.unwrap_err();
    assert!(matches!(error, RegisterError::Probe(ProbeFault::WrongToken)), "{error:?}");
    assert!(error.advice().contains("consumer secret"), "{}", error.advice());
    let error = register(&platform, &Fine, "https://hooks.example.com:8443/x", Caller::X).await.unwrap_err();
    assert!(
        matches!(&error, RegisterError::Url(faults) if faults == &[UrlFault::Port("8443".to_owned())]),
        "{error:?}"
    );
    assert!(error.to_string().contains("`:8443`"), "{error}");
    assert!(platform.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_x_does_not_call_valid_is_not_registered() {
    let platform = Platformer::default();
    let error = register(&platform, &Fine, URL, Caller::X).await.unwrap_err();
    assert!(
        matches!(&error, RegisterError::NotValid { webhook } if webhook.id.as_str() == "123"),
        "{error:?}"
    );
    assert_eq!(platform.calls().len(), 6, "it looks four times, not for ever");
    let none = confirm(&platform, |webhook| webhook.url == "other", true).await.unwrap_err();
    assert!(matches!(none, RegisterError::NotListed), "{none:?}");
}
