//! Certificates that somebody else renews: looked at once a second, read when they changed, used when they are good.
//!
//! What a path leads to is looked at, not the path: certbot and Kubernetes renew by turning a link to other files. A
//! change counts once it has stood for one look, since certificate and key are rarely written at once; what is then still
//! wrong is refused, said once, and tried again when the files change again or a SIGHUP asks for it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::Clock;
use tokio::sync::watch::Receiver;
use tokio_util::sync::CancellationToken;

use super::keyring::{Keyring, check_swap};
use super::pair::{Pair, PairError};
use super::settings::KeyFiles;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// Files, and what is made of them.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    pub(crate) files: Vec<KeyFiles>,
    pub(crate) keyring: Arc<Keyring>,
    /// The names that the configuration speaks of: a certificate that loses one is not taken.
    pub(crate) wanted: Vec<String>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What files are, without what is in them: where they lie, how long they are, when they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint(Vec<Option<[i128; 4]>>);

impl Fingerprint {
    pub(crate) fn of(files: &[KeyFiles]) -> Self {
        Self(files.iter().flat_map(|pair| [&pair.cert, &pair.key]).map(|file| look(file)).collect())
    }
}

fn look(file: &Path) -> Option<[i128; 4]> {
    let found = std::fs::metadata(file).ok()?;
    let at = |seconds: i64, nanoseconds: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    Some([
        (i128::from(found.dev()) << 64) | i128::from(found.ino()),
        i128::from(found.size()),
        at(found.mtime(), found.mtime_nsec()),
        at(found.ctime(), found.ctime_nsec()),
    ])
}

/// Reads every pair.
///
/// # Errors
/// The first that cannot be used, with its files.
pub(crate) fn load(files: &[KeyFiles]) -> Result<Vec<Pair>, (KeyFiles, PairError)> {
    files.iter().map(|pair| Pair::load(pair).map_err(|why| (pair.clone(), why))).collect()
}

impl Watch {
    /// Watches until the soft stop. `loaded` is what the files were before what is in use was read.
    pub(crate) async fn run(self, loaded: Fingerprint, mut reload: Receiver<u64>, soft: CancellationToken) {
        let (mut tried, mut last) = (loaded.clone(), loaded);
        loop {
            let asked = tokio::select! {
                () = soft.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => false,
                changed = reload.changed() => match changed {
                    Ok(()) => true,
                    Err(_) => return,
                },
            };
            let (this, before) = (self.clone(), (tried.clone(), last));
            // A file system can be slow, or far away.
            let looked = tokio::task::spawn_blocking(move || {
                let now = Fingerprint::of(&this.files);
                let try_it = asked || (now != before.0 && now == before.1);
                if try_it {
                    this.reload();
                }
                (now, try_it)
            });
            let Ok((now, was_tried)) = looked.await else { return };
            if was_tried {
                tried = now.clone();
            }
            last = now;
        }
    }

    fn reload(&self) {
        let old = self.keyring.pairs();
        let new = load(&self.files).map_err(|(files, why)| {
            let file = if why.is_about_key() { files.key } else { files.cert };
            format!("{}: {why}", file.display())
        });
        let checked =
            new.and_then(|new| check_swap(&old, &new, &self.wanted, self.clock.now()).map(|()| new));
        match checked {
            Ok(new) => {
                for pair in &new {
                    let facts = &pair.facts;
                    let names = facts.names.join(" ");
                    tracing::info!(event = "tls.reloaded", names, not_after = %facts.not_after, "in use from now on");
                }
                self.keyring.swap(new);
            }
            Err(why) => {
                tracing::error!(event = "tls.reload_refused", why, "the certificate in use is kept");
                self.keyring.tell(Some(why));
            }
        }
    }
}
