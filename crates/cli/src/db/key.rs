//! `hookhouse db key`: a key for `[store] encrypt`.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::Context;
use data_encoding::BASE64;
use hookhouse_server::store::KEY_BYTES;
use rand::TryRngCore;
use rand::rngs::OsRng;

use crate::exit::Outcome;
use crate::output::line;

/// Make a key for `[store] encrypt`: 32 random bytes, in base64
///
/// Writes it to a file that only its owner can read, or to stdout. A file that is there already stays as it is. Keep the key
/// where the backups of the store are not: without it, what was encrypted is lost.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file to make
    file: Option<PathBuf>,
}

pub(super) fn run(args: Args) -> Outcome {
    let mut key = [0; KEY_BYTES];
    OsRng.try_fill_bytes(&mut key).context("the system gives no random bytes")?;
    let text = BASE64.encode(&key);
    let Some(path) = args.file else { return Ok(line(&text)?) };
    let named = || format!("cannot make {}", path.display());
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).with_context(named)?;
    writeln!(file, "{text}").and_then(|()| file.sync_all()).with_context(named)?;
    anstream::eprintln!("{}: name it in [store]: encrypt = {{ key = {{ file = \"…\" }} }}", path.display());
    Ok(())
}
