use std::net::{Ipv4Addr, SocketAddr};

use hookhouse_verify::descriptor::Descriptor;
use hookhouse_verify::{Key, Verdict, Verifier, catalogue, hmac};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::net::TcpListener;

use super::*;
use crate::{Fixture, Receiver};

const PUBLIC_URL: &str = "https://hooks.example.com:8443/gate/webhooks/in?tenant=o%27hara";
const TARGET: &str = "http://127.0.0.1:9/webhooks/in";

fn now() -> Timestamp {
    "2026-11-22T03:54:00.125Z".parse().unwrap()
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(5)
}

/// Any secret that every scheme takes: base64 after `whsec_`, and plain text at once.
fn secret() -> Secret {
    Secret::new("whsec_aGVhcnRiZWF0IG9mIGEgd2ViaG9vayBnYXRld2F5").unwrap()
}

fn signer(provider: &str) -> Option<Signer> {
    match provider {
        "hmac" => Some(Signer::Hmac(Descriptor::new("X-House-Mac"))),
        "none" => None,
        other => Some(Signer::for_provider(other).unwrap()),
    }
}

fn verifier(provider: &'static str) -> Verifier {
    let keys = vec![Key::new("k", secret())];
    let url = twilio::PublicUrl::parse("https://hooks.example.com:8443/gate").unwrap();
    match provider {
        "x" => {
            Verifier::X(x::Verifier::new(x::Settings { consumer: keys, ..x::Settings::default() }).unwrap())
        }
        "twilio" => {
            let settings = twilio::Settings { urls: vec![url], tokens: keys, ..twilio::Settings::default() };
            Verifier::Twilio(twilio::Verifier::new(settings).unwrap())
        }
        "none" => Verifier::Unsigned,
        other => {
            let row = catalogue::find(other).map(|row| row.descriptor.clone());
            let descriptor = row.unwrap_or_else(|| Descriptor::new("X-House-Mac"));
            Verifier::Hmac(hmac::Verifier::new(other, descriptor, keys, vec![url]).unwrap())
        }
    }
}

fn sender(provider: &str, target: &str) -> Sender {
    let sender = Sender::new(target).unwrap().known_as(PUBLIC_URL).unwrap();
    match signer(provider) {
        Some(signer) => sender.signed_by(signer, secret()),
        None => sender,
    }
}

/// What a server would hand to the verifier.
fn received(request: &Request<Bytes>) -> hookhouse_verify::Request {
    let headers: Vec<_> = request.headers().iter().map(|(name, value)| (name, value.as_bytes())).collect();
    let method = request.method().as_str().to_owned();
    hookhouse_verify::Request::new(method, request.uri().to_string(), &headers, request.body().clone())
        .unwrap()
}

#[test]
fn every_fixture_verifies_as_it_is_sent_and_not_when_tampered_with() {
    for fixture in Fixture::all() {
        let sender = sender(fixture.provider, TARGET);
        let event = fixture.render(now(), &mut rng());
        let verdict = |tamper| {
            verifier(fixture.provider)
                .verify(received(&sender.request(&event, now(), tamper).unwrap()), now())
        };
        match verdict(None) {
            Verdict::Verified(verified) => {
                assert_eq!(verified.request().body, event.body);
                assert_eq!(verified.evidence().provider, fixture.provider);
            }
            Verdict::Unsigned(_) => assert_eq!(fixture.provider, "none"),
            other => panic!("{fixture}: {other:?}"),
        }
        if fixture.provider == "none" {
            continue;
        }
        for tamper in [Tamper::Signature, Tamper::Body] {
            let Verdict::Rejected { reject, .. } = verdict(Some(tamper)) else {
                panic!("{fixture} passed with a changed {tamper:?}");
            };
            assert!(["sig.mismatch", "twilio.body_hash"].contains(&reject.code()), "{fixture}: {reject}");
        }
    }
}

#[test]
fn a_request_looks_like_the_providers() {
    let event = Fixture::find("twilio", "message.received").unwrap().render(now(), &mut rng());
    let request = sender("twilio", TARGET).request(&event, now(), None).unwrap();
    assert_eq!(
        request.uri(),
        "/webhooks/in?tenant=o%27hara",
        "the path to call, with the query that was signed"
    );
    let header = |name: &str| request.headers().get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!(header("host"), "hooks.example.com:8443");
    assert_eq!(header("user-agent"), "TwilioProxy/1.1");
    assert_eq!(header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(header("x-twilio-signature").len(), 28);
    assert_eq!(header("i-twilio-idempotency-token"), event.id);

    let event = Fixture::find("twilio", "com.twilio.messaging.inbound-message.received").unwrap();
    let request = sender("twilio", TARGET).request(&event.render(now(), &mut rng()), now(), None).unwrap();
    assert!(request.uri().query().unwrap().starts_with("tenant=o%27hara&bodySHA256="), "{}", request.uri());
}

/// A repeated header is refused by whoever cannot tell which one is meant.
#[test]
fn no_header_is_sent_twice() {
    for fixture in Fixture::all() {
        let event = fixture.render(now(), &mut rng());
        let request = sender(fixture.provider, TARGET).request(&event, now(), None).unwrap();
        for name in request.headers().keys() {
            assert_eq!(request.headers().get_all(name).iter().count(), 1, "{fixture}: {name}");
        }
    }
}

#[tokio::test]
async fn an_event_arrives_byte_for_byte() {
    let (receiver, mut requests) = Receiver::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let sender = sender("x", &format!("http://{}/hook", receiver.local_addr()));
    let event = Fixture::find("x", "post.create").unwrap().render(now(), &mut rng());
    let exchange = async {
        let sent = sender.send(&event, now(), None).await.unwrap();
        assert_eq!((sent.status, sent.body.len()), (StatusCode::OK, 0));
        requests.recv().await.unwrap()
    };
    let request = tokio::select! {
        request = exchange => request,
        () = receiver.run() => unreachable!("a receiver does not stop by itself"),
    };
    assert_eq!(request.body(), &event.body);
    assert!(matches!(verifier("x").verify(received(&request), now()), Verdict::Verified(_)));
}

#[tokio::test]
async fn a_challenge_has_the_shape_of_captured_ones() {
    for signed in [true, false] {
        let (receiver, mut requests) =
            Receiver::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let target = format!("http://{}/webhooks/x", receiver.local_addr());
        let sender = Sender::new(&target).unwrap().signed_by(Signer::X, secret());
        let mut rng = rng();
        let exchange = async {
            let challenge = sender.challenge(now(), &mut rng, signed).await.unwrap();
            (challenge, requests.recv().await.unwrap())
        };
        let (challenge, request) = tokio::select! {
            both = exchange => both,
            () = receiver.run() => unreachable!("a receiver does not stop by itself"),
        };
        assert_eq!(challenge.verdict, Err(CrcFault::Malformed), "the receiver answers with nothing");
        assert_eq!(challenge.token.len(), 48);
        assert_eq!(request.uri().query().unwrap().len(), "crc_token=&nonce=".len() + 48 + 18);
        let Verdict::Handshake(handshake) = verifier("x").verify(received(&request), now()) else {
            panic!("not recognised as a challenge");
        };
        assert_eq!(handshake.signed, signed);
        let answer = |status, body: &str| Sent {
            status,
            headers: HeaderMap::new(),
            body: Bytes::from(body.to_owned()),
            elapsed: Duration::ZERO,
        };
        let judge = |sent| sender.judge(&challenge.token, &sent);
        assert_eq!(judge(answer(StatusCode::OK, &handshake.body)), Ok(()));
        assert_eq!(
            judge(answer(StatusCode::OK, "{\"response_token\":\"sha256=AAAA\"}")),
            Err(CrcFault::WrongToken)
        );
        assert_eq!(judge(answer(StatusCode::FOUND, &handshake.body)), Err(CrcFault::Redirect));
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(judge(answer(unavailable, "")), Err(CrcFault::Status(unavailable)));
    }
}

#[test]
fn only_http_urls_are_called() {
    assert_eq!(Sender::new("https://example.com/x").unwrap_err(), TargetError::Https);
    for bad in ["", "example.com/x", "/x", "ftp://example.com/x", "http://", "unix:/run/x"] {
        assert!(matches!(Sender::new(bad), Err(TargetError::NotAUrl)), "{bad}");
    }
    assert!(matches!(Sender::new(TARGET).unwrap().known_as("/x"), Err(TargetError::NotAUrl)));
}

#[test]
fn debug_and_errors_show_no_password() {
    let sender = Sender::new("http://user:hush@127.0.0.1/x?token=hush").unwrap();
    let sender = sender.known_as("https://user:hush@example.com/x").unwrap().signed_by(Signer::X, secret());
    assert!(!format!("{sender:?}").contains("hush"), "{sender:?}");
    assert!(!Sender::new("ftp://user:hush@127.0.0.1").unwrap_err().to_string().contains("hush"));
}

#[tokio::test]
async fn a_silent_or_absent_endpoint_is_told_apart() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let target = format!("http://{}/", listener.local_addr().unwrap());
    let event = Fixture::find("none", "note").unwrap().render(now(), &mut rng());
    let silent = Sender::new(&target).unwrap().within(Duration::from_millis(50));
    assert!(matches!(silent.send(&event, now(), None).await, Err(SendError::TimedOut(_))));
    drop(listener);
    assert!(matches!(silent.send(&event, now(), None).await, Err(SendError::Connect { .. })));
}
