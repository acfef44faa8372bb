//! `path`: where providers call. It is matched byte for byte, so it must be what arrives on the wire.

use super::super::diagnostic::{Code, Diagnostic, Span};
use super::super::field::Field;
use super::super::loader::Loader;
use super::super::section::Section;

const LONGEST: usize = 1024;

/// The path with its place.
pub(super) fn read(
    field: &Field<String>,
    section: &Section<'_>,
    loader: &Loader<'_>,
) -> Option<(String, Span)> {
    if field.is_missing() {
        section.missing(
            "path",
            "without it no request reaches the source",
            "`path = \"/webhooks/…\"`: the path of the URL that the provider is given",
        );
    }
    let given = field.given()?;
    match check(&given.value) {
        Ok(()) => Some((given.value.clone(), given.span.clone())),
        Err((message, help)) => {
            loader
                .report
                .push(Diagnostic::error(Code::Value, &given.span, format!("`path` {message}")).help(help));
            None
        }
    }
}

/// A path of RFC 3986: `/`, then `pchar` and `/`. Nothing is decoded or normalised when a request arrives, so what a
/// client would never send in that form could never match.
fn check(path: &str) -> Result<(), (String, String)> {
    let refuse = |message: &str, help: String| Err((message.to_owned(), help));
    if !path.starts_with('/') {
        let path =
            path.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or(path, |(_, path)| path);
        return refuse("does not begin with `/`", format!("`path = \"/{path}\"`"));
    }
    if path.len() > LONGEST {
        return refuse(&format!("is longer than {LONGEST} bytes"), "take a shorter one".to_owned());
    }
    if path.contains(['?', '#']) {
        return refuse(
            "has a query or a fragment",
            "leave it out: the path alone finds the source".to_owned(),
        );
    }
    if let Some(other) =
        path.chars().find(|c| !c.is_ascii_alphanumeric() && !"-._~!$&'()*+,;=:@/%".contains(*c))
    {
        let mut bytes = [0; 4];
        let encoded: String = other.encode_utf8(&mut bytes).bytes().map(|b| format!("%{b:02X}")).collect();
        return refuse(
            &format!("has `{}`, which cannot stand in a URL", other.escape_default()),
            format!("percent-encode it as the provider will send it: `{encoded}`"),
        );
    }
    if path
        .split('%')
        .skip(1)
        .any(|rest| !rest.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)))
    {
        return refuse(
            "has a `%` without two hex digits after it",
            "a `%` itself is written `%25`".to_owned(),
        );
    }
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return refuse(
            "has a `.` or `..` segment",
            "clients resolve those before they send: write the result".to_owned(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_arrives_on_the_wire_and_nothing_else() {
        for good in ["/", "/webhooks/x", "/a//b/", "/%2F", "/a.b/..c/~d", "/a;b=c,d:e@f"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let told: Vec<_> = [
            "",
            "webhooks",
            "https://h.example/webhooks",
            "/a?b",
            "/a#b",
            "/a b",
            "/ä",
            "/a\\b",
            "/%",
            "/%2",
            "/%zz",
            "/a/../b",
            "/.",
            &format!("/{}", "a".repeat(1024)),
        ]
        .map(|path| check(path).map_err(|(message, help)| format!("{message} | {help}")).unwrap_err())
        .into();
        insta::assert_snapshot!(told.join("\n"), @r#"
        does not begin with `/` | `path = "/"`
        does not begin with `/` | `path = "/webhooks"`
        does not begin with `/` | `path = "/webhooks"`
        has a query or a fragment | leave it out: the path alone finds the source
        has a query or a fragment | leave it out: the path alone finds the source
        has ` `, which cannot stand in a URL | percent-encode it as the provider will send it: `%20`
        has `\u{e4}`, which cannot stand in a URL | percent-encode it as the provider will send it: `%C3%A4`
        has `\\`, which cannot stand in a URL | percent-encode it as the provider will send it: `%5C`
        has a `%` without two hex digits after it | a `%` itself is written `%25`
        has a `%` without two hex digits after it | a `%` itself is written `%25`
        has a `%` without two hex digits after it | a `%` itself is written `%25`
        has a `.` or `..` segment | clients resolve those before they send: write the result
        has a `.` or `..` segment | clients resolve those before they send: write the result
        is longer than 1024 bytes | take a shorter one
        "#);
    }
}
