//! The day's API requests, as every answer tells: `Sforce-Limit-Info: api-usage=18/5000`.
//!
//! With a limit for the app alone there is a second part, `per-app-api-usage=17/250(appName=hookhouse)`; what is
//! tighter counts. Source: "Limit Info Header", REST API Developer Guide.

use std::time::Duration;

use http::HeaderMap;

use crate::response::Pause;

/// How much of a limit is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Usage {
    used: u64,
    limit: u64,
}

/// The pause that an answer asks for, where less than the reserved share of the limit is left.
pub(crate) fn pause(headers: &HeaderMap, reserve: f64) -> Option<Pause> {
    let usage = tightest(headers.get(LIMIT_INFO)?.to_str().ok()?)?;
    (usage.left() < reserve).then(|| Pause {
        length: BUDGET_PAUSE,
        cause: format!(
            "{} of the day's {} API requests are used, and the rest is reserved",
            usage.used, usage.limit
        ),
    })
}

impl Usage {
    /// The share that is left.
    #[expect(clippy::cast_precision_loss, reason = "a share of a limit needs no more than 52 bits")]
    fn left(self) -> f64 {
        if self.limit == 0 { 1.0 } else { self.limit.saturating_sub(self.used) as f64 / self.limit as f64 }
    }
}

fn tightest(value: &str) -> Option<Usage> {
    let parts = value.split([';', ',']).filter_map(|part| {
        let (_, numbers) = part.split_once('=')?;
        let numbers = numbers.split('(').next()?.trim();
        let (used, limit) = numbers.split_once('/')?;
        Some(Usage { used: used.trim().parse().ok()?, limit: limit.trim().parse().ok()? })
    });
    parts.min_by(|a, b| a.left().total_cmp(&b.left()))
}

const LIMIT_INFO: &str = "sforce-limit-info";

/// Some of the limit comes back with each minute: a call every quarter of an hour sees it.
const BUDGET_PAUSE: Duration = Duration::from_secs(15 * 60);

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn pauses(value: &'static str, reserve: f64) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(LIMIT_INFO, HeaderValue::from_static(value));
        pause(&headers, reserve).is_some()
    }

    #[test]
    fn what_is_reserved_is_left_alone() {
        for (value, paused) in [
            ("api-usage=18/5000", false),
            ("api-usage=4500/5000", false),
            ("api-usage=4501/5000", true),
            ("api-usage=6000/5000", true),
            ("api-usage=25/5000; per-app-api-usage=240/250(appName=hook house)", true),
            ("api-usage=25/5000;per-app-api-usage=17/250(appName=a)", false),
            ("api-usage=0/0", false),
            ("api-usage=many/5000", false),
            ("", false),
        ] {
            assert_eq!(pauses(value, 0.1), paused, "{value}");
        }
        assert!(!pauses("api-usage=6000/5000", 0.0));
        assert!(pause(&HeaderMap::new(), 1.0).is_none());
    }
}
