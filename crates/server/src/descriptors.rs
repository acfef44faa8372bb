//! How many descriptors the process may open, and what is kept back of them.
//!
//! A connection is a descriptor, and so is everything else: the store's files, what is sent to destinations, an operator
//! who asks how it goes. Senders alone must not be able to use them up.

use std::fs::File;
use std::sync::{Mutex, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Limits;

/// How many are not for senders.
const OURS: u64 = 256;

/// How many an operator can count on.
const SPARE: usize = 4;

/// Raises what the process may open to what it may raise it to, and answers how many connections fit into that.
pub(crate) fn provide(limits: Limits) -> Limits {
    let most = raise();
    let fit = connections(most, limits.connections);
    let wanted = limits.connections;
    if fit < wanted {
        let why = "`limits.connections` needs more open files than the system allows: raise the hard limit (LimitNOFILE \
                   in a unit, `ulimit -Hn` in a shell), or lower it";
        // Nobody asked for so many where nobody set the number.
        if wanted == Limits::default().connections {
            tracing::info!(
                event = "limits.descriptors",
                descriptors = most,
                connections = fit,
                wanted,
                "{why}"
            );
        } else {
            tracing::warn!(
                event = "limits.descriptors",
                descriptors = most,
                connections = fit,
                wanted,
                "{why}"
            );
        }
    }
    Limits { connections: fit, ..limits }
}

/// The soft limit, as far up as it goes; `None` for no limit.
fn raise() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(error) => {
            tracing::debug!(event = "limits.descriptors", %error, "the soft limit stays");
            current
        }
    }
}

/// How many connections fit: what is ours is kept back, or a quarter where that would leave too little.
fn connections(descriptors: Option<u64>, wanted: usize) -> usize {
    let Some(descriptors) = descriptors else { return wanted };
    let fit = descriptors - OURS.min(descriptors / 4);
    usize::try_from(fit).unwrap_or(usize::MAX).clamp(1, wanted.max(1))
}

/// Descriptors that are held so that somebody can be let in when there are no others: one is given up, and what is
/// accepted takes its place.
#[derive(Debug)]
pub(crate) struct Spare {
    held: Mutex<Vec<File>>,
    most: usize,
}

impl Spare {
    /// For a listener that is to answer whatever happens.
    pub(crate) fn some() -> Self {
        let spare = Self { held: Mutex::default(), most: SPARE };
        spare.refill();
        spare
    }

    /// For one that has to wait.
    pub(crate) fn none() -> Self {
        Self { held: Mutex::default(), most: 0 }
    }

    /// Gives one up; `false` if there is none.
    pub(crate) fn give_up(&self) -> bool {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).pop().is_some()
    }

    /// Takes back what was given up, as far as there are descriptors.
    pub(crate) fn refill(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        while held.len() < self.most {
            // Of the listener itself there must be no copy: it would go on listening when the server stops.
            let Ok(one) = File::open("/dev/null") else { return };
            held.push(one);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_is_kept_back() {
        for (descriptors, wanted, fit) in [
            (None, 20_000, 20_000),
            (Some(1_048_576), 20_000, 20_000),
            (Some(20_256), 20_000, 20_000),
            (Some(20_255), 20_000, 19_999),
            (Some(1_024), 20_000, 768),
            (Some(64), 20_000, 48),
            (Some(64), 10, 10),
            (Some(0), 10, 1),
        ] {
            assert_eq!(connections(descriptors, wanted), fit, "{descriptors:?} {wanted}");
        }
    }

    #[test]
    fn a_spare_one_is_given_up_once_and_taken_back() {
        let spare = Spare::some();
        assert_eq!((0..SPARE + 1).filter(|_| spare.give_up()).count(), SPARE);
        spare.refill();
        assert!(spare.give_up());
        assert!(!Spare::none().give_up());
    }
}
