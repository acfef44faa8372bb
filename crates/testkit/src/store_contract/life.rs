//! The end of a store, and how it is.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use hookhouse_core::StoreError;
use hookhouse_core::store::{DeliveryQuery, EventQuery, RefusalQuery};

use super::{Bed, append, append_at, destination, leases, request, wants};

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
    let done = super::settlement(&lease, bed.now(), hookhouse_core::delivery::Next::Done);
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
