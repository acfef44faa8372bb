//! Challenges over emulated days.

use std::time::Duration;

use hookhouse_core::Clock;
use jiff::Timestamp;
use serde_json::json;

use super::stage::{As, Mood, Stage, start};
use super::webhooks::reason;
use crate::x::options::SigningKey;
use crate::x::{Verdict, reveal, signature};

/// The challenges so far: minutes since the start, why, and whether it passed.
fn challenges(stage: &Stage) -> Vec<(i64, String, bool)> {
    let minutes = |at: Timestamp| at.duration_since(start()).as_mins();
    stage.platform.with_ledger(|ledger| {
        ledger
            .crcs
            .iter()
            .map(|crc| (minutes(crc.at), crc.reason.to_string(), crc.verdict == Verdict::Passed))
            .collect()
    })
}

fn named(expected: &[(i64, &str, bool)]) -> Vec<(i64, String, bool)> {
    expected.iter().map(|(at, why, passed)| (*at, (*why).to_owned(), *passed)).collect()
}

#[tokio::test]
async fn a_webhook_that_answers_is_challenged_once_a_day() {
    let (stage, id) = Stage::registered(|_| {}).await;
    stage.platform.advance(Duration::from_hours(72)).await;
    let daily = |day: i64| (day * 24 * 60, "daily", true);
    assert_eq!(challenges(&stage), named(&[(0, "registration", true), daily(1), daily(2), daily(3)]));
    // A day counts from the last success, whatever it was for.
    stage.platform.advance(Duration::from_hours(1)).await;
    assert_eq!(stage.put(&format!("/2/webhooks/{id}"), As::App).await.0, 200);
    stage.platform.advance(Duration::from_hours(24)).await;
    assert_eq!(challenges(&stage)[4..], named(&[(73 * 60, "PUT", true), (97 * 60, "daily", true)]));
    assert!(stage.platform.webhooks()[0].2);
}

#[tokio::test]
async fn failures_that_pass_are_probed_and_forgiven() {
    let (stage, _) = Stage::registered(|_| {}).await;
    stage.mood(Mood::Status(503));
    stage.platform.advance(Duration::from_mins(25 * 60 + 10)).await;
    stage.mood(Mood::Right);
    stage.platform.advance(Duration::from_hours(26)).await;
    let day = 24 * 60;
    assert_eq!(
        challenges(&stage),
        named(&[
            (0, "registration", true),
            (day, "daily", false),
            (day + 30, "half-hourly", false),
            (day + 60, "half-hourly", false),
            (day + 90, "half-hourly", true),
            (day + 90 + day, "daily", true),
        ])
    );
    assert!(stage.platform.ledger().validity.is_empty());
}

#[tokio::test]
async fn more_than_28_hours_without_a_success_end_it() {
    for mood in [Mood::Status(404), Mood::Status(500), Mood::Hangs] {
        let (stage, id) = Stage::registered(|options| options.crc.timeout = Duration::from_millis(50)).await;
        stage.mood(mood);
        stage.platform.advance(Duration::from_hours(28)).await;
        assert!(stage.platform.webhooks()[0].2, "{mood:?}: 28 hours are not more than 28 hours");
        stage.platform.advance(Duration::from_secs(1)).await;
        assert!(!stage.platform.webhooks()[0].2, "{mood:?}");
        let seen = challenges(&stage).len();
        assert_eq!(seen, 1 + 9, "at 24 h, and every half hour until 28 h");
        stage.mood(Mood::Right);
        stage.platform.advance(Duration::from_hours(48)).await;
        assert_eq!(challenges(&stage).len(), seen, "nobody asks an invalid webhook");
        assert_eq!(stage.put(&format!("/2/webhooks/{id}"), As::App).await.0, 200);
        assert!(stage.platform.webhooks()[0].2);
        let turns: Vec<_> = stage.platform.ledger().validity.iter().map(|turn| turn.valid).collect();
        assert_eq!(turns, [false, true]);
    }
}

#[tokio::test]
async fn a_challenge_at_the_28th_hour_still_counts() {
    let (stage, _) = Stage::registered(|_| {}).await;
    stage.mood(Mood::Status(500));
    stage.platform.advance(Duration::from_mins(28 * 60 - 1)).await;
    stage.mood(Mood::Right);
    stage.platform.advance(Duration::from_hours(2)).await;
    assert!(stage.platform.webhooks()[0].2);
}

#[tokio::test]
async fn a_wrong_token_and_a_redirect_end_it_at_once() {
    for mood in [Mood::WrongToken, Mood::Redirects, Mood::Status(204)] {
        let (stage, _) = Stage::registered(|_| {}).await;
        stage.mood(mood);
        stage.platform.advance(Duration::from_hours(24)).await;
        assert!(!stage.platform.webhooks()[0].2, "{mood:?}");
        stage.platform.advance(Duration::from_hours(24)).await;
        assert_eq!(challenges(&stage).len(), 2, "{mood:?}");
    }
}

/// One certificate that has ended, one that nobody vouches for; with one that is right, a peer that hangs up after the
/// handshake is a failure for now.
#[tokio::test]
async fn a_fault_of_tls_ends_it_at_once() {
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    let expired = {
        let mut parameters = rcgen::CertificateParams::new(vec!["hooks.example.com".to_owned()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2021, 1, 1);
        parameters
    };
    let current = || rcgen::CertificateParams::new(vec!["hooks.example.com".to_owned()]).unwrap();
    let cases =
        [(expired, true, Some("xpired")), (current(), false, Some("UnknownIssuer")), (current(), true, None)];
    for (parameters, trusted, words) in cases {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut server = JoinSet::new();
        server.spawn(async move {
            let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
            while let Ok((stream, _)) = listener.accept().await {
                drop(acceptor.accept(stream).await);
            }
        });
        let stage = Stage::new(|options| {
            options.connect_to = vec![("hooks.example.com".to_owned(), address)];
            let mut roots = rustls::RootCertStore::empty();
            if trusted {
                roots.add(certificate.der().clone()).unwrap();
            }
            options.roots = Some(roots);
        })
        .await;
        let url = json!({ "url": "https://hooks.example.com/x" });
        let (status, body) = stage.post("/2/webhooks", As::App, url).await;
        assert_eq!((status, reason(&body)), (400, "CrcValidationFailed"));
        let verdict = stage.platform.ledger().crcs[0].verdict.clone();
        match (&verdict, words) {
            (Verdict::Invalid(why), Some(words)) => {
                assert!(why.starts_with("TLS: ") && why.contains(words), "{why}");
            }
            (Verdict::Transient(_), None) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_put_that_fails_for_now_changes_nothing() {
    let (stage, id) = Stage::registered(|_| {}).await;
    stage.mood(Mood::Status(500));
    let (status, body) = stage.put(&format!("/2/webhooks/{id}"), As::App).await;
    assert_eq!((status, reason(&body)), (400, "CrcValidationFailed"));
    assert!(stage.platform.webhooks()[0].2);
    stage.mood(Mood::Right);
    stage.platform.advance(Duration::from_hours(24)).await;
    assert_eq!(challenges(&stage).last().unwrap().1, "daily");
}

#[tokio::test]
async fn challenges_are_signed_as_the_options_say() {
    let (stage, id) = Stage::registered(|options| options.crc.sign_periodic = false).await;
    stage.platform.advance(Duration::from_hours(24)).await;
    stage.put(&format!("/2/webhooks/{id}"), As::App).await;
    let secret = stage.platform.credentials().consumer_secret;
    let seen = stage.hook.challenges.lock().unwrap().clone();
    let signed: Vec<_> = seen.iter().map(|(_, headers)| headers.contains_key(signature::HEADER)).collect();
    assert_eq!(signed, [true, false, true]);
    let (query, headers) = &seen[0];
    assert_eq!(headers[signature::HEADER], signature::sign(&secret, query.as_bytes()));
}

#[tokio::test]
async fn the_client_secret_may_be_the_key() {
    let stage = Stage::new(|options| options.crc.key = SigningKey::Oauth2).await;
    let (status, _) = stage.post("/2/webhooks", As::App, json!({ "url": stage.hook_url })).await;
    assert_eq!(status, 400, "the answer was made with the consumer secret");
    *stage.hook.secret.lock().unwrap() = stage.platform.credentials().client_secret;
    stage.register().await;
    let (_, headers) = stage.hook.challenges.lock().unwrap().last().unwrap().clone();
    assert!(headers.contains_key(signature::OAUTH2_HEADER) && !headers.contains_key(signature::HEADER));
}

#[tokio::test]
async fn a_regenerated_secret_breaks_the_challenge_until_it_is_known() {
    let (stage, id) = Stage::registered(|_| {}).await;
    let old = stage.platform.credentials().consumer_secret;
    let new = stage.platform.rotate_consumer_secret();
    assert_ne!(reveal(&old), reveal(&new));
    stage.platform.advance(Duration::from_hours(24)).await;
    assert!(!stage.platform.webhooks()[0].2);
    *stage.hook.secret.lock().unwrap() = new;
    assert_eq!(stage.put(&format!("/2/webhooks/{id}"), As::App).await.0, 200);
    assert!(stage.platform.webhooks()[0].2);
    assert_eq!(stage.platform.clock().now().duration_since(start()).as_hours(), 24);
}
