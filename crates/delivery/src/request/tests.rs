use std::borrow::Cow;

use hookhouse_core::event::Record;
use hookhouse_core::{Edit, Edited, EventId, Headers, Secret, Sequence};
use hookhouse_verify::Request as Incoming;

use super::*;
use crate::RetrySchedule;

fn event(target: &str, headers: &[(&str, &[u8])], provenance: Provenance) -> StoredEvent {
    let record = Record {
        source: "x-prod".parse().unwrap(),
        received_at: Timestamp::UNIX_EPOCH,
        peer: Some("::ffff:203.0.113.9".parse().unwrap()),
        request: Incoming::new("POST", target, headers, &b"{\"a\":1}"[..]).unwrap(),
        provenance,
        event_type: None,
    };
    StoredEvent::from_store(EventId::with_position(Timestamp::UNIX_EPOCH, 7, 1), Sequence(7), record)
}

fn signed() -> Provenance {
    Provenance {
        redacted: Vec::new(),
        provider: Cow::Borrowed("x"),
        scheme: Some(Cow::Borrowed("x-post-hmac-sha256")),
        key: Some("previous_secrets[0]".to_owned()),
        variant: None,
        edited: None,
    }
}

fn unsigned() -> Provenance {
    Provenance {
        provider: Cow::Borrowed("none"),
        scheme: None,
        key: None,
        variant: None,
        edited: None,
        redacted: Vec::new(),
    }
}

fn destination(url: &str, sign: Option<DestinationSigning>) -> Destination {
    Destination {
        name: "app".parse().unwrap(),
        url: url.parse().unwrap(),
        kind: crate::destination::Kind::Http,
        allow_loopback: false,
        timeout: std::time::Duration::from_secs(10),
        concurrency: 1,
        retry: RetrySchedule { pauses: Vec::new(), jitter: 0.0 },
        sign,
    }
}

fn built(
    event: &StoredEvent,
    sign: Option<DestinationSigning>,
    signer: Option<&Signer>,
) -> Request<Full<Bytes>> {
    let now = "2026-11-22T10:00:00Z".parse().unwrap();
    build(event, &destination("http://app:3000/hooks", sign), AttemptNumber(3), now, signer).unwrap()
}

fn value<'a>(request: &'a Request<Full<Bytes>>, name: &str) -> Option<&'a [u8]> {
    let mut values = request.headers().get_all(name).iter();
    let value = values.next().map(HeaderValue::as_bytes);
    assert_eq!(values.next(), None, "`{name}` is repeated");
    value
}

#[test]
fn the_url_is_the_destinations_with_the_events_raw_query() {
    for (url, query, expected) in [
        ("http://app:3000/hooks", None, "http://app:3000/hooks"),
        ("http://app:3000/hooks", Some(""), "http://app:3000/hooks"),
        ("http://app:3000/hooks", Some("a=%2F&b"), "http://app:3000/hooks?a=%2F&b"),
        ("http://app:3000/hooks?t=1", Some("a=1?b"), "http://app:3000/hooks?t=1&a=1?b"),
        ("http://app:3000/hooks?t=1", None, "http://app:3000/hooks?t=1"),
        ("http://app:3000/hooks?", Some("a"), "http://app:3000/hooks?a"),
        ("https://app", Some("a"), "https://app/?a"),
    ] {
        assert_eq!(join(&url.parse().unwrap(), query), expected);
    }
}

#[test]
fn what_the_sender_said_end_to_end_goes_on_byte_for_byte() {
    let headers: &[(&str, &[u8])] = &[
        ("Content-Type", b"application/json; charset=utf-8"),
        ("X-Twitter-Webhooks-Signature", b"sha256=abc="),
        ("User-Agent", b"TwitterBot"),
        ("X-Bytes", b"caf\xe9\t\xff"),
        ("X-Many", b"1"),
        ("x-many", b"2"),
        ("Authorization", b"Bearer for-the-app"),
        ("X-Empty", b""),
    ];
    let event = event("/webhooks/twitter?nonce=a%20b", headers, signed());
    let request = built(&event, None, None);
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri(), "http://app:3000/hooks?nonce=a%20b");
    for (name, bytes) in headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("x-many")) {
        assert_eq!(value(&request, name), Some(*bytes), "{name}");
    }
    let many: Vec<_> = request.headers().get_all("x-many").iter().collect();
    assert_eq!(many, ["1", "2"]);
}

#[test]
fn a_trace_goes_on_as_it_came() {
    let headers: &[(&str, &[u8])] = &[
        ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("tracestate", b"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        ("baggage", b"userId=alice"),
    ];
    let request = built(&event("/webhooks/twitter", headers, signed()), None, None);
    for (name, bytes) in headers {
        assert_eq!(value(&request, name), Some(*bytes), "{name}");
    }
}

#[test]
fn what_concerns_one_connection_or_claims_to_be_ours_stays_behind() {
    let headers: &[(&str, &[u8])] = &[
        ("Host", b"hooks.example.com"),
        ("Content-Length", b"7"),
        ("Connection", b"close, X-Hop ,\tx-other-hop"),
        ("Connection", b"x-third"),
        ("X-Hop", b"1"),
        ("X-Other-Hop", b"1"),
        ("X-Third", b"1"),
        ("Keep-Alive", b"timeout=5"),
        ("Proxy-Connection", b"keep-alive"),
        ("Proxy-Authorization", b"Basic eA=="),
        ("Proxy-Authenticate", b"Basic"),
        ("TE", b"trailers"),
        ("Trailer", b"x-sum"),
        ("Transfer-Encoding", b"chunked"),
        ("Upgrade", b"h2c"),
        ("Expect", b"100-continue"),
        ("Accept-Encoding", b"gzip, br"),
        ("Forwarded", b"for=6.6.6.6"),
        ("X-Forwarded", b"for=6.6.6.6"),
        ("X-Forwarded-For", b"6.6.6.6"),
        ("X-Forwarded-Host", b"evil"),
        ("X-Forwarded-Proto", b"https"),
        ("X-Real-IP", b"6.6.6.6"),
        ("Via", b"1.1 proxy"),
        ("Hookhouse-Verified", b"x-post-hmac-sha256; key=consumer_secret"),
        ("Hookhouse-Event-Id", b"evt_forged"),
        ("Hookhouse-Anything", b"1"),
        ("Hookhouse_Verified", b"x-post-hmac-sha256; key=consumer_secret"),
        ("X_Forwarded-For", b"6.6.6.6"),
        ("Webhook_Signature", b"v1,forged"),
        ("Content_Length", b"7"),
        ("X_Custom", b"goes on"),
    ];
    let request = built(&event("/in", headers, unsigned()), None, None);
    let mut sent: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    sent.sort();
    assert_eq!(
        sent,
        [
            "accept-encoding: identity",
            "hookhouse-attempt: 3",
            &format!("hookhouse-event-id: {}", EventId::with_position(Timestamp::UNIX_EPOCH, 7, 1)),
            "hookhouse-source: x-prod",
            "hookhouse-verified: none",
            "x-forwarded-for: 203.0.113.9",
            "x_custom: goes on",
        ]
    );
}

/// The list in `Connection` comes from outside: it must not reach what Hookhouse adds.
#[test]
fn connection_cannot_name_away_what_hookhouse_adds() {
    let headers: &[(&str, &[u8])] =
        &[("Connection", b"hookhouse-verified, webhook-signature, x-forwarded-for, accept-encoding")];
    let sign = DestinationSigning::StandardWebhooks(Secret::new("0123456789abcdef").unwrap());
    let request = built(&event("/in", headers, signed()), Some(sign), None);
    for name in ["hookhouse-verified", "webhook-signature", "x-forwarded-for", "accept-encoding"] {
        assert!(value(&request, name).is_some(), "{name}");
    }
}

#[test]
fn what_vouches_for_the_event_is_named() {
    let request = built(&event("/in", &[], signed()), None, None);
    assert_eq!(
        value(&request, "hookhouse-verified"),
        Some(&b"x-post-hmac-sha256; key=previous_secrets[0]"[..])
    );
    let odd = Provenance { key: Some("caf\u{e9}\r\nx: y".to_owned()), ..signed() };
    let request = built(&event("/in", &[], odd), None, None);
    assert_eq!(value(&request, "hookhouse-verified"), Some(&b"x-post-hmac-sha256; key=caf___x: y"[..]));
}

/// What an operator edited says so, is vouched for by nothing, and is signed anew where the destination wants that.
#[test]
fn what_was_edited_says_so() {
    let headers: &[(&str, &[u8])] = &[("x-twitter-webhooks-signature", b"sha256=theirs=")];
    let stored = event("/in?a=1", headers, signed());
    let edit = Edit {
        mark: Edited { by: "ci (tok_1)".to_owned(), at: Timestamp::UNIX_EPOCH },
        headers: Headers::from_pairs([("x-new", &b"1"[..])]).unwrap(),
        body: Bytes::from_static(b"{\"a\":2}"),
    };
    let edited = edit.of(&stored);
    let request = built(&edited, None, None);
    assert_eq!(value(&request, "hookhouse-edited"), Some(&b"true"[..]));
    assert_eq!(value(&request, "hookhouse-verified"), Some(&b"none"[..]));
    assert_eq!(value(&request, "hookhouse-event-id"), Some(stored.id().to_string().as_bytes()));
    assert_eq!(value(&request, "x-new"), Some(&b"1"[..]));
    assert_eq!(value(&request, "x-twitter-webhooks-signature"), None);
    assert_eq!(value(&built(&stored, None, None), "hookhouse-edited"), None);

    let secret = Secret::new("0123456789abcdef0123456789abcdef").unwrap();
    let signer = Signer::for_provider(&edited.record().provenance.provider).unwrap();
    let native = built(&edited, Some(DestinationSigning::Provider(secret.clone())), Some(&signer));
    let expected = hookhouse_verify::x::sign_post(&secret, &edit.body);
    assert_eq!(value(&native, "x-twitter-webhooks-signature"), Some(expected.as_bytes()));
}

#[test]
fn standard_webhooks_headers_replace_incoming_ones_and_verify() {
    let headers: &[(&str, &[u8])] =
        &[("webhook-id", b"msg_theirs"), ("webhook-timestamp", b"1"), ("webhook-signature", b"v1,theirs")];
    let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let event = event("/in", headers, signed());
    let request = built(&event, Some(DestinationSigning::StandardWebhooks(secret.clone())), None);
    let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
    let expected = sign::standard_webhooks(&secret, &event.id().to_string(), now, event.body()).unwrap();
    assert_eq!(expected.len(), 3);
    for (name, made) in expected {
        assert_eq!(value(&request, &name), Some(made.as_bytes()), "{name}");
    }
    assert_eq!(value(&request, "webhook-id"), Some(event.id().to_string().as_bytes()));
    assert_eq!(value(&request, "webhook-timestamp"), Some(now.as_second().to_string().as_bytes()));
}

#[test]
fn a_provider_signature_is_made_anew_for_this_url_and_now() {
    let headers: &[(&str, &[u8])] =
        &[("x-twilio-signature", b"theirs"), ("content-type", b"application/x-www-form-urlencoded")];
    let secret = Secret::new("0123456789abcdef0123456789abcdef").unwrap();
    let event = event("/webhooks/twilio?a=1", headers, signed());
    let signer = Signer::for_provider("twilio").unwrap();
    let request = built(&event, Some(DestinationSigning::Provider(secret.clone())), Some(&signer));
    let draft = Draft {
        method: "POST".to_owned(),
        url: "http://app:3000/hooks?a=1".to_owned(),
        content_type: Some("application/x-www-form-urlencoded".to_owned()),
        body: event.body().clone(),
        id: event.id().to_string(),
        now: "2026-11-22T10:00:00Z".parse().unwrap(),
    };
    let expected = signer.sign(&secret, &draft).unwrap();
    let made = expected.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-twilio-signature"));
    assert_eq!(value(&request, "x-twilio-signature"), made.map(|(_, made)| made.as_bytes()));
    assert_eq!(request.uri().to_string(), expected.url);
    // Without a scheme to sign by, the event goes as it came.
    let request = built(&event, Some(DestinationSigning::Provider(secret)), None);
    assert_eq!(value(&request, "x-twilio-signature"), Some(&b"theirs"[..]));
}

#[test]
fn what_http_cannot_carry_is_an_error_and_not_a_panic() {
    let destination = destination("http://app/", None);
    let now = Timestamp::UNIX_EPOCH;
    for (method, target, expected) in [
        ("CONNECT", "/in", BuildError::Method),
        ("PO ST", "/in", BuildError::Method),
        ("POST", "/in?a b", BuildError::Url),
        ("POST", "/in?a\r\nb", BuildError::Url),
    ] {
        let mut record = event("/in", &[], signed()).record().clone();
        record.request.method = method.into();
        record.request.target = target.to_owned();
        let event = StoredEvent::from_store(EventId::with_position(now, 1, 1), Sequence(1), record);
        assert_eq!(build(&event, &destination, AttemptNumber(1), now, None).unwrap_err(), expected);
    }
}
