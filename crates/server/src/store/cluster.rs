//! The store on a cluster, as a configuration has it.

use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;

use hookhouse_core::{Clock, EventStore};
use hookhouse_store_jetstream::{Credentials, JetStreamStore, Options, TlsOptions};

use super::{Unopened, durability};
use crate::config::{ClusterConfig, ClusterCredentials, StoreConfig};

/// What a message has besides an event's body: its head, twice, since JSON may make it longer.
const HEAD: u64 = 128 * 1024;

/// Opens the store, once its servers promise what is asked of them.
pub(super) async fn open(
    store: &StoreConfig,
    largest: u64,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn EventStore>, Unopened> {
    Ok(Arc::new(connect(store, largest, clock).await?))
}

/// The same, as what it is.
pub(super) async fn connect(
    store: &StoreConfig,
    largest: u64,
    clock: Arc<dyn Clock>,
) -> Result<JetStreamStore, Unopened> {
    let Some(cluster) = &store.cluster else { return Err(Unopened::NotBuilt) };
    durability::demand(cluster).await.map_err(Unopened::Refused)?;
    // Tokens and what else is this machine's own lie in the folder all the same.
    let folder = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&store.path);
    if let Err(error) = folder {
        let path = store.path.display();
        return Err(Unopened::Refused(format!("the folder {path} cannot be made: {error}")));
    }
    let options = Options {
        prefix: cluster.prefix.clone(),
        replicas: cluster.replicas,
        credentials: credentials(cluster),
        tls: tls(cluster),
        retention_age: store.retention_age,
        retention_size: store.retention_size,
        largest_event: largest.saturating_add(HEAD),
        ..Options::new(cluster.servers.clone())
    };
    let opened = JetStreamStore::open(options, clock).await?;
    tracing::info!(
        event = "cluster",
        server = opened.server_version(),
        replicas = cluster.replicas,
        prefix = cluster.prefix,
        "the events are kept by the cluster"
    );
    Ok(opened)
}

fn credentials(cluster: &ClusterConfig) -> Credentials {
    match &cluster.credentials {
        ClusterCredentials::None => Credentials::None,
        ClusterCredentials::Token(token) => Credentials::Token(token.clone()),
        ClusterCredentials::Password { user, password } => {
            Credentials::Password { user: user.clone(), password: password.clone() }
        }
        ClusterCredentials::NKey(seed) => Credentials::NKey(seed.clone()),
        ClusterCredentials::File(contents) => Credentials::File(contents.clone()),
    }
}

fn tls(cluster: &ClusterConfig) -> TlsOptions {
    let is_named = cluster.servers.iter().any(|server| server.starts_with("tls://"));
    let given = cluster.tls.as_ref();
    TlsOptions {
        required: is_named || given.is_some(),
        ca: given.and_then(|tls| tls.ca.clone()),
        identity: given.and_then(|tls| tls.identity.clone()),
    }
}
