//! How far a listener has come: kept on the server under a name, so that it goes on where it stopped, from wherever.
//!
//! The cursor follows what the application took and never runs ahead of it. It is saved beside the forwarding, a few times
//! a second, and at the end: only a process that is killed repeats the events since the last save.

use std::time::Duration;

use data_encoding::HEXLOWER;
use hookhouse_core::Sequence;
use hookhouse_server::admin::cursors::{CursorView, MoveCursor};
use http::Method;
use tokio::sync::watch;

use crate::admin::Client;
use crate::exit::{Code, Failure, Outcome};

/// Between two saves: each is a write to the server's store.
const BETWEEN: Duration = Duration::from_millis(100);

/// The pauses after a save that did not work: the first, and the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// A cursor that is ours until somebody else takes it.
#[derive(Debug)]
pub(super) struct Bookmark {
    client: Client,
    name: String,
    holder: String,
}

impl Bookmark {
    /// Takes a cursor over, and puts it to a place if one is given. A new one begins at the end of the log.
    pub(super) async fn take(
        client: Client,
        name: String,
        after: Option<u64>,
    ) -> Result<(Self, CursorView), Failure> {
        let holder = HEXLOWER.encode(&rand::random::<[u8; 8]>());
        let bookmark = Self { client, name, holder };
        let taken = bookmark.put(after, true).await?;
        Ok((bookmark, taken))
    }

    /// Forgets a cursor.
    pub(super) async fn forget(client: &Client, name: &str) -> Outcome {
        client.send(Method::DELETE, &format!("cursors/{name}"), None).await.map(drop)
    }

    /// Saves the places that come, until there are no more of them. Ends early when somebody else took the cursor.
    pub(super) async fn follow(&self, mut places: watch::Receiver<u64>) -> Outcome {
        let mut pause = BACK_OFF.0;
        while places.changed().await.is_ok() {
            loop {
                let place = *places.borrow_and_update();
                match self.put(Some(place), false).await {
                    Ok(_) => {
                        pause = BACK_OFF.0;
                        tokio::time::sleep(BETWEEN).await;
                        break;
                    }
                    // Whoever reads the events says that the connection is lost.
                    Err(failure) if failure.code() == Code::Unreachable => {
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(BACK_OFF.1);
                    }
                    Err(failure) => return Err(failure),
                }
            }
        }
        Ok(())
    }

    /// Saves a place for the last time.
    pub(super) async fn save(&self, place: u64) -> Outcome {
        self.put(Some(place), false).await.map(drop)
    }

    async fn put(&self, after: Option<u64>, take: bool) -> Result<CursorView, Failure> {
        let asked = MoveCursor { after: after.map(Sequence), holder: self.holder.clone(), take };
        self.client.ask(Method::PUT, &format!("cursors/{}", self.name), Some(&asked)).await
    }
}
