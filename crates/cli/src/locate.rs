//! Which configuration, and which store's folder, a command means.

use std::path::{Path, PathBuf};

use hookhouse_server::Runtime;
use hookhouse_server::config::{self, Config};
use hookhouse_server::store::Encryption;

use crate::Global;
use crate::contexts::book::{Book, Context};
use crate::dev::house;
use crate::dev::secrets::Secrets;
use crate::dev::stand_in::StandIn;
use crate::exit::{Code, Failure};

/// Where `dev` keeps its data unless told otherwise.
pub(crate) const DEV_FOLDER: &str = ".hookhouse";

/// The configuration that was named, or the first that lies in one of the usual places.
pub(crate) fn config_file(global: &Global) -> Result<Option<PathBuf>, Failure> {
    if let Some(named) = &global.config {
        return if named.is_file() {
            Ok(Some(named.clone()))
        } else {
            Err(Failure::new(
                Code::Configuration,
                format!("there is no configuration at {}", named.display()),
            ))
        };
    }
    let usual = ["hookhouse.toml", "/etc/hookhouse/hookhouse.toml"].map(PathBuf::from);
    Ok(usual.into_iter().find(|file| file.is_file()))
}

/// The configuration that a command cannot do without.
pub(crate) fn required_config(global: &Global) -> Result<PathBuf, Failure> {
    config_file(global)?.ok_or_else(|| {
        Failure::new(
            Code::Configuration,
            "there is no hookhouse.toml here or in /etc/hookhouse: write one with `hookhouse init`, name one with \
             --config, or start without any with `hookhouse dev`",
        )
    })
}

/// Reads and checks a configuration; says what is wrong with it on stderr.
pub(crate) fn load(file: &Path) -> Result<config::Loaded, Failure> {
    match config::load(file, &config::ProcessEnv) {
        Ok(loaded) => {
            if !loaded.warnings.is_empty() {
                anstream::eprintln!("{}", loaded.warnings.render(crate::terminal::colours_stderr()));
            }
            Ok(loaded)
        }
        Err(diagnostics) => {
            anstream::eprintln!("{}", diagnostics.render(crate::terminal::colours_stderr()));
            Err(Failure::silent(Code::Configuration))
        }
    }
}

/// Where the server is that a command asks.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// On this machine, found through its store's folder; and the configuration that says so, if one does.
    Folder(PathBuf, Option<PathBuf>),
    /// Elsewhere, by the name of its context.
    Elsewhere(String, Context),
}

impl Place {
    /// What to say when no server answers there.
    pub(crate) fn unreachable(&self) -> Failure {
        let message = match self {
            Self::Folder(folder, _) => crate::admin::nobody(folder),
            Self::Elsewhere(name, context) => {
                format!("no server answers at {} (context `{name}`)", context.url)
            }
        };
        Failure::new(Code::Unreachable, message)
    }
}

/// The server that is meant: the configuration's that is named with `--config`, else the context's, else this machine's.
pub(crate) fn place(global: &Global) -> Result<Place, Failure> {
    if global.config.is_some() {
        return local(global);
    }
    let mut book = Book::open()?;
    let Some(name) = global.context.clone().or_else(|| book.current.take()) else {
        return local(global);
    };
    let context = book.find(&name)?.clone();
    if global.context.is_none() && std::io::IsTerminal::is_terminal(&std::io::stderr()) {
        anstream::eprintln!("asking {} (context {name})", context.url);
    }
    Ok(Place::Elsewhere(name, context))
}

/// The folder of the store that is meant: the configuration's, else `dev`'s.
///
/// Only `[store]` is read, so that looking at events does not need the secrets of the server.
fn local(global: &Global) -> Result<Place, Failure> {
    let file = config_file(global)?;
    let folder = match &file {
        Some(file) => config::store_folder(file).map_err(|error| Failure::new(Code::Configuration, error))?,
        None => PathBuf::from(DEV_FOLDER),
    };
    Ok(Place::Folder(folder, file))
}

/// The keys of a store whose payloads are encrypted, for reading it without its server.
pub(crate) fn keys(config: Option<&Path>) -> Result<Encryption, Failure> {
    match config {
        Some(file) => config::store_keys(file).map_err(|error| Failure::new(Code::Configuration, error)),
        None => Ok(Encryption::default()),
    }
}

/// The configuration that is meant: the file's, or the one `dev` lives in; and where its server listens.
pub(crate) fn house(global: &Global) -> Result<(Config, Option<Runtime>), Failure> {
    if let (Some(name), None) = (&global.context, &global.config) {
        return Err(Failure::new(
            Code::Usage,
            format!(
                "this needs the server's configuration and its secrets, and context `{name}` has neither: run it there, \
                 or name the configuration with --config"
            ),
        ));
    }
    if let Some(file) = config_file(global)? {
        let config = load(&file)?.config;
        let runtime = Runtime::read(&config.store.path);
        return Ok((config, runtime));
    }
    let folder = Path::new(DEV_FOLDER);
    let runtime = Runtime::read(folder).ok_or_else(|| {
        Failure::new(
            Code::Unreachable,
            "there is no hookhouse.toml here, and `hookhouse dev` does not run here",
        )
    })?;
    let ingress =
        *runtime.ingress.first().ok_or_else(|| Failure::new(Code::Unreachable, "dev takes no webhooks"))?;
    let secrets = Secrets::keep(folder)?;
    let stand_in = StandIn::read(folder);
    let plan = house::Plan {
        folder,
        ingress,
        admin: runtime.admin,
        public_url: runtime.public_url.as_deref(),
        forward_to: None,
        secrets: &secrets,
        x: stand_in.as_ref(),
    };
    Ok((house::config(&plan)?, Some(runtime)))
}
