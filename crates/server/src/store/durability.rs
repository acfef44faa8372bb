//! What an acknowledgement of the cluster is worth: whether its servers sync their disks first.
//!
//! A client cannot ask for `sync_interval`; a server's monitor says it. By default a server syncs every two minutes, so
//! that an event can be lost that its sender was told is kept, when several servers lose power together. That is for
//! the operator to accept, in so many words.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use hookhouse_store_jetstream::OldestServer;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

use crate::config::{ClusterConfig, Durability};

/// How long a monitor may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// More than any server says of itself.
const MOST: usize = 1 << 20;

/// What a server says of itself.
#[derive(Debug, Deserialize)]
struct Server {
    server_id: String,
    server_name: String,
    version: String,
    #[serde(default)]
    jetstream: JetStream,
}

#[derive(Debug, Default, Deserialize)]
struct JetStream {
    #[serde(default)]
    config: Option<StorageConfig>,
    #[serde(default)]
    meta: Option<Meta>,
}

#[derive(Debug, Default, Deserialize)]
struct StorageConfig {
    #[serde(default)]
    sync_interval: u64,
    #[serde(default)]
    sync_always: bool,
}

#[derive(Debug, Deserialize)]
struct Meta {
    #[serde(default)]
    cluster_size: usize,
}

/// Asks the servers, and says in the log what their acknowledgement is worth.
///
/// # Errors
/// What is missing for what the configuration asks of them.
pub(super) async fn demand(cluster: &ClusterConfig) -> Result<(), String> {
    let answers = join_all(cluster.monitors.iter().map(|monitor| async move {
        let answer = tokio::time::timeout(PATIENCE, ask(monitor)).await;
        (monitor, answer.unwrap_or_else(|_| Err("it does not answer in time".to_owned())))
    }));
    let answers = answers.await;
    let silent: Vec<_> = answers
        .iter()
        .filter_map(|(monitor, answer)| Some(format!("{monitor}: {}", answer.as_ref().err()?)))
        .collect();
    let servers: Vec<_> = answers.into_iter().filter_map(|(_, answer)| answer.ok()).collect();
    let found = judge(&servers, &silent);
    if let Some(old) = servers.iter().find(|server| !OldestServer::is_met_by(&server.version)) {
        return Err(format!(
            "{} is nats-server {}; {OldestServer} or newer is needed",
            old.server_name, old.version
        ));
    }
    match (cluster.durability, found) {
        (_, Found::Synced(what)) => {
            tracing::info!(event = "durability", "{what}");
            Ok(())
        }
        (Durability::Checked, Found::Lazy(what) | Found::Unknown(what)) => Err(format!(
            "{what}. Hookhouse answers a sender only once its event is safe, so this wants your word: set \
             `sync_interval: always` in the `jetstream` part of every server and name their monitors \
             (`monitor = [\"http://host:8222\"]`), or say `durability = \"trusted\"` in [store] if they do sync and \
             cannot be asked, or `durability = \"relaxed\"` if acknowledged events may be lost when servers lose \
             power together"
        )),
        (Durability::Trusted, Found::Unknown(what)) => {
            tracing::warn!(event = "durability", "{what}; taken on trust, as the configuration says");
            Ok(())
        }
        (Durability::Trusted, Found::Lazy(what)) => {
            Err(format!("{what}, though the configuration says `durability = \"trusted\"`"))
        }
        (Durability::Relaxed, Found::Lazy(what) | Found::Unknown(what)) => {
            tracing::warn!(
                event = "durability",
                "{what}; acknowledged events may be lost when servers lose power together, as the configuration accepts"
            );
            Ok(())
        }
    }
}

/// What the servers say, in words.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Synced(String),
    Lazy(String),
    Unknown(String),
}

fn judge(servers: &[Server], silent: &[String]) -> Found {
    let lazy = servers.iter().find_map(|server| {
        let name = &server.server_name;
        let Some(config) = &server.jetstream.config else {
            return Some(Found::Lazy(format!("the server {name} has no JetStream")));
        };
        let every = Duration::from_nanos(config.sync_interval);
        (!config.sync_always).then(|| {
            Found::Lazy(format!(
                "the server {name} acknowledges before its disk is synced, which is every {every:?}"
            ))
        })
    });
    if let Some(lazy) = lazy {
        return lazy;
    }
    let asked = servers.iter().map(|server| &server.server_id).collect::<BTreeSet<_>>().len();
    if asked == 0 {
        let why = if silent.is_empty() {
            "no `monitor` is configured".to_owned()
        } else {
            format!("no monitor answers ({})", silent.join("; "))
        };
        return Found::Unknown(format!(
            "it is not known whether the servers sync their disks before they acknowledge: {why}"
        ));
    }
    let sizes = servers.iter().filter_map(|server| Some(server.jetstream.meta.as_ref()?.cluster_size));
    let size = sizes.max().unwrap_or(1).max(asked);
    // A server that is down has no say, and must not keep a gateway from starting.
    let down = silent.len();
    if asked + down < size {
        return Found::Unknown(format!("{asked} of the cluster's {size} servers can be asked"));
    }
    let rest = if silent.is_empty() {
        String::new()
    } else {
        format!("; these do not answer now: {}", silent.join("; "))
    };
    Found::Synced(format!(
        "{asked} of {size} servers say that they sync their disks before they acknowledge{rest}"
    ))
}

async fn ask(monitor: &str) -> Result<Server, String> {
    let uri = format!("{}/varz", monitor.trim_end_matches('/'));
    let uri: http::Uri = uri.parse().map_err(|_| "it is no address".to_owned())?;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let answer = client.get(uri).await.map_err(|error| {
        use std::error::Error as _;
        error.source().map_or_else(|| error.to_string(), ToString::to_string)
    })?;
    if !answer.status().is_success() {
        return Err(format!("it answers {}", answer.status()));
    }
    let body = Limited::new(answer.into_body(), MOST).collect().await.map_err(|error| error.to_string())?;
    serde_json::from_slice(&body.to_bytes()).map_err(|error| format!("it is no NATS server: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(name: &str, always: bool, size: usize) -> Server {
        Server {
            server_id: name.to_owned(),
            server_name: name.to_owned(),
            version: "2.15.1".to_owned(),
            jetstream: JetStream {
                config: Some(StorageConfig { sync_interval: 120_000_000_000, sync_always: always }),
                meta: (size > 1).then_some(Meta { cluster_size: size }),
            },
        }
    }

    #[test]
    fn what_the_servers_say_is_judged() {
        let three = ["a", "b", "c"].map(|name| server(name, true, 3));
        assert!(matches!(judge(&three, &[]), Found::Synced(what) if what.starts_with("3 of 3")));
        let down = ["http://c:8222: refused".to_owned()];
        assert!(matches!(judge(&three[..2], &down), Found::Synced(what) if what.contains("c:8222")));
        assert!(
            matches!(judge(&three[..2], &[]), Found::Unknown(what) if what.contains("2 of the cluster's 3"))
        );
        assert!(matches!(judge(&[], &[]), Found::Unknown(_)));
        assert!(matches!(judge(&[], &down), Found::Unknown(_)));
        let mixed = [server("a", true, 2), server("b", false, 2)];
        assert!(matches!(judge(&mixed, &[]), Found::Lazy(what) if what.contains("every 120s")));
        assert!(matches!(judge(&[server("a", true, 1)], &[]), Found::Synced(_)));
    }
}
