//! Keys and tokens: those of the one app, and those of the users who authorised it.

use std::fmt;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use hookhouse_core::Secret;
use rand::Rng;

use super::ids::UserId;

/// What the developer console shows for the app.
#[derive(Clone)]
pub struct Credentials {
    /// The API key.
    pub consumer_key: String,
    /// The API key secret: signs webhooks, and OAuth 1.0a requests.
    pub consumer_secret: Secret,
    /// The OAuth 2.0 client secret.
    pub client_secret: Secret,
    /// What `POST /oauth2/token` answers.
    pub bearer: Secret,
}

/// The keys are public names; the rest is not shown.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("consumer_key", &self.consumer_key).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Makes some up.
    pub fn made_up<R: Rng + ?Sized>(rng: &mut R) -> Self {
        Self {
            consumer_key: text(rng, 19),
            consumer_secret: secret(rng, 38),
            client_secret: secret(rng, 38),
            bearer: Secret::new(format!("AAAAAAAAAAAAAAAAAAAAAA{}", text(rng, 60)))
                .expect("it begins with letters"),
        }
    }
}

/// What a user's authorisation is worth.
#[derive(Clone)]
pub struct UserTokens {
    /// Whose.
    pub user: UserId,
    /// The user's @name, without the @.
    pub handle: String,
    /// OAuth 1.0a: the access token.
    pub access_token: Secret,
    /// OAuth 1.0a: its secret.
    pub access_token_secret: Secret,
    /// OAuth 2.0 user context: an access token.
    pub oauth2: Secret,
    /// What the OAuth 2.0 token allows.
    pub scopes: Vec<String>,
}

impl fmt::Debug for UserTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserTokens")
            .field("user", &self.user)
            .field("handle", &self.handle)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

impl UserTokens {
    /// Tokens with every scope that the platform asks for.
    pub(super) fn made_up<R: Rng + ?Sized>(user: UserId, handle: &str, rng: &mut R) -> Self {
        let access_token = Secret::new(format!("{user}-{}", text(rng, 30))).expect("it has a hyphen");
        Self {
            user,
            handle: handle.to_owned(),
            access_token,
            access_token_secret: secret(rng, 34),
            oauth2: secret(rng, 60),
            scopes: SCOPES.map(str::to_owned).to_vec(),
        }
    }
}

/// The text of a secret of the platform, to be shown or sent. The platform makes up text only; one that somebody
/// brought and that is none reads as empty.
#[must_use]
pub fn reveal(secret: &Secret) -> &str {
    std::str::from_utf8(secret.expose()).unwrap_or_default()
}

/// A secret of letters and digits.
pub(super) fn secret<R: Rng + ?Sized>(rng: &mut R, bytes: usize) -> Secret {
    Secret::new(text(rng, bytes.max(16))).expect("sixteen bytes are a text of more")
}

fn text<R: Rng + ?Sized>(rng: &mut R, bytes: usize) -> String {
    let mut random = vec![0; bytes];
    rng.fill_bytes(&mut random);
    BASE64URL_NOPAD.encode(&random).replace(['-', '_'], "x")
}

/// 32 hex digits, as X's hashes in likes.
pub(super) fn hash<R: Rng + ?Sized>(rng: &mut R) -> String {
    HEXLOWER.encode(&rng.random::<[u8; 16]>())
}

/// Every scope that an endpoint of the platform asks for.
const SCOPES: [&str; 8] = [
    "block.read",
    "dm.read",
    "dm.write",
    "like.read",
    "mute.read",
    "offline.access",
    "tweet.read",
    "users.read",
];

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn nothing_secret_is_shown() {
        let mut rng = StdRng::seed_from_u64(1);
        let app = Credentials::made_up(&mut rng);
        let user = UserTokens::made_up(UserId(7), "bob", &mut rng);
        let shown = format!("{app:?} {user:?}");
        for hidden in
            [&app.consumer_secret, &app.client_secret, &app.bearer, &user.access_token, &user.oauth2]
        {
            assert!(reveal(hidden).len() >= 16);
            assert!(!shown.contains(reveal(hidden)));
        }
        assert!(reveal(&user.access_token).starts_with("7-"));
    }
}
