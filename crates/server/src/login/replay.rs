//! Which nonce counts were spent (RFC 7616 section 3.4, `nc`).
//!
//! Only a request whose response is right spends a count, so memory is taken by who knows the password. It is bounded
//! all the same: what there is no room for is the oldest nonce, and it ends early.

use std::collections::BTreeMap;
use std::time::Duration;

use super::nonce::{NonceId, SKEW};

/// How long a nonce may be used, in milliseconds.
const LIFETIME: i64 = 5 * 60 * 1000;

/// How long a count that was spent must be remembered by all gateways: while any of them takes its nonce. One whose clock
/// is behind takes it later than the one whose clock was ahead when it was spent.
pub(crate) const REMEMBERED: Duration = Duration::from_millis((LIFETIME + 2 * SKEW) as u64);
/// The most nonces that are in use at a time.
const MAX_NONCES: usize = 1 << 16;

/// Why a count cannot be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unspendable {
    /// The nonce has ended.
    Ended,
    /// The count was spent, or is so far behind that nobody knows.
    Spent,
}

/// The nonces in use, and what was spent of each.
///
/// Invariant: every nonce in `windows` is later than `forgotten`, and nothing up to `forgotten` is ever taken. So what
/// is dropped cannot come back as new, whatever the clock does.
#[derive(Debug)]
pub(super) struct Ledger {
    forgotten: NonceId,
    windows: BTreeMap<NonceId, Window>,
    capacity: usize,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self::with_capacity(MAX_NONCES)
    }

    fn with_capacity(capacity: usize) -> Self {
        Self { forgotten: NonceId { issued: i64::MIN, salt: 0 }, windows: BTreeMap::new(), capacity }
    }

    /// When a nonce that is made at `now` counts as issued: late enough to be taken, even if the clock was set back.
    pub(super) fn issue_time(&self, now: i64) -> i64 {
        now.max(self.forgotten.issued.saturating_add(1))
    }

    /// Spends a count of a nonce that is ours.
    pub(super) fn spend(&mut self, nonce: NonceId, count: u32, now: i64) -> Result<(), Unspendable> {
        while self.windows.first_key_value().is_some_and(|(oldest, _)| has_ended(*oldest, now)) {
            self.forget_oldest();
        }
        if nonce <= self.forgotten || has_ended(nonce, now) {
            return Err(Unspendable::Ended);
        }
        let fresh = self.windows.entry(nonce).or_default().spend(count);
        if self.windows.len() > self.capacity {
            self.forget_oldest();
        }
        if fresh { Ok(()) } else { Err(Unspendable::Spent) }
    }

    fn forget_oldest(&mut self) {
        if let Some((oldest, _)) = self.windows.pop_first() {
            self.forgotten = oldest;
        }
    }
}

fn has_ended(nonce: NonceId, now: i64) -> bool {
    now.saturating_sub(nonce.issued) > LIFETIME
}

/// The highest count that was spent, and which of the 64 up to it were: requests on several connections overtake each
/// other, but not by much.
#[derive(Debug, Default, Clone, Copy)]
struct Window {
    top: u32,
    /// Bit `n` stands for `top - n`.
    spent: u64,
}

impl Window {
    /// Spends a count; `false` if it was spent before or may have been.
    fn spend(&mut self, count: u32) -> bool {
        if let Some(ahead) = count.checked_sub(self.top).filter(|ahead| *ahead > 0) {
            self.spent = self.spent.checked_shl(ahead).unwrap_or(0) | 1;
            self.top = count;
            return true;
        }
        let bit = 1_u64.checked_shl(self.top.saturating_sub(count)).unwrap_or(0);
        let fresh = bit != 0 && self.spent & bit == 0;
        self.spent |= bit;
        fresh
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn nonce(issued: i64) -> NonceId {
        NonceId { issued, salt: 7 }
    }

    #[test]
    fn counts_may_overtake_each_other_but_not_repeat() {
        let mut window = Window::default();
        for count in [2, 1, 66, 3, 65] {
            assert!(window.spend(count), "{count}");
        }
        for count in [2, 1, 66, 3, 65] {
            assert!(!window.spend(count), "{count}");
        }
        assert!(window.spend(u32::MAX));
        assert!(!window.spend(u32::MAX));
        assert!(!window.spend(67), "too far behind to tell");
    }

    #[test]
    fn a_nonce_ends_after_its_lifetime_even_if_the_clock_goes_back() {
        let mut ledger = Ledger::new();
        assert_eq!(ledger.spend(nonce(0), 1, LIFETIME), Ok(()));
        assert_eq!(ledger.spend(nonce(0), 2, LIFETIME + 1), Err(Unspendable::Ended));
        assert!(ledger.windows.is_empty());
        assert_eq!(
            ledger.spend(nonce(0), 1, 0),
            Err(Unspendable::Ended),
            "its window is gone, so it must stay ended"
        );
        let next = nonce(ledger.issue_time(0));
        assert_eq!(ledger.spend(next, 1, 0), Ok(()), "a clock set back locks nobody out");
    }

    #[test]
    fn the_oldest_makes_room_and_does_not_come_back() {
        let mut ledger = Ledger::with_capacity(2);
        for issued in [1, 2, 3] {
            assert_eq!(ledger.spend(nonce(issued), 1, 5), Ok(()));
        }
        assert_eq!(ledger.windows.len(), 2);
        assert_eq!(ledger.spend(nonce(1), 1, 5), Err(Unspendable::Ended));
        assert_eq!(ledger.spend(nonce(2), 1, 5), Err(Unspendable::Spent));
        assert_eq!(ledger.spend(nonce(3), 2, 5), Ok(()));
    }

    proptest! {
        #[test]
        fn no_count_is_ever_spent_twice(
            steps in prop::collection::vec((0_i64..6, 1_u32..80, -LIFETIME..2 * LIFETIME), 1..200), capacity in 1_usize..4,
        ) {
            let mut ledger = Ledger::with_capacity(capacity);
            let mut spent = HashSet::new();
            for (issued, count, now) in steps {
                if ledger.spend(nonce(issued * LIFETIME / 3), count, now).is_ok() {
                    prop_assert!(spent.insert((issued, count)), "{issued} {count}");
                }
                prop_assert!(ledger.windows.len() <= capacity);
            }
        }

        #[test]
        fn within_the_window_every_count_can_be_spent_once(counts in Just((1_u32..=64).collect::<Vec<_>>()).prop_shuffle()) {
            let mut ledger = Ledger::new();
            for count in counts {
                prop_assert_eq!(ledger.spend(nonce(0), count, 0), Ok(()));
                prop_assert_eq!(ledger.spend(nonce(0), count, 0), Err(Unspendable::Spent));
            }
        }
    }
}
