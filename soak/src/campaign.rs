//! A store, a sender, a server and a destination, that are put through the same thing again and again, and audited.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::anyhow;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::application::Application;
use crate::audit::Findings;
use crate::ledger::Ledger;
use crate::load::{Load, SENDERS};
use crate::server::{PATIENCE, Server, Setup};

/// How long something goes on: so many times, or until a moment, whichever comes first.
#[derive(Debug, Clone)]
pub struct Budget {
    /// At most so many times.
    times: u32,
    /// Not begun again after this.
    until: Option<Instant>,
    /// How often it was done, by everybody whose budget this is a part of, for whoever looks on.
    done: Arc<AtomicU32>,
    /// What of that was ours.
    ours: Arc<AtomicU32>,
}

impl Budget {
    /// So many times, however long it takes.
    #[must_use]
    pub fn times(times: u32) -> Self {
        Self { times, until: None, done: Arc::default(), ours: Arc::default() }
    }

    /// So many times, unless it takes longer; `done` shows how often it was done.
    #[must_use]
    pub fn within(length: Duration, times: u32, done: &Arc<AtomicU32>) -> Self {
        Self { times, until: Some(Instant::now() + length), done: Arc::clone(done), ours: Arc::default() }
    }

    /// Whether another round may begin.
    #[must_use]
    pub fn allows(&self, done: u32) -> bool {
        let before = self.ours.swap(done, Ordering::Relaxed);
        self.done.fetch_add(done.saturating_sub(before), Ordering::Relaxed);
        done < self.times && self.until.is_none_or(|until| Instant::now() < until)
    }
}

/// Has two work at it side by side, each with half of the rounds and seeds of its own: a round waits for processes and disks more
/// than it works.
///
/// # Errors
/// When one of the two cannot go on.
pub fn side_by_side<T: Send>(
    budget: &Budget,
    seed: u64,
    work: impl Fn(&Budget, u64) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<[T; 2]> {
    let half = |times| Budget { times, ours: Arc::default(), ..budget.clone() };
    let halves = [half(budget.times.div_ceil(2)), half(budget.times / 2)];
    // A store goes on from its seed by its rounds.
    let seeds = [seed, seed.wrapping_add(1 << 32)];
    std::thread::scope(|scope| {
        let [one, other] = [0, 1].map(|which| {
            let (budget, seed, work) = (&halves[which], seeds[which], &work);
            scope.spawn(move || work(budget, seed))
        });
        let [one, other] =
            [one, other].map(|half| half.join().map_err(|_| anyhow!("the harness panicked"))?);
        Ok([one?, other?])
    })
}

/// What many rounds showed.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Rounds.
    pub rounds: u32,
    /// What the audits found, over all of them.
    pub findings: Findings,
}

impl Outcome {
    /// Takes in what others showed.
    pub fn absorb(&mut self, other: Self) {
        self.rounds += other.rounds;
        self.findings.absorb(other.findings);
    }
}

/// One store and everybody around it.
#[derive(Debug)]
pub struct Campaign {
    /// What only the harness knows: the configuration, the log, the sender's book.
    folder: TempDir,
    /// The server.
    pub server: Server,
    /// The sender's book.
    pub ledger: Arc<Ledger>,
    /// The destination.
    pub application: Application,
    rng: StdRng,
}

impl Campaign {
    /// Sets everything up; nothing runs yet. `store`: where the store lies, if not beside the configuration.
    ///
    /// # Errors
    /// When a folder, a file or a port is not to be had.
    pub fn new(binary: &Path, store: Option<PathBuf>, seed: u64) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let store = store.unwrap_or_else(|| folder.path().join("store"));
        let ledger = Arc::new(Ledger::new(seed, &folder.path().join("ledger"))?);
        let application = Application::start(&ledger)?;
        let server = Server::new(binary, folder.path(), &store);
        let campaign = Self { folder, server, ledger, application, rng: StdRng::seed_from_u64(seed) };
        campaign.server.configure(&campaign.setup())?;
        Ok(campaign)
    }

    /// What its server is told, to begin with.
    #[must_use]
    pub fn setup(&self) -> Setup {
        Setup {
            destination: Some(self.application.address()),
            delivery:
                "retry = { schedule = [\"50ms\", \"200ms\", \"1s\", \"1s\", \"1s\", \"1s\", \"1s\", \"1s\"], \
                       jitter = 0.2 }\n"
                    .to_owned(),
            ..Setup::default()
        }
    }

    /// The harness's own folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Load, for a moment that nobody can foresee: from the first acknowledgements on up to `most` longer.
    ///
    /// # Errors
    /// When nothing is acknowledged.
    pub fn load_for_a_while(&mut self, most: Duration) -> anyhow::Result<Load> {
        let load = Load::start(self.server.ingress, &self.ledger, SENDERS);
        load.wait_for(1)?;
        std::thread::sleep(most.mul_f64(self.rng.random()));
        Ok(load)
    }

    /// Holds the sender's book against the store of the running server.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn audit(&self) -> anyhow::Result<Findings> {
        Ok(Findings::of_store(&self.ledger, &self.server.events()?))
    }

    /// The last audit: the store, and everything acknowledged at the destination, once there was time for it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn settle(&self) -> anyhow::Result<Findings> {
        let findings = self.audit()?;
        let until = Instant::now() + PATIENCE;
        loop {
            let findings = findings.clone().and_destination(&self.ledger, &self.application.taken());
            let waits = findings.undelivered.iter().any(|number| !findings.lost.contains(number));
            if !waits || Instant::now() > until {
                return Ok(findings);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_share_the_rounds_and_whoever_looks_on_sees_all_of_them() {
        let done = Arc::default();
        let budget = Budget::within(PATIENCE, 7, &done);
        let rounds = side_by_side(&budget, u64::MAX, |budget, seed| {
            let mut rounds = 0;
            while budget.allows(rounds) {
                rounds += 1;
            }
            Ok((rounds, seed))
        });
        assert_eq!(rounds.unwrap(), [(4, u64::MAX), (3, u32::MAX.into())]);
        assert_eq!(done.load(Ordering::Relaxed), 7);
        let broken =
            side_by_side(&budget, 0, |_, seed| if seed == 0 { Err(anyhow!("one of two")) } else { Ok(()) });
        assert_eq!(broken.unwrap_err().to_string(), "one of two");
    }
}
