//! `Authorization`, as strangers send it.

use std::sync::LazyLock;

use hookhouse_core::Secret;

use super::{Credentials, DigestCredentials, Login, NonceKey};
use crate::fuzzing::{header_map, hostile, now, parts};

static LOGIN: LazyLock<Login> = LazyLock::new(|| {
    let password = Secret::new("a password that nobody guesses").expect("not empty");
    let credentials = Credentials::new("twilio", password).expect("a sender can send them");
    let digest = DigestCredentials { credentials: credentials.clone(), md5: true };
    let realm = "calls".parse().expect("a name");
    Login::new(realm, Some(&credentials), Some(&digest), NonceKey::new([7; 32]))
        .expect("something is asked for")
});

/// Target, `Authorization` in as many lines as there are.
pub(crate) fn authorization(input: &[u8]) {
    let [target, authorization] = parts(input);
    let headers = header_map(&[("authorization", authorization)]);
    let target = String::from_utf8_lossy(target);
    let refused = LOGIN.check("POST", &target, &headers, now()).expect_err("nobody knows the password");
    assert!(refused.code().starts_with("auth."), "{}", refused.code());
    // A sender that is asked for more is told how; one that said two things is not answered twice.
    let challenges = refused.into_challenges();
    assert!(challenges.is_empty() || challenges.len() == 3, "{challenges:?}");
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let known = [
        "Basic dHdpbGlvOnNlY3JldA==",
        "basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        "Digest username=\"twilio\", realm=\"calls\", nonce=\"AAAA\", uri=\"/x?a=b\", algorithm=SHA-256, qop=auth, \
         nc=00000001, cnonce=\"x\", response=\"0000000000000000000000000000000000000000000000000000000000000000\"",
        "Digest username*=UTF-8''J%C3%A4s%C3%B8n, realm=\"a\\\"b\", nonce=x, uri=\"/x\", qop=\"auth\", nc=1",
        "Digest username=\"a\", username=\"b\"",
        "Bearer x",
        "Basic a\nBasic b",
    ];
    let known = known.into_iter().map(str::to_owned).chain(hostile());
    known.map(|value| format!("/x?a=b\0{value}").into_bytes()).collect()
}
