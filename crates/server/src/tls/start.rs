//! Everything of TLS that a server starts with.

use std::path::PathBuf;
use std::sync::Arc;

use hookhouse_core::Clock;

use super::acme::{self, Challenges};
use super::certificates::Certificates;
use super::expiry;
use super::front::{self, Front};
use super::keyring::Keyring;
use super::settings::Tls;
use super::watch::{self, Fingerprint, Watch};
use crate::lifecycle::Lifecycle;

/// What it is made of.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    /// For each listener, how it speaks TLS, if it does.
    pub(crate) listeners: Vec<Option<&'a Tls>>,
    /// The names that the configuration speaks of.
    pub(crate) names: Vec<String>,
    /// How many connections there may be.
    pub(crate) connections: usize,
    /// Where accounts and certificates are kept.
    pub(crate) folder: PathBuf,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) lifecycle: Lifecycle,
}

/// What runs.
#[derive(Debug)]
pub(crate) struct Started {
    /// For each listener, what connections pass first; `None` where it is plain.
    pub(crate) fronts: Vec<Option<Arc<Front>>>,
    /// What is shown, for operators.
    pub(crate) certificates: Arc<Certificates>,
    /// What an authority's probes are answered with.
    pub(crate) challenges: Arc<Challenges>,
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

/// Loads certificates, and begins to watch over them.
///
/// # Errors
/// When a certificate cannot be used.
pub(crate) fn start(parts: Parts<'_>) -> Result<Started, TlsError> {
    let Parts { listeners, names, connections, folder, clock, lifecycle } = parts;
    let (room, challenges) = (front::room(connections), Arc::new(Challenges::default()));
    let mut fronts_by_setting: Vec<(&Tls, Arc<Front>)> = Vec::new();
    let (mut fronts, mut keyrings) = (Vec::new(), Vec::new());
    for tls in listeners {
        let Some(tls) = tls else {
            fronts.push(None);
            continue;
        };
        if let Some((_, front)) = fronts_by_setting.iter().find(|(other, _)| *other == tls) {
            fronts.push(Some(Arc::clone(front)));
            continue;
        }
        let (from, keyring, probes) = match tls {
            Tls::Files(files) => {
                let loaded = Fingerprint::of(files);
                let pairs = watch::load(files).map_err(|(files, why)| TlsError::Files {
                    file: if why.is_about_key() { files.key } else { files.cert },
                    why: why.to_string(),
                })?;
                let keyring = Keyring::new(pairs);
                let watch = Watch {
                    files: files.clone(),
                    keyring: Arc::clone(&keyring),
                    wanted: names.clone(),
                    clock: Arc::clone(&clock),
                };
                let running = watch.run(loaded, lifecycle.reload.subscribe(), lifecycle.soft.clone());
                lifecycle.tracker.spawn(running);
                let from = files.first().map(|files| files.cert.display().to_string()).unwrap_or_default();
                (from, keyring, None)
            }
            Tls::Acme(settings) => {
                let keyring = Arc::new(Keyring::default());
                let renewal = acme::Renewal::new(
                    settings.clone(),
                    &folder,
                    Arc::clone(&keyring),
                    Arc::clone(&challenges),
                    Arc::clone(&clock),
                )
                .map_err(TlsError::Acme)?;
                lifecycle.tracker.spawn(renewal.run(lifecycle.soft.clone()));
                (settings.directory.clone(), keyring, Some(Arc::clone(&challenges)))
            }
        };
        let front = Front::new(Arc::clone(&keyring), probes, Arc::clone(&room)).map_err(TlsError::Library)?;
        let front = Arc::new(front);
        keyrings.push((from, keyring));
        fronts_by_setting.push((tls, Arc::clone(&front)));
        fronts.push(Some(front));
    }
    let watched = !keyrings.is_empty();
    let certificates = Arc::new(Certificates::new(keyrings));
    if watched {
        let watching = expiry::watch(Arc::clone(&certificates), clock, lifecycle.soft.clone());
        lifecycle.tracker.spawn(watching);
    }
    Ok(Started { fronts, certificates, challenges })
}
