//! What an app shows to X, and which of it a call takes.
//!
//! X's matrix (<https://docs.x.com/fundamentals/authentication/overview>, read 2026-11-22): most calls about webhooks are
//! the app's own and take an app-only bearer; what concerns one account is done in that user's name, by OAuth 1.0a or
//! with an OAuth 2.0 user token.

use data_encoding::BASE64;
use hookhouse_verify::Secret;
use zeroize::Zeroizing;

use crate::percent::encode;

/// Everything that is known; calls take what they need.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// An app-only bearer that somebody fetched already.
    pub bearer: Option<Secret>,
    /// The app's key and secret: a bearer is fetched with them, and requests in a user's name are signed with them.
    pub consumer: Option<Consumer>,
    /// A user, by OAuth 1.0a.
    pub access: Option<Access>,
    /// A user, by OAuth 2.0.
    pub user_token: Option<Secret>,
}

/// An app: its API key and secret.
#[derive(Debug, Clone)]
pub struct Consumer {
    /// The API key.
    pub key: Secret,
    /// The API key secret, which also answers challenges.
    pub secret: Secret,
}

/// A user who lets the app act: OAuth 1.0a.
#[derive(Debug, Clone)]
pub struct Access {
    /// The access token.
    pub token: Secret,
    /// The access token secret.
    pub secret: Secret,
}

/// In whose name a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// The app's.
    App,
    /// A user's.
    User,
}

/// How a request says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// The bearer that was given.
    Bearer,
    /// A bearer that is fetched with key and secret.
    AppOnly,
    /// An OAuth 1.0a signature.
    OAuth1,
    /// An OAuth 2.0 user token.
    UserToken,
}

impl Credentials {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bearer.is_none() && self.consumer.is_none() && self.access.is_none() && self.user_token.is_none()
    }

    /// Whether calls can be made in the app's name.
    #[must_use]
    pub fn has_app(&self) -> bool {
        self.bearer.is_some() || self.consumer.is_some()
    }

    /// Whether calls can be made in a user's name.
    #[must_use]
    pub fn has_user(&self) -> bool {
        (self.access.is_some() && self.consumer.is_some()) || self.user_token.is_some()
    }

    /// The first way that there are credentials for. OAuth 1.0a goes before an OAuth 2.0 token: where an app has both,
    /// its permissions override the token's scopes.
    pub(crate) fn choose(&self, accepted: &[Auth]) -> Option<Scheme> {
        accepted.iter().find_map(|auth| match auth {
            Auth::App if self.bearer.is_some() => Some(Scheme::Bearer),
            Auth::App if self.consumer.is_some() => Some(Scheme::AppOnly),
            Auth::User if self.access.is_some() && self.consumer.is_some() => Some(Scheme::OAuth1),
            Auth::User if self.user_token.is_some() => Some(Scheme::UserToken),
            _ => None,
        })
    }

    /// A text of somebody else without what must not be seen, should they have sent it back.
    pub(crate) fn scrub(&self, text: &str, fetched: Option<&Secret>) -> String {
        let consumer = self.consumer.iter().flat_map(|consumer| [&consumer.key, &consumer.secret]);
        let access = self.access.iter().flat_map(|access| [&access.token, &access.secret]);
        let all = consumer.chain(access).chain(&self.bearer).chain(&self.user_token).chain(fetched);
        let mut text = text.to_owned();
        for secret in all.filter_map(|secret| std::str::from_utf8(secret.expose()).ok()) {
            // A stand-in's credential may be a word; X's are not.
            if secret.len() >= SHORTEST && text.contains(secret) {
                text = text.replace(secret, "[redacted]");
            }
        }
        text
    }
}

impl Consumer {
    /// The value of `Basic` for the token endpoint: both halves are encoded before they are joined
    /// (<https://docs.x.com/fundamentals/authentication/oauth-2-0/application-only>).
    pub(crate) fn basic(&self) -> Zeroizing<String> {
        let pair = Zeroizing::new(format!("{}:{}", encode(self.key.expose()), encode(self.secret.expose())));
        Zeroizing::new(BASE64.encode(pair.as_bytes()))
    }
}

/// Below this, what looks like a secret in an answer is most likely a word.
const SHORTEST: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text).unwrap()
    }

    fn consumer() -> Consumer {
        Consumer { key: secret("consumer-key"), secret: secret("consumer-secret") }
    }

    #[test]
    fn the_documented_basic_value_is_ours() {
        let all: serde_json::Value = serde_json::from_str(include_str!("../../../vectors/x.json")).unwrap();
        let cases: Vec<_> = all["cases"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|case| case["kind"] == "app_only_basic_auth")
            .collect();
        assert!(!cases.is_empty());
        for case in cases {
            let text = |key: &str| case[key].as_str().unwrap();
            let consumer = Consumer { key: secret(text("input")), secret: secret(text("secret")) };
            assert_eq!(consumer.basic().as_str(), text("expected"));
        }
    }

    #[test]
    fn the_way_is_chosen_by_the_call_and_by_what_there_is() {
        let mut credentials = Credentials::default();
        assert!(credentials.is_empty());
        assert_eq!(credentials.choose(&[Auth::App, Auth::User]), None);
        credentials.access = Some(Access { token: secret("token"), secret: secret("s") });
        assert_eq!(credentials.choose(&[Auth::User]), None, "a signature needs the app's key too");
        credentials.user_token = Some(secret("t"));
        assert_eq!(credentials.choose(&[Auth::App, Auth::User]), Some(Scheme::UserToken));
        credentials.consumer = Some(consumer());
        assert_eq!(credentials.choose(&[Auth::User]), Some(Scheme::OAuth1));
        assert_eq!(credentials.choose(&[Auth::App]), Some(Scheme::AppOnly));
        credentials.bearer = Some(secret("b"));
        assert_eq!(credentials.choose(&[Auth::App, Auth::User]), Some(Scheme::Bearer));
        assert!(credentials.has_app() && credentials.has_user());
    }

    #[test]
    fn a_secret_that_comes_back_is_not_shown() {
        let credentials = Credentials {
            bearer: Some(secret("AAAA-bearer")),
            consumer: Some(consumer()),
            ..Credentials::default()
        };
        let shown = credentials.scrub("AAAA-bearer, consumer-secret and fetched!", Some(&secret("fetched!")));
        assert_eq!(shown, "[redacted], [redacted] and [redacted]");
        let debug = format!("{credentials:?}");
        assert!(!debug.contains("AAAA") && !debug.contains("consumer-secret"), "{debug}");
    }
}
