//! What a destination receives, end to end.

use hookhouse_core::Secret;
use hookhouse_delivery::{Destination, DestinationSigning};
use hookhouse_verify::sign::Signer;

use crate::world::{World, destination};

#[tokio::test(start_paused = true)]
async fn a_destination_receives_the_event_and_what_hookhouse_knows() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:3000");
    let running = world.start(&[destination("app", "http://10.0.0.1:3000/hooks?t=1")]).await;
    let headers = [
        ("content-type", "application/json"),
        ("x-signature", "sha256=theirs"),
        ("connection", "keep-alive, x-hop"),
        ("x-hop", "1"),
        ("x-forwarded-for", "6.6.6.6"),
        ("hookhouse-verified", "forged"),
        ("accept-encoding", "gzip"),
        ("content-length", "999"),
    ];
    let id = world.event_with("/webhooks/in?a=%2F", &headers, "{\"n\": 1}").await;
    let request = receiver.wait_for(1).await.remove(0);
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/hooks?t=1&a=%2F"));
    assert_eq!(&request.body[..], b"{\"n\": 1}");
    let mut sent: Vec<_> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    sent.sort_unstable();
    let said: Vec<_> =
        sent.iter().map(|name| format!("{name}: {}", request.header(name).unwrap_or_default())).collect();
    assert_eq!(
        said,
        [
            "accept-encoding: identity",
            "content-length: 8",
            "content-type: application/json",
            "hookhouse-attempt: 1",
            &format!("hookhouse-event-id: {id}"),
            "hookhouse-source: in",
            "hookhouse-verified: none",
            "host: 10.0.0.1:3000",
            "x-forwarded-for: 203.0.113.9",
            "x-signature: sha256=theirs",
        ]
    );
    running.drain().await;
}

#[tokio::test(start_paused = true)]
async fn each_try_says_which_it_is_and_is_signed_anew() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    receiver.next(hookhouse_testkit::receiver::Behaviour::status(500));
    let secret = Secret::new("0123456789abcdef").unwrap();
    let app = Destination {
        sign: Some(DestinationSigning::StandardWebhooks(secret)),
        ..destination("app", "http://10.0.0.1/")
    };
    let running = world.start(&[app]).await;
    world.event("hi").await;
    let tries = receiver.wait_for(2).await;
    let of = |name: &str| [&tries[0], &tries[1]].map(|r| r.header(name).unwrap().to_owned());
    assert_eq!(of("hookhouse-attempt"), ["1", "2"]);
    let [first, second] = of("webhook-timestamp").map(|t| t.parse::<i64>().unwrap());
    assert_eq!(second - first, 5);
    let [first, second] = of("webhook-signature");
    assert_ne!(first, second);
    let [first, second] = of("webhook-id");
    assert_eq!(first, second);
    running.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_get_without_a_body_stays_one() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    let running = world.start(&[destination("app", "http://10.0.0.1/")]).await;
    world.get("/in?a=1").await;
    let request = receiver.wait_for(1).await.remove(0);
    assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/?a=1"));
    assert!(request.body.is_empty());
    assert_eq!(request.header("content-length"), None);
    running.drain().await;
}

/// The configured scheme of a source counts before what its provider's name would say.
#[tokio::test(start_paused = true)]
async fn an_event_is_signed_as_its_source_is_configured() {
    let mut world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    world.signers.insert("in".parse().unwrap(), Signer::for_provider("github").unwrap());
    let secret = Secret::new("0123456789abcdef").unwrap();
    let app = Destination {
        sign: Some(DestinationSigning::Provider(secret)),
        ..destination("app", "http://10.0.0.1/")
    };
    let running = world.start(&[app]).await;
    world.event_with("/in", &[("x-hub-signature-256", "sha256=theirs")], "hi").await;
    let request = receiver.wait_for(1).await.remove(0);
    let made = request.header("x-hub-signature-256").unwrap();
    assert!(made.starts_with("sha256=") && made.len() == "sha256=".len() + 64, "{made}");
    running.drain().await;
}
