//! The search language of the inbox: `source:x type:post.create verified:no after:2h some words`.
//!
//! What cannot be read is said beside the results, and the rest is searched for: a typing mistake is no error page.

use std::time::Duration;

use hookhouse_core::store::EventQuery;
use hookhouse_core::{SourceName, Timestamp};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::prose::Prose;

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Search {
    /// As it was typed.
    pub(super) text: String,
    /// As the store takes it.
    pub(super) query: EventQuery,
    /// What could not be read.
    pub(super) complaints: Vec<Prose>,
}

/// The keys, for the page to list.
pub(super) const KEYS: [(&str, &str); 5] = [
    ("source:x", "one source"),
    ("type:post.create", "one type; `post.*` for all that begin so"),
    ("verified:no", "what nothing vouches for"),
    ("after:2h", "from two hours ago on; a date as well"),
    ("before:2026-11-22", "until a day began; a length of time as well"),
];

impl Search {
    pub(super) fn parse(text: &str, now: Timestamp) -> Self {
        let mut search = Self { text: text.trim().to_owned(), ..Self::default() };
        let mut words = Vec::new();
        for (word, quoted) in words_of(text) {
            let pair =
                word.split_once(':').filter(|(key, value)| !quoted && is_key(key) && !value.is_empty());
            match pair {
                Some((key, value)) => search.set(key, value, now),
                None => words.push(word),
            }
        }
        search.query.text = Some(words.join(" ")).filter(|text| !text.is_empty());
        search
    }

    fn set(&mut self, key: &str, value: &str, now: Timestamp) {
        let read = match key {
            "source" => value.parse::<SourceName>().map(|name| self.query.source = Some(name)).is_ok(),
            "type" => {
                self.query.event_type = Some(value.to_owned());
                true
            }
            "verified" => {
                self.query.verified = yes_or_no(value);
                self.query.verified.is_some()
            }
            "after" | "since" => {
                self.query.since = moment(value, now);
                self.query.since.is_some()
            }
            _ => {
                self.query.until = moment(value, now);
                self.query.until.is_some()
            }
        };
        if !read {
            let wanted = match key {
                "source" => "the name of a source",
                "verified" => "`yes` or `no`",
                _ => "a length of time such as `2h`, or a date such as `2026-11-22`",
            };
            self.complaints.push(Prose::new(&format!("`{key}:` wants {wanted}; `{value}` was left out")));
        }
    }

    /// Whether everything is asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

fn is_key(word: &str) -> bool {
    ["source", "type", "verified", "after", "since", "before", "until"].contains(&word)
}

/// Words, and whether they stood in quotes: `"source:x"` is a text to look for.
fn words_of(text: &str) -> Vec<(String, bool)> {
    let mut words = Vec::new();
    for (place, part) in text.split('"').enumerate() {
        if place % 2 == 1 {
            words.push((part.to_owned(), true));
        } else {
            words.extend(part.split_whitespace().map(|word| (word.to_owned(), false)));
        }
    }
    words
}

fn yes_or_no(word: &str) -> Option<bool> {
    match word {
        "yes" | "true" => Some(true),
        "no" | "false" => Some(false),
        _ => None,
    }
}

/// A length of time ago, a date, or a moment.
pub(super) fn moment(word: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(at) = word.parse::<Timestamp>() {
        return Some(at);
    }
    if let Ok(date) = word.parse::<Date>() {
        return date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    }
    let unit = word.chars().last()?;
    let number: u64 = word.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    now.checked_sub(Duration::from_secs(number.checked_mul(seconds)?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn keys_and_words_are_told_apart() {
        let search = Search::parse("source:x-prod hello type:post.create  verified:no world after:2h", now());
        assert_eq!(search.query.source, Some("x-prod".parse().unwrap()));
        assert_eq!(search.query.event_type.as_deref(), Some("post.create"));
        assert_eq!(search.query.verified, Some(false));
        assert_eq!(search.query.since, Some("2026-11-22T10:00:00Z".parse().unwrap()));
        assert_eq!(search.query.text.as_deref(), Some("hello world"));
        assert_eq!(search.complaints, Vec::new());
    }

    #[test]
    fn what_is_quoted_or_no_key_is_text() {
        for (typed, text) in [
            ("\"source:x\"", "source:x"),
            ("https://example.com", "https://example.com"),
            ("evt_01 {\"a\"", "evt_01 { a"),
            ("source:", "source:"),
        ] {
            let search = Search::parse(typed, now());
            assert_eq!((search.query.text.as_deref(), search.query.source), (Some(text), None), "{typed}");
        }
    }

    #[test]
    fn moments_are_dates_or_lengths_of_time() {
        for (typed, at) in [
            ("before:2026-11-20", "2026-11-20T00:00:00Z"),
            ("before:90s", "2026-11-22T11:58:30Z"),
            ("before:2026-11-22T11:00:00Z", "2026-11-22T11:00:00Z"),
        ] {
            assert_eq!(Search::parse(typed, now()).query.until, Some(at.parse().unwrap()), "{typed}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_and_left_out() {
        for typed in ["source:<b>", "verified:perhaps", "after:2w", "after:99999999999999999999h", "after:é"]
        {
            let search = Search::parse(&format!("{typed} word"), now());
            assert_eq!(search.complaints.len(), 1, "{typed}");
            assert_eq!(search.query.text.as_deref(), Some("word"));
        }
    }
}
