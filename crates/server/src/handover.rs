//! A server takes over from another one, and no request is lost between them.
//!
//! ```text
//! new: reads its configuration, connects to handover.sock in the store's folder
//! old: passes its listening sockets; goes on serving
//! new: has everything it needs to listen: "go"
//! old: deliveries end, requests are still taken ─▶ "yours": accepts no more, ends what is under way ─▶ closes the store, exits
//! new:                                                 accepts, answers challenges; events wait ──▶ opens the store
//! ```
//!
//! The sockets never close, so a connection that comes in between waits in their queue and is accepted by whoever is
//! there. What is under way at the old one may take its time, a relay most of all; a challenge needs no store and does not
//! wait for it. The store has one process at a time, and the kernel's lock on it says when the old one is done. Whatever goes
//! wrong before "go" leaves the old one as it was.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Listen;
use crate::inheritance::Inheritance;
use crate::lifecycle::{DRAIN, Lifecycle};
use crate::reload::Reloader;

/// In the store's folder, which only its owner may enter.
const FILE: &str = "handover.sock";

/// What the new one asks for, with the version of these words.
const ASK: &[u8] = b"hookhouse take-over 1\n";
const GO: &[u8] = b"go\n";
const YOURS: &[u8] = b"yours\n";

/// The most descriptors that one message carries (SCM_MAX_FD).
const MOST: usize = 253;

/// The longest list of sockets, in bytes.
const LONGEST: usize = 256 * 1024;

/// How long either side waits for a word of the other.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the old one may take to go: twice a drain (its deliveries, then its requests), and some time for its store.
const FAREWELL: Duration = Duration::from_secs(2 * DRAIN.as_secs() + 20);

/// Who delivers: the first to stop, where another server takes over.
#[derive(Debug)]
pub(crate) struct Couriers {
    pub(crate) tracker: TaskTracker,
    pub(crate) soft: CancellationToken,
}

impl Couriers {
    /// They end with the server at the latest, and the server waits for them.
    pub(crate) fn new(lifecycle: &Lifecycle) -> Self {
        let couriers = Self { tracker: TaskTracker::new(), soft: lifecycle.soft.child_token() };
        let (tracker, soft) = (couriers.tracker.clone(), lifecycle.soft.clone());
        lifecycle.tracker.spawn(async move {
            soft.cancelled().await;
            tracker.close();
            tracker.wait().await;
        });
        couriers
    }

    /// Begins nothing more, and waits for what is under way, so long and no longer.
    async fn rest(&self, patience: Duration) {
        self.soft.cancel();
        self.tracker.close();
        // What takes longer is handed back at the end of the drain.
        let _ = tokio::time::timeout(patience, self.tracker.wait()).await;
    }
}

/// What is passed, in the order of the descriptors.
#[derive(Debug, Serialize, Deserialize)]
struct Passed {
    sockets: Vec<String>,
    admin: String,
}

/// Waits for somebody to take over, until the server stops for another reason.
pub(crate) async fn wait(reloader: Arc<Reloader>) {
    let file = reloader.ground.folder.join(FILE);
    let listener = match listen(&file) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(event = "handover.off", %error, file = %file.display(), "no other server can take over");
            return;
        }
    };
    let soft = reloader.ground.lifecycle.soft.clone();
    loop {
        let accepted = match soft.run_until_cancelled(listener.accept()).await {
            None => break,
            Some(Ok((stream, _))) => stream,
            Some(Err(error)) => {
                tracing::debug!(event = "handover.failed", %error);
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(stream) = accepted.into_std() else { continue };
        let sockets = Arc::clone(&reloader);
        let offered = tokio::task::spawn_blocking(move || offer(stream, &sockets)).await;
        match offered {
            Ok(Ok(successor)) => {
                hand_over(&reloader, successor).await;
                break;
            }
            Ok(Err(error)) => tracing::warn!(event = "handover.failed", %error, "this server goes on"),
            Err(_) => tracing::warn!(event = "handover.failed", "this server goes on"),
        }
    }
    let _ = std::fs::remove_file(file);
}

/// A socket in the folder of a store that is ours: one that lies there already is of a server that is gone.
fn listen(file: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(file)?;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Passes the sockets, and answers with the stream once the other side says that it has what it needs.
fn offer(mut stream: UnixStream, reloader: &Reloader) -> io::Result<UnixStream> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    expect(&mut stream, ASK)?;
    let (sockets, (admin, admin_socket)) = reloader.listening();
    let passed = Passed {
        sockets: sockets.iter().map(|(listen, _)| listen.to_string()).collect(),
        admin: admin.to_string(),
    };
    let descriptors: Vec<_> = sockets
        .iter()
        .map(|(_, socket)| socket)
        .chain([&admin_socket])
        .map(|socket| socket.as_fd())
        .collect();
    send(&stream, &serde_json::to_vec(&passed)?, &descriptors)?;
    expect(&mut stream, GO)?;
    Ok(stream)
}

/// Stops in the order that leaves nobody waiting: deliveries first, while requests are still taken.
async fn hand_over(reloader: &Reloader, successor: UnixStream) {
    tracing::info!(event = "handover.begun", "another server takes over");
    reloader.ground.couriers.rest(DRAIN).await;
    reloader.ground.lifecycle.soft.cancel();
    let told = tokio::task::spawn_blocking(move || (&successor).write_all(YOURS).map(|()| successor)).await;
    match told {
        // The other end learns by its closing that this process is gone.
        Ok(Ok(successor)) => reloader.keep(successor),
        Ok(Err(error)) => tracing::error!(event = "handover.failed", %error, "whoever took over is gone"),
        Err(_) => {}
    }
}

fn expect(stream: &mut UnixStream, words: &[u8]) -> io::Result<()> {
    let mut said = vec![0; words.len()];
    stream.read_exact(&mut said)?;
    if said == words { Ok(()) } else { Err(io::Error::other("the other side speaks otherwise")) }
}

/// Sends a text, its length in front, with descriptors.
fn send(stream: &UnixStream, text: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    if descriptors.len() > MOST {
        return Err(io::Error::other("there are too many sockets to pass"));
    }
    let length = u32::try_from(text.len()).map_err(io::Error::other)?.to_be_bytes();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("there are too many sockets to pass"));
    }
    let sent = rustix::net::sendmsg(stream, &[IoSlice::new(&length)], &mut ancillary, SendFlags::empty())?;
    let mut stream = stream;
    stream.write_all(length.get(sent..).unwrap_or_default())?;
    stream.write_all(text)
}

fn receive(stream: &mut UnixStream) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut length = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let got = rustix::net::recvmsg(&*stream, &mut [IoSliceMut::new(&mut length)], &mut ancillary, flags)?;
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    if got.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    stream.read_exact(length.get_mut(got.bytes..).unwrap_or_default())?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > LONGEST {
        return Err(io::Error::other("the other side says too much"));
    }
    let mut text = vec![0; length];
    stream.read_exact(&mut text)?;
    Ok((text, descriptors))
}

/// The server that runs, and that another one takes over from.
#[derive(Debug)]
pub struct Predecessor {
    stream: UnixStream,
}

impl Predecessor {
    /// The server that has the store of this folder, with its sockets; `None` where none runs.
    ///
    /// # Errors
    /// When there is one that does not hand over.
    pub fn find(folder: &Path) -> io::Result<Option<(Self, Inheritance)>> {
        let file: PathBuf = folder.join(FILE);
        let mut stream = match UnixStream::connect(file) {
            Ok(stream) => stream,
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(ASK)?;
        let (text, descriptors) = receive(&mut stream)?;
        let Passed { sockets, admin } = serde_json::from_slice(&text)?;
        if descriptors.len() != sockets.len() + 1 {
            return Err(io::Error::other("the other side passed fewer sockets than it says"));
        }
        let place = |text: &String| text.parse::<Listen>().map_err(io::Error::other);
        let mut places: Vec<_> = sockets.iter().chain([&admin]).map(place).collect::<io::Result<_>>()?;
        let mut descriptors = descriptors;
        let admin = places.pop().zip(descriptors.pop());
        let sockets = places.into_iter().zip(descriptors).collect();
        Ok(Some((Self { stream }, Inheritance::of(sockets, admin))))
    }

    /// Has it stop, and waits until it accepts no more.
    ///
    /// # Errors
    /// When it does not do so.
    pub fn relieve(&mut self) -> io::Result<()> {
        self.stream.write_all(GO)?;
        self.stream.set_read_timeout(Some(FAREWELL))?;
        expect(&mut self.stream, YOURS)
    }

    /// Waits until it is gone.
    ///
    /// # Errors
    /// When it does not go.
    pub fn gone(mut self) -> io::Result<()> {
        let mut rest = [0; 1];
        match self.stream.read(&mut rest) {
            // It ends with the process, in whatever way.
            Ok(0) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
            Ok(_) => Err(io::Error::other("the other side speaks otherwise")),
            Err(error) => Err(error),
        }
    }
}
