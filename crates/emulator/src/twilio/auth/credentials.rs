//! A user name and a password.

use data_encoding::BASE64;
use hookhouse_verify::Secret;
use zeroize::Zeroizing;

/// What to log in with.
#[derive(Clone)]
pub struct Credentials {
    user: String,
    password: Secret,
}

impl Credentials {
    /// Credentials that both schemes can carry.
    ///
    /// # Errors
    /// When they cannot (RFC 7617 section 2).
    pub fn new(user: impl Into<String>, password: Secret) -> Result<Self, CredentialsError> {
        let user = user.into();
        if user.is_empty() {
            return Err(CredentialsError::User);
        }
        if user.contains(':') {
            return Err(CredentialsError::Colon);
        }
        if user.bytes().chain(password.expose().iter().copied()).any(|b| b.is_ascii_control()) {
            return Err(CredentialsError::Control);
        }
        Ok(Self { user, password })
    }

    /// `user:password` as it stands in a URL, each byte perhaps escaped.
    pub(in crate::twilio) fn from_user_info(user_info: &str) -> Result<Self, CredentialsError> {
        let (user, password) = user_info.split_once(':').ok_or(CredentialsError::Password)?;
        let user = String::from_utf8(unescape(user).to_vec()).map_err(|_| CredentialsError::User)?;
        let password = Secret::new(unescape(password).to_vec()).map_err(|_| CredentialsError::Password)?;
        Self::new(user, password)
    }

    /// The user name, which is no secret.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    pub(super) fn password(&self) -> &[u8] {
        self.password.expose()
    }

    /// The value of `Authorization` for Basic.
    pub(super) fn basic(&self) -> Zeroizing<String> {
        let plain = Zeroizing::new([self.user.as_bytes(), b":", self.password()].concat());
        Zeroizing::new(format!("Basic {}", BASE64.encode(&plain)))
    }
}

impl PartialEq for Credentials {
    fn eq(&self, other: &Self) -> bool {
        // Both are this client's own: nobody measures how long it takes.
        self.user == other.user && self.password() == other.password()
    }
}

impl Eq for Credentials {}

/// The name alone.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The bytes that `%XX` stand for; a `%` that escapes nothing stands for itself.
fn unescape(text: &str) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.split_at_checked(2).filter(|_| *first == b'%');
        let decoded = escaped.and_then(|(digits, after)| {
            let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
            Some((u8::from_str_radix(digits, 16).ok()?, after))
        });
        let (byte, after) = decoded.unwrap_or((*first, after));
        bytes.push(byte);
        rest = after;
    }
    bytes
}

/// Credentials that nobody could send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// No user name, or one that is not UTF-8.
    #[error("there is no user name in UTF-8")]
    User,
    /// The first colon ends the user name.
    #[error("the user name has a colon in it, which ends a user name")]
    Colon,
    /// No password.
    #[error("there is no password")]
    Password,
    /// A control character.
    #[error("a control character is in the user name or the password")]
    Control,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_as_in_the_rfc() {
        let basic = |user_info| Credentials::from_user_info(user_info).unwrap().basic();
        assert_eq!(*basic("Aladdin:open%20sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(*basic("test:123%c2%A3"), "Basic dGVzdDoxMjPCow==");
    }

    #[test]
    fn user_information_is_unescaped_and_split_once() {
        let read = |text| {
            let credentials = Credentials::from_user_info(text)?;
            Ok((credentials.user.clone(), String::from_utf8(credentials.password().to_vec()).unwrap()))
        };
        assert_eq!(read("u:p:q%3A%"), Ok(("u".to_owned(), "p:q:%".to_owned())));
        assert_eq!(read("u%:%zz%+1"), Ok(("u%".to_owned(), "%zz%+1".to_owned())));
        assert_eq!(read("u"), Err(CredentialsError::Password));
        assert_eq!(read("u:"), Err(CredentialsError::Password));
        assert_eq!(read(":p"), Err(CredentialsError::User));
        assert_eq!(read("u%3Av:p"), Err(CredentialsError::Colon));
        assert_eq!(read("u:p%0a"), Err(CredentialsError::Control));
    }
}
