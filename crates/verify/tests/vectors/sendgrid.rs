//! `vectors/sendgrid.json`.

use hookhouse_verify::Verdict;
use hookhouse_verify::sendgrid::{SIGNATURE_HEADER, Settings, TIMESTAMP_HEADER, Verifier};
use serde::Deserialize;

use crate::{key, now, refusal, request, spoiled};

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    public_key_b64_spki: String,
    payload: String,
    signature: String,
    timestamp: String,
    expected_valid: bool,
}

#[test]
fn every_vector_holds() {
    let file: File = serde_json::from_str(include_str!("../../../../vectors/sendgrid.json")).unwrap();
    assert!(file.cases.iter().filter(|case| case.expected_valid).count() >= 3);
    assert!(file.cases.iter().filter(|case| !case.expected_valid).count() >= 10);
    for case in &file.cases {
        walk(case);
    }
}

fn walk(case: &Case) {
    let public_keys = vec![key("public_key", &case.public_key_b64_spki)];
    let verifier = Verifier::new(Settings { public_keys, tolerance: None }).unwrap();
    let judge = |signatures: &[&str], timestamp: &str, body: &[u8]| {
        let mut headers = vec![(TIMESTAMP_HEADER, timestamp)];
        headers.extend(signatures.iter().map(|value| (SIGNATURE_HEADER, *value)));
        verifier.verify(request("POST", "/mail", &headers, body), now())
    };
    let (signature, timestamp) = (case.signature.as_str(), case.timestamp.as_str());
    let body = case.payload.as_bytes();
    let verdict = judge(&[signature], timestamp, body);
    if !case.expected_valid {
        refusal(verdict, &case.id);
        return;
    }
    assert!(matches!(verdict, Verdict::Verified(_)), "{}: {verdict:?}", case.id);

    for (how, value) in spoiled(signature, "") {
        refusal(judge(&[&value], timestamp, body), &format!("{}: {how}", case.id));
    }
    refusal(judge(&[signature, signature], timestamp, body), &case.id);
    refusal(judge(&[], timestamp, body), &case.id);
    refusal(judge(&[signature], &format!("{timestamp}0"), body), &case.id);
    for at in 0..body.len() {
        let mut other = body.to_vec();
        other[at] ^= 1;
        refusal(judge(&[signature], timestamp, &other), &format!("{}: byte {at}", case.id));
    }
    refusal(judge(&[signature], timestamp, case.payload.trim_end().as_bytes()), &case.id);
    let rewritten = serde_json::to_vec(&serde_json::from_slice::<serde_json::Value>(body).unwrap()).unwrap();
    refusal(judge(&[signature], timestamp, &rewritten), &format!("{}: re-serialised", case.id));
}
