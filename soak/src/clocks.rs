//! A wall clock that is set while the server runs: by a year and back, to 1970, by a leap second.
//!
//! The clock is libfaketime's, for this process alone; its monotonic clock goes on as it did.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;

use crate::campaign::{Budget, Campaign, Outcome};
use crate::load::{Load, SENDERS};
use crate::needs;

/// Seconds that the clock is off, one after the other: a year ahead, a year behind, 1970, a leap second, an NTP step, right.
const OFFSETS: [i64; 6] = [YEAR, -YEAR, -56 * YEAR, -56 * YEAR - 1, 5, 0];

const YEAR: i64 = 365 * 86_400;

/// Events that are sent at each offset.
const EVENTS: usize = 60;

/// Jumps, again and again.
///
/// # Errors
/// When the harness cannot do its work, ids are out of order, or there is a storm of retries. What the audits find is no
/// error.
pub fn run(binary: &Path, budget: &Budget, seed: u64) -> anyhow::Result<Outcome> {
    let library = needs::clock()?;
    let mut outcome = Outcome::default();
    let mut campaign = Campaign::new(binary, None, seed)?;
    let file = campaign.folder().join("clock");
    let set = |offset: i64| {
        // Replaced in one step, so that nobody reads half of it.
        let draft = file.with_extension("new");
        std::fs::write(&draft, format!("{offset:+}"))?;
        std::fs::rename(&draft, &file)
    };
    set(0)?;
    campaign.server.set("LD_PRELOAD", &library.to_string_lossy());
    campaign.server.set("FAKETIME_TIMESTAMP_FILE", &file.to_string_lossy());
    campaign.server.set("FAKETIME_NO_CACHE", "1");
    campaign.server.set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    campaign.server.set("DONT_FAKE_MONOTONIC", "1");
    campaign.server.start()?;
    let mut jumps = OFFSETS.iter().cycle();
    while budget.allows(outcome.rounds) && outcome.findings.is_clean() {
        let Some(offset) = jumps.next() else { break };
        // Retries wait when the clock is set: the application has refused everything for a moment.
        campaign.application.be_ill(true);
        let load = Load::start(campaign.server.ingress, &campaign.ledger, SENDERS);
        load.wait_for(EVENTS)?;
        set(*offset)?;
        load.wait_for(EVENTS)?;
        load.end()?;
        std::thread::sleep(Duration::from_millis(1_500));
        campaign.application.be_ill(false);
        let found = campaign.settle()?;
        outcome.rounds += 1;
        if !found.is_clean() {
            outcome.findings.absorb(found);
            return Ok(outcome);
        }
        let log = campaign.server.log();
        ensure!(!log.contains("panicked"), "a panic at {offset:+} s:\n{}", campaign.server.last_words());
        let far = outcome.rounds > 1 || offset.abs() > 60;
        ensure!(
            !far || log.contains("clock.jump"),
            "nobody noticed that the clock was set:\n{}",
            campaign.server.last_words()
        );
        storm(&campaign, outcome.rounds)?;
    }
    ordered(&campaign)?;
    outcome.findings = campaign.settle()?;
    campaign.server.stop()?;
    Ok(outcome)
}

/// Retries keep to their schedule: no event was tried more often than the schedule has it in all that time.
fn storm(campaign: &Campaign, rounds: u32) -> anyhow::Result<()> {
    let events = campaign.ledger.told().len() as u64;
    let requests = campaign.application.requests();
    // An ill application is asked again and again; ten tries each would be more than the schedule allows.
    ensure!(requests <= events * 10, "{requests} requests for {events} events after {rounds} jumps: a storm");
    Ok(())
}

/// Ids stay in the order in which events came.
fn ordered(campaign: &Campaign) -> anyhow::Result<()> {
    let events = campaign.server.events()?;
    let ids: Vec<_> = events.iter().filter_map(|event| event["id"].as_str()).collect();
    ensure!(ids.len() == events.len(), "an event without an id");
    ensure!(ids.is_sorted(), "ids are out of order");
    Ok(())
}
