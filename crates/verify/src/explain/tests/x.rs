//! X's mistakes: its two secrets, its challenge, and what proxies do to JSON.

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};

use super::*;
use crate::fixtures::{NOW, get, key, post, retired, secret};
use crate::x::{
    self, CrcShape, CrcSignature, OAUTH2_SIGNATURE_HEADER, SIGNATURE_HEADER, Settings, sign_get, sign_post,
};

const CONSUMER: &str = "the consumer secret";
const OAUTH2: &str = "the client secret";
const BODY: &str = "{\"data\":{\"event_type\":\"post.create\",\"text\":\"a/b caf\u{e9}\"}}";
const TOKEN: &str = "N2YyYzFjMWUtNWYwZS00YTU1LTljMGUtMmIxZDlhNmYwYTEx";

fn with(change: impl FnOnce(&mut Settings)) -> Verifier {
    let mut settings = Settings { consumer: vec![key("consumer_secret", CONSUMER)], ..Settings::default() };
    change(&mut settings);
    Verifier::X(x::Verifier::new(settings).unwrap())
}

fn plain() -> Verifier {
    with(|_| {})
}

fn both() -> Verifier {
    with(|settings| settings.oauth2 = vec![key("oauth2_client_secret", OAUTH2)])
}

fn event(header: &str, signature: &str, body: &str) -> Request {
    post("/x", &[(header, signature)], body.to_owned())
}

fn signed(secret_text: &str, body: &str) -> String {
    sign_post(&secret(secret_text), body.as_bytes())
}

#[test]
fn the_secret_of_the_other_kind_is_named() {
    let explanation = explain(&both(), event(SIGNATURE_HEADER, &signed(OAUTH2, BODY), BODY));
    assert_found(&explanation, Cause::KeyKind, Some("consumer_secret"));
    let explanation = explain(&both(), event(OAUTH2_SIGNATURE_HEADER, &signed(CONSUMER, BODY), BODY));
    assert_found(&explanation, Cause::KeyKind, Some("oauth2_client_secret"));
    // Only one is configured, and it is that of the other header.
    let explanation = explain(&plain(), event(OAUTH2_SIGNATURE_HEADER, &signed(CONSUMER, BODY), BODY));
    assert_found(&explanation, Cause::KeyKind, Some("oauth2_client_secret"));
    let explanation = explain(&plain(), event(OAUTH2_SIGNATURE_HEADER, &signed(OAUTH2, BODY), BODY));
    let found = finding(&explanation, Cause::KeyKind);
    assert_eq!((found.proven, found.setting.as_deref()), (false, Some("oauth2_client_secret")));
}

#[test]
fn the_wrong_key_is_named() {
    let request = |text: &str| event(SIGNATURE_HEADER, &signed(text, BODY), BODY);
    let own = with(|settings| settings.consumer.push(retired("previous_secrets[0]", "the old one")));
    assert_found(&explain(&own, request("the old one")), Cause::KeyRetired, Some("previous_secrets[0]"));
    let other = with(|settings| settings.consumer = vec![key("consumer_secret", "of staging")]);
    let (_, explanation) = explain_with(&own, &[("x-staging", &other)], request("of staging"));
    assert_found(&explanation, Cause::KeyOtherSource, None);
    assert!(explanation.sentence.contains("`consumer_secret` of source `x-staging`"));
    let blank = with(|settings| settings.consumer = vec![key("consumer_secret", "abc\n")]);
    assert_found(&explain(&blank, request("abc")), Cause::KeyBlanks, Some("consumer_secret"));
    let base64 = with(|settings| settings.consumer = vec![key("consumer_secret", "c2VjcmV0")]);
    assert_found(&explain(&base64, request("secret")), Cause::KeyForm, Some("consumer_secret"));
    assert_eq!(explain(&own, request("nobody's")).findings[0].cause, Cause::Unknown);
}

#[test]
fn a_signature_that_is_written_wrongly_is_named() {
    // One with every mark of base64 in it.
    let (body, bytes) = (0..)
        .map(|n| {
            let body = format!("{{\"n\":{n}}}");
            let text = signed(CONSUMER, &body);
            (body, BASE64.decode(text.strip_prefix("sha256=").unwrap().as_bytes()).unwrap())
        })
        .find(|(_, bytes)| BASE64.encode(bytes).contains(['/', '+']))
        .unwrap();
    let right = BASE64.encode(&bytes);
    for (written, cause) in [
        (format!("sha256={}", HEXLOWER.encode(&bytes)), Cause::SignatureHex),
        (format!("sha256={}", BASE64URL_NOPAD.encode(&bytes)), Cause::SignatureBase64Url),
        (right.clone(), Cause::SignaturePrefix),
        (format!("sha1={right}"), Cause::SignaturePrefix),
        (format!("sha256={}", right.trim_end_matches('=')), Cause::SignatureSpelling),
        (format!("\"sha256={right}\""), Cause::SignatureBlanks),
    ] {
        assert_found(&explain(&plain(), event(SIGNATURE_HEADER, &written, &body)), cause, None);
    }
    let explanation = explain(&plain(), event(SIGNATURE_HEADER, "no signature", &body));
    assert!(explanation.sentence.contains("44 characters"), "{}", explanation.sentence);
}

#[test]
fn what_happened_to_the_body_is_named() {
    let value: serde_json::Value = serde_json::from_str(BODY).unwrap();
    let pretty = serde_json::to_string_pretty(&value).unwrap();
    for (original, received, cause) in [
        (BODY.to_owned(), pretty.clone(), Cause::BodyReserialised),
        (pretty, BODY.to_owned(), Cause::BodyReserialised),
        (BODY.replace('/', "\\/"), BODY.to_owned(), Cause::BodyReserialised),
        (BODY.to_owned(), BODY.replace('/', "\\/"), Cause::BodyReserialised),
        (BODY.replace('\u{e9}', "\\u00e9"), BODY.to_owned(), Cause::BodyReserialised),
        ("{\"a\":1,\"b\":2}".to_owned(), "{\"b\":2,\"a\":1}".to_owned(), Cause::BodyReserialised),
        (BODY.to_owned(), format!("{BODY}\n"), Cause::BodyNewline),
        (format!("{BODY}\n"), BODY.to_owned(), Cause::BodyNewline),
        (BODY.to_owned(), format!("\u{feff}{BODY}"), Cause::BodyBom),
        (BODY.replace(',', ",\r\n"), BODY.replace(',', ",\n"), Cause::BodyLineEnds),
        (String::new(), BODY.to_owned(), Cause::BodyDropped),
    ] {
        let request = event(SIGNATURE_HEADER, &signed(CONSUMER, &original), &received);
        assert_found(&explain(&plain(), request), cause, None);
    }
}

#[test]
fn a_signed_body_that_is_no_event_is_named() {
    for (body, cause) in [
        ("[]", Cause::BodyKind),
        ("{", Cause::BodyKind),
        ("x y", Cause::BodyKind),
        (TOKEN, Cause::BodyKind),
        ("\u{feff}{}", Cause::BodyBom),
        ("", Cause::BodyDropped),
    ] {
        assert_found(&explain(&plain(), event(SIGNATURE_HEADER, &signed(CONSUMER, body), body)), cause, None);
    }
}

#[test]
fn why_a_token_is_not_signed_is_told() {
    for (query, cause, word) in [
        ("crc_token=%7B%22a%22%3A1%7D", Cause::CrcToken, "JSON"),
        ("crc_token=a%26nonce%3Db", Cause::CrcToken, "query"),
        ("crc_token=a%3Db", Cause::CrcToken, "query"),
        ("crc_token=a+b", Cause::CrcToken, "%2B"),
        ("crc_token=abc%", Cause::CrcToken, "hex digits"),
        ("crc_token=%FF", Cause::CrcToken, "no text"),
        ("crc_token=", Cause::CrcToken, "empty"),
        ("crc_token=a===", Cause::CrcToken, "more than two"),
        ("crc_token=a.b", Cause::CrcToken, "A-Z"),
        ("crc_token=a&crc_token=b", Cause::CrcRepeated, "twice"),
    ] {
        let explanation = explain(&plain(), get(&format!("/x?{query}"), &[]));
        assert_found(&explanation, cause, None);
        assert!(explanation.sentence.contains(word), "{query}: {}", explanation.sentence);
    }
    let long = explain(&plain(), get(&format!("/x?crc_token={}", "a".repeat(257)), &[]));
    assert!(long.sentence.contains("256"));
    let strict = with(|settings| settings.crc.shape = CrcShape::XStrict);
    let explanation = explain(&strict, get("/x?crc_token=foo", &[]));
    assert_found(&explanation, Cause::CrcToken, Some("crc = { shape = \"any\" }"));
    for (target, headers, cause) in [
        ("/x", vec![], Cause::QueryDropped),
        ("/x", vec![("x-original-uri", "/x?crc_token=foo")], Cause::QueryDropped),
        ("/x?CRC_TOKEN=a", vec![], Cause::CrcToken),
        ("/x?a=b", vec![], Cause::CrcToken),
    ] {
        let explanation = explain(&plain(), get(target, &headers));
        assert!(!finding(&explanation, cause).proven, "{target}");
    }
}

#[test]
fn why_a_challenges_signature_does_not_hold_is_told() {
    let query = format!("crc_token={TOKEN}&nonce=MTc5NTMwNTYwMDAwMA");
    let challenge = |target: &str, header: &str, signature: &str| get(target, &[(header, signature)]);
    let right = sign_get(&secret(CONSUMER), &query);
    let of_oauth2 = sign_get(&secret(OAUTH2), &query);
    let target = format!("/x?{query}");
    let explanation = explain(&both(), challenge(&target, SIGNATURE_HEADER, &of_oauth2));
    assert_found(&explanation, Cause::KeyKind, Some("consumer_secret"));
    let own = with(|settings| settings.consumer = vec![key("new", "n"), retired("old", CONSUMER)]);
    let explanation = explain(&own, challenge(&target, SIGNATURE_HEADER, &right));
    assert_found(&explanation, Cause::KeyRetired, Some("old"));
    // The query was put into another order, or encoded anew, or has more in it.
    let reordered = sign_get(&secret(CONSUMER), &format!("a=1&crc_token={TOKEN}&nonce=MTc5"));
    let request = challenge(&format!("/x?crc_token={TOKEN}&nonce=MTc5&a=1"), SIGNATURE_HEADER, &reordered);
    assert_found(&explain(&plain(), request), Cause::QueryOrder, None);

    let required = with(|settings| settings.crc.signature = CrcSignature::Require);
    let explanation = explain(&required, get(&target, &[]));
    let found = finding(&explanation, Cause::CrcUnsigned);
    assert_eq!(found.setting.as_deref(), Some("crc = { signature = \"if-present\" }"));
    let explanation = explain(&required, challenge(&target, OAUTH2_SIGNATURE_HEADER, &of_oauth2));
    assert_eq!(finding(&explanation, Cause::KeyKind).setting.as_deref(), Some("oauth2_client_secret"));
    let ended = with(|settings| settings.consumer = vec![retired("old", CONSUMER)]);
    assert_found(&explain(&ended, get(&target, &[])), Cause::KeysEnded, Some("consumer_secret"));

    let limited = with(|settings| settings.crc.max_age = Some(std::time::Duration::from_secs(60)));
    let sent = |seconds: i64| {
        let nonce = BASE64URL_NOPAD.encode(((NOW - seconds) * 1_000).to_string().as_bytes());
        let query = format!("crc_token={TOKEN}&nonce={nonce}");
        challenge(&format!("/x?{query}"), SIGNATURE_HEADER, &sign_get(&secret(CONSUMER), &query))
    };
    assert_found(&explain(&limited, sent(100)), Cause::TimeOld, None);
    assert_found(&explain(&limited, sent(-100)), Cause::TimeSkew, None);
    let opaque = format!("crc_token={TOKEN}&nonce=opaque");
    let request = challenge(&format!("/x?{opaque}"), SIGNATURE_HEADER, &sign_get(&secret(CONSUMER), &opaque));
    assert!(!finding(&explain(&limited, request), Cause::CrcToken).proven);
}

#[test]
fn headers_that_lack_or_come_twice_are_named() {
    let explanation = explain(&plain(), post("/x", &[], BODY));
    assert!(explanation.sentence.contains(SIGNATURE_HEADER));
    let right = signed(CONSUMER, BODY);
    let twice = post("/x", &[(SIGNATURE_HEADER, &right), (SIGNATURE_HEADER, &right)], BODY);
    assert_found(&explain(&plain(), twice), Cause::HeaderRepeated, None);
    let explanation = explain(&plain(), post("/x", &[("stripe-signature", "t=1,v1=0")], BODY));
    let found = finding(&explanation, Cause::HeaderOfOtherProvider);
    assert_eq!(found.setting.as_deref(), Some("provider = \"stripe\""));
    let put = Request::new("PUT", "/x", &[] as &[(&str, &str)], "").unwrap();
    assert_found(&explain(&plain(), put), Cause::Method, None);
    assert_found(
        &explain(&plain(), Request::new("GET", "/x", &[] as &[(&str, &str)], "x").unwrap()),
        Cause::Method,
        None,
    );
}
