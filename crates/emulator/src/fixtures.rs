//! Event bodies as the providers write them, each with fresh ids and times.
//!
//! The bodies are files under `fixtures/PROVIDER/`; `table.rs` says what goes around them. Adding an event means adding
//! a file and a row. A body follows the provider's documentation and captures of real requests, with what trips naive
//! consumers: X's ids beyond 2^53, `\/` and `\u003c` escapes, Twilio's empty parameters, text outside ASCII.

mod table;
mod template;

use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;
use rand::Rng;

use template::Values;

/// An event that a provider could send.
#[derive(Debug)]
pub struct Fixture {
    /// The provider, by its name in the configuration.
    pub provider: &'static str,
    /// The provider's word for the event.
    pub event: &'static str,
    /// What it is, in a few words.
    pub summary: &'static str,
    kind: &'static Kind,
    body: &'static str,
}

/// What the events of one provider, or of one of its products, have in common.
#[derive(Debug)]
struct Kind {
    content_type: &'static str,
    layout: Layout,
    headers: &'static [(&'static str, &'static str)],
    /// What tells this event from others: a template.
    id: &'static str,
}

/// What becomes of the file's text.
#[derive(Debug, Clone, Copy)]
enum Layout {
    /// JSON without whitespace between the tokens.
    Compact,
    /// JSON as it is written in the file.
    AsWritten,
    /// `name=value` lines, to be form-encoded.
    Form,
}

/// One event, ready to be signed and sent.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// The method.
    pub method: &'static str,
    /// The `Content-Type`.
    pub content_type: &'static str,
    /// Further headers that the provider sends, less those that carry the signature.
    pub headers: Vec<(&'static str, String)>,
    /// The body's bytes.
    pub body: Bytes,
    /// What tells this event from every other: the delivery id where the provider has one, else the id of what
    /// happened.
    pub id: String,
}

impl Fixture {
    /// The fixture of an event.
    #[must_use]
    pub fn find(provider: &str, event: &str) -> Option<&'static Self> {
        Self::list(provider).find(|fixture| fixture.event == event)
    }

    /// The fixtures of a provider; the first is the one to take when nobody asks for another.
    pub fn list(provider: &str) -> impl Iterator<Item = &'static Self> {
        table::FIXTURES.iter().filter(move |fixture| fixture.provider == provider)
    }

    /// Every fixture.
    #[must_use]
    pub fn all() -> &'static [Self] {
        table::FIXTURES
    }

    /// A new event: other ids each time, and the time of now.
    pub fn render<R: Rng + ?Sized>(&self, now: Timestamp, rng: &mut R) -> Rendered {
        let mut values = Values::new(now, rng);
        let text = values.fill(self.body);
        let body = match self.kind.layout {
            Layout::Compact => template::compact(&text),
            Layout::AsWritten => text,
            Layout::Form => template::form(&text),
        };
        Rendered {
            method: "POST",
            content_type: self.kind.content_type,
            headers: self.kind.headers.iter().map(|(name, value)| (*name, values.fill(value))).collect(),
            body: Bytes::from(body),
            id: values.fill(self.kind.id),
        }
    }
}

impl fmt::Display for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.event)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-22T03:54:00.125Z".parse().unwrap()
    }

    #[test]
    fn every_fixture_is_what_its_content_type_says() {
        for fixture in Fixture::all() {
            let rendered = fixture.render(now(), &mut StdRng::seed_from_u64(1));
            let text = std::str::from_utf8(&rendered.body).unwrap();
            let left =
                [text, &rendered.id].into_iter().chain(rendered.headers.iter().map(|(_, v)| v.as_str()));
            for text in left {
                assert!(!text.contains("${") && !text.contains("={"), "{fixture} left a placeholder: {text}");
            }
            if rendered.content_type.starts_with("application/json") {
                let json: serde_json::Value = serde_json::from_str(text).unwrap();
                assert!(json.is_object() || fixture.provider == "twilio", "{fixture}");
            } else {
                assert!(rendered.content_type.starts_with("application/x-www-form-urlencoded"), "{fixture}");
                assert!(text.split('&').all(|pair| pair.contains('=')), "{text}");
                assert!(text.bytes().all(|b| b.is_ascii_graphic()), "{text}");
            }
        }
    }

    #[test]
    fn two_renderings_are_two_events() {
        let mut rng = StdRng::seed_from_u64(2);
        for fixture in Fixture::all() {
            let (one, two) = (fixture.render(now(), &mut rng), fixture.render(now(), &mut rng));
            assert_ne!(one.id, two.id, "{fixture}");
            assert_ne!(one.body, two.body, "{fixture}");
        }
    }

    #[test]
    fn names_are_unique_and_found() {
        let mut seen = HashSet::new();
        for fixture in Fixture::all() {
            assert!(seen.insert((fixture.provider, fixture.event)), "{fixture} is there twice");
            assert!(std::ptr::eq(Fixture::find(fixture.provider, fixture.event).unwrap(), fixture));
        }
        assert!(Fixture::find("x", "push").is_none());
        assert_eq!(Fixture::list("x").next().unwrap().event, "post.create");
    }

    /// What a consumer that reads numbers as doubles gets wrong.
    #[test]
    fn ids_of_x_do_not_fit_a_double() {
        let rendered =
            Fixture::find("x", "tweet_create_events").unwrap().render(now(), &mut StdRng::seed_from_u64(3));
        let json: serde_json::Value = serde_json::from_slice(&rendered.body).unwrap();
        let post = &json["tweet_create_events"][0];
        let id = post["id"].as_u64().unwrap();
        assert!(id > 1 << 53);
        assert_eq!(post["id_str"], id.to_string());
        assert_eq!(rendered.id, id.to_string());
    }
}
