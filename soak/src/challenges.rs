//! Challenges while the disk is no help: stalled, or full. No part of their answer needs it.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;

use crate::campaign::Campaign;
use crate::http::{Connection, signed};
use crate::image::{Image, Kind, Memory};
use crate::latency::{Asks, Client, Waits};
use crate::load::Load;

/// How long they take when nothing else happens.
///
/// # Errors
/// When the harness cannot do its work.
pub fn idle(binary: &Path, length: Duration, seed: u64) -> anyhow::Result<Waits> {
    let mut campaign = Campaign::new(binary, None, seed)?;
    campaign.server.start()?;
    let waits = Client::run(campaign.server.ingress, Asks::Challenges, length)?;
    campaign.server.stop()?;
    Ok(waits)
}

/// How long they take while every write to the disk stalls for so long, with events that wait for it.
///
/// # Errors
/// When the harness cannot do its work, or an event was acknowledged that cannot have been stored.
pub fn stalled(binary: &Path, length: Duration, seed: u64) -> anyhow::Result<Waits> {
    let image = Image::new(Kind::Ext4)?;
    let mut campaign = Campaign::new(binary, Some(image.place().join("store")), seed)?;
    campaign.server.start()?;
    let load = Load::start(campaign.server.ingress, &campaign.ledger, 64);
    load.wait_for(200)?;
    image.freeze()?;
    let waits = stalled_for(&campaign, length);
    image.thaw()?;
    let waits = waits?;
    load.wait_for(100)?;
    load.end()?;
    let found = campaign.settle()?;
    ensure!(found.is_clean(), "the stall lost something: {found}");
    campaign.server.stop()?;
    Ok(waits)
}

fn stalled_for(campaign: &Campaign, length: Duration) -> anyhow::Result<Waits> {
    // What was on its way into the frozen file system is there.
    std::thread::sleep(Duration::from_millis(200));
    let before = campaign.ledger.acknowledged();
    let waits = Client::run(campaign.server.ingress, Asks::Challenges, length)?;
    ensure!(campaign.ledger.acknowledged() == before, "the disk was not stalled: events were acknowledged");
    Ok(waits)
}

/// How long they take while the disk is full and events are refused.
///
/// # Errors
/// When the harness cannot do its work.
pub fn full(binary: &Path, length: Duration, seed: u64) -> anyhow::Result<Waits> {
    let disk = Memory::new(64)?;
    let mut campaign = Campaign::new(binary, Some(disk.place().join("store")), seed)?;
    let mut setup = campaign.setup();
    // All that there is is reserve.
    setup.store = "reserve = \"1GB\"\n".to_owned();
    campaign.server.configure(&setup)?;
    campaign.server.start_unready()?;
    let load = Load::start(campaign.server.ingress, &campaign.ledger, 16);
    let waits = Client::run(campaign.server.ingress, Asks::Challenges, length)?;
    load.end()?;
    let answer = Connection::open(campaign.server.ingress)?.exchange(&signed(b"{}"))?;
    ensure!(answer.status == 503 && campaign.ledger.acknowledged() == 0, "the disk was not full");
    campaign.server.kill();
    Ok(waits)
}
