//! `hookhouse.toml`: from text to a [`Config`] in which everything was checked.
//!
//! ```text
//! text ─▶ syntax ─▶ sections ─▶ fields (reader: serde, every mistake at its caret) ─▶ meaning ─▶ Config
//!            │          │            │                                                 │
//!            └──────────┴────────────┴───────────── report ───────────────────────────┘
//!                                                      └▶ Diagnostics: file order, secrets masked, rendered
//! ```
//!
//! One reading finds everything: no mistake hides another, and none is reported twice. Two kinds of types do it. What
//! serde reads is made of `Field`s, which can be missing, faulty or given, with their places in the file; what the
//! program uses is [`model`], which has neither. `document` reads the sections in order (`server`, `admin`, `store`,
//! `destination`, `source`) and then checks what holds between them.
//!
//! [`template`](fn@template) is the other direction: the file that `hookhouse init` writes.

mod address;
mod admin;
mod cluster;
mod destination;
mod diagnostic;
mod diagnostics;
mod document;
mod effective;
mod encryption;
mod environment;
mod field;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod listen;
mod listener;
mod loader;
mod masking;
pub mod model;
mod moment;
mod network;
mod numbers;
mod prints;
mod reader;
mod report;
mod reuse;
mod running;
mod secret;
mod section;
mod server;
mod source;
mod store;
mod suggestion;
mod syntax;
mod template;
#[cfg(test)]
mod tests;
mod tls;
mod units;

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use hookhouse_store_sqlite::Encryption;
use toml::Spanned;
use toml::de::DeTable;

pub use self::diagnostic::{Code, Diagnostic, Severity};
pub use self::diagnostics::Diagnostics;
pub use self::effective::{Origins, Setting};
pub use self::environment::{Environment, ProcessEnv};
pub use self::listen::Listen;
use self::loader::Loader;
pub use self::model::{
    AdminConfig, AllowIps, Answer, ClusterConfig, ClusterCredentials, ClusterTls, Config, Durability,
    Endpoint, Limits, ListenerConfig, OnFailure, RelaySettings, ServerConfig, Source, SourceSigner,
    StoreConfig, XApi,
};
pub(crate) use self::prints::Prints;
use self::report::Report;
pub(crate) use self::running::Running;
pub use self::source::providers;
pub use self::template::template;
pub use crate::origin::allow::{Counters, Counts};

/// More than any configuration; a larger file is some other file.
const LARGEST: u64 = 4 << 20;

/// A configuration, and what is worth knowing about it.
#[derive(Debug)]
pub struct Loaded {
    /// What the program uses.
    pub config: Config,
    /// What it can live with.
    pub warnings: Diagnostics,
}

/// Reads a file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(path: &Path, environment: &dyn Environment) -> Result<Loaded, Diagnostics> {
    read_file(path, environment, None)
}

/// Reads a file for a server that runs: as [`load`] does, and what cannot change without a restart is a mistake too.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn load_for(
    running: &Running,
    path: &Path,
    environment: &dyn Environment,
) -> Result<Loaded, Diagnostics> {
    read_file(path, environment, Some(running))
}

fn read_file(
    path: &Path,
    environment: &dyn Environment,
    running: Option<&Running>,
) -> Result<Loaded, Diagnostics> {
    let (name, source) = text(path)?;
    let mut loaded = parse_for(running, &source, &name, folder(path), environment)?;
    loaded.config.origins.file = Some(path.to_owned());
    Ok(loaded)
}

/// Reads the text of a file. `name` is what diagnostics call it; relative paths in it start at `base`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(
    source: &str,
    name: &str,
    base: &Path,
    environment: &dyn Environment,
) -> Result<Loaded, Diagnostics> {
    parse_for(None, source, name, base, environment)
}

fn parse_for(
    running: Option<&Running>,
    source: &str,
    name: &str,
    base: &Path,
    environment: &dyn Environment,
) -> Result<Loaded, Diagnostics> {
    let surroundings = Surroundings { name, base, environment, running };
    let (config, diagnostics) = run(source, &surroundings, document::read);
    match config {
        Some((mut config, prints)) if !diagnostics.has_errors() => {
            config.origins = Origins::of(name, base, diagnostics.masked(), prints);
            Ok(Loaded { config, warnings: diagnostics })
        }
        _ => Err(diagnostics),
    }
}

/// The folder of the store that a file names: for whoever looks at events, and needs no secret for it.
///
/// # Errors
/// What is wrong with `[store]`, or keeps it from being found. Mistakes elsewhere do not matter here.
pub fn store_folder(path: &Path) -> Result<PathBuf, Diagnostics> {
    store(path, false).map(|store| store.path)
}

/// The keys of the store that a file names: for whoever reads it without its server.
///
/// # Errors
/// The same, and what is wrong with the keys.
pub fn store_keys(path: &Path) -> Result<Encryption, Diagnostics> {
    store(path, true).map(|store| store.encryption)
}

/// The whole `[store]` that a file describes, with its secrets: for whoever opens it without its server.
///
/// # Errors
/// What is wrong with it.
pub fn store_settings(path: &Path) -> Result<StoreConfig, Diagnostics> {
    store(path, true)
}

fn store(path: &Path, keys: bool) -> Result<StoreConfig, Diagnostics> {
    let (name, source) = text(path)?;
    let surroundings =
        Surroundings { name: &name, base: folder(path), environment: &ProcessEnv, running: None };
    let (store, diagnostics) =
        run(&source, &surroundings, |root, loader| document::read_store(root, keys, loader));
    if diagnostics.has_errors() { Err(diagnostics) } else { Ok(store) }
}

/// In what a text is read.
struct Surroundings<'a> {
    name: &'a str,
    base: &'a Path,
    environment: &'a dyn Environment,
    running: Option<&'a Running>,
}

fn run<T>(
    source: &str,
    around: &Surroundings<'_>,
    read: impl for<'a> FnOnce(&'a Spanned<DeTable<'a>>, &Loader<'a>) -> T,
) -> (T, Diagnostics) {
    let checked = syntax::check(source);
    let report = Report::after_syntax(checked.found, checked.broken, checked.incomplete);
    let (root, _) = DeTable::parse_recoverable(&checked.text);
    let loader = Loader {
        report: &report,
        environment: around.environment,
        base: around.base,
        uses: RefCell::default(),
        read: RefCell::default(),
        running: around.running,
    };
    let read = read(&root, &loader);

    let (found, secret) = report.into_parts();
    let (original, _) = DeTable::parse_recoverable(source);
    let masked = masking::masked(source, &[root.get_ref(), original.get_ref()], &secret);
    (read, Diagnostics::new(around.name, masked, found))
}

/// What relative paths of a file start at.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The name of a file, and what is in it.
fn text(path: &Path) -> Result<(String, String), Diagnostics> {
    let name = path.display().to_string();
    let refuse = |code, message| {
        Diagnostics::new(&name, String::new(), vec![Diagnostic::without_place(code, message)])
    };
    let bytes = read(path)
        .map_err(|error| refuse(Code::UnreadableFile, format!("`{name}` cannot be read: {error}")))?;
    let source = String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        refuse(Code::Syntax, format!("`{name}` is not UTF-8: line {line} has other bytes"))
    })?;
    Ok((name, source))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    let mut bytes = Vec::new();
    let length = file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if u64::try_from(length).unwrap_or(u64::MAX) > LARGEST {
        return Err(io::Error::other("it is too large to be a configuration"));
    }
    Ok(bytes)
}
