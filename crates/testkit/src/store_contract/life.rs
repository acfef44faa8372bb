//! The end of a store, and how it is.

use std::sync::Arc;

use bytes::Bytes;
use hookhouse_core::StoreError;
use hookhouse_core::store::{DeliveryQuery, EventQuery, RefusalQuery};

use super::{Bed, append, append_at, destination, leases, request, wants};

/// Every call to a closed store is answered [`StoreError::Closed`], and closing twice does nothing.
pub async fn a_closed_store_answers_closed(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    let id = append(&*store, bed.event("inbox", "1")).await;
    let lease = leases(&*store, "app", 1).await.remove(0);
    store.close().await;
    store.close().await;
    let closed = StoreError::Closed;
    assert_eq!(store.append(bed.event("inbox", "2")).await.unwrap_err(), closed);
    assert_eq!(store.event(id).await.unwrap_err(), closed);
    assert_eq!(store.events(&EventQuery { limit: 1, ..EventQuery::default() }).await.unwrap_err(), closed);
    assert_eq!(store.refusals(&RefusalQuery { limit: 1, ..RefusalQuery::default() }).await.unwrap_err(), closed);
    assert_eq!(store.subscribe(&[]).await.unwrap_err(), closed);
    assert_eq!(store.lease(&request("app", 1)).await.unwrap_err(), closed);
    let done = super::settlement(&lease, bed.now(), hookhouse_core::delivery::Next::Done);
    assert_eq!(store.settle(vec![done]).await.unwrap_err(), closed);
    assert_eq!(store.redeliver(id, &destination("app")).await.unwrap_err(), closed);
    assert_eq!(store.retry(&lease.delivery).await.unwrap_err(), closed);
    let all = DeliveryQuery { limit: 1, ..DeliveryQuery::default() };
    assert_eq!(store.deliveries(&all).await.unwrap_err(), closed);
    assert_eq!(store.attempts(id).await.unwrap_err(), closed);
    assert_eq!(store.backlogs().await.unwrap_err(), closed);
    assert_eq!(store.state("k").await.unwrap_err(), closed);
    assert_eq!(store.put_state("k", Bytes::new(), None).await.unwrap_err(), closed);
    assert_eq!(store.status().await.unwrap_err(), closed);
}

/// Whoever waits for work when the store closes is told so, at once.
pub async fn closing_wakes_those_who_wait(bed: Bed) {
    let store = bed.open().await;
    store.subscribe(&[wants("app", &["inbox"])]).await.expect("open");
    let waiting = Arc::clone(&store);
    let closing = Arc::clone(&store);
    let (answer, ()) = tokio::join!(
        async move { waiting.lease(&request("app", 1)).await },
        async move { closing.close().await },
    );
    assert_eq!(answer.unwrap_err(), StoreError::Closed);
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
