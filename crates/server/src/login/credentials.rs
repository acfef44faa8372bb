//! What a sender must know.

use hookhouse_core::Secret;

/// A user name and a password that both schemes can carry.
#[derive(Debug, Clone)]
pub struct Credentials {
    user: String,
    password: Secret,
}

impl Credentials {
    /// Credentials that a sender can send.
    ///
    /// # Errors
    /// When no sender could: a login that nobody passes is a mistake of whoever configured it.
    pub fn new(user: impl Into<String>, password: Secret) -> Result<Self, CredentialsError> {
        let user = user.into();
        if user.is_empty() {
            return Err(CredentialsError::UserEmpty);
        }
        if user.contains(':') {
            return Err(CredentialsError::UserColon);
        }
        if user.bytes().chain(password.expose().iter().copied()).any(|b| b.is_ascii_control()) {
            return Err(CredentialsError::Control);
        }
        if std::str::from_utf8(password.expose()).is_err() {
            return Err(CredentialsError::PasswordNotText);
        }
        Ok(Self { user, password })
    }

    /// The user name, which is no secret.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password.
    #[must_use]
    pub fn password(&self) -> &Secret {
        &self.password
    }
}

/// Credentials for Digest, and with which algorithms.
#[derive(Debug, Clone)]
pub struct DigestCredentials {
    /// Who, and by what password.
    pub credentials: Credentials,
    /// Whether MD5 will do where a sender knows no SHA-256. Which of them Twilio knows is written down nowhere.
    pub md5: bool,
}

/// Credentials that neither scheme could carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// No user name.
    #[error("the user name is empty")]
    UserEmpty,
    /// The first colon ends the user name (RFC 7617 section 2).
    #[error("the user name has a colon, which ends a user name")]
    UserColon,
    /// RFC 7617 section 2 forbids control characters in both.
    #[error("the user name or the password has a control character, which no sender may send")]
    Control,
    /// Both schemes say that text is UTF-8.
    #[error("the password is not UTF-8")]
    PasswordNotText,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_sender_can_send_is_refused() {
        let new = |user: &str, password: &[u8]| Credentials::new(user, Secret::new(password).unwrap());
        for (user, password, error) in [
            ("", &b"p"[..], CredentialsError::UserEmpty),
            ("a:b", b"p", CredentialsError::UserColon),
            ("a\n", b"p", CredentialsError::Control),
            ("a", b"p\n", CredentialsError::Control),
            ("a", b"p\0", CredentialsError::Control),
            ("a", b"\xff", CredentialsError::PasswordNotText),
        ] {
            assert_eq!(new(user, password).unwrap_err(), error, "{user:?} {password:?}");
        }
        assert_eq!(new("j\u{e4}s\u{f8}n", "p:\u{a3} ".as_bytes()).unwrap().user(), "j\u{e4}s\u{f8}n");
    }

    #[test]
    fn debug_shows_no_password() {
        let credentials = Credentials::new("u", Secret::new("hush").unwrap()).unwrap();
        assert!(!format!("{:?}", DigestCredentials { credentials, md5: true }).contains("hush"));
    }
}
