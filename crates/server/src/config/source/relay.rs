//! `relay`: an application that answers the sender itself, and what is answered when it does not.

use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::super::diagnostic::{Code, Diagnostic};
use super::super::field::Field;
use super::super::loader::Loader;
use super::super::model::{OnFailure, RelaySettings};
use super::super::units::Period;
use super::answer::{RawAnswer, read_given};
use super::{Surroundings, destination};

/// Below Twilio's fifteen seconds, with time for the way back.
const DEADLINE: Duration = Duration::from_secs(10);

/// No provider waits for longer.
const LONGEST: Duration = Duration::from_secs(60);

/// A Media Stream says something fifty times a second, a conversation nothing while nobody speaks.
const IDLE: Duration = Duration::from_mins(5);

/// What a connection may last anyway.
const LONGEST_IDLE: Duration = Duration::from_hours(24);

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table: { to, deadline, idle, on_failure, fallback }")]
pub(super) struct RawRelay {
    to: Field<String>,
    deadline: Field<Period>,
    idle: Field<Period>,
    on_failure: Field<OnFailure>,
    fallback: Field<RawAnswer>,
}

impl<'de> Deserialize<'de> for OnFailure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "fallback" => Ok(Self::Fallback),
            "queue" => Ok(Self::Queue),
            _ => Err(D::Error::custom("expected `fallback` or `queue`")),
        }
    }
}

pub(super) fn read(
    field: &Field<RawRelay>,
    around: &Surroundings<'_>,
    loader: &Loader<'_>,
) -> Option<RelaySettings> {
    let given = field.given()?;
    let raw = &given.value;
    if raw.to.is_missing() {
        loader.report.missing_key(
            &given.span,
            "to",
            "a relay goes to a destination",
            "`to = \"app\"`, with a section `[destination.app]`",
        );
    }
    let deadline = raw.deadline.given().map_or(DEADLINE, |given| {
        if given.value.0.is_zero() || given.value.0 > LONGEST {
            loader.report.value(&given.span, "`deadline` is from 1ms to 60s: no provider waits for longer");
        }
        given.value.0
    });
    let idle = raw.idle.given().map_or(IDLE, |given| {
        if given.value.0.is_zero() || given.value.0 > LONGEST_IDLE {
            loader.report.value(&given.span, "`idle` is from 1ms to 24h: no connection lasts for longer");
        }
        given.value.0
    });
    let to = raw.to.given().and_then(|given| {
        let name = destination(given, around.destinations, loader)?;
        if around.orgs.contains(&&name) {
            let message = format!("`{name}` is a Salesforce org: it answers no sender");
            loader.report.push(
                Diagnostic::error(Code::Value, &given.span, message)
                    .help(format!("deliver to it: `deliver = [\"{name}\"]`")),
            );
        }
        Some(name)
    });
    Some(RelaySettings {
        to: to?,
        deadline,
        idle,
        on_failure: raw.on_failure.value().copied().unwrap_or_default(),
        fallback: raw.fallback.given().map(|given| read_given(given, loader)),
    })
}
