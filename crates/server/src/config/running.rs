//! What a running server cannot change: a file that is read for it says so at the key.

use super::diagnostic::{Code, Diagnostic, Span};
use super::listen::Listen;
use super::loader::Loader;
use super::model::{Config, StoreConfig};
use super::section::Section;

/// The settings that hold until the process ends.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    store: StoreConfig,
    admin: Listen,
}

impl Running {
    /// Those of the configuration that a server was started with.
    pub(crate) fn of(config: &Config) -> Self {
        Self { store: config.store.clone(), admin: config.admin.listen.clone() }
    }

    /// Where operators are listened for.
    pub(crate) fn admin(&self) -> &Listen {
        &self.admin
    }
}

impl Loader<'_> {
    /// Reports each setting of the store that is another one than the running server's. Every field is named here, so
    /// that a new one is thought of.
    pub(super) fn keep_store(&self, section: Option<&Section<'_>>, store: &StoreConfig) {
        let Some(running) = self.running else { return };
        let StoreConfig { path, cluster, reserve, retention_age, retention_size, encryption, seal } =
            &running.store;
        let changed = [
            ("path", *path != store.path),
            ("url", *cluster != store.cluster),
            ("reserve", *reserve != store.reserve),
            ("retention", (*retention_age, *retention_size) != (store.retention_age, store.retention_size)),
            ("encrypt", *encryption != store.encryption),
            ("seal", *seal != store.seal),
        ];
        for (key, _) in changed.iter().filter(|(_, changed)| *changed) {
            self.keep("store", key, section);
        }
    }

    /// Reports that the admin listener is to be elsewhere.
    pub(super) fn keep_admin(&self, section: Option<&Section<'_>>, listen: &Listen) {
        if self.running.is_some_and(|running| running.admin != *listen) {
            self.keep("admin", "listen", section);
        }
    }

    fn keep(&self, name: &str, key: &str, section: Option<&Section<'_>>) {
        let message = format!("`{name}.{key}` cannot change while the server runs");
        let place: Option<Span> = section.map(|section| section.place(key));
        let found = match place {
            Some(place) => Diagnostic::error(Code::NeedsRestart, &place, message),
            None => Diagnostic::without_place(Code::NeedsRestart, message),
        };
        self.report.push(
            found
                .label("not what the server was started with")
                .help("restart it: `hookhouse serve --take-over` loses no request"),
        );
    }
}
