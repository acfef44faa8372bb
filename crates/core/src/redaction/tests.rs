//! What is taken out, and that nothing else changes.

use std::time::Duration;

use hookhouse_verify::danger::Unsigned;
use jiff::Timestamp;

use super::*;
use crate::event::{Arrival, Event, Repeats};

fn rules(headers: &[&str], query: &[&str], json: &[&str], form: &[&str]) -> Redaction {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    Redaction {
        headers: texts(headers),
        query: texts(query),
        json: json.iter().map(|pointer| pointer.parse().unwrap()).collect(),
        form: texts(form),
    }
}

fn redacted(rules: &Redaction, target: &str, content_type: &str, body: &str) -> (Request, Vec<Redacted>) {
    let headers = [("content-type", content_type), ("authorization", "hush"), ("x-other", "seen")];
    let mut request = Request::new("POST", target, &headers, body.to_owned()).unwrap();
    let done = rules.apply(&mut request);
    (request, done)
}

fn json(pointers: &[&str], body: &str) -> (String, Vec<Redacted>) {
    let (request, done) = redacted(&rules(&[], &[], pointers, &[]), "/", "application/json", body);
    (String::from_utf8(request.body.to_vec()).unwrap(), done)
}

#[test]
fn only_the_values_change_in_json() {
    let body = " {\"id\": 2080761269309813134000, \"user\" : {\"email\":\"a@b\" , \"e\\u006dail\":[1, 2],\"name\":\"\\ud83d\"},\r\n\"n\":1e400}\n";
    let (out, done) = json(&["/user/email"], body);
    let expected = " {\"id\": 2080761269309813134000, \"user\" : {\"email\":\"[redacted]\" , \"e\\u006dail\":\"[redacted]\",\"name\":\"\\ud83d\"},\r\n\"n\":1e400}\n";
    assert_eq!(
        (out.as_str(), &done[..]),
        (expected, &[Redacted::Json][..]),
        "however the key is spelt, and twice"
    );
}

#[test]
fn pointers_go_by_names_numbers_and_stars() {
    let body = r#"{"a":[{"k":1,"l":2},{"k":3}],"b":{"x":{"k":4},"y":5},"a/b~":6}"#;
    for (pointers, expected) in [
        (&["/a/0/k"][..], r#"{"a":[{"k":"[redacted]","l":2},{"k":3}],"b":{"x":{"k":4},"y":5},"a/b~":6}"#),
        (
            &["/a/*/k"],
            r#"{"a":[{"k":"[redacted]","l":2},{"k":"[redacted]"}],"b":{"x":{"k":4},"y":5},"a/b~":6}"#,
        ),
        (
            &["/*/*/k"],
            r#"{"a":[{"k":"[redacted]","l":2},{"k":"[redacted]"}],"b":{"x":{"k":"[redacted]"},"y":5},"a/b~":6}"#,
        ),
        (&["/a", "/a/0/k", "/b/y"], r#"{"a":"[redacted]","b":{"x":{"k":4},"y":"[redacted]"},"a/b~":6}"#),
        (&["/a~1b~0"], r#"{"a":[{"k":1,"l":2},{"k":3}],"b":{"x":{"k":4},"y":5},"a/b~":"[redacted]"}"#),
    ] {
        assert_eq!(json(pointers, body), (expected.to_owned(), vec![Redacted::Json]), "{pointers:?}");
    }
    for nothing in ["/c", "/a/7/k", "/b/x/k/z", "/a/00/k", "/"] {
        assert_eq!(json(&[nothing], body), (body.to_owned(), Vec::new()), "{nothing}");
    }
}

#[test]
fn a_body_that_no_rule_can_read_is_not_kept() {
    for body in
        ["{\"user\":{\"email\":\"hush\"}", "email=hush", "{\"user\":{\"email\":\"hush\"}} trailing", "hush"]
    {
        assert_eq!(json(&["/user/email"], body), (MARK.to_owned(), vec![Redacted::Body]), "{body}");
    }
    assert_eq!(json(&["/user/email"], ""), (String::new(), Vec::new()));
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    assert_eq!(json(&["/user/email"], &deep).0, deep, "depth is no reason");
    let form = rules(&[], &[], &[], &["Body"]);
    assert_eq!(redacted(&form, "/", "text/plain", "Body=hush").1, [Redacted::Body]);
    let mut request =
        Request::new("POST", "/", &[("content-type", "application/json")], &b"\xff{}"[..]).unwrap();
    assert_eq!(rules(&[], &[], &["/a"], &[]).apply(&mut request), [Redacted::Body]);
}

#[test]
fn forms_and_queries_keep_their_bytes_but_for_the_values() {
    let form = rules(&[], &["token"], &[], &["Body", "odd name"]);
    let body = "From=%2B1&Body=hush+hush&%42ody=more&Bod=x&Body&odd+name=a%20b&odd%20name=&=Body";
    let (request, done) = redacted(
        &form,
        "/in?a=%20&token=hush&%74oken=hush&tokens=1",
        "application/x-www-form-urlencoded; charset=utf-8",
        body,
    );
    assert_eq!(
        std::str::from_utf8(&request.body).unwrap(),
        "From=%2B1&Body=%5Bredacted%5D&%42ody=%5Bredacted%5D&Bod=x&Body&odd+name=%5Bredacted%5D&odd%20name=%5Bredacted%5D&=Body"
    );
    assert_eq!(request.target, "/in?a=%20&token=%5Bredacted%5D&%74oken=%5Bredacted%5D&tokens=1");
    assert_eq!(done, [Redacted::Query, Redacted::Form]);
}

#[test]
fn headers_keep_their_order() {
    let (request, done) =
        redacted(&rules(&["authorization"], &[], &[], &[]), "/?a", "text/plain", "as it came");
    let all: Vec<_> = request.headers.iter().collect();
    assert_eq!(
        all,
        [("content-type", &b"text/plain"[..]), ("authorization", b"[redacted]"), ("x-other", b"seen")]
    );
    assert_eq!(
        (&request.body[..], &request.target[..], &done[..]),
        (&b"as it came"[..], "/?a", &[Redacted::Headers][..])
    );
}

#[test]
fn what_is_no_pointer_is_told() {
    assert_eq!("user/email".parse::<Pointer>(), Err(PointerError::Start));
    assert_eq!("".parse::<Pointer>(), Err(PointerError::Start));
    assert_eq!("/a~2".parse::<Pointer>(), Err(PointerError::Escape));
    assert_eq!("/a~".parse::<Pointer>(), Err(PointerError::Escape));
    assert_eq!("/a".repeat(33).parse::<Pointer>(), Err(PointerError::TooDeep));
    for good in ["/a~1b~0/*", "/", "/a//b"] {
        assert_eq!(good.parse::<Pointer>().unwrap().to_string(), good);
    }
}

#[test]
fn an_event_says_what_was_taken_out_of_it() {
    let arrival = || Arrival {
        source: "inbox".parse().unwrap(),
        received_at: Timestamp::UNIX_EPOCH,
        peer: None,
        dedupe_window: Duration::from_secs(60),
        repeats: Repeats::Acknowledge,
    };
    let event = |body: &str| {
        let request = Request::new("POST", "/in", &[("content-type", "application/json")], body.to_owned());
        Event::accept(Unsigned::accept(request.unwrap()), arrival())
    };
    let rules = rules(&[], &[], &["/email"], &[]);
    let hidden = event(r#"{"email":"hush"}"#).redact(&rules);
    assert_eq!(hidden.record().provenance.redacted, [Redacted::Json]);
    assert_eq!(&hidden.record().request.body[..], br#"{"email":"[redacted]"}"#);
    let plain = event(r#"{"mail":"seen"}"#).redact(&rules);
    assert_eq!(plain.record().provenance.redacted, []);
    let text = serde_json::to_string(&plain.record().provenance).unwrap();
    assert!(!text.contains("redacted"), "{text}");
}
