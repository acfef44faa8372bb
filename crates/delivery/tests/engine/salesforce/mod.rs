//! Salesforce destinations: one org in memory, and posts that become Cases in it.

mod batches;
mod errors;
mod login;
mod once;
mod pauses;

use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::{Clock, Secret};
use hookhouse_delivery::salesforce::{AutoAssign, Existing, Grant, Mapping, Origin, Settings, Template};
use hookhouse_delivery::{Destination, Kind, RetrySchedule};
use hookhouse_testkit::salesforce::{CLIENT_ID, CLIENT_SECRET, EXTERNAL_ID, Salesforce};

use crate::world::{Host, Running, World, destination};

/// A world with an org in it.
pub(crate) struct Desk {
    pub(crate) world: World,
    pub(crate) org: Salesforce,
}

impl Desk {
    /// An org whose login host and whose own host are two.
    pub(crate) fn new() -> Self {
        let world = World::new();
        let clock = Arc::clone(&world.clock) as Arc<dyn Clock>;
        let org = Salesforce::in_memory(clock, "http://10.0.5.2");
        for address in ["10.0.5.1:80", "10.0.5.2:80"] {
            world.network.put(address, Host::Up(org.receiver()));
        }
        Self { world, org }
    }

    pub(crate) async fn start(&self) -> Running {
        self.world.start(&[cases(settings(&[]))]).await
    }

    /// Stores a mention and gives its id.
    pub(crate) async fn mention(&self, post: u64, text: &str) {
        self.world.event(&mention(post, text)).await;
    }

    /// How many requests the org got for tokens.
    pub(crate) fn token_requests(&self) -> usize {
        let received = self.org.receiver().received();
        received.iter().filter(|request| request.target == "/services/oauth2/token").count()
    }

    /// The number of records in each call that came through.
    pub(crate) fn records_of_calls(&self) -> Vec<usize> {
        self.org.calls().iter().map(|call| call.records).collect()
    }
}

/// Cases from posts, by client credentials, with these fields besides the ready ones.
pub(crate) fn settings(fields: &[(&str, &str)]) -> Settings {
    let names = Origin::XPosts.names();
    let fields = fields
        .iter()
        .map(|(name, text)| ((*name).to_owned(), Template::parse(text, &names).unwrap()))
        .collect();
    Settings {
        grant: Grant::ClientCredentials {
            client_id: CLIENT_ID.to_owned(),
            client_secret: Secret::new(CLIENT_SECRET).unwrap(),
        },
        object: "Case".to_owned(),
        external_id: EXTERNAL_ID.to_owned(),
        mapping: Mapping::new(Origin::XPosts, "Case", None, fields, false).unwrap(),
        existing: Existing::Update,
        auto_assign: AutoAssign::On,
        api_version: "v67.0".to_owned(),
        api_reserve: 0.1,
    }
}

pub(crate) fn cases(settings: Settings) -> Destination {
    Destination {
        kind: Kind::Salesforce(Arc::new(settings)),
        concurrency: 64,
        retry: RetrySchedule { pauses: [5, 30, 120].map(Duration::from_secs).to_vec(), jitter: 0.0 },
        ..destination("cases", "http://10.0.5.1")
    }
}

/// A mention of account 1 by another one, as the X Activity API sends it.
pub(crate) fn mention(post: u64, text: &str) -> String {
    let text = serde_json::to_string(text).unwrap();
    format!(
        r#"{{"data":{{"event_uuid":"{post}","event_type":"post.mention.create","filter":{{"user_id":"1"}},"payload":{{"id":"{post}","author_id":"2046318829014921217","text":{text}}},"includes":{{"users":[{{"id":"2046318829014921217","username":"early_riser","name":"Early Riser"}}]}}}}}}"#
    )
}

/// The same posts as the Account Activity API sends them: several in one body.
pub(crate) fn account_activity(posts: impl IntoIterator<Item = u64>) -> String {
    let post = |post: u64| {
        format!(
            r#"{{"id":{post},"id_str":"{post}","text":"hello","user":{{"id_str":"2046318829014921217","screen_name":"early_riser","name":"Early Riser"}}}}"#
        )
    };
    let posts: Vec<_> = posts.into_iter().map(post).collect();
    format!(r#"{{"for_user_id":"1","tweet_create_events":[{}]}}"#, posts.join(","))
}

/// The same post as a filtered stream sends it, without its author.
pub(crate) fn stream(post: u64) -> String {
    format!(
        r#"{{"data":{{"id":"{post}","author_id":"2046318829014921217","text":"hello"}},"matching_rules":[{{"id":"7"}}]}}"#
    )
}

pub(crate) fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}
