//! What the Python SDK makes of a request, as far as that is not what arrived: the deviations tell by it which requests
//! they are about.

use super::case::{Case, SHARED_KEYS, digest_of};
use super::url::Url;

/// Whether the signature is over a URL that the SDK tries and over what it takes for the content.
pub(crate) fn takes(case: &Case) -> bool {
    let by_known_key = case.settings.as_deref().map_or(case.signed.by_token, |settings| {
        let named = |(id, _, _): &(&str, _, _)| settings.starts_with(&format!("key={id},"));
        let algorithm = settings.rsplit('=').next().unwrap_or_default().to_ascii_uppercase();
        SHARED_KEYS.iter().any(named) && ["HMAC_SHA1", "HMAC_SHA256"].contains(&algorithm.as_str())
    });
    by_known_key
        && spellings(&case.told()).contains(&case.signed.url)
        && content(case).is_some_and(|content| content == case.signed.parameters)
}

/// The spellings that the SDK tries: it takes the URL apart and puts it together again.
pub(crate) fn spellings(told: &str) -> [String; 2] {
    let scheme = told.split("://").next().unwrap_or_default().to_ascii_lowercase();
    let url = Url::split(told);
    let mut rest = url.rest.strip_suffix('?').unwrap_or(url.rest).to_owned();
    if loses_a_semicolon(&url) {
        rest = rest.replacen(';', "", 1);
    }
    let url = Url { scheme: &scheme, rest: &rest, ..url };
    let mut without = url.without_port();
    if url.port.is_some() {
        let authority = Url { rest: "", ..url }.write();
        let (_, authority) = authority.split_once("://").expect("it was just written");
        let (first, _) = authority.split_once(':').expect("there is a port");
        without = format!("{scheme}://{first}{rest}");
    }
    [without, url.with_port(url.sdk_port())]
}

/// Whether the path ends with an empty `;`, which is dropped with what it would have introduced.
pub(crate) fn loses_a_semicolon(url: &Url<'_>) -> bool {
    let path = url.rest.split('?').next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    url.scheme.to_ascii_lowercase().starts_with("http")
        && last.ends_with(';')
        && last.matches(';').count() == 1
}

/// What the SDK takes to be signed after the URL; `None` where a digest or a body is refused.
fn content(case: &Case) -> Option<Vec<u8>> {
    let is_text = case.content_type.is_some() && !case.is_form();
    if !is_text {
        return Some(parameters(&case.body));
    }
    let query = form_urlencoded::parse(case.query().unwrap_or_default().as_bytes());
    let mut digests = query.filter(|(name, value)| name == "bodySHA256" && !value.is_empty());
    match digests.next() {
        Some((_, digest)) => {
            (digest == digest_of(String::from_utf8_lossy(&case.body).as_bytes())).then(Vec::new)
        }
        None => case.body.is_empty().then(Vec::new),
    }
}

/// A form's parameters; bytes that are no text stay percent-encoded.
fn parameters(body: &[u8]) -> Vec<u8> {
    let kept = String::from_utf8_lossy(body).replace("%FF", "%25FF");
    let mut pairs: Vec<_> = form_urlencoded::parse(kept.as_bytes()).collect();
    pairs.sort();
    pairs.dedup();
    pairs.iter().flat_map(|(key, value)| [key.as_bytes(), value.as_bytes()].concat()).collect()
}
