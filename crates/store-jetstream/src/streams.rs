//! The streams: made where they are missing, brought to what the options say where they are there.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};
use hookhouse_core::StoreError;
use serde::Deserialize;
use serde_json::json;

use crate::link::{Asked, Link};
use crate::names::Names;
use crate::options::{OpenError, Options};

/// Within this time the servers know a second copy of a message by its id: longer than anybody tries to publish it.
const DUPLICATES: Duration = Duration::from_secs(120);
/// More refusals than this are not kept.
const MOST_REFUSALS: i64 = 10_000;
/// More attempts than this are not kept: the servers hold every subject in memory.
const MOST_ATTEMPTS: i64 = 1_000_000;

/// Makes or updates every stream.
pub(crate) async fn prepare(link: &Link, names: &Names, options: &Options) -> Result<(), OpenError> {
    let unlimited = |stream: &str, subjects: Vec<String>| Config {
        name: stream.to_owned(),
        subjects,
        storage: StorageType::File,
        num_replicas: options.replicas,
        discard: DiscardPolicy::New,
        duplicate_window: DUPLICATES,
        max_bytes: -1,
        max_messages: -1,
        max_messages_per_subject: -1,
        max_consumers: -1,
        allow_direct: true,
        allow_message_ttl: true,
        ..Config::default()
    };
    let bytes = |most: Option<u64>| most.map_or(-1, |most| i64::try_from(most).unwrap_or(i64::MAX));
    let one_each = |stream: &str, subject: String| Config {
        max_messages_per_subject: 1,
        ..unlimited(stream, vec![subject])
    };
    let old_goes = |config: Config| Config { discard: DiscardPolicy::Old, ..config };

    let streams = [
        Config {
            max_bytes: bytes(options.retention_size),
            allow_atomic_publish: true,
            ..unlimited(&names.events, vec![names.all_events(), names.all_keys()])
        },
        Config {
            subjects: vec![names.everything("answers"), names.everything("edits")],
            ..one_each(&names.answers, names.everything("answers"))
        },
        old_goes(Config {
            max_messages: MOST_ATTEMPTS,
            ..unlimited(&names.attempts, vec![names.everything("attempts")])
        }),
        one_each(&names.deliveries, names.everything("deliveries")),
        old_goes(Config {
            max_messages: MOST_REFUSALS,
            ..unlimited(&names.refusals, vec![names.all_refusals()])
        }),
        old_goes(Config {
            max_age: options.takeover,
            duplicate_window: options.takeover,
            max_messages_per_subject: 1,
            ..unlimited(&names.gateways, vec![names.all_gateways()])
        }),
        // A bucket as NATS's own tools know it.
        old_goes(Config {
            max_messages_per_subject: 1,
            allow_rollup: true,
            deny_delete: true,
            ..unlimited(&names.state, vec![names.all_values()])
        }),
    ];
    for config in streams {
        ensure(link, &config)
            .await
            .map_err(|error| OpenError::Stream { stream: config.name.clone(), reason: reason(&error) })?;
    }
    Ok(())
}

/// Why a stream is refused, and what to do where that is not plain.
fn reason(error: &Asked) -> String {
    use async_nats::jetstream::ErrorCode;
    let is_room = matches!(error, Asked::Refused(error) if matches!(
        error.error_code(),
        ErrorCode::STORAGE_RESOURCES_EXCEEDED | ErrorCode::CLUSTER_NO_PEERS | ErrorCode::INSUFFICIENT_RESOURCES
    ));
    let hint = "; every server sets `retention.size` aside for the log: make it smaller, or the servers' `max_file_store` larger";
    format!("{error}{}", if is_room { hint } else { "" })
}

async fn ensure(link: &Link, config: &Config) -> Result<(), Asked> {
    let name = &config.name;
    match link.ask::<serde_json::Value>(&format!("STREAM.CREATE.{name}"), config).await {
        Err(Asked::Refused(error)) if error.error_code() == NAME_IN_USE => {
            link.ask::<serde_json::Value>(&format!("STREAM.UPDATE.{name}"), config).await.map(drop)
        }
        other => other.map(drop),
    }
}

/// There is a stream of this name with other settings.
const NAME_IN_USE: async_nats::jetstream::ErrorCode = async_nats::jetstream::ErrorCode(10058);

/// How a stream is.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct StreamInfo {
    pub(crate) state: StreamState,
    #[serde(default)]
    pub(crate) cluster: Option<Cluster>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct StreamState {
    pub(crate) bytes: u64,
    pub(crate) last_seq: u64,
    #[serde(default)]
    pub(crate) subjects: std::collections::HashMap<String, u64>,
}

/// Who keeps a stream.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Cluster {
    #[serde(default)]
    pub(crate) leader: Option<String>,
    #[serde(default)]
    pub(crate) replicas: Vec<Replica>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Replica {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) current: bool,
}

/// How a stream is; with the message counts of the subjects that a filter names.
pub(crate) async fn info(
    link: &Link,
    stream: &str,
    subjects: Option<&str>,
) -> Result<StreamInfo, StoreError> {
    let request = subjects.map_or_else(|| json!({}), |filter| json!({ "subjects_filter": filter }));
    link.ask(&format!("STREAM.INFO.{stream}"), &request).await.map_err(StoreError::from)
}

/// Removes the messages of a subject before a place.
pub(crate) async fn purge(link: &Link, stream: &str, subject: &str, before: u64) -> Result<(), StoreError> {
    let request = json!({ "filter": subject, "seq": before });
    link.ask::<serde_json::Value>(&format!("STREAM.PURGE.{stream}"), &request).await?;
    Ok(())
}

/// Removes one message; `false` where it was gone already.
pub(crate) async fn delete(link: &Link, stream: &str, sequence: u64) -> Result<bool, StoreError> {
    let request = json!({ "seq": sequence, "no_erase": true });
    match link.ask::<serde_json::Value>(&format!("STREAM.MSG.DELETE.{stream}"), &request).await {
        Ok(_) => Ok(true),
        // Somebody else did the same.
        Err(Asked::Refused(_)) => Ok(false),
        Err(silent) => Err(silent.into()),
    }
}
