//! Work that is finished also when nobody waits for it any more.
//!
//! A sender may hang up at any moment, and what serves it is dropped in the middle of what it does. A task for each
//! request would be the answer, at the price of a task for each request. Most senders wait: so the work is done where
//! it is awaited, and moves into a task of its own only when it is dropped unfinished.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// A future that goes on in a task when it is dropped before its end.
///
/// Polled for the first time or not: whoever makes one wants it done.
#[derive(Debug)]
pub(crate) struct Outliving<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    /// Gone once it has ended, and while it is polled: what panicked is not polled again.
    work: Option<Pin<Box<F>>>,
    tracker: TaskTracker,
}

impl<F> Outliving<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    /// Work that a drain waits for through `tracker`, whoever does it in the end.
    pub(crate) fn new(work: F, tracker: &TaskTracker) -> Self {
        Self { work: Some(Box::pin(work)), tracker: tracker.clone() }
    }
}

impl<F> Future for Outliving<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some(mut work) = self.work.take() else { return Poll::Pending };
        let outcome = work.as_mut().poll(cx);
        if outcome.is_pending() {
            self.work = Some(work);
        }
        outcome
    }
}

impl<F> Drop for Outliving<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        // Without a runtime the process is at its end, and nothing goes on.
        if let Ok(runtime) = Handle::try_current() {
            drop(self.tracker.spawn_on(work, &runtime));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_is_awaited_is_done_in_place() {
        let tracker = TaskTracker::new();
        assert_eq!(Outliving::new(async { 7 }, &tracker).await, 7);
        assert!(tracker.is_empty());
    }

    #[tokio::test]
    async fn what_is_dropped_is_finished_all_the_same() {
        let tracker = TaskTracker::new();
        for polls in 0..3 {
            let (go, wait) = oneshot::channel::<()>();
            let (done, finished) = oneshot::channel();
            let mut work = Box::pin(Outliving::new(
                async move {
                    tokio::task::yield_now().await;
                    wait.await.unwrap();
                    done.send(polls).unwrap();
                },
                &tracker,
            ));
            for _ in 0..polls {
                assert_eq!(work.as_mut().now_or_never(), None);
            }
            drop(work);
            go.send(()).unwrap();
            assert_eq!(finished.await, Ok(polls));
        }
        tracker.close();
        tracker.wait().await;
    }

    #[tokio::test]
    async fn what_panicked_is_not_begun_again() {
        let tracker = TaskTracker::new();
        let work = Outliving::new(async { panic!("on purpose") }, &tracker);
        let outcome = std::panic::AssertUnwindSafe(work).catch_unwind().await;
        assert!(outcome.is_err());
        assert!(tracker.is_empty());
    }
}
