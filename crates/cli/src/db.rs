//! `hookhouse db`: the store itself: what it holds, whether it is whole, a copy of it.

mod backup;
mod copy;
mod key;
mod stats;
mod verify;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use hookhouse_server::store::{Damage, Encryption, OpenError, Told};
use serde::Serialize;

use crate::Global;
use crate::exit::{Code, Failure, Outcome};
use crate::locate::{self, Place};

/// Count what the store holds, check that it is whole, back it up, copy it to a cluster, make a key for it
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Count what the store holds: events and bytes, by source, and what else takes space
    ///
    /// Asks the running server, or reads the store of a stopped one. It is a look at every event.
    Stats,
    Verify(verify::Args),
    Backup(backup::Args),
    Copy(copy::Args),
    Key(key::Args),
}

pub(crate) fn run(command: Command, global: &Global) -> Outcome {
    match command {
        Command::Stats => stats::run(global),
        Command::Verify(args) => verify::run(args, global),
        Command::Backup(args) => backup::run(args, global),
        Command::Copy(args) => copy::run(args, global),
        Command::Key(args) => key::run(args),
    }
}

/// The folder of the store that is meant, and its keys: these commands read its file, so it has to be on this machine.
fn folder(global: &Global) -> Result<(PathBuf, Encryption), Failure> {
    match locate::place(global)? {
        Place::Folder(folder, config) => Ok((folder, keys(config.as_deref()))),
        Place::Elsewhere(name, _) => Err(Failure::new(
            Code::Usage,
            format!(
                "this reads the store's file, and the server of context `{name}` is elsewhere: run it there, or name a \
                 configuration with --config"
            ),
        )),
    }
}

/// The keys, as far as they are there: a file can be checked and copied without them.
fn keys(config: Option<&Path>) -> Encryption {
    locate::keys(config).unwrap_or_else(|failure| {
        anstream::eprintln!("without the keys of `[store] encrypt`, which cannot be read:\n{failure}");
        Encryption::default()
    })
}

/// Why a file cannot be read, with its exit code.
fn unreadable(error: OpenError) -> Failure {
    let code = match &error {
        OpenError::Missing { .. } => Code::NotFound,
        OpenError::Corrupt { .. } => Code::Refused,
        _ => Code::Failure,
    };
    Failure::with_code(error, code)
}

/// A damage, as it is printed.
#[derive(Debug, Clone, Serialize)]
struct DamageView {
    /// Where.
    part: &'static str,
    /// The place of its event in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    /// The event.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    /// What is wrong.
    what: String,
}

impl DamageView {
    fn of(damage: &Damage) -> Self {
        Self {
            part: damage.part,
            sequence: damage.sequence,
            event: damage.event.map(|event| event.to_string()),
            what: damage.what.clone(),
        }
    }
}

/// How far long work has come, on stderr, where somebody sits there.
#[derive(Debug)]
struct Watcher {
    shown: bool,
    stage: &'static str,
    percent: Option<u64>,
}

impl Watcher {
    fn new() -> Self {
        Self { shown: std::io::stderr().is_terminal(), stage: "", percent: None }
    }

    /// Shows what there is to show, and hands on a damage.
    fn see(&mut self, told: Told) -> Option<Damage> {
        match told {
            Told::Stage(stage) => {
                (self.stage, self.percent) = (stage, None);
                self.show();
            }
            Told::Progress { done, of } => {
                let percent = done.saturating_mul(100).checked_div(of);
                if percent != self.percent {
                    self.percent = percent;
                    self.show();
                }
            }
            Told::Damage(damage) => {
                self.clear();
                return Some(damage);
            }
        }
        None
    }

    fn show(&self) {
        if self.shown {
            let percent = self.percent.map(|percent| format!(" {percent} %")).unwrap_or_default();
            // A terminal that takes no more shows nothing; the work goes on.
            let _ = write!(std::io::stderr(), "\r\x1b[K{}{percent}", self.stage);
        }
    }

    fn clear(&self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.clear();
    }
}
