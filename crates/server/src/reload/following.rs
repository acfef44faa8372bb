//! What follows from the sources, for those who do not know them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use hookhouse_core::store::Subscription;
use hookhouse_core::{DestinationName, SourceName};
use hookhouse_delivery::Destination;
use hookhouse_verify::sign::Signer;

use crate::config::Source;

/// Whether the sources of X are others than before.
pub(super) fn looks_after_others(before: &[Arc<Source>], after: &[Arc<Source>]) -> bool {
    let of_x = |sources: &[Arc<Source>]| -> Vec<Arc<Source>> {
        sources.iter().filter(|source| source.provider == "x").cloned().collect()
    };
    let (before, after) = (of_x(before), of_x(after));
    before.len() != after.len() || before.iter().any(|one| !after.iter().any(|other| Arc::ptr_eq(one, other)))
}

/// Where each source delivers.
pub(crate) fn routes(sources: &[Arc<Source>]) -> HashMap<SourceName, Vec<DestinationName>> {
    sources.iter().map(|source| (source.name.clone(), source.deliver.clone())).collect()
}

/// How each source signs.
pub(crate) fn signers(sources: &[Arc<Source>]) -> HashMap<SourceName, Signer> {
    let signer = |source: &Arc<Source>| Some((source.name.clone(), source.signer.as_ref()?.signer.clone()));
    sources.iter().filter_map(signer).collect()
}

/// Every destination with the sources that name it; one that none names is there for replays.
pub(crate) fn subscriptions(sources: &[Arc<Source>], destinations: &[Destination]) -> Vec<Subscription> {
    let mut wanted: BTreeMap<_, Vec<SourceName>> =
        destinations.iter().map(|destination| (destination.name.clone(), Vec::new())).collect();
    for source in sources {
        for destination in &source.deliver {
            wanted.entry(destination.clone()).or_default().push(source.name.clone());
        }
    }
    wanted.into_iter().map(|(destination, sources)| Subscription { destination, sources }).collect()
}
