//! The hostile cases of `conformance/cases.json`, each a test of its own name, against the real binary.
//!
//! A driver does what the case's situation says and hands what came back to the [`Case`], which holds it against the
//! file: status, public answer, and the code on record. Every case has a driver here or a test [`ELSEWHERE`]; one that has
//! neither fails the run.

mod admin;
mod challenge;
mod change;
mod crc;
mod destinations;
mod durability;
mod exhaustion;
mod floods;
mod framing;
mod generic;
mod h2;
mod http;
mod injection;
mod limits;
mod origin;
mod relay;
mod secrets;
mod tls;
mod twilio;
mod x;

use std::collections::BTreeMap;

use hookhouse_testkit::blackbox::{Answer, House, eventually};
use libtest_mimic::{Arguments, Trial};
use serde::Deserialize;

/// A row of the file.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) public: String,
    pub(crate) log: String,
}

type Driver = fn(&Case);

/// What is driven by another test, next to what it is about.
const ELSEWHERE: &[&str] = &["S02", "U06"];

fn main() {
    let file = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/cases.json"));
    let cases: Vec<Case> =
        serde_json::from_slice(&file.expect("the cases are there")).expect("they are JSON");
    let mut drivers: BTreeMap<&str, Driver> = BTreeMap::new();
    for (id, driver) in [
        admin::DRIVERS,
        challenge::DRIVERS,
        crc::DRIVERS,
        x::DRIVERS,
        twilio::DRIVERS,
        generic::DRIVERS,
        http::DRIVERS,
        framing::DRIVERS,
        floods::DRIVERS,
        exhaustion::DRIVERS,
        injection::DRIVERS,
        limits::DRIVERS,
        destinations::DRIVERS,
        durability::DRIVERS,
        origin::DRIVERS,
        relay::DRIVERS,
        secrets::DRIVERS,
        tls::DRIVERS,
        change::DRIVERS,
    ]
    .into_iter()
    .flatten()
    {
        assert!(drivers.insert(id, *driver).is_none(), "{id} has two drivers");
        assert!(cases.iter().any(|case| case.id == *id), "{id} is not in the file");
    }
    let missing: Vec<_> = cases
        .iter()
        .map(|case| case.id.as_str())
        .filter(|id| !drivers.contains_key(id) && !ELSEWHERE.contains(id))
        .collect();
    assert!(missing.is_empty(), "cases that nobody answers for: {missing:?}");
    let trials = cases
        .into_iter()
        .filter_map(|case| {
            let driver = *drivers.get(case.id.as_str())?;
            Some(Trial::test(case.id.clone(), move || {
                driver(&case);
                Ok(())
            }))
        })
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

impl Case {
    /// The statuses that the file allows.
    fn statuses(&self) -> Vec<u16> {
        self.status.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect()
    }

    /// The answer is one of the file's refusals, and looks like nothing but a refusal.
    pub(crate) fn refused(&self, answer: &Answer) {
        assert!(self.statuses().contains(&answer.status), "{}: {} {}", self.id, answer.status, answer.text());
        let error = answer.error().unwrap_or_default();
        let public: Vec<_> = self.public.split([' ', '/', '(', ')']).collect();
        assert!(public.contains(&error.as_str()), "{}: `{error}` is none of {public:?}", self.id);
        let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(body.as_object().map(|o| o.len()), Some(2), "{}: only `error` and `id`", self.id);
    }

    /// The answer is one of the file's statuses.
    pub(crate) fn answered(&self, answer: &Answer) {
        assert!(self.statuses().contains(&answer.status), "{}: {} {}", self.id, answer.status, answer.text());
    }

    /// The code that the file wants on record.
    pub(crate) fn code(&self) -> &str {
        self.log.split(' ').next().unwrap_or_default()
    }

    /// The newest refusals on record have the file's code. They are written after the answer, with what comes next.
    pub(crate) fn recorded(&self, house: &House, count: usize) {
        eventually(&format!("{}: {count} newest refusals on record with {}", self.id, self.code()), || {
            let refusals = house.refusals();
            let newest = refusals.get(..count)?;
            newest.iter().all(|refusal| refusal["code"] == self.code()).then_some(())
        });
    }
}

/// Nothing was stored.
pub(crate) fn nothing_stored(house: &House) {
    assert_eq!(house.events(), Vec::<serde_json::Value>::new());
}
