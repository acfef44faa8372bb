//! The certificates that a listener shows, and which of them to whom.
//!
//! Each handshake looks once; a swap changes what the next one sees and nothing else, so that no handshake fails for it.

use std::sync::{Arc, PoisonError, RwLock};

use hookhouse_core::Timestamp;
use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::pair::Pair;

/// Certificates in use, and what is wrong with newer ones.
#[derive(Debug, Default)]
pub(crate) struct Keyring {
    /// A pointer is read or written under the locks, no more.
    pairs: RwLock<Arc<[Pair]>>,
    problem: RwLock<Option<String>>,
}

impl Keyring {
    pub(crate) fn new(pairs: Vec<Pair>) -> Arc<Self> {
        Arc::new(Self { pairs: RwLock::new(pairs.into()), problem: RwLock::default() })
    }

    /// What is in use; empty until there is something.
    pub(crate) fn pairs(&self) -> Arc<[Pair]> {
        Arc::clone(&self.pairs.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Uses these from now on.
    pub(crate) fn swap(&self, pairs: Vec<Pair>) {
        *self.pairs.write().unwrap_or_else(PoisonError::into_inner) = pairs.into();
        self.tell(None);
    }

    /// Why there is nothing newer, for operators; `None` where all is well.
    pub(crate) fn tell(&self, problem: Option<String>) {
        *self.problem.write().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    /// Why there is nothing newer.
    pub(crate) fn problem(&self) -> Option<String> {
        self.problem.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a certificate is for this name.
    pub(crate) fn covers(&self, name: &str) -> bool {
        self.pairs().iter().any(|pair| pair.facts.cover(name))
    }
}

impl ResolvesServerCert for Keyring {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        choose(&self.pairs(), hello.server_name(), hello.signature_schemes())
            .map(|pair| Arc::clone(&pair.certified))
    }
}

/// The pair for a client: among those for the name that it asks for (for a name that is missing or nobody's, those that
/// share a name with the first), one whose signature it understands, RSA last.
pub(super) fn choose<'a>(
    pairs: &'a [Pair],
    name: Option<&str>,
    schemes: &[SignatureScheme],
) -> Option<&'a Pair> {
    let first = pairs.first()?;
    let asked = name.filter(|name| pairs.iter().any(|pair| pair.facts.cover(name)));
    let is_candidate = |pair: &&Pair| match asked {
        Some(name) => pair.facts.cover(name),
        None => {
            pair.facts == first.facts || pair.facts.names.iter().any(|own| first.facts.names.contains(own))
        }
    };
    let mut candidates: Vec<_> = pairs.iter().filter(is_candidate).collect();
    candidates.sort_by_key(|pair| pair.is_rsa());
    // With no signature in common there is no handshake; rustls says so with the right alert once it has any pair.
    let fitting = candidates.iter().find(|pair| pair.certified.key.choose_scheme(schemes).is_some());
    fitting.or(candidates.first()).copied()
}

/// Why `new` must not take the place of `old`, in words. `wanted` are the names that the configuration speaks of.
///
/// # Errors
/// The reason.
pub(crate) fn check_swap(
    old: &[Pair],
    new: &[Pair],
    wanted: &[String],
    now: Timestamp,
) -> Result<(), String> {
    if let Some(why) = new.iter().find_map(|pair| pair.facts.untimely(now)) {
        return Err(format!("the new certificate is not good now: {why}"));
    }
    let covered = |pairs: &[Pair], name: &str| pairs.iter().any(|pair| pair.facts.cover(name));
    let served: Vec<_> = wanted.iter().filter(|name| covered(old, name)).collect();
    if let Some(lost) = served.iter().find(|name| !covered(new, name)) {
        return Err(format!("the new certificate is not for `{lost}`, which the one in use is for"));
    }
    let mut names = old.iter().flat_map(|pair| &pair.facts.names).peekable();
    if served.is_empty() && names.peek().is_some() && !names.any(|name| covered(new, name)) {
        return Err("the new certificate is for none of the names that the one in use is for".to_owned());
    }
    Ok(())
}
