//! `hookhouse x stream`: which webhooks get the filtered stream.

use hookhouse_x::WebhookId;
use hookhouse_x::calls::stream::{self, FieldSet, Link};

use super::app::{App, Common};
use crate::Global;
use crate::admin::block_on;
use crate::exit::Outcome;
use crate::output::Out;
use crate::terminal::inline;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Send the posts that match the stream's rules to a webhook
    ///
    /// The rules are those of the filtered stream (`/2/tweets/search/stream/rules`). Each list of fields is X's own, with
    /// commas: `--post-fields id,text,author_id`.
    Link {
        /// The webhook [default: the one with the source's URL]
        webhook: Option<WebhookId>,
        #[command(flatten)]
        fields: Fields,
        #[command(flatten)]
        common: Common,
    },
    /// List the webhooks that get the stream
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Send the stream to a webhook no longer
    Unlink {
        /// The webhook [default: the one with the source's URL]
        webhook: Option<WebhookId>,
        #[command(flatten)]
        common: Common,
    },
}

/// What each post comes with.
#[derive(Debug, clap::Args)]
pub(crate) struct Fields {
    /// X's `expansions`
    #[arg(long, value_name = "LIST")]
    expansions: Option<String>,
    /// X's `tweet.fields`
    #[arg(long, value_name = "LIST")]
    post_fields: Option<String>,
    /// X's `user.fields`
    #[arg(long, value_name = "LIST")]
    user_fields: Option<String>,
    /// X's `media.fields`
    #[arg(long, value_name = "LIST")]
    media_fields: Option<String>,
    /// X's `place.fields`
    #[arg(long, value_name = "LIST")]
    place_fields: Option<String>,
    /// X's `poll.fields`
    #[arg(long, value_name = "LIST")]
    poll_fields: Option<String>,
}

impl Fields {
    fn into_list(self) -> stream::Fields {
        [
            (FieldSet::Expansions, self.expansions),
            (FieldSet::Post, self.post_fields),
            (FieldSet::User, self.user_fields),
            (FieldSet::Media, self.media_fields),
            (FieldSet::Place, self.place_fields),
            (FieldSet::Poll, self.poll_fields),
        ]
        .into_iter()
        .filter_map(|(set, values)| Some((set, values?)))
        .collect()
    }
}

pub(crate) fn run(command: Command, global: &Global) -> Outcome {
    let (Command::Link { common, .. } | Command::List { common } | Command::Unlink { common, .. }) = &command;
    let app = App::open(common.source.as_ref(), &common.dry, global)?;
    block_on(async {
        match command {
            Command::Link { webhook, fields, .. } => {
                let id = app.webhook(webhook).await?;
                let Some(linked) = app.send(&stream::link(&id, &fields.into_list())).await? else {
                    return Ok(());
                };
                let answer = serde_json::json!({ "webhook_id": id, "provisioned": linked });
                Ok(Out::one(app.format(), &answer, |_| format!("posts that match go to webhook {id}"))?)
            }
            Command::List { .. } => {
                let Some(links) = app.send(&stream::list()).await? else { return Ok(()) };
                let mut out = Out::new(app.format());
                for link in &links {
                    out.entry(link, describe)?;
                }
                Ok(out.finish()?)
            }
            Command::Unlink { webhook, .. } => {
                let id = app.webhook(webhook).await?;
                let Some(unlinked) = app.send(&stream::unlink(&id)).await? else { return Ok(()) };
                let answer = serde_json::json!({ "webhook_id": id, "deleted": unlinked });
                Ok(Out::one(app.format(), &answer, |_| format!("posts no longer go to webhook {id}"))?)
            }
        }
    })
}

fn describe(link: &Link) -> String {
    let fields =
        if link.fields.is_empty() { String::new() } else { format!("  with {}", link.fields.join(", ")) };
    inline(&format!("{}{fields}", link.webhook_id))
}
