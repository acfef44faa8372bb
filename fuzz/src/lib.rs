//! One program for each thing that reads what a stranger wrote.
//!
//! What they do stands beside the readers, in the modules called `fuzzing`; a program picks its own by its name, while
//! it is compiled, so that nothing else is linked into it.
#![cfg(fuzzing)]

/// A program: its name, what it does with an input, and what it begins with.
pub type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// Where the seeds are written before the corpus is read.
const SEEDS: &str = "HOOKHOUSE_FUZZ_SEEDS";

/// Makes the program of a target.
#[macro_export]
macro_rules! fuzz {
    ($targets:expr, $name:literal) => {
        const TARGET: $crate::Target = $crate::find($targets, $name);
        libfuzzer_sys::fuzz_target!(
            init: $crate::sow(&TARGET),
            |input: &[u8]| (TARGET.1)(input)
        );
    };
}

/// The target of a name.
///
/// # Panics
/// When there is none: the program does not compile.
#[must_use]
pub const fn find(targets: &[Target], name: &str) -> Target {
    let mut at = 0;
    while at < targets.len() {
        if is_same(targets[at].0, name) {
            return targets[at];
        }
        at += 1;
    }
    panic!("no target has this name")
}

const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// Writes the seeds into the folder that the environment names, if it names one.
///
/// # Panics
/// When they cannot be written.
pub fn sow((name, _, seeds): &Target) {
    let Some(folder) = std::env::var_os(SEEDS) else { return };
    for (number, seed) in seeds().into_iter().enumerate() {
        let file = std::path::Path::new(&folder).join(format!("seed-{number:04}"));
        std::fs::write(&file, seed).unwrap_or_else(|error| panic!("{name}: {}: {error}", file.display()));
    }
}
