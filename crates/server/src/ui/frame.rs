//! What every page has around it: where it is, the theme, what was just done, and how the visitor asked.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::header::COOKIE;
use http::request::Parts;

use super::done::Done;
use crate::admin::is_session;

/// The sections of the UI, in the order of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Live,
    Deliveries,
    Issues,
    Sources,
    Destinations,
    Replays,
    Refusals,
    Status,
}

impl Section {
    const ALL: [Self; 8] = [
        Self::Live,
        Self::Deliveries,
        Self::Issues,
        Self::Sources,
        Self::Destinations,
        Self::Replays,
        Self::Refusals,
        Self::Status,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Live => "Live",
            Self::Deliveries => "Deliveries",
            Self::Issues => "Issues",
            Self::Sources => "Sources",
            Self::Destinations => "Destinations",
            Self::Replays => "Replays",
            Self::Refusals => "Refusals",
            Self::Status => "Status",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Live => "/",
            Self::Deliveries => "/deliveries",
            Self::Issues => "/issues",
            Self::Sources => "/sources",
            Self::Destinations => "/destinations",
            Self::Replays => "/replays",
            Self::Refusals => "/refusals",
            Self::Status => "/status",
        }
    }

    /// The key that goes there, after `g`.
    fn key(self) -> &'static str {
        match self {
            Self::Live => "l",
            Self::Deliveries => "d",
            Self::Issues => "i",
            Self::Sources => "s",
            Self::Destinations => "o",
            Self::Replays => "p",
            Self::Refusals => "x",
            Self::Status => "t",
        }
    }
}

/// Light, dark, or as the machine has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Theme {
    #[default]
    Auto,
    Light,
    Dark,
}

impl Theme {
    /// The cookie that keeps it.
    pub(super) const COOKIE: &'static str = "theme";

    pub(super) fn parse(word: &str) -> Option<Self> {
        [Self::Auto, Self::Light, Self::Dark].into_iter().find(|theme| theme.as_str() == word)
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// What the button changes it to.
    fn next(self) -> Self {
        match self {
            Self::Auto => Self::Dark,
            Self::Dark => Self::Light,
            Self::Light => Self::Auto,
        }
    }
}

/// How a page was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Visit {
    pub(super) theme: Theme,
    /// Path and query, to come back to.
    pub(super) here: String,
    pub(super) done: Option<Done>,
    /// Whether there is a session that could be ended, as far as the cookies tell.
    pub(super) logged_in: bool,
}

impl Visit {
    pub(super) fn of(parts: &Parts) -> Self {
        let lines = parts.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let cookies = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (mut theme, mut logged_in) = (None, false);
        for (name, value) in cookies {
            if name == Theme::COOKIE {
                theme = theme.or(Theme::parse(value));
            }
            logged_in |= is_session(name);
        }
        let query = parts.uri.query().unwrap_or_default();
        let fields = || form_urlencoded::parse(query.as_bytes());
        let done = fields().find(|(name, _)| name == "done").and_then(|(_, word)| Done::parse(&word));
        // What was done is said once: coming back to the page does not say it again.
        let mut rest = form_urlencoded::Serializer::new(String::new());
        rest.extend_pairs(fields().filter(|(name, _)| name != "done"));
        let rest = rest.finish();
        let path = parts.uri.path();
        let here = if rest.is_empty() { path.to_owned() } else { format!("{path}?{rest}") };
        Self { theme: theme.unwrap_or_default(), here, done, logged_in }
    }
}

#[cfg(test)]
impl Visit {
    pub(super) fn plain(here: &str) -> Self {
        Self { theme: Theme::Auto, here: here.to_owned(), done: None, logged_in: true }
    }
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

/// An entry of the navigation.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) key: &'static str,
    pub(super) here: bool,
    /// How much there is to look at; `None` where nothing is counted.
    pub(super) waiting: Option<u64>,
}

/// What is around a page.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) entries: Vec<Entry>,
    pub(super) visit: Visit,
    pub(super) theme: &'static str,
    pub(super) next_theme: &'static str,
    pub(super) version: &'static str,
}

impl Frame {
    /// `dead`: how many deliveries were given up, for the navigation to say.
    pub(super) fn new(section: Option<Section>, title: impl Into<String>, visit: Visit, dead: u64) -> Self {
        let entry = |entry: Section| Entry {
            name: entry.name(),
            path: entry.path(),
            key: entry.key(),
            here: section == Some(entry),
            waiting: Some(dead).filter(|dead| *dead > 0 && entry == Section::Issues),
        };
        Self {
            title: title.into(),
            entries: Section::ALL.map(entry).into(),
            theme: visit.theme.as_str(),
            next_theme: visit.theme.next().as_str(),
            visit,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(uri: &str, cookie: &str) -> Visit {
        let request = http::Request::get(uri).header(COOKIE, cookie).body(()).unwrap();
        Visit::of(&request.into_parts().0)
    }

    #[test]
    fn a_visit_knows_its_theme_and_the_way_back() {
        let seen = visit("/deliveries?state=dead&done=retried&q=%22a%22", "a=b; theme=dark");
        assert_eq!(seen.theme, Theme::Dark);
        assert_eq!(seen.here, "/deliveries?state=dead&q=%22a%22");
        assert_eq!(seen.done, Some(Done::Retried));
        for nonsense in ["theme=\"><script>", "theme=", "Theme=dark", ""] {
            assert_eq!(visit("/?done=%3Cb%3E", nonsense).theme, Theme::Auto, "{nonsense}");
        }
        assert_eq!(visit("/?done=%3Cb%3E", "").done, None);
    }
}
