//! Load that goes on, and whether anything grows that should not.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::audit::Findings;
use crate::campaign::Campaign;
use crate::load::Load;
use crate::process;

/// What was seen.
#[derive(Debug)]
pub struct Steady {
    /// For how long, in minutes.
    pub minutes: f64,
    /// What the audit found.
    pub findings: Findings,
    /// By how much resident memory grew in the second half, in megabytes per hour.
    pub slope: f64,
    /// Resident memory at the end, in megabytes.
    pub resident: f64,
    /// Descriptors after the first quarter, and at the end.
    pub descriptors: (usize, usize),
}

/// Few enough that the machine has half of its time for something else.
const SENDERS: usize = 2;

/// Sends for so long.
///
/// # Errors
/// When the harness cannot do its work.
pub fn run(binary: &Path, length: Duration, seed: u64) -> anyhow::Result<Steady> {
    let mut campaign = Campaign::new(binary, None, seed)?;
    campaign.server.start()?;
    let pid = campaign.server.pid()?;
    let load = Load::start(campaign.server.ingress, &campaign.ledger, SENDERS);
    let (began, mut samples, mut first) = (Instant::now(), Vec::new(), 0);
    while began.elapsed() < length {
        std::thread::sleep(Duration::from_millis(500));
        let at = began.elapsed();
        if at < length / 4 {
            first = process::descriptors(pid)?;
        } else if at > length / 2 {
            samples.push((at.as_secs_f64() / 3600.0, process::resident(pid)?));
        }
    }
    let descriptors = (first, process::descriptors(pid)?);
    load.end()?;
    let resident = process::resident(pid)?;
    let findings = campaign.settle()?;
    campaign.server.stop()?;
    Ok(Steady {
        minutes: length.as_secs_f64() / 60.0,
        findings,
        slope: slope(&samples),
        resident,
        descriptors,
    })
}

/// The slope of the line that lies nearest to the points.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let above: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let below: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if below > 0.0 { above / below } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_slope() {
        let line: Vec<_> = (0..10).map(|x| (f64::from(x), 3.0 * f64::from(x) + 7.0)).collect();
        assert!((slope(&line) - 3.0).abs() < 1e-9);
        assert_eq!(slope(&line[..1]), 0.0);
    }
}
