//! Where the account and the certificate are kept: in a folder, or for all gateways of a cluster, sealed.
//!
//! On a cluster one gateway orders, by a lease; all show what it got, and all answer the authority's probes, since nobody
//! knows which of them is asked. A gateway that orders though its turn is over does no harm: of two certificates that are
//! good, the one that lasts longer is kept.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER};
use hookhouse_core::StoreError;
use hookhouse_core::store::Revision;
use instant_acme::AccountCredentials;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::cache::Cache;
use super::challenges::{Challenges, Ready};
use crate::tls::Pair;
use crate::tls::settings::Acme;
use crate::vault::{Vault, VaultError};

/// The pause before a store that does not answer is asked again.
const PAUSE: Duration = Duration::from_millis(250);
/// How long the other gateways are given to hear of an answer that a probe may ask them for.
const HEARING: Duration = Duration::from_secs(1);
const MOST_RACES: usize = 8;

/// Where things are kept.
#[derive(Debug)]
pub(super) enum Keeping {
    /// For this machine alone.
    Folder(Cache),
    /// For every gateway of a cluster.
    Shared(Shared),
}

impl Keeping {
    pub(super) async fn account(&self) -> Option<AccountCredentials> {
        match self {
            Self::Folder(cache) => cache.account(),
            Self::Shared(shared) => shared.account().await,
        }
    }

    pub(super) async fn keep_account(&self, account: &AccountCredentials) -> Result<(), String> {
        match self {
            Self::Folder(cache) => cache.keep_account(account).map_err(|error| error.to_string()),
            Self::Shared(shared) => shared.keep_account(account).await,
        }
    }

    pub(super) async fn forget_account(&self) {
        match self {
            Self::Folder(cache) => cache.forget_account(),
            // Where it cannot be taken out, the next one overwrites it.
            Self::Shared(shared) => drop(shared.vault.clear(&shared.account).await),
        }
    }

    pub(super) async fn certificate(&self) -> Option<Pair> {
        match self {
            Self::Folder(cache) => cache.certificate(),
            Self::Shared(shared) => shared.certificate().await,
        }
    }

    pub(super) async fn keep_certificate(&self, pem: &str, pair: &Pair) -> Result<(), String> {
        match self {
            Self::Folder(cache) => cache.keep_certificate(pem).map_err(|error| error.to_string()),
            Self::Shared(shared) => shared.keep_certificate(pem, pair).await,
        }
    }

    /// Has whoever may be probed answer so; an empty list ends it.
    pub(super) async fn tell(&self, proofs: &[Proof]) {
        if let Self::Shared(shared) = self {
            shared.tell(proofs).await;
        }
    }
}

/// What an authority's probe is answered with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Proof {
    Http { token: String, answer: String },
    Tls { name: String, digest: String },
}

impl Proof {
    pub(super) fn tls(name: &str, digest: &[u8]) -> Self {
        Self::Tls { name: name.to_owned(), digest: BASE64.encode(digest) }
    }

    /// # Errors
    /// In words, where it cannot be answered so.
    pub(super) fn serve(&self, challenges: &Arc<Challenges>) -> Result<Ready, String> {
        match self {
            Self::Http { token, answer } => Ok(challenges.serve_http(token, answer)),
            Self::Tls { name, digest } => {
                let digest = BASE64.decode(digest.as_bytes()).map_err(|error| error.to_string())?;
                challenges.serve_tls(name, &digest)
            }
        }
    }
}

/// What the gateways of a cluster have in common, for one authority and one set of names.
#[derive(Debug)]
pub(super) struct Shared {
    vault: Vault,
    /// The names of values.
    account: String,
    certificate: String,
    proofs: String,
    /// What the lease is for.
    pub(super) duty: String,
}

impl Shared {
    /// Gateways may be configured for other names for a while: each set has a certificate of its own.
    pub(super) fn new(vault: Vault, settings: &Acme) -> Self {
        let short = |text: &str| {
            HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref().get(..8).unwrap_or_default())
        };
        let mut names = settings.names.clone();
        names.sort();
        let directory = format!("acme/{}", short(&settings.directory));
        let own = format!("{directory}/{}", short(&names.join(" ")));
        Self {
            vault,
            account: format!("{directory}/account"),
            certificate: format!("{own}/certificate"),
            proofs: format!("{own}/proofs"),
            duty: own,
        }
    }

    pub(super) fn vault(&self) -> &Vault {
        &self.vault
    }

    async fn account(&self) -> Option<AccountCredentials> {
        let (text, _) = self.patiently(&self.account).await;
        match serde_json::from_slice(&text?) {
            Ok(account) => Some(account),
            Err(error) => {
                tracing::warn!(event = "tls.cache", %error, "the account is not readable: another is made");
                None
            }
        }
    }

    async fn keep_account(&self, account: &AccountCredentials) -> Result<(), String> {
        let text = Zeroizing::new(serde_json::to_vec(account).map_err(|error| error.to_string())?);
        let (_, revision) = self.patiently(&self.account).await;
        let kept = self.vault.write(&self.account, &text, revision).await;
        kept.map(drop).map_err(|error| error.to_string())
    }

    pub(super) async fn certificate(&self) -> Option<Pair> {
        let (pem, _) = self.patiently(&self.certificate).await;
        usable(pem)
    }

    async fn keep_certificate(&self, pem: &str, pair: &Pair) -> Result<(), String> {
        for _ in 0..MOST_RACES {
            let (kept, revision) = self.patiently(&self.certificate).await;
            if usable(kept).is_some_and(|kept| kept.facts.not_after > pair.facts.not_after) {
                return Ok(());
            }
            match self.vault.write(&self.certificate, pem.as_bytes(), revision).await {
                Err(VaultError::Store(StoreError::Conflict)) => {}
                other => return other.map(drop).map_err(|error| error.to_string()),
            }
        }
        Err(StoreError::Conflict.to_string())
    }

    async fn tell(&self, proofs: &[Proof]) {
        let Ok(value) = serde_json::to_vec(proofs) else { return };
        for _ in 0..MOST_RACES {
            let told = async {
                let revision = self.vault.store.state(&self.proofs).await?.map(|entry| entry.revision);
                self.vault.store.put_state(&self.proofs, Bytes::from(value.clone()), revision).await
            };
            match told.await {
                Ok(_) => break,
                Err(StoreError::Conflict) => {}
                Err(error) => {
                    tracing::warn!(event = "tls.proofs", %error, "the other gateways do not hear what they may be asked");
                    break;
                }
            }
        }
        if !proofs.is_empty() {
            tokio::time::sleep(HEARING).await;
        }
    }

    /// Answers probes as whoever orders has told, for as long as it is polled.
    pub(super) async fn answer_probes(&self, challenges: &Arc<Challenges>) {
        let (mut known, mut ready) = (None, Vec::new());
        loop {
            self.vault.store.state_changed(&self.proofs, known).await;
            let Ok(Some(entry)) = self.vault.store.state(&self.proofs).await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            known = Some(entry.revision);
            // First the old ones go: their end is the end of what is answered for their names.
            ready.clear();
            let proofs: Vec<Proof> = serde_json::from_slice(&entry.value).unwrap_or_default();
            ready.extend(proofs.iter().filter_map(|proof| proof.serve(challenges).ok()));
        }
    }

    /// Waits for the certificate to be another one than the known revision's.
    pub(super) async fn next_certificate(&self, known: &mut Option<Revision>) -> Option<Pair> {
        self.vault.store.state_changed(&self.certificate, *known).await;
        let (pem, revision) = self.patiently(&self.certificate).await;
        *known = revision;
        usable(pem)
    }

    /// Reads a value, again and again until the store answers: what is there must not be taken for missing. What was
    /// sealed with another key is as good as missing.
    async fn patiently(&self, name: &str) -> (Option<Zeroizing<Vec<u8>>>, Option<Revision>) {
        loop {
            match self.vault.read(name).await {
                Ok(found) => return found,
                Err(VaultError::Store(_)) => tokio::time::sleep(PAUSE).await,
                Err(why) => {
                    tracing::warn!(event = "tls.cache", %why, "another is ordered");
                    let entry = self.vault.store.state(name).await;
                    return (None, entry.ok().flatten().map(|entry| entry.revision));
                }
            }
        }
    }
}

fn usable(pem: Option<Zeroizing<Vec<u8>>>) -> Option<Pair> {
    let pem = pem?;
    match Pair::parse(&pem, &pem) {
        Ok(pair) => Some(pair),
        Err(why) => {
            tracing::warn!(event = "tls.cache", %why, "the certificate is not usable: another is ordered");
            None
        }
    }
}
