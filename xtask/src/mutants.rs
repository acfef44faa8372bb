//! Changes the code on which everything rests, one thing at a time, and counts the changes that no test notices.

use std::path::Path;
use std::{fs, io};

use anyhow::{Context, bail};

use crate::{step, tools};

/// A module by the name that the chore takes: the package with its tests, and its files.
const MODULES: &[(&str, &str, &[&str])] = &[
    ("crc", "hookhouse-verify", &["crates/verify/src/x/crc.rs", "crates/verify/src/challenge/*.rs"]),
    ("x", "hookhouse-verify", &["crates/verify/src/x/verifier.rs"]),
    (
        "mac",
        "hookhouse-verify",
        &["crates/verify/src/mac.rs", "crates/verify/src/tag.rs", "crates/verify/src/keyring.rs"],
    ),
    ("hmac", "hookhouse-verify", &["crates/verify/src/hmac/*.rs"]),
    ("twilio", "hookhouse-verify", &["crates/verify/src/twilio/*.rs"]),
    ("sendgrid", "hookhouse-verify", &["crates/verify/src/sendgrid/*.rs"]),
    ("elements", "hookhouse-verify", &["crates/verify/src/batch.rs", "crates/verify/src/x/reading/*.rs"]),
    ("dedupe", "hookhouse-store-sqlite", &["crates/store-sqlite/src/dedupe/*.rs"]),
    ("origin", "hookhouse-server", &["crates/server/src/origin/**/*.rs"]),
];

/// Runs the modules that are named, or all, and prints what was caught and what was missed.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    if let Some(stranger) = args.iter().find(|arg| !MODULES.iter().any(|(name, ..)| name == arg)) {
        let known: Vec<_> = MODULES.iter().map(|(name, ..)| *name).collect();
        bail!("there is no module `{stranger}`; there are {}", known.join(", "));
    }
    tools::c_compiler()?;
    tools::mutants()?;
    let (mut caught, mut missed) = (0, 0);
    let output = tools::target()?.join("mutants");
    for (name, package, files) in
        MODULES.iter().filter(|(name, ..)| args.is_empty() || args.iter().any(|arg| arg == name))
    {
        let folder = output.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut mutants =
            step::cargo(&["mutants", "--jobs", "1", "--no-shuffle", "--package", package, "--output"]);
        mutants.arg(&folder);
        for file in *files {
            mutants.args(["--file", file]);
        }
        // It fails where a mutant is missed; the count below says so for all of them.
        let survived = step::run(name, &mut mutants);
        let Ok((of_them, not)) = counts(&folder) else { return survived };
        eprintln!("{name}: {}", score(of_them, not));
        (caught, missed) = (caught + of_them, missed + not);
        let file = output.join("summary.json");
        fs::write(&file, summary(&output)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    eprintln!("all: {}; what is missed is in {}", score(caught, missed), output.display());
    Ok(())
}

/// The mutants of a module that were caught, and those that were not.
fn counts(folder: &Path) -> io::Result<(usize, usize)> {
    let count = |list: &str| {
        fs::read_to_string(folder.join("mutants.out").join(list)).map(|text| text.lines().count())
    };
    Ok((count("caught.txt")? + count("timeout.txt")?, count("missed.txt")?))
}

/// For `cargo xtask soak`: every module that was ever run here, each by its last run.
fn summary(output: &Path) -> String {
    let run = |(name, ..): &(&'static str, _, _)| Some((*name, counts(&output.join(name)).ok()?));
    let modules: Vec<_> = MODULES.iter().filter_map(run).collect();
    let lines: Vec<_> = modules
        .iter()
        .map(|(name, (caught, missed))| {
            format!(r#"    {{"name":"{name}","caught":{caught},"missed":{missed}}}"#)
        })
        .collect();
    let sum = |of: fn(&(usize, usize)) -> usize| modules.iter().map(|(_, counts)| of(counts)).sum::<usize>();
    format!(
        "{{\n  \"caught\": {},\n  \"missed\": {},\n  \"of\": {},\n  \"modules\": [\n{}\n  ]\n}}\n",
        sum(|counts| counts.0),
        sum(|counts| counts.1),
        MODULES.len(),
        lines.join(",\n")
    )
}

fn score(caught: usize, missed: usize) -> String {
    let share = (caught * 1000).checked_div(caught + missed).unwrap_or_default();
    format!("{caught} of {} mutants caught, {}.{} %", caught + missed, share / 10, share % 10)
}
