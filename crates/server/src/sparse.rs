//! Log lines that anybody can cause: one a second at most, and how many were left out.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Time between two lines.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether a line may be written.
#[derive(Debug, Default)]
pub(crate) struct Sparse(Mutex<(Option<Instant>, u64)>);

impl Sparse {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new((None, 0)))
    }

    /// How many lines were left out before this one; `None` if this one is to be left out too.
    pub(crate) fn may_speak(&self) -> Option<u64> {
        let now = Instant::now();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, left_out) = &mut *state;
        if last.is_some_and(|last| now.saturating_duration_since(last) < PAUSE) {
            *left_out = left_out.saturating_add(1);
            return None;
        }
        *last = Some(now);
        Some(std::mem::take(left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_line_a_second_says_how_many_are_missing() {
        let sparse = Sparse::default();
        let said: Vec<_> = (0..100).filter_map(|_| sparse.may_speak()).collect();
        assert_eq!(said, [0]);
        tokio::time::advance(PAUSE).await;
        assert_eq!((sparse.may_speak(), sparse.may_speak()), (Some(99), None));
    }
}
