//! A body: laid out, as it came, or byte by byte.

use serde::Deserialize;

use super::{hex, json};
use crate::ui::moment;

/// The bytes that are shown, at most: more is for a download.
const MOST: usize = 256 * 1024;

/// As [`MOST`], for bytes that take sixteen to a line.
const MOST_HEX: usize = 16 * 1024;

/// How a body is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::ui) enum BodyForm {
    #[default]
    Pretty,
    Raw,
    Hex,
}

/// A body, and how it is shown.
#[derive(Debug)]
pub(in crate::ui) struct BodyView {
    pub(in crate::ui) form: &'static str,
    pub(in crate::ui) shape: Shape,
    /// What is worth knowing about it.
    pub(in crate::ui) note: Option<String>,
}

/// What is shown of a body.
#[derive(Debug)]
pub(in crate::ui) enum Shape {
    Empty,
    Json(Vec<json::Token>),
    Form(Vec<(String, String)>),
    Text(String),
    Hex(Vec<hex::Line>),
}

impl BodyView {
    pub(in crate::ui) fn of(body: &[u8], content_type: Option<&[u8]>, form: BodyForm) -> Self {
        let (shape, note) = match form {
            BodyForm::Pretty => pretty(body, content_type),
            BodyForm::Raw => raw(body),
            BodyForm::Hex => hexed(body),
        };
        let form = match form {
            BodyForm::Pretty => "pretty",
            BodyForm::Raw => "raw",
            BodyForm::Hex => "hex",
        };
        Self { form, shape: if body.is_empty() { Shape::Empty } else { shape }, note }
    }
}

fn pretty(body: &[u8], content_type: Option<&[u8]>) -> (Shape, Option<String>) {
    let is_form = content_type.is_some_and(|kind| kind.starts_with(b"application/x-www-form-urlencoded"));
    let Ok(text) = std::str::from_utf8(body) else { return hexed(body) };
    if body.len() > MOST {
        return raw(body);
    }
    // What is JSON is shown as JSON, whatever it was called: curl calls everything a form.
    let begins_as_json = text.trim_start().starts_with(['{', '[']);
    match json::problem(body) {
        None if begins_as_json => (Shape::Json(json::tokens(text)), None),
        _ if is_form => (Shape::Form(form_urlencoded::parse(body).into_owned().collect()), None),
        Some(problem) if begins_as_json => {
            (Shape::Text(text.to_owned()), Some(format!("It looks like JSON and is none: {problem}.")))
        }
        _ => raw(body),
    }
}

fn raw(body: &[u8]) -> (Shape, Option<String>) {
    let (part, note) = beginning(body, MOST);
    let text = String::from_utf8_lossy(part).into_owned();
    let is_text = std::str::from_utf8(body).is_ok();
    let odd = || "It is not UTF-8: what cannot be shown is a �. The hex view has every byte.".to_owned();
    (Shape::Text(text), note.or_else(|| (!is_text).then(odd)))
}

fn hexed(body: &[u8]) -> (Shape, Option<String>) {
    let (part, note) = beginning(body, MOST_HEX);
    (Shape::Hex(hex::lines(part)), note)
}

fn beginning(body: &[u8], most: usize) -> (&[u8], Option<String>) {
    match body.split_at_checked(most) {
        Some((part, rest)) if !rest.is_empty() => {
            let shown = moment::bytes(part.len() as u64);
            let whole = moment::bytes(body.len() as u64);
            (part, Some(format!("The first {shown} of {whole}; download it to see the rest.")))
        }
        _ => (body, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_shown_as_what_it_is() {
        let form = Some(&b"application/x-www-form-urlencoded; charset=utf-8"[..]);
        let shape = |body: &[u8], kind| BodyView::of(body, kind, BodyForm::Pretty).shape;
        assert!(matches!(shape(b"", form), Shape::Empty));
        assert!(matches!(shape(b" [1]", None), Shape::Json(_)));
        assert!(matches!(shape(b"\xff\xfe", None), Shape::Hex(_)));
        assert!(matches!(shape(b"plain", None), Shape::Text(_)));
        assert!(matches!(shape(b"{\"a\":1}", form), Shape::Json(_)), "curl calls everything a form");
        let Shape::Form(fields) = shape(b"a=%3Cb%3E&a=2&c", form) else { panic!("a form") };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(fields, [pair("a", "<b>"), pair("a", "2"), pair("c", "")]);
        let broken = BodyView::of(b"{\"a\":}", None, BodyForm::Pretty);
        assert!(broken.note.unwrap().contains("line 1 column 6"));
    }

    #[test]
    fn a_long_body_is_shown_in_part() {
        let long = vec![b'a'; MOST + 1];
        let view = BodyView::of(&long, None, BodyForm::Raw);
        let Shape::Text(text) = view.shape else { panic!("text") };
        assert_eq!((text.len(), view.note.is_some()), (MOST, true));
        let Shape::Hex(lines) = BodyView::of(&long, None, BodyForm::Hex).shape else { panic!("hex") };
        assert_eq!(lines.len(), MOST_HEX / 16);
    }
}
