//! Certificates that come to their end while nobody renews them.
//!
//! A provider that meets an expired certificate gives a webhook up at once (X), so that it is said early and again: three
//! weeks before the end, two, one, three days, one day, and when it is over. A certificate that lives for a week is not
//! mourned for three: only times in the last quarter of its life count.

use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::{Clock, Timestamp};
use tokio_util::sync::CancellationToken;

use super::certificates::{Certificate, Certificates};

const PAUSE: Duration = Duration::from_secs(60);

const DAY: i64 = 24 * 3600;

/// Days before the end.
const ALARMS: [i64; 5] = [21, 14, 7, 3, 1];

/// Says it until the soft stop.
pub(crate) async fn watch(certificates: Arc<Certificates>, clock: Arc<dyn Clock>, soft: CancellationToken) {
    // What was said last of each certificate; those that were replaced are forgotten.
    let mut said: Vec<(String, Certificate, usize)> = Vec::new();
    loop {
        let now = clock.now();
        let issued = certificates.list();
        let listed = issued
            .into_iter()
            .flat_map(|issued| issued.certificates.into_iter().map(move |one| (issued.from.clone(), one)));
        said = listed
            .map(|(from, certificate)| {
                let known =
                    said.iter().find(|(where_from, one, _)| (where_from, one) == (&from, &certificate));
                let (before, stage) = (known.map_or(0, |(_, _, stage)| *stage), stage(&certificate, now));
                if stage > before {
                    say(&from, &certificate, stage, now);
                }
                (from, certificate, stage)
            })
            .collect();
        tokio::select! {
            () = soft.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

fn say(from: &str, certificate: &Certificate, stage: usize, now: Timestamp) {
    let (names, not_after) = (certificate.names.join(" "), certificate.not_after);
    if stage > ALARMS.len() {
        tracing::error!(event = "tls.expired", names, %not_after, from, "senders refuse this certificate: renew it");
    } else {
        let days = (not_after.as_second() - now.as_second()) / DAY;
        tracing::warn!(event = "tls.expires", names, %not_after, days, from, "renew this certificate");
    }
}

/// How many of the alarms are due.
fn stage(certificate: &Certificate, now: Timestamp) -> usize {
    let seconds = |from: Timestamp, to: Timestamp| to.as_second() - from.as_second();
    let left = seconds(now, certificate.not_after);
    if left < 0 {
        return ALARMS.len() + 1;
    }
    let quarter = seconds(certificate.not_before, certificate.not_after) / 4;
    let due = |(_, days): &(usize, i64)| days * DAY <= quarter && left <= days * DAY;
    ALARMS.into_iter().enumerate().rfind(due).map_or(0, |(index, _)| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_come_in_the_last_quarter_of_a_life_and_each_later_one_counts_more() {
        let from = Timestamp::from_second(1_800_000_000).unwrap();
        let after = |days: i64, more: i64| Timestamp::from_second(1_800_000_000 + days * DAY + more).unwrap();
        let lives = |days| Certificate {
            names: vec!["hooks.example.com".to_owned()],
            algorithm: "ecdsa".to_owned(),
            not_before: from,
            not_after: after(days, 0),
        };
        let stages =
            |days, at: &[i64]| at.iter().map(|at| stage(&lives(days), after(*at, 0))).collect::<Vec<_>>();
        assert_eq!(stages(90, &[0, 68, 69, 75, 76, 83, 87, 89, 90]), [0, 0, 1, 1, 2, 3, 4, 5, 5]);
        assert_eq!(stages(6, &[0, 3, 4, 5, 6]), [0, 0, 0, 5, 5], "three days are half its life");
        assert_eq!(stage(&lives(90), after(90, 1)), 6);
    }
}
