//! Several accounts on one source.

use super::*;

pub(super) fn account(sid: &str, secrets: &[&str]) -> Account {
    let keys = secrets.iter().enumerate().map(|(n, text)| key(&format!("accounts.{sid}.[{n}]"), text));
    Account { sid: sid.to_owned(), keys: keys.collect() }
}

/// A source of two accounts, the first of which is rotating, and a token of the source's own.
fn accounts(change: impl FnOnce(&mut Settings)) -> Verifier {
    with("https://h", |settings| {
        settings.accounts = vec![account("AC1", &["one new", "one"]), account("AC2", &["two"])];
        change(settings);
    })
}

fn signed_with(token: &str, url: &str, form: &str) -> String {
    sign(&secret(token), Algorithm::HmacSha1, url, form.as_bytes())
}

#[test]
fn the_account_sid_chooses_the_tokens_and_the_signature_proves_it() {
    let verifier = accounts(|_| {});
    let judge = |token: &str, body: &str| {
        verifier.verify(form_post("/a", &signed_with(token, "https://h/a", body), body), now())
    };
    for (token, body, expected) in [
        ("one new", "AccountSid=AC1&From=1", "accounts.AC1.[0]"),
        ("one", "AccountSid=AC1&From=1", "accounts.AC1.[1]"),
        ("two", "From=1&AccountSid=AC2", "accounts.AC2.[0]"),
        ("two", "From=1&AccountSid=AC2&AccountSid=AC2", "accounts.AC2.[0]"),
        (TOKEN, "AccountSid=AC1", "auth_token"),
        (TOKEN, "AccountSid=AC3", "auth_token"),
        (TOKEN, "From=1", "auth_token"),
        ("two", "From=1", "accounts.AC2.[0]"),
        ("one", "AccountSid=", "accounts.AC1.[1]"),
    ] {
        assert_eq!(evidence(judge(token, body)).key, expected, "{token} for {body}");
    }
    // One account's token does not vouch for another's request, known or not, in whatever case.
    for (token, body) in [
        ("two", "AccountSid=AC1"),
        ("one", "AccountSid=AC2"),
        ("one", "AccountSid=AC3"),
        ("one", "AccountSid=ac1"),
        ("one", "AccountSid=AC1%20"),
        ("one", "AccountSid=AC"),
    ] {
        assert_eq!(code(judge(token, body)), "sig.mismatch", "{token} for {body}");
    }
    assert_eq!(
        reject(judge("two", "AccountSid=AC1&AccountSid=AC2")),
        Reject::SignatureAmbiguous { header: "AccountSid".into() }
    );
}

#[test]
fn an_account_without_a_token_is_refused_as_such() {
    let verifier = accounts(|settings| settings.tokens.clear());
    let judge = |token: &str, body: &str| {
        verifier.verify(form_post("/a", &signed_with(token, "https://h/a", body), body), now())
    };
    let reject = reject(judge("one", "AccountSid=AC3"));
    assert_eq!(reject, Reject::AccountUnknown { sid: "AC3".to_owned() });
    assert_eq!(reject.code(), "sig.key_unknown");
    let odd = format!("AccountSid=%ff%0a{}", "x".repeat(99));
    let cut = Reject::AccountUnknown { sid: format!("??{}", "x".repeat(62)) };
    assert_eq!(crate::fixtures::reject(judge("one", &odd)), cut);
    assert_eq!(evidence(judge("one", "From=1")).key, "accounts.AC1.[1]", "it names no account");
}

#[test]
fn the_account_stands_in_the_query_where_there_is_no_form() {
    let verifier = accounts(|settings| settings.tokens.clear());
    let get_as = |token: &str, target: &str| {
        let signature = signed_with(token, &format!("https://h{target}"), "");
        verifier.verify(get(target, &[(SIGNATURE_HEADER, &signature)]), now())
    };
    assert_eq!(evidence(get_as("two", "/a?AccountSid=AC2")).key, "accounts.AC2.[0]");
    assert_eq!(code(get_as("two", "/a?AccountSid=AC1")), "sig.mismatch");
    assert_eq!(code(get_as("two", "/a?AccountSid=AC3")), "sig.key_unknown");
    assert_eq!(code(get_as("two", "/a?AccountSid=AC1&AccountSid=AC2")), "sig.ambiguous");

    let json_as = |token: &str, query: &str, body: &str| {
        let target = with_body_digest(&format!("/a{query}"), body.as_bytes());
        let signature = signed_with(token, &format!("https://h{target}"), "");
        let headers = [("content-type", "application/json"), (SIGNATURE_HEADER, signature.as_str())];
        verifier.verify(post(&target, &headers, body.to_owned()), now())
    };
    let event = r#"[{"type":"com.twilio.voice.insights","data":{"AccountSid":"AC1"}}]"#;
    let of_two = evidence(json_as("two", "", event));
    assert_eq!(of_two.key, "accounts.AC2.[0]", "a body that is no form is not looked into");
    assert_eq!(of_two.event_type.as_deref(), Some("com.twilio.voice.insights"));
    assert_eq!(code(json_as("two", "?AccountSid=AC1", event)), "sig.mismatch");
    // The query of a form does not choose: the parameters do.
    let form = |query: &str, body: &str| {
        let target = format!("/a{query}");
        let signature = signed_with("two", &format!("https://h{target}"), body);
        verifier.verify(form_post(&target, &signature, body), now())
    };
    assert_eq!(evidence(form("?AccountSid=AC1", "AccountSid=AC2")).key, "accounts.AC2.[0]");
    let stream =
        get("/s", &[("upgrade", "websocket"), (SIGNATURE_HEADER, &signed_with("two", "wss://h/s", ""))]);
    assert_eq!(evidence(verifier.verify(stream, now())).key, "accounts.AC2.[0]");
}

#[test]
fn an_accounts_retired_token_never_accepts() {
    let verifier = accounts(|settings| {
        settings.accounts[1].keys = vec![key("new", "two new"), retired("old", "two")];
    });
    let request = form_post("/a", &signed_with("two", "https://h/a", "AccountSid=AC2"), "AccountSid=AC2");
    let expected =
        Reject::SignatureMismatch { header: SIGNATURE_HEADER.into(), retired: Some("old".to_owned()) };
    assert_eq!(reject(verifier.verify(request, now())), expected);
}

#[test]
fn a_shared_key_goes_before_the_account() {
    let verifier = accounts(|settings| {
        let key = key("shared", "shared");
        settings.shared_keys = vec![SharedKey { id: "k".to_owned(), key, algorithm: Algorithm::HmacSha1 }];
    });
    let judge = |token: &str| {
        let signature = signed_with(token, "https://h/a", "AccountSid=AC1");
        let headers = [
            ("content-type", FORM),
            (SIGNATURE_HEADER, &signature),
            (SIGNATURE_SETTINGS_HEADER, "key=k,algorithm=HMAC_SHA1"),
        ];
        verifier.verify(post("/a", &headers, "AccountSid=AC1"), now())
    };
    assert_eq!(evidence(judge("shared")).key, "shared");
    assert_eq!(code(judge("one")), "sig.mismatch");
}
