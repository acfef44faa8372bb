//! What the fuzzers call: a body for each thing here that reads what a stranger wrote.
//!
//! A body takes bytes and panics where a promise is broken; the package `fuzz` makes a program of each. Many parts of a
//! request in one input are kept apart by zero bytes ([`parts`]). The same bodies run in the tests, over the seeds and
//! spoiled copies of them, so that none of them rots.

mod readers;
mod seeds;
mod signatures;
mod world;

/// A program: its name, what it does with an input, and what it begins with.
pub type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// Everything of this crate.
pub const TARGETS: &[Target] = &[
    ("x_signature", signatures::x, seeds::x),
    ("crc_token", signatures::crc, seeds::crc),
    ("twilio_signature", signatures::twilio, seeds::twilio),
    ("hmac_signature", signatures::hmac, seeds::hmac),
    ("sendgrid_signature", signatures::sendgrid, seeds::sendgrid),
    ("header_block", readers::headers, seeds::headers),
    ("body_elements", readers::elements, seeds::bodies),
    ("pasted_request", readers::pasted, seeds::pasted),
    ("explain", readers::explain, seeds::pasted),
    ("public_url", readers::public_url, seeds::urls),
];

/// An input taken apart at zero bytes; what is missing is empty, the last part has the rest.
#[must_use]
pub fn parts<const N: usize>(input: &[u8]) -> [&[u8]; N] {
    let mut parts = [&b""[..]; N];
    for (part, bytes) in parts.iter_mut().zip(input.splitn(N, |byte| *byte == 0)) {
        *part = bytes;
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;

    /// Changes to a seed: where, what is put there, and how many bytes give way to it.
    fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, Vec<u8>, usize)>> {
        let inserted = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..4),
            "[-=&%,;:. \"{}\\[\\]0-9a-f\\x00\\r\\n]{0,6}".prop_map(String::into_bytes),
        ];
        prop::collection::vec((any::<prop::sample::Index>(), inserted, 0..6_usize), 0..6)
    }

    fn spoil(input: &mut Vec<u8>, edits: &[(prop::sample::Index, Vec<u8>, usize)]) {
        for (place, inserted, removed) in edits {
            let start = place.index(input.len() + 1);
            let end = (start + removed).min(input.len());
            input.splice(start..end, inserted.iter().copied());
        }
    }

    #[test]
    fn every_target_takes_its_seeds_and_spoiled_copies_of_them() {
        for (name, body, seeds) in TARGETS {
            let seeds = seeds();
            assert!(seeds.len() >= 5, "{name}: {} seeds", seeds.len());
            seeds.iter().for_each(|seed| body(seed));
            let config =
                ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() };
            let rng = proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm);
            let copies = (prop::sample::select(seeds), edits());
            let all = TestRunner::new_with_rng(config, rng).run(&copies, |(mut input, edits)| {
                spoil(&mut input, &edits);
                body(&input);
                Ok(())
            });
            assert!(all.is_ok(), "{name}: {all:?}");
        }
    }

    #[test]
    fn an_input_is_taken_apart() {
        assert_eq!(parts::<3>(b"a\0\0b\0c"), [&b"a"[..], b"", b"b\0c"]);
        assert_eq!(parts::<2>(b"a"), [&b"a"[..], b""]);
    }
}
