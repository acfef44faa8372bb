use http::{HeaderMap, StatusCode};

use super::*;
use crate::response::{End, Head};

fn call(status: u16, body: &str) -> Refusal {
    let status = StatusCode::from_u16(status).unwrap();
    let head = Head { status, retry_after: None };
    let body = body.as_bytes().to_vec();
    Refusal::call(&Answer { head, headers: HeaderMap::new(), body, end: End::Whole })
}

fn coded(status: u16, code: &str) -> Refusal {
    call(status, &format!(r#"[{{"message":"because","errorCode":"{code}"}}]"#))
}

fn record(code: &str, fields: &str) -> Refusal {
    let written = format!(r#"[{{"statusCode":"{code}","message":"because","fields":[{fields}]}}]"#);
    Refusal::record(serde_json::from_str(&written).unwrap())
}

fn name(refusal: &Refusal) -> String {
    match refusal.class() {
        Class::Again => "again".to_owned(),
        Class::Strip => "strip".to_owned(),
        Class::Reject => "reject".to_owned(),
        Class::Retry(Health::Up) => "retry".to_owned(),
        Class::Retry(_) => "retry, failing".to_owned(),
        Class::Pause(pause) => format!("pause {} min", pause.length.as_secs() / 60),
    }
}

/// Every class of the table, for a whole call.
#[test]
fn what_a_call_is_refused_with_decides_what_follows() {
    for (status, code, follows) in [
        (400, "STRING_TOO_LONG", "reject"),
        (400, "REQUIRED_FIELD_MISSING", "reject"),
        (400, "INVALID_FIELD", "reject"),
        (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "reject"),
        (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "reject"),
        (400, "DUPLICATES_DETECTED", "reject"),
        (400, "DUPLICATE_VALUE", "again"),
        (400, "UNABLE_TO_LOCK_ROW", "retry"),
        (400, "SOMETHING_NEW", "retry"),
        (401, "INVALID_SESSION_ID", "pause 5 min"),
        (403, "REQUEST_LIMIT_EXCEEDED", "pause 30 min"),
        (403, "API_DISABLED_FOR_ORG", "pause 5 min"),
        (403, "INSUFFICIENT_ACCESS", "retry, failing"),
        (404, "NOT_FOUND", "pause 5 min"),
        (405, "METHOD_NOT_ALLOWED", "retry"),
        (415, "UNSUPPORTED_MEDIA_TYPE", "retry"),
        (429, "", "retry, failing"),
        (500, "UNKNOWN_EXCEPTION", "retry, failing"),
        (503, "SERVER_UNAVAILABLE", "retry, failing"),
        (302, "", "retry, failing"),
    ] {
        assert_eq!(name(&coded(status, code)), follows, "{status} {code}");
    }
    assert_eq!(name(&call(300, r#"["/services/data/v67.0/sobjects/Case/500a"]"#)), "reject");
    assert_eq!(name(&call(503, "<html>down for maintenance</html>")), "retry, failing");
    assert_eq!(name(&Refusal::login("invalid_grant".to_owned())), "pause 5 min");
}

#[test]
fn what_a_record_is_refused_with_decides_what_follows() {
    for (code, fields, follows) in [
        ("STRING_TOO_LONG", "\"Subject\"", "reject"),
        ("DUPLICATE_VALUE", "", "again"),
        ("UNABLE_TO_LOCK_ROW", "", "retry"),
        ("INVALID_FIELD_FOR_INSERT_UPDATE", "\"SuppliedName\"", "strip"),
        ("INVALID_FIELD_FOR_INSERT_UPDATE", "\"SuppliedName\",\"X_Post_Id__c\"", "reject"),
        ("INVALID_FIELD_FOR_INSERT_UPDATE", "", "reject"),
        ("SOMETHING_NEW", "", "retry"),
    ] {
        assert_eq!(name(&record(code, fields)), follows, "{code} {fields}");
    }
}

#[test]
fn the_words_are_salesforces_own_and_printable() {
    assert_eq!(
        record("STRING_TOO_LONG", "\"Subject\"").words(),
        "STRING_TOO_LONG: because (fields: Subject)"
    );
    assert_eq!(call(503, "<p>\u{1b}[31mdown").words(), "<p> [31mdown");
    assert_eq!(call(500, "").words(), "answered 500");
    assert_eq!(Refusal::record(Vec::new()).words(), "no reason was given");
}

#[test]
fn a_refused_login_says_what_to_do() {
    for (error, description, words) in [
        ("invalid_grant", "user hasn't approved this consumer", "pre-authorise"),
        ("invalid_grant", "audience is invalid", "`audience`"),
        ("invalid_grant", "expired authorization code", "clock"),
        ("invalid_grant", "no client credentials user enabled", "run-as user"),
        ("invalid_grant", "request not supported on this domain", "My Domain"),
        ("invalid_client_id", "client identifier invalid", "`client_id`"),
        ("invalid_request", "no valid scopes defined", "scope `api`"),
    ] {
        assert!(hint(error, description).contains(words), "{error}: {description}");
    }
    assert_eq!(hint("invalid_request", "something else"), "");
}
