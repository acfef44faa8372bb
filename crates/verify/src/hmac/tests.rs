//! The conformance cases of plain HMAC schemes (their ids in the names), published vectors, and the rules around them.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::catalogue;
use crate::descriptor::{
    Descriptor, Digest, Direction, Encoding, KeyForm, Locator, Parse, Part, TimestampFrom, TimestampSpec,
    TimestampUnit,
};
use crate::fixtures::{NOW, code, evidence, key, now, post, reject, retired, secret};
use crate::request::Request;
use crate::secret::Key;
use crate::verdict::{Covers, Reject, Verdict};
use crate::verifier::SchemeError;

fn row(provider: &str, secret_text: &str) -> Verifier {
    let descriptor = catalogue::find(provider).unwrap().descriptor.clone();
    Verifier::new(provider.to_owned(), descriptor, vec![key("secret", secret_text)], vec![]).unwrap()
}

fn custom(change: impl FnOnce(&mut Descriptor)) -> Result<Verifier, SchemeError> {
    with_keys(vec![key("secret", "s")], change)
}

fn with_keys(keys: Vec<Key>, change: impl FnOnce(&mut Descriptor)) -> Result<Verifier, SchemeError> {
    let mut descriptor = Descriptor::new("X-Signature");
    change(&mut descriptor);
    Verifier::new("hmac", descriptor, keys, vec!["https://u:p@h.example:8443/pre".parse().unwrap()])
}

fn mac(key: &str, digest: Digest, message: &str, encoding: Encoding) -> String {
    crate::mac::sign(key.as_bytes(), digest, &[message.as_bytes()], encoding).into_text()
}

fn hex(message: &str) -> String {
    mac("s", Digest::Sha256, message, Encoding::Hex)
}

fn stripe(time: i64, header: impl FnOnce(&str) -> String) -> Verdict {
    let signature = mac("s", Digest::Sha256, &format!("{time}.{{}}"), Encoding::Hex);
    let header = header(&signature);
    row("stripe", "s").verify(post("/", &[("stripe-signature", &header)], "{}"), now())
}

#[test]
fn githubs_published_vector() {
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let headers =
        [("X-Hub-Signature-256", signature), ("X-GitHub-Event", "push"), ("X-GitHub-Delivery", "72d3162e")];
    let verifier = row("github", "It's a Secret to Everybody");
    let evidence = evidence(verifier.verify(post("/", &headers, "Hello, World!"), now()));
    assert_eq!((evidence.provider.as_ref(), evidence.scheme.as_ref()), ("github", "github-hmac-sha256"));
    assert_eq!((evidence.event_type.as_deref(), evidence.covers), (Some("push"), Covers::Body));
    assert_eq!(code(verifier.verify(post("/", &headers, "Hello, World?"), now())), "sig.mismatch");
}

#[test]
fn standard_webhooks_published_vector() {
    let headers = [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ];
    let then = Timestamp::from_second(1_614_265_330).unwrap();
    let request = || post("/", &headers, r#"{"test": 2432232314}"#);
    for secret_text in ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
        let evidence = evidence(row("standard-webhooks", secret_text).verify(request(), then));
        assert_eq!(
            (evidence.scheme.as_ref(), evidence.covers),
            ("standard-webhooks-v1", Covers::BodyAndParts)
        );
        assert!(evidence.identity.is_some());
    }
    let stale = row("standard-webhooks", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").verify(request(), now());
    assert_eq!(code(stale), "sig.stale");
}

#[test]
fn known_answers_of_stripe_and_slack() {
    let then = Timestamp::from_second(1_700_000_000).unwrap();
    let body = r#"{"id":"evt_1","type":"demo"}"#;
    let header = "t=1700000000,v1=e5888c1e19cdb18536c351765f408f10265d73a4b53d7d2eb18d2483851e3831";
    let verified =
        row("stripe", "test_secret").verify(post("/", &[("stripe-signature", header)], body), then);
    assert_eq!(evidence(verified).event_type.as_deref(), Some("demo"));
    let headers = [
        ("x-slack-signature", "v0=91edd777e03c21a03ecd47d88c06fda7d03f9a749c4c9b6a139767cafa281c24"),
        ("x-slack-request-timestamp", "1700000000"),
    ];
    assert_eq!(
        evidence(row("slack", "test_secret").verify(post("/", &headers, body), then)).scheme,
        "slack-v0"
    );
}

#[test]
fn g01_a_signed_time_may_lie_300_seconds_off_to_either_side() {
    for offset in [-300, 0, 300] {
        let _ = evidence(stripe(NOW + offset, |s| format!("t={},v1={s}", NOW + offset)));
    }
    for offset in [-301, 301] {
        let verdict = stripe(NOW + offset, |s| format!("t={},v1={s}", NOW + offset));
        assert_eq!(reject(verdict), Reject::Stale { age_seconds: -offset, tolerance_seconds: 300 });
    }
}

#[test]
fn a_wrong_signature_is_a_mismatch_however_old_it_is() {
    assert_eq!(code(stripe(NOW - 999, |s| format!("t={},v1={s}", NOW - 998))), "sig.mismatch");
}

#[test]
fn g02_a_time_is_one_row_of_digits() {
    for time in ["+1", "1e9", "-1", "1.5", "0x1", " 1", "", "12345678901234567890", "99999999999999", "1_0"] {
        let signature = mac("s", Digest::Sha256, &format!("{time}.{{}}"), Encoding::Hex);
        let header = format!("t={time},v1={signature}");
        let request = post("/", &[("stripe-signature", &header)], "{}");
        assert_eq!(code(row("stripe", "s").verify(request, now())), "sig.malformed", "t={time}");
    }
    assert_eq!(code(stripe(NOW, |s| format!("t={NOW},t={NOW},v1={s}"))), "sig.malformed");
    assert_eq!(code(stripe(NOW, |s| format!("v1={s}"))), "sig.malformed");
}

#[test]
fn g03_many_candidates_are_a_flood() {
    let candidates = |n: usize, last: &str| {
        format!("t={NOW}{},v1={last}", format!(",v1={}", "0".repeat(64)).repeat(n - 1))
    };
    let _ = evidence(stripe(NOW, |s| candidates(8, s)));
    assert_eq!(code(stripe(NOW, |s| candidates(9, s))), "sig.malformed");
    assert_eq!(code(stripe(NOW, |s| candidates(1000, s))), "sig.malformed");
    assert_eq!(code(stripe(NOW, |s| format!("t={NOW},v1={s}{}", ",v1=".repeat(8)))), "sig.malformed");
}

#[test]
fn g04_the_algorithm_is_the_configured_one() {
    let body = "Hello, World!";
    let sha1 = mac("s", Digest::Sha1, body, Encoding::Hex);
    let sha512 = mac("s", Digest::Sha512, body, Encoding::Hex);
    let judge =
        |name: &str, value: &str| code(row("github", "s").verify(post("/", &[(name, value)], body), now()));
    assert_eq!(judge("x-hub-signature-256", &format!("sha1={sha1}")), "sig.alg");
    assert_eq!(judge("x-hub-signature-256", &format!("sha512={sha512}")), "sig.alg");
    assert_eq!(judge("x-hub-signature-256", &format!("sha256={sha1}")), "sig.malformed");
    assert_eq!(judge("x-hub-signature-256", &format!("SHA256={}", "0".repeat(64))), "sig.malformed");
    assert_eq!(judge("x-hub-signature", &format!("sha1={sha1}")), "sig.missing");
    // Standard Webhooks' asymmetric signature is no symmetric one.
    let headers = [
        ("webhook-id", "m"),
        ("webhook-timestamp", &*NOW.to_string()),
        ("webhook-signature", &format!("v1a,{}", "A".repeat(43))),
    ];
    let verdict = row("standard-webhooks", "s").verify(post("/", &headers, body), now());
    assert_eq!(code(verdict), "sig.malformed");
}

#[test]
fn an_empty_or_short_tag_never_passes() {
    // RUSTSEC-2024-0010: `v1,` was compared over its zero bytes, and passed.
    let message = format!("m.{NOW}.{{}}");
    let right = mac("plain secret", Digest::Sha256, &message, Encoding::Base64);
    let judge = |value: &str| {
        let headers =
            [("webhook-id", "m"), ("webhook-timestamp", &*NOW.to_string()), ("webhook-signature", value)];
        row("standard-webhooks", "plain secret").verify(post("/", &headers, "{}"), now())
    };
    for value in
        ["v1,", "v1", "v1, ", "v1,=", "v1,A", &format!("v1,{}", &right[..43]), &format!("v1,{right}=")]
    {
        assert_eq!(code(judge(value)), "sig.malformed", "{value}");
    }
    let _ = evidence(judge(&format!("v1, v1a,xyz v1,{} v1,{right}", "A".repeat(43) + "=")));
    assert_eq!(code(judge("")), "sig.missing");
}

#[test]
fn stripe_reads_v1_and_passes_over_the_rest() {
    let _ = evidence(stripe(NOW, |s| format!("t={NOW},v1={},v1={s},v0={s}", "0".repeat(64))));
    assert_eq!(code(stripe(NOW, |s| format!("t={NOW},v0={s}"))), "sig.malformed");
    assert_eq!(code(stripe(NOW, |s| format!("t={NOW},v1={}", s.to_uppercase()))), "sig.malformed");
    assert_eq!(code(stripe(NOW, |s| format!("t={NOW},v1={},", s))), "sig.malformed");
    assert_eq!(code(stripe(NOW, |s| format!("t={NOW};v1={s}"))), "sig.malformed");
}

#[test]
fn every_header_that_counts_occurs_once_and_is_not_empty() {
    let right = mac("s", Digest::Sha256, &format!("m.{NOW}.{{}}"), Encoding::Base64);
    let (time, value) = (NOW.to_string(), format!("v1,{right}"));
    let all = [("webhook-id", "m"), ("webhook-timestamp", &time), ("webhook-signature", &value)];
    let _ = evidence(row("standard-webhooks", "s").verify(post("/", &all, "{}"), now()));
    for (at, (name, value)) in all.iter().enumerate() {
        let mut twice = all.to_vec();
        twice.push((name, value));
        let mut without = all.to_vec();
        without.remove(at);
        let mut empty = all.to_vec();
        empty[at].1 = "";
        for (headers, expected) in
            [(twice, "sig.ambiguous"), (without, "sig.missing"), (empty, "sig.missing")]
        {
            let verdict = row("standard-webhooks", "s").verify(post("/", &headers, "{}"), now());
            assert_eq!(code(verdict), expected, "{name}");
        }
    }
}

#[test]
fn every_key_is_tried_and_a_retired_one_never_accepts() {
    let request = || post("/", &[("x-signature", &hex("body"))], "body");
    let rotating = with_keys(vec![key("new", "n"), key("old", "s")], |_| {}).unwrap();
    assert_eq!(evidence(rotating.verify(request(), now())).key, "old");
    let over = with_keys(vec![key("new", "n"), retired("old", "s")], |_| {}).unwrap();
    assert_eq!(
        reject(over.verify(request(), now())),
        Reject::SignatureMismatch { header: "x-signature".into(), retired: Some("old".to_owned()) }
    );
}

#[test]
fn a_custom_scheme_signs_the_parts_it_names() {
    let part = |part: &str| Cow::Owned::<'static, str>(part.to_owned());
    let verifier = custom(|d| {
        d.digest = Digest::Sha512;
        d.signature.encoding = Encoding::Base64Url;
        d.message = Cow::Owned(vec![
            Part::Method,
            Part::Literal(part("\n")),
            Part::Path,
            Part::Literal(part("?")),
            Part::Query,
            Part::Literal(part("\n")),
            Part::Header(part("X-Nonce")),
            Part::Url,
            Part::Body,
        ]);
    })
    .unwrap();
    let message = "POST\n/a?b=%20\nn1https://h.example:8443/pre/a?b=%20body";
    let signature = mac("s", Digest::Sha512, message, Encoding::Base64Url);
    let headers = [("x-signature", signature.as_str()), ("x-nonce", "n1")];
    let evidence = evidence(verifier.verify(post("/a?b=%20", &headers, "body"), now()));
    assert_eq!((evidence.scheme.as_ref(), evidence.covers), ("hmac-sha256", Covers::BodyAndParts));
    assert_eq!(code(verifier.verify(post("/a?b=+", &headers, "body"), now())), "sig.mismatch");
    let other_method = Request::new("PUT", "/a?b=%20", &headers, "body").unwrap();
    assert_eq!(code(verifier.verify(other_method, now())), "sig.mismatch");
}

#[test]
fn a_message_without_the_body_says_so() {
    let verifier = custom(|d| d.message = Cow::Owned(vec![Part::Header("x-id".into())])).unwrap();
    let headers = [("x-signature", hex("7")), ("x-id", "7".to_owned())];
    let request = Request::new("POST", "/", &headers, "anything").unwrap();
    assert_eq!(evidence(verifier.verify(request, now())).covers, Covers::PartsOnly);
    let verifier = custom(|d| d.message = Cow::Owned(vec![Part::Url])).unwrap();
    let headers = [("x-signature", hex("https://h.example:8443/pre/a"))];
    let request = Request::new("GET", "/a", &headers, "").unwrap();
    assert_eq!(evidence(verifier.verify(request, now())).covers, Covers::Url);
}

#[test]
fn a_time_may_be_written_in_three_ways_and_bounded_to_the_past() {
    let verifier = |unit, direction| {
        custom(|d| {
            let from = TimestampFrom::Header("X-Time".into());
            let tolerance = Duration::from_secs(10);
            d.timestamp = Some(TimestampSpec { from, unit, tolerance, direction });
            d.message = Cow::Owned(vec![Part::Timestamp, Part::Body]);
        })
        .unwrap()
    };
    let judge = |unit, direction, time: &str| {
        let headers = [("x-time", time.to_owned()), ("x-signature", hex(&format!("{time}body")))];
        verifier(unit, direction).verify(Request::new("POST", "/", &headers, "body").unwrap(), now())
    };
    let rfc3339 = |offset: i64| Timestamp::from_second(NOW + offset).unwrap().to_string();
    for (unit, offset, time) in [
        (TimestampUnit::Seconds, -10, (NOW - 10).to_string()),
        (TimestampUnit::Milliseconds, 10, ((NOW + 10) * 1000).to_string()),
        (TimestampUnit::Rfc3339, -10, rfc3339(-10)),
    ] {
        let _ = evidence(judge(unit, Direction::Both, &time));
        assert!((-10..=10).contains(&offset));
    }
    assert_eq!(
        code(judge(TimestampUnit::Milliseconds, Direction::Both, &((NOW - 11) * 1000).to_string())),
        "sig.stale"
    );
    assert_eq!(code(judge(TimestampUnit::Rfc3339, Direction::Both, &rfc3339(11))), "sig.stale");
    assert_eq!(code(judge(TimestampUnit::Rfc3339, Direction::Both, "yesterday")), "sig.malformed");
    let _ = evidence(judge(TimestampUnit::Seconds, Direction::Past, &(NOW + 9999).to_string()));
    assert_eq!(code(judge(TimestampUnit::Seconds, Direction::Past, &(NOW - 11).to_string())), "sig.stale");
}

#[test]
fn an_event_is_known_by_the_providers_id_and_its_body() {
    let identity = |id: &str, body: &str| {
        let signature = format!("sha256={}", hex(body));
        let mut headers = vec![("x-hub-signature-256", signature.as_str())];
        if !id.is_empty() {
            headers.push(("x-github-delivery", id));
        }
        evidence(row("github", "s").verify(post("/", &headers, body.to_owned()), now())).identity
    };
    assert!(identity("1", "a").is_some());
    assert_eq!(identity("1", "a"), identity("1", "a"));
    assert_ne!(identity("1", "a"), identity("1", "b"), "the same id with other content is a new event");
    assert_ne!(identity("1", "a"), identity("2", "a"));
    assert_eq!(identity("", "a"), None, "neither an id nor a time");

    let slack = |body: &str, time: i64| {
        let signature = format!("v0={}", hex(&format!("v0:{time}:{body}")));
        let headers = [("x-slack-signature", signature), ("x-slack-request-timestamp", time.to_string())];
        let request = Request::new("POST", "/", &headers, body.to_owned()).unwrap();
        evidence(row("slack", "s").verify(request, now()))
    };
    let with_id = r#"{"event_id":"Ev1","event":{"type":"message"}}"#;
    assert_eq!(slack(with_id, NOW).identity, slack(with_id, NOW + 1).identity, "a retry is signed anew");
    assert_eq!(slack(with_id, NOW).event_type.as_deref(), Some("message"));
    assert_eq!(slack("payload=1", NOW).identity, slack("payload=1", NOW).identity);
    assert_ne!(slack("payload=1", NOW).identity, slack("payload=1", NOW + 1).identity, "by the signed time");
}

#[test]
fn what_could_not_be_verified_is_refused_when_it_is_set_up() {
    assert!(matches!(with_keys(vec![], |_| {}), Err(SchemeError::NoKeys)));
    assert!(matches!(custom(|d| d.message = Cow::Borrowed(&[])), Err(SchemeError::Descriptor { .. })));
    assert!(matches!(custom(|d| d.key = KeyForm::Hex), Err(SchemeError::KeyForm { .. })));
    let mut descriptor = Descriptor::new("x-signature");
    descriptor.message = Cow::Owned(vec![Part::Url, Part::Body]);
    let without_url = Verifier::new("hmac", descriptor, vec![key("k", "s")], vec![]);
    assert!(matches!(without_url, Err(SchemeError::NoPublicUrl)));
}

#[test]
fn a_repeated_or_binary_id_is_no_id() {
    let verifier = custom(|d| d.dedupe_id = Some(Locator::Header("X-Id".into()))).unwrap();
    let identity = |ids: &[&[u8]]| {
        let signature = hex("body");
        let mut headers = vec![("x-signature", signature.as_bytes())];
        headers.extend(ids.iter().map(|id| ("x-id", *id)));
        evidence(verifier.verify(Request::new("POST", "/", &headers, "body").unwrap(), now())).identity
    };
    assert!(identity(&[b"1"]).is_some());
    for ids in [&[][..], &[&b""[..]], &[b"1", b"1"], &[b"\xff"]] {
        assert_eq!(identity(ids), None, "{ids:?}");
    }
}

#[test]
fn refusals_and_debug_show_no_secret_and_no_expected_signature() {
    let verifier = row("github", "a long secret");
    let expected = mac("a long secret", Digest::Sha256, "body", Encoding::Hex);
    let value = format!("sha256={}", "0".repeat(64));
    let reject = reject(verifier.verify(post("/", &[("x-hub-signature-256", &value)], "body"), now()));
    for text in [format!("{verifier:?}"), format!("{reject:?}"), reject.to_string()] {
        assert!(!text.contains("a long secret") && !text.contains(&expected), "{text}");
    }
    let error = with_keys(vec![key("k", "zzzz")], |d| d.key = KeyForm::Hex).unwrap_err();
    assert!(!error.to_string().contains("zzzz"));
}

#[test]
fn the_form_that_is_expected_is_said() {
    let expected = |change: fn(&mut Descriptor), value: &str| {
        let verifier = custom(change).unwrap();
        match reject(verifier.verify(post("/", &[("x-signature", value)], "body"), now())) {
            Reject::SignatureMalformed { expected, .. } => expected.into_owned(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(expected(|_| {}, "x"), "a digest in lower-case hex");
    assert_eq!(
        expected(|d| d.signature.parse = Parse::Plain { prefix: "v0=".into() }, "x"),
        "`v0=` and a digest in lower-case hex"
    );
    assert_eq!(
        expected(
            |d| d.signature.parse =
                Parse::KeyValue { delimiter: ';', signature: "s".into(), timestamp: None },
            "x"
        ),
        "`s=…`, several with `;`, in lower-case hex"
    );
}

#[test]
fn signing_for_this_scheme_needs_what_its_message_has() {
    let material = |id: &'static str| Material {
        method: "POST",
        url: "https://h/",
        path: "/",
        query: "",
        content_type: None,
        body: b"{}",
        id,
        now: now(),
    };
    let descriptor = &catalogue::find("standard-webhooks").unwrap().descriptor;
    assert!(sign(descriptor, &secret("s"), &material("msg_1")).is_ok());
    for id in ["", "msg.1"] {
        let signed = sign(descriptor, &secret("s"), &material(id));
        assert!(matches!(signed, Err(SchemeError::Draft { .. })), "{id}");
    }
    let mut unknown = Descriptor::new("x-signature");
    unknown.message = Cow::Owned(vec![Part::Header("x-unknown".into()), Part::Body]);
    assert!(matches!(sign(&unknown, &secret("s"), &material("1")), Err(SchemeError::Draft { .. })));
}
