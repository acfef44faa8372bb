//! Signature headers and challenges. A stranger has no key, so nothing that comes in is ever verified; what we sign
//! ourselves is.

use super::parts;
use super::world::{DESCRIBED, ORIGIN, SENDGRID, TWILIO, X, now, private_key, request, secret};
use crate::sign::{Draft, Signer};
use crate::verdict::Verdict;
use crate::verifier::Verifier;
use crate::{Request, json, sendgrid as sg, twilio as tw, x as platform};

/// Judges what a stranger sent.
fn strange(verifier: &Verifier, request: Option<Request>) {
    let Some(request) = request else { return };
    match verifier.verify(request, now()) {
        Verdict::Verified(verified) => panic!("a forgery: {verified:?}"),
        Verdict::Unsigned(unsigned) => panic!("let in: {unsigned:?}"),
        Verdict::Handshake(handshake) => assert!(!handshake.signed, "a forged challenge: {handshake:?}"),
        Verdict::Rejected { reject, .. } => {
            assert!(!reject.code().is_empty() && !reject.to_string().is_empty())
        }
    }
}

fn is_verified(verifier: &Verifier, request: Option<Request>) -> bool {
    request.is_some_and(|request| matches!(verifier.verify(request, now()), Verdict::Verified(_)))
}

/// Signature, OAuth 2.0 signature, target, body.
pub(super) fn x(input: &[u8]) {
    let [signature, oauth2, target, body] = parts(input);
    let headers = [(platform::SIGNATURE_HEADER, signature), (platform::OAUTH2_SIGNATURE_HEADER, oauth2)];
    strange(&X, request("POST", target, &headers, body));
    strange(&X, request("GET", target, &headers, b""));
    let right = platform::sign_post(&secret(), body);
    let signed = request("POST", target, &[(platform::SIGNATURE_HEADER, right.as_bytes())], body);
    assert_eq!(is_verified(&X, signed), json::is_object(body));
}

/// A token, or a query, that a stranger has us sign: the signature is good for nothing else.
pub(super) fn crc(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(answer) = platform::crc_response(&secret(), text) {
        let signature = answer.split('"').nth(3).unwrap_or_default();
        reuse(signature, text);
    }
    // The signature that X itself puts on a challenge is none on an event either.
    let target = format!("/x?{text}");
    let signature = platform::sign_get(&secret(), text);
    let header = [(platform::SIGNATURE_HEADER, signature.as_bytes())];
    if let Some(request) = request("GET", target.as_bytes(), &header, b"")
        && let Verdict::Handshake(handshake) = X.verify(request, now())
        && handshake.signed
    {
        assert!(
            !takes(&signature, text.as_bytes()),
            "the signature of a challenge is one of an event: {text}"
        );
    }
}

/// That the signature which the answer to a token shows is not accepted for anything.
fn reuse(signature: &str, token: &str) {
    assert!(!takes(signature, token.as_bytes()), "the answer to `{token}` signs an event");
    let target = format!("/x?{token}");
    let header = [(platform::SIGNATURE_HEADER, signature.as_bytes())];
    strange(&X, request("GET", target.as_bytes(), &header, b""));
}

fn takes(signature: &str, body: &[u8]) -> bool {
    let header = [(platform::SIGNATURE_HEADER, signature.as_bytes())];
    is_verified(&X, request("POST", b"/x", &header, body))
}

/// Target, content type, signature, signature settings, body.
pub(super) fn twilio(input: &[u8]) {
    let [target, kind, signature, settings, body] = parts(input);
    let headers = [
        ("content-type", kind),
        (tw::SIGNATURE_HEADER, signature),
        (tw::SIGNATURE_SETTINGS_HEADER, settings),
    ];
    strange(&TWILIO, request("POST", target, &headers, body));
    strange(&TWILIO, request("GET", target, &headers, b""));
    // What is signed as Twilio does it verifies, as long as HTTP could carry it.
    let signer = Signer::Twilio { algorithm: tw::Algorithm::HmacSha1, shared_key: None };
    let path: String = String::from_utf8_lossy(target).chars().filter(char::is_ascii_graphic).collect();
    let path = format!("/{}", path.replace(['#', '/'], "-"));
    if path.to_ascii_lowercase().contains("bodysha256") {
        return;
    }
    let draft = Draft {
        method: "POST".to_owned(),
        url: format!("{ORIGIN}{path}"),
        content_type: Some("application/x-www-form-urlencoded".to_owned()),
        body: body.to_vec().into(),
        id: "evt_1".to_owned(),
        now: now(),
    };
    let signed = signer.sign(&secret(), &draft).expect("the URL is absolute");
    let mut headers = vec![("content-type", &b"application/x-www-form-urlencoded"[..])];
    headers.extend(signed.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
    let sent = request("POST", path.as_bytes(), &headers, body).expect("plain headers");
    let verdict = TWILIO.verify(sent, now());
    assert!(matches!(verdict, Verdict::Verified(_)), "{verdict:?}");
}

/// Which scheme, signature, time, id, target, body.
pub(super) fn hmac(input: &[u8]) {
    let Some((which, input)) = input.split_first() else { return };
    let Some((descriptor, verifier)) = DESCRIBED.get(usize::from(*which) % DESCRIBED.len()) else { return };
    let [signature, time, id, target, body] = parts(input);
    let headers = [
        (descriptor.signature.header.as_ref(), signature),
        ("x-slack-request-timestamp", time),
        ("webhook-timestamp", time),
        ("x-time", time),
        ("webhook-id", id),
        ("content-type", id),
    ];
    strange(verifier, request("POST", target, &headers, body));
    let draft = Draft {
        method: "POST".to_owned(),
        url: format!("{ORIGIN}/in?a=%20b"),
        content_type: Some("application/json".to_owned()),
        body: body.to_vec().into(),
        id: "evt_1".to_owned(),
        now: now(),
    };
    let signed = Signer::Hmac(descriptor.clone()).sign(&secret(), &draft).expect("a valid row");
    let mut headers = vec![("content-type", &b"application/json"[..])];
    headers.extend(signed.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
    assert!(is_verified(verifier, request("POST", b"/in?a=%20b", &headers, body)), "{descriptor:?}");
}

/// Signature, time, body.
pub(super) fn sendgrid(input: &[u8]) {
    let [signature, time, body] = parts(input);
    let headers = [(sg::SIGNATURE_HEADER, signature), (sg::TIMESTAMP_HEADER, time)];
    strange(&SENDGRID, request("POST", b"/mail", &headers, body));
    let time = now().as_second().to_string();
    let right = sg::sign(&private_key(), &time, body).expect("a private key");
    let headers = [(sg::SIGNATURE_HEADER, right.as_bytes()), (sg::TIMESTAMP_HEADER, time.as_bytes())];
    assert_eq!(is_verified(&SENDGRID, request("POST", b"/mail", &headers, body)), json::is_array(body));
}
