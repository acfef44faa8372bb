//! Sessions: what a browser has after it has shown a token once.
//!
//! A session is a random cookie, kept here as its digest, for twelve hours at most. It lives as long as its token and
//! as long as the process: a restart asks everybody to log in again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use hookhouse_core::Timestamp;
use http::{HeaderMap, header};

use super::token::fingerprint;

/// How long a session lasts.
pub(crate) const LIFE: Duration = Duration::from_secs(12 * 3600);

/// Sessions at once; beyond that the oldest ends.
const MOST: usize = 1024;

/// The cookie's name on a page that came over TLS: browsers take it from nobody else (RFC 6265bis section 4.1.3.2).
const SECURE: &str = "__Host-hookhouse";
/// The cookie's name on a page that did not.
const PLAIN: &str = "hookhouse";

/// Everybody who is logged in.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

#[derive(Debug, Clone)]
struct Session {
    token: String,
    ends: Timestamp,
}

impl Sessions {
    /// A session for who showed this token; the cookie's value.
    pub(crate) fn begin(&self, token: &str, now: Timestamp) -> String {
        let text = BASE64URL_NOPAD.encode(&rand::random::<[u8; 32]>());
        let ends = now.checked_add(LIFE).unwrap_or(Timestamp::MAX);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, session| session.ends > now);
        if all.len() >= MOST {
            let oldest = all.iter().min_by_key(|(_, session)| session.ends).map(|(digest, _)| *digest);
            oldest.map(|digest| all.remove(&digest));
        }
        all.insert(fingerprint(&text), Session { token: token.to_owned(), ends });
        text
    }

    /// The token of a session that has not ended.
    pub(crate) fn find(&self, text: &str, now: Timestamp) -> Option<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Found by its digest: how long that takes tells nothing about the cookie.
        let session = all.get(&fingerprint(text))?;
        (session.ends > now).then(|| session.token.clone())
    }

    /// Ends a session.
    pub(crate) fn end(&self, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&fingerprint(text));
    }
}

/// Whether a cookie is a session's, by its name.
pub(crate) fn is_session(name: &str) -> bool {
    [SECURE, PLAIN].contains(&name)
}

/// The session cookies in a request.
pub(super) fn offered(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| is_session(name))
        .map(|(_, value)| value)
}

/// What sets the cookie.
pub(super) fn set(text: &str, secure: bool) -> String {
    cookie(text, LIFE.as_secs(), secure)
}

/// What removes it.
pub(super) fn remove(secure: bool) -> String {
    cookie("", 0, secure)
}

fn cookie(value: &str, seconds: u64, secure: bool) -> String {
    let (name, over_tls) = if secure { (SECURE, "; Secure") } else { (PLAIN, "") };
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{over_tls}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_with_its_time_with_a_logout_and_by_no_guess() {
        let sessions = Sessions::default();
        let now = Timestamp::UNIX_EPOCH;
        let text = sessions.begin("tok_1", now);
        assert_eq!(sessions.find(&text, now).as_deref(), Some("tok_1"));
        let (before, end) = (now + (LIFE - Duration::from_secs(1)), now + LIFE);
        assert!(sessions.find(&text, before).is_some());
        assert_eq!(sessions.find(&text, end), None);
        for guess in ["", "x", &text[1..], &format!("{text}A")] {
            assert_eq!(sessions.find(guess, now), None);
        }
        sessions.end(&text);
        assert_eq!(sessions.find(&text, now), None);
    }

    #[test]
    fn sessions_are_bounded_and_the_oldest_goes() {
        let sessions = Sessions::default();
        let at = |n: u64| Timestamp::UNIX_EPOCH + Duration::from_secs(n);
        let all: Vec<_> = (0..=MOST as u64).map(|n| sessions.begin("root", at(n))).collect();
        assert_eq!(sessions.0.lock().unwrap().len(), MOST);
        assert_eq!(sessions.find(&all[0], at(2_000)), None);
        assert!(all[1..].iter().all(|text| sessions.find(text, at(2_000)).is_some()));
    }

    #[test]
    fn cookies_are_found_among_others_and_are_for_this_listener_alone() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "theme=dark; hookhouse=abc; x".parse().unwrap());
        headers.append(header::COOKIE, "__Host-hookhouse=def".parse().unwrap());
        assert_eq!(offered(&headers).collect::<Vec<_>>(), ["abc", "def"]);
        assert_eq!(
            set("abc", true),
            "__Host-hookhouse=abc; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure"
        );
        assert_eq!(remove(false), "hookhouse=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    }
}
