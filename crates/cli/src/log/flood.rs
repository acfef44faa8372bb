//! Lines that anybody can cause without a secret, refusals and challenges: so many a second are written.
//!
//! A million forged requests must not fill the disk that events are to lie on. They are all counted, in the metrics and
//! in the lines that say how many are missing.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use hookhouse_core::Timestamp;

/// How many lines a second are written in all. The longest has about a kilobyte and a half, so that a minute of it stays
/// under ten megabytes.
const IN_ALL: u32 = 100;

/// How many of one code: a flood of one kind hides no other.
const OF_A_CODE: u32 = 50;

/// How many codes are told apart. There are about a hundred; whatever goes beyond counts as one.
const CODES: usize = 256;

const OTHER: &str = "other";

/// What was written in this second, and what was not.
#[derive(Debug, Default)]
pub(super) struct Flood(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    second: i64,
    written: u32,
    codes: BTreeMap<String, Count>,
}

#[derive(Debug, Default)]
struct Count {
    written: u32,
    suppressed: u64,
}

impl Flood {
    /// Whether a line with this code is written at this moment.
    pub(super) fn admit(&self, at: Timestamp, code: &str) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let State { second, written, codes } = &mut *state;
        if *second != at.as_second() {
            *second = at.as_second();
            *written = 0;
            codes.values_mut().for_each(|count| count.written = 0);
        }
        if !codes.contains_key(code) {
            let code = if codes.len() < CODES { code } else { OTHER };
            codes.entry(code.to_owned()).or_default();
        }
        let key = if codes.contains_key(code) { code } else { OTHER };
        let Some(count) = codes.get_mut(key) else { return false };
        let admitted = *written < IN_ALL && count.written < OF_A_CODE;
        if admitted {
            *written += 1;
            count.written += 1;
        } else {
            count.suppressed += 1;
        }
        admitted
    }

    /// How many lines of which code were left out since the last time.
    pub(super) fn take_suppressed(&self) -> Vec<(String, u64)> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = state.codes.iter_mut().filter(|(_, count)| count.suppressed > 0);
        missing.map(|(code, count)| (code.clone(), std::mem::take(&mut count.suppressed))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    #[test]
    fn a_flood_is_written_in_part_and_hides_no_other_code() {
        let flood = Flood::default();
        let written = (0..1_000).filter(|ms| flood.admit(at(5_000 + ms), "sig.mismatch")).count();
        assert_eq!(written, OF_A_CODE as usize);
        assert!(flood.admit(at(5_999), "route.unknown"));
        assert_eq!(flood.take_suppressed(), [("sig.mismatch".to_owned(), 950)]);
        assert_eq!(flood.take_suppressed(), []);
        assert!(flood.admit(at(6_000), "sig.mismatch"));
    }

    #[test]
    fn many_codes_have_one_bound_and_are_not_remembered_without_end() {
        let flood = Flood::default();
        let written = (0..10_000).filter(|n| flood.admit(at(5_000), &format!("code.{n}"))).count();
        assert_eq!(written, IN_ALL as usize);
        let missing = flood.take_suppressed();
        assert!(missing.len() <= CODES + 1, "{}", missing.len());
        assert_eq!(missing.iter().map(|(_, lines)| lines).sum::<u64>() + u64::from(IN_ALL), 10_000);
    }
}
