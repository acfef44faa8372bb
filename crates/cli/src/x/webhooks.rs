//! `hookhouse x webhooks`: the URLs that X calls.

use hookhouse_core::{Clock, SourceName, SystemClock, Timestamp};
use hookhouse_x::backfill::{Slice, broken_rule};
use hookhouse_x::calls::webhooks::{self, Webhook};
use hookhouse_x::register::{Outcome as Registered, confirm, register};
use hookhouse_x::rules;
use hookhouse_x::{Minute, WebhookId};
use serde::Serialize;

use super::app::{App, Common, Dry, not_registered};
use super::status;
use crate::Global;
use crate::admin::block_on;
use crate::exit::{Code, Failure, Outcome};
use crate::output::{Format, Out};
use crate::terminal::inline;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Register a source's URL, and see it validated
    ///
    /// Checks X's rules for URLs, challenges the URL from here the way X does, lists what is registered, and only then
    /// registers it. A URL that is registered already is validated instead. X's own challenge must be answered: the
    /// server must be running.
    Register {
        /// The source
        source: SourceName,
        #[command(flatten)]
        dry: Dry,
    },
    /// List the app's webhooks
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Have X challenge a webhook, and wait until it calls it valid
    Validate {
        /// The webhook [default: the one with the source's URL]
        webhook: Option<WebhookId>,
        #[command(flatten)]
        common: Common,
    },
    /// Delete a webhook; everybody must be subscribed anew for the next one
    Delete {
        /// The webhook
        webhook: WebhookId,
        #[command(flatten)]
        common: Common,
    },
    /// Have X send a window of the last 24 hours again
    ///
    /// The window is widened to whole minutes. X takes one that begins at least 31 minutes and ends at least 10 minutes
    /// ago, recommends about two hours, and works on one at a time. The events come to the webhook like any other, and
    /// what is stored already is recognised.
    Replay {
        /// The webhook [default: the one with the source's URL]
        webhook: Option<WebhookId>,
        /// Where the window begins: 2026-11-22T10:00:00Z
        #[arg(long, value_name = "TIME")]
        from: Timestamp,
        /// Where it ends
        #[arg(long, value_name = "TIME")]
        to: Timestamp,
        #[command(flatten)]
        common: Common,
    },
    /// Say how each X source's webhook is: at X, and seen from here
    ///
    /// Ends with 7 unless every webhook is registered, valid, and answers a challenge from here rightly.
    Status(status::Args),
}

/// What registering or validating came to.
#[derive(Debug, Serialize)]
struct Confirmed {
    #[serde(flatten)]
    webhook: Webhook,
    /// Whether it is new.
    registered: bool,
}

pub(crate) fn run(command: Command, global: &Global) -> Outcome {
    match command {
        Command::Register { source, dry } => new(&App::open(Some(&source), &dry, global)?),
        Command::List { common } => list(&App::open(common.source.as_ref(), &common.dry, global)?),
        Command::Validate { webhook, common } => {
            validate(&App::open(common.source.as_ref(), &common.dry, global)?, webhook)
        }
        Command::Delete { webhook, common } => {
            let app = App::open(common.source.as_ref(), &common.dry, global)?;
            block_on(async {
                let Some(deleted) = app.send(&webhooks::delete(&webhook)).await? else { return Ok(()) };
                let answer = serde_json::json!({ "id": webhook, "deleted": deleted });
                Ok(Out::one(app.format(), &answer, |_| format!("deleted webhook {webhook}"))?)
            })
        }
        Command::Replay { webhook, from, to, common } => {
            let slice = Slice { from: Minute::of(from), to: Minute::from(to) };
            replay(&App::open(common.source.as_ref(), &common.dry, global)?, webhook, slice)
        }
        Command::Status(args) => status::run(&args, global),
    }
}

fn new(app: &App) -> Outcome {
    let url = app.url()?;
    if app.is_dry() {
        let warnings = rules::check(&url, app.caller())
            .map_err(|faults| not_registered(&hookhouse_x::register::RegisterError::Url(faults)))?;
        warn(&warnings);
        return app.show(&webhooks::create(&url));
    }
    let prober = app.prober()?;
    block_on(async {
        let done =
            register(&app.client, &prober, &url, app.caller()).await.map_err(|e| not_registered(&e))?;
        warn(&done.warnings);
        let registered = done.outcome == Registered::Registered;
        let confirmed = Confirmed { webhook: done.webhook, registered };
        Out::one(app.format(), &confirmed, |confirmed| {
            let how = if registered { "registered" } else { "registered before, validated again" };
            format!("{how}: {}", describe(&confirmed.webhook))
        })?;
        if registered && app.format() == Format::Human {
            anstream::eprintln!(
                "nothing is sent yet: say what is wanted with `hookhouse x activity subscribe` or `hookhouse x subscriptions add`"
            );
        }
        Ok(())
    })
}

fn warn(warnings: &[rules::UrlWarning]) {
    for warning in warnings {
        anstream::eprintln!("warning: {warning}");
    }
}

fn list(app: &App) -> Outcome {
    block_on(async {
        let Some(webhooks) = app.send(&webhooks::list()).await? else { return Ok(()) };
        if webhooks.is_empty() && app.format() == Format::Human {
            anstream::eprintln!("the app has no webhook");
        }
        let mut out = Out::new(app.format());
        for webhook in &webhooks {
            out.entry(webhook, |webhook| {
                let own = if app.is_own(webhook) {
                    format!("  (source {})", app.source.name)
                } else {
                    String::new()
                };
                describe(webhook) + &own
            })?;
        }
        Ok(out.finish()?)
    })
}

fn validate(app: &App, named: Option<WebhookId>) -> Outcome {
    block_on(async {
        let id = app.webhook(named).await?;
        if app.send(&webhooks::validate(&id)).await?.is_none() {
            return Ok(());
        }
        let webhook =
            confirm(&app.client, |webhook| webhook.id == id, true).await.map_err(|e| not_registered(&e))?;
        let confirmed = Confirmed { webhook, registered: false };
        Ok(Out::one(app.format(), &confirmed, |confirmed| describe(&confirmed.webhook))?)
    })
}

fn replay(app: &App, named: Option<WebhookId>, slice: Slice) -> Outcome {
    if let Some(rule) = broken_rule(slice, SystemClock.now()) {
        return Err(Failure::new(Code::Usage, format!("X does not replay {}: {rule}", slice.window())));
    }
    block_on(async {
        let id = app.webhook(named).await?;
        let Some(job) = app.send(&webhooks::replay(&id, slice.from, slice.to)).await? else { return Ok(()) };
        Out::one(app.format(), &job, |job| format!("X replays {} (job {})", slice.window(), job.job_id))?;
        if app.format() == Format::Human {
            anstream::eprintln!("X posts a `replay_job_status` to the webhook when it is done");
        }
        Ok(())
    })
}

/// A webhook, in a line.
pub(super) fn describe(webhook: &Webhook) -> String {
    let valid = if webhook.valid { "valid  " } else { "INVALID" };
    format!("{}  {valid}  {}", webhook.id, inline(&webhook.url))
}
