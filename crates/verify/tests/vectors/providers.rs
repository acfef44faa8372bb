//! `vectors/providers.json`: the rows of the catalogue, and their challenges.

use std::collections::BTreeMap;

use hookhouse_verify::{Verdict, catalogue, hmac};
use jiff::Timestamp;
use serde::Deserialize;

use crate::{key, refusal, request};

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    provider: String,
    #[serde(default = "usual_secret")]
    secret: String,
    verify_token: Option<String>,
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: String,
    now: i64,
    expect: String,
    event_type: Option<String>,
    answer: Option<String>,
    code: Option<String>,
}

fn usual_secret() -> String {
    "test_secret".to_owned()
}

impl Case {
    fn judge(&self, secret: &str, body: &str) -> Verdict {
        let row = catalogue::find(&self.provider).unwrap();
        let keys = vec![key("secret", secret)];
        let mut verifier = hmac::Verifier::new(row.provider, row.descriptor.clone(), keys, vec![]).unwrap();
        if let Some(challenge) = row.challenge {
            let verify_token = self.verify_token.iter().map(|token| key("verify_token", token)).collect();
            verifier = verifier.answering(challenge, verify_token);
        }
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = request(&self.method, &self.target, &headers, body.as_bytes());
        verifier.verify(request, Timestamp::from_second(self.now).unwrap())
    }
}

#[test]
fn every_vector_holds() {
    let file: File = serde_json::from_str(include_str!("../../../../vectors/providers.json")).unwrap();
    for case in &file.cases {
        let (verdict, id) = (case.judge(&case.secret, &case.body), &case.id);
        match case.expect.as_str() {
            "verified" => {
                let Verdict::Verified(verified) = verdict else { panic!("{id}: {verdict:?}") };
                assert_eq!(verified.evidence().event_type, case.event_type, "{id}");
                refusal(case.judge("another secret", &case.body), id);
                refusal(case.judge(&case.secret, &format!("{} ", case.body)), id);
            }
            "handshake" => {
                let Verdict::Handshake(handshake) = verdict else { panic!("{id}: {verdict:?}") };
                assert_eq!(Some(&handshake.body), case.answer.as_ref(), "{id}");
                let is_json = handshake.body.starts_with('{');
                let kind = if is_json { "application/json" } else { "text/plain; charset=utf-8" };
                assert_eq!((handshake.kind, handshake.content_type), ("challenge", kind), "{id}");
                assert_eq!(handshake.notes.contains(&"echo"), !is_json, "{id}");
                assert_eq!(
                    handshake.signed,
                    case.headers.keys().any(|name| name.ends_with("signature")),
                    "{id}"
                );
            }
            "refused" => assert_eq!(Some(refusal(verdict, id).code()), case.code.as_deref(), "{id}"),
            other => panic!("{id}: an outcome that nothing walks: {other}"),
        }
    }
}

#[test]
fn every_row_has_a_vector_and_every_challenge_one_and_refusals() {
    let file: File = serde_json::from_str(include_str!("../../../../vectors/providers.json")).unwrap();
    for row in catalogue::rows() {
        let count = |expect: &str| {
            file.cases.iter().filter(|case| case.provider == row.provider && case.expect == expect).count()
        };
        assert!(count("verified") >= 1, "{}", row.provider);
        if row.challenge.is_some() {
            assert!(count("handshake") >= 1 && count("refused") >= 2, "{}", row.provider);
        }
    }
}
