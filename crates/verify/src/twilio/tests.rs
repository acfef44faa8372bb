//! The conformance cases of Twilio (their ids in the names), the spellings, and the rules around them.

mod accounts;

use self::accounts::account;
use super::*;
use crate::fixtures::{code, evidence, get, key, now, post, reject, retired, secret};
use crate::request::Request;
use crate::verdict::{Covers, Identity, Reject, Verdict};
use crate::verifier::SchemeError;

const TOKEN: &str = "12345";
const FORM: &str = "application/x-www-form-urlencoded";
const BODY: &str = "CallSid=CA1&CallStatus=ringing&From=%2B14158675309&Empty=";

fn verifier(url: &str) -> Verifier {
    with(url, |_| {})
}

fn with(url: &str, change: impl FnOnce(&mut Settings)) -> Verifier {
    let mut settings = Settings {
        urls: vec![url.parse().unwrap()],
        tokens: vec![key("auth_token", TOKEN)],
        ..Settings::default()
    };
    change(&mut settings);
    Verifier::new(settings).unwrap()
}

fn signature(url: &str, form: &str) -> String {
    sign(&secret(TOKEN), Algorithm::HmacSha1, url, form.as_bytes())
}

fn form_post(target: &str, signature: &str, body: &str) -> Request {
    post(target, &[("content-type", FORM), (SIGNATURE_HEADER, signature)], body.to_owned())
}

/// The verdict on a request to `target` that was signed as `signed_url`.
fn form_signed_as(public: &str, target: &str, signed_url: &str) -> Verdict {
    verifier(public).verify(form_post(target, &signature(signed_url, BODY), BODY), now())
}

fn get_signed_as(public: &str, target: &str, signed_url: &str) -> Verdict {
    verifier(public).verify(get(target, &[(SIGNATURE_HEADER, &signature(signed_url, ""))]), now())
}

fn variant(verdict: Verdict) -> String {
    evidence(verdict).variant.unwrap().into_owned()
}

#[test]
fn w01_a_signed_form_is_verified() {
    let evidence = evidence(form_signed_as("https://h.example", "/voice?a=1", "https://h.example/voice?a=1"));
    assert_eq!((evidence.provider.as_ref(), evidence.scheme.as_ref()), ("twilio", "twilio-form-hmac-sha1"));
    assert_eq!((evidence.key.as_str(), evidence.variant.as_deref()), ("auth_token", Some("exact")));
    assert_eq!(evidence.covers, Covers::UrlAndForm);
    assert_eq!(evidence.event_type.as_deref(), Some("call.ringing"));
}

#[test]
fn w02_the_signed_url_is_never_taken_from_the_request() {
    let right = signature("https://h.example/voice", BODY);
    let headers = [
        ("content-type", FORM),
        ("host", "h.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "h.example"),
        ("forwarded", "proto=https;host=h.example"),
        (SIGNATURE_HEADER, &right),
    ];
    let verifier = verifier("http://internal.example");
    assert_eq!(code(verifier.verify(post("/voice", &headers, BODY), now())), "sig.mismatch");
}

#[test]
fn w03_w04_w09_a_repeat_is_known_by_its_signature() {
    let verifier = verifier("https://h.example");
    let identity = |body: &str, signature: &str| {
        evidence(verifier.verify(form_post("/sms", signature, body), now())).identity
    };
    let shifted = signature("https://h.example/sms", "Body=hi&From=+1");
    assert_eq!(identity("Body=hi&From=+1", &shifted), identity("Body=hiFrom+1", &shifted), "W03");
    let collapsed = signature("https://h.example/sms", "Digits=1");
    assert_eq!(identity("Digits=1", &collapsed), identity("Digits=1&Digits=1", &collapsed), "W04");
    // W09, W10: the idempotency token is not signed and counts for nothing.
    let headers =
        [("content-type", FORM), (SIGNATURE_HEADER, &collapsed), ("i-twilio-idempotency-token", "t")];
    let with_token = evidence(verifier.verify(post("/sms", &headers, "Digits=1"), now())).identity;
    assert_eq!(with_token, identity("Digits=1", &collapsed));
    let other = signature("https://h.example/sms", "Digits=2");
    assert_ne!(identity("Digits=2", &other), identity("Digits=1", &collapsed));
}

#[test]
fn w05_method_and_path_are_part_of_the_identity() {
    // A POST's parameters moved into the URL verify as a GET: the scheme cannot tell. It is another event, though.
    let signed = signature("https://h.example/a", "b=c");
    let verifier = verifier("https://h.example");
    let posted = evidence(verifier.verify(form_post("/a", &signed, "b=c"), now())).identity;
    let moved = evidence(verifier.verify(get("/abc", &[(SIGNATURE_HEADER, &signed)]), now())).identity;
    assert!(posted.is_some() && posted != moved);
    // Bytes that move between the query and the form keep the identity, because the query is not part of it.
    let signed = signature("https://h.example/a?x=1", "b=c");
    let posted = |target: &str, body: &str| {
        evidence(verifier.verify(form_post(target, &signed, body), now())).identity
    };
    assert_eq!(posted("/a?x=1", "b=c"), posted("/a?x=1b", "=c"));
}

#[test]
fn the_identity_is_framed() {
    let signed = signature("https://h.example/a", "b=c");
    let posted =
        evidence(verifier("https://h.example").verify(form_post("/a", &signed, "b=c"), now())).identity;
    let framed = |path: &str, signature: &str| {
        Identity::of(&[b"twilio", b"POST", path.as_bytes(), signature.as_bytes()])
    };
    assert_ne!(framed("/ab", "c"), framed("/a", "bc"));
    assert_eq!(posted, Some(framed("/a", &signed)));
}

#[test]
fn w06_a_body_that_nothing_covers_is_refused() {
    let signed = signature("https://h.example/hook", "");
    let verifier = verifier("https://h.example");
    let headers = [("content-type", "application/json"), (SIGNATURE_HEADER, signed.as_str())];
    let reject = reject(verifier.verify(post("/hook", &headers, "{}"), now()));
    assert_eq!(reject.code(), "twilio.body_uncovered");
    // Nothing to cover: the URL alone is signed, and that is all the evidence says.
    let empty = evidence(verifier.verify(post("/hook", &headers, ""), now()));
    assert_eq!((empty.covers, empty.scheme.as_ref()), (Covers::Url, "twilio-url-hmac-sha1"));
}

#[test]
fn w07_the_digest_in_the_url_must_be_the_bodys() {
    let judge = |query: &str, content_type: &str, body: &str| {
        let signed = signature(
            &format!("https://h.example/hook?{query}"),
            if content_type == FORM { body } else { "" },
        );
        let headers = [("content-type", content_type), (SIGNATURE_HEADER, signed.as_str())];
        verifier("https://h.example")
            .verify(post(&format!("/hook?{query}"), &headers, body.to_owned()), now())
    };
    let (right, other) = (digest::of(b"{}"), digest::of(b""));
    let json = evidence(judge(&format!("a=1&bodySHA256={right}"), "application/json", "{}"));
    assert_eq!(
        (json.covers, json.scheme.as_ref()),
        (Covers::UrlAndBodyDigest, "twilio-body-digest-hmac-sha1")
    );
    let _ = evidence(judge(&format!("bodySHA256={right}&bodySHA256={right}"), "application/json", "{}"));
    let _ = evidence(judge(&format!("bodySHA256={other}"), "application/json", ""));
    for query in [
        format!("bodySHA256={other}"),
        format!("bodySHA256={}", right.to_uppercase()),
        format!("bodySHA256={right}&bodySHA256={other}"),
        format!("bodySHA256={other}&bodySHA256={right}"),
        "bodySHA256=".to_owned(),
    ] {
        assert_eq!(code(judge(&query, "application/json", "{}")), "twilio.body_hash", "{query}");
    }
    assert_eq!(
        code(judge(&format!("bodysha256={right}"), "application/json", "{}")),
        "twilio.body_uncovered"
    );
    assert_eq!(code(judge(&format!("bodySHA256={right}"), "application/json", "")), "twilio.body_hash");
    // A captured JSON signature must not pass for an empty form.
    assert_eq!(code(judge(&format!("bodySHA256={right}"), FORM, "")), "twilio.body_hash");
    let form = evidence(judge(&format!("bodySHA256={}", digest::of(b"a=b")), FORM, "a=b"));
    assert_eq!(form.covers, Covers::UrlAndForm);
}

#[test]
fn w08_only_the_exact_media_type_is_a_form() {
    let signed = signature("https://h.example/hook", BODY);
    let judge = |content_type: &str| {
        let headers = [("content-type", content_type), (SIGNATURE_HEADER, signed.as_str())];
        verifier("https://h.example").verify(post("/hook", &headers, BODY), now())
    };
    for content_type in
        [FORM, "application/x-www-form-urlencoded; charset=UTF-8", "Application/X-WWW-Form-URLEncoded ;x"]
    {
        let _ = evidence(judge(content_type));
    }
    for content_type in [
        "",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/json;",
        "application/json; application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded-not",
        "application/x-www-form-urlencoded, text/plain",
        "x/application/x-www-form-urlencoded",
    ] {
        assert_eq!(code(judge(content_type)), "twilio.body_uncovered", "{content_type}");
    }
    let missing = post("/hook", &[(SIGNATURE_HEADER, &signed)], BODY);
    assert_eq!(code(verifier("https://h.example").verify(missing, now())), "twilio.body_uncovered");
    let twice = [("content-type", FORM), ("content-type", "application/json"), (SIGNATURE_HEADER, &signed)];
    assert_eq!(
        code(verifier("https://h.example").verify(post("/hook", &twice, BODY), now())),
        "sig.ambiguous"
    );
}

#[test]
fn a_get_has_no_body_and_other_methods_are_not_signed() {
    let signed = signature("https://h.example/hook", "");
    for (method, body, expected) in [
        ("GET", "x", "body.unexpected"),
        ("HEAD", "", "http.method"),
        ("PUT", "", "http.method"),
        ("post", "", "http.method"),
    ] {
        let request = Request::new(method, "/hook", &[(SIGNATURE_HEADER, &signed)], body).unwrap();
        assert_eq!(code(verifier("https://h.example").verify(request, now())), expected, "{method}");
    }
}

#[test]
fn a_get_may_carry_the_digest_of_a_body_that_is_not_sent() {
    let hash = digest::of(b"something");
    let target = format!("/kyc?bodySHA256={hash}&bodySHA256={hash}&BundleSid=BU1");
    let evidence = evidence(get_signed_as("https://h", &target, &format!("https://h{target}")));
    assert_eq!(evidence.covers, Covers::Url);
    let target = format!("/kyc?bodySHA256={hash}&bodySHA256={}", digest::of(b""));
    assert_eq!(code(get_signed_as("https://h", &target, &format!("https://h{target}"))), "twilio.body_hash");
}

#[test]
fn the_signature_has_one_form_and_occurs_once() {
    let right = signature("https://h/hook", BODY);
    let judge = |headers: &[(&str, &str)]| {
        let headers = [&[("content-type", FORM)], headers].concat();
        code(verifier("https://h").verify(post("/hook", &headers, BODY), now()))
    };
    assert_eq!(judge(&[]), "sig.missing");
    assert_eq!(judge(&[(SIGNATURE_HEADER, "")]), "sig.missing");
    assert_eq!(judge(&[(SIGNATURE_HEADER, &right), (SIGNATURE_HEADER, &right)]), "sig.ambiguous");
    let sha256 = sign(&secret(TOKEN), Algorithm::HmacSha256, "https://h/hook", BODY.as_bytes());
    for malformed in [
        &right[1..],
        &format!("{right}="),
        &format!("{right}, {right}"),
        &right.replace('=', ""),
        &format!("sha1={right}"),
        &format!(" {right}"),
        &sha256,
    ] {
        assert_eq!(judge(&[(SIGNATURE_HEADER, malformed)]), "sig.malformed", "{malformed}");
    }
}

#[test]
fn b_the_port_may_be_missing_or_added() {
    for (public, signed, expected) in [
        ("https://h:8443", "https://h:8443/a?b", "exact"),
        ("https://h:8443", "https://h/a?b", "port removed"),
        ("https://h", "https://h:443/a?b", "port added"),
        ("http://h", "http://h:80/a?b", "port added"),
        ("https://h:443", "https://h/a?b", "port removed"),
        ("https://[::1]:8443", "https://[::1]/a?b", "port removed"),
    ] {
        assert_eq!(variant(form_signed_as(public, "/a?b", signed)), expected, "{public} as {signed}");
        assert_eq!(variant(get_signed_as(public, "/a?b", signed)), expected, "{public} as {signed}");
    }
    for (public, signed) in [
        ("https://h", "https://h:8443/a?b"),
        ("https://h:8443", "https://h:443/a?b"),
        ("https://h", "https://h:80/a?b"),
        ("https://h", "http://h/a?b"),
        ("https://h", "https://H/a?b"),
        ("https://h", "https://h/a"),
        ("https://h", "https://h/a?b&c"),
        ("https://h", "https://h/a/?b"),
        ("https://h", "https://h.example/a?b"),
    ] {
        assert_eq!(code(form_signed_as(public, "/a?b", signed)), "sig.mismatch", "{public} as {signed}");
    }
}

#[test]
fn c_the_configured_prefix_and_user_information_are_known() {
    assert_eq!(variant(form_signed_as("https://h/pre/", "/a", "https://h/pre/a")), "exact");
    assert_eq!(code(form_signed_as("https://h/pre", "/a", "https://h/a")), "sig.mismatch");
    let public = "https://u:p@h:8443";
    assert_eq!(variant(form_signed_as(public, "/a", "https://h:8443/a")), "exact");
    assert_eq!(variant(form_signed_as(public, "/a", "https://u:p@h:8443/a")), "with user info");
    assert_eq!(variant(form_signed_as(public, "/a", "https://u:p@h/a")), "with user info, port removed");
    assert_eq!(code(form_signed_as("https://h", "/a", "https://u:p@h/a")), "sig.mismatch");
}

#[test]
fn d_the_root_may_be_signed_without_its_slash() {
    assert_eq!(variant(form_signed_as("https://h", "/", "https://h")), "root slash removed");
    assert_eq!(variant(form_signed_as("https://h", "/?a=1", "https://h?a=1")), "root slash removed");
    assert_eq!(
        variant(get_signed_as("https://h:8443", "/", "https://h")),
        "root slash removed, port removed"
    );
    assert_eq!(code(form_signed_as("https://h", "/a/", "https://h/a")), "sig.mismatch");
    assert_eq!(code(form_signed_as("https://h/pre", "/", "https://h/pre")), "sig.mismatch");
}

#[test]
fn e_a_web_socket_handshake_has_spellings_of_its_own() {
    let judge = |public: &str, target: &str, upgrade: &str, signed: &str, form: &str| {
        let signature = signature(signed, form);
        let request = get(target, &[("upgrade", upgrade), (SIGNATURE_HEADER, &signature)]);
        verifier(public).verify(request, now())
    };
    for (target, signed, form, expected) in [
        ("/s", "wss://h/s", "", "exact"),
        ("/s", "wss://h:443/s", "", "port added"),
        ("/s", "wss://h/s/", "", "slash added"),
        ("/s?b=2&a=%31", "wss://h/s?b=2&a=%31", "", "exact"),
        ("/s?b=2&a=%31", "wss://h/s", "b=2&a=1", "query as parameters"),
        ("/s", "https://h/s", "", "https for wss"),
        ("/", "wss://h", "", "root slash removed"),
    ] {
        let evidence = evidence(judge("https://h", target, "WebSocket", signed, form));
        assert_eq!(evidence.variant.as_deref(), Some(expected), "{target} as {signed}");
        assert_eq!((evidence.scheme.as_ref(), evidence.covers), ("twilio-websocket-hmac-sha1", Covers::Url));
    }
    assert_eq!(variant(judge("http://h", "/s", "h2c, websocket", "ws://h/s", "")), "exact");
    assert_eq!(code(judge("https://h", "/s", "h2c", "wss://h/s", "")), "sig.mismatch", "not an upgrade");
    assert_eq!(code(judge("https://h", "/s", "websocket", "ws://h/s", "")), "sig.mismatch");
    assert_eq!(code(get_signed_as("https://h", "/s", "https://h/s/")), "sig.mismatch", "slash on a GET");
}

#[test]
fn f_the_escapes_of_a_get_may_differ() {
    for (target, signed, expected) in [
        ("/in?City=Sull%27Adda+x", "/in?City=Sull'Adda+x", "' unescaped"),
        ("/in?C=sip%3A1%40h", "/in?C=sip:1@h", "@ and : unescaped"),
        ("/in?C=sip%3a1%40h", "/in?C=sip:1@h", "@ and : unescaped"),
        ("/in?C=%27%40", "/in?C='@", "' unescaped, @ and : unescaped"),
        ("/in?a=b+c", "/in?a=b%20c", "space as %20"),
        ("/in?a=%27+c", "/in?a='%20c", "' unescaped, space as %20"),
    ] {
        assert_eq!(variant(get_signed_as("https://h", target, &format!("https://h{signed}"))), expected);
        assert_eq!(code(form_signed_as("https://h", target, &format!("https://h{signed}"))), "sig.mismatch");
    }
    assert_eq!(
        variant(get_signed_as("https://h:1", "/?a=%27", "https://h/?a='")),
        "' unescaped, port removed"
    );
    for (target, signed) in [("/%27?a", "/'?a"), ("/in?a=%20", "/in?a=+"), ("/in?a='", "/in?a=%27")] {
        assert_eq!(code(get_signed_as("https://h", target, &format!("https://h{signed}"))), "sig.mismatch");
    }
}

#[test]
fn any_of_several_urls_will_do() {
    let verifier = with("http://127.0.0.1:8080", |settings| {
        settings.urls.push("http://localhost:8080".parse().unwrap());
    });
    for url in ["http://127.0.0.1:8080/a", "http://localhost:8080/a", "http://localhost/a"] {
        let _ = evidence(verifier.verify(form_post("/a", &signature(url, BODY), BODY), now()));
    }
}

#[test]
fn a_target_that_is_no_path_is_not_appended_to_a_host() {
    for target in [".evil.example/", "@evil.example/", ":8443/", "*", ""] {
        let signed = signature(&format!("https://h{target}"), BODY);
        let request = form_post(target, &signed, BODY);
        assert_eq!(code(verifier("https://h").verify(request, now())), "sig.mismatch", "{target}");
    }
}

#[test]
fn several_tokens_are_tried_and_a_retired_one_never_accepts() {
    let request = || form_post("/a", &signature("https://h/a", BODY), BODY);
    let rotating = with("https://h", |settings| settings.tokens.insert(0, key("other", "other")));
    assert_eq!(evidence(rotating.verify(request(), now())).key, "auth_token");
    let over = with("https://h", |settings| settings.tokens = vec![key("new", "n"), retired("old", TOKEN)]);
    assert_eq!(
        reject(over.verify(request(), now())),
        Reject::SignatureMismatch { header: SIGNATURE_HEADER.into(), retired: Some("old".to_owned()) }
    );
}

#[test]
fn a_shared_key_is_chosen_by_the_request_and_its_algorithm_by_the_configuration() {
    let shared = |id: &str, algorithm| SharedKey { id: id.to_owned(), key: key(id, id), algorithm };
    let verifier = with("https://h", |settings| {
        settings.shared_keys = vec![shared("one", Algorithm::HmacSha1), shared("two", Algorithm::HmacSha256)];
    });
    let judge = |settings: &str, secret_text: &str, algorithm| {
        let signed = sign(&secret(secret_text), algorithm, "https://h/a", BODY.as_bytes());
        let headers =
            [("content-type", FORM), (SIGNATURE_HEADER, &signed), (SIGNATURE_SETTINGS_HEADER, settings)];
        verifier.verify(post("/a", &headers, BODY), now())
    };
    let one = evidence(judge("key=one,algorithm=HMAC_SHA1", "one", Algorithm::HmacSha1));
    assert_eq!((one.key.as_str(), one.scheme.as_ref()), ("one", "twilio-form-hmac-sha1"));
    let two = evidence(judge("key=two,algorithm=HMAC_SHA256", "two", Algorithm::HmacSha256));
    assert_eq!((two.key.as_str(), two.scheme.as_ref()), ("two", "twilio-form-hmac-sha256"));
    let _ = evidence(judge("key=two", "two", Algorithm::HmacSha256));

    for (settings, secret_text, algorithm, expected) in [
        ("key=two,algorithm=HMAC_SHA1", "two", Algorithm::HmacSha1, "sig.alg"),
        ("key=two,algorithm=none", "two", Algorithm::HmacSha256, "sig.alg"),
        ("key=two,algorithm=hmac_sha256", "two", Algorithm::HmacSha256, "sig.alg"),
        ("key=two", "two", Algorithm::HmacSha1, "sig.malformed"),
        ("key=three,algorithm=HMAC_SHA1", "one", Algorithm::HmacSha1, "sig.key_unknown"),
        ("key=one", TOKEN, Algorithm::HmacSha1, "sig.mismatch"),
        ("key=one,key=two", "one", Algorithm::HmacSha1, "sig.malformed"),
        ("", "one", Algorithm::HmacSha1, "sig.malformed"),
    ] {
        assert_eq!(code(judge(settings, secret_text, algorithm)), expected, "{settings}");
    }
    assert_eq!(
        reject(judge(&format!("key=<script>\u{202e}{}", "x".repeat(99)), "one", Algorithm::HmacSha1)),
        Reject::KeyUnknown { id: format!("<script>?{}", "x".repeat(55)) }
    );
    let _ = evidence(verifier.verify(form_post("/a", &signature("https://h/a", BODY), BODY), now()));

    let twice = [
        ("content-type", FORM),
        (SIGNATURE_HEADER, &signature("https://h/a", BODY)),
        (SIGNATURE_SETTINGS_HEADER, "key=one"),
        (SIGNATURE_SETTINGS_HEADER, "key=one"),
    ];
    assert_eq!(code(verifier.verify(post("/a", &twice, BODY), now())), "sig.ambiguous");
    let only_shared = with("https://h", |settings| {
        settings.tokens.clear();
        settings.shared_keys = vec![shared("one", Algorithm::HmacSha1)];
    });
    let request = form_post("/a", &signature("https://h/a", BODY), BODY);
    assert_eq!(code(only_shared.verify(request, now())), "sig.key_unknown");
}

#[test]
fn settings_that_could_verify_nothing_are_refused() {
    let url: PublicUrl = "https://h".parse().unwrap();
    let shared = SharedKey { id: "k".to_owned(), key: key("k", "k"), algorithm: Algorithm::HmacSha1 };
    let new = |urls, tokens, shared_keys| {
        Verifier::new(Settings { urls, tokens, shared_keys, ..Settings::default() }).map(|_| ())
    };
    assert_eq!(new(vec![url.clone()], vec![], vec![]), Err(SchemeError::NoKeys));
    assert_eq!(new(vec![], vec![key("t", "t")], vec![]), Err(SchemeError::NoPublicUrl));
    let twice = vec![shared.clone(), shared];
    assert_eq!(new(vec![url.clone()], vec![], twice), Err(SchemeError::KeyIdRepeated { id: "k".to_owned() }));
    let new = |accounts: Vec<Account>| {
        Verifier::new(Settings { urls: vec![url.clone()], accounts, ..Settings::default() }).map(|_| ())
    };
    assert_eq!(new(vec![account("AC1", &["a"])]), Ok(()));
    assert_eq!(new(vec![account("AC1", &["a"]), account("AC2", &[])]), Err(SchemeError::NoKeys));
    let twice = vec![account("AC1", &["a"]), account("AC1", &["b"])];
    assert_eq!(new(twice), Err(SchemeError::KeyIdRepeated { id: "AC1".to_owned() }));
}

#[test]
fn a_flood_of_parameters_is_refused() {
    let body = (0..5_000).map(|n| format!("p{n}=&")).collect::<String>();
    let request = form_post("/a", &signature("https://h/a", &body), &body);
    assert_eq!(code(verifier("https://h").verify(request, now())), "twilio.body_uncovered");
}

#[test]
fn debug_shows_no_secret() {
    let verifier = with("https://user:hush@h", |settings| settings.tokens = vec![key("t", "hush")]);
    assert!(!format!("{verifier:?}").contains("hush"));
}

#[test]
fn an_event_stream_is_known_by_its_events_besides_its_signature() {
    let judge = |body: &str| {
        let target = format!("/hook?bodySHA256={}", digest::of(body.as_bytes()));
        let signed = signature(&format!("https://h.example{target}"), "");
        let headers = [("content-type", "application/json"), (SIGNATURE_HEADER, signed.as_str())];
        evidence(verifier("https://h.example").verify(post(&target, &headers, body.to_owned()), now()))
    };
    let event = |id: u8| {
        format!(r#"{{"specversion":"1.0","type":"com.twilio.voice","source":"/v1/x","id":"EZ{id}"}}"#)
    };
    let (alone, batch) = (judge(&event(1)), judge(&format!("[{},{}]", event(2), event(1))));
    assert_ne!(alone.identity, batch.identity);
    assert_eq!(alone.event_type.as_deref(), Some("com.twilio.voice"));
    assert_eq!((alone.elements.len(), batch.elements.len()), (1, 2));
    assert_eq!(alone.elements[0], batch.elements[1]);
    assert_eq!(judge("{}").elements, []);
}
