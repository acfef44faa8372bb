//! Whether a request is meant for this listener, and comes from where it says.
//!
//! Both keep a web page that somebody else wrote from using an operator's browser: one that rebinds its own name to
//! 127.0.0.1 sends that name as `Host`; one that posts a form sends its own `Origin` and `Sec-Fetch-Site` (Fetch standard,
//! Fetch Metadata), and can send a few media types alone without asking first.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};

use crate::admin::AdminState;
use crate::admin::extract::media_type;
use crate::admin::problem::Problem;
use crate::head;

/// Refuses a `Host` that is neither loopback's nor configured.
pub(in crate::admin) async fn host(
    State(state): State<Arc<AdminState>>,
    request: Request,
    next: Next,
) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let known = host.filter(|host| head::is_host(host)).map(head::without_port).is_some_and(|host| {
        let loopback = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        loopback
            || host.eq_ignore_ascii_case("localhost")
            || state.in_force().hosts.iter().any(|own| own.eq_ignore_ascii_case(host))
    });
    if known {
        return next.run(request).await;
    }
    tracing::warn!(event = "admin.host", "refused: `Host` is neither loopback nor in [admin] allowed_hosts");
    Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "misdirected",
        "this Host is not served; add it to `allowed_hosts` in [admin] if it is yours",
    )
    .into_response()
}

/// Refuses to change anything for another site's page.
pub(in crate::admin) async fn origin(request: Request, next: Next) -> Response {
    if changes_nothing(request.method()) {
        return next.run(request).await;
    }
    match foreign(request.headers(), request.uri().path()) {
        None => next.run(request).await,
        Some(why) => {
            tracing::warn!(event = "admin.csrf", why, "refused: another site's page");
            Problem::forbidden(why).into_response()
        }
    }
}

/// What every answer says to browsers, unless it says more itself.
pub(in crate::admin) async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("content-security-policy"), "default-src 'none'; frame-ancestors 'none'"),
    ] {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

fn changes_nothing(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Why a request that changes something is another site's.
fn foreign(headers: &HeaderMap, path: &str) -> Option<&'static str> {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return Some("`Sec-Fetch-Site` says that another site's page sent this");
    }
    if let Some(origin) = headers.get(header::ORIGIN)
        && !is_own(origin, headers.get(header::HOST))
    {
        return Some("`Origin` is another site");
    }
    let kind = media_type(headers);
    let is_a_forms = kind.as_deref().is_some_and(|kind| SIMPLE.contains(&kind));
    if is_a_forms && path.starts_with("/api/") {
        return Some("the API takes JSON, not what any site's form can send");
    }
    None
}

/// What a page may send to another site without asking it first (Fetch standard, CORS-safelisted request-header).
const SIMPLE: [&str; 3] = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"];

/// Whether an origin is the host that was called. Opaque ones (`null`) are not.
fn is_own(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let (Ok(origin), Some(Ok(host))) = (origin.to_str(), host.map(HeaderValue::to_str)) else { return false };
    let Ok(uri) = origin.parse::<Uri>() else { return false };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return false };
    let usual = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let bare = |text: &str| text.strip_suffix(usual).unwrap_or(text).to_ascii_lowercase();
    bare(authority.as_str()) == bare(host)
}

/// Whether the page of a request came over TLS, as its browser says.
pub(super) fn is_secure(headers: &HeaderMap) -> bool {
    headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_page_of_ours_may_and_another_sites_may_not() {
        for (own, list) in [
            (true, &[][..]),
            (true, &[("origin", "http://localhost:4040")]),
            (true, &[("origin", "http://LOCALHOST:4040"), ("sec-fetch-site", "same-origin")]),
            (true, &[("sec-fetch-site", "none")]),
            (true, &[("content-type", "application/json; charset=utf-8")]),
            (false, &[("sec-fetch-site", "cross-site")]),
            (false, &[("sec-fetch-site", "same-site")]),
            (false, &[("origin", "null")]),
            (false, &[("origin", "http://localhost:4041")]),
            (false, &[("origin", "https://attacker.example")]),
            (false, &[("origin", "http://localhost:4040.attacker.example")]),
            (false, &[("content-type", "text/plain")]),
            (false, &[("content-type", "TEXT/PLAIN;charset=utf-8")]),
            (false, &[("content-type", "multipart/form-data; boundary=x")]),
        ] {
            let mut headers = headers(list);
            headers.insert("host", "localhost:4040".parse().unwrap());
            assert_eq!(foreign(&headers, "/api/v1/replays").is_none(), own, "{list:?}");
        }
    }

    #[test]
    fn the_usual_port_may_be_left_out() {
        let is = |origin: &'static str, host: &'static str| {
            is_own(&HeaderValue::from_static(origin), Some(&HeaderValue::from_static(host)))
        };
        assert!(
            is("https://hooks.example", "hooks.example:443")
                && is("http://hooks.example:80", "hooks.example")
        );
        assert!(
            !is("https://hooks.example", "hooks.example:80") && !is("ftp://hooks.example", "hooks.example")
        );
    }
}
