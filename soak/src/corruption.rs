//! Bytes that changed on the disk: torn, flipped and zeroed, in the newest pages of the store's files.
//!
//! The next start succeeds or refuses with a precise error, and never panics; nothing is served that is not what was sent;
//! and what is missing is reported. One thing nobody can see: a log that was cut off at its end looks like one whose last
//! transactions never happened. That a synced file is cut off needs a disk that forgets what it confirmed.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use anyhow::{Context, ensure};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::audit::Findings;
use crate::campaign::{Budget, Campaign};
use crate::load::{Load, SENDERS};

/// What many damaged stores showed.
#[derive(Debug, Clone, Default)]
pub struct Damaged {
    /// Stores that were damaged.
    pub rounds: u32,
    /// Starts that were refused, with an error that names the damage.
    pub refused: u32,
    /// Stores in which acknowledged events were missing, which was reported.
    pub reported: u32,
    /// Stores whose log had lost its end.
    pub cut_off: u32,
    /// Stores in which nothing was missing.
    pub whole: u32,
    /// What must not be: a panic, a wrong event served, a loss that nobody reported.
    pub wrong: Vec<String>,
}

impl Damaged {
    /// Takes in what others showed.
    pub fn absorb(&mut self, other: Self) {
        self.rounds += other.rounds;
        self.refused += other.refused;
        self.reported += other.reported;
        self.cut_off += other.cut_off;
        self.whole += other.whole;
        self.wrong.extend(other.wrong);
    }
}

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    CutOff,
    Flip,
    Zero,
}

/// Damages copies of a store, one after the other.
///
/// # Errors
/// When the harness cannot do its work.
pub fn run(binary: &Path, budget: &Budget, seed: u64) -> anyhow::Result<Damaged> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut damaged = Damaged::default();
    let mut campaign = Campaign::new(binary, None, seed)?;
    // Nobody takes anything, so that there are positions, exceptions and attempts in the store as well.
    campaign.application.be_ill(true);
    campaign.server.start()?;
    let load = Load::start(campaign.server.ingress, &campaign.ledger, SENDERS);
    load.wait_for(400)?;
    // A part of it in the database, and the newest in the log.
    campaign.server.stop()?;
    load.end()?;
    campaign.server.start()?;
    let load = Load::start(campaign.server.ingress, &campaign.ledger, SENDERS);
    load.wait_for(60)?;
    campaign.server.kill();
    load.end()?;
    let (store, sound) = (campaign.server.store().to_owned(), campaign.folder().join("sound"));
    copy(&store, &sound)?;
    while budget.allows(damaged.rounds) {
        fs::remove_dir_all(&store)?;
        copy(&sound, &store)?;
        campaign.server.forget_log()?;
        let (file, damage, at) = harm(&store, &mut rng)?;
        let verdict = judge(&mut campaign, damage, &file, &mut damaged)
            .with_context(|| format!("{damage:?} in {file} at {at}"));
        if let Err(wrong) = verdict {
            damaged.wrong.push(format!("{wrong:#}"));
        }
        campaign.server.kill();
        damaged.rounds += 1;
    }
    Ok(damaged)
}

fn judge(campaign: &mut Campaign, damage: Damage, file: &str, damaged: &mut Damaged) -> anyhow::Result<()> {
    let started = campaign.server.start();
    let events = if started.is_ok() { Some(campaign.server.events()) } else { None };
    let log = campaign.server.log();
    ensure!(!log.contains("panicked"), "a panic:\n{log}");
    let names_it = |text: &str| {
        ["damaged", "malformed", "corrupt", "is not a hookhouse store"].iter().any(|w| text.contains(w))
    };
    if let Err(refusal) = started {
        ensure!(names_it(&log), "refused without a reason that helps: {refusal:#}");
        damaged.refused += 1;
        return Ok(());
    }
    let events = match events.transpose() {
        Ok(events) => events.unwrap_or_default(),
        Err(error) => {
            let said = format!("{error:#}");
            ensure!(names_it(&said) || names_it(&log), "not exported, without a reason that helps: {said}");
            damaged.reported += 1;
            return Ok(());
        }
    };
    let found = Findings::of_store(&campaign.ledger, &events);
    ensure!(found.phantom == 0 && found.doubled.is_empty(), "served what was never sent: {found}");
    if found.lost.is_empty() {
        damaged.whole += 1;
    } else if log.contains("store.corrupt_record") {
        damaged.reported += 1;
    } else {
        let log_alone = file.ends_with("-wal") && (damage == Damage::CutOff || is_end(&found, campaign));
        ensure!(log_alone, "a loss that nobody reported: {found}");
        damaged.cut_off += 1;
    }
    Ok(())
}

/// Whether what is missing is what came last: one transaction has at most as many events as there are senders, and of two
/// the log cannot say whether they were ever whole.
fn is_end(found: &Findings, campaign: &Campaign) -> bool {
    let newest = campaign.ledger.told().len() as u64;
    found.lost.iter().all(|number| newest - number <= 4 * SENDERS as u64)
}

/// Damages a file of the store: which, how, and where.
fn harm(store: &Path, rng: &mut StdRng) -> anyhow::Result<(String, Damage, u64)> {
    let name = if rng.random_ratio(2, 3) { "hookhouse.db-wal" } else { "hookhouse.db" };
    let mut file = OpenOptions::new().read(true).write(true).open(store.join(name))?;
    let length = file.metadata()?.len();
    ensure!(length > 0, "{name} is empty: there is nothing to damage");
    let damage = match rng.random_range(0..4) {
        0 => Damage::CutOff,
        1 => Damage::Zero,
        _ => Damage::Flip,
    };
    // Mostly the newest part.
    let from = if rng.random_ratio(3, 4) { length - length / 3 } else { 0 };
    let at = rng.random_range(from..length);
    if damage == Damage::CutOff {
        file.set_len(at)?;
        return Ok((name.to_owned(), damage, at));
    }
    let mut bytes =
        vec![0; usize::try_from((length - at).min(if damage == Damage::Zero { 4096 } else { 8 }))?];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes)?;
    for byte in &mut bytes {
        *byte = if damage == Damage::Zero { 0 } else { *byte ^ (1 << rng.random_range(0..8)) };
    }
    file.seek(SeekFrom::Start(at))?;
    file.write_all(&bytes)?;
    Ok((name.to_owned(), damage, at))
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        // The index of the log is made anew from it. A socket that a killed server left is nothing that could be copied.
        if entry.file_name() != "hookhouse.db-shm" && !entry.file_type()?.is_socket() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
