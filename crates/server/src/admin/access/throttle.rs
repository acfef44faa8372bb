//! How often somebody may show a wrong token: a few times a minute from each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::listener::group;

/// Wrong tokens that are looked at in a minute.
const TRIES: u32 = 5;

const MINUTE: Duration = Duration::from_secs(60);

/// Addresses that are remembered at most; beyond that the one that failed longest ago is forgotten.
const ADDRESSES: usize = 4096;

/// Wrong logins by address.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<HashMap<IpAddr, Failures>>);

#[derive(Debug, Clone, Copy)]
struct Failures {
    since: Instant,
    count: u32,
}

impl Throttle {
    /// How long an address has to wait; `None` where it has not.
    pub(crate) fn wait(&self, peer: IpAddr) -> Option<Duration> {
        let failures = *self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&group(peer))?;
        let left = MINUTE.checked_sub(failures.since.elapsed()).filter(|left| !left.is_zero())?;
        (failures.count >= TRIES).then_some(left)
    }

    /// An address showed a wrong token.
    pub(crate) fn failed(&self, peer: IpAddr) {
        let now = Instant::now();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= ADDRESSES {
            all.retain(|_, failures| now.saturating_duration_since(failures.since) < MINUTE);
            let oldest = all.iter().min_by_key(|(_, failures)| failures.since).map(|(address, _)| *address);
            if let Some(oldest) = oldest.filter(|_| all.len() >= ADDRESSES) {
                all.remove(&oldest);
            }
        }
        let failures = all.entry(group(peer)).or_insert(Failures { since: now, count: 0 });
        if now.saturating_duration_since(failures.since) >= MINUTE {
            *failures = Failures { since: now, count: 0 };
        }
        failures.count = failures.count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_sixth_try_of_a_minute_waits_and_nobody_else_does() {
        let throttle = Throttle::default();
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse::<IpAddr>().unwrap());
        for _ in 0..TRIES {
            assert_eq!(throttle.wait(one), None);
            throttle.failed(one);
        }
        assert!(throttle.wait(one).is_some_and(|left| left <= MINUTE));
        assert_eq!(throttle.wait(other), None);
        tokio::time::advance(MINUTE).await;
        assert_eq!(throttle.wait(one), None);
        throttle.failed(one);
        assert_eq!(throttle.wait(one), None, "a new minute has begun");
    }

    #[tokio::test(start_paused = true)]
    async fn the_addresses_that_are_remembered_are_bounded() {
        let throttle = Throttle::default();
        for n in 0..10_000_u32 {
            throttle.failed(IpAddr::V4(n.into()));
        }
        assert!(throttle.0.lock().unwrap().len() <= ADDRESSES);
    }
}
