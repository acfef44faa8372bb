//! What is missing, in whole minutes, and what of it can be asked for now.

use hookhouse_core::Timestamp;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::window::{Minute, Window};

/// From the beginning of a minute to the beginning of another: what `from_date` and `to_date` say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// The first minute.
    pub from: Minute,
    /// The minute behind the last one.
    pub to: Minute,
}

impl Slice {
    /// The same as moments.
    #[must_use]
    pub fn window(&self) -> Window {
        Window { from: self.from.begin(), to: self.to.begin() }
    }
}

/// Slices that neither overlap nor touch, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Gaps(Vec<Slice>);

impl Gaps {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Slice> {
        self.0.iter()
    }

    /// Adds a slice; what overlaps or touches becomes one.
    pub(super) fn add(&mut self, slice: Slice) {
        if slice.from >= slice.to {
            return;
        }
        let (apart, mut joined): (Vec<_>, Vec<_>) =
            self.0.drain(..).partition(|other| other.to < slice.from || slice.to < other.from);
        joined.push(slice);
        self.0 = apart;
        let from = joined.iter().map(|slice| slice.from).min().unwrap_or(slice.from);
        let to = joined.iter().map(|slice| slice.to).max().unwrap_or(slice.to);
        self.0.push(Slice { from, to });
        self.0.sort_unstable_by_key(|slice| slice.from);
        // So many gaps within a day are one long trouble; X's duplicates fall out.
        while self.0.len() > MOST_GAPS {
            let last = self.0.pop();
            if let (Some(last), Some(before)) = (last, self.0.last_mut()) {
                before.to = last.to;
            }
        }
    }

    /// Takes a slice out.
    pub(super) fn remove(&mut self, slice: Slice) {
        if slice.from >= slice.to {
            return;
        }
        let rest: Vec<_> = self
            .0
            .drain(..)
            .flat_map(|gap| {
                let left = Slice { from: gap.from, to: gap.to.min(slice.from) };
                let right = Slice { from: gap.from.max(slice.to), to: gap.to };
                [left, right]
            })
            .filter(|gap| gap.from < gap.to)
            .collect();
        self.0 = rest;
    }

    /// Takes out what lies before a minute, and says what that was.
    pub(super) fn cut_before(&mut self, oldest: Minute) -> Self {
        let cut: Vec<_> = self
            .0
            .iter()
            .map(|gap| Slice { from: gap.from, to: gap.to.min(oldest) })
            .filter(|gap| gap.from < gap.to)
            .collect();
        for slice in &cut {
            self.remove(*slice);
        }
        Self(cut)
    }

    /// The oldest slice, if it can be asked for; else when it can.
    pub(super) fn first_slice(&self, now: Timestamp) -> Result<Slice, Timestamp> {
        let Some(gap) = self.0.first() else { return Err(Timestamp::MAX) };
        let begun = newest_from(now);
        if begun < gap.from {
            return Err(after(gap.from, FROM_AGE));
        }
        // A rest that is hardly worth a job of its own goes with the slice before it.
        let whole = gap.from.until(gap.to) <= SLICE + SLICE / 4;
        let to = if whole { gap.to } else { gap.from.plus(SLICE) };
        if newest_to(now) < to {
            // Only the newest gap is ever so young: to ask for its beginning now would cost a job more.
            return Err(after(to, TO_AGE));
        }
        Ok(Slice { from: gap.from, to })
    }
}

/// The oldest minute that can still be asked for: a minute later than X's rule, because the request takes its time and
/// X's clock is not ours.
pub(super) fn oldest(now: Timestamp) -> Minute {
    Minute::from(now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN)).plus(MARGIN)
}

/// The newest minute that a slice can begin with.
fn newest_from(now: Timestamp) -> Minute {
    Minute::of(now).plus(-FROM_AGE)
}

/// The newest minute that a slice can end with.
fn newest_to(now: Timestamp) -> Minute {
    Minute::of(now).plus(-TO_AGE)
}

/// When a minute is so many minutes old.
fn after(minute: Minute, age: i64) -> Timestamp {
    minute.plus(age).begin()
}

const MARGIN: i64 = 1;

/// X's 31 minutes and our margin.
const FROM_AGE: i64 = 31 + MARGIN;

/// X's 10 minutes and our margin.
const TO_AGE: i64 = 10 + MARGIN;

/// X recommends about two hours.
const SLICE: i64 = 120;

const MOST_GAPS: usize = 64;
