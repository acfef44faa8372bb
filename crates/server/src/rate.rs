//! How many requests that nobody signed one address may send: challenges to answer, and everything else.
//!
//! Every answer to an unsigned challenge is a MAC over a text of the asker's choice, and costs us one; every forged request
//! costs a verification and a record. The limits are for that and for nothing else: what a provider signed is never
//! counted, a challenge that is refused anyway neither, and no two addresses share a count, or a stranger could use up
//! the provider's.
//!
//! What is kept is bounded and touches nothing that storage knows: a fixed number of small tables, each with a lock of
//! its own and room for a few addresses. The address that was quiet longest makes room, which errs on the side of
//! answering.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::listener;

/// How many tables there are, and so how seldom two askers wait for each other.
const TABLES: usize = 512;

/// How many addresses a table has room for.
const ROOM: usize = 8;

/// So many in so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    most: u32,
    /// In how long.
    per: Duration,
}

/// The most that a rate counts: each of them is remembered.
pub const MOST: u32 = 1_000;

impl Rate {
    /// A rate; `None` for none at all, for more than [`MOST`], and for no time.
    #[must_use]
    pub fn new(most: u32, per: Duration) -> Option<Self> {
        ((1..=MOST).contains(&most) && !per.is_zero()).then_some(Self { most, per })
    }
}

/// `10 in 60 s`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {} s", self.most, self.per.as_secs())
    }
}

/// Counts by the address that asks.
pub struct Limiter {
    rate: Rate,
    hasher: RandomState,
    tables: Box<[Mutex<Vec<Asker>>]>,
}

/// An address, and when it was answered within the last of the rate's time.
struct Asker {
    address: IpAddr,
    answered: VecDeque<Instant>,
}

impl Limiter {
    /// A limiter that has seen nobody.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        let tables = std::iter::repeat_with(|| Mutex::new(Vec::new())).take(TABLES).collect();
        Self { rate, hasher: RandomState::new(), tables }
    }

    /// What it allows.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Counts a request of `client`.
    ///
    /// # Errors
    /// How long the client has to wait, where it has had as many as there are.
    pub(crate) fn take(&self, client: IpAddr, now: Instant) -> Result<(), Duration> {
        let address = listener::group(client.to_canonical());
        let place = usize::try_from(self.hasher.hash_one(address)).unwrap_or_default() % TABLES;
        // There are as many tables as the place is taken by; without one there is nothing to count.
        let Some(table) = self.tables.get(place) else { return Ok(()) };
        let mut askers = table.lock().unwrap_or_else(PoisonError::into_inner);
        let at = match askers.iter().position(|asker| asker.address == address) {
            Some(at) => at,
            None => admit(&mut askers, address),
        };
        match askers.get_mut(at) {
            Some(asker) => asker.take(self.rate, now),
            None => Ok(()),
        }
    }
}

/// Makes room for an address, at the cost of the one whose last answer is the oldest.
fn admit(askers: &mut Vec<Asker>, address: IpAddr) -> usize {
    if askers.len() >= ROOM {
        let quiet = askers.iter().enumerate().min_by_key(|(_, asker)| asker.answered.back().copied());
        if let Some((at, _)) = quiet {
            askers.swap_remove(at);
        }
    }
    askers.push(Asker { address, answered: VecDeque::new() });
    askers.len() - 1
}

impl Asker {
    fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        let is_past = |at: &Instant| now.saturating_duration_since(*at) >= rate.per;
        while self.answered.front().is_some_and(is_past) {
            self.answered.pop_front();
        }
        let had = u32::try_from(self.answered.len()).unwrap_or(u32::MAX);
        match self.answered.front() {
            Some(first) if had >= rate.most => {
                Err(rate.per.saturating_sub(now.saturating_duration_since(*first)))
            }
            _ => {
                self.answered.push_back(now);
                Ok(())
            }
        }
    }
}

/// Without the addresses.
impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("rate", &self.rate).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn limiter(most: u32) -> Limiter {
        Limiter::new(Rate::new(most, MINUTE).unwrap())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Moments after one another, in seconds.
    fn clock() -> impl Fn(u64) -> Instant {
        let start = Instant::now();
        move |seconds| start + Duration::from_secs(seconds)
    }

    #[test]
    fn the_eleventh_in_a_minute_waits_until_the_first_is_a_minute_old() {
        let (limiter, at) = (limiter(10), clock());
        for second in 0..10 {
            assert_eq!(limiter.take(ip("192.0.2.1"), at(second)), Ok(()));
        }
        assert_eq!(limiter.take(ip("192.0.2.1"), at(10)), Err(Duration::from_secs(50)));
        assert_eq!(limiter.take(ip("192.0.2.1"), at(59)), Err(Duration::from_secs(1)));
        assert_eq!(limiter.take(ip("192.0.2.1"), at(60)), Ok(()), "what is refused does not count");
        assert_eq!(limiter.take(ip("192.0.2.1"), at(60)), Err(Duration::from_secs(1)));
        assert_eq!(limiter.take(ip("192.0.2.1"), at(200)), Ok(()));
    }

    #[test]
    fn an_address_has_a_count_of_its_own_and_a_subscriber_one_for_all_of_them() {
        let (limiter, at) = (limiter(1), clock());
        assert_eq!(limiter.take(ip("192.0.2.1"), at(0)), Ok(()));
        assert!(limiter.take(ip("192.0.2.1"), at(1)).is_err());
        assert_eq!(limiter.take(ip("192.0.2.2"), at(1)), Ok(()));
        assert_eq!(limiter.take(ip("2001:db8::1"), at(1)), Ok(()));
        assert!(limiter.take(ip("2001:db8::2"), at(1)).is_err());
        assert_eq!(limiter.take(ip("2001:db8:0:1::1"), at(1)), Ok(()));
    }

    #[test]
    fn a_flood_of_addresses_takes_no_more_than_there_is() {
        let (limiter, at) = (limiter(1), clock());
        for n in 0..100_000_u32 {
            assert_eq!(limiter.take(IpAddr::from(n.to_be_bytes()), at(0)), Ok(()), "nobody else's count");
        }
        let kept: usize = limiter.tables.iter().map(|table| table.lock().unwrap().len()).sum();
        assert!(kept <= TABLES * ROOM, "{kept}");
    }

    #[test]
    fn the_quietest_makes_room() {
        let at = clock();
        let asker = |n: u8, second: u64| Asker {
            address: IpAddr::from([192, 0, 2, n]),
            answered: [at(second)].into_iter().collect(),
        };
        let mut askers: Vec<_> = (0..8).map(|n| asker(n, if n == 5 { 1 } else { 9 })).collect();
        let place = admit(&mut askers, ip("192.0.2.99"));
        assert_eq!((askers.len(), askers[place].address), (ROOM, ip("192.0.2.99")));
        assert!(!askers.iter().any(|asker| asker.address == ip("192.0.2.5")));
    }

    #[test]
    fn a_rate_is_something_that_can_be_counted() {
        assert!(Rate::new(0, MINUTE).is_none() && Rate::new(MOST + 1, MINUTE).is_none());
        assert!(Rate::new(1, Duration::ZERO).is_none());
        assert_eq!(Rate::new(MOST, MINUTE).unwrap().to_string(), "1000 in 60 s");
        assert!(!format!("{:?}", limiter(1)).contains("tables"));
    }

    proptest! {
        /// In no minute, wherever it begins, is an address answered more often than the rate says; and it is refused only
        /// where it was answered that often.
        #[test]
        fn no_minute_has_too_many(most in 1_u32..6, waits in prop::collection::vec(0_u64..30, 1..60)) {
            let (limiter, at) = (limiter(most), clock());
            let (mut now, mut answered): (u64, Vec<u64>) = (0, Vec::new());
            for wait in waits {
                now += wait;
                let recent = answered.iter().filter(|before| now - **before < 60).count();
                match limiter.take(ip("192.0.2.1"), at(now)) {
                    Ok(()) => {
                        prop_assert!(recent < most as usize);
                        answered.push(now);
                    }
                    Err(wait) => {
                        prop_assert_eq!(recent, most as usize);
                        prop_assert!(wait > Duration::ZERO && wait <= MINUTE);
                    }
                }
            }
        }
    }
}
