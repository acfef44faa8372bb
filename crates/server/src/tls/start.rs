//! Everything of TLS that a server runs with, at its start and when its configuration changes.
//!
//! A front stays for as long as what it was made of does, with its certificates, its ticket keys and whoever renews them.
//! Another one is made beside it first, and only when everything else is ready too takes its place.

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use hookhouse_core::Clock;
use tokio::sync::watch::Sender;
use tokio_util::sync::CancellationToken;

use super::acme::{self, Challenges};
use super::certificates::Certificates;
use super::expiry;
use super::front::{self, Front};
use super::keyring::Keyring;
use super::settings::{Acme, KeyFiles, Tls};
use super::watch::{self, Fingerprint, Watch};
use crate::lifecycle::Lifecycle;
use crate::vault::Vault;

/// What is asked of TLS.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    /// For each listener, how it speaks TLS, if it does.
    pub(crate) listeners: Vec<Option<&'a Tls>>,
    /// The names that the configuration speaks of.
    pub(crate) names: Vec<String>,
    /// How many connections there may be.
    pub(crate) connections: usize,
}

/// Every front that is in use.
#[derive(Debug)]
pub(crate) struct Fronts {
    /// Where accounts and certificates are kept.
    folder: PathBuf,
    /// The same, where the gateways of a cluster share them.
    vault: Option<Vault>,
    clock: Arc<dyn Clock>,
    lifecycle: Lifecycle,
    /// Counts up when files are to be looked at, whether they seem to have changed or not.
    recheck: Sender<u64>,
    /// What an authority's probes are answered with.
    pub(crate) challenges: Arc<Challenges>,
    /// What is shown, for operators.
    pub(crate) certificates: Arc<Certificates>,
    /// Looked at when the configuration changes, and by nobody else.
    kept: Mutex<Vec<Kept>>,
}

/// A front, and what it was made of.
#[derive(Debug, Clone)]
struct Kept {
    tls: Tls,
    names: Vec<String>,
    connections: usize,
    from: String,
    keyring: Arc<Keyring>,
    front: Arc<Front>,
    /// Ends whoever renews its certificates.
    stop: CancellationToken,
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Fronts that are ready and not in use yet.
pub(crate) struct Prepared {
    /// For each listener, what connections pass first; `None` where it is plain.
    pub(crate) fronts: Vec<Option<Arc<Front>>>,
    kept: Vec<Kept>,
    /// Who renews the certificates of the new ones.
    tasks: Vec<Task>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("fronts", &self.fronts).finish_non_exhaustive()
    }
}

/// Why it does not run.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate or key that was good a moment ago.
    #[error("{}: {why}", .file.display())]
    Files {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The library refused.
    #[error("TLS cannot start")]
    Library(#[source] rustls::Error),
    /// No certificates can be ordered.
    #[error("certificates cannot be ordered: {0}")]
    Acme(String),
}

impl Fronts {
    /// None yet; whatever comes, its end is watched.
    pub(crate) fn new(
        folder: PathBuf,
        vault: Option<Vault>,
        clock: Arc<dyn Clock>,
        lifecycle: Lifecycle,
    ) -> Self {
        let certificates = Arc::<Certificates>::default();
        let watching = expiry::watch(Arc::clone(&certificates), Arc::clone(&clock), lifecycle.soft.clone());
        lifecycle.tracker.spawn(watching);
        Self {
            folder,
            vault,
            clock,
            lifecycle,
            recheck: Sender::default(),
            challenges: Arc::default(),
            certificates,
            kept: Mutex::default(),
        }
    }

    /// Makes what is missing; what is in use is not touched.
    ///
    /// # Errors
    /// When a certificate cannot be used.
    pub(crate) fn prepare(&self, wanted: &Wanted<'_>) -> Result<Prepared, TlsError> {
        let former = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let room = front::room(wanted.connections);
        let mut prepared = Prepared { fronts: Vec::new(), kept: Vec::new(), tasks: Vec::new() };
        for tls in &wanted.listeners {
            let Some(tls) = tls else {
                prepared.fronts.push(None);
                continue;
            };
            if let Some(shared) = prepared.kept.iter().find(|kept| kept.tls == **tls) {
                prepared.fronts.push(Some(Arc::clone(&shared.front)));
                continue;
            }
            let stays = |kept: &&Kept| {
                kept.tls == **tls && kept.names == wanted.names && kept.connections == wanted.connections
            };
            let kept = match former.iter().find(stays) {
                Some(kept) => kept.clone(),
                None => {
                    let stop = self.lifecycle.soft.child_token();
                    let (from, keyring, probes, task) = match tls {
                        Tls::Files(files) => self.of_files(files, &wanted.names, stop.clone())?,
                        Tls::Acme(settings) => self.of_authority(settings, &former, stop.clone())?,
                    };
                    let front = Front::new(Arc::clone(&keyring), probes, Arc::clone(&room));
                    let front = Arc::new(front.map_err(TlsError::Library)?);
                    prepared.tasks.push(task);
                    let (names, connections) = (wanted.names.clone(), wanted.connections);
                    Kept { tls: (*tls).clone(), names, connections, from, keyring, front, stop }
                }
            };
            prepared.fronts.push(Some(Arc::clone(&kept.front)));
            prepared.kept.push(kept);
        }
        Ok(prepared)
    }

    /// From now on these are in use, and no others.
    pub(crate) fn commit(&self, prepared: Prepared) {
        let keyrings = prepared.kept.iter().map(|kept| (kept.from.clone(), Arc::clone(&kept.keyring)));
        self.certificates.set(keyrings.collect());
        prepared.tasks.into_iter().for_each(|task| drop(self.lifecycle.tracker.spawn(task)));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for former in std::mem::replace(&mut *kept, prepared.kept) {
            if !kept.iter().any(|kept| Arc::ptr_eq(&kept.front, &former.front)) {
                former.stop.cancel();
            }
        }
    }

    /// Has every file of a certificate read again.
    pub(crate) fn recheck(&self) {
        self.recheck.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn of_files(
        &self,
        files: &[KeyFiles],
        names: &[String],
        stop: CancellationToken,
    ) -> Result<Made, TlsError> {
        let loaded = Fingerprint::of(files);
        let pairs = watch::load(files).map_err(|(files, why)| TlsError::Files {
            file: if why.is_about_key() { files.key } else { files.cert },
            why: why.to_string(),
        })?;
        let keyring = Keyring::new(pairs);
        let watch = Watch {
            files: files.to_vec(),
            keyring: Arc::clone(&keyring),
            wanted: names.to_vec(),
            clock: Arc::clone(&self.clock),
        };
        let task = Box::pin(watch.run(loaded, self.recheck.subscribe(), stop));
        let from = files.first().map(|files| files.cert.display().to_string()).unwrap_or_default();
        Ok((from, keyring, None, task))
    }

    /// The certificates that an authority issued before are shown until it has issued others.
    fn of_authority(
        &self,
        settings: &Acme,
        former: &[Kept],
        stop: CancellationToken,
    ) -> Result<Made, TlsError> {
        let former = former.iter().find(|kept| matches!(kept.tls, Tls::Acme(_)));
        let keyring = Keyring::new(former.map_or_else(Vec::new, |kept| kept.keyring.pairs().to_vec()));
        let renewal = acme::Renewal::new(
            settings.clone(),
            &self.folder,
            self.vault.clone(),
            Arc::clone(&keyring),
            Arc::clone(&self.challenges),
            Arc::clone(&self.clock),
        )
        .map_err(TlsError::Acme)?;
        let task = Box::pin(renewal.run(stop));
        Ok((settings.directory.clone(), keyring, Some(Arc::clone(&self.challenges)), task))
    }
}

/// Where certificates come from, what they are kept on, what answers an authority's probes, and who renews them.
type Made = (String, Arc<Keyring>, Option<Arc<Challenges>>, Task);
