//! `hookhouse db backup`: a copy of the store as it is at one moment.

use std::path::{Path, PathBuf};

use hookhouse_core::{Clock, SystemClock};
use hookhouse_server::store::{BackupError, backup};
use serde::Serialize;

use super::{DamageView, Watcher};
use crate::Global;
use crate::exit::{Code, Failure, Outcome};
use crate::output::{Out, plain, size};

/// Copy the store, as it is at one moment, into one file
///
/// Beside the running server, which goes on meanwhile, or without one. The copy has everything that was acknowledged before
/// it began. It is read from end to end and durable before it has its name, and only its owner can read it. Ends with 7 where
/// something in the store is damaged: it is copied too, and named.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file to make, or a folder for one named after the time
    #[arg(value_name = "FILE|DIR")]
    to: PathBuf,
    /// Replace a file of that name
    #[arg(long)]
    replace: bool,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct BackedUpView {
    ok: bool,
    file: PathBuf,
    bytes: u64,
    events: u64,
    head: u64,
    damage: Vec<DamageView>,
}

/// Damages that are listed.
const MOST: usize = 1_000;

pub(super) fn run(args: Args, global: &Global) -> Outcome {
    let (folder, keys) = super::folder(global)?;
    let to = if args.to.is_dir() { args.to.join(name()) } else { args.to };
    let mut watcher = Watcher::new();
    let mut damage = Vec::new();
    let made = backup(&folder, &to, args.replace, &keys, &mut |told| {
        if let Some(found) = watcher.see(told)
            && damage.len() < MOST
        {
            damage.push(found);
        }
    });
    drop(watcher);
    let made = made.map_err(|error| failure(error, &to))?;
    for found in &damage {
        anstream::eprintln!("damaged: {}", plain(&found.to_string()));
    }
    let view = BackedUpView {
        ok: made.audit.damaged == 0,
        file: made.file,
        bytes: made.bytes,
        events: made.audit.events,
        head: made.audit.head,
        damage: damage.iter().map(DamageView::of).collect(),
    };
    Out::one(global.output, &view, |view| {
        let bytes = size(usize::try_from(view.bytes).unwrap_or(usize::MAX));
        let whole = if view.ok { "whole" } else { "with what is damaged in it" };
        format!("{}: {} events, {bytes}, {whole}", view.file.display(), view.events)
    })?;
    if view.ok { Ok(()) } else { Err(Failure::silent(Code::Refused)) }
}

/// A name that sorts by time.
fn name() -> String {
    SystemClock.now().strftime("hookhouse-%Y%m%dT%H%M%SZ.db").to_string()
}

fn failure(error: BackupError, to: &Path) -> Failure {
    match error {
        BackupError::Open(error) => super::unreadable(error),
        BackupError::Exists(_) => Failure::new(
            Code::Usage,
            format!("{} is there already: give another name, a folder, or --replace", to.display()),
        ),
        other => other.into(),
    }
}
