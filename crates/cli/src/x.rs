//! `hookhouse x`: the other side of an X source, at X.

mod activity;
mod app;
mod status;
mod stream;
mod subscriptions;
mod webhooks;

use crate::Global;
use crate::exit::Outcome;

pub(crate) const HELP: &str = "\
The credentials are the `api` of an X source in the configuration:
  api = { bearer = { env = \"X_BEARER\" } }              the app's, for all but what a user does
  api = { consumer_key = { env = \"X_CONSUMER_KEY\" } }  the same: a bearer is fetched with the source's consumer secret
  access_token, access_token_secret; or user_token     a user's, for `subscriptions add` and for private events

Examples:
  hookhouse x webhooks register x-prod --dry-run
  hookhouse x webhooks register x-prod
  hookhouse x activity subscribe post.create --user 2244994945 --tag posts
  hookhouse x webhooks status
  hookhouse x webhooks replay --from 2026-11-22T08:00:00Z --to 2026-11-22T10:00:00Z

Ends with 5 where X does not accept the credentials, 4 where it does not know the thing, 6 where it cannot be reached,
7 where a webhook does not answer as it must. Every refusal says what to do about it.";

/// One variant for each part of X's API, one file for each variant.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// The URLs that X calls: register, list, validate, delete, replay
    #[command(subcommand)]
    Webhooks(webhooks::Command),
    /// Whose events come, by the Account Activity API (deprecated by X in favour of `activity`)
    #[command(subcommand)]
    Subscriptions(subscriptions::Command),
    /// Which events come, by the X Activity API
    #[command(subcommand)]
    Activity(activity::Command),
    /// Which webhooks get the filtered stream
    #[command(subcommand)]
    Stream(stream::Command),
}

pub(crate) fn run(command: Command, global: &Global) -> Outcome {
    match command {
        Command::Webhooks(command) => webhooks::run(command, global),
        Command::Subscriptions(command) => subscriptions::run(command, global),
        Command::Activity(command) => activity::run(command, global),
        Command::Stream(command) => stream::run(command, global),
    }
}
