//! What several pages ask of the server's state.

use crate::admin::AdminState;
use crate::config::Source;

impl AdminState {
    /// What a source's path is put behind: what its provider was told, or else where this server listens.
    pub(super) fn base(&self, source: &Source) -> String {
        self.base_of(Some(source))
    }

    /// As [`AdminState::base`], where the source may be one that is no more.
    pub(super) fn base_of(&self, source: Option<&Source>) -> String {
        match source.and_then(|source| source.public_url.as_ref()) {
            Some(url) => url.to_string(),
            None => self.in_force().url.clone(),
        }
    }

    /// How many deliveries were given up; nothing where the store does not say.
    pub(super) async fn dead(&self) -> u64 {
        let backlogs = self.store.backlogs().await.unwrap_or_default();
        backlogs.iter().map(|backlog| backlog.dead).sum()
    }
}
