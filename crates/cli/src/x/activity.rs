//! `hookhouse x activity`: which events come, by the X Activity API.

use hookhouse_x::calls::activity::{self, Change, EVENT_TYPES, Filter, MOST_AT_ONCE, Subscription, Wish};
use hookhouse_x::{SubscriptionId, UserId, WebhookId};

use super::app::{App, Common, refused};
use crate::Global;
use crate::admin::block_on;
use crate::exit::{Code, Failure, Outcome};
use crate::output::{Format, Out};
use crate::terminal::inline;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Subscribe to one type of event
    ///
    /// Public events (posts, profile changes, broadcasts) are subscribed to in the app's name; the others in the name of
    /// the user they are about, whose credentials the `api` must have.
    #[command(after_help = event_types())]
    Subscribe(Box<Subscribe>),
    /// List the app's subscriptions
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Change a subscription's tag or webhook; its type and filter never change
    Update {
        /// The subscription
        subscription: SubscriptionId,
        /// Another tag
        #[arg(long, required_unless_present = "webhook")]
        tag: Option<String>,
        /// Another webhook
        #[arg(long, value_name = "ID")]
        webhook: Option<WebhookId>,
        #[command(flatten)]
        common: Common,
    },
    /// End subscriptions
    Unsubscribe {
        /// The subscriptions
        #[arg(required = true)]
        subscriptions: Vec<SubscriptionId>,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Subscribe {
    /// The type, such as post.create
    event_type: String,
    /// Of this account
    #[arg(long, value_name = "ID", required_unless_present = "keyword")]
    user: Option<UserId>,
    /// With this word
    #[arg(long)]
    keyword: Option<String>,
    /// Only what comes in, or goes out
    #[arg(long, value_parser = ["inbound", "outbound"])]
    direction: Option<String>,
    /// A word of yours, of up to 200 characters, that comes back with each event
    #[arg(long)]
    tag: Option<String>,
    /// The webhook [default: the one with the source's URL]
    #[arg(long, value_name = "ID")]
    webhook: Option<WebhookId>,
    #[command(flatten)]
    common: Common,
}

fn event_types() -> String {
    format!("Event types: {}", EVENT_TYPES.join(", "))
}

pub(crate) fn run(command: Command, global: &Global) -> Outcome {
    let common = match &command {
        Command::Subscribe(subscribe) => &subscribe.common,
        Command::List { common } | Command::Update { common, .. } | Command::Unsubscribe { common, .. } => {
            common
        }
    };
    let app = App::open(common.source.as_ref(), &common.dry, global)?;
    block_on(async {
        match command {
            Command::Subscribe(wanted) => subscribe(&app, *wanted).await,
            Command::List { .. } => list(&app).await,
            Command::Update { subscription, tag, webhook, .. } => {
                update(&app, &subscription, Change { tag, webhook_id: webhook }).await
            }
            Command::Unsubscribe { subscriptions, .. } => unsubscribe(&app, &subscriptions).await,
        }
    })
}

async fn subscribe(app: &App, wanted: Subscribe) -> Outcome {
    if let Some(tag) = &wanted.tag
        && !(1..=200).contains(&tag.chars().count())
    {
        return Err(Failure::new(Code::Usage, "a tag has 1 to 200 characters"));
    }
    if !EVENT_TYPES.contains(&wanted.event_type.as_str()) {
        anstream::eprintln!(
            "warning: `{}` is not among the types that X documents",
            inline(&wanted.event_type)
        );
    }
    let webhook = app.webhook(wanted.webhook).await?;
    let wish = Wish {
        event_type: wanted.event_type,
        filter: Filter { user_id: wanted.user, keyword: wanted.keyword, direction: wanted.direction },
        tag: wanted.tag,
        webhook_id: Some(webhook),
    };
    let Some(created) = app.send(&activity::create(&wish)).await? else { return Ok(()) };
    let mut out = Out::new(app.format());
    for subscription in &created.subscriptions {
        out.entry(subscription, describe)?;
    }
    out.finish()?;
    if created.subscriptions.is_empty() && app.format() == Format::Human {
        anstream::eprintln!("subscribed; X did not say under which id: `hookhouse x activity list` shows it");
    }
    Ok(())
}

async fn list(app: &App) -> Outcome {
    if app.is_dry() {
        return app.show(&activity::list(None));
    }
    let mut out = Out::new(app.format());
    let mut page: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let found =
            app.client.send(&activity::list(page.as_deref())).await.map_err(|error| refused(&error))?;
        for subscription in &found.subscriptions {
            out.entry(subscription, describe)?;
        }
        // A page that leads to itself leads nowhere.
        if found.next.is_none() || found.next == page {
            return Ok(out.finish()?);
        }
        page = found.next;
    }
    out.finish()?;
    Err(Failure::new(Code::Partial, format!("there are more than {MOST_PAGES} pages of subscriptions")))
}

async fn update(app: &App, id: &SubscriptionId, change: Change) -> Outcome {
    let Some(changed) = app.send(&activity::update(id, &change)).await? else { return Ok(()) };
    match changed.subscriptions.first() {
        Some(subscription) => Ok(Out::one(app.format(), subscription, describe)?),
        None => {
            let answer = serde_json::json!({ "subscription_id": id, "updated": true });
            Ok(Out::one(app.format(), &answer, |_| format!("changed subscription {id}"))?)
        }
    }
}

async fn unsubscribe(app: &App, ids: &[SubscriptionId]) -> Outcome {
    let mut ended = 0;
    for chunk in ids.chunks(MOST_AT_ONCE) {
        let call = match chunk {
            [one] => activity::delete(one),
            several => activity::delete_all(several),
        };
        match app.send(&call).await {
            Ok(Some(_)) => ended += chunk.len(),
            Ok(None) => {}
            Err(failure) if ended > 0 => {
                failure.report();
                return Err(Failure::new(
                    Code::Partial,
                    format!("{ended} of {} subscriptions ended", ids.len()),
                ));
            }
            Err(failure) => return Err(failure),
        }
    }
    if app.is_dry() {
        return Ok(());
    }
    let answer = serde_json::json!({ "ended": ended });
    Ok(Out::one(app.format(), &answer, |_| format!("{ended} subscription(s) ended"))?)
}

fn describe(subscription: &Subscription) -> String {
    let mut text = format!("{}  {:<20}", subscription.subscription_id, subscription.event_type);
    let filter = &subscription.filter;
    if let Some(user) = &filter.user_id {
        text += &format!("  user {user}");
    }
    for (name, value) in
        [("keyword", &filter.keyword), ("direction", &filter.direction), ("tag", &subscription.tag)]
    {
        if let Some(value) = value {
            text += &format!("  {name} {value}");
        }
    }
    match &subscription.webhook_id {
        Some(webhook) => text += &format!("  to webhook {webhook}"),
        None => text += "  to the stream alone",
    }
    inline(&text)
}

/// A hundred and fifty thousand subscriptions are the most that X has on offer.
const MOST_PAGES: usize = 200;
