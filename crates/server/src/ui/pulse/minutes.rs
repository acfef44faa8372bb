//! How often something happened in each of the last sixty minutes: one atomic number a minute, no lock.

use std::sync::atomic::{AtomicU64, Ordering};

use hookhouse_core::Timestamp;

/// The minutes that are kept.
pub(crate) const MINUTES: usize = 60;

/// Sixty slots, each with the number of its minute in the upper half and the count in the lower.
#[derive(Debug)]
pub(super) struct Minutes([AtomicU64; MINUTES]);

impl Default for Minutes {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; MINUTES])
    }
}

impl Minutes {
    /// It happened once more.
    pub(super) fn add(&self, at: Timestamp) {
        let minute = minute(at);
        let Some(slot) = self.0.get((minute % MINUTES as u64) as usize) else { return };
        let step = |now: u64| match (now >> 32).cmp(&minute) {
            // A late one of an hour ago must not wipe out the minute that took its slot.
            std::cmp::Ordering::Greater => None,
            std::cmp::Ordering::Equal => Some(now + 1),
            std::cmp::Ordering::Less => Some((minute << 32) | 1),
        };
        let _ = slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
    }

    /// The last hour, oldest minute first; the last one is still under way.
    pub(super) fn read(&self, now: Timestamp) -> [u32; MINUTES] {
        let last = minute(now);
        let mut counts = [0; MINUTES];
        for (place, count) in counts.iter_mut().enumerate() {
            let wanted = (last + 1 + place as u64).saturating_sub(MINUTES as u64);
            let slot = self.0.get((wanted % MINUTES as u64) as usize);
            let value = slot.map_or(0, |slot| slot.load(Ordering::Relaxed));
            if value >> 32 == wanted {
                *count = value as u32;
            }
        }
        counts
    }
}

/// Minutes since 1970: they fit into 32 bits for eight thousand years.
fn minute(at: Timestamp) -> u64 {
    (u64::try_from(at.as_second()).unwrap_or(0) / 60) & u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60 + 7).unwrap()
    }

    #[test]
    fn an_hour_is_kept_and_no_more() {
        let minutes = Minutes::default();
        for minute in [1_000, 1_000, 1_001, 1_059, 1_060] {
            minutes.add(at(minute));
        }
        let hour = minutes.read(at(1_060));
        assert_eq!((hour[0], hour[58], hour[59]), (1, 1, 1), "1000 is over an hour ago");
        minutes.add(at(1_000));
        assert_eq!(minutes.read(at(1_060)), hour, "what comes an hour late changes nothing");
        assert_eq!(minutes.read(at(5_000)), [0; MINUTES]);
    }
}
