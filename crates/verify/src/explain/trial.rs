//! Trying keys and messages against the signature that arrived, within limits.

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::explanation::Clue;
use super::reading::Reading;
use crate::mac::MacKey;

/// As many MACs as one explanation may cost.
const MOST_MACS: u32 = 200;

/// As many bytes as it may hash. A signature of a body is tried over and over, so a large body gets fewer tries.
pub(super) const MOST_BYTES: u64 = 64 << 20;

/// What is left to spend.
#[derive(Debug)]
pub(super) struct Budget {
    macs: u32,
    bytes: u64,
    /// What is left of it for one stage of the search, so that none starves the next.
    stage: u32,
    ran_out: bool,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { macs: MOST_MACS, bytes: MOST_BYTES, stage: MOST_MACS, ran_out: false }
    }

    /// Begins a stage that may cost so many MACs.
    pub(super) fn stage(&mut self, macs: u32) {
        self.stage = macs.min(self.macs);
    }

    /// Takes one MAC over so many bytes, if it is there.
    pub(super) fn spend(&mut self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        if self.stage == 0 || self.bytes < bytes {
            self.ran_out = true;
            return false;
        }
        self.stage -= 1;
        self.macs -= 1;
        self.bytes -= bytes;
        true
    }

    /// Whether something was left untried.
    pub(super) fn ran_out(&self) -> bool {
        self.ran_out
    }
}

/// A key that may have signed, and what it would mean if it did: nothing for a key that counts as it is.
#[derive(Clone)]
pub(super) struct Suspect {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) clues: Vec<Clue>,
}

/// A message that may have been signed, and what it would mean if it was: nothing for the one that should have been.
#[derive(Debug)]
pub(super) struct Guess<'a> {
    pub(super) message: Vec<Cow<'a, [u8]>>,
    pub(super) clues: Vec<Clue>,
}

impl Guess<'_> {
    /// The same, without borrowing what it was made of.
    pub(super) fn into_owned(self) -> Guess<'static> {
        let message = self.message.into_iter().map(|part| Cow::Owned(part.into_owned())).collect();
        Guess { message, clues: self.clues }
    }
}

/// The search for a key and a message that explain a signature.
#[derive(Debug)]
pub(super) struct Trial<'b> {
    readings: Vec<Reading>,
    budget: &'b mut Budget,
}

impl<'b> Trial<'b> {
    pub(super) fn new(readings: Vec<Reading>, budget: &'b mut Budget) -> Self {
        Self { readings, budget }
    }

    /// Begins a stage that may cost so many MACs.
    pub(super) fn stage(&mut self, macs: u32) {
        self.budget.stage(macs);
    }

    /// What the signature looks like, whether or not anything proves it: the clues of the first reading.
    pub(super) fn looks(&self) -> Vec<Clue> {
        self.readings.first().map_or_else(Vec::new, |reading| reading.clues.clone())
    }

    /// The first guess that one of the keys signed, with everything that it means. Nothing, where that is nothing.
    pub(super) fn search<'g>(
        &mut self,
        suspects: &[Suspect],
        guesses: impl IntoIterator<Item = Guess<'g>>,
    ) -> Option<Vec<Clue>> {
        for guess in guesses {
            let message: Vec<&[u8]> = guess.message.iter().map(Cow::as_ref).collect();
            for suspect in suspects {
                if let Some(reading) = self.proves(&suspect.bytes, &message) {
                    return Some([guess.clues, suspect.clues.clone(), reading.clues.clone()].concat());
                }
            }
        }
        None
    }

    /// The reading that is the MAC of the message.
    fn proves(&mut self, key: &[u8], message: &[&[u8]]) -> Option<&Reading> {
        let bytes: usize = message.iter().map(|part| part.len()).sum();
        let mut tried = Vec::with_capacity(1);
        for at in 0..self.readings.len() {
            let digest = self.readings.get(at)?.digest;
            if tried.contains(&digest) {
                continue;
            }
            tried.push(digest);
            if !self.budget.spend(bytes) {
                return None;
            }
            let key = MacKey::new(digest, key);
            let matches = |reading: &Reading| reading.digest == digest && key.makes(message, &reading.bytes);
            if let Some(found) = self.readings.iter().position(matches) {
                return self.readings.get(found);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(budget: &mut Budget, bytes: usize) -> u32 {
        (0..).find(|_| !budget.spend(bytes)).unwrap_or_default()
    }

    #[test]
    fn a_stage_spends_its_share_and_all_of_them_no_more_than_there_is() {
        let mut budget = Budget::new();
        budget.stage(30);
        assert!(budget.spend(1) && !budget.ran_out());
        assert_eq!(spent(&mut budget, 1), 29);
        assert!(budget.ran_out());
        budget.stage(u32::MAX);
        assert_eq!(spent(&mut budget, 1), MOST_MACS - 30);
        budget.stage(1);
        assert!(!budget.spend(1));
    }

    #[test]
    fn bytes_are_counted_too() {
        let mut budget = Budget::new();
        assert_eq!(u64::from(spent(&mut budget, 1 << 20)), MOST_BYTES >> 20);
        assert!(!Budget::new().spend(usize::try_from(MOST_BYTES).unwrap() + 1));
    }
}
