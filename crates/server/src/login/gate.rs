//! What a source asks for, and who came through.

use hookhouse_core::{SourceName, Timestamp};
use http::{HeaderMap, HeaderValue};

use super::authorization::Authorization;
use super::basic::{self, Basic};
use super::credentials::{Credentials, DigestCredentials};
use super::digest::{Digest, Spending};
use super::nonce::NonceKey;
use super::refused::{Fault, LoginRefused};

/// What a source asks for: Basic, Digest, or either.
#[derive(Debug)]
pub struct Login {
    realm: SourceName,
    basic: Option<Basic>,
    digest: Option<Digest>,
}

/// Who came through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedIn {
    /// The user name.
    pub user: String,
    /// How: `basic`, `digest-sha256` or `digest-md5`.
    pub scheme: &'static str,
    /// What is to be spent in all gateways before the request goes on, where they share their nonces.
    pub spending: Option<Spending>,
}

impl Login {
    /// The login of a source, whose name is the realm; `None` where nothing is asked for.
    ///
    /// `key` is new for every login that is made: see [`NonceKey`].
    #[must_use]
    pub fn new(
        realm: SourceName,
        basic: Option<&Credentials>,
        digest: Option<&DigestCredentials>,
        key: NonceKey,
    ) -> Option<Self> {
        if basic.is_none() && digest.is_none() {
            return None;
        }
        Some(Self {
            basic: basic.map(Basic::new),
            digest: digest.map(|digest| Digest::new(realm.clone(), digest, key)),
            realm,
        })
    }

    /// Whether its nonces are this gateway's alone, where it has any.
    pub(crate) fn is_alone(&self) -> bool {
        self.digest.as_ref().is_some_and(|digest| !digest.is_shared())
    }

    /// Makes and takes the nonces of all gateways that have this key. What [`check`](Self::check) lets in, it lets in on
    /// condition that its [spending](LoggedIn::spending) was nobody's before.
    pub(crate) fn share(&self, key: NonceKey) {
        if let Some(digest) = &self.digest {
            digest.share(key);
        }
    }

    /// The refusal of a request whose nonce count was spent in another gateway.
    pub(crate) fn spent(&self, now: Timestamp) -> LoginRefused {
        LoginRefused::new(Fault::Replayed, self.challenges(Fault::Replayed, now))
    }

    /// Judges a request by its head.
    ///
    /// `target` is what the sender put into the request line: Digest binds its `uri` to it byte for byte, so behind a
    /// proxy that rewrites paths it is the target from before.
    ///
    /// # Errors
    /// [`LoginRefused`], with what to answer.
    pub fn check(
        &self,
        method: &str,
        target: &str,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<LoggedIn, LoginRefused> {
        self.judge(method, target, headers, now)
            .map_err(|fault| LoginRefused::new(fault, self.challenges(fault, now)))
    }

    fn judge(
        &self,
        method: &str,
        target: &str,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<LoggedIn, Fault> {
        let (user, scheme, spending) = match (Authorization::of(headers)?, &self.basic, &self.digest) {
            (None, basic, _) => {
                if let Some(basic) = basic {
                    basic.check_nothing();
                }
                return Err(Fault::NoCredentials);
            }
            (Some(Authorization::Basic(token)), Some(basic), _) => (basic.check(token)?, basic::SCHEME, None),
            (Some(Authorization::Digest(parameters)), _, Some(digest)) => {
                digest.check(method, target, parameters, now)?
            }
            (Some(_), _, _) => return Err(Fault::Scheme),
        };
        Ok(LoggedIn { user: user.to_owned(), scheme, spending })
    }

    /// Digest before Basic: senders take the first that they know, or the strongest (RFC 7616 section 3.7).
    fn challenges(&self, fault: Fault, now: Timestamp) -> Vec<HeaderValue> {
        if fault == Fault::Repeated {
            return Vec::new();
        }
        let digest = self.digest.iter().flat_map(|digest| digest.challenges(fault.is_stale(), now));
        let basic = self.basic.iter().map(|_| Basic::challenge(self.realm.as_str()));
        // A source's name, base64 and our own words: there is nothing in it that a header value may not have.
        digest.chain(basic).filter_map(|text| HeaderValue::try_from(text).ok()).collect()
    }
}
