//! `hookhouse x webhooks status`: how a source's webhook is, at X and seen from here.
//!
//! Each part of a [`Status`] is found out by itself, and what cannot be found out is said: a person who looks here has
//! trouble already.

use std::time::Duration;

use hookhouse_core::{SourceName, Timestamp};
use hookhouse_server::care::{Challenge, WebhookView};
use hookhouse_x::calls::webhooks::{self, Webhook};
use hookhouse_x::probe::{ProbeFault, Probed, Prober};
use hookhouse_x::rules;
use serde::Serialize;

use super::app::{App, Common, refused};
use crate::Global;
use crate::admin::{Client, block_on};
use crate::exit::{Code, Failure, Outcome};
use crate::locate::{self, Place};
use crate::output::Out;
use crate::terminal::inline;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    /// Do not challenge the URL from here
    #[arg(long)]
    no_probe: bool,
}

/// How a source's webhook is.
#[derive(Debug, Serialize)]
struct Status {
    source: SourceName,
    url: String,
    /// What X has under this URL; `None` for nothing.
    webhook: Option<Webhook>,
    /// What a challenge from here found.
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<Probe>,
    /// What the running server knows; `None` where none runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<WebhookView>,
}

/// What a challenge from here found.
#[derive(Debug, Serialize)]
struct Probe {
    answered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<u128>,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
    /// Whether X would invalidate the webhook for it at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    fatal: Option<bool>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
}

impl From<Result<Probed, ProbeFault>> for Probe {
    fn from(probed: Result<Probed, ProbeFault>) -> Self {
        match probed {
            Ok(probed) => Self {
                answered: true,
                ms: Some(probed.took.as_millis()),
                fault: None,
                fatal: None,
                advice: None,
            },
            Err(fault) => Self {
                answered: false,
                ms: None,
                fault: Some(fault.line()),
                fatal: Some(fault.is_fatal()),
                advice: Some(fault.advice()),
            },
        }
    }
}

impl Status {
    async fn of(app: &App, probe: bool, place: &Place) -> Result<Self, Failure> {
        let url = app.url()?;
        let found = app.client.send(&webhooks::list()).await.map_err(|error| refused(&error))?;
        let webhook = found.into_iter().find(|webhook| rules::same(&webhook.url, &url));
        let probe = if probe { Some(app.prober()?.probe(&url).await.into()) } else { None };
        let source = app.source.name.clone();
        let server = match Client::find(place).await? {
            Some(client) => client.status().await?.sources.into_iter().find(|known| known.name == source),
            None => None,
        };
        let server = server.and_then(|known| known.webhook);
        Ok(Self { source, url, webhook, probe, server })
    }

    fn is_well(&self) -> bool {
        self.webhook.as_ref().is_some_and(|webhook| webhook.valid)
            && self.probe.as_ref().is_none_or(|probe| probe.answered)
            && self.server.as_ref().is_none_or(|server| server.alerts.is_empty())
    }
}

pub(super) fn run(args: &Args, global: &Global) -> Outcome {
    let apps = App::open_all(args.common.source.as_ref(), &args.common.dry, global)?;
    let place = locate::place(global)?;
    let mut out = Out::new(global.output);
    let mut well = true;
    for app in &apps {
        if app.is_dry() {
            app.show(&webhooks::list())?;
            continue;
        }
        let status = block_on(Status::of(app, !args.no_probe, &place))?;
        well &= status.is_well();
        out.entry(&status, describe)?;
    }
    if apps.iter().any(App::is_dry) {
        return Ok(());
    }
    out.finish()?;
    if well { Ok(()) } else { Err(Failure::silent(Code::Refused)) }
}

fn describe(status: &Status) -> String {
    let mut text = format!("{}  {}\n", status.source, inline(&status.url));
    text += &match &status.webhook {
        Some(webhook) if webhook.valid => format!("  at X       webhook {}, valid", webhook.id),
        Some(webhook) => format!(
            "  at X       webhook {}, INVALID: no events are sent; once the cause is gone, `hookhouse x webhooks validate`",
            webhook.id
        ),
        None => format!("  at X       not registered; `hookhouse x webhooks register {}`", status.source),
    };
    if let Some(server) = &status.server {
        text += &known(server);
    }
    let Some(probe) = &status.probe else { return text };
    text += &match (&probe.fault, probe.advice) {
        (Some(fault), Some(advice)) => {
            format!("\n  from here  {}\n             what to do: {advice}", inline(fault))
        }
        _ => {
            format!("\n  from here  a challenge was answered rightly in {} ms", probe.ms.unwrap_or_default())
        }
    };
    text
}

/// What the running server knows of the webhook.
fn known(server: &WebhookView) -> String {
    let at = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
    let challenge = |challenge: &Challenge| {
        let signed = if challenge.signed { "signed" } else { "not signed, so anybody may have sent it" };
        let age = challenge.age_ms.map(|age| format!(", {age} ms old")).unwrap_or_default();
        let took = Duration::from_micros(challenge.took_us);
        format!("{} ({signed}{age}), answered with {} in {took:?}", at(challenge.at), inline(&challenge.key))
    };
    let mut text = match &server.challenges.last {
        Some(last) => format!("\n  challenge  the last one came {}", challenge(last)),
        None => format!("\n  challenge  none came since {}", at(server.challenges.since)),
    };
    if let (Some(last), Some(signed)) = (&server.challenges.last, &server.challenges.last_signed)
        && last != signed
    {
        text += &format!("\n             the last signed one {}", challenge(signed));
    }
    if let Some(end) = server.invalidated_at {
        text +=
            &format!("\n             X gives the webhook up at {} unless another one is answered", at(end));
    }
    for alert in &server.alerts {
        text += &format!("\n  ALERT      {}", inline(alert));
    }
    for deed in server.deeds.iter().take(MOST_DEEDS) {
        text += &format!("\n  done       {}  {}", at(deed.at), inline(&deed.deed));
    }
    text
}

/// Deeds that are shown; the API has more.
const MOST_DEEDS: usize = 5;
