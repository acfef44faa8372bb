//! SIGKILL at a random instant, under load: what was acknowledged is there after the next start, once, and is delivered.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;

use crate::campaign::{Budget, Campaign, Outcome};

/// Kills that one store goes through: after that it is audited whole and another one begins, so that the audits do not
/// grow with the run.
const PER_STORE: u32 = 25;

/// The longest load before a kill.
const MOST: Duration = Duration::from_millis(120);

/// Kills it again and again.
///
/// # Errors
/// When the harness cannot do its work. What it finds is no error.
pub fn run(binary: &Path, budget: &Budget, seed: u64) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    while budget.allows(outcome.rounds) {
        let mut campaign = Campaign::new(binary, None, seed.wrapping_add(u64::from(outcome.rounds)))?;
        campaign.server.start()?;
        for _ in 0..PER_STORE {
            if !budget.allows(outcome.rounds) {
                break;
            }
            let load = campaign.load_for_a_while(MOST)?;
            campaign.server.kill();
            load.end()?;
            campaign.server.start()?;
            outcome.rounds += 1;
            let found = campaign.audit()?;
            if !found.is_clean() {
                outcome.findings.absorb(found);
                return Ok(outcome);
            }
        }
        ensure!(
            campaign.server.log().contains("store.recovered"),
            "the log does not say that the store is back"
        );
        outcome.findings.absorb(campaign.settle()?);
        campaign.server.stop()?;
        if !outcome.findings.is_clean() {
            break;
        }
    }
    Ok(outcome)
}
