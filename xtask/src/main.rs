//! Chores of the repository: `cargo xtask` lists them, CI calls the same ones.

mod bench;
mod ci;
mod sdks;
mod step;
mod test;
mod tools;

use std::process::ExitCode;

/// A chore: its name, what it takes, what it is for, and how it is done.
type Chore = (&'static str, &'static str, &'static str, fn(&[String]) -> anyhow::Result<()>);

const CHORES: &[Chore] = &[
    ("test", "[NEXTEST ARGS]", "every test; with arguments, those that nextest selects by them", test::run),
    ("ci", "", "what CI runs: formatting, lints, docs, licences, tests", ci::run),
    (
        "bench",
        "[BENCH ARGS]",
        "requests per second beside a bare hyper server, or what a relay adds (`bench --help` for more)",
        bench::run,
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
