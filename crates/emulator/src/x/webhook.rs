//! A registered webhook, and which URLs may become one.

use http::Uri;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::ids::WebhookId;
use super::users::rfc3339_ms;

/// A registered webhook.
#[derive(Debug, Clone)]
pub(super) struct Webhook {
    pub(super) id: WebhookId,
    /// As it was registered; it cannot be edited.
    pub(super) url: String,
    pub(super) valid: bool,
    pub(super) created_at: Timestamp,
    /// When a challenge was last answered well.
    pub(super) validated_at: Timestamp,
    /// Counts up whenever the plan of challenges is made anew: what was planned before no longer counts.
    pub(super) epoch: u64,
}

impl Webhook {
    /// As the API shows it, with these fields.
    pub(super) fn view(&self, fields: &[&str]) -> Value {
        let mut view = json!({
            "id": self.id.to_string(),
            "url": self.url,
            "valid": self.valid,
            "created_at": rfc3339_ms(self.created_at),
        });
        if let Some(view) = view.as_object_mut() {
            view.retain(|field, _| fields.contains(&field.as_str()));
        }
        view
    }

    /// The fields that [`Webhook::view`] knows.
    pub(super) const FIELDS: [&'static str; 4] = ["created_at", "id", "url", "valid"];
}

/// X's rules for the URL of a webhook: https, no port, 200 characters at most. With `allow_http`, `http://` URLs of this
/// machine do too, with a port.
pub(super) fn check_url(text: &str, allow_http: bool) -> Result<Uri, &'static str> {
    if text.is_empty() || text.chars().count() > 200 {
        return Err("the url must be 1 to 200 characters long");
    }
    let url: Uri = text.parse().map_err(|_| "the url is malformed")?;
    let authority = url.authority().ok_or("the url is not absolute")?;
    if text.contains('#') || authority.as_str().contains('@') || authority.host().is_empty() {
        return Err("the url is malformed");
    }
    match url.scheme_str() {
        // A trailing colon is a port too, an empty one.
        Some("https") if authority.as_str().len() > authority.host().len() => {
            Err("the url must not contain a port")
        }
        Some("https") => Ok(url),
        Some("http") if allow_http && is_here(authority.host()) => Ok(url),
        _ => Err("only https urls are supported"),
    }
}

fn is_here(host: &str) -> bool {
    let literal = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    literal.map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_for_urls() {
        let long = format!("https://hooks.example.com/{}", "a".repeat(175));
        let cases: &[(&str, bool, bool)] = &[
            ("https://hooks.example.com/x", false, true),
            ("https://hooks.example.com/x?tenant=1", false, true),
            ("https://hooks.example.com", false, true),
            (&long[..200], false, true),
            (&long, false, false),
            ("", false, false),
            ("https://hooks.example.com:443/x", false, false),
            ("https://hooks.example.com:8443/x", true, false),
            ("https://hooks.example.com:/x", false, false),
            ("http://hooks.example.com/x", false, false),
            ("http://hooks.example.com/x", true, false),
            ("http://127.0.0.1:8080/x", false, false),
            ("http://127.0.0.1:8080/x", true, true),
            ("http://localhost:8080/x", true, true),
            ("http://[::1]:8080/x", true, true),
            ("http://127.0.0.1.example.com/x", true, false),
            ("ftp://hooks.example.com/x", true, false),
            ("https://u:p@hooks.example.com/x", false, false),
            ("https://hooks.example.com/x#y", false, false),
            ("/x", false, false),
            ("hooks.example.com", false, false),
        ];
        for (url, allow_http, fine) in cases {
            assert_eq!(check_url(url, *allow_http).is_ok(), *fine, "{url} {allow_http}");
        }
    }
}
