//! `hookhouse db verify`: whether the store is whole.

use std::path::PathBuf;

use hookhouse_server::store::{Audit, audit, database};
use serde::Serialize;

use super::{DamageView, Watcher};
use crate::Global;
use crate::exit::{Code, Failure, Outcome};
use crate::locate;
use crate::output::{Format, Out, line, plain};

/// Read the whole store and name everything in it that is damaged
///
/// Reads the file beside the running server or without one, as it is at one moment: the structure, the checksum and the
/// place of every event, where each destination is, answers. What is encrypted is
/// decrypted where its key is given. Ends with 0, or with 7 where something is damaged. Nothing is
/// repaired; a damaged event is never served.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A backup instead of the store
    file: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Verified {
    ok: bool,
    file: PathBuf,
    format: i64,
    events: u64,
    answers: u64,
    head: u64,
    /// Encrypted with a key that is not there: their checksums hold.
    unopened: u64,
    damaged: u64,
    /// The first of them; with `jsonl` each is a line of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    damage: Option<Vec<DamageView>>,
}

/// Damages that one document lists.
const MOST: usize = 10_000;

pub(super) fn run(args: Args, global: &Global) -> Outcome {
    let (file, keys) = match args.file {
        Some(file) if file.is_file() => {
            let config = locate::config_file(global)?;
            (file, super::keys(config.as_deref()))
        }
        Some(file) => {
            return Err(Failure::new(Code::NotFound, format!("there is no file {}", file.display())));
        }
        None => {
            let (folder, keys) = super::folder(global)?;
            (database(&folder), keys)
        }
    };
    let mut watcher = Watcher::new();
    let mut list = Vec::new();
    let mut broken = None;
    let format = global.output;
    let outcome = audit(&file, &keys, &mut |told| {
        let Some(damage) = watcher.see(told) else { return };
        let view = DamageView::of(&damage);
        let said = match format {
            Format::Human => line(&plain(&damage.to_string())),
            Format::Jsonl => serde_json::to_string(&view).map_err(Into::into).and_then(|text| line(&text)),
            Format::Json => {
                if list.len() < MOST {
                    list.push(view);
                }
                Ok(())
            }
        };
        broken = broken.take().or(said.err());
    });
    drop(watcher);
    let audit = outcome.map_err(super::unreadable)?;
    if let Some(error) = broken {
        return Err(error.into());
    }
    let Audit { format: number, events, head, answers, unopened, damaged } = audit;
    let damage = (format == Format::Json).then_some(list);
    let verified =
        Verified { ok: damaged == 0, file, format: number, events, answers, head, unopened, damaged, damage };
    Out::one(format, &verified, describe)?;
    if verified.ok { Ok(()) } else { Err(Failure::silent(Code::Refused)) }
}

fn describe(verified: &Verified) -> String {
    let Verified { file, events, answers, format, damaged, unopened, .. } = verified;
    let file = file.display();
    if verified.ok {
        let sealed = match unopened {
            0 => String::new(),
            some => format!("; {some} are encrypted and were not decrypted: their key is not given"),
        };
        format!("{file} is whole: {events} events, {answers} answers, format {format}{sealed}")
    } else {
        format!("{file}: {damaged} damaged, of {events} events and {answers} answers")
    }
}
