//! A few handles that are made when they are first needed: found without a lock, and never more than there is room for.
//!
//! This is what bounds the labels that come from a set which is small but written down nowhere, such as the reasons for
//! refusals. Whatever a sender does, there are never more series than slots.

use std::sync::OnceLock;

/// Up to so many values, each under a key.
#[derive(Debug)]
pub(super) struct Slots<K, V>(Box<[OnceLock<(K, V)>]>);

impl<K, V> Slots<K, V> {
    pub(super) fn new(room: usize) -> Self {
        Self((0..room).map(|_| OnceLock::new()).collect())
    }

    /// Every key so far.
    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().filter_map(|slot| slot.get().map(|(key, _)| key))
    }

    /// The value whose key fits, or a new one in the first free slot; `None` when there is none.
    ///
    /// Slots are filled in order and never emptied, so whoever finds a free one has seen every key there is. Of two who
    /// fill the same one, the later sees what the other put there, and looks further if it is another key.
    pub(super) fn of(&self, fits: impl Fn(&K) -> bool, make: impl Fn() -> (K, V)) -> Option<&V> {
        self.0.iter().map(|slot| slot.get_or_init(&make)).find(|(key, _)| fits(key)).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_key_has_one_value_and_there_are_no_more_than_there_is_room_for() {
        let slots = Slots::new(3);
        let made = AtomicUsize::new(0);
        let of = |key: usize| {
            let make = || (key, made.fetch_add(1, Ordering::Relaxed));
            slots.of(|known| *known == key, make).copied()
        };
        assert_eq!(
            [of(7), of(8), of(7), of(9), of(10), of(8)].map(|v| v.is_some()),
            [true, true, true, true, false, true]
        );
        assert_eq!((of(7), of(8), of(9), of(10)), (Some(0), Some(1), Some(2), None));
    }

    #[test]
    fn many_at_once_agree_on_each_value() {
        let slots: Slots<usize, AtomicUsize> = Slots::new(16);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..16_000 {
                        let key = n % 16;
                        let counter = slots.of(|known| *known == key, || (key, AtomicUsize::new(0)));
                        counter.expect("there is room for 16").fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        for key in 0..16 {
            let counter = slots.of(|known| *known == key, || unreachable!()).expect("it was made");
            assert_eq!(counter.load(Ordering::Relaxed), 4_000);
        }
    }
}
