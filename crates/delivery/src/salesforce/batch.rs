//! Deliveries that are tried together: their records, each key once, and what the fates of the records mean for the
//! deliveries.

use std::collections::HashMap;

use hookhouse_core::{AttemptOutcome, DeadReason};

use super::call::Upserted;
use super::mapping::{Mapped, Record};
use super::refusal::{Class, Refusal};
use super::sender::Fate;
use crate::circuit::Health;
use crate::response::{Pause, Tried, printable};

/// What is tried together.
#[derive(Debug)]
pub(crate) struct Batch {
    mapped: Vec<Mapped>,
    /// For each delivery, where its records are among all of them.
    places: Vec<Vec<usize>>,
    /// The distinct records, as delivery and place in it.
    distinct: Vec<(usize, usize)>,
}

impl Batch {
    /// The records of deliveries. Of those with one key the first goes out, for all of them: in one call, a key may
    /// stand only once.
    pub(crate) fn of(mapped: impl Iterator<Item = Mapped>) -> Self {
        let mapped: Vec<Mapped> = mapped.collect();
        let (mut distinct, mut places) = (Vec::new(), Vec::new());
        let mut known: HashMap<&str, usize> = HashMap::new();
        for (delivery, of_one) in mapped.iter().enumerate() {
            let place = |(index, record)| {
                let record: &Record = record;
                *known.entry(&record.key).or_insert_with(|| {
                    distinct.push((delivery, index));
                    distinct.len() - 1
                })
            };
            places.push(of_one.records.iter().enumerate().map(place).collect());
        }
        Self { places, distinct, mapped }
    }

    /// The records to be written.
    pub(crate) fn records(&self) -> Vec<&Record> {
        let record = |(delivery, index): &(usize, usize)| self.mapped.get(*delivery)?.records.get(*index);
        self.distinct.iter().filter_map(record).collect()
    }

    /// What came of each delivery, from the fates of the records in their order.
    pub(crate) fn judge(&self, fates: &[Fate], mut pause: Option<Pause>) -> Vec<Tried> {
        let mut told = false;
        let judged = self.mapped.iter().zip(&self.places).map(|(mapped, places)| {
            let own: Vec<&Fate> = places.iter().filter_map(|place| fates.get(*place)).collect();
            let mut tried = judge(mapped, &own);
            // A call that fails is one failure, however many deliveries it was for.
            if matches!(tried.health, Health::Failing | Health::Unreachable) {
                if told {
                    tried.health = Health::Untold;
                }
                told = true;
            }
            if tried.pause.is_none() {
                tried.pause = pause.take();
            }
            tried
        });
        judged.collect()
    }
}

/// What came of one delivery: the worst of its records decides, and what can still be mended before what cannot.
fn judge(mapped: &Mapped, fates: &[&Fate]) -> Tried {
    let failed = fates.iter().find_map(|fate| match fate {
        Fate::Failed(tried) => Some(tried),
        _ => None,
    });
    if let Some(tried) = failed {
        return tried.clone();
    }
    let refused: Vec<(&Refusal, Class)> = fates
        .iter()
        .filter_map(|fate| match fate {
            Fate::Refused(refusal) => Some((refusal, refusal.class())),
            _ => None,
        })
        .collect();
    let of = |words: String, bad: usize| match fates.len() + mapped.broken.len() {
        0 | 1 => words,
        all => format!("{bad} of {all} records: {words}"),
    };
    let told = |refusal: &Refusal, health| Tried {
        outcome: AttemptOutcome::Refused {
            status: refusal.status,
            answer: of(refusal.words(), refused.len() + mapped.broken.len()),
        },
        health,
        retry_after: refusal.retry_after,
        give_up: None,
        pause: None,
    };
    for (refusal, class) in &refused {
        if let Class::Pause(pause) = class {
            return Tried { pause: Some(pause.clone()), ..told(refusal, Health::Failing) };
        }
    }
    for (refusal, class) in &refused {
        match class {
            // Tried again at once already.
            Class::Again => return told(refusal, Health::Up),
            Class::Retry(health) => return told(refusal, *health),
            Class::Strip | Class::Reject | Class::Pause(_) => {}
        }
    }
    if let Some((refusal, _)) = refused.first() {
        return Tried { give_up: Some(DeadReason::Rejected), ..told(refusal, Health::Up) };
    }
    if let Some(words) = mapped.broken.first() {
        let health = if fates.is_empty() { Health::Untold } else { Health::Up };
        let failed = Tried::failed(of(words.clone(), mapped.broken.len()), health);
        return Tried { give_up: Some(DeadReason::Rejected), ..failed };
    }
    let created = fates.iter().any(|fate| matches!(fate, Fate::Done(Upserted { created: true })));
    let (outcome, health) = if fates.is_empty() {
        let reason = mapped.skipped.first().map_or("there is nothing to write", String::as_str);
        (AttemptOutcome::Skipped { reason: printable(reason.as_bytes(), 256) }, Health::Untold)
    } else {
        (AttemptOutcome::Delivered { status: if created { 201 } else { 200 } }, Health::Up)
    };
    Tried { outcome, health, retry_after: None, give_up: None, pause: None }
}
