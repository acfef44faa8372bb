//! When certificates are ordered: at the first start, and when two thirds of their life are over.
//!
//! A certificate that is kept is used at once, so that a start needs no authority. What fails is tried again, and the
//! certificate in use stays. The wall clock is looked at every hour at least: it can jump, and machines sleep.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::{Clock, Timestamp};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::cache::Cache;
use super::challenges::Challenges;
use super::client::Client;
use super::keeping::{Keeping, Shared};
use super::order::{Orders, unusable};
use crate::duty::Duty;
use crate::tls::facts::Facts;
use crate::tls::keyring::Keyring;
use crate::tls::settings::Acme;
use crate::tls::{Pair, read};
use crate::vault::Vault;

/// Between two looks at the clock.
const LOOK: Duration = Duration::from_secs(3600);

/// Keeps a keyring filled.
#[derive(Debug)]
pub(crate) struct Renewal {
    orders: Orders,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
}

impl Renewal {
    /// # Errors
    /// In words, when there is nowhere to keep what is issued, or nobody to trust.
    pub(crate) fn new(
        settings: Acme,
        folder: &Path,
        vault: Option<Vault>,
        keyring: Arc<Keyring>,
        challenges: Arc<Challenges>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let keeping =
            match vault {
                Some(vault) => Keeping::Shared(Shared::new(vault, &settings)),
                None => Keeping::Folder(Cache::open(folder, &settings.directory).map_err(|error| {
                    format!("no folder for certificates in {}: {error}", folder.display())
                })?),
            };
        let roots = match &settings.ca {
            Some(file) => roots(file).map_err(|why| format!("{}: {why}", file.display()))?,
            None => hookhouse_delivery::connect::system_roots(),
        };
        let client = Client::new(roots).map_err(|error| error.to_string())?;
        Ok(Self { orders: Orders { settings, keeping, client, challenges }, keyring, clock })
    }

    /// Orders and renews until the soft stop; on a cluster, when it is this gateway's turn.
    pub(crate) async fn run(self, soft: CancellationToken) {
        match &self.orders.keeping {
            Keeping::Folder(_) => {
                soft.run_until_cancelled(self.keep_filled()).await;
            }
            Keeping::Shared(shared) => {
                let duty = Duty::new(&shared.vault().store, &self.clock, &shared.duty);
                tokio::select! {
                    // Gives the lease back before it ends.
                    () = duty.run(soft, || self.keep_filled()) => {}
                    () = self.show_what_others_ordered(shared) => {}
                    () = shared.answer_probes(&self.orders.challenges) => {}
                }
            }
        }
    }

    async fn show_what_others_ordered(&self, shared: &Shared) {
        let mut known = None;
        loop {
            let Some(pair) = shared.next_certificate(&mut known).await else { continue };
            let shown = self.keyring.pairs();
            let is_newer = shown.first().is_none_or(|shown| shown.facts.not_after < pair.facts.not_after);
            if is_newer && unusable(&pair, &self.orders.settings.names, self.clock.now()).is_none() {
                let Facts { names, not_after, .. } = &pair.facts;
                tracing::info!(event = "tls.shared", names = names.join(" "), %not_after, "in use from now on");
                self.keyring.swap(vec![pair]);
            }
        }
    }

    async fn keep_filled(&self) {
        if let Some(pair) = self.orders.keeping.certificate().await {
            match unusable(&pair, &self.orders.settings.names, self.clock.now()) {
                None => self.keyring.swap(vec![pair]),
                Some(why) => {
                    tracing::info!(event = "tls.cache", why, "the certificate that was kept is not used")
                }
            }
        }
        let (mut backoff, mut early) = (Backoff::default(), rand::random::<f64>());
        loop {
            if let Some(pair) = self.keyring.pairs().first()
                && unusable(pair, &self.orders.settings.names, self.clock.now()).is_none()
                && let Some(wait) = until_renewal(&pair.facts, early, self.clock.now())
            {
                sleep(wait.min(LOOK)).await;
                continue;
            }
            match self.orders.place(&*self.clock).await {
                Ok(pair) => {
                    backoff.reset();
                    early = rand::random();
                    let pause = self.use_new(pair);
                    sleep_until(pause).await;
                }
                Err(failure) => {
                    let wait = backoff.next(failure.kind, self.orders.client.take_wanted(), rand::random());
                    let (why, again_in) = (failure.why, wait.as_secs());
                    let urgent = self
                        .keyring
                        .pairs()
                        .first()
                        .is_none_or(|pair| pair.facts.expired(self.clock.now()).is_some());
                    if urgent {
                        tracing::error!(
                            event = "tls.order_failed",
                            why,
                            again_in,
                            "there is no certificate that is good now"
                        );
                    } else {
                        tracing::warn!(
                            event = "tls.order_failed",
                            why,
                            again_in,
                            "the certificate in use is kept"
                        );
                    }
                    self.keyring.tell(Some(why));
                    sleep(wait).await;
                }
            }
        }
    }

    /// Shows a new certificate from now on. Answers until when no other is ordered, whatever its dates say: an authority
    /// that issues what is old already is not asked again and again.
    fn use_new(&self, pair: Pair) -> Instant {
        let Facts { names, not_before, not_after, .. } = &pair.facts;
        tracing::info!(event = "tls.issued", names = names.join(" "), %not_after, "in use from now on");
        let pause = life(*not_before, *not_after) / 10;
        self.keyring.swap(vec![pair]);
        Instant::now() + pause
    }
}

/// How long until a certificate is renewed; `None` when it is time. `early` between zero and one spreads machines that
/// were set up together over a twentieth of its life.
fn until_renewal(facts: &Facts, early: f64, now: Timestamp) -> Option<Duration> {
    let life = life(facts.not_before, facts.not_after);
    let at = life * 2 / 3 - life.mul_f64(early.clamp(0.0, 1.0) / 20.0);
    let age = now.duration_since(facts.not_before);
    if age.is_negative() {
        return Some(at);
    }
    at.checked_sub(age.unsigned_abs()).filter(|left| !left.is_zero())
}

fn life(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// The certificates of a file, as those that are trusted.
///
/// # Errors
/// In words.
pub(crate) fn roots(file: &Path) -> Result<RootCertStore, String> {
    let pem = read(file).map_err(|error| format!("it cannot be read: {error}"))?;
    let mut roots = RootCertStore::empty();
    for der in CertificateDer::pem_slice_iter(&pem) {
        let der = der.map_err(|_| "it is not PEM".to_owned())?;
        roots.add(der).map_err(|_| "a certificate in it cannot be read as one".to_owned())?;
    }
    if roots.is_empty() { Err("it has no certificate in it".to_owned()) } else { Ok(roots) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_after_two_thirds_of_its_life_or_somewhat_earlier() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let facts = Facts { names: Vec::new(), not_before: at(0), not_after: at(6_000), gap: None };
        let left = |early, now| until_renewal(&facts, early, at(now)).map(|left| left.as_secs());
        assert_eq!((left(0.0, 0), left(0.0, 3_999)), (Some(4_000), Some(1)));
        assert_eq!((left(0.0, 4_000), left(0.0, 9_000)), (None, None));
        assert_eq!((left(1.0, 0), left(1.0, 3_700)), (Some(3_700), None));
        assert_eq!(left(0.0, -100), Some(4_000), "a clock that is behind is no reason to order");
        let none = Facts { not_after: at(-1), ..facts };
        assert_eq!(until_renewal(&none, 0.5, at(0)), None);
    }
}
