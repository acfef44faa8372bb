//! The conformance cases of X (their ids in the names) and the rules around them.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;

use super::*;
use crate::fixtures::{NOW, code, evidence, get, handshake, key, now, post, reject, retired, secret};
use crate::verdict::{Covers, Reject, Verdict};

const CONSUMER: &str = "fake consumer secret";
const OAUTH2: &str = "fake client secret";
const TOKEN: &str = "N2YyYzFjMWUtNWYwZS00YTU1LTljMGUtMmIxZDlhNmYwYTEx";
const BODY: &str = r#"{"data":{"event_uuid":"-1","event_type":"post.create","payload":{"text":"hi"}}}"#;

fn with(change: impl FnOnce(&mut Settings)) -> Verifier {
    let mut settings = Settings { consumer: vec![key("consumer_secret", CONSUMER)], ..Settings::default() };
    change(&mut settings);
    Verifier::new(settings).unwrap()
}

fn both() -> Verifier {
    with(|settings| settings.oauth2 = vec![key("oauth2_client_secret", OAUTH2)])
}

fn plain() -> Verifier {
    with(|_| {})
}

fn signed_post(secret_text: &str, body: &str) -> Verdict {
    let signature = sign_post(&secret(secret_text), body.as_bytes());
    plain().verify(post("/x", &[(SIGNATURE_HEADER, &signature)], body.to_owned()), now())
}

fn crc(query: &str) -> Verdict {
    plain().verify(get(&format!("/x?{query}"), &[]), now())
}

fn signed_crc(verifier: &Verifier, query: &str) -> Verdict {
    let signature = sign_get(&secret(CONSUMER), query);
    verifier.verify(get(&format!("/x?{query}"), &[(SIGNATURE_HEADER, &signature)]), now())
}

fn query_sent(seconds_ago: i64) -> String {
    let nonce = BASE64URL_NOPAD.encode(((NOW - seconds_ago) * 1000).to_string().as_bytes());
    format!("crc_token={TOKEN}&nonce={nonce}")
}

#[test]
fn x01_an_unsigned_challenge_is_answered_with_the_first_active_key() {
    let answer = handshake(crc(&query_sent(1)));
    assert_eq!(answer.body, crc_response(&secret(CONSUMER), TOKEN).unwrap());
    assert_eq!((answer.content_type, answer.kind), ("application/json", "crc"));
    assert_eq!((answer.key.as_str(), answer.signed), ("consumer_secret", false));
    assert!(answer.notes.is_empty(), "{:?}", answer.notes);

    let verifier = with(|settings| {
        settings.consumer = vec![retired("old", "old secret"), key("new", "new secret")];
    });
    let answer = handshake(verifier.verify(get(&format!("/x?crc_token={TOKEN}"), &[]), now()));
    assert_eq!(answer.key, "new");
}

#[test]
fn the_policy_chooses_the_key_of_an_unsigned_challenge() {
    let target = format!("/x?crc_token={TOKEN}");
    let mut settings = Settings {
        consumer: vec![key("consumer", CONSUMER)],
        oauth2: vec![key("oauth2", OAUTH2)],
        ..Settings::default()
    };
    settings.crc.key = CrcKey::Oauth2;
    let verifier = Verifier::new(settings.clone()).unwrap();
    assert_eq!(handshake(verifier.verify(get(&target, &[]), now())).key, "oauth2");
    settings.oauth2.clear();
    let verifier = Verifier::new(settings).unwrap();
    assert_eq!(handshake(verifier.verify(get(&target, &[]), now())).key, "consumer");
    let ended = with(|settings| settings.consumer = vec![retired("old", CONSUMER)]);
    assert_eq!(reject(ended.verify(get(&target, &[]), now())), Reject::CrcKeysEnded);
}

#[test]
fn x02_a_signed_challenge_is_answered_with_the_key_that_signed_it() {
    let verifier = with(|settings| {
        settings.consumer = vec![key("new", "another secret"), key("old", CONSUMER)];
    });
    let answer = handshake(signed_crc(&verifier, &query_sent(1)));
    assert_eq!((answer.key.as_str(), answer.signed), ("old", true));
    assert_eq!(answer.body, crc_response(&secret(CONSUMER), TOKEN).unwrap());
    assert!(answer.notes.is_empty());

    let query = query_sent(1);
    let signature = sign_get(&secret(OAUTH2), &query);
    let request = get(&format!("/x?{query}"), &[(OAUTH2_SIGNATURE_HEADER, &signature)]);
    let answer = handshake(both().verify(request, now()));
    assert_eq!((answer.key.as_str(), answer.signed), ("oauth2_client_secret", true));
}

#[test]
fn a_challenge_is_verified_over_the_raw_query_or_the_canonical_rebuild() {
    let verifier = plain();
    let escaped = TOKEN.replacen('N', "%4E", 1);
    for (query, signed_over) in [
        (format!("crc_token={escaped}&nonce=bm9uY2U"), format!("crc_token={escaped}&nonce=bm9uY2U")),
        (format!("crc_token={escaped}&nonce=bm9uY2U"), format!("crc_token={TOKEN}&nonce=bm9uY2U")),
        (format!("nonce=bm9uY2U&a=b&crc_token={TOKEN}"), format!("crc_token={TOKEN}&nonce=bm9uY2U")),
        (format!("nonce=bm9uY2U&a=b&crc_token={TOKEN}"), format!("nonce=bm9uY2U&a=b&crc_token={TOKEN}")),
    ] {
        let signature = sign_get(&secret(CONSUMER), &signed_over);
        let request = get(&format!("/x?{query}"), &[(SIGNATURE_HEADER, &signature)]);
        assert!(handshake(verifier.verify(request, now())).signed, "{query} as {signed_over}");
    }
    let signature = sign_get(&secret(CONSUMER), &format!("nonce=bm9uY2U&crc_token={TOKEN}"));
    let request = get(&format!("/x?crc_token={TOKEN}&nonce=bm9uY2U"), &[(SIGNATURE_HEADER, &signature)]);
    assert_eq!(code(verifier.verify(request, now())), "crc.sig_mismatch");
}

#[test]
fn x03_a_wrong_signature_on_a_challenge_is_refused() {
    let query = query_sent(1);
    let target = format!("/x?{query}");
    let right = sign_get(&secret(CONSUMER), &query);
    let wrong = sign_get(&secret("not the key"), &query);
    let verifier = plain();
    let judge = |headers: &[(&str, &str)]| code(verifier.verify(get(&target, headers), now()));
    assert_eq!(judge(&[(SIGNATURE_HEADER, &wrong)]), "crc.sig_mismatch");
    assert_eq!(judge(&[(SIGNATURE_HEADER, &right), (SIGNATURE_HEADER, &right)]), "sig.ambiguous");
    assert_eq!(judge(&[(SIGNATURE_HEADER, right.trim_start_matches("sha256="))]), "sig.malformed");
    assert_eq!(judge(&[(SIGNATURE_HEADER, "")]), "sig.missing");
    let one_of_two_wrong = [(SIGNATURE_HEADER, right.as_str()), (OAUTH2_SIGNATURE_HEADER, wrong.as_str())];
    assert_eq!(code(both().verify(get(&target, &one_of_two_wrong), now())), "crc.sig_mismatch");
    let retired_key = with(|settings| settings.consumer = vec![retired("old", CONSUMER), key("new", "n")]);
    let request = get(&target, &[(SIGNATURE_HEADER, &right)]);
    assert_eq!(code(retired_key.verify(request, now())), "crc.sig_mismatch");
}

#[test]
fn x04_an_unsigned_challenge_is_refused_where_a_signature_is_required() {
    let verifier = with(|settings| settings.crc.signature = CrcSignature::Require);
    assert_eq!(code(verifier.verify(get(&format!("/x?crc_token={TOKEN}"), &[]), now())), "crc.sig_missing");
    assert!(handshake(signed_crc(&verifier, &query_sent(1))).signed);
    // A header without a configured key signs nothing.
    let query = query_sent(1);
    let signature = sign_get(&secret(OAUTH2), &query);
    let request = get(&format!("/x?{query}"), &[(OAUTH2_SIGNATURE_HEADER, &signature)]);
    assert_eq!(code(verifier.verify(request, now())), "crc.sig_missing");
}

#[test]
fn x05_to_x08_a_token_that_is_not_opaque_is_not_signed() {
    for token in [
        "%7B%22for_user_id%22%3A%221%22%7D", // X05: an event
        "{%22for_user_id%22:%221%22}",
        "crc_token%3DA%26nonce%3DB",    // X06: a signed query
        "crc_token%3DAAAAAAAAAAAAAAAA", // X07: an inner `=`
        "crc_token=AAAAAAAAAAAAAAAA",
        "",
        "=",
        "==",
        "abc===",
        "a+b", // a blank
        "a%20b",
        "a%00b",
        "abc%0A",
        "%0Aabc",
        "a%C3%A9",
        "\u{e9}",
        "%FF",
        "abc%",
        "abc%4",
        "abc%zz",
        "abc%+1",
        "a.b",
        "a:b",
        "a%25b",
        &"a".repeat(257),
        &format!("{}==", "a".repeat(257)),
    ] {
        assert_eq!(code(crc(&format!("crc_token={token}&nonce=bm9uY2U"))), "crc.token_shape", "{token}");
        assert_eq!(code(crc(&format!("crc_token={token}"))), "crc.token_shape", "{token}");
    }
    for target in ["/x", "/x?", "/x?nonce=a", "/x?crc_tokens=foo", "/x?CRC_TOKEN=foo"] {
        assert_eq!(reject(plain().verify(get(target, &[]), now())), Reject::CrcTokenMissing, "{target}");
    }
}

#[test]
fn an_opaque_token_is_signed_in_its_decoded_form() {
    for (token, decoded) in [
        ("foo", "foo"),
        ("a%2Bb%2f_-", "a+b/_-"),
        ("YQ==", "YQ=="),
        ("YQ%3D%3d", "YQ=="),
        (&"a".repeat(256), &"a".repeat(256)),
        (TOKEN, TOKEN),
    ] {
        let answer = handshake(crc(&format!("a=1&crc_token={token}&b")));
        assert_eq!(answer.body, crc_response(&secret(CONSUMER), decoded).unwrap());
    }
}

#[test]
fn x09_a_repeated_parameter_is_refused() {
    for (query, repeated) in [
        ("crc_token=a&crc_token=b", "crc_token"),
        ("crc_token=a&crc_token=a", "crc_token"),
        ("crc_token=a&crc%5Ftoken=b", "crc_token"),
        ("crc_token=a&crc_token", "crc_token"),
        ("crc_token=a&nonce=b&nonce=b", "nonce"),
        ("crc_token=a&nonce=&%6eonce=b", "nonce"),
    ] {
        assert_eq!(reject(crc(query)), Reject::CrcParameterRepeated { name: repeated }, "{query}");
    }
    assert_eq!(code(crc("crc_token=a&nonce=b&nonce=c")), "crc.duplicate_param");
}

#[test]
fn x10_the_browser_check_of_the_guide_is_answered() {
    let answer = handshake(crc("crc_token=foo"));
    assert_eq!(answer.notes, ["shape=unusual"]);
    let strict = with(|settings| settings.crc.shape = CrcShape::XStrict);
    assert_eq!(code(strict.verify(get("/x?crc_token=foo", &[]), now())), "crc.token_shape");
    let bare_uuid = "/x?crc_token=9b4507b3-9040-4669-9ca3-6b94edb50553";
    assert_eq!(code(strict.verify(get(bare_uuid, &[]), now())), "crc.token_shape");
    for nonce in ["", "&nonce=", "&nonce=foo", "&nonce=bm9uY2U", "&nonce=MTc5N*"] {
        let target = format!("/x?crc_token={TOKEN}{nonce}");
        assert_eq!(code(strict.verify(get(&target, &[]), now())), "crc.token_shape", "{nonce}");
    }
    assert!(!handshake(strict.verify(get(&format!("/x?{}", query_sent(1)), &[]), now())).signed);
}

/// Every combination of what a policy can say, with both keys, and a former consumer secret besides.
fn every_policy() -> impl Iterator<Item = (CrcPolicy, Verifier)> {
    let signatures = [CrcSignature::IfPresent, CrcSignature::Require];
    let shapes = [CrcShape::Any, CrcShape::XStrict];
    let keys = [CrcKey::Consumer, CrcKey::Oauth2];
    let ages = [None, Some(Duration::from_secs(60))];
    signatures
        .into_iter()
        .flat_map(move |signature| shapes.map(|shape| (signature, shape)))
        .flat_map(move |(signature, shape)| keys.map(|key| (signature, shape, key)))
        .flat_map(move |(signature, shape, key)| {
            ages.map(|max_age| CrcPolicy { signature, shape, key, max_age })
        })
        .map(|crc| {
            let consumer = vec![key("consumer_secret", CONSUMER), key("previous_secrets[0]", "former")];
            let settings = Settings { consumer, oauth2: vec![key("oauth2_client_secret", OAUTH2)], crc };
            (crc, Verifier::new(settings).unwrap())
        })
}

/// During a rotation X may still challenge with the former key: it is answered with that one. Whoever does not sign is
/// answered with the current key of the kind that the policy names.
#[test]
fn in_every_mode_a_signed_challenge_chooses_the_key_and_an_unsigned_one_does_not() {
    let query = query_sent(1);
    let target = format!("/x?{query}");
    for (policy, verifier) in every_policy() {
        for (header, name, text) in [
            (SIGNATURE_HEADER, "consumer_secret", CONSUMER),
            (SIGNATURE_HEADER, "previous_secrets[0]", "former"),
            (OAUTH2_SIGNATURE_HEADER, "oauth2_client_secret", OAUTH2),
        ] {
            let signature = sign_get(&secret(text), &query);
            let answer = handshake(verifier.verify(get(&target, &[(header, &signature)]), now()));
            assert_eq!((answer.key.as_str(), answer.signed), (name, true), "{policy:?}");
            assert_eq!(answer.body, crc_response(&secret(text), TOKEN).unwrap(), "{policy:?}");
            assert_eq!(answer.sent_at.map(|at| at.as_second()), Some(NOW - 1));
        }
        let unsigned = verifier.verify(get(&target, &[]), now());
        if policy.signature == CrcSignature::Require {
            assert_eq!(code(unsigned), "crc.sig_missing", "{policy:?}");
            continue;
        }
        let answer = handshake(unsigned);
        let expected = match policy.key {
            CrcKey::Consumer => ("consumer_secret", false),
            CrcKey::Oauth2 => ("oauth2_client_secret", false),
        };
        assert_eq!((answer.key.as_str(), answer.signed), expected, "{policy:?}");
    }
}

/// Cases X05 to X09, X12 and X13 whatever the policy, asked by a stranger and by somebody who can sign.
#[test]
fn in_every_mode_nothing_but_an_opaque_token_is_signed_and_nothing_but_an_object_is_an_event() {
    let long = "a".repeat(257);
    let ill = [
        ("crc_token=%7B%22for_user_id%22%3A%221%22%7D", "crc.token_shape"),
        ("crc_token=crc_token%3DA%26nonce%3DB", "crc.token_shape"),
        ("crc_token=crc_token%3DAAAAAAAAAAAAAAAA", "crc.token_shape"),
        ("crc_token=", "crc.token_shape"),
        ("crc_token=a+b", "crc.token_shape"),
        ("crc_token=a%00", "crc.token_shape"),
        ("", "crc.token_shape"),
        (&format!("crc_token={long}"), "crc.token_shape"),
        ("crc_token=a&crc_token=b", "crc.duplicate_param"),
        ("crc_token=a&nonce=b&nonce=c", "crc.duplicate_param"),
    ];
    for (policy, verifier) in every_policy() {
        for (query, expected) in ill {
            let query = format!("{query}&nonce=MTc5NTMwNTU5OTAwMA");
            let query =
                if expected == "crc.duplicate_param" { query.replace("&nonce=M", "&x=M") } else { query };
            let signature = sign_get(&secret(CONSUMER), &query);
            for headers in [&[][..], &[(SIGNATURE_HEADER, signature.as_str())]] {
                let judged = verifier.verify(get(&format!("/x?{query}"), headers), now());
                assert_eq!(code(judged), expected, "{query} {policy:?}");
            }
        }
        for (header, text) in [(SIGNATURE_HEADER, CONSUMER), (OAUTH2_SIGNATURE_HEADER, OAUTH2)] {
            for body in [TOKEN, "1234567890123456", "true", "[]", "\"s\""] {
                let signature = sign_post(&secret(text), body.as_bytes());
                let judged = verifier.verify(post("/x", &[(header, &signature)], body), now());
                assert_eq!(code(judged), "x.body_not_object", "{body} {policy:?}");
            }
        }
    }
}

#[test]
fn x11_an_old_signed_challenge_is_noted_and_refused_only_where_a_limit_is_set() {
    let fresh = 15 * 60;
    assert!(handshake(signed_crc(&plain(), &query_sent(fresh))).notes.is_empty());
    assert_eq!(handshake(signed_crc(&plain(), &query_sent(fresh + 1))).notes, ["stale"]);
    assert_eq!(handshake(signed_crc(&plain(), &query_sent(-fresh - 1))).notes, ["stale"]);
    assert!(handshake(crc(&query_sent(fresh + 1))).notes.is_empty(), "an unsigned nonce says nothing");

    let limited = with(|settings| settings.crc.max_age = Some(Duration::from_secs(60)));
    assert!(handshake(signed_crc(&limited, &query_sent(60))).signed);
    assert_eq!(
        reject(signed_crc(&limited, &query_sent(61))),
        Reject::Stale { age_seconds: 61, tolerance_seconds: 60 }
    );
    assert_eq!(code(signed_crc(&limited, &format!("crc_token={TOKEN}&nonce=opaque"))), "sig.malformed");
    assert!(handshake(signed_crc(&plain(), &format!("crc_token={TOKEN}&nonce=opaque"))).signed);
}

#[test]
fn x12_an_answered_token_is_no_event() {
    let answer = handshake(crc(&format!("crc_token={TOKEN}"))).body;
    let signature = answer.split('"').nth(3).unwrap().to_owned();
    assert_eq!(signature, sign_post(&secret(CONSUMER), TOKEN.as_bytes()), "the answer is a signature");
    let request = post("/x", &[(SIGNATURE_HEADER, &signature)], TOKEN);
    assert_eq!(code(plain().verify(request, now())), "x.body_not_object");
}

#[test]
fn x13_only_a_json_object_is_an_event() {
    for body in ["1234567890123456", "true", "null", "[]", "\"s\"", "", "{", "{}x", "\u{feff}{}"] {
        assert_eq!(code(signed_post(CONSUMER, body)), "x.body_not_object", "{body}");
    }
}

#[test]
fn x16_a_challenge_is_a_get_without_a_body() {
    let target = format!("/x?crc_token={TOKEN}");
    for method in ["HEAD", "PUT", "get", "OPTIONS", "DELETE"] {
        let request = crate::Request::new(method, target.as_str(), &[] as &[(&str, &str)], "").unwrap();
        assert_eq!(code(plain().verify(request, now())), "http.method", "{method}");
    }
    let request = crate::Request::new("GET", target, &[] as &[(&str, &str)], "{}").unwrap();
    assert_eq!(code(plain().verify(request, now())), "body.unexpected");
}

#[test]
fn x20_a_signed_event_is_verified() {
    let evidence = evidence(signed_post(CONSUMER, BODY));
    assert_eq!((evidence.provider.as_ref(), evidence.scheme.as_ref()), ("x", "x-post-hmac-sha256"));
    assert_eq!((evidence.key.as_str(), evidence.covers), ("consumer_secret", Covers::Body));
    assert_eq!(evidence.event_type.as_deref(), Some("post.create"));
    assert_eq!(evidence.identity.unwrap().0, crate::mac::sha256(BODY.as_bytes()));
}

#[test]
fn x21_a_changed_body_is_refused() {
    let signature = sign_post(&secret(CONSUMER), BODY.as_bytes());
    let reserialised = BODY.replace("\":", "\": ");
    let with_bom = format!("\u{feff}{BODY}");
    let with_newline = format!("{BODY}\r\n");
    for body in [&reserialised, &with_bom, &with_newline, &BODY.replace("hi", "ho")] {
        let request = post("/x", &[(SIGNATURE_HEADER, &signature)], body.clone());
        assert_eq!(code(plain().verify(request, now())), "sig.mismatch", "{body}");
    }
}

#[test]
fn x22_to_x25_the_header_has_one_form_and_occurs_once() {
    let right = sign_post(&secret(CONSUMER), BODY.as_bytes());
    let judge = |headers: &[(&str, &str)]| code(plain().verify(post("/x", headers, BODY), now()));
    assert_eq!(judge(&[]), "sig.missing");
    assert_eq!(judge(&[(SIGNATURE_HEADER, "")]), "sig.missing");
    assert_eq!(judge(&[(OAUTH2_SIGNATURE_HEADER, &right)]), "sig.missing", "no key is configured for it");
    assert_eq!(judge(&[(SIGNATURE_HEADER, &right), (SIGNATURE_HEADER, &right)]), "sig.ambiguous");
    assert_eq!(judge(&[(SIGNATURE_HEADER, "sha256=x"), (SIGNATURE_HEADER, &right)]), "sig.ambiguous");

    let digest = right.strip_prefix("sha256=").unwrap();
    let hex = mac::sign(CONSUMER.as_bytes(), Digest::Sha256, &[BODY.as_bytes()], Encoding::Hex).into_text();
    for malformed in [
        format!("SHA256={digest}"),
        format!("sha1={digest}"),
        format!("sha512={digest}"),
        digest.to_owned(),
        format!("sha256={hex}"),
        format!("sha256={}", digest.replace('=', "")),
        format!("{right}="),
        format!(" {right}"),
        format!("{right} "),
        format!("sha256= {digest}"),
        format!("sha256={}-{}", &digest[..10], &digest[11..]),
        format!("sha256={}", &digest[1..]),
        format!("{right}, {right}"),
    ] {
        assert_eq!(judge(&[(SIGNATURE_HEADER, &malformed)]), "sig.malformed", "{malformed}");
    }

    // The last character has six bits and four of them count: three more characters decode to the same bytes.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let last = digest.as_bytes()[42];
    let place = alphabet.bytes().position(|b| b == last).unwrap() & !3;
    for alias in alphabet[place..place + 4].bytes().filter(|b| *b != last) {
        let aliased = format!("sha256={}{}=", &digest[..42], char::from(alias));
        assert_eq!(judge(&[(SIGNATURE_HEADER, &aliased)]), "sig.mismatch", "{aliased}");
    }
}

#[test]
fn x26_another_secret_is_refused() {
    for other in ["undefined", "null", OAUTH2, "fake consumer secre"] {
        assert_eq!(
            reject(signed_post(other, BODY)),
            Reject::SignatureMismatch { header: SIGNATURE_HEADER.into(), retired: None }
        );
    }
    let signature = mac::sign(b"", Digest::Sha256, &[BODY.as_bytes()], Encoding::Base64).into_text();
    let header = format!("sha256={signature}");
    assert_eq!(code(plain().verify(post("/x", &[(SIGNATURE_HEADER, &header)], BODY), now())), "sig.mismatch");
}

#[test]
fn x27_x28_a_previous_secret_counts_until_its_end() {
    let signature = sign_post(&secret("previous"), BODY.as_bytes());
    let request = || post("/x", &[(SIGNATURE_HEADER, &signature)], BODY);
    let overlapping = with(|settings| settings.consumer.push(key("previous_secrets[0]", "previous")));
    assert_eq!(evidence(overlapping.verify(request(), now())).key, "previous_secrets[0]");
    let over = with(|settings| settings.consumer.push(retired("previous_secrets[0]", "previous")));
    let reject = reject(over.verify(request(), now()));
    assert_eq!(
        reject,
        Reject::SignatureMismatch {
            header: SIGNATURE_HEADER.into(),
            retired: Some("previous_secrets[0]".to_owned())
        }
    );
    assert!(reject.to_string().contains("retired"));
}

#[test]
fn x29_a_repeat_has_the_same_identity_and_another_body_does_not() {
    let identity = |body| evidence(signed_post(CONSUMER, body)).identity;
    assert_eq!(identity(BODY), identity(BODY));
    assert_ne!(identity(BODY), identity("{}"));
    // Its elements are known in any other body.
    let elements = |body: &str| evidence(signed_post(CONSUMER, body)).elements;
    assert_eq!(elements(BODY).len(), 1);
    assert_eq!(elements(BODY), elements(&BODY.replace("\"hi\"", " \"h\\u0069\" ")));
    assert_ne!(elements(BODY), elements(&BODY.replace("\"-1\"", "\"1\"")));
}

#[test]
fn x31_a_hostile_body_is_still_an_event() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_objects = format!("{}1{}", "{\"data\":".repeat(10_000), "}".repeat(10_000));
    for body in [
        deep.as_str(),
        deep_objects.as_str(),
        r#"{"a":1,"a":2,"data":{"event_type":1e400}}"#,
        r#"{"n":1e400,"tweet_create_events":[]}"#,
        r#"{"data":{"event_type":"\ud800"},"s":"\udfff"}"#,
    ] {
        let _ = evidence(signed_post(CONSUMER, body));
    }
}

#[test]
fn x32_every_header_with_a_key_must_verify_and_at_least_one_must_be_there() {
    let legacy = sign_post(&secret(CONSUMER), BODY.as_bytes());
    let newer = sign_post(&secret(OAUTH2), BODY.as_bytes());
    let wrong = sign_post(&secret("wrong"), BODY.as_bytes());
    let judge =
        |verifier: Verifier, headers: &[(&str, &str)]| verifier.verify(post("/x", headers, BODY), now());

    for headers in [
        &[(SIGNATURE_HEADER, legacy.as_str())][..],
        &[(OAUTH2_SIGNATURE_HEADER, &newer)],
        &[(SIGNATURE_HEADER, &legacy), (OAUTH2_SIGNATURE_HEADER, &newer)],
    ] {
        let _ = evidence(judge(both(), headers));
    }
    for headers in [
        &[(SIGNATURE_HEADER, legacy.as_str()), (OAUTH2_SIGNATURE_HEADER, wrong.as_str())][..],
        &[(SIGNATURE_HEADER, &wrong), (OAUTH2_SIGNATURE_HEADER, &newer)],
        &[(SIGNATURE_HEADER, &newer)],
        &[(OAUTH2_SIGNATURE_HEADER, &legacy)],
    ] {
        assert_eq!(code(judge(both(), headers)), "sig.mismatch", "{headers:?}");
    }
    // A header whose key is not configured cannot be checked and does not count.
    let _ = evidence(judge(plain(), &[(SIGNATURE_HEADER, &legacy), (OAUTH2_SIGNATURE_HEADER, &wrong)]));
    let evidence = evidence(judge(both(), &[(OAUTH2_SIGNATURE_HEADER, &newer)]));
    assert_eq!(evidence.scheme, "x-post-hmac-sha256-oauth2");
    assert_eq!(evidence.key, "oauth2_client_secret");
}

#[test]
fn a_signed_query_needs_a_nonce() {
    // Each of these could otherwise be obtained from a responder whose pattern allows an inner `=`.
    for query in [
        format!("crc_token={TOKEN}"),
        format!("crc_token={TOKEN}&nonce="),
        format!("crc_token={TOKEN}&nonce=a=b"),
    ] {
        assert_eq!(code(signed_crc(&plain(), &query)), "crc.sig_mismatch", "{query}");
    }
}

#[test]
fn an_event_is_no_signed_query() {
    let body = format!("{{\"text\":\"&crc_token={TOKEN}&nonce=bm9uY2U&\"}}");
    let event = signed_post(CONSUMER, &body);
    assert!(matches!(event, Verdict::Verified(_)), "it is an event: {event:?}");
    assert_eq!(code(signed_crc(&plain(), &body)), "crc.sig_mismatch");
}

#[test]
fn a_verifier_needs_a_key_of_either_kind() {
    assert!(matches!(Verifier::new(Settings::default()), Err(crate::SchemeError::NoKeys)));
    let oauth2 = Settings { oauth2: vec![key("k", OAUTH2)], ..Settings::default() };
    assert!(Verifier::new(oauth2).is_ok());
}

#[test]
fn debug_shows_no_secret() {
    let text = format!("{:?}", both());
    assert!(!text.contains(CONSUMER) && !text.contains(OAUTH2), "{text}");
    assert!(text.contains("consumer_secret"));
}
