//! What the pages read: searches, bodies of events, forms.

use super::action::Form;
use super::event::body::{BodyForm, BodyView, Shape};
use super::search::Search;
use super::shown::local;
use crate::fuzzing::{hostile, now, parts};

/// A search: what cannot be read is complained about, and what remains is searched for.
pub(crate) fn search(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let search = Search::parse(text, now());
    assert_eq!(search.is_empty(), text.trim().is_empty());
    assert!(search.complaints.len() <= text.matches(':').count());
    assert!(search.query.text.is_none_or(|words| !words.is_empty() && words.len() <= text.len()));
}

pub(crate) fn searches() -> Vec<Vec<u8>> {
    let known = [
        "source:x type:post.create verified:no after:2h some words",
        "\"source:x\" before:2026-11-22 since:90m until:2026-11-22T12:00:00Z",
        "after:99999999999999999999d verified:perhaps source:A",
        "\"an open quote type:",
        "after:5\u{301}h",
    ];
    known.map(|text| text.as_bytes().to_vec()).to_vec()
}

/// Content type and body, shown in every form: JSON keeps all of its characters.
pub(crate) fn body(input: &[u8]) {
    let [kind, body] = parts(input);
    for form in [BodyForm::Pretty, BodyForm::Raw, BodyForm::Hex] {
        let view = BodyView::of(body, Some(kind), form);
        match view.shape {
            Shape::Json(tokens) => {
                let blank = |c: &char| !c.is_ascii_whitespace();
                let shown: String =
                    tokens.iter().flat_map(|token| token.text.chars()).filter(blank).collect();
                let sent = std::str::from_utf8(body).expect("JSON is text");
                assert_eq!(shown, sent.chars().filter(blank).collect::<String>());
            }
            Shape::Text(text) => assert!(text.len() <= body.len() * 3),
            Shape::Empty => assert!(body.is_empty()),
            Shape::Form(_) | Shape::Hex(_) => assert!(!body.is_empty()),
        }
    }
}

pub(crate) fn bodies() -> Vec<Vec<u8>> {
    let known = [
        "application/json\0{\"a\":[1,2.50e400,{\"b\":\"\\u00e9\\\"\"}],\"c\":null}",
        "application/x-www-form-urlencoded\0a=%3Cb%3E&a=2&c",
        "application/x-www-form-urlencoded\0{\"a\":1}",
        "\0[[[[[[]]]]]]",
        "text/xml\0<Response/>",
        "application/json\0{\"a\":}",
    ];
    known.map(|text| text.as_bytes().to_vec()).to_vec()
}

/// A form: it leads back to a page of ours, wherever it says.
pub(crate) fn form(input: &[u8]) {
    let form = Form::read(input);
    let back = local(form.back());
    assert!(back.starts_with('/') && !back.starts_with("//") && !back.contains(['\\', '\r', '\n']));
    assert!(form.field("destination").is_none_or(|name| !name.is_empty()));
}

pub(crate) fn forms() -> Vec<Vec<u8>> {
    let known =
        ["back=%2Fevents%3Fq%3Da&destination=app", "back=//evil.example", "back=%2F%5Cevil.example", "a&&=b"];
    let hostile = hostile().into_iter().map(|text| format!("back=/{text}"));
    known.into_iter().map(str::to_owned).chain(hostile).map(String::into_bytes).collect()
}
