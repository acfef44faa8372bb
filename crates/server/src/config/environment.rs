//! What a configuration is read in: where secrets come from besides files, and what time it is.

use hookhouse_core::{Clock, SystemClock, Timestamp};

/// The surroundings of a process: the real ones, or a test's.
pub trait Environment {
    /// The value of a variable; `None` where it is not set.
    fn var(&self, name: &str) -> Option<String>;

    /// The time, against which certificates are held.
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}

/// The variables of this process. One that is not UTF-8 counts as not set.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnv;

impl Environment for ProcessEnv {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}
