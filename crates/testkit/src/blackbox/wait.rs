//! Waiting for what must happen sooner or later.

use std::time::{Duration, Instant};

/// How long a busy machine may take. Nothing is asserted about how long it did take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again and again until there is an answer.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(now() < until, "{what} did not happen within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[expect(clippy::disallowed_methods, reason = "a black-box test waits in real time")]
fn now() -> Instant {
    Instant::now()
}
