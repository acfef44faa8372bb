//! What a server receives, as it receives it: the stream of its admin API, followed for as long as it takes.
//!
//! Each frame's id is a place in the server's logs. A connection that is lost, or says nothing for too long, is made again
//! from the last place on: nothing is missed and nothing comes twice.

mod frames;

use std::collections::VecDeque;
use std::time::Duration;

use hookhouse_core::kind::is_of_type;
use hookhouse_core::{SourceName, StoredRefusal};
use hookhouse_server::admin::view::EventView;
use http::{HeaderName, Method, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Serialize;
use tokio::time::timeout;

use self::frames::Frames;
use crate::admin::{Client, Parameters, Wire};
use crate::exit::{Code, Failure};

/// The server says something every fifteen seconds; a connection that is silent for longer than this is dead.
const SILENCE: Duration = Duration::from_secs(45);

/// The pauses after a lost connection: the first, and the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Something that came.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Came {
    /// An event.
    Event(Box<EventView>),
    /// A request that was turned away.
    Refusal(StoredRefusal),
}

/// Which of them are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Of any of these sources; empty for all.
    pub(crate) sources: Vec<SourceName>,
    pub(crate) event_type: Option<String>,
    /// Only those that a signature vouches for, or only those that none does.
    pub(crate) verified: Option<bool>,
    /// Whether bodies come along.
    pub(crate) bodies: bool,
    /// Whether refusals come too.
    pub(crate) refusals: bool,
}

impl Wanted {
    pub(crate) fn takes(&self, event: &EventView) -> bool {
        (self.sources.is_empty() || self.sources.contains(&event.source))
            && self.event_type.as_ref().is_none_or(|wanted| is_of_type(wanted, event.event_type.as_deref()))
            && self.verified.is_none_or(|wanted| event.verified == wanted)
    }

    fn takes_refusal(&self, refused: &StoredRefusal) -> bool {
        let source = refused.refusal.source.as_ref();
        self.sources.is_empty() || source.is_some_and(|source| self.sources.contains(source))
    }

    fn query(&self) -> String {
        let mut ask = Parameters::default();
        ask.add("kinds", Some(if self.refusals { "events,refusals" } else { "events" }));
        // The server sorts out one; several are sorted out here.
        ask.add("source", self.sources.first().filter(|_| self.sources.len() == 1));
        ask.add("type", self.event_type.as_ref());
        ask.add("verified", self.verified);
        ask.add("body", Some(self.bodies));
        ask.to_string()
    }
}

/// Follows a server.
#[derive(Debug)]
pub(crate) struct Feed {
    client: Client,
    wanted: Wanted,
    /// The id of what came last: places in the logs of events and refusals, and a moment.
    id: String,
    /// The place of the last event that came; what is not behind it has come before.
    last: u64,
    open: Option<Open>,
    ready: VecDeque<Came>,
    lost: Option<Duration>,
}

/// A connection that brings the stream.
#[derive(Debug)]
struct Open {
    _wire: Wire,
    body: Incoming,
    frames: Frames,
    /// Whether the server has said where it goes on.
    placed: bool,
}

impl Feed {
    /// Follows from a place in the log on: what lies behind it comes first. Refusals come from now on.
    pub(crate) async fn after(client: Client, place: u64, wanted: Wanted) -> Result<Self, Failure> {
        let newest = if wanted.refusals { client.newest_refusal().await? } else { 0 };
        let id = format!("{place}-{newest}-0");
        let mut feed =
            Self { client, wanted, id, last: place, open: None, ready: VecDeque::new(), lost: None };
        // What is wrong at the first try is said, and not tried again.
        feed.open = Some(feed.connect().await?);
        Ok(feed)
    }

    /// What came next. Waits for it as long as it takes, lost connections included; may be dropped while it waits.
    pub(crate) async fn next(&mut self) -> Result<Came, Failure> {
        loop {
            if let Some(came) = self.ready.pop_front() {
                return Ok(came);
            }
            match self.read().await {
                Ok(()) => {}
                Err(failure) if failure.code() == Code::Unreachable => {
                    self.open = None;
                    let pause = match self.lost {
                        None => {
                            anstream::eprintln!("{failure}: trying again");
                            BACK_OFF.0
                        }
                        Some(pause) => (pause * 2).min(BACK_OFF.1),
                    };
                    self.lost = Some(pause);
                    tokio::time::sleep(pause).await;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Reads until something came, over a new connection if need be.
    async fn read(&mut self) -> Result<(), Failure> {
        let broken = |why: &str| Failure::new(Code::Unreachable, format!("the stream broke off ({why})"));
        if self.open.is_none() {
            self.open = Some(self.connect().await?);
            if self.lost.take().is_some() {
                anstream::eprintln!("the server answers again");
            }
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let piece = match timeout(SILENCE, open.body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => return Err(broken(&error.to_string())),
            Ok(None) => return Err(broken("the server ended it")),
            Err(_) => return Err(broken("it fell silent")),
        };
        let Some(bytes) = piece.data_ref() else { return Ok(()) };
        let frames = open.frames.push(bytes).map_err(|error| Failure::with_code(error, Code::Failure))?;
        if let Some(id) = open.frames.id() {
            // The first one says where the server goes on: before where we were, if its log is another one now.
            let place = id.split('-').next().and_then(|place| place.parse().ok()).filter(|_| !open.placed);
            self.last = place.unwrap_or(self.last).min(self.last);
            open.placed = true;
            id.clone_into(&mut self.id);
        }
        for frame in frames {
            let unknown = |error| {
                Failure::new(
                    Code::Failure,
                    format!("the server sent what this version does not understand: {error}"),
                )
            };
            match frame.event.as_str() {
                "event.received" => {
                    let event: EventView = serde_json::from_str(&frame.data).map_err(unknown)?;
                    let is_new = event.sequence.0 > self.last;
                    self.last = self.last.max(event.sequence.0);
                    if is_new && self.wanted.takes(&event) {
                        self.ready.push_back(Came::Event(Box::new(event)));
                    }
                }
                "event.refused" => {
                    let refused: StoredRefusal = serde_json::from_str(&frame.data).map_err(unknown)?;
                    if self.wanted.takes_refusal(&refused) {
                        self.ready.push_back(Came::Refusal(refused));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Open, Failure> {
        let headers = [
            (HeaderName::from_static("last-event-id"), self.id.clone()),
            (header::ACCEPT, "text/event-stream".to_owned()),
        ];
        let path = format!("/api/v1/stream{}", self.wanted.query());
        let (wire, body) = self.client.stream(Method::GET, &path, &headers).await?;
        Ok(Open { _wire: wire, body, frames: Frames::default(), placed: false })
    }
}
