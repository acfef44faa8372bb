//! Logging in: Twilio asks without credentials first, and answers the challenge that comes back.
//!
//! Basic is RFC 7617, Digest RFC 7616 with `qop=auth`. Which algorithms Twilio's client knows is written down nowhere;
//! this one knows both of the RFC and takes the strongest that is offered, unless it is told to know less.

mod challenge;
mod credentials;
mod digest;

use http::{HeaderMap, HeaderValue};

pub use credentials::{Credentials, CredentialsError};

use challenge::Challenge;
use digest::{Algorithm, Digest};

/// A way to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum LoginScheme {
    /// Digest with SHA-256.
    #[serde(rename = "digest-sha256")]
    DigestSha256,
    /// Digest with MD5.
    #[serde(rename = "digest-md5")]
    DigestMd5,
    /// The password itself.
    #[serde(rename = "basic")]
    Basic,
}

impl LoginScheme {
    /// All of them, the strongest first.
    pub const ALL: [Self; 3] = [Self::DigestSha256, Self::DigestMd5, Self::Basic];

    /// As people call it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DigestSha256 => "Digest with SHA-256",
            Self::DigestMd5 => "Digest with MD5",
            Self::Basic => "Basic",
        }
    }
}

/// A challenge that was answered once and goes on being answered, for as long as the other side takes it.
#[derive(Debug)]
pub(super) enum Login {
    Basic,
    Digest(Digest),
}

/// What a 401 asks for.
#[derive(Debug)]
pub(super) struct Offers {
    /// The best of them that this client can answer.
    pub(super) best: Option<Login>,
    /// Whether the nonce was too old and nothing else was wrong.
    pub(super) stale: bool,
    /// The schemes, as they were offered.
    pub(super) schemes: Vec<String>,
}

impl Offers {
    /// Reads the challenges of an answer; `known` says which of them this client can answer.
    pub(super) fn read(headers: &HeaderMap, known: &[LoginScheme]) -> Self {
        let challenges = Challenge::all(headers);
        let schemes = challenges.iter().map(Challenge::name).collect();
        let logins = || challenges.iter().filter_map(Login::answering);
        let best = LoginScheme::ALL
            .into_iter()
            .filter(|scheme| known.contains(scheme))
            .find_map(|scheme| logins().find(|login| login.scheme() == scheme));
        let stale = challenges.iter().any(|challenge| {
            challenge.parameter("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true"))
        });
        Self { best, stale, schemes }
    }
}

impl Login {
    /// How to answer a challenge; `None` where it is none that this client understands.
    fn answering(challenge: &Challenge) -> Option<Self> {
        // Both RFCs require a realm, and Twilio does not answer a challenge without one.
        challenge.parameter("realm")?;
        if challenge.is("basic") {
            return Some(Self::Basic);
        }
        Digest::answering(challenge).map(Self::Digest)
    }

    pub(super) fn scheme(&self) -> LoginScheme {
        match self {
            Self::Basic => LoginScheme::Basic,
            Self::Digest(digest) => match digest.algorithm() {
                Algorithm::Sha256 => LoginScheme::DigestSha256,
                Algorithm::Md5 => LoginScheme::DigestMd5,
            },
        }
    }

    /// `Authorization` for the next request; a Digest counts them.
    pub(super) fn authorization(
        &mut self,
        credentials: &Credentials,
        method: &str,
        target: &str,
        cnonce: &str,
    ) -> Option<HeaderValue> {
        let text = match self {
            Self::Basic => credentials.basic(),
            Self::Digest(digest) => digest.authorization(credentials, method, target, cnonce),
        };
        let mut value = HeaderValue::from_bytes(text.as_bytes()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use http::header::WWW_AUTHENTICATE;

    use super::*;

    fn offers(values: &[&str], known: &[LoginScheme]) -> Offers {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        Offers::read(&headers, known)
    }

    const SHA256: &str = r#"Digest realm="in", qop="auth", algorithm=SHA-256, nonce="n1", charset=UTF-8"#;
    const MD5: &str = r#"Digest realm="in", qop="auth", algorithm=MD5, nonce="n1", stale=true"#;
    const BASIC: &str = r#"Basic realm="in", charset="UTF-8""#;

    #[test]
    fn the_strongest_that_is_known_is_answered() {
        let best =
            |values: &[&str], known: &[LoginScheme]| offers(values, known).best.map(|login| login.scheme());
        let all = &LoginScheme::ALL;
        assert_eq!(best(&[BASIC, MD5, SHA256], all), Some(LoginScheme::DigestSha256));
        assert_eq!(best(&[&format!("{BASIC}, {MD5}")], all), Some(LoginScheme::DigestMd5));
        assert_eq!(best(&[BASIC, MD5, SHA256], &[LoginScheme::Basic]), Some(LoginScheme::Basic));
        assert_eq!(best(&[SHA256], &[LoginScheme::DigestMd5, LoginScheme::Basic]), None);
        for unusable in [
            "Basic",
            "Bearer realm=\"x\"",
            "Digest realm=\"x\"",
            "Digest nonce=\"x\", qop=\"auth\"",
            "Digest realm=\"x\", nonce=\"x\", qop=\"auth-int\"",
            "Digest realm=\"x\", nonce=\"x\", qop=\"auth\", algorithm=SHA-512-256",
            "Digest realm=\"x\", nonce=\"x\", qop=\"auth\", algorithm=MD5-sess",
            "",
            ",",
            "=",
            "Basic realm",
        ] {
            assert_eq!(best(&[unusable], all), None, "{unusable}");
        }
    }

    #[test]
    fn a_stale_nonce_is_told_from_a_wrong_password() {
        assert!(offers(&[MD5], &LoginScheme::ALL).stale);
        assert!(!offers(&[SHA256], &LoginScheme::ALL).stale);
        assert_eq!(offers(&[SHA256, BASIC], &[]).schemes, ["Digest SHA-256", "Basic"]);
    }
}
