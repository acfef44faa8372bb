//! Basic: the user name and the password themselves (RFC 7617).

use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::credentials::Credentials;
use super::fingerprint::Fingerprint;
use super::refused::Fault;

/// What evidence calls a login by it.
pub(super) const SCHEME: &str = "basic";

/// A Basic login. It keeps digests; the password it was made of is not kept.
#[derive(Debug)]
pub(super) struct Basic {
    user: String,
    user_print: Fingerprint,
    password_print: Fingerprint,
}

impl Basic {
    pub(super) fn new(credentials: &Credentials) -> Self {
        Self {
            user: credentials.user().to_owned(),
            user_print: Fingerprint::of(credentials.user().as_bytes()),
            password_print: Fingerprint::of(credentials.password().expose()),
        }
    }

    /// Judges a `token68`.
    pub(super) fn check(&self, token: &[u8]) -> Result<&str, Fault> {
        let decoded = decode(token)?;
        let (user, password) = split(&decoded)?;
        self.compare(user, password)
    }

    /// Does what an attempt costs and lets nobody in, for a request that offers nothing.
    pub(super) fn check_nothing(&self) {
        // A result that nobody looks at is work that the compiler may leave out.
        let _ = std::hint::black_box(self.compare(b"", b""));
    }

    /// Both fields are compared, whatever the first says: a wrong user costs what a wrong password costs.
    fn compare(&self, user: &[u8], password: &[u8]) -> Result<&str, Fault> {
        match (self.user_print.matches(user), self.password_print.matches(password)) {
            (true, true) => Ok(&self.user),
            (true, false) => Err(Fault::Password),
            (false, _) => Err(Fault::User),
        }
    }

    /// The challenge: the realm is a source's name, so it needs no escapes.
    pub(super) fn challenge(realm: &str) -> String {
        format!(r#"Basic realm="{realm}", charset="UTF-8""#)
    }
}

/// The text inside: base64 in its one canonical spelling, UTF-8 without control characters (RFC 7617 section 2).
fn decode(token: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let decoded = BASE64
        .decode(token)
        .map(Zeroizing::new)
        .map_err(|_| Fault::Malformed("what follows `Basic` is not base64"))?;
    if decoded.iter().any(u8::is_ascii_control) {
        return Err(Fault::Malformed("a control character in the Basic credentials"));
    }
    if std::str::from_utf8(&decoded).is_err() {
        return Err(Fault::Malformed("the Basic credentials are not UTF-8"));
    }
    Ok(decoded)
}

/// The user name up to the first colon, the password after it: a password may have colons, a user name none.
fn split(decoded: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let mut fields = decoded.splitn(2, |b| *b == b':');
    match (fields.next(), fields.next()) {
        (Some(user), Some(password)) => Ok((user, password)),
        _ => Err(Fault::Malformed("no colon in the Basic credentials")),
    }
}

#[cfg(test)]
mod tests {
    use hookhouse_core::Secret;
    use proptest::prelude::*;

    use super::*;

    fn basic(user: &str, password: &str) -> Basic {
        Basic::new(&Credentials::new(user, Secret::new(password).unwrap()).unwrap())
    }

    /// RFC 7617 sections 2 and 2.1.
    #[test]
    fn the_examples_of_the_rfc() {
        assert_eq!(basic("Aladdin", "open sesame").check(b"QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), Ok("Aladdin"));
        assert_eq!(basic("test", "123\u{a3}").check(b"dGVzdDoxMjPCow=="), Ok("test"));
    }

    #[test]
    fn base64_has_one_spelling() {
        let basic = basic("test", "123\u{a3}");
        for token in
            [&b"dGVzdDoxMjPCow="[..], b"dGVzdDoxMjPCow", b"dGVzdDoxMjPCox==", b"dGVzdDox MjPCow==", b"===="]
        {
            assert!(matches!(basic.check(token), Err(Fault::Malformed(_))), "{token:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_what_is_compared(user in "[^:\\pC]{1,20}", password in "\\PC{1,40}") {
            let (user, password): (String, String) = (user, password);
            let token = BASE64.encode(format!("{user}:{password}").as_bytes());
            let (right, wrong) = (basic(&user, &password), basic(&user, &format!("{password}x")));
            prop_assert_eq!(right.check(token.as_bytes()), Ok(user.as_str()));
            prop_assert_eq!(wrong.check(token.as_bytes()), Err(Fault::Password));
        }

        #[test]
        fn no_bytes_make_it_panic_or_let_them_in(token in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(basic("u", "a password").check(&token).is_err());
        }
    }
}
