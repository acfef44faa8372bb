//! Pages on their way out, and what is shown where there is none.

use askama::Template;
use axum::extract::{FromRequestParts, Query, Request};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use hookhouse_core::StoreError;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::de::DeserializeOwned;

use super::done::Done;
use super::door;
use super::frame::{Frame, Visit};

/// What a page's handler answers.
pub(super) type Shown = Result<Response, Trouble>;

/// Why there is no page.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    NotFound(&'static str),
    BadRequest(String),
    NotEdited(String),
    Forbidden,
    Store(StoreError),
    Internal,
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Trouble {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::BadRequest(_) | Self::NotEdited(_) => StatusCode::BAD_REQUEST,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Store(StoreError::Read(_)) | Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn sentence(&self) -> String {
        match self {
            Self::NotFound(what) => {
                format!("There is no such {what}. It may have gone with the retention of the store.")
            }
            Self::BadRequest(why) => format!("That cannot be read: {why}."),
            Self::NotEdited(why) => {
                format!(
                    "Nothing was replayed: {why}. What you wrote is where you came from: go back in your browser."
                )
            }
            Self::Forbidden => "Your token may not do this.".to_owned(),
            Self::Store(error) => format!("The store does not answer: {error}."),
            Self::Internal => "The page could not be made.".to_owned(),
        }
    }
}

/// It becomes a page in [`finish`], which knows the visitor.
impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct TroublePage {
    frame: Frame,
    status: u16,
    sentence: String,
}

/// A page.
pub(super) fn page(template: &impl Template) -> Shown {
    template.render().map(|text| Html(text).into_response()).map_err(|_| Trouble::Internal)
}

/// Where to go after something was done: back to a page of ours, which says it.
pub(super) fn after(back: &str, done: Done) -> Response {
    let back = local(back);
    let sign = if back.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{back}{sign}done={}", done.as_str())).into_response()
}

/// A path of this server, or the first page: a form must not lead anywhere else.
pub(super) fn local(back: &str) -> &str {
    let plain = back.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\' && byte != b'#');
    if plain && back.starts_with('/') && !back.starts_with("//") { back } else { "/" }
}

/// The query of a page, as `T`.
#[derive(Debug)]
pub(super) struct Asked<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Trouble> {
        let Query(asked) =
            Query::try_from_uri(&parts.uri).map_err(|error| Trouble::BadRequest(error.body_text()))?;
        Ok(Self(asked))
    }
}

/// What every answer of the UI has: no script, style, picture or connection but our own, no frame around it, nothing
/// kept in a cache. Trouble becomes a page here.
pub(super) async fn finish(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let visit = Visit::of(&parts);
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Some(trouble) = response.extensions_mut().remove::<Trouble>() {
        response = show(&trouble, visit);
    } else if response.status() == StatusCode::UNAUTHORIZED {
        response = door::closed(StatusCode::UNAUTHORIZED, visit, None);
    } else if response.status() == StatusCode::FORBIDDEN {
        response = show(&Trouble::Forbidden, visit);
    }
    protect(response.headers_mut());
    response
}

/// Says to the browser what a page of ours may do.
pub(super) fn protect(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

fn show(trouble: &Trouble, visit: Visit) -> Response {
    let status = trouble.status();
    let frame = Frame::new(None, status.canonical_reason().unwrap_or("Trouble"), visit, 0);
    let page = TroublePage { frame, status: status.as_u16(), sentence: trouble.sentence() };
    (status, Html(page.render().unwrap_or_default())).into_response()
}

const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_leads_back_to_this_server_alone() {
        assert_eq!(local("/deliveries?state=dead"), "/deliveries?state=dead");
        for elsewhere in [
            "",
            "deliveries",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nb: c",
            "/ a",
            "/#x",
        ] {
            assert_eq!(local(elsewhere), "/", "{elsewhere:?}");
        }
        let answer = after("/deliveries?state=dead", Done::Retried);
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert_eq!(answer.headers()[header::LOCATION], "/deliveries?state=dead&done=retried");
    }
}
