//! Connection overrides: what the fragment of a URL tells Twilio about time and retries.
//!
//! `https://hooks.example.com/voice#rc=3&rp=5xx,ct,rt&tt=10000`. The keys, their ranges and defaults are those of
//! <https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides>, read 2026-11-22. Keys that are not in
//! the table mean nothing here, among them `e` (edges) and `sni`.
//!
//! | key | meaning | range | default |
//! |---|---|---|---|
//! | `ct` | how long connecting may take, in ms | 100–10000 | 5000 |
//! | `rt` | how long the other side may say nothing, in ms | 100–15000 | 15000 |
//! | `tt` | how long all tries together may take, in ms | 100–15000 | 15000 |
//! | `rc` | how many retries | 0–5 | 1 |
//! | `rp` | what is tried again, with commas: `4xx`, `5xx`, `ct`, `rt`, `all` | | `ct` |

use std::time::Duration;

/// Times and retries of one webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overrides {
    /// `ct`
    pub connect: Duration,
    /// `rt`
    pub read: Duration,
    /// `tt`
    pub total: Duration,
    /// `rc`
    pub retries: u8,
    /// `rp`
    pub retry_on: RetryOn,
}

/// What is tried again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetryOn {
    /// `4xx`
    pub client_error: bool,
    /// `5xx`
    pub server_error: bool,
    /// `ct`: no connection, or no TLS on it.
    pub connect: bool,
    /// `rt`: no answer in time.
    pub read: bool,
}

/// A value that Twilio would not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}={value}` in the fragment of the URL: `{key}` takes {takes}")]
pub struct OverrideError {
    /// The key.
    pub key: &'static str,
    /// What was written.
    pub value: String,
    /// What could have been.
    pub takes: String,
}

impl Default for Overrides {
    fn default() -> Self {
        Self {
            connect: Duration::from_millis(5_000),
            read: Duration::from_millis(15_000),
            total: Duration::from_millis(15_000),
            retries: 1,
            retry_on: RetryOn { connect: true, ..RetryOn::default() },
        }
    }
}

impl Overrides {
    /// Reads a fragment, without its `#`.
    ///
    /// # Errors
    /// When a value is out of its range.
    pub fn parse(fragment: &str) -> Result<Self, OverrideError> {
        let mut overrides = Self::default();
        for (key, value) in form_urlencoded::parse(fragment.as_bytes()) {
            match &*key {
                "ct" => overrides.connect = milliseconds("ct", &value, 10_000)?,
                "rt" => overrides.read = milliseconds("rt", &value, 15_000)?,
                "tt" => overrides.total = milliseconds("tt", &value, 15_000)?,
                "rc" => {
                    let retries = value.parse().ok().filter(|count| *count <= MOST_RETRIES);
                    overrides.retries = retries.ok_or_else(|| wrong("rc", &value, "0 to 5"))?;
                }
                "rp" => overrides.retry_on = RetryOn::parse(&value)?,
                _ => {}
            }
        }
        Ok(overrides)
    }
}

impl RetryOn {
    fn parse(list: &str) -> Result<Self, OverrideError> {
        let mut on = Self::default();
        for word in list.split(',') {
            match word.trim() {
                "4xx" => on.client_error = true,
                "5xx" => on.server_error = true,
                "ct" => on.connect = true,
                "rt" => on.read = true,
                "all" => on = Self { client_error: true, server_error: true, connect: true, read: true },
                _ => return Err(wrong("rp", list, "4xx, 5xx, ct, rt and all, with commas between them")),
            }
        }
        Ok(on)
    }
}

fn milliseconds(key: &'static str, value: &str, most: u64) -> Result<Duration, OverrideError> {
    let number = value.parse().ok().filter(|number| (LEAST..=most).contains(number));
    number
        .map(Duration::from_millis)
        .ok_or_else(|| wrong(key, value, &format!("{LEAST} to {most} milliseconds")))
}

fn wrong(key: &'static str, value: &str, takes: &str) -> OverrideError {
    OverrideError { key, value: value.to_owned(), takes: takes.to_owned() }
}

/// The shortest time that can be asked for, in milliseconds.
const LEAST: u64 = 100;
const MOST_RETRIES: u8 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    #[test]
    fn without_overrides_the_documented_defaults_hold() {
        for fragment in ["", "top", "e=ashburn,dublin&sni=y&x=1", "=", "&&"] {
            assert_eq!(Overrides::parse(fragment), Ok(Overrides::default()), "{fragment}");
        }
    }

    #[test]
    fn each_key_sets_its_value() {
        let read = Overrides::parse("ct=100&rt=15000&tt=2500&rc=5&rp=5xx%2Crt,4xx&e=dublin").unwrap();
        let retry_on = RetryOn { client_error: true, server_error: true, connect: false, read: true };
        assert_eq!(
            read,
            Overrides { connect: ms(100), read: ms(15_000), total: ms(2_500), retries: 5, retry_on }
        );
        let all = RetryOn { client_error: true, server_error: true, connect: true, read: true };
        assert_eq!(Overrides::parse("rp=all").unwrap().retry_on, all);
        assert_eq!(Overrides::parse("rc=0").unwrap().retries, 0);
        assert_eq!(Overrides::parse("rc=1&rc=2").unwrap().retries, 2, "the last one counts");
    }

    #[test]
    fn a_value_out_of_range_is_an_error_that_says_the_range() {
        for (fragment, takes) in [
            ("ct=99", "100 to 10000 milliseconds"),
            ("ct=10001", "100 to 10000 milliseconds"),
            ("rt=15001", "100 to 15000 milliseconds"),
            ("tt=0", "100 to 15000 milliseconds"),
            ("tt=-1", "100 to 15000 milliseconds"),
            ("tt=5s", "100 to 15000 milliseconds"),
            ("tt=", "100 to 15000 milliseconds"),
            ("rc=6", "0 to 5"),
            ("rc=300", "0 to 5"),
            ("rp=", "4xx, 5xx, ct, rt and all"),
            ("rp=5xx,429", "4xx, 5xx, ct, rt and all"),
        ] {
            let error = Overrides::parse(fragment).unwrap_err().to_string();
            assert!(error.contains(takes) && error.contains(fragment), "{fragment}: {error}");
        }
    }
}
