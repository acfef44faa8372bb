//! The socket below hyper: replays the bytes that told the protocol, notes what moves, lingers at the end.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{PREFACE, Watch};
use crate::wire::Wire;

/// How much a connection may read before it is the others' turn. A peer that sends without end is always ready: what it sends in one go
/// is worth seconds of frames that ask for nothing, and fifty such peers would leave everybody else waiting for that long.
const TURN: usize = 16 * 1024;
/// How much is read and thrown away after the last answer, and for how long, where the peer has not ended. Closing with
/// unread input makes the kernel reset the connection, and the reset can overtake the answer.
const LINGER: (usize, Duration) = (64 * 1024, Duration::from_secs(1));

/// What hyper reads from and writes to.
pub(super) struct Socket<IO> {
    io: IO,
    replay: Replay,
    watch: Arc<Watch>,
    /// Reads the heads of HTTP/1 along.
    wire: Option<Wire>,
    /// What was read since it was the others' turn.
    turn: usize,
    /// The peer will send nothing more.
    ended: bool,
    linger: Option<Linger>,
}

struct Replay {
    bytes: [u8; PREFACE.len()],
    at: usize,
    end: usize,
}

struct Linger {
    left: usize,
    until: Pin<Box<Sleep>>,
}

impl<IO> Socket<IO> {
    /// A connection whose first bytes were read; `wire` looks along where it is HTTP/1.
    pub(super) fn new(
        io: IO,
        (bytes, end): ([u8; PREFACE.len()], usize),
        watch: Arc<Watch>,
        wire: Option<Wire>,
    ) -> Self {
        Self { io, replay: Replay { bytes, at: 0, end }, watch, wire, turn: 0, ended: false, linger: None }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Socket<IO> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(rest) = this.replay.bytes.get(this.replay.at..this.replay.end).filter(|r| !r.is_empty()) {
            let count = rest.len().min(into.remaining());
            into.put_slice(&rest[..count]);
            if let Some(found) = this.wire.as_mut().and_then(|wire| wire.read(&rest[..count])) {
                let _ = this.watch.fault.set(found);
            }
            this.replay.at += count;
            return Poll::Ready(Ok(()));
        }
        if this.turn >= TURN {
            this.turn = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = into.filled().len();
        let Poll::Ready(outcome) = Pin::new(&mut this.io).poll_read(cx, into) else {
            this.turn = 0;
            return Poll::Pending;
        };
        outcome?;
        this.turn += into.filled().len() - before;
        if let Some(read) = into.filled().get(before..).filter(|read| !read.is_empty()) {
            if let Some(found) = this.wire.as_mut().and_then(|wire| wire.read(read)) {
                // Nothing is looked for behind the first.
                let _ = this.watch.fault.set(found);
            }
            this.watch.bytes_arrived();
        } else if into.remaining() > 0 {
            this.ended = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Socket<IO> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(cx, bytes);
        this.note_progress(written.is_pending());
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write_vectored(cx, bytes);
        this.note_progress(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
            if this.ended {
                return Poll::Ready(Ok(()));
            }
        }
        let linger = this.linger.get_or_insert_with(|| Linger {
            left: LINGER.0,
            until: Box::pin(sleep_until(Instant::now() + LINGER.1)),
        });
        let mut scratch = [0; 4096];
        while linger.left > 0 && linger.until.as_mut().poll(cx).is_pending() {
            let mut bin = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut this.io).poll_read(cx, &mut bin)) {
                Ok(()) if !bin.filled().is_empty() => {
                    linger.left = linger.left.saturating_sub(bin.filled().len())
                }
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO> Socket<IO> {
    fn note_progress(&self, pending: bool) {
        let stalled = &self.watch.stalled_since;
        if !pending {
            if stalled.load(Ordering::Relaxed) != 0 {
                stalled.store(0, Ordering::Relaxed);
            }
        } else if stalled.load(Ordering::Relaxed) == 0 {
            stalled.store(self.watch.now(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::{Wake, Waker};

    use super::*;

    /// A peer that has always sent more.
    struct Endless;

    impl AsyncRead for Endless {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            into: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            into.initialize_unfilled().fill(b'x');
            into.advance(into.remaining());
            Poll::Ready(Ok(()))
        }
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn a_peer_that_sends_without_end_lets_the_others_have_their_turn() {
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let mut socket = Socket::new(Endless, ([0; PREFACE.len()], 0), Watch::new(()), None);
        for turn in 1..=3 {
            let mut read = 0;
            loop {
                let mut buffer = [0; 1024];
                let mut into = ReadBuf::new(&mut buffer);
                if Pin::new(&mut socket).poll_read(&mut context, &mut into).is_pending() {
                    break;
                }
                read += into.filled().len();
            }
            assert_eq!((read, woken.0.load(Ordering::Relaxed)), (TURN, turn), "and it goes on by itself");
        }
    }
}
