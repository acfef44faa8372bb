//! `redact`: what of an event is not stored.

use hookhouse_core::Redaction;
use hookhouse_core::redaction::Pointer;
use http::HeaderName;
use serde::Deserialize;

use super::super::diagnostic::{Code, Diagnostic};
use super::super::field::{Field, List};
use super::super::loader::Loader;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: { headers, query, json, form }")]
pub(super) struct RawRedact {
    headers: Field<List<String>>,
    query: Field<List<String>>,
    json: Field<List<String>>,
    form: Field<List<String>>,
}

/// The rules; `None` where there are none.
pub(super) fn read(field: &Field<RawRedact>, loader: &Loader<'_>) -> Option<Redaction> {
    let given = field.given()?;
    let raw = &given.value;
    let names = |field: &Field<List<String>>, what: &str| {
        let mut names = Vec::new();
        for name in field.elements() {
            if name.value.is_empty() {
                loader.report.value(&name.span, format!("`{what}` lists names; this one is empty"));
            } else {
                names.push(name.value.clone());
            }
        }
        names
    };
    let mut rules = Redaction {
        query: names(&raw.query, "query"),
        form: names(&raw.form, "form"),
        ..Redaction::default()
    };
    for name in raw.headers.elements() {
        match HeaderName::from_bytes(name.value.as_bytes()) {
            Ok(header) => rules.headers.push(header.as_str().to_owned()),
            Err(_) => loader.report.value(&name.span, "`headers` lists names of headers; this is none"),
        }
    }
    for place in raw.json.elements() {
        match place.value.parse::<Pointer>() {
            Ok(pointer) => rules.json.push(pointer),
            Err(error) => loader.report.push(
                Diagnostic::error(Code::Value, &place.span, format!("`json`: {error}"))
                    .help("`*` is every member or element: `/users/*/email`"),
            ),
        }
    }
    if rules == Redaction::default() {
        let empty = [&raw.headers, &raw.query, &raw.json, &raw.form].iter().all(|list| list.is_missing());
        if empty {
            loader
                .report
                .value(&given.span, "`redact` says nothing: give `headers`, `query`, `json` or `form`");
        }
        return None;
    }
    Some(rules)
}
