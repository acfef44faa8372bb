//! What secrets come from besides files.

/// The variables of a process: the real ones, or a test's.
pub trait Environment {
    /// The value of a variable; `None` where it is not set.
    fn var(&self, name: &str) -> Option<String>;
}

/// The variables of this process. One that is not UTF-8 counts as not set.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnv;

impl Environment for ProcessEnv {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}
