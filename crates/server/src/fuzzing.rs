//! What the fuzzers call: a body for each thing in the server that reads what a stranger wrote. The bodies stand beside
//! the readers; the package `fuzz` makes a program of each, and the tests run them over the seeds and spoiled copies.

use std::path::Path;

use hookhouse_core::{DeliveryId, DestinationName, EventId, SourceName, Timestamp};
use hookhouse_delivery::response::{Head, LONGEST_RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};

use crate::{admin, config, head, login, origin, ui};

/// A program: its name, what it does with an input, and what it begins with.
pub type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// Everything of this crate.
pub const TARGETS: &[Target] = &[
    ("forwarded", origin::fuzzing::forwarded, origin::fuzzing::headers),
    ("proxy_preamble", origin::fuzzing::preamble, origin::fuzzing::preambles),
    ("authorization", login::fuzzing::authorization, login::fuzzing::seeds),
    ("config", config::fuzzing::config, config::fuzzing::seeds),
    ("search", ui::fuzzing::search, ui::fuzzing::searches),
    ("shown_body", ui::fuzzing::body, ui::fuzzing::bodies),
    ("ui_form", ui::fuzzing::form, ui::fuzzing::forms),
    ("ids", ids, id_seeds),
    ("request_head", request_head, head_seeds),
    ("upstream_head", upstream_head, upstream_seeds),
];

/// When everything happens.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_795_305_600).expect("a moment in 2026")
}

/// An input taken apart at zero bytes; what is missing is empty, the last part has the rest.
pub(crate) fn parts<const N: usize>(input: &[u8]) -> [&[u8]; N] {
    let mut parts = [&b""[..]; N];
    for (part, bytes) in parts.iter_mut().zip(input.splitn(N, |byte| *byte == 0)) {
        *part = bytes;
    }
    parts
}

/// Headers that HTTP could carry. A value is as many lines as it has line feeds; an empty one is not there.
pub(crate) fn header_map(fields: &[(&'static str, &[u8])]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in fields {
        for value in values.split(|byte| *byte == b'\n').filter(|value| !value.is_empty()) {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
    }
    headers
}

/// The hostile words of the conformance cases: what stands in backquotes there.
pub(crate) fn hostile() -> Vec<String> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/cases.json"));
    let bytes = std::fs::read(path).expect("these programs are run where they were built");
    let cases: serde_json::Value = serde_json::from_slice(&bytes).expect("the cases are JSON");
    let situations = cases.as_array().into_iter().flatten();
    let situations = situations.map(|case| case["situation"].as_str().unwrap_or_default());
    situations.flat_map(|text| text.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// Names and ids: what reads is written as it was.
fn ids(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    admin::fuzzing::position(text);
    if let Ok(id) = text.parse::<EventId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(id) = text.parse::<DeliveryId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    if let Ok(name) = text.parse::<SourceName>() {
        assert_eq!(name.to_string(), text);
        assert!(text.parse::<DestinationName>().is_ok());
        assert!(!text.contains(['.', '/', '*', '>', ' ', '\0']));
    }
}

fn id_seeds() -> Vec<Vec<u8>> {
    let id = EventId::with_position(now(), 7, 1);
    let plain = ["x-prod", "7-0-1795318966123", "", "..", "a/b"].map(str::to_owned);
    let ids = [id.to_string(), format!("{id}:app"), format!("{id}:app:2"), format!("{id}:app:+2")];
    plain.into_iter().chain(ids).map(String::into_bytes).collect()
}

/// Method, target, `Host`, lengths and codings: a head that passes has one meaning.
fn request_head(input: &[u8]) {
    let [method, target, host, length, coding] = parts(input);
    let Ok(request) = Request::builder().method(method).uri(target).body(()) else { return };
    let (mut parts, ()) = request.into_parts();
    parts.headers = header_map(&[("host", host), ("content-length", length), ("transfer-encoding", coding)]);
    let Ok(head) = head::check(&parts, &[]) else { return };
    assert!(head.target.starts_with('/') && head.target.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(parts.headers.get_all("host").iter().count() == 1 || parts.uri.authority().is_some());
    let host = parts.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("none");
    assert!(head::is_host(host) && !head::without_port(host).is_empty());
    assert!(parts.headers.get_all("content-length").iter().count() <= 1);
    let coding = parts.headers.get("transfer-encoding");
    assert!(coding.is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked")));
}

fn head_seeds() -> Vec<Vec<u8>> {
    let plain = [
        "GET\0/x?crc_token=a\0hooks.example.com\0\0",
        "POST\0http://a.example:8080/x\0a.example:8080\x002\0",
        "POST\0/x\0[::1]:80\0\0chunked",
        "POST\0/x\0a\nb\x001\n2\0chunked",
    ];
    let hostile = hostile().into_iter().map(|text| format!("POST\0/{text}\0{text}\0{text}\0{text}"));
    plain.into_iter().map(str::to_owned).chain(hostile).map(String::into_bytes).collect()
}

/// What an application answers: status, `Retry-After`.
fn upstream_head(input: &[u8]) {
    let [status, after] = parts(input);
    let Ok(status) = StatusCode::from_bytes(status) else { return };
    let head = Head::new(status, &header_map(&[("retry-after", after)]), now());
    assert!(head.retry_after.is_none_or(|pause| pause <= LONGEST_RETRY_AFTER));
}

fn upstream_seeds() -> Vec<Vec<u8>> {
    let plain = [
        "429\x0010",
        "503\0Sun, 22 Nov 2026 12:00:00 GMT",
        "503\x0099999999999999999999",
        "429\0-1",
        "503\0Sunday, 06-Nov-94 08:49:37 GMT",
        "503\0Fri, 31 Dec 9999 23:59:60 +2359",
    ];
    plain.map(|text| text.as_bytes().to_vec()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_takes_its_seeds_and_spoiled_copies_of_them() {
        for (name, body, seeds) in TARGETS {
            hookhouse_testkit::spoiling::spoil(name, *body, seeds(), 1_000);
        }
    }
}
