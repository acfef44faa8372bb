//! What gateways of a cluster share and the cluster's servers are not to read: sealed before it goes there.

use std::sync::Arc;

use bytes::Bytes;
use hookhouse_core::store::Revision;
use hookhouse_core::{EventStore, StoreError};
use hookhouse_store_sqlite::Encryption;
use zeroize::Zeroizing;

use crate::config::{Source, StoreConfig};
use crate::login::{KEY_BYTES, NonceKey};

/// The shared state of a cluster, and the keys of what is sealed in it.
#[derive(Debug, Clone)]
pub(crate) struct Vault {
    pub(crate) store: Arc<dyn EventStore>,
    keys: Encryption,
}

/// Why something in it cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum VaultError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("`{0}` was sealed with another key than those of `seal` in [store]")]
    OtherKey(String),
    #[error("`seal` in [store] gives no key to seal with")]
    NoKey,
}

impl Vault {
    /// Of a cluster; `None` where nobody shares anything.
    pub(crate) fn of(config: &StoreConfig, store: &Arc<dyn EventStore>) -> Option<Self> {
        config.cluster.as_ref()?;
        Some(Self { store: Arc::clone(store), keys: config.seal.clone() })
    }

    /// What is kept under a name, with its revision. What was taken out again is empty.
    pub(crate) async fn read(
        &self,
        name: &str,
    ) -> Result<(Option<Zeroizing<Vec<u8>>>, Option<Revision>), VaultError> {
        let Some(entry) = self.store.state(name).await? else { return Ok((None, None)) };
        if entry.value.is_empty() {
            return Ok((None, Some(entry.revision)));
        }
        let open = self.keys.open(name, &entry.value).ok_or_else(|| VaultError::OtherKey(name.to_owned()))?;
        Ok((Some(Zeroizing::new(open)), Some(entry.revision)))
    }

    /// Keeps it, if the revision is still the expected one.
    pub(crate) async fn write(
        &self,
        name: &str,
        bytes: &[u8],
        expected: Option<Revision>,
    ) -> Result<Revision, VaultError> {
        let sealed = self.keys.seal(name, bytes).ok_or(VaultError::NoKey)?;
        Ok(self.store.put_state(name, Bytes::from(sealed), expected).await?)
    }

    /// Takes out what is under a name.
    pub(crate) async fn clear(&self, name: &str) -> Result<(), VaultError> {
        let Some(entry) = self.store.state(name).await? else { return Ok(()) };
        self.store.put_state(name, Bytes::new(), Some(entry.revision)).await?;
        Ok(())
    }

    /// The key of the nonces that every gateway makes and takes: whoever comes first makes it.
    async fn nonces(&self) -> Result<Zeroizing<[u8; KEY_BYTES]>, VaultError> {
        loop {
            let (kept, revision) = self.read(NONCES).await?;
            if let Some(key) = kept.as_ref().and_then(|kept| kept.as_slice().try_into().ok()) {
                return Ok(Zeroizing::new(key));
            }
            let new = Zeroizing::new(rand::random::<[u8; KEY_BYTES]>());
            match self.write(NONCES, &*new, revision).await {
                Ok(_) => return Ok(new),
                Err(VaultError::Store(StoreError::Conflict)) => {}
                Err(other) => return Err(other),
            }
        }
    }

    /// Has logins take the nonces of every gateway, and every nonce count once in all of them.
    pub(crate) async fn share_logins(&self, sources: &[Arc<Source>]) {
        let logins = || {
            let login = |source: &Arc<Source>| source.login.as_ref().is_some_and(|login| login.is_alone());
            sources.iter().filter(move |source| login(source))
        };
        if logins().next().is_none() {
            return;
        }
        match self.nonces().await {
            Ok(key) => {
                for source in logins() {
                    if let Some(login) = &source.login {
                        login.share(NonceKey::of_source(&key, &source.name));
                    }
                }
            }
            Err(why) => {
                for source in logins() {
                    tracing::warn!(
                        event = "login.nonces_not_shared", source = %source.name, %why,
                        "a sender that is challenged by one gateway and answers another is challenged once more"
                    );
                }
            }
        }
    }
}

/// Where the key of nonces is.
const NONCES: &str = "login/nonces";

#[cfg(test)]
mod tests {
    use hookhouse_core::{Clock, Secret};
    use hookhouse_testkit::clock::FakeClock;
    use hookhouse_testkit::memory::MemoryStore;

    use super::*;

    fn vaults(keys: &[u8]) -> Vec<Vault> {
        let clock: Arc<dyn Clock> = Arc::new(FakeClock::default());
        let store: Arc<dyn EventStore> = Arc::new(MemoryStore::shared(clock));
        let vault = |key: &u8| {
            let key = (*key > 0).then(|| Secret::new([*key; 32]).unwrap());
            Vault { store: Arc::clone(&store), keys: Encryption::new(key.as_ref(), &[]).unwrap() }
        };
        keys.iter().map(vault).collect()
    }

    #[tokio::test]
    async fn every_gateway_has_the_same_key_of_nonces_and_the_store_does_not() {
        let [one, two, other, none] = &vaults(&[1, 1, 2, 0])[..] else { panic!("four") };
        let key = one.nonces().await.unwrap();
        assert_eq!(two.nonces().await.unwrap(), key);
        let kept = one.store.state(NONCES).await.unwrap().unwrap().value;
        assert!(!kept.windows(8).any(|part| key.windows(8).any(|secret| secret == part)));
        for without in [other, none] {
            assert_eq!(without.nonces().await.unwrap_err(), VaultError::OtherKey(NONCES.to_owned()));
        }
    }

    #[tokio::test]
    async fn without_a_key_nothing_is_kept() {
        let [none] = &vaults(&[0])[..] else { panic!("one") };
        assert_eq!(none.nonces().await.unwrap_err(), VaultError::NoKey);
        assert_eq!(none.store.state(NONCES).await, Ok(None));
    }

    #[tokio::test]
    async fn what_was_taken_out_is_not_there_and_what_changed_meanwhile_is_not_overwritten() {
        let [one, two] = &vaults(&[1, 1])[..] else { panic!("two") };
        let first = one.write("account", b"one", None).await.unwrap();
        assert_eq!(two.write("account", b"two", None).await, Err(StoreError::Conflict.into()));
        let (kept, revision) = two.read("account").await.unwrap();
        assert_eq!((kept.unwrap().as_slice(), revision), (&b"one"[..], Some(first)));
        one.clear("account").await.unwrap();
        assert!(two.read("account").await.unwrap().0.is_none());
        assert_eq!(two.write("account", b"two", Some(first)).await, Err(StoreError::Conflict.into()));
    }
}
