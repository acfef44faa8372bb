//! How long the last few hundred of something took: a ring of atomic numbers, no lock.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

/// How many are remembered.
const ROOM: usize = 512;

/// The last durations, in microseconds. 0 is an empty place.
#[derive(Debug)]
pub(super) struct Recent {
    places: [AtomicU32; ROOM],
    next: AtomicUsize,
}

impl Default for Recent {
    fn default() -> Self {
        Self { places: [const { AtomicU32::new(0) }; ROOM], next: AtomicUsize::new(0) }
    }
}

impl Recent {
    pub(super) fn add(&self, took: Duration) {
        // Over an hour is an hour here.
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX).max(1);
        let place = self.next.fetch_add(1, Ordering::Relaxed) % ROOM;
        if let Some(place) = self.places.get(place) {
            place.store(micros, Ordering::Relaxed);
        }
    }

    /// What is remembered.
    pub(super) fn read(&self) -> Spread {
        let mut micros: Vec<u32> = self
            .places
            .iter()
            .map(|place| place.load(Ordering::Relaxed))
            .filter(|micros| *micros > 0)
            .collect();
        micros.sort_unstable();
        Spread(micros)
    }
}

/// Durations in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Spread(Vec<u32>);

impl Spread {
    #[cfg(test)]
    pub(crate) fn of(micros: impl IntoIterator<Item = u32>) -> Self {
        let mut micros: Vec<_> = micros.into_iter().collect();
        micros.sort_unstable();
        Self(micros)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The duration that so many percent stayed within; `None` where there is none.
    pub(crate) fn percentile(&self, percent: usize) -> Option<Duration> {
        let place = (self.0.len() * percent).div_ceil(100).max(1) - 1;
        self.0.get(place).map(|micros| Duration::from_micros(u64::from(*micros)))
    }

    /// How many took longer than `over`, up to and including `within`.
    pub(crate) fn between(&self, over: Duration, within: Duration) -> usize {
        let place = |bound: Duration| {
            self.0.partition_point(|micros| Duration::from_micros(u64::from(*micros)) <= bound)
        };
        place(within).saturating_sub(place(over))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_durations_are_spread_out() {
        let recent = Recent::default();
        assert_eq!(recent.read().percentile(50), None);
        for ms in 1..=100 {
            recent.add(Duration::from_millis(ms));
        }
        let spread = recent.read();
        let ms = |percent| spread.percentile(percent).unwrap().as_millis();
        assert_eq!([ms(0), ms(50), ms(95), ms(100)], [1, 50, 95, 100]);
        let (zero, ten) = (Duration::ZERO, Duration::from_millis(10));
        assert_eq!((spread.between(zero, ten), spread.between(ten, Duration::MAX)), (10, 90));
        for _ in 0..2 * ROOM {
            recent.add(Duration::ZERO);
        }
        assert_eq!(recent.read().percentile(100), Some(Duration::from_micros(1)), "older ones are forgotten");
    }
}
