//! Chores of the repository: `cargo xtask` lists them, CI calls the same ones.

mod bench;
mod ci;
mod fuzz;
mod mutants;
mod sdks;
mod soak;
mod step;
mod test;
mod tools;

use std::process::ExitCode;

/// A chore: its name, what it takes, what it is for, and how it is done.
type Chore = (&'static str, &'static str, &'static str, fn(&[String]) -> anyhow::Result<()>);

const CHORES: &[Chore] = &[
    ("test", "[NEXTEST ARGS]", "every test; with arguments, those that nextest selects by them", test::run),
    (
        "fuzz",
        "[TARGET…] [--runs N | --minutes M]",
        "fuzzes what reads foreign bytes; each target so often, or for so long (10,000 runs unless said)",
        fuzz::run,
    ),
    (
        "mutants",
        "[MODULE…]",
        "changes signatures, challenges, dedupe and proxy trust, and counts what no test notices (hours)",
        mutants::run,
    ),
    ("ci", "", "what CI runs: formatting, lints, docs, licences, tests", ci::run),
    (
        "bench",
        "[BENCH ARGS]",
        "what Hookhouse costs beside servers that do less (`bench --help` for the scenarios); with --instructions, what \
         an event costs in instructions, beside its budget",
        bench::run,
    ),
    (
        "soak",
        "[SOAK ARGS]",
        "kills, power cuts, full and failing disks, floods: is anything lost, is anything slow? (`soak --help` for more)",
        soak::run,
    ),
];

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let name = args.next();
    let rest: Vec<String> = args.collect();
    let Some((name, _, _, run)) = CHORES.iter().find(|(chore, ..)| name.as_deref() == Some(*chore)) else {
        if let Some(name) = &name {
            eprintln!("error: there is no chore `{name}`\n");
        }
        eprintln!("cargo xtask CHORE\n");
        for (chore, args, purpose, _) in CHORES {
            eprintln!("  {:22} {purpose}", format!("{chore} {args}"));
        }
        return if name.is_none() { ExitCode::SUCCESS } else { ExitCode::from(2) };
    };
    // Cargo runs its programs in the caller's folder; the chores are about the whole repository.
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    match std::env::set_current_dir(root).map_err(Into::into).and_then(|()| run(&rest)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: `cargo xtask {name}`: {error:#}");
            ExitCode::FAILURE
        }
    }
}
