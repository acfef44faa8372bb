//! Following the bucket of the small shared state, so that whoever waits for a change hears of it at once.
//!
//! Only revisions are kept: what a value is, is read from the stream's leader when somebody wants to know.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use futures_util::StreamExt as _;
use tokio::sync::watch;

use crate::shared::Shared;

/// How long to wait before following again, where that broke off.
const PAUSE: Duration = Duration::from_millis(250);

/// The last revision of every value, as far as this gateway has heard.
#[derive(Debug, Default)]
pub(crate) struct Values {
    /// By subject. Held for a look or a note.
    revisions: Mutex<HashMap<String, u64>>,
    heard: watch::Sender<()>,
}

impl Values {
    /// A value has this revision, or a later one.
    pub(crate) fn note(&self, subject: &str, revision: u64) {
        let mut revisions = self.revisions.lock().unwrap_or_else(PoisonError::into_inner);
        match revisions.get_mut(subject) {
            Some(known) if *known >= revision => return,
            Some(known) => *known = revision,
            None => {
                revisions.insert(subject.to_owned(), revision);
            }
        }
        drop(revisions);
        self.heard.send_replace(());
    }

    fn is_other(&self, subject: &str, known: u64) -> bool {
        let revisions = self.revisions.lock().unwrap_or_else(PoisonError::into_inner);
        // What was read from the leader may be newer than what was heard.
        revisions.get(subject).is_some_and(|revision| *revision > known)
    }

    /// Resolves when a value has a later revision than the known one (0: when it has any).
    pub(crate) async fn changed(&self, subject: &str, known: u64) {
        let mut heard = self.heard.subscribe();
        while !self.is_other(subject, known) {
            // The sender is in `self`.
            let _ = heard.changed().await;
        }
    }
}

/// Follows until the store is closed.
pub(crate) async fn follow(shared: Arc<Shared>) {
    let closed = shared.closed.clone();
    loop {
        match closed.run_until_cancelled(follow_once(&shared)).await {
            None => return,
            Some(Err(error)) => {
                tracing::debug!(%error, "following the shared state broke off; it begins again")
            }
            Some(Ok(())) => {}
        }
        if closed.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
            return;
        }
    }
}

async fn follow_once(shared: &Shared) -> Result<(), async_nats::Error> {
    let context = jetstream::new(shared.link.client.clone());
    let stream = context.get_stream_no_info(&shared.names.state).await?;
    let config = OrderedConfig {
        // What changed while nobody followed is heard, too.
        deliver_policy: DeliverPolicy::LastPerSubject,
        filter_subject: shared.names.all_values(),
        headers_only: true,
        ..OrderedConfig::default()
    };
    let mut messages = stream.create_consumer(config).await?.messages().await?;
    while let Some(message) = messages.next().await {
        let message = message?;
        let sequence = message.info()?.stream_sequence;
        shared.values.note(&message.subject, sequence);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_heard_once_and_an_old_one_is_none() {
        let values = Arc::new(Values::default());
        values.note("a", 5);
        values.changed("a", 0).await;
        values.changed("a", 4).await;
        let waiting = values.changed("a", 5);
        tokio::pin!(waiting);
        values.note("a", 4);
        values.note("b", 9);
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        values.note("a", 6);
        waiting.await;
    }
}
