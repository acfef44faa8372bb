//! Everything else that is read: header blocks as a store kept them, bodies, requests that somebody pasted, URLs.

use bytes::Bytes;

use super::parts;
use super::world::{DESCRIBED, SECRET, SENDGRID, TWILIO, X, now};
use crate::explain::{Context, Explainer, Witness, parse_raw_http};
use crate::request::Headers;
use crate::twilio::PublicUrl;
use crate::verdict::Verdict;
use crate::{Request, sendgrid, twilio, x};

/// A block that reads is the one that its fields write, and nothing in it can be taken for another field.
pub(super) fn headers(input: &[u8]) {
    let Ok(headers) = Headers::parse(Bytes::copy_from_slice(input)) else { return };
    let again = Headers::from_pairs(headers.iter()).expect("what was read can be written");
    assert_eq!(again.as_bytes(), input);
    assert_eq!(headers.iter().count(), input.windows(2).filter(|pair| pair == b"\r\n").count());
    for (name, value) in headers.iter() {
        assert!(headers.all(name).any(|other| other == value));
    }
}

/// The readers of bodies: the same bytes are the same elements, and there are only so many.
pub(super) fn elements(input: &[u8]) {
    let reading = x::read(input);
    assert_eq!(reading, x::read(input));
    assert!(reading.elements.len() <= crate::batch::MOST_ELEMENTS);
    for batch in [twilio::read(input), sendgrid::read(input)] {
        assert!(batch.elements.len() <= crate::batch::MOST_ELEMENTS);
        assert!(
            batch
                .event_type
                .is_none_or(|label| label.len() <= 128 && label.bytes().all(|b| b.is_ascii_graphic()))
        );
    }
}

/// A request that somebody pasted.
pub(super) fn pasted(input: &[u8]) {
    let Ok(request) = parse_raw_http(input) else { return };
    assert!(request.body.len() <= input.len());
    assert!(!request.method.is_empty() && !request.target.contains([' ', '\r', '\n']));
    assert!(Headers::parse(request.headers.as_bytes().clone()).is_ok());
}

/// What is said about a refused request: whose source it is first, then the request.
pub(super) fn explain(input: &[u8]) {
    let Some((which, input)) = input.split_first() else { return };
    let Ok(request) = parse_raw_http(input).or_else(|_| loose(input)) else { return };
    let fixed = [("x", &*X), ("twilio", &*TWILIO), ("sendgrid", &*SENDGRID)];
    let described = DESCRIBED.iter().map(|(descriptor, verifier)| (descriptor.scheme.as_ref(), verifier));
    let witnesses: Vec<_> = fixed
        .into_iter()
        .chain(described)
        .map(|(name, verifier)| Witness { name, path: Some("/hook"), verifier })
        .collect();
    let Some(own) = witnesses.get(usize::from(*which) % witnesses.len()).copied() else { return };
    let Verdict::Rejected { reject, request } = own.verifier.verify(request, now()) else { return };
    let context = Context::of(&request.headers);
    let explanation = Explainer::new(witnesses).explain(&request, &reject, own.name, &context, now());
    let told = format!("{explanation:?}");
    assert!(!explanation.findings.is_empty());
    let pasted_it = input.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
    assert!(pasted_it || !told.contains(SECRET), "the explanation tells the secret: {told}");
}

/// Target, signature, content type, body, for inputs that are no HTTP.
fn loose(input: &[u8]) -> Result<Request, crate::request::HeaderError> {
    let [target, signature, kind, forwarded, body] = parts(input);
    let headers = [
        (x::SIGNATURE_HEADER, signature),
        (twilio::SIGNATURE_HEADER, signature),
        ("content-type", kind),
        ("forwarded", forwarded),
        ("x-forwarded-host", forwarded),
    ];
    Request::new("POST", String::from_utf8_lossy(target).into_owned(), &headers, body.to_vec())
}

/// A URL that reads can be written, and reads again as the same.
pub(super) fn public_url(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(url) = PublicUrl::parse(text) else { return };
    assert!(matches!(url.scheme(), "http" | "https") && !url.host().is_empty());
    let shown = url.to_string();
    let userinfo = url.userinfo().filter(|userinfo| !userinfo.is_empty());
    assert!(userinfo.is_some() || PublicUrl::parse(&shown) == Ok(url), "{text} is shown as {shown}");
}
