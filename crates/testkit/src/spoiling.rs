//! Spoiled copies of inputs: what a fuzzer does for hours, for a second and always the same.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{TestRng, TestRunner};

/// A change to an input: where, what is put there, and how many bytes give way to it.
type Edit = (Index, Vec<u8>, usize);

/// Calls a fuzzer's body with every seed, and with so many spoiled copies of them.
///
/// # Panics
/// When the body does, or there is no seed.
pub fn spoil(name: &str, body: fn(&[u8]), seeds: Vec<Vec<u8>>, copies: u32) {
    assert!(!seeds.is_empty(), "{name}: no seed");
    seeds.iter().for_each(|seed| body(seed));
    let config = ProptestConfig { cases: copies, failure_persistence: None, ..ProptestConfig::default() };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    let inputs = (prop::sample::select(seeds), prop::collection::vec(edit(), 0..6));
    let all = TestRunner::new_with_rng(config, rng).run(&inputs, |(mut input, edits)| {
        for (place, inserted, removed) in &edits {
            let start = place.index(input.len() + 1);
            let end = (start + removed).min(input.len());
            input.splice(start..end, inserted.iter().copied());
        }
        body(&input);
        Ok(())
    });
    assert!(all.is_ok(), "{name}: {all:?}");
}

fn edit() -> impl Strategy<Value = Edit> {
    let inserted = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..4),
        "[-=&%,;:. \"{}\\[\\]0-9a-f\\x00\\r\\n]{0,6}".prop_map(String::into_bytes),
    ];
    (any::<Index>(), inserted, 0..6_usize)
}
