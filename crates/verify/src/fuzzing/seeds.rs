//! What the fuzzers begin with: the vectors and the hostile cases of the repository, in the form of each input.

use std::path::Path;

use serde_json::Value;

use super::world::{ORIGIN, SECRET, now};
use crate::sign::{Draft, Signer};
use crate::{Secret, catalogue, x as platform};

/// A file of the repository: these programs are run where they were built.
fn file(path: &str) -> Value {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn cases(path: &str) -> Vec<Value> {
    file(path)["cases"].as_array().cloned().unwrap_or_default()
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_default()
}

/// The key of somebody else: what the sources accept must not be among the seeds, where any change to what a signature
/// does not cover would be accepted as well.
fn stranger() -> Secret {
    Secret::new("dGhlIGtleSBvZiBhIHN0cmFuZ2Vy").expect("not empty")
}

/// The hostile words of the conformance cases: what stands in backquotes there.
pub(super) fn hostile() -> Vec<String> {
    let cases = file("conformance/cases.json");
    let situations = cases.as_array().into_iter().flatten().map(|case| text(case, "situation"));
    situations.flat_map(|text| text.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

fn joined(parts: &[&str]) -> Vec<u8> {
    parts.join("\0").into_bytes()
}

pub(super) fn x() -> Vec<Vec<u8>> {
    let seed = |case: Value| {
        let (input, expected) = (text(&case, "input").to_owned(), text(&case, "expected").to_owned());
        [joined(&[&expected, "", "/x", &input]), joined(&[&expected, &expected, &format!("/x?{input}"), ""])]
    };
    let events = cases("vectors/x-events.json").into_iter().map(|case| {
        let body = text(&case, "body").to_owned();
        joined(&[&platform::sign_post(&stranger(), body.as_bytes()), "", "/x", &body])
    });
    cases("vectors/x.json").into_iter().flat_map(seed).chain(events.take(8)).collect()
}

pub(super) fn crc() -> Vec<Vec<u8>> {
    let known = cases("vectors/x.json").into_iter().flat_map(|case| {
        let input = text(&case, "input").to_owned();
        [input.clone(), format!("crc_token={input}&nonce=MTY4NTY2MjQ0ODA2MA")]
    });
    known.chain(hostile()).map(String::into_bytes).collect()
}

pub(super) fn twilio() -> Vec<Vec<u8>> {
    let seed = |case: &Value| {
        let url = text(case, "url").to_owned();
        let target = url.splitn(4, '/').nth(3).map(|target| format!("/{target}")).unwrap_or_default();
        let form = case["params"].as_array().into_iter().flatten().map(|pair| {
            let escaped = |n: usize| form_escape(pair[n].as_str().unwrap_or_default());
            format!("{}={}", escaped(0), escaped(1))
        });
        let body =
            case["raw_body"].as_str().map_or_else(|| form.collect::<Vec<_>>().join("&"), str::to_owned);
        joined(&[&target, text(case, "content_type"), text(case, "signature"), "", &body])
    };
    let shared = joined(&["/", "", "c2ln", "key=k1,algorithm=HMAC_SHA256", "a=1"]);
    cases("vectors/twilio.json").iter().map(seed).chain([shared]).collect()
}

/// Form encoding, as plainly as it can be done.
fn form_escape(text: &str) -> String {
    let escaped = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(escaped).collect()
}

pub(super) fn hmac() -> Vec<Vec<u8>> {
    let time = now().as_second().to_string();
    let signed = catalogue::rows().iter().enumerate().map(|(which, row)| {
        let body = r#"{"id":"evt_1","type":"a.b","event_id":"1"}"#;
        let draft = Draft {
            method: "POST".to_owned(),
            url: format!("{ORIGIN}/in"),
            content_type: None,
            body: body.into(),
            id: "evt_1".to_owned(),
            now: now(),
        };
        let signed = Signer::Hmac(row.descriptor.clone()).sign(&stranger(), &draft).expect("a valid row");
        let name = row.descriptor.signature.header.as_ref();
        let value = signed.headers.iter().find(|(header, _)| header == name).map_or("", |(_, value)| value);
        let which = u8::try_from(which).unwrap_or_default();
        [&[which][..], &joined(&[value, &time, "evt_1", "/in", body])].concat()
    });
    let hostile = hostile().into_iter().enumerate().map(|(which, text)| {
        let which = u8::try_from(which % 251).unwrap_or_default();
        [&[which][..], &joined(&[&text, &text, "evt_1", "/in", "{}"])].concat()
    });
    signed.chain(hostile).collect()
}

pub(super) fn sendgrid() -> Vec<Vec<u8>> {
    let seed =
        |case: Value| joined(&[text(&case, "signature"), text(&case, "timestamp"), text(&case, "payload")]);
    cases("vectors/sendgrid.json").into_iter().map(seed).collect()
}

pub(super) fn headers() -> Vec<Vec<u8>> {
    let plain =
        ["", "a: b\r\n", "host: hooks.example.com\r\nx-a: 1\r\nx-a: \r\n", "a: b", "a: b\r\n\r\nc: d\r\n"];
    let hostile = hostile().into_iter().map(|text| format!("x-signature: {text}\r\n"));
    plain.into_iter().map(str::to_owned).chain(hostile).map(String::into_bytes).collect()
}

pub(super) fn bodies() -> Vec<Vec<u8>> {
    let files = [
        ("vectors/x-events.json", "body"),
        ("vectors/twilio.json", "raw_body"),
        ("vectors/sendgrid.json", "payload"),
    ];
    let all = files.into_iter().flat_map(|(path, key)| {
        cases(path)
            .into_iter()
            .filter_map(move |case| case[key].as_str().map(|body| body.as_bytes().to_vec()))
    });
    all.collect()
}

pub(super) fn pasted() -> Vec<Vec<u8>> {
    let twilio = cases("vectors/twilio.json").into_iter().take(12).map(|case| {
        let target = text(&case, "url").splitn(4, '/').nth(3).unwrap_or_default().to_owned();
        let (kind, signature) = (text(&case, "content_type"), text(&case, "signature"));
        format!("\u{1}POST /{target} HTTP/1.1\r\nHost: a.example\r\nContent-Type: {kind}\r\nX-Twilio-Signature: {signature}\r\n\r\na=1&b=2")
    });
    let x = cases("vectors/x.json").into_iter().take(6).map(|case| {
        let (input, signature) = (text(&case, "input"), text(&case, "expected"));
        format!("\0POST /x HTTP/1.1\nX-Twitter-Webhooks-Signature: {signature}\n\n{input}")
    });
    let chunked = "\u{3}POST /in HTTP/1.1\r\nTransfer-Encoding: chunked\r\nX-Hub-Signature-256: sha256=00\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let proxied = format!(
        "\u{2}GET https://hooks.example.com/a?b=c HTTP/1.1\r\nForwarded: for=1.2.3.4;proto=http;host=b.example\r\nX-Forwarded-Prefix: /v1\r\nX-Twilio-Signature: {SECRET}\r\n\r\n"
    );
    let inputs: Vec<String> = twilio.chain(x).chain([chunked.to_owned(), proxied]).collect();
    // The target `pasted_request` takes no number before the request.
    inputs.iter().flat_map(|input| [input.clone().into_bytes(), input.as_bytes()[1..].to_vec()]).collect()
}

pub(super) fn urls() -> Vec<Vec<u8>> {
    let plain = [
        "https://hooks.example.com",
        ORIGIN,
        "http://[::1]:80/a/b",
        "https://a.example/",
        "https://ä.example",
    ];
    let known = cases("vectors/twilio.json").into_iter().map(|case| text(&case, "url").to_owned());
    plain.into_iter().map(str::to_owned).chain(known).map(String::into_bytes).collect()
}
