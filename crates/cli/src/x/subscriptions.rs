//! `hookhouse x subscriptions`: whose events come, by the Account Activity API.

use hookhouse_x::calls::account_activity;
use hookhouse_x::{UserId, WebhookId};

use super::app::{App, Common};
use crate::Global;
use crate::admin::block_on;
use crate::exit::{Code, Failure, Outcome};
use crate::output::Out;
use crate::terminal::inline;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Subscribe the user whose credentials the `api` has
    ///
    /// It is done in the user's name: `access_token` and `access_token_secret` with `consumer_key` (OAuth 1.0a), or
    /// `user_token` (OAuth 2.0). The app wants the permission to read, write and send Direct Messages.
    Add {
        #[command(flatten)]
        target: Target,
    },
    /// List the users whose events come
    List {
        #[command(flatten)]
        target: Target,
    },
    /// End a user's subscription
    Remove {
        /// The user's id
        user: UserId,
        #[command(flatten)]
        target: Target,
    },
    /// Count the subscriptions, and say how many there may be
    Count {
        #[command(flatten)]
        common: Common,
    },
}

/// Which webhook.
#[derive(Debug, clap::Args)]
pub(crate) struct Target {
    /// The webhook [default: the one with the source's URL]
    #[arg(long, value_name = "ID")]
    webhook: Option<WebhookId>,
    #[command(flatten)]
    common: Common,
}

pub(crate) fn run(command: Command, global: &Global) -> Outcome {
    let (Command::Add { target: Target { common, .. } }
    | Command::List { target: Target { common, .. } }
    | Command::Remove { target: Target { common, .. }, .. }
    | Command::Count { common }) = &command;
    let app = App::open(common.source.as_ref(), &common.dry, global)?;
    block_on(async {
        match command {
            Command::Add { target } => add(&app, target.webhook).await,
            Command::List { target } => list(&app, target.webhook).await,
            Command::Remove { user, target } => remove(&app, target.webhook, &user).await,
            Command::Count { .. } => count(&app).await,
        }
    })
}

async fn add(app: &App, named: Option<WebhookId>) -> Outcome {
    let webhook = app.webhook(named).await?;
    let Some(subscribed) = app.send(&account_activity::subscribe(&webhook)).await? else { return Ok(()) };
    if !subscribed {
        return Err(Failure::new(Code::Failure, "X answered that the user is not subscribed"));
    }
    let answer = serde_json::json!({ "webhook_id": webhook, "subscribed": true });
    Ok(Out::one(app.format(), &answer, |_| {
        format!("subscribed: the user's events come to webhook {webhook} within ten seconds")
    })?)
}

async fn list(app: &App, named: Option<WebhookId>) -> Outcome {
    let webhook = app.webhook(named).await?;
    let Some(found) = app.send(&account_activity::list(&webhook)).await? else { return Ok(()) };
    let mut out = Out::new(app.format());
    for subscriber in &found.subscriptions {
        out.entry(subscriber, |subscriber| subscriber.user_id.to_string())?;
    }
    Ok(out.finish()?)
}

async fn remove(app: &App, named: Option<WebhookId>, user: &UserId) -> Outcome {
    let webhook = app.webhook(named).await?;
    let Some(still) = app.send(&account_activity::remove(&webhook, user)).await? else { return Ok(()) };
    if still {
        return Err(Failure::new(Code::Failure, format!("X answered that user {user} is still subscribed")));
    }
    let answer = serde_json::json!({ "webhook_id": webhook, "user_id": user, "subscribed": false });
    Ok(Out::one(app.format(), &answer, |_| format!("user {user} is no longer subscribed"))?)
}

async fn count(app: &App) -> Outcome {
    let Some(count) = app.send(&account_activity::count()).await? else { return Ok(()) };
    Ok(Out::one(app.format(), &count, |count| {
        let may =
            count.provisioned_count.as_deref().map(|may| format!(" of {}", inline(may))).unwrap_or_default();
        format!("{}{may} subscriptions", inline(&count.subscriptions_count_all))
    })?)
}
