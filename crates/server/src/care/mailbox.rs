//! Signals for a caretaker that may be in another gateway: a value in the shared state.
//!
//! Whoever hears of something posts it; whoever has the caretaker hands it on, and removes it once the caretaker has
//! kept what it says. A gateway that dies in between leaves it there, and the next one says it again, which does no
//! harm: what was missed twice is asked for once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hookhouse_core::store::Revision;
use hookhouse_core::{EventStore, SourceName, StoreError};
use hookhouse_x::Signal;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// Letters that wait; of more, the oldest goes. Challenges and looks are one each, whatever came.
const MOST: usize = 64;
const MOST_RACES: usize = 16;
/// The pause before a store that does not answer is asked again.
const PAUSE: Duration = Duration::from_millis(250);

/// The mailbox of a source.
#[derive(Debug)]
pub(super) struct Mailbox {
    store: Arc<dyn EventStore>,
    key: String,
    /// What this gateway handed on, and whether it was heard. Held for a few lines.
    handed: Mutex<Vec<(Letter, bool)>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Letter {
    id: u64,
    signal: Signal,
}

impl Mailbox {
    pub(super) fn new(store: &Arc<dyn EventStore>, source: &SourceName) -> Arc<Self> {
        let (store, key) = (Arc::clone(store), format!("x/signals/{source}"));
        Arc::new(Self { store, key, handed: Mutex::default() })
    }

    /// Posts what comes, until nothing comes any more.
    pub(super) async fn post_all(&self, mut signals: mpsc::Receiver<Signal>) {
        while let Some(signal) = signals.recv().await {
            while self.post(&signal).await.is_err() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn post(&self, signal: &Signal) -> Result<(), StoreError> {
        let letter = Letter { id: rand::random(), signal: signal.clone() };
        self.change(|letters| {
            // The last challenge says all that those before it do, and one look is as good as two.
            letters.retain(|other| match (&other.signal, signal) {
                (Signal::Challenged(_), Signal::Challenged(_)) | (Signal::Look, Signal::Look) => false,
                (other, signal) => other != signal,
            });
            letters.push(letter.clone());
            letters.drain(..letters.len().saturating_sub(MOST));
        })
        .await
    }

    /// Hands on what is there and what comes.
    pub(super) async fn hand_on(&self, signals: mpsc::Sender<Signal>) {
        self.handed().clear();
        loop {
            let Ok((letters, revision)) = self.read().await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let new: Vec<_> = {
                let mut handed = self.handed();
                handed.retain(|(known, _)| letters.contains(known));
                let new =
                    letters.into_iter().filter(|letter| !handed.iter().any(|(known, _)| known == letter));
                let new: Vec<_> = new.collect();
                handed.extend(new.iter().map(|letter| (letter.clone(), false)));
                new
            };
            for letter in new {
                // Whoever hears ended; so does this, a moment later.
                let _ = signals.send(letter.signal).await;
            }
            self.store.state_changed(&self.key, revision).await;
        }
    }

    /// A signal that was handed on needs to be said no more.
    pub(super) async fn heard(&self, signal: &Signal) {
        let heard = {
            let mut handed = self.handed();
            let letter = handed.iter_mut().find(|(letter, heard)| !heard && letter.signal == *signal);
            letter.map(|(letter, heard)| {
                *heard = true;
                letter.id
            })
        };
        let Some(heard) = heard else { return };
        if let Err(error) = self.change(|letters| letters.retain(|letter| letter.id != heard)).await {
            tracing::debug!(%error, "a signal stays in the mailbox; it will be said again");
        }
    }

    async fn read(&self) -> Result<(Vec<Letter>, Option<Revision>), StoreError> {
        let Some(entry) = self.store.state(&self.key).await? else { return Ok((Vec::new(), None)) };
        // What another version wrote and this one cannot read is nothing to act on.
        Ok((serde_json::from_slice(&entry.value).unwrap_or_default(), Some(entry.revision)))
    }

    async fn change(&self, change: impl Fn(&mut Vec<Letter>)) -> Result<(), StoreError> {
        for _ in 0..MOST_RACES {
            let (mut letters, revision) = self.read().await?;
            let before = letters.clone();
            change(&mut letters);
            if letters == before {
                return Ok(());
            }
            let value = serde_json::to_vec(&letters).map_err(|error| StoreError::Read(error.to_string()))?;
            match self.store.put_state(&self.key, Bytes::from(value), revision).await {
                Err(StoreError::Conflict) => {}
                other => return other.map(drop),
            }
        }
        Err(StoreError::Conflict)
    }

    fn handed(&self) -> std::sync::MutexGuard<'_, Vec<(Letter, bool)>> {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use hookhouse_core::Clock;
    use hookhouse_testkit::clock::FakeClock;
    use hookhouse_testkit::memory::MemoryStore;
    use hookhouse_x::Window;

    use super::*;

    fn outage(second: i64) -> Signal {
        let at = |second| hookhouse_core::Timestamp::from_second(second).unwrap();
        Signal::Outage(Window::new(at(second), at(second + 1)).unwrap())
    }

    #[tokio::test]
    async fn what_was_not_heard_is_said_again_by_the_next_gateway_and_what_was_heard_is_not() {
        let clock: Arc<dyn Clock> = Arc::new(FakeClock::default());
        let store: Arc<dyn EventStore> = Arc::new(MemoryStore::shared(clock));
        let source = "x".parse().unwrap();
        let poster = Mailbox::new(&store, &source);
        for signal in [outage(1), outage(2), Signal::Look, Signal::Look, outage(1)] {
            poster.post(&signal).await.unwrap();
        }
        let take = async |mailbox: &Mailbox, count| {
            let (sender, mut signals) = mpsc::channel(8);
            let mut taken = Vec::new();
            let taking = async {
                while taken.len() < count {
                    taken.push(signals.recv().await.unwrap());
                }
            };
            tokio::select! {
                () = mailbox.hand_on(sender) => {}
                () = taking => {}
            }
            taken
        };
        let first = Mailbox::new(&store, &source);
        assert_eq!(take(&first, 3).await, [outage(2), Signal::Look, outage(1)], "each once");
        first.heard(&outage(2)).await;
        first.heard(&outage(7)).await;
        let second = Mailbox::new(&store, &source);
        assert_eq!(take(&second, 2).await, [Signal::Look, outage(1)]);
        second.heard(&Signal::Look).await;
        second.heard(&outage(1)).await;
        assert_eq!(second.read().await.unwrap().0, []);
    }

    #[tokio::test]
    async fn a_mailbox_that_nobody_empties_stays_small() {
        let clock: Arc<dyn Clock> = Arc::new(FakeClock::default());
        let store: Arc<dyn EventStore> = Arc::new(MemoryStore::shared(clock));
        let mailbox = Mailbox::new(&store, &"x".parse().unwrap());
        for second in 0..100 {
            mailbox.post(&outage(second * 10)).await.unwrap();
        }
        let (letters, _) = mailbox.read().await.unwrap();
        assert_eq!((letters.len(), &letters.last().unwrap().signal), (MOST, &outage(990)));
    }
}
