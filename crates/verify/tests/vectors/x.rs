//! `vectors/x.json`.

use hookhouse_verify::x::{self, OAUTH2_SIGNATURE_HEADER, SIGNATURE_HEADER, Settings, Verifier};
use hookhouse_verify::{Secret, Verdict};
use serde::Deserialize;

use crate::{key, now, refusal, request, spoiled};

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    kind: String,
    secret: String,
    input: String,
    expected: String,
    #[serde(default)]
    header: String,
    forged_post_body: Option<String>,
    forged_signature: Option<String>,
}

impl Case {
    /// A verifier with the case's secret under both headers.
    fn verifier(&self) -> Verifier {
        let settings = Settings {
            consumer: vec![key("consumer", &self.secret)],
            oauth2: vec![key("oauth2", &self.secret)],
            ..Settings::default()
        };
        Verifier::new(settings).unwrap()
    }

    fn secret(&self) -> Secret {
        Secret::new(self.secret.as_str()).unwrap()
    }
}

#[test]
fn every_vector_holds() {
    let file: File = serde_json::from_str(include_str!("../../../../vectors/x.json")).unwrap();
    let mut walked = 0;
    for case in &file.cases {
        walked += 1;
        match case.kind.as_str() {
            "crc_response" => answers(case),
            "get_signature" => signs_a_query(case),
            "post_signature" => verifies(case),
            "crc_oracle_attack" => refuses_the_attack(case),
            // Signing requests to X's API is not this crate's business.
            "app_only_basic_auth" | "oauth1_hmac_sha1" => walked -= 1,
            other => panic!("{}: a kind that nothing walks: {other}", case.id),
        }
    }
    assert!(walked >= 16, "{walked} vectors");
}

fn answers(case: &Case) {
    let target = format!("/x?crc_token={}", case.input);
    let verdict = case.verifier().verify(request("GET", &target, &[], b""), now());
    if case.input.is_empty() {
        refusal(verdict, &case.id);
        return;
    }
    let Verdict::Handshake(handshake) = verdict else { panic!("{}: {verdict:?}", case.id) };
    assert_eq!(handshake.body, format!("{{\"response_token\":\"{}\"}}", case.expected), "{}", case.id);
    assert_eq!(x::crc_response(&case.secret(), &case.input).unwrap(), handshake.body, "{}", case.id);

    let query = format!("crc_token={}&nonce=MTY4NTY2MjQ0ODA2MA", case.input);
    let target = format!("/x?{query}");
    let signature = x::sign_get(&case.secret(), &query);
    let judge =
        |headers: &[(&str, &str)]| case.verifier().verify(request("GET", &target, headers, b""), now());
    let Verdict::Handshake(handshake) = judge(&[(SIGNATURE_HEADER, &signature)]) else {
        panic!("{}: the signed challenge is not answered", case.id)
    };
    assert!(handshake.signed, "{}", case.id);
    for (how, value) in spoiled(&signature, "sha256=") {
        refusal(judge(&[(SIGNATURE_HEADER, &value)]), &format!("{}: {how}", case.id));
    }
    refusal(judge(&[(SIGNATURE_HEADER, &signature), (SIGNATURE_HEADER, &signature)]), &case.id);
}

fn signs_a_query(case: &Case) {
    assert_eq!(x::sign_get(&case.secret(), &case.input), case.expected, "{}", case.id);
    // The case's query is only shaped like one: without a token there is nothing to answer.
    let headers = [(SIGNATURE_HEADER, case.expected.as_str())];
    let target = format!("/x?{}", case.input);
    refusal(case.verifier().verify(request("GET", &target, &headers, b""), now()), &case.id);
}

fn verifies(case: &Case) {
    let header = match case.header.to_ascii_lowercase() {
        name if name == OAUTH2_SIGNATURE_HEADER => OAUTH2_SIGNATURE_HEADER,
        _ => SIGNATURE_HEADER,
    };
    let body = case.input.as_bytes();
    let judge = |headers: &[(&str, &str)], body: &[u8]| {
        case.verifier().verify(request("POST", "/x", headers, body), now())
    };
    assert_eq!(x::sign_post(&case.secret(), body), case.expected, "{}", case.id);
    let Verdict::Verified(verified) = judge(&[(header, &case.expected)], body) else {
        panic!("{}: not verified", case.id)
    };
    assert_eq!(verified.request().body, body);

    for (how, value) in spoiled(&case.expected, "sha256=") {
        refusal(judge(&[(header, &value)], body), &format!("{}: {how}", case.id));
    }
    refusal(judge(&[(header, &case.expected), (header, &case.expected)], body), &case.id);
    refusal(judge(&[], body), &case.id);
    for at in 0..body.len() {
        let mut other = body.to_vec();
        other[at] ^= 1;
        refusal(judge(&[(header, &case.expected)], &other), &format!("{}: byte {at}", case.id));
    }
    let rewritten =
        serde_json::to_vec_pretty(&serde_json::from_slice::<serde_json::Value>(body).unwrap()).unwrap();
    refusal(judge(&[(header, &case.expected)], &rewritten), &format!("{}: re-serialised", case.id));
}

fn refuses_the_attack(case: &Case) {
    let verdict = case.verifier().verify(request("GET", &case.input, &[], b""), now());
    assert_eq!(refusal(verdict, &case.id).code(), "crc.token_shape");
    // What was refused is exactly what would have been worth having.
    let (body, signature) =
        (case.forged_post_body.as_ref().unwrap(), case.forged_signature.as_ref().unwrap());
    assert_eq!(&x::sign_post(&case.secret(), body.as_bytes()), signature);
    assert!(x::crc_response(&case.secret(), body).is_err());
}
