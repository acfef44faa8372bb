//! The rules that every store keeps, on real servers: each on one server of its own, and all of them on three.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hookhouse_core::EventStore;
use hookhouse_store_jetstream::{JetStreamStore, Options};
use hookhouse_testkit::nats::Cluster;
use hookhouse_testkit::store_contract::{Place, Settings};

/// How long a gateway may be silent.
const TAKEOVER: Duration = Duration::from_secs(1);

/// Streams of one prefix.
struct Streams {
    cluster: Arc<Cluster>,
    prefix: String,
}

impl Streams {
    fn on(cluster: &Arc<Cluster>) -> Self {
        Self { cluster: Arc::clone(cluster), prefix: format!("hh{:08x}", rand::random::<u32>()) }
    }
}

#[async_trait]
impl Place for Streams {
    async fn open(&self, settings: Settings) -> Arc<dyn EventStore> {
        let options = Options {
            prefix: self.prefix.clone(),
            replicas: self.cluster.size(),
            retention_age: settings.retention_age,
            retention_size: settings.retention_size,
            takeover: TAKEOVER,
            patience: Duration::from_secs(20),
            ..Options::new(self.cluster.urls())
        };
        Arc::new(JetStreamStore::open(options, settings.clock).await.expect("the cluster is there"))
    }

    /// The cluster can tell a process that is gone from a slow one only by waiting: what a new process finds right
    /// away and what it finds after that differ, and the rules are about the latter.
    async fn crash(&self, store: Arc<dyn EventStore>) {
        drop(store);
        tokio::time::sleep(TAKEOVER * 2).await;
    }
}

mod one_server {
    use super::*;

    hookhouse_testkit::store_contract!(Streams::on(&Arc::new(Cluster::start(1, ""))));
}

mod three_servers {
    use super::*;

    hookhouse_testkit::store_contract!(in turn);

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_whole_contract_holds() {
        let cluster = Arc::new(Cluster::start(3, ""));
        every_rule(|| Streams::on(&cluster)).await;
    }
}
