//! The mistakes of plain HMAC schemes.

use std::borrow::Cow;

use data_encoding::{BASE64, HEXUPPER};

use super::*;
use crate::catalogue;
use crate::descriptor::{
    Descriptor, Digest, Direction, Encoding, KeyForm, Parse, Part, TimestampFrom, TimestampSpec,
    TimestampUnit,
};
use crate::fixtures::{NOW, key, post, retired};
use crate::secret::Key;
use crate::{hmac, mac};

const SECRET: &str = "an hmac secret";
const BODY: &str = "{\"id\":\"evt_1\",\"type\":\"demo\"}";

fn row_with(provider: &'static str, keys: Vec<Key>) -> Verifier {
    let descriptor = catalogue::find(provider).unwrap().descriptor.clone();
    Verifier::Hmac(hmac::Verifier::new(provider, descriptor, keys, vec![]).unwrap())
}

fn row(provider: &'static str) -> Verifier {
    row_with(provider, vec![key("secret", SECRET)])
}

fn described_with(secret: &str, change: impl FnOnce(&mut Descriptor)) -> Verifier {
    let mut descriptor = Descriptor::new("X-Signature");
    change(&mut descriptor);
    let urls = vec!["https://h.example".parse().unwrap()];
    Verifier::Hmac(hmac::Verifier::new("hmac", descriptor, vec![key("secret", secret)], urls).unwrap())
}

fn described(change: impl FnOnce(&mut Descriptor)) -> Verifier {
    described_with(SECRET, change)
}

fn tag(key: &[u8], digest: Digest, message: &str, encoding: Encoding) -> String {
    mac::sign(key, digest, &[message.as_bytes()], encoding).into_text()
}

fn hex(message: &str) -> String {
    tag(SECRET.as_bytes(), Digest::Sha256, message, Encoding::Hex)
}

fn base64(message: &str) -> String {
    tag(SECRET.as_bytes(), Digest::Sha256, message, Encoding::Base64)
}

fn github(signature: &str, body: &str) -> Request {
    post("/", &[("x-hub-signature-256", signature)], body.to_owned())
}

fn custom(signature: &str) -> Request {
    post("/in", &[("x-signature", signature)], BODY)
}

#[test]
fn a_signature_that_is_written_wrongly_is_named() {
    for (written, cause) in [
        (format!("sha256={}", base64(BODY)), Cause::SignatureBase64),
        (hex(BODY), Cause::SignaturePrefix),
        (format!("sha1={}", hex(BODY)), Cause::SignaturePrefix),
        (format!("sha256={}", hex(BODY).to_uppercase()), Cause::SignatureSpelling),
        (format!("sha256={}", BASE64.encode(hex(BODY).as_bytes())), Cause::SignatureSpelling),
        (format!("'sha256={}'", hex(BODY)), Cause::SignatureBlanks),
    ] {
        assert_found(&explain(&row("github"), github(&written, BODY)), cause, None);
    }
    // In an operator's own description each of them is a setting.
    for (written, cause, setting) in [
        (base64(BODY), Cause::SignatureBase64, "hmac = { encoding = \"base64\" }"),
        (
            tag(SECRET.as_bytes(), Digest::Sha1, BODY, Encoding::Hex),
            Cause::SignatureAlgorithm,
            "hmac = { digest = \"sha1\" }",
        ),
        (
            tag(SECRET.as_bytes(), Digest::Sha512, BODY, Encoding::Hex),
            Cause::SignatureAlgorithm,
            "hmac = { digest = \"sha512\" }",
        ),
        (format!("sha256={}", hex(BODY)), Cause::SignaturePrefix, "hmac = { prefix = \"sha256=\" }"),
    ] {
        assert_found(&explain(&described(|_| {}), custom(&written)), cause, Some(setting));
    }
    let needs_prefix = described(|d| d.signature.parse = Parse::Plain { prefix: "v0=".into() });
    assert_found(
        &explain(&needs_prefix, custom(&hex(BODY))),
        Cause::SignaturePrefix,
        Some("hmac = { prefix = \"\" }"),
    );
    let in_base64 = described(|d| d.signature.encoding = Encoding::Base64);
    assert_found(
        &explain(&in_base64, custom(&hex(BODY))),
        Cause::SignatureHex,
        Some("hmac = { encoding = \"hex\" }"),
    );
    let in_url = described(|d| d.signature.encoding = Encoding::Base64Url);
    let padded = base64(BODY);
    let explanation = explain(&in_url, custom(&padded));
    let cause =
        if padded.contains(['+', '/']) { Cause::SignatureBase64Url } else { Cause::SignatureSpelling };
    assert!(finding(&explanation, cause).proven);
    let upper = HEXUPPER.encode(&BASE64.decode(base64(BODY).as_bytes()).unwrap());
    assert_found(&explain(&described(|_| {}), custom(&upper)), Cause::SignatureSpelling, None);
    assert!(!finding(&explain(&described(|_| {}), custom("zz")), Cause::SignatureSpelling).proven);
}

#[test]
fn the_wrong_key_is_named() {
    let signed =
        |key: &[u8]| github(&format!("sha256={}", tag(key, Digest::Sha256, BODY, Encoding::Hex)), BODY);
    let own = row_with("github", vec![key("secret", SECRET), retired("previous_secrets[0]", "the old one")]);
    assert_found(&explain(&own, signed(b"the old one")), Cause::KeyRetired, Some("previous_secrets[0]"));
    let stripe = row_with("stripe", vec![key("secret", "of stripe")]);
    let (_, explanation) = explain_with(&own, &[("billing", &stripe)], signed(b"of stripe"));
    assert_found(&explanation, Cause::KeyOtherSource, None);
    assert!(explanation.sentence.contains("`secret` of source `billing`"), "{}", explanation.sentence);
    for configured in ["abc\n", " abc", "\"abc\"", "abc\r\n"] {
        let own = row_with("github", vec![key("secret", configured)]);
        assert_found(&explain(&own, signed(b"abc")), Cause::KeyBlanks, Some("secret"));
    }
    assert_eq!(explain(&own, signed(b"nobody's")).findings[0].cause, Cause::Unknown);
}

#[test]
fn a_secret_in_the_wrong_form_is_named() {
    let custom_with = |key: &[u8]| custom(&tag(key, Digest::Sha256, BODY, Encoding::Hex));
    for (configured, form, used, setting) in [
        ("c2VjcmV0", KeyForm::Utf8, &b"secret"[..], "hmac = { key = \"base64\" }"),
        ("736563726574", KeyForm::Utf8, b"secret", "hmac = { key = \"hex\" }"),
        ("c2VjcmV0", KeyForm::Base64, b"c2VjcmV0", "hmac = { key = \"utf8\" }"),
        ("736563726574", KeyForm::Hex, b"736563726574", "hmac = { key = \"utf8\" }"),
        ("whsec_c2VjcmV0", KeyForm::Utf8, b"secret", "hmac = { key = \"whsec-base64\" }"),
    ] {
        let own = described_with(configured, |d| d.key = form);
        assert_found(&explain(&own, custom_with(used)), Cause::KeyForm, Some(setting));
    }
    // Standard Webhooks: the secret after `whsec_`, used as text.
    let own = row_with("standard-webhooks", vec![key("secret", "whsec_c2VjcmV0")]);
    for used in ["whsec_c2VjcmV0", "c2VjcmV0"] {
        let message = format!("msg_1.{NOW}.{BODY}");
        let signature = format!("v1,{}", tag(used.as_bytes(), Digest::Sha256, &message, Encoding::Base64));
        let time = NOW.to_string();
        let headers = [
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", time.as_str()),
            ("webhook-signature", &signature),
        ];
        assert_found(&explain(&own, post("/", &headers, BODY)), Cause::KeyForm, Some("secret"));
    }
}

#[test]
fn what_happened_to_the_body_is_named() {
    let pretty = "{\n    \"id\": \"evt_1\",\n    \"type\": \"demo\"\n}";
    for (original, received, cause) in [
        (BODY, pretty, Cause::BodyReserialised),
        ("{\"id\": \"evt_1\", \"type\": \"demo\"}", BODY, Cause::BodyReserialised),
        ("{\"a\":1,\"z\":2}", "{\"z\":2,\"a\":1}", Cause::BodyReserialised),
        ("payload=a+b", "payload=a%20b", Cause::BodyReserialised),
        (BODY, "\u{feff}{\"id\":\"evt_1\",\"type\":\"demo\"}", Cause::BodyBom),
        ("a\r\nb", "a\nb", Cause::BodyLineEnds),
        ("a\n", "a", Cause::BodyNewline),
        ("", "x", Cause::BodyDropped),
    ] {
        let request = github(&format!("sha256={}", hex(original)), received);
        assert_found(&explain(&row("github"), request), cause, None);
        let message = format!("{NOW}.{original}");
        let stripe = format!("t={NOW},v1={}", hex(&message));
        let request = post("/", &[("stripe-signature", &stripe)], received.to_owned());
        assert_found(&explain(&row("stripe"), request), cause, None);
    }
    let latin = [b"caf\xe9".as_slice(), "caf\u{e9}".as_bytes()];
    for [signed, received] in [latin, [latin[1], latin[0]]] {
        let signature = mac::sign(SECRET.as_bytes(), Digest::Sha256, &[signed], Encoding::Hex).into_text();
        let request =
            post("/", &[("x-hub-signature-256", &format!("sha256={signature}"))], received.to_vec());
        assert_found(&explain(&row("github"), request), Cause::BodyCharset, None);
    }
}

#[test]
fn what_is_wrong_with_the_time_is_named() {
    let sent = |time: i64| {
        let value = format!("t={time},v1={}", hex(&format!("{time}.{BODY}")));
        post("/", &[("stripe-signature", &value)], BODY)
    };
    let explanation = explain(&row("stripe"), sent(NOW - 400));
    assert_found(&explanation, Cause::TimeOld, None);
    assert!(!finding(&explanation, Cause::TimeSkew).proven);
    assert_found(&explain(&row("stripe"), sent(NOW + 400)), Cause::TimeSkew, None);
    assert_found(&explain(&row("stripe"), sent(NOW - 3_600)), Cause::TimeSkew, None);
    assert_found(&explain(&row("stripe"), sent(NOW * 1_000)), Cause::TimeUnit, None);

    let timed = |unit| {
        described(|d| {
            d.message = Cow::Owned(vec![Part::Timestamp, Part::Body]);
            d.timestamp = Some(TimestampSpec {
                from: TimestampFrom::Header("X-Time".into()),
                unit,
                tolerance: std::time::Duration::from_secs(60),
                direction: Direction::Both,
            });
        })
    };
    let sent = |time: &str| {
        post("/", &[("x-signature", hex(&format!("{time}{BODY}")).as_str()), ("x-time", time)], BODY)
    };
    for (unit, time, setting) in [
        (TimestampUnit::Seconds, (NOW * 1_000).to_string(), Some("hmac = { timestamp = { unit = \"ms\" } }")),
        (TimestampUnit::Rfc3339, NOW.to_string(), Some("hmac = { timestamp = { unit = \"s\" } }")),
        (TimestampUnit::Seconds, now().to_string(), Some("hmac = { timestamp = { unit = \"rfc3339\" } }")),
    ] {
        assert_found(&explain(&timed(unit), sent(&time)), Cause::TimeUnit, setting);
    }
    assert!(!finding(&explain(&timed(TimestampUnit::Seconds), sent("now")), Cause::TimeUnit).proven);
    let explanation = explain(&timed(TimestampUnit::Seconds), sent(&(NOW - 90).to_string()));
    assert_found(&explanation, Cause::TimeOld, Some("hmac = { timestamp = { tolerance = \"…\" } }"));
}

#[test]
fn a_flood_of_signatures_is_not_taken_for_a_wrong_time() {
    let value = format!("t={NOW}{}", format!(",v1={}", hex(&format!("{NOW}.{BODY}"))).repeat(9));
    let explanation = explain(&row("stripe"), post("/", &[("stripe-signature", &value)], BODY));
    assert_eq!(explanation.findings[0].cause, Cause::Unknown);
    assert!(explanation.sentence.contains("at most 8 signatures"), "{}", explanation.sentence);
}

#[test]
fn other_parts_of_a_message_are_named() {
    let time = NOW.to_string();
    let sent =
        |message: &str| post("/in", &[("x-signature", hex(message).as_str()), ("x-time", &time)], BODY);
    let timed = "timestamp = { header = \"x-time\" }";
    for (message, parts) in [
        (
            format!("{time}.{BODY}"),
            format!("hmac = {{ message = [\"timestamp\", \"literal:.\", \"body\"], {timed} }}"),
        ),
        (format!("{time}{BODY}"), format!("hmac = {{ message = [\"timestamp\", \"body\"], {timed} }}")),
        (
            format!("POST\n/in\n{BODY}"),
            "hmac = { message = [\"method\", \"literal:\\n\", \"path\", \"literal:\\n\", \"body\"] }"
                .to_owned(),
        ),
    ] {
        assert_found(&explain(&described(|_| {}), sent(&message)), Cause::MessageParts, Some(&parts));
    }
    let stripe = format!("t={NOW},v1={}", hex(BODY));
    assert_found(
        &explain(&row("stripe"), post("/", &[("stripe-signature", &stripe)], BODY)),
        Cause::MessageParts,
        None,
    );
}

#[test]
fn a_url_that_is_signed_is_named() {
    let own = described(|d| d.message = Cow::Owned(vec![Part::Url, Part::Body]));
    let sent = |target: &str, url: &str| {
        post(target, &[("x-signature", hex(&format!("{url}{BODY}")).as_str())], BODY)
    };
    let setting = "public_url = \"http://h.example\"";
    assert_found(&explain(&own, sent("/in", "http://h.example/in")), Cause::UrlScheme, Some(setting));
    assert_found(
        &explain(&own, sent("/in?b=1&a=2", "https://h.example/in?a=2&b=1")),
        Cause::QueryOrder,
        None,
    );
    assert_found(
        &explain(&own, sent("/in", "https://h.example/in/")),
        Cause::UrlSlash,
        Some("path = \"/in/\""),
    );
}

#[test]
fn headers_that_lack_or_come_twice_are_named() {
    let explanation = explain(&row("github"), post("/", &[("x-hub-signature", "sha1=00")], BODY));
    assert!(explanation.sentence.contains("SHA-1"), "{}", explanation.sentence);
    let explanation = explain(&row("github"), post("/", &[], BODY));
    assert!(!finding(&explanation, Cause::HeaderMissing).proven);
    let right = format!("sha256={}", hex(BODY));
    let twice = post("/", &[("x-hub-signature-256", right.as_str()), ("x-hub-signature-256", &right)], BODY);
    assert_found(&explain(&row("github"), twice), Cause::HeaderRepeated, None);
    let slack = format!("v0={}", hex(&format!("v0:{NOW}:{BODY}")));
    let explanation = explain(&row("slack"), post("/", &[("x-slack-signature", &slack)], BODY));
    assert!(explanation.sentence.contains("x-slack-request-timestamp"), "{}", explanation.sentence);

    let described = described(|_| {});
    let (_, explanation) = explain_with(&row("github"), &[("billing", &described)], custom(&hex(BODY)));
    let found = finding(&explanation, Cause::HeaderOfOtherProvider);
    assert!(found.proven && found.detail.contains("`billing`"), "{found:?}");
}
