//! SendGrid's mistakes.

use data_encoding::{BASE64, BASE64URL, HEXLOWER};

use super::*;
use crate::fixtures::{NOW, key, post, retired, secret};
use crate::sendgrid::{SIGNATURE_HEADER, Settings, TIMESTAMP_HEADER, public_key, sign};
use crate::{Key, sendgrid};

/// Pairs that were made for these tests.
pub(super) const PRIVATE: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgP4fY6Tykoh5fBLZARtqv4EMM58FG/8qVCruTwrqikRGhRANCAAR89bqUFFZDkDca3MarSwOs3+xogmAlUJchhXTS98Gt78tfNhKeYEDogNdTVwrzJyKHfp9ioNwaFeHDPuFBgSEj";
const OTHER_PUBLIC: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==";
const BODY: &str = "[{\"email\":\"a@example.com\",\"event\":\"open\"},\r\n{\"event\":\"click\"}]\r\n";

fn verifier(public_keys: Vec<Key>) -> Verifier {
    let tolerance = Some(std::time::Duration::from_secs(300));
    Verifier::SendGrid(sendgrid::Verifier::new(Settings { public_keys, tolerance }).unwrap())
}

fn own_key(name: &str) -> Key {
    key(name, &public_key(&secret(PRIVATE)).unwrap())
}

fn plain() -> Verifier {
    verifier(vec![own_key("public_key")])
}

/// A request that was signed with another body.
pub(super) fn request(time: &str, signed: &str, body: &str) -> Request {
    written(time, &sign(&secret(PRIVATE), time, signed.as_bytes()).unwrap(), body)
}

fn written(time: &str, signature: &str, body: &str) -> Request {
    post("/mail", &[(SIGNATURE_HEADER, signature), (TIMESTAMP_HEADER, time)], body.to_owned())
}

#[test]
fn what_happened_to_the_body_is_named() {
    let time = NOW.to_string();
    let one_line = BODY.replace("\r\n", "");
    for (received, cause) in [
        (BODY.trim_end().to_owned(), Cause::BodyNewline),
        (BODY.replace("\r\n", "\n"), Cause::BodyLineEnds),
        (one_line, Cause::BodyReserialised),
        (format!("\u{feff}{BODY}"), Cause::BodyBom),
    ] {
        assert_found(&explain(&plain(), request(&time, BODY, &received)), cause, None);
    }
    let explanation = explain(&plain(), request(&time, BODY, "[]"));
    assert_eq!(explanation.findings[0].cause, Cause::Unknown);
}

#[test]
fn the_wrong_key_is_named() {
    let time = NOW.to_string();
    let own = verifier(vec![
        key("public_key", OTHER_PUBLIC),
        retired("previous_keys[0]", &public_key(&secret(PRIVATE)).unwrap()),
    ]);
    let explanation = explain(&own, request(&time, BODY, BODY));
    assert_found(&explanation, Cause::KeyRetired, Some("previous_keys[0]"));
    let own = verifier(vec![key("public_key", OTHER_PUBLIC)]);
    let (_, explanation) = explain_with(&own, &[("mail-eu", &plain())], request(&time, BODY, BODY));
    assert_found(&explanation, Cause::KeyOtherSource, Some("public_key"));
    assert!(explanation.sentence.contains("`mail-eu`"));
}

#[test]
fn a_signature_that_is_written_wrongly_is_named() {
    let time = NOW.to_string();
    // One with every mark of base64 in it, and padding.
    let bytes = std::iter::repeat_with(|| sign(&secret(PRIVATE), &time, BODY.as_bytes()).unwrap())
        .find(|text| text.contains(['/', '+']) && text.ends_with('='))
        .map(|text| BASE64.decode(text.as_bytes()).unwrap())
        .unwrap();
    for (text, cause) in [
        (HEXLOWER.encode(&bytes), Cause::SignatureHex),
        (BASE64URL.encode(&bytes), Cause::SignatureBase64Url),
        (BASE64.encode(&bytes).replace('=', ""), Cause::SignatureSpelling),
        (format!(" {}", BASE64.encode(&bytes)), Cause::SignatureBlanks),
    ] {
        assert_found(&explain(&plain(), written(&time, &text, BODY)), cause, None);
    }
    let explanation = explain(&plain(), written(&time, "no signature", BODY));
    assert!(!finding(&explanation, Cause::SignatureSpelling).proven);
}

#[test]
fn what_is_wrong_with_the_time_is_named() {
    let sent = |time: i64| request(&time.to_string(), BODY, BODY);
    assert_found(&explain(&plain(), sent(NOW - 400)), Cause::TimeOld, Some("tolerance = \"24h\""));
    assert_found(&explain(&plain(), sent(NOW + 400)), Cause::TimeSkew, None);
    let explanation = explain(&plain(), sent(NOW * 1_000));
    assert!(finding(&explanation, Cause::TimeUnit).detail.contains("milliseconds"));
    let time = NOW.to_string();
    let signature = sign(&secret(PRIVATE), "", BODY.as_bytes()).unwrap();
    assert_found(&explain(&plain(), written(&time, &signature, BODY)), Cause::MessageParts, None);
}

#[test]
fn what_else_is_wrong_is_named() {
    let time = NOW.to_string();
    assert_found(&explain(&plain(), request(&time, "{}", "{}")), Cause::BodyKind, None);
    let explanation = explain(&plain(), post("/mail", &[(TIMESTAMP_HEADER, &time)], BODY));
    assert!(!finding(&explanation, Cause::HeaderMissing).proven);
    let right = sign(&secret(PRIVATE), &time, BODY.as_bytes()).unwrap();
    let twice = [(SIGNATURE_HEADER, &right), (SIGNATURE_HEADER, &right), (TIMESTAMP_HEADER, &time)];
    let twice = twice.map(|(name, value)| (name, value.as_str()));
    assert_found(&explain(&plain(), post("/mail", &twice, BODY)), Cause::HeaderRepeated, None);
    let explanation = explain(&plain(), post("/mail", &[("x-twilio-signature", "x")], BODY));
    assert_eq!(
        finding(&explanation, Cause::HeaderOfOtherProvider).setting.as_deref(),
        Some("provider = \"twilio\"")
    );
}
