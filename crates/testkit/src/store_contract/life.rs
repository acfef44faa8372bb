//! The end of a store, and how it is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookhouse_core::StoreError;
use hookhouse_core::delivery::Next;
use hookhouse_core::store::{DeliveryQuery, EventQuery, RefusalQuery};

use super::{Bed, append, append_at, destination, leases, request, settle, wants};

const HOUR: Duration = Duration::from_secs(3600);

fn assert_closed<T: fmt::Debug>(answer: Result<T, StoreError>) {
    assert!(matches!(answer, Err(StoreError::Closed)), "{answer:?}");
}

/// Every call to a closed store is answered [`StoreError::Closed`], and closing twice does nothing.
pub async fn a_closed_store_answers_closed(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    let id = append(&*store, bed.event("inbox", "1")).await;
    let lease = leases(&*store, "app", 1).await.remove(0);
    store.close().await;
    store.close().await;
    assert_closed(store.append(bed.event("inbox", "2")).await);
    assert_closed(store.event(id).await);
    assert_closed(store.events(&EventQuery { limit: 1, ..EventQuery::default() }).await);
    assert_closed(store.refusals(&RefusalQuery { limit: 1, ..RefusalQuery::default() }).await);
    assert_closed(store.subscribe(&[]).await);
    assert_closed(store.lease(&request("app", 1)).await);
    let done = super::settlement(&lease, bed.now(), Next::Done);
    assert_closed(store.settle(vec![done]).await);
    assert_closed(store.redeliver(id, &destination("app")).await);
    assert_closed(store.retry(&lease.delivery).await);
    let all = DeliveryQuery { limit: 1, ..DeliveryQuery::default() };
    assert_closed(store.deliveries(&all).await);
    assert_closed(store.attempts(id).await);
    assert_closed(store.backlogs().await);
    assert_closed(store.state("k").await);
    assert_closed(store.put_state("k", Bytes::new(), None).await);
    assert_closed(store.status().await);
    assert_closed(store.stats().await);
}

/// Whoever waits for work when the store closes is told so, at once.
pub async fn closing_wakes_those_who_wait(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    let waiting = Arc::clone(&store);
    let closing = Arc::clone(&store);
    let (answer, ()) =
        tokio::join!(
            async move { waiting.lease(&request("app", 1)).await },
            async move { closing.close().await },
        );
    assert_closed(answer);
}

/// The status says that the store takes events, and how many it has.
pub async fn the_status_counts(bed: Bed) {
    let store = bed.open().await;
    let status = store.status().await.expect("open");
    assert_eq!((status.events, status.writable, status.problem), (0, true, None));
    append(&*store, bed.event("inbox", "1")).await;
    let (_, head) = append_at(&*store, bed.event("inbox", "2")).await;
    let status = store.status().await.expect("open");
    assert_eq!((status.events, status.head), (2, head));
    let store = bed.reopen(store).await;
    let status = store.status().await.expect("open");
    assert_eq!((status.events, status.head, status.writable), (2, head, true));
}

/// What is stored is counted: in all and for each source, with what destinations wait for.
pub async fn what_is_stored_is_counted(bed: Bed) {
    let store = bed.open().await;
    let nothing = store.stats().await.expect("open");
    assert_eq!((nothing.events, nothing.bytes, nothing.oldest, &nothing.sources[..]), (0, 0, None, &[][..]));
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    let first = bed.now();
    append(&*store, bed.event("inbox", "12345")).await;
    bed.advance(Duration::from_secs(60));
    append(&*store, bed.event("other", "1")).await;
    append(&*store, bed.event("inbox", "1")).await;
    let lease = leases(&*store, "app", 1).await.remove(0);
    settle(&*store, &lease, bed.now(), Next::RetryAt(bed.now() + HOUR)).await;
    let stats = store.stats().await.expect("open");
    // Beside their bodies the events are alike.
    let each = stats.sources[1].bytes - 1;
    let seen: Vec<_> = stats
        .sources
        .iter()
        .map(|one| (one.source.as_str(), one.events, one.bytes, one.oldest, one.newest))
        .collect();
    assert_eq!(
        seen,
        [("inbox", 2, 2 * each + 6, first, bed.now()), ("other", 1, each + 1, bed.now(), bed.now())]
    );
    assert_eq!((stats.events, stats.bytes), (3, 3 * each + 7));
    assert_eq!((stats.oldest, stats.newest), (Some(first), Some(bed.now())));
    assert_eq!(stats.exceptions.get("waiting"), Some(&1), "{:?}", stats.exceptions);
    assert_eq!(stats.kind, store.status().await.expect("open").kind);
}
