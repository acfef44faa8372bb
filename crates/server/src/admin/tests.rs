//! `docs/reference/api.md` and `docs/reference/openapi.json` are made here, from the document that the server gives.

use std::fmt::Write as _;

use serde_json::Value;

use super::api;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/");

const INTRODUCTION: &str = "\
# The admin API

<!-- Made from the code by a test; to make it anew: UPDATE_PAGES=1 cargo nextest run -p hookhouse-server the_pages_of_the_api -->

The admin listener (`[admin] listen`, by default `127.0.0.1:4040`) serves an API under `/api/v1`. A running server describes it
at `/api/v1/openapi.json` (OpenAPI 3.1); [the same document](openapi.json) lies here.

* **Tokens.** `Authorization: Bearer` and a token: the one in `admin.token` in the store's folder, which may do everything, or one
  that `hookhouse token create` made. A token has scopes: `read`; `write`, which includes `read`; `admin`, which includes
  everything; `metrics`, which opens `/metrics` alone. A browser shows a token to `/login` and has a session from then on, for twelve
  hours at most.
* **Host and origin.** A `Host` that is neither loopback's nor in `allowed_hosts` gets 421. A request that changes something and
  comes from another site's page gets 403.
* **Errors** are `application/problem+json` (RFC 9457); the last word of `type` stays as it is.
* **Lists** are read page by page: pass `next_cursor` as `cursor` until it is `null`. What is added meanwhile does not move a page,
  and a page may have fewer entries than its limit and still have a next one. A parameter that is not listed is an error.
* **Writes** take an `Idempotency-Key`: sent again with the same key within a day, a request is answered as before
  (`Idempotency-Replayed: true`) and nothing is done again. Another request with the same key gets 422.
* **The stream** (`/api/v1/stream`) is server-sent events. Each `id` is a place in the store's logs; sent back as `Last-Event-ID` it
  makes the stream go on there, also after a restart of either side. Attempts have no log of their own: they are told live, and
  who resumes is told how the newest thousand deliveries stand that were tried meanwhile.

```console
$ curl -H \"Authorization: Bearer $(cat store/admin.token)\" 'http://127.0.0.1:4040/api/v1/events?source=x-prod&limit=5'
$ curl -N -H \"Authorization: Bearer $TOKEN\" 'http://127.0.0.1:4040/api/v1/stream?from=beginning&kinds=events'
```

";

/// The document of the server.
fn document() -> Value {
    let (_, document) = api::described();
    serde_json::from_str(&document.to_json().unwrap()).unwrap()
}

fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        item.as_object()
            .unwrap()
            .iter()
            .map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

fn page(document: &Value) -> String {
    let mut page = INTRODUCTION.to_owned();
    let mut tags: Vec<&str> = Vec::new();
    for (_, _, operation) in operations(document) {
        let tag = operation["tags"][0].as_str().unwrap();
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags.sort_unstable();
    for tag in tags {
        writeln!(page, "## {}{}\n", tag[..1].to_uppercase(), &tag[1..]).unwrap();
        for (path, method, operation) in operations(document).filter(|(.., of)| of["tags"][0] == tag) {
            writeln!(page, "### `{} {path}`\n", method.to_uppercase()).unwrap();
            writeln!(page, "{}.\n", operation["summary"].as_str().unwrap()).unwrap();
            let described = operation["description"].as_str().unwrap_or_default().trim();
            writeln!(page, "{}\n", described.replace("\n\n", " ").replace('\n', " ")).unwrap();
            let mut rows = String::new();
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let text = |key: &str| parameter[key].as_str().unwrap_or_default().replace('\n', " ");
                writeln!(rows, "| `{}` | {} | {} |", text("name"), text("in"), text("description")).unwrap();
            }
            if !rows.is_empty() {
                writeln!(page, "| parameter | in | |\n|---|---|---|\n{rows}").unwrap();
            }
        }
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

#[test]
fn the_pages_of_the_api_are_what_the_code_says() {
    let document = document();
    let files = [
        ("api.md", page(&document)),
        ("openapi.json", format!("{}\n", serde_json::to_string_pretty(&document).unwrap())),
    ];
    for (name, made) in files {
        let file = format!("{FOLDER}{name}");
        if std::env::var_os("UPDATE_PAGES").is_some() {
            std::fs::write(&file, &made).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap();
        assert!(
            kept == made,
            "docs/reference/{name} is not what the code says; make it anew with\n    UPDATE_PAGES=1 cargo nextest run -p hookhouse-server the_pages_of_the_api"
        );
    }
}

#[test]
fn every_operation_says_who_may_and_what_it_answers() {
    let document = document();
    assert_eq!(document["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
    let mut names = Vec::new();
    for (path, method, operation) in operations(&document) {
        let what = format!("{method} {path}: {operation}");
        names.push(operation["operationId"].as_str().unwrap().to_owned());
        assert!(operation["summary"].as_str().is_some_and(|text| text.len() > 5), "{what}");
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2')), "{what}");
        for (status, answer) in answers.iter().filter(|(status, _)| status.as_str() >= "400") {
            assert!(answer["content"]["application/problem+json"].is_object(), "{status} of {what}");
        }
        assert!(answers.contains_key("403") || method == "get", "{what}");
        if path.starts_with("/api/v1/") {
            assert!(answers.contains_key("401"), "{what}");
            assert!(operation["security"].as_array().is_some_and(|ways| ways.len() == 2), "{what}");
            assert!(operation["description"].as_str().unwrap().contains("Asks for the scope"), "{what}");
        }
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "every operation has a name of its own");
    assert!(count > 30, "{count}");
}

/// Every reference leads somewhere.
#[test]
fn the_document_is_whole() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => object.iter().for_each(|(key, value)| match value {
                Value::String(text) if key == "$ref" => found.push(text.clone()),
                value => references(value, found),
            }),
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 50);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}
