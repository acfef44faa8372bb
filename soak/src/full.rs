//! A disk that fills up and is made room on: 503 while it is full, nothing acknowledged lost, and on it goes.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use tokio::time::Instant;

use crate::audit::Findings;
use crate::campaign::{Budget, Campaign, Outcome};
use crate::http::{Answer, Connection, challenge, signed};
use crate::image::Memory;
use crate::ledger::Told;
use crate::load::{Load, SENDERS};
use crate::server::{self, PATIENCE};

/// The disk.
const MEGABYTES: u32 = 48;

/// How the disk becomes full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserve {
    /// The store keeps a reserve, and refuses before anything fails.
    Kept,
    /// There is none: writes fail in the middle of a transaction.
    None,
}

/// Rounds that one store goes through, so that the audits do not grow with the run.
const PER_STORE: u32 = 4;

/// Fills the disk and makes room again, again and again. Every fourth time the server is killed and started meanwhile.
///
/// # Errors
/// When the harness cannot do its work, an answer is neither 200 nor 503 with `Retry-After`, a challenge is not answered, or
/// the server does not go on when there is room. What the audits find is no error.
pub fn run(binary: &Path, reserve: Reserve, budget: &Budget, seed: u64) -> anyhow::Result<Outcome> {
    let disk = Memory::new(MEGABYTES)?;
    let mut outcome = Outcome::default();
    while budget.allows(outcome.rounds) && outcome.findings.is_clean() {
        let store = disk.place().join(format!("store-{}", outcome.rounds));
        let seed = seed.wrapping_add(u64::from(outcome.rounds));
        let mut campaign = Campaign::new(binary, Some(store.clone()), seed)?;
        let mut setup = campaign.setup();
        setup.store = format!("reserve = \"{}\"\n", if reserve == Reserve::Kept { "16MB" } else { "0B" });
        // On a full disk the server cannot leave a note where it listens.
        setup.listen = Some(server::free_address()?);
        campaign.server.configure(&setup)?;
        campaign.server.start()?;
        let mut findings = Findings::default();
        for _ in 0..PER_STORE {
            if !budget.allows(outcome.rounds) || !findings.is_clean() {
                break;
            }
            once(
                &mut campaign,
                &disk.place().join("ballast"),
                reserve,
                outcome.rounds % PER_STORE == PER_STORE - 1,
            )?;
            outcome.rounds += 1;
            findings = campaign.settle()?;
        }
        outcome.findings.absorb(findings);
        campaign.server.stop()?;
        drop(campaign);
        std::fs::remove_dir_all(&store)?;
    }
    Ok(outcome)
}

/// One round.
fn once(campaign: &mut Campaign, ballast: &Path, reserve: Reserve, is_killed: bool) -> anyhow::Result<()> {
    let load = Load::start(campaign.server.ingress, &campaign.ledger, SENDERS);
    load.wait_for(20)?;
    fill(ballast)?;
    let until = Instant::now() + PATIENCE;
    while !is_refused(campaign) {
        ensure!(Instant::now() < until, "a full disk refuses nothing:\n{}", campaign.server.last_words());
        std::thread::sleep(Duration::from_millis(5));
    }
    load.end()?;
    if is_killed {
        campaign.server.kill();
        campaign.server.spawn()?;
    }
    let answer = until_answered(campaign, &challenge(0))?;
    ensure!(answer.status == 200, "a challenge was answered with {}", answer.status);
    if reserve == Reserve::Kept {
        refuses(campaign)?;
    }
    std::fs::remove_file(ballast)?;
    let until = Instant::now() + PATIENCE;
    while send(campaign)?.status != 200 {
        ensure!(Instant::now() < until, "it does not go on:\n{}", campaign.server.last_words());
        std::thread::sleep(Duration::from_millis(20));
    }
    if is_killed {
        campaign.server.kill();
        campaign.server.start()?;
    }
    Ok(())
}

/// Sends until an event is refused. A small one may find room up to the moment when the store looks at the disk again; without
/// a reserve it may find some in the log for long.
fn refuses(campaign: &Campaign) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = send(campaign)?;
        if answer.status == 503 {
            let says_when = answer.head.contains("retry-after: 10");
            ensure!(says_when, "503 and no time to come back: {}", answer.head);
            return Ok(());
        }
        ensure!(answer.status == 200 && Instant::now() < until, "{} while the disk is full", answer.status);
    }
}

/// Sends one event, and notes what became of it.
fn send(campaign: &Campaign) -> anyhow::Result<Answer> {
    let (number, body) = campaign.ledger.next();
    let answer = Connection::open(campaign.server.ingress)?.exchange(&signed(&body))?;
    let told = if answer.status == 200 { Told::Acknowledged } else { Told::Refused };
    campaign.ledger.note(number, told, &body)?;
    Ok(answer)
}

/// Asks until somebody is there.
fn until_answered(campaign: &Campaign, request: &[u8]) -> anyhow::Result<Answer> {
    let until = Instant::now() + PATIENCE;
    loop {
        match Connection::open(campaign.server.ingress).and_then(|mut open| open.exchange(request)) {
            Ok(answer) => return Ok(answer),
            Err(error) => {
                let words = || campaign.server.last_words();
                ensure!(Instant::now() < until, "nobody answers on a full disk: {error}:\n{}", words());
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// Whether one of the newest events was refused.
fn is_refused(campaign: &Campaign) -> bool {
    campaign.ledger.told().iter().rev().take(SENDERS * 4).any(|told| *told == Told::Refused)
}

/// Takes all the space that there is.
fn fill(ballast: &Path) -> anyhow::Result<()> {
    let mut file = File::create(ballast)?;
    for size in [1 << 20, 4096] {
        let block = vec![0_u8; size];
        while file.write_all(&block).is_ok() {}
    }
    Ok(())
}
