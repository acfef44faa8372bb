//! Digest: proof of the password without sending it (RFC 7616).

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use hookhouse_core::{SourceName, Timestamp};
use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use super::attempt::Attempt;
use super::credentials::DigestCredentials;
use super::fingerprint::Fingerprint;
use super::nonce::{Mint, NonceKey};
use super::parameters::Parameters;
use super::refused::Fault;
use super::replay::{Ledger, Unspendable};

/// A Digest login. It keeps `H(A1)` for each algorithm; the password it was made of is not kept.
#[derive(Debug)]
pub(super) struct Digest {
    realm: SourceName,
    user: String,
    user_print: Fingerprint,
    sha256: Ha1,
    md5: Option<Ha1>,
    /// A pointer is read or written under the lock, no more.
    mint: RwLock<Arc<Mint>>,
    /// Whether other gateways have the same mint, and know of every use of a nonce.
    shared: AtomicBool,
    ledger: Mutex<Ledger>,
}

/// A nonce count that nobody in any gateway may have spent before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spending {
    /// What the count is known by, in all gateways.
    pub(crate) name: String,
}

impl Digest {
    pub(super) fn new(realm: SourceName, digest: &DigestCredentials, key: NonceKey) -> Self {
        let DigestCredentials { credentials, md5 } = digest;
        let (user, password) = (credentials.user().as_bytes(), credentials.password().expose());
        let ha1 = |algorithm| Ha1::new(algorithm, user, realm.as_str().as_bytes(), password);
        Self {
            sha256: ha1(Algorithm::Sha256),
            md5: md5.then(|| ha1(Algorithm::Md5)),
            user: credentials.user().to_owned(),
            user_print: Fingerprint::of(user),
            mint: RwLock::new(Arc::new(Mint::new(key))),
            shared: AtomicBool::new(false),
            ledger: Mutex::new(Ledger::new()),
            realm,
        }
    }

    /// Makes and takes nonces that other gateways make and take, too. Those that were made before are foreign from now on.
    pub(super) fn share(&self, key: NonceKey) {
        *self.mint.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Mint::beside_others(key));
        self.shared.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Relaxed)
    }

    fn mint(&self) -> Arc<Mint> {
        Arc::clone(&self.mint.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Judges the parameters of an attempt. What anybody may know is compared first and plainly; a count is spent
    /// last, by a request that is right in everything else.
    pub(super) fn check(
        &self,
        method: &str,
        target: &str,
        parameters: &[u8],
        now: Timestamp,
    ) -> Result<(&str, &'static str, Option<Spending>), Fault> {
        let parameters = Parameters::parse(parameters)?;
        let attempt = Attempt::read(&parameters)?;
        let ha1 = self.ha1(attempt.algorithm).ok_or(Fault::algorithm(attempt.algorithm))?;
        if attempt.realm != self.realm.as_str().as_bytes() {
            return Err(Fault::Realm);
        }
        if attempt.uri != target.as_bytes() {
            return Err(Fault::Uri);
        }
        let expected = ha1.response(method.as_bytes(), &attempt);
        if attempt.response.len() != expected.len() {
            return Err(Fault::Malformed("`response` is not as long as its algorithm makes it"));
        }
        // Both are compared, whatever the first says.
        let user = self.user_print.matches(&attempt.user);
        let response = verify_slices_are_equal(expected.as_bytes(), attempt.response).is_ok();
        let nonce =
            self.mint().open(attempt.nonce).ok_or(Fault::NonceForeign { proved: user && response })?;
        match (user, response) {
            (true, true) => {}
            (true, false) => return Err(Fault::Password),
            (false, _) => return Err(Fault::User),
        }
        let shared = self.is_shared();
        if shared && nonce.is_ahead(now.as_millisecond()) {
            return Err(Fault::NonceEnded);
        }
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        match ledger.spend(nonce, attempt.count, now.as_millisecond()) {
            Ok(()) => {
                let name = || format!("login/{}/{nonce}/{}", self.realm, attempt.count);
                Ok((&self.user, ha1.algorithm.scheme(), shared.then(|| Spending { name: name() })))
            }
            Err(Unspendable::Ended) => Err(Fault::NonceEnded),
            Err(Unspendable::Spent) => Err(Fault::Replayed),
        }
    }

    /// The challenges, one for each algorithm, the stronger first (RFC 7616 section 3.7), with one new nonce.
    ///
    /// What is quoted and what is not is as section 3.3 has it; the realm is a source's name and needs no escapes.
    pub(super) fn challenges(&self, stale: bool, now: Timestamp) -> impl Iterator<Item = String> {
        let issued =
            self.ledger.lock().unwrap_or_else(PoisonError::into_inner).issue_time(now.as_millisecond());
        let nonce = self.mint().issue(issued);
        let stale = if stale { ", stale=true" } else { "" };
        [Some(&self.sha256), self.md5.as_ref()].into_iter().flatten().map(move |ha1| {
            format!(
                r#"Digest realm="{}", qop="auth", algorithm={}, nonce="{nonce}", charset=UTF-8{stale}"#,
                self.realm,
                ha1.algorithm.name(),
            )
        })
    }

    fn ha1(&self, algorithm: Option<Algorithm>) -> Option<&Ha1> {
        match algorithm? {
            Algorithm::Sha256 => Some(&self.sha256),
            Algorithm::Md5 => self.md5.as_ref(),
        }
    }
}

/// `H(A1)`, which stands for the password within its realm.
struct Ha1 {
    algorithm: Algorithm,
    hash: Zeroizing<String>,
}

impl Ha1 {
    fn new(algorithm: Algorithm, user: &[u8], realm: &[u8], password: &[u8]) -> Self {
        Self { algorithm, hash: algorithm.hash(&[user, realm, password]) }
    }

    /// The response that an attempt must carry (RFC 7616 section 3.4.1, `qop=auth`).
    fn response(&self, method: &[u8], attempt: &Attempt<'_>) -> Zeroizing<String> {
        let ha2 = self.algorithm.hash(&[method, attempt.uri]);
        self.algorithm.hash(&[
            self.hash.as_bytes(),
            attempt.nonce,
            attempt.nc,
            attempt.cnonce,
            b"auth",
            ha2.as_bytes(),
        ])
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ha1").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 section 3.9.1.
    #[test]
    fn the_examples_of_the_rfc() {
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let header = format!(
                r#"username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm={algorithm},
                nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, qop=auth,
                cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", response="{response}",
                opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#
            )
            .replace('\n', "");
            let parameters = Parameters::parse(header.as_bytes()).unwrap();
            let attempt = Attempt::read(&parameters).unwrap();
            let ha1 = Ha1::new(attempt.algorithm.unwrap(), &attempt.user, attempt.realm, b"Circle of Life");
            assert_eq!(ha1.response(b"GET", &attempt).as_bytes(), attempt.response, "{algorithm}");
        }
    }
}
