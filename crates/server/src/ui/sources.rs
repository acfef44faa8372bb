//! The endpoints: what arrives there, what proves it, and what their providers must be told.

use askama::Template;
use axum::extract::State;
use hookhouse_core::Timestamp;
use hookhouse_core::store::EventQuery;
use hookhouse_x::heal::{Condition, INVALIDATED_AFTER};

use super::Admin;
use super::chart::{Meter, Share, Sparkline};
use super::frame::{Frame, Section, Visit};
use super::moment::{self, Moment};
use super::prose::Prose;
use super::pulse::total;
use super::row::Mood;
use super::shown::{Shown, page};
use crate::admin::AdminState;
use crate::care::WebhookView;
use crate::config::Source;

#[derive(Template)]
#[template(path = "sources.html")]
struct SourcesPage {
    frame: Frame,
    cards: Vec<Card>,
    back: String,
}

/// An endpoint.
struct Card {
    name: String,
    provider: String,
    url: String,
    /// Whether somebody out there can call the URL as it stands.
    public: bool,
    methods: String,
    deliver: Vec<String>,
    relay: Option<String>,
    chart: Sparkline,
    verified: Option<Share>,
    events: String,
    refused: u64,
    refused_words: String,
    repeated: String,
    last: Option<(String, Moment)>,
    callers: Option<String>,
    crc: Option<Crc>,
    /// What Twilio is to be told, and what it signs.
    twilio: bool,
}

/// How the challenges of X are.
struct Crc {
    last: Option<Moment>,
    last_words: String,
    meter: Option<Meter>,
    invalidated: Option<Moment>,
    alerts: Vec<Prose>,
    condition: Option<(Mood, String)>,
    webhook: Option<String>,
    next_look: Option<Moment>,
    last_error: Option<String>,
    deeds: Vec<(Moment, String, bool)>,
    heals: bool,
}

pub(super) async fn sources(State(state): Admin, visit: Visit) -> Shown {
    let now = state.clock.now();
    let mut cards = Vec::new();
    for source in &state.in_force().sources {
        cards.push(Card::of(&state, source, now).await?);
    }
    let back = visit.here.clone();
    page(&SourcesPage {
        frame: Frame::new(Some(Section::Sources), "Sources", visit, state.dead().await),
        cards,
        back,
    })
}

impl Card {
    async fn of(state: &AdminState, source: &Source, now: Timestamp) -> Result<Self, super::shown::Trouble> {
        let intake = state.pulse.source(&source.name, now);
        let accepted = intake.accepted();
        let query = EventQuery { source: Some(source.name.clone()), limit: 1, ..EventQuery::default() };
        let last = state.store.events(&query).await?.items.into_iter().next();
        let counts = source.addresses.snapshot();
        let lists = !(source.allow_ips.enforce.is_empty() && source.allow_ips.monitor.is_empty());
        let callers = format!(
            "{} on the list, {} refused, {} that `enforce` would refuse",
            moment::count(counts.allowed),
            moment::count(counts.denied),
            moment::count(counts.would_be_denied)
        );
        Ok(Self {
            name: source.name.to_string(),
            provider: source.provider.clone(),
            url: format!("{}{}", state.base(source), source.path),
            public: source.public_url.as_ref().is_some_and(|url| url.to_string().starts_with("https://")),
            methods: source.methods.join(", "),
            deliver: source.deliver.iter().map(ToString::to_string).collect(),
            relay: source.relay.as_ref().map(|relay| relay.to.to_string()),
            chart: Sparkline::new(("events", &accepted), ("refused", &intake.refused)),
            verified: Share::new(total(&intake.verified), total(&accepted), "verified"),
            events: moment::plural(total(&accepted), "event"),
            refused: total(&intake.refused),
            refused_words: moment::count(total(&intake.refused)),
            repeated: moment::plural(total(&intake.repeated), "repeat"),
            last: last.map(|event| (event.id().to_string(), Moment::new(event.record().received_at, now))),
            callers: lists.then_some(callers),
            crc: state.webhooks.view(&source.name).map(|webhook| Crc::of(&webhook, now)),
            twilio: source.provider == "twilio",
        })
    }
}

impl Crc {
    fn of(webhook: &WebhookView, now: Timestamp) -> Self {
        let last = webhook.challenges.last.as_ref();
        let whole = i64::try_from(INVALIDATED_AFTER.as_secs()).unwrap_or(i64::MAX);
        let hours = |seconds: i64| seconds.max(0) / 3_600;
        let meter = last.map(|last| {
            let used = now.as_second().saturating_sub(last.at.as_second());
            let label = format!(
                "{} of the {} hours after which X gives a webhook up have passed since the last answered challenge",
                hours(used),
                hours(whole)
            );
            // Twenty hours are unusual; X asks at least once a day.
            Meter::new(used, whole, (71, 90), label)
        });
        let health = webhook.report.as_ref().map(|report| &report.health);
        Self {
            last: last.map(|last| Moment::new(last.at, now)),
            last_words: last.map_or_else(String::new, |last| {
                let signed = if last.signed { "signed by X" } else { "unsigned" };
                let took = moment::span(std::time::Duration::from_micros(last.took_us));
                format!("{signed}, answered in {took} with key {}", last.key)
            }),
            meter,
            invalidated: webhook.invalidated_at.map(|at| Moment::new(at, now)),
            alerts: webhook.alerts.iter().map(Prose::from).collect(),
            condition: health.map(|health| match health.condition {
                Condition::Unknown => (Mood::Calm, "not asked yet".to_owned()),
                Condition::Valid => (Mood::Good, "valid".to_owned()),
                Condition::Invalid { .. } => (Mood::Bad, "invalid: X sends nothing".to_owned()),
                Condition::Missing { .. } => (Mood::Bad, "X does not know it".to_owned()),
            }),
            webhook: health.and_then(|health| health.webhook.as_ref()).map(ToString::to_string),
            next_look: health.map(|health| Moment::new(health.next_look, now)),
            last_error: health.and_then(|health| health.last_error.clone()),
            deeds: webhook
                .deeds
                .iter()
                .take(5)
                .map(|deed| (Moment::new(deed.at, now), deed.deed.clone(), deed.trouble))
                .collect(),
            heals: webhook.report.is_some(),
        }
    }
}
