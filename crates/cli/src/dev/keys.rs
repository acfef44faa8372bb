//! Single keys while `dev` runs: on a terminal that somebody sits at, and nowhere else.
//!
//! The terminal is told to hand keys over one by one and not to show them; Ctrl-C stays what it is. It is put back as it
//! was when this is dropped. A process in the background is left alone: reading there would stop it.

use std::io::{IsTerminal, Read, Write, stderr, stdin, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use hookhouse_core::store::EventQuery;
use hookhouse_core::{EventStore, StoreError};
use hookhouse_server::Lifecycle;
use hookhouse_server::config::Source;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::getpgrp;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};
use tokio::sync::mpsc;

use crate::output::Pages;

/// Keys that may wait.
const QUEUE: usize = 16;

/// How long the reader waits for a key before it looks whether it is still wanted.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };

/// What the keys do, for whoever asks.
pub(super) const HELP: &str =
    "o  the web UI    r  replay the newest event    b  bodies on, off    c  clear    q  quit    ?  this";

/// A terminal that hands keys over one by one.
pub(super) struct Keyboard {
    keys: mpsc::Receiver<u8>,
    before: Termios,
    ended: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Keyboard {
    /// `None` where nobody sits: no terminal on either side, one that knows no escape sequences, or a background job.
    pub(super) fn open() -> Option<Self> {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if is_dumb || !stdin().is_terminal() || !stdout().is_terminal() || !is_in_front() {
            return None;
        }
        let before = tcgetattr(stdin()).ok()?;
        let mut modes = before.clone();
        modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(stdin(), OptionalActions::Now, &modes).ok()?;
        let (sender, keys) = mpsc::channel(QUEUE);
        let ended = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ended);
        let reader = std::thread::Builder::new().name("keys".to_owned()).spawn(move || read(&sender, &over));
        Some(Self { keys, before, ended, reader: reader.ok() })
    }

    /// Does what the keys say, until the process is told to stop.
    pub(super) async fn serve(mut self, house: House) {
        while let Some(Some(key)) = house.lifecycle.soft.run_until_cancelled(self.keys.recv()).await {
            house.press(key).await;
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        if is_in_front() {
            // A terminal that is gone needs no settings.
            let _ = tcsetattr(stdin(), OptionalActions::Now, &self.before);
        }
    }
}

fn is_in_front() -> bool {
    tcgetpgrp(stdin()).is_ok_and(|group| group == getpgrp())
}

fn read(keys: &mpsc::Sender<u8>, ended: &AtomicBool) {
    while !ended.load(Ordering::Relaxed) {
        let input = stdin();
        let mut ready = [PollFd::new(&input, PollFlags::IN)];
        match poll(&mut ready, Some(&LOOK)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) => {}
            Err(_) => return,
        }
        if !is_in_front() {
            std::thread::sleep(std::time::Duration::from_millis(250));
            continue;
        }
        let mut key = [0];
        match input.lock().read(&mut key) {
            // Whoever presses keys faster than they are done loses some.
            Ok(1) => drop(keys.try_send(key[0])),
            _ => return,
        }
    }
}

/// What the keys act on.
pub(super) struct House {
    pub(super) lifecycle: Lifecycle,
    pub(super) store: Arc<dyn EventStore>,
    pub(super) sources: Vec<Arc<Source>>,
    /// Whether bodies are printed.
    pub(super) bodies: Arc<AtomicBool>,
    pub(super) pages: Pages,
    pub(super) ui: String,
}

impl House {
    async fn press(&self, key: u8) {
        match key {
            b'o' => anstream::eprintln!("  {}", self.pages.link(&self.ui, &self.ui)),
            b'r' => match self.replay().await {
                Ok(said) => anstream::eprintln!("  {said}"),
                Err(error) => anstream::eprintln!("  not replayed: {error}"),
            },
            b'b' => {
                let on = !self.bodies.fetch_xor(true, Ordering::Relaxed);
                anstream::eprintln!("  bodies {}", if on { "on" } else { "off" });
            }
            b'c' => {
                // A screen that cannot be cleared stays as it is.
                let _ = write!(stderr(), "\x1b[H\x1b[2J");
            }
            b'q' => self.lifecycle.soft.cancel(),
            b'?' | b'h' => anstream::eprintln!("  {HELP}"),
            _ => {}
        }
    }

    /// Delivers the newest event again, wherever its source delivers.
    async fn replay(&self) -> Result<String, StoreError> {
        let newest = self.store.events(&EventQuery { limit: 1, ..EventQuery::default() }).await?;
        let Some(event) = newest.items.first() else { return Ok("nothing has arrived yet".to_owned()) };
        let source = self.sources.iter().find(|source| source.name == event.record().source);
        let destinations = source.map(|source| source.deliver.as_slice()).unwrap_or_default();
        let mut made = 0;
        for destination in destinations {
            made += usize::from(self.store.redeliver(event.id(), destination).await?.is_some());
        }
        Ok(match made {
            0 => "there is nowhere to replay to: --forward-to URL".to_owned(),
            _ => format!("replaying {}", self.pages.event(event.id())),
        })
    }
}
