//! Several servers in the same run: each round sends every one of them its events, and who goes first moves on.
//!
//! A machine that is busy with something else, or runs slower for a while, does so to all of a round alike. So what
//! counts is each round's own ratio to the first server, and of those the median.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;

use crate::contender::Contender;
use crate::load::{self, Events, Load, Measured, Pace, Traffic};
use crate::usage::Usage;

/// A server, what it is sent, and which part of a round's events: slow ones would take all day.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) contender: Contender,
    pub(crate) traffic: Traffic,
    pub(crate) part: u32,
}

impl Side {
    pub(crate) fn new(contender: Contender, traffic: Traffic) -> Self {
        Self { contender, traffic, part: 1 }
    }

    /// It gets one event where the others get so many.
    pub(crate) fn one_in(self, part: u32) -> Self {
        Self { part, ..self }
    }
}

/// One server in one round.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) measured: Measured,
    pub(crate) usage: Usage,
}

impl Sample {
    /// Microseconds of processor time for each event.
    pub(crate) fn cpu(&self) -> f64 {
        self.usage.cpu * 1e6 / self.measured.count as f64
    }

    pub(crate) fn switches(&self) -> f64 {
        self.usage.switches as f64 / self.measured.count as f64
    }
}

/// What is sent in each round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) rounds: u32,
    pub(crate) events: u32,
    pub(crate) pace: Pace,
}

/// Makes the events of each kind of traffic, none of them twice.
#[derive(Debug, Default)]
pub(crate) struct Supply(HashMap<Traffic, Events>);

impl Supply {
    pub(crate) fn take(&mut self, traffic: Traffic, count: u32) -> anyhow::Result<Rc<Load>> {
        let events = match self.0.entry(traffic) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Events::of(traffic)?),
        };
        events.take(count)
    }
}

/// Waits for every server, warms it up, and measures all of them in each round. A list of samples for each entry.
pub(crate) async fn run(
    entries: &mut [Side],
    supply: &mut Supply,
    plan: Plan,
) -> anyhow::Result<Vec<Vec<Sample>>> {
    for entry in entries.iter_mut() {
        entry.contender.wait_until_it_serves().await?;
        let warm_up = supply.take(entry.traffic, plan.events.min(4_000) / entry.part)?;
        load::run(entry.contender.address(), &warm_up, Pace { rate: None, ..plan.pace }).await?;
    }
    let mut samples: Vec<Vec<Sample>> = entries.iter().map(|_| Vec::new()).collect();
    for round in 0..plan.rounds {
        let mut loads = HashMap::new();
        for entry in entries.iter() {
            let kind = (entry.traffic, entry.part);
            if let Entry::Vacant(place) = loads.entry(kind) {
                place.insert(supply.take(entry.traffic, (plan.events / entry.part).max(1))?);
            }
        }
        for turn in 0..entries.len() {
            let at = (turn + round as usize) % entries.len();
            let (Some(entry), Some(samples)) = (entries.get(at), samples.get_mut(at)) else { continue };
            if let Some(load) = loads.get(&(entry.traffic, entry.part)) {
                samples.push(measure(&entry.contender, load, plan.pace).await?);
            }
        }
    }
    Ok(samples)
}

/// Sends a load once, and checks that every answer is the one that it should be.
pub(crate) async fn measure(contender: &Contender, load: &Rc<Load>, pace: Pace) -> anyhow::Result<Sample> {
    let before = Usage::of(contender.process())?;
    let measured = load::run(contender.address(), load, pace).await?;
    let usage = Usage::of(contender.process())?.since(before);
    anyhow::ensure!(
        measured.refused == 0,
        "{} answered {} requests otherwise than it should",
        contender.name(),
        measured.refused
    );
    Ok(Sample { measured, usage })
}
