//! Two streams joined: bytes go both ways until one side ends, idles for too long, or has had its time.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// How long a connection may last: Twilio ends a call after 24 hours at the latest
/// (<https://www.twilio.com/docs/voice/twiml/dial#timelimit>).
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// What went through, and why it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Bytes from the sender to the application.
    pub(crate) up: u64,
    /// Bytes from the application to the sender.
    pub(crate) down: u64,
    /// Why it ended, in words.
    pub(crate) end: &'static str,
}

/// Joins a sender and an application until the connection ends or the server stops; both are closed then.
///
/// `patience` is how long a connection may say nothing in either direction.
pub(crate) async fn join<S, A>(
    sender: S,
    application: A,
    patience: Duration,
    stop: &CancellationToken,
) -> Passed
where
    S: AsyncRead + AsyncWrite,
    A: AsyncRead + AsyncWrite,
{
    let began = Instant::now();
    let (up, down, last) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let (sender_reads, sender_writes) = tokio::io::split(sender);
    let (application_reads, application_writes) = tokio::io::split(application);
    let note = |count: &AtomicU64, bytes: usize| {
        count.fetch_add(bytes as u64, Ordering::Relaxed);
        last.store(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    };
    let both = async {
        // Each direction ends by itself, and passes its end on: a half-closed connection still brings what is left.
        // A side that breaks ends both: it would neither read nor write again, and the other must not wait for it.
        let ended = tokio::try_join!(
            pump(sender_reads, application_writes, |bytes| note(&up, bytes)),
            pump(application_reads, sender_writes, |bytes| note(&down, bytes)),
        );
        if ended.is_ok() { "closed" } else { "broken" }
    };
    let watch = async {
        loop {
            let idle = began + Duration::from_millis(last.load(Ordering::Relaxed)) + patience;
            let over = began + LIFETIME;
            sleep_until(idle.min(over)).await;
            if Instant::now() >= over {
                return "lifetime";
            }
            if Instant::now() >= began + Duration::from_millis(last.load(Ordering::Relaxed)) + patience {
                return "idle";
            }
        }
    };
    let end = tokio::select! {
        end = both => end,
        end = watch => end,
        () = stop.cancelled() => "stopped",
    };
    Passed { up: up.load(Ordering::Relaxed), down: down.load(Ordering::Relaxed), end }
}

async fn pump<R, W>(mut from: R, mut to: W, mut note: impl FnMut(usize)) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(buffer.get(..read).unwrap_or_default()).await?;
        to.flush().await?;
        note(read);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::ReadBuf;

    use super::*;

    const MINUTES: Duration = Duration::from_secs(5 * 60);

    #[tokio::test(start_paused = true)]
    async fn bytes_go_both_ways_and_ends_are_passed_on() {
        let (sender, mut sender_far) = tokio::io::duplex(64);
        let (application, mut application_far) = tokio::io::duplex(64);
        let stop = CancellationToken::new();
        let joined = join(sender, application, MINUTES, &stop);
        let talk = async {
            sender_far.write_all(b"to the application").await.unwrap();
            let mut got = [0; 18];
            application_far.read_exact(&mut got).await.unwrap();
            assert_eq!(&got, b"to the application");
            application_far.write_all(b"and back").await.unwrap();
            sender_far.shutdown().await.unwrap();
            let mut rest = Vec::new();
            application_far.read_to_end(&mut rest).await.unwrap();
            application_far.shutdown().await.unwrap();
            sender_far.read_to_end(&mut rest).await.unwrap();
            assert_eq!(rest, b"and back");
        };
        let (passed, ()) = tokio::join!(joined, talk);
        assert_eq!(passed, Passed { up: 18, down: 8, end: "closed" });
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_it_and_so_does_its_time() {
        let (sender, _sender_far) = tokio::io::duplex(64);
        let (application, _application_far) = tokio::io::duplex(64);
        let stop = CancellationToken::new();
        assert_eq!(join(sender, application, MINUTES, &stop).await.end, "idle");

        let (sender, mut sender_far) = tokio::io::duplex(64);
        let (application, mut application_far) = tokio::io::duplex(64);
        let chatting = async {
            let mut byte = [0];
            loop {
                sender_far.write_all(b".").await.unwrap();
                application_far.read_exact(&mut byte).await.unwrap();
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
        };
        let joined = join(sender, application, MINUTES, &stop);
        let end = tokio::select! { passed = joined => passed.end, () = chatting => "never" };
        assert_eq!(end, "lifetime");
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_that_breaks_ends_both_at_once() {
        let (sender, mut sender_far) = tokio::io::duplex(64);
        let broken = reset();
        let stop = CancellationToken::new();
        let began = Instant::now();
        assert_eq!(join(sender, broken, MINUTES, &stop).await.end, "broken");
        assert_eq!(sender_far.read(&mut [0; 1]).await.unwrap(), 0, "the sender is told");
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    /// A stream that was reset.
    fn reset() -> impl AsyncRead + AsyncWrite {
        struct Reset;
        impl AsyncRead for Reset {
            fn poll_read(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
                _: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
        }
        impl AsyncWrite for Reset {
            fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
        }
        Reset
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_stops_ends_it_and_still_tells_what_passed() {
        let (sender, mut sender_far) = tokio::io::duplex(64);
        let (application, mut application_far) = tokio::io::duplex(64);
        let stop = CancellationToken::new();
        let talk = async {
            sender_far.write_all(b"hello").await.unwrap();
            application_far.read_exact(&mut [0; 5]).await.unwrap();
            stop.cancel();
        };
        let (passed, ()) = tokio::join!(join(sender, application, MINUTES, &stop), talk);
        assert_eq!(passed, Passed { up: 5, down: 0, end: "stopped" });
    }
}
