//! Who may stop the process, and what it waits for.
//!
//! A soft stop ends what begins: no connection, no lease. A hard stop ends what is under way. Every task is spawned
//! through the tracker, so that a drain knows when nothing runs any more.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long what is in flight may take after a soft stop.
pub const DRAIN: Duration = Duration::from_secs(20);

/// How long a connection that says nothing may go on after a soft stop. Its next request may be on the way already: within
/// this time it is answered, and the answer says that it is the last.
pub const LAST_CALL: Duration = Duration::from_millis(500);

/// The tokens and the tracker.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    /// Begin nothing new.
    pub soft: CancellationToken,
    /// End what is under way.
    pub hard: CancellationToken,
    /// Everything that runs.
    pub tracker: TaskTracker,
    /// Read again what others may have changed: counts up with each SIGHUP.
    pub reload: watch::Sender<u64>,
}

impl Lifecycle {
    /// Stops softly at the first SIGTERM or SIGINT, hard at the second.
    ///
    /// # Errors
    /// When the process may not install signal handlers.
    pub fn stop_on_signals(&self) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let tokens = [self.soft.clone(), self.hard.clone()];
        listen(async move {
            for token in tokens {
                tokio::select! {
                    _ = terminate.recv() => token.cancel(),
                    _ = interrupt.recv() => token.cancel(),
                }
            }
        });
        Ok(())
    }

    /// Asks for a reload at each SIGHUP, which would end the process otherwise: right for a service, wrong for what ends
    /// with its terminal.
    ///
    /// # Errors
    /// When the process may not install signal handlers.
    pub fn reload_on_hangup(&self) -> std::io::Result<()> {
        let (mut hangup, reload) = (signal(SignalKind::hangup())?, self.reload.clone());
        listen(async move {
            while hangup.recv().await.is_some() {
                reload.send_modify(|count| *count = count.wrapping_add(1));
            }
        });
        Ok(())
    }

    /// Waits until a soft stop is so long ago that whoever said nothing meanwhile is let go.
    pub async fn last_call(&self) {
        self.soft.cancelled().await;
        tokio::time::sleep(LAST_CALL).await;
    }

    /// Stops softly, waits for what is in flight, then stops hard. Answers whether everything ended by itself.
    pub async fn drain(&self, patience: Duration) -> bool {
        self.soft.cancel();
        self.tracker.close();
        let in_time = tokio::select! {
            () = self.tracker.wait() => true,
            () = self.hard.cancelled() => false,
            () = tokio::time::sleep(patience) => false,
        };
        self.hard.cancel();
        self.tracker.wait().await;
        in_time
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "it listens until the process ends: a drain must not wait for it"
)]
fn listen(listening: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(listening));
}
