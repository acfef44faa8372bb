//! `vectors/twilio.json`.

use hookhouse_verify::twilio::{self, Algorithm, PublicUrl, SIGNATURE_HEADER, Settings, SharedKey, Verifier};
use hookhouse_verify::{Reject, Secret, Verdict};
use serde::Deserialize;

use crate::{key, now, refusal, request, spoiled};

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
    derived: Vec<Derived>,
}

/// A case from the test suites and documentation of Twilio's SDKs.
#[derive(Deserialize)]
struct Case {
    id: String,
    kind: String,
    auth_token: String,
    method: String,
    url: String,
    #[serde(default)]
    params: Vec<(String, String)>,
    raw_body: Option<String>,
    content_type: Option<String>,
    signature: Option<String>,
    expected_valid: bool,
    matched_variant: Option<String>,
}

/// A case computed from documented rules.
#[derive(Deserialize)]
struct Derived {
    id: String,
    auth_token: String,
    algorithm: String,
    method: String,
    received_url: String,
    signed_url: String,
    #[serde(default)]
    params: Vec<(String, String)>,
    raw_body: Option<String>,
    #[serde(default)]
    extra_headers: std::collections::BTreeMap<String, String>,
    signature: String,
}

fn file() -> File {
    serde_json::from_str(include_str!("../../../../vectors/twilio.json")).unwrap()
}

/// What Twilio was told, and what the request asks for.
fn split(url: &str) -> (PublicUrl, &str) {
    let authority = url.find("://").unwrap() + 3;
    let path = url[authority..].find(['/', '?']).map_or(url.len(), |at| authority + at);
    (url[..path].parse().unwrap(), &url[path..])
}

fn form(params: &[(String, String)]) -> String {
    let escape = |text: &str| {
        text.bytes()
            .map(|b| match b {
                b' ' => "+".to_owned(),
                b if b.is_ascii_alphanumeric() || b"-._*".contains(&b) => char::from(b).to_string(),
                b => format!("%{b:02X}"),
            })
            .collect::<String>()
    };
    let pairs: Vec<_> = params.iter().map(|(k, v)| format!("{}={}", escape(k), escape(v))).collect();
    pairs.join("&")
}

fn verifier(url: PublicUrl, token: &str) -> Verifier {
    Verifier::new(Settings { urls: vec![url], tokens: vec![key("token", token)], ..Settings::default() })
        .unwrap()
}

#[test]
fn every_vector_holds() {
    let file = file();
    assert!(file.cases.len() >= 100 && file.derived.len() >= 8);
    for case in &file.cases {
        match case.kind.as_str() {
            "signature" => signature(case),
            "body_hash" => body_digest(case),
            other => panic!("{}: a kind that nothing walks: {other}", case.id),
        }
    }
}

fn signature(case: &Case) {
    let (url, target) = split(&case.url);
    let body = case.raw_body.clone().unwrap_or_else(|| form(&case.params)).into_bytes();
    let judge_with = |token: &str, headers: &[(&str, &str)], target: &str, body: &[u8]| {
        let content_type = case.content_type.iter().map(|value| ("content-type", value.as_str()));
        let headers: Vec<_> = content_type.chain(headers.iter().copied()).collect();
        verifier(url.clone(), token).verify(request(&case.method, target, &headers, body), now())
    };
    let judge = |headers: &[(&str, &str)], target: &str, body: &[u8]| {
        judge_with(&case.auth_token, headers, target, body)
    };
    let headers: Vec<_> = case.signature.iter().map(|value| (SIGNATURE_HEADER, value.as_str())).collect();
    let verdict = judge(&headers, target, &body);
    if !case.expected_valid {
        refusal(verdict, &case.id);
        return;
    }
    let Verdict::Verified(verified) = verdict else { panic!("{}: {verdict:?}", case.id) };
    let variant = verified.evidence().variant.as_deref().unwrap();
    let expected = match case.matched_variant.as_deref().unwrap() {
        "exact" => "exact",
        "no-port" => "port removed",
        "std-port" => "port added",
        "exact+legacy-query" => "' unescaped",
        other => panic!("{}: a variant that nothing knows: {other}", case.id),
    };
    // The suites keep user information in the URL; for us that is a spelling of its own.
    let with_user_info = case.url.contains('@');
    let is_expected = match (with_user_info, expected) {
        (false, expected) => variant == expected,
        (true, "exact") => variant == "with user info",
        (true, expected) => variant == format!("with user info, {expected}"),
    };
    assert!(is_expected, "{}: {variant}, not {expected}", case.id);

    let right = case.signature.as_deref().unwrap();
    for (how, value) in spoiled(right, "") {
        refusal(judge(&[(SIGNATURE_HEADER, &value)], target, &body), &format!("{}: {how}", case.id));
    }
    refusal(judge(&[], target, &body), &case.id);
    let twice = [(SIGNATURE_HEADER, right), (SIGNATURE_HEADER, right)];
    assert!(matches!(refusal(judge(&twice, target, &body), &case.id), Reject::SignatureAmbiguous { .. }));
    refusal(judge_with("another token", &headers, target, &body), &case.id);
    refusal(judge(&headers, &format!("{target}/"), &body), &case.id);
    refusal(judge(&headers, &format!("{target}&x=1"), &body), &case.id);
    if case.method == "GET" {
        refusal(judge(&headers, target, b"x"), &case.id);
    } else {
        refusal(judge(&headers, target, &[&body[..], b"&x=1"].concat()), &case.id);
        refusal(judge(&headers, target, body.get(1..).unwrap_or(b"x=1")), &case.id);
    }
}

/// The case has no signature, so the URL is signed here: what is left to judge is the digest.
fn body_digest(case: &Case) {
    let (url, target) = split(&case.url);
    let secret = Secret::new(case.auth_token.as_str()).unwrap();
    let right = twilio::sign(&secret, Algorithm::HmacSha1, &case.url, b"");
    let headers = [("content-type", "application/json"), (SIGNATURE_HEADER, right.as_str())];
    let body = case.raw_body.as_deref().unwrap().as_bytes();
    let verifier = verifier(url, &case.auth_token);
    let verdict = verifier.verify(request(&case.method, target, &headers, body), now());
    assert_eq!(matches!(verdict, Verdict::Verified(_)), case.expected_valid, "{}", case.id);
    let changed = [body, b" "].concat();
    let verdict = verifier.verify(request(&case.method, target, &headers, &changed), now());
    assert_eq!(refusal(verdict, &case.id), Reject::BodyDigestMismatch, "{}", case.id);
}

#[test]
fn every_derived_vector_holds() {
    for case in &file().derived {
        let web_socket = case.received_url.starts_with("wss://");
        let received = case.received_url.replacen("wss://", "https://", 1);
        let (url, target) = split(&received);
        let shared = case.extra_headers.values().next().map(|settings| {
            let id = settings.strip_prefix("key=").unwrap().split(',').next().unwrap();
            let algorithm = match case.algorithm.as_str() {
                "HMAC_SHA1" => Algorithm::HmacSha1,
                "HMAC_SHA256" => Algorithm::HmacSha256,
                other => panic!("{}: {other}", case.id),
            };
            SharedKey { id: id.to_owned(), key: key("shared", &case.auth_token), algorithm }
        });
        let tokens = if shared.is_some() { vec![] } else { vec![key("token", &case.auth_token)] };
        let shared_keys = shared.into_iter().collect();
        let verifier =
            Verifier::new(Settings { urls: vec![url], tokens, shared_keys, ..Settings::default() }).unwrap();

        let body = match (&case.raw_body, case.method.as_str()) {
            (Some(body), _) => body.clone(),
            (None, "POST") => form(&case.params),
            (None, _) => String::new(),
        };
        let content_type =
            if case.raw_body.is_some() { "application/json" } else { "application/x-www-form-urlencoded" };
        let judge = |signatures: &[&str]| {
            let mut headers = vec![("content-type", content_type)];
            headers.extend(case.extra_headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            headers.extend(web_socket.then_some(("upgrade", "websocket")));
            headers.extend(signatures.iter().map(|value| (SIGNATURE_HEADER, *value)));
            verifier.verify(request(&case.method, target, &headers, body.as_bytes()), now())
        };
        let verdict = judge(&[&case.signature]);
        let Verdict::Verified(verified) = verdict else { panic!("{}: {verdict:?}", case.id) };
        let exact = verified.evidence().variant.as_deref() == Some("exact");
        assert_eq!(exact, case.received_url == case.signed_url, "{}: {:?}", case.id, verified.evidence());

        for (how, value) in spoiled(&case.signature, "") {
            refusal(judge(&[&value]), &format!("{}: {how}", case.id));
        }
        refusal(judge(&[&case.signature, &case.signature]), &case.id);
        refusal(judge(&[]), &case.id);
    }
}
