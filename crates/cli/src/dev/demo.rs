//! `dev --demo`: a challenge and a signed event of each provider, sent to ourselves, followed to the end.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use hookhouse_core::delivery::Next;
use hookhouse_core::{Clock, EventId, Notice, Observer, SystemClock};
use hookhouse_emulator::{Fixture, Receiver, Sender};
use hookhouse_server::Running;
use tokio::sync::Notify;

use crate::exit::{Code, Failure, Outcome};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// How long the deliveries may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A demo that is ready to be played.
#[derive(Debug)]
pub(crate) struct Demo {
    receiver: Option<SocketAddr>,
    seen: Arc<Seen>,
}

/// What happened to events so far.
#[derive(Debug, Default)]
struct Seen {
    accepted: Mutex<HashSet<EventId>>,
    delivered: Mutex<HashSet<EventId>>,
    changed: Notify,
}

/// Tells the demo what the terminal is told.
#[derive(Debug)]
struct Watch {
    seen: Arc<Seen>,
    inner: Arc<dyn Observer>,
}

impl Observer for Watch {
    fn notice(&self, notice: Notice) {
        match &notice {
            Notice::Accepted { event, .. } => {
                self.seen.accepted.lock().unwrap_or_else(PoisonError::into_inner).insert(event.id());
            }
            Notice::Attempted { attempt, next: Next::Done, .. } => {
                self.seen
                    .delivered
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(attempt.delivery.event);
                self.seen.changed.notify_one();
            }
            _ => {}
        }
        self.inner.notice(notice);
    }
}

impl Demo {
    /// Gets ready; `own_receiver`: nobody else takes the events.
    pub(crate) async fn prepare(own_receiver: bool) -> Result<Self, Failure> {
        let mut receiver = None;
        if own_receiver {
            let (application, mut received) =
                Receiver::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
            receiver = Some(application.local_addr());
            // Both end with the process: they stand for an application, which is nothing that a drain waits for.
            let runtime = tokio::runtime::Handle::current();
            runtime.spawn(application.run());
            runtime.spawn(async move { while received.recv().await.is_some() {} });
        }
        Ok(Self { receiver, seen: Arc::default() })
    }

    /// The URL of the demo's own application.
    pub(crate) fn receiver(&self) -> Option<String> {
        self.receiver.map(|address| format!("http://{address}/hooks"))
    }

    /// An observer that watches for the demo and tells another.
    pub(crate) fn watch(&self, inner: Arc<dyn Observer>) -> Arc<dyn Observer> {
        Arc::new(Watch { seen: Arc::clone(&self.seen), inner })
    }

    /// Sends, and waits until everything sent was delivered.
    pub(crate) async fn play(&self, running: &Running, address: SocketAddr) -> Outcome {
        say("Demo: what X and Twilio would do, done to this machine.");
        let mut sent = 0;
        for source in running.sources.iter().filter(|source| source.name.as_str() != "x-root") {
            let mut sender = Sender::new(&format!("http://{address}{}", source.path))?;
            if let Some(public) = &source.public_url {
                sender = sender.known_as(&format!("{public}{}", source.path))?;
            }
            if let Some(signing) = &source.signer {
                sender = sender.signed_by(signing.signer.clone(), signing.secret.clone());
            }
            if source.provider == "x" {
                say("X checks that the endpoint knows the consumer secret (CRC)…");
                let challenge = sender.challenge(SystemClock.now(), &mut rand::rng(), true).await?;
                challenge.verdict.map_err(|fault| Failure::with_code(fault, Code::Failure))?;
            }
            let provider = if source.provider == "none" { "hmac" } else { source.provider.as_str() };
            let Some(fixture) = Fixture::list(provider).next() else { continue };
            say(&match source.provider.as_str() {
                "none" => {
                    "something without a signature arrives at the inbox, which takes anything…".to_owned()
                }
                provider => format!("{provider} sends {}, signed…", fixture.event),
            });
            let event = fixture.render(SystemClock.now(), &mut rand::rng());
            let answer = sender.send(&event, SystemClock.now(), None).await?;
            if !answer.status.is_success() {
                return Err(Failure::new(
                    Code::Failure,
                    format!("{} was answered {}", fixture.event, answer.status),
                ));
            }
            sent += 1;
        }
        self.settle(sent).await
    }

    /// Waits for the deliveries, and says how it went.
    async fn settle(&self, sent: usize) -> Outcome {
        let everything = async {
            while self.delivered() < sent {
                self.seen.changed.notified().await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, everything).await.is_ok();
        let delivered = self.delivered();
        let style = if in_time { GOOD } else { BAD };
        // The terminal prints from a thread of its own: let the last line of an event stand before the summary.
        tokio::time::sleep(Duration::from_millis(50)).await;
        say(&format!(
            "{style}{sent} events sent, {sent} acknowledged after they were stored, {delivered} delivered.{style:#}"
        ));
        say(
            "`hookhouse events ls` lists them, `hookhouse events get ID` shows one, `hookhouse replay ID` delivers it again.",
        );
        if in_time { Ok(()) } else { Err(Failure::new(Code::Failure, "not every demo event was delivered")) }
    }

    /// How many of the accepted events were delivered.
    fn delivered(&self) -> usize {
        let accepted = self.seen.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        let delivered = self.seen.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.intersection(&delivered).count()
    }
}

fn say(text: &str) {
    anstream::eprintln!("» {text}");
}
