//! The login, for whoever asks for a page without a session.

use askama::Template;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};

use super::frame::{Frame, Visit};
use super::shown::{self, Shown};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    wrong: Option<&'static str>,
}

/// The login.
pub(super) async fn login(visit: Visit) -> Shown {
    shown::page(&LoginPage { frame: Frame::new(None, "Log in", visit, 0), wrong: None })
}

/// The login in place of a page that wants one, with the status of what it stands for.
pub(super) fn closed(status: StatusCode, visit: Visit, wrong: Option<&'static str>) -> Response {
    let page = LoginPage { frame: Frame::new(None, "Log in", visit, 0), wrong };
    (status, Html(page.render().unwrap_or_default())).into_response()
}

/// Answers the form of the login with the form, where the token was not taken: a browser has no use for a problem
/// document.
pub(crate) async fn door(request: Request, next: Next) -> Response {
    if request.method() != Method::POST || request.uri().path() != "/login" || !is_form(request.headers()) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let visit = Visit::of(&parts);
    let response = next.run(Request::from_parts(parts, body)).await;
    let wrong = match response.status() {
        StatusCode::UNAUTHORIZED => "This is no token, or none that may read.",
        StatusCode::TOO_MANY_REQUESTS => "There were too many wrong tokens. Wait a minute.",
        StatusCode::BAD_REQUEST => "Paste a token.",
        _ => return response,
    };
    let status = response.status();
    let mut page = closed(status, visit, Some(wrong));
    for name in [header::RETRY_AFTER, header::WWW_AUTHENTICATE] {
        if let Some(value) = response.headers().get(&name) {
            page.headers_mut().insert(name, value.clone());
        }
    }
    shown::protect(page.headers_mut());
    page
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(|kind| kind.as_bytes().to_ascii_lowercase());
    kind.is_some_and(|kind| kind.starts_with(b"application/x-www-form-urlencoded"))
}
