//! The style sheet, the script and the icon: in the program itself.

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, HeaderValue, StatusCode, header};

const STYLE: &str = include_str!("../../templates/style.css");
const SCRIPT: &str = include_str!("../../templates/app.js");
const ICON: &str = include_str!("../../templates/icon.svg");

pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/ui/style.css", asset(STYLE, "text/css; charset=utf-8"))
        .route("/ui/app.js", asset(SCRIPT, "text/javascript; charset=utf-8"))
        .route("/ui/icon.svg", asset(ICON, "image/svg+xml"))
}

/// Asked for again with every page, and sent again only when the program is another one.
fn asset<S: Clone + Send + Sync + 'static>(
    text: &'static str,
    kind: &'static str,
) -> axum::routing::MethodRouter<S> {
    let tag = format!("\"{}\"", BASE64URL_NOPAD.encode(digest(&SHA256, text.as_bytes()).as_ref()));
    get(move |headers: HeaderMap| {
        let tag = tag.clone();
        async move { send(&headers, text, kind, &tag) }
    })
}

fn send(headers: &HeaderMap, text: &'static str, kind: &'static str, tag: &str) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if known { StatusCode::NOT_MODIFIED.into_response() } else { text.into_response() };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}
