//! Tokens that operators make: each with a name, with scopes, and if it is wanted with an end. Its text is shown once;
//! what is kept is its digest, in the store's small state.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD, HEXLOWER};
use hookhouse_core::{EventStore, StoreError, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::token::fingerprint;
use super::{Principal, Scopes};
use crate::admin::kept::Kept;
use crate::admin::view::TokenView;

/// Tokens at most.
pub(crate) const MOST: usize = 256;

/// What a token's text begins with, so that whoever finds one knows what it opens.
const PREFIX: &str = "hkh_";

/// How often the last use of a token is written down.
const NOTE_EVERY: Duration = Duration::from_secs(60);

/// Every token but the one in the store's folder.
pub(crate) struct Tokens {
    kept: Kept<Vec<Record>>,
    known: RwLock<Vec<Record>>,
    /// One change at a time, so that what is known is what is kept.
    changing: Mutex<()>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    id: String,
    name: String,
    /// SHA-256 of the text, in hexadecimal digits.
    digest: String,
    scopes: Scopes,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
}

impl Record {
    fn is_alive(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    fn principal(&self) -> Principal {
        Principal { token: self.id.clone(), scopes: self.scopes.clone() }
    }

    fn view(&self) -> TokenView {
        TokenView {
            id: self.id.clone(),
            name: self.name.clone(),
            scopes: self.scopes.list().to_vec(),
            created_at: self.created_at,
            expires_at: self.expires_at,
            last_used_at: self.last_used_at,
        }
    }
}

impl Tokens {
    /// The tokens that the store keeps.
    pub(crate) async fn load(store: &Arc<dyn EventStore>) -> Result<Self, StoreError> {
        let kept = Kept::new(store, "admin/tokens");
        let known = RwLock::new(kept.read().await?.unwrap_or_default());
        Ok(Self { kept, known, changing: Mutex::new(()) })
    }

    /// Whose token this is, if it counts.
    pub(crate) fn find(&self, offered: &str, now: Timestamp) -> Option<Principal> {
        let digest = HEXLOWER.encode(&fingerprint(offered));
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        // Every one is looked at, and each comparison takes as long as the next.
        let found = known.iter().fold(None, |found, record| {
            let is_it = verify_slices_are_equal(record.digest.as_bytes(), digest.as_bytes()).is_ok();
            if is_it { Some(record) } else { found }
        })?;
        found.is_alive(now).then(|| found.principal())
    }

    /// What the token with this id may do, if it counts.
    pub(crate) fn by_id(&self, id: &str, now: Timestamp) -> Option<Principal> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|record| record.id == id && record.is_alive(now)).map(Record::principal)
    }

    /// All of them, the oldest first.
    pub(crate) fn list(&self) -> Vec<TokenView> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).iter().map(Record::view).collect()
    }

    /// Makes a token; its text is in the answer and nowhere else. `None` where there are too many.
    pub(crate) async fn create(
        &self,
        name: &str,
        scopes: Scopes,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<(TokenView, String)>, StoreError> {
        let text = format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&rand::random::<[u8; 32]>()));
        let record = Record {
            id: format!("tok_{}", BASE32_NOPAD.encode(&rand::random::<[u8; 10]>()).to_ascii_lowercase()),
            name: name.to_owned(),
            digest: HEXLOWER.encode(&fingerprint(&text)),
            scopes,
            created_at: now,
            expires_at,
            last_used_at: None,
        };
        let view = record.view();
        let made = self
            .change(|all| {
                // One that has ended makes room.
                if all.len() >= MOST {
                    all.retain(|record| record.is_alive(now));
                }
                let fits = all.len() < MOST;
                if fits {
                    all.push(record.clone());
                }
                fits
            })
            .await?;
        Ok(made.then_some((view, text)))
    }

    /// Takes a token away, and with it the sessions that began with it. `false` where there is no such token.
    pub(crate) async fn revoke(&self, id: &str) -> Result<bool, StoreError> {
        self.change(|all| {
            let before = all.len();
            all.retain(|record| record.id != id);
            all.len() < before
        })
        .await
    }

    /// Notes that a token was used now. Answers whether it is time to [write that down](Tokens::keep_uses).
    pub(crate) fn note_use(&self, id: &str, now: Timestamp) -> bool {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let Some(record) = known.iter_mut().find(|record| record.id == id) else { return false };
        let is_stale = record.last_used_at.is_none_or(|last| {
            Duration::try_from(now.duration_since(last)).is_ok_and(|since| since >= NOTE_EVERY)
        });
        if is_stale {
            record.last_used_at = Some(now);
        }
        is_stale
    }

    /// Writes down when tokens were last used. Nothing hangs on it.
    pub(crate) async fn keep_uses(&self) {
        if let Err(error) = self.change(|_| ()).await {
            tracing::debug!(%error, "the last use of a token could not be written down");
        }
    }

    async fn change<R>(&self, mut edit: impl FnMut(&mut Vec<Record>) -> R) -> Result<R, StoreError> {
        let _changing = self.changing.lock().await;
        let mut after = Vec::new();
        let result = self
            .kept
            .change(|all| {
                self.take_uses(all);
                let result = edit(all);
                after.clone_from(all);
                result
            })
            .await?;
        self.take_uses(&mut after);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = after;
        Ok(result)
    }

    /// The later of the uses that are known and those that are kept.
    fn take_uses(&self, all: &mut [Record]) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        for record in all {
            if let Some(known) = known.iter().find(|known| known.id == record.id) {
                record.last_used_at = record.last_used_at.max(known.last_used_at);
            }
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use hookhouse_testkit::clock::FakeClock;
    use hookhouse_testkit::memory::MemoryStore;

    use super::*;
    use crate::admin::access::Scope;

    fn store() -> Arc<dyn EventStore> {
        Arc::new(MemoryStore::new(Arc::<FakeClock>::default()))
    }

    fn read() -> Scopes {
        Scopes::new(vec![Scope::Read])
    }

    #[tokio::test]
    async fn a_token_opens_until_it_ends_or_is_revoked_and_no_text_is_kept() {
        let store = store();
        let tokens = Tokens::load(&store).await.unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let end = now + Duration::from_secs(60);
        let (mortal, text) = tokens.create("ci", read(), Some(end), now).await.unwrap().unwrap();
        let (_, other) = tokens.create("grafana", read(), None, now).await.unwrap().unwrap();
        assert!(text.starts_with("hkh_") && text.len() == 47);
        assert_eq!(tokens.find(&text, now).unwrap().token, mortal.id);
        assert_eq!(tokens.find(&text, end), None);
        assert_eq!(tokens.by_id(&mortal.id, end), None);
        assert!(tokens.find(&other, end).is_some());
        for wrong in ["", "hkh_", &text[1..], &format!("{text}A"), &mortal.id] {
            assert_eq!(tokens.find(wrong, now), None, "{wrong}");
        }
        let kept = store.state("admin/tokens").await.unwrap().unwrap();
        let kept = String::from_utf8(kept.value.to_vec()).unwrap();
        assert!(!kept.contains(&text) && !kept.contains(&text[4..]), "{kept}");

        let again = Tokens::load(&store).await.unwrap();
        assert!(again.find(&text, now).is_some(), "after a restart");
        assert_eq!(again.revoke(&mortal.id).await, Ok(true));
        assert_eq!(again.revoke(&mortal.id).await, Ok(false));
        assert_eq!(again.find(&text, now), None);
        assert_eq!(Tokens::load(&store).await.unwrap().list().len(), 1);
    }

    #[tokio::test]
    async fn the_last_use_is_written_down_now_and_then() {
        let store = store();
        let tokens = Tokens::load(&store).await.unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let (token, _) = tokens.create("ci", read(), None, now).await.unwrap().unwrap();
        assert!(tokens.note_use(&token.id, now));
        assert!(!tokens.note_use(&token.id, now + Duration::from_secs(59)));
        tokens.keep_uses().await;
        assert_eq!(Tokens::load(&store).await.unwrap().list()[0].last_used_at, Some(now));
        assert!(tokens.note_use(&token.id, now + NOTE_EVERY));
        assert!(!tokens.note_use("tok_nobody", now));
    }

    #[tokio::test]
    async fn tokens_are_bounded_and_those_that_ended_make_room() {
        let tokens = Tokens::load(&store()).await.unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let soon = now + Duration::from_secs(1);
        assert!(tokens.create("mortal", read(), Some(soon), now).await.unwrap().is_some());
        for _ in 1..MOST {
            assert!(tokens.create("t", read(), None, now).await.unwrap().is_some());
        }
        assert!(tokens.create("one too many", read(), None, now).await.unwrap().is_none());
        assert!(tokens.create("after one ended", read(), None, soon).await.unwrap().is_some());
    }
}
