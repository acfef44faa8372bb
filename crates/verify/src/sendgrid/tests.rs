//! The rules around SendGrid's signatures; the published cases are walked in `tests/vectors`.

use std::time::Duration;

use data_encoding::BASE64;

use super::*;
use crate::fixtures::{NOW, code, evidence, key, now, post, reject, secret};
use crate::request::Request;
use crate::secret::Key;
use crate::verdict::{Covers, Reject, Verdict};
use crate::verifier::SchemeError;

/// Pairs that were made for these tests.
const PRIVATE: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgP4fY6Tykoh5fBLZARtqv4EMM58FG/8qVCruTwrqikRGhRANCAAR89bqUFFZDkDca3MarSwOs3+xogmAlUJchhXTS98Gt78tfNhKeYEDogNdTVwrzJyKHfp9ioNwaFeHDPuFBgSEj";
const PUBLIC: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEfPW6lBRWQ5A3GtzGq0sDrN/saIJgJVCXIYV00vfBre/LXzYSnmBA6IDXU1cK8ycih36fYqDcGhXhwz7hQYEhIw==";
const OTHER_PUBLIC: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==";
const BODY: &str = "[{\"email\":\"a@example.com\",\"event\":\"delivered\",\"sg_event_id\":\"1\"},\r\n{\"event\":\"open\"}]\r\n";

fn verifier(public_keys: Vec<Key>, tolerance: Option<Duration>) -> Verifier {
    Verifier::new(Settings { public_keys, tolerance }).unwrap()
}

fn plain() -> Verifier {
    verifier(vec![key("public_key", PUBLIC)], None)
}

fn signature(time: &str, body: &str) -> String {
    sign(&secret(PRIVATE), time, body.as_bytes()).unwrap()
}

fn request(time: &str, signature: &str, body: &str) -> Request {
    post("/mail", &[(SIGNATURE_HEADER, signature), (TIMESTAMP_HEADER, time)], body.to_owned())
}

fn judge(time: &str, signature: &str, body: &str) -> Verdict {
    plain().verify(request(time, signature, body), now())
}

#[test]
fn a_signed_batch_is_verified() {
    let time = NOW.to_string();
    let evidence = evidence(judge(&time, &signature(&time, BODY), BODY));
    assert_eq!(
        (evidence.provider.as_ref(), evidence.scheme.as_ref()),
        ("sendgrid", "sendgrid-ecdsa-p256-sha256")
    );
    assert_eq!((evidence.key.as_str(), evidence.covers), ("public_key", Covers::BodyAndParts));
    assert_eq!(evidence.event_type.as_deref(), Some("delivered"));
}

#[test]
fn every_byte_of_time_and_body_is_signed() {
    let time = NOW.to_string();
    let right = signature(&time, BODY);
    for body in
        [BODY.trim_end(), &BODY.replace("\r\n", "\n"), &BODY.replace("open", "opem"), "", &format!("{BODY} ")]
    {
        assert_eq!(code(judge(&time, &right, body)), "sig.mismatch", "{body}");
    }
    assert_eq!(code(judge(&(NOW + 1).to_string(), &right, BODY)), "sig.mismatch");
    // A digit that moves from the time to the body keeps the signature, and makes the body something else.
    let (start, last) = time.split_at(time.len() - 1);
    assert_eq!(reject(judge(start, &right, &format!("{last}{BODY}"))), Reject::BodyNotArray);
    for body in ["{}", "", "[", "x"] {
        assert_eq!(code(judge(&time, &signature(&time, body), body)), "sendgrid.body_not_array", "{body}");
    }
}

#[test]
fn a_repeat_is_known_by_its_time_and_body_and_not_by_its_signature() {
    let identity = |time: &str, body: &str| {
        let signature = signature(time, body);
        evidence(judge(time, &signature, body)).identity.unwrap()
    };
    let (a, b) = (signature("1600112502", BODY), signature("1600112502", BODY));
    assert_ne!(a, b, "two signatures of one message differ");
    assert_eq!(identity("1600112502", BODY), identity("1600112502", BODY));
    assert_ne!(identity("1600112502", BODY), identity("1600112503", BODY));
    assert_ne!(identity("1600112502", BODY), identity("1600112502", "[]"));
    let elements = |time: &str, body: &str| evidence(judge(time, &signature(time, body), body)).elements;
    let event = r#"{"event":"open","sg_event_id":"1"}"#;
    let batch = elements("1600112503", &format!("[{}, {event}]", event.replace("\"1\"", "\"2\"")));
    assert_eq!(elements("1600112502", &format!("[{event}]")), batch[1..], "whichever time, whichever batch");
}

/// The same signature with `n - s` for its `s`: as valid as the first, and made without the key.
fn other_form(signature: &str) -> String {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
        0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let der = BASE64.decode(signature.as_bytes()).unwrap();
    let r_ends = 4 + usize::from(der[3]);
    let s = &der[r_ends + 2..];
    let mut padded = [0; 32];
    let digits = if s[0] == 0 { &s[1..] } else { s };
    padded[32 - digits.len()..].copy_from_slice(digits);
    let (mut difference, mut borrow) = ([0; 32], false);
    for at in (0..32).rev() {
        let (first, b1) = ORDER[at].overflowing_sub(padded[at]);
        let (second, b2) = first.overflowing_sub(u8::from(borrow));
        (difference[at], borrow) = (second, b1 || b2);
    }
    let start = difference.iter().position(|b| *b != 0).unwrap();
    let mut s = difference[start..].to_vec();
    if s[0] >= 0x80 {
        s.insert(0, 0);
    }
    let inner = [&der[2..r_ends], &[2, u8::try_from(s.len()).unwrap()], &s].concat();
    BASE64.encode(&[&[0x30, u8::try_from(inner.len()).unwrap()], inner.as_slice()].concat())
}

#[test]
fn the_other_form_of_a_signature_makes_no_other_event() {
    let time = NOW.to_string();
    let first = signature(&time, BODY);
    let second = other_form(&first);
    assert_ne!(first, second);
    let identity = |signature: &str| evidence(judge(&time, signature, BODY)).identity;
    assert_eq!(identity(&first), identity(&second));
}

#[test]
fn headers_occur_once_and_have_their_form() {
    let time = NOW.to_string();
    let right = signature(&time, BODY);
    let judge_headers = |headers: &[(&str, &str)]| reject(plain().verify(post("/", headers, BODY), now()));
    let both = [(SIGNATURE_HEADER, right.as_str()), (TIMESTAMP_HEADER, time.as_str())];
    assert_eq!(judge_headers(&both[1..]), Reject::SignatureMissing { header: SIGNATURE_HEADER.into() });
    assert_eq!(judge_headers(&both[..1]), Reject::SignatureMissing { header: TIMESTAMP_HEADER.into() });
    for doubled in [both[0], both[1]] {
        let headers = [both[0], both[1], doubled];
        assert_eq!(judge_headers(&headers), Reject::SignatureAmbiguous { header: doubled.0.into() });
    }
    for spoiled in [
        "x",
        "AAAA",
        &right[..right.len() - 4],
        &format!("sha256={right}"),
        &right.repeat(2),
        &"A".repeat(100),
    ] {
        let code = code(judge(&time, spoiled, BODY));
        assert!(code == "sig.malformed" || code == "sig.mismatch", "{spoiled}: {code}");
    }
    assert_eq!(code(judge(&time, &"A".repeat(100), BODY)), "sig.malformed");
    for time in ["", " 1600112502", "+1600112502", "1.6e9", "1600112502.0", "now"] {
        let expected = if time.is_empty() { "sig.missing" } else { "sig.malformed" };
        assert_eq!(code(judge(time, &signature(time, BODY), BODY)), expected, "{time}");
    }
}

#[test]
fn age_is_judged_where_a_tolerance_is_set() {
    let limited = verifier(vec![key("public_key", PUBLIC)], Some(Duration::from_secs(300)));
    let at = |time: i64| {
        let time = time.to_string();
        limited.verify(request(&time, &signature(&time, BODY), BODY), now())
    };
    for offset in [-300, 300] {
        let _ = evidence(at(NOW + offset));
        let beyond = offset + offset.signum();
        assert_eq!(reject(at(NOW + beyond)), Reject::Stale { age_seconds: -beyond, tolerance_seconds: 300 });
    }
    let _ = evidence(judge("1600112502", &signature("1600112502", BODY), BODY));
}

#[test]
fn keys_rotate() {
    let time = NOW.to_string();
    let request = || request(&time, &signature(&time, BODY), BODY);
    let rotating = verifier(vec![key("new", OTHER_PUBLIC), key("old", PUBLIC)], None);
    assert_eq!(evidence(rotating.verify(request(), now())).key, "old");
    let over = verifier(vec![key("new", OTHER_PUBLIC), crate::fixtures::retired("old", PUBLIC)], None);
    assert_eq!(
        reject(over.verify(request(), now())),
        Reject::SignatureMismatch { header: SIGNATURE_HEADER.into(), retired: Some("old".to_owned()) }
    );
}

#[test]
fn keys_are_read_in_base64_and_in_pem() {
    assert_eq!(public_key(&secret(PRIVATE)).unwrap(), PUBLIC);
    let lines: Vec<&str> =
        PUBLIC.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let pem = format!("-----BEGIN PUBLIC KEY-----\r\n{}\r\n-----END PUBLIC KEY-----\r\n", lines.join("\r\n"));
    let time = NOW.to_string();
    let from_pem = verifier(vec![key("pem", &pem)], None);
    let _ = evidence(from_pem.verify(request(&time, &signature(&time, BODY), BODY), now()));
    for text in ["x", "AAAA", PRIVATE, &PUBLIC[4..], "-----BEGIN PUBLIC KEY-----"] {
        let settings = Settings { public_keys: vec![key("public_key", text)], tolerance: None };
        let error = Verifier::new(settings).unwrap_err();
        assert!(matches!(error, SchemeError::KeyForm { .. }) && !error.to_string().contains(text), "{text}");
    }
    assert!(matches!(Verifier::new(Settings::default()), Err(SchemeError::NoKeys)));
    assert!(matches!(sign(&secret(PUBLIC), "1", b""), Err(SchemeError::KeyForm { .. })));
    assert!(matches!(public_key(&secret("not base64")), Err(SchemeError::KeyForm { .. })));
}

#[test]
fn debug_shows_no_key() {
    assert!(!format!("{:?}", plain()).contains(&PUBLIC[..20]));
}
