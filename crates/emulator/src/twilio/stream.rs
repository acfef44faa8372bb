//! Media Streams: a WebSocket over which a call's audio goes to the application, and perhaps comes back
//! (<https://www.twilio.com/docs/voice/media-streams/websocket-messages>, read 2026-11-22).
//!
//! The caller is silent: every frame is 20 ms of mu-law silence. Marks come back as soon as they arrive, as if what was
//! sent before them had been played.

mod handshake;
mod messages;
mod tally;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::session::Session;
use super::story::{Finding, Step};
use super::twiml::Element;
use super::url::{Scheme, WebhookUrl};

use handshake::Io;
use messages::Messages;
use tally::{Heard, Tally};

/// Which way audio goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// `<Start><Stream>`: the application listens.
    Listens,
    /// `<Connect><Stream>`: it speaks, too.
    Speaks,
}

/// What a call tells about itself.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) account_sid: String,
    pub(super) call_sid: String,
    /// How many frames to send.
    pub(super) frames: u32,
}

/// Opens the stream of a `<Stream>`, exchanges frames, and closes it.
pub(super) async fn run(
    session: &mut Session<'_>,
    document: &WebhookUrl,
    noun: &Element,
    direction: Direction,
    call: &Call,
) {
    let Some(url) = url(session, document, noun) else { return };
    let io = match handshake::open(session, &url).await {
        Ok(io) => io,
        Err(finding) => return session.find(finding),
    };
    let parameters = parameters(noun);
    let messages = Messages::new(call, direction, noun.attribute("track"), &parameters, session.rng);
    session.tell(Step::StreamOpened {
        url: url.to_string(),
        stream_sid: messages.stream_sid().to_owned(),
        parameters,
    });
    let config = WebSocketConfig::default()
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE))
        .read_buffer_size(16 * 1024);
    let socket = WebSocketStream::from_raw_socket(io, Role::Client, Some(config)).await;
    let tally = Tally::new(messages.stream_sid(), direction);
    let quiet = if direction == Direction::Speaks { QUIET } else { Duration::ZERO };
    let mut talk = Talk { socket, messages, tally, frames: call.frames, quiet };
    let limit = FRAME.saturating_mul(call.frames) + SPARE;
    let end = match tokio::time::timeout(limit, talk.through(session)).await {
        Ok(Ok(end)) => end,
        Ok(Err(error)) => {
            let cut = matches!(
                error,
                Error::Io(_)
                    | Error::ConnectionClosed
                    | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
            );
            session
                .find(Finding::error(if cut { 31903 } else { 31924 }, format!("the stream broke: {error}.")));
            "it broke".to_owned()
        }
        Err(_) => {
            session.find(Finding::notice("the application does not read what comes over the stream."));
            "it took too long".to_owned()
        }
    };
    let closed = talk.tally.closed(end);
    session.tell(closed);
}

/// The URL of a `<Stream>`, as far as Twilio would open it.
fn url(session: &mut Session<'_>, document: &WebhookUrl, noun: &Element) -> Option<WebhookUrl> {
    let written = noun.attribute("url").unwrap_or_default();
    let mut url = match document.resolve(written) {
        Ok(url) if !written.is_empty() => url,
        _ => {
            session.find(Finding::error(11100, "<Stream> has no `url`, or one that is no URL."));
            return None;
        }
    };
    if !written.contains("://") {
        url = url.for_websocket();
    }
    match url.scheme() {
        Scheme::Wss => {}
        Scheme::Ws => session.find(Finding::notice(
            "the stream's URL is ws://, which is for development alone: Twilio opens nothing but wss://.",
        )),
        Scheme::Http | Scheme::Https => {
            session.find(Finding::error(31910, "the stream's URL is not wss://."));
            return None;
        }
    }
    if url.has_query() {
        session.find(Finding::warning(
            31920,
            "the stream's URL has a query, which Twilio does not send: use <Parameter> instead.",
        ));
        url = url.without_query();
    }
    Some(url)
}

fn parameters(noun: &Element) -> Vec<(String, String)> {
    let parameters = noun.children.iter().filter(|child| child.name == "Parameter");
    let value = |element: &Element, name| element.attribute(name).unwrap_or_default().to_owned();
    parameters.map(|parameter| (value(parameter, "name"), value(parameter, "value"))).collect()
}

/// A stream under way.
struct Talk {
    socket: WebSocketStream<Io>,
    messages: Messages,
    tally: Tally,
    frames: u32,
    /// How long the application may say nothing after the last frame.
    quiet: Duration,
}

impl Talk {
    /// From `connected` to the end; says who ended it.
    async fn through(&mut self, session: &mut Session<'_>) -> Result<String, Error> {
        for message in [Messages::connected(), self.messages.start()] {
            self.socket.send(Message::text(message)).await?;
        }
        let mut clock = tokio::time::interval(FRAME);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Once everything is said, the other side has a while to answer; each answer gives it a new one, up to a point.
        let mut quiet_until = None;
        let mut over = Instant::now();
        loop {
            let patience = quiet_until.unwrap_or_else(|| Instant::now() + SPARE);
            tokio::select! {
                _ = clock.tick(), if quiet_until.is_none() => {
                    if self.tally.sent_media >= self.frames {
                        over = Instant::now() + LONGEST_ANSWER;
                        quiet_until = Some(Instant::now() + self.quiet);
                        continue;
                    }
                    let frame = self.messages.media(self.tally.sent_media);
                    self.socket.send(Message::text(frame)).await?;
                    self.tally.sent_media += 1;
                }
                incoming = self.socket.next() => {
                    let Some(incoming) = incoming else { return Ok("the application closed it".to_owned()) };
                    if !self.hear(incoming?, session).await? {
                        return Ok("the application closed it".to_owned());
                    }
                    quiet_until = quiet_until.map(|_| over.min(Instant::now() + self.quiet));
                }
                () = tokio::time::sleep_until(patience), if quiet_until.is_some() => break,
            }
        }
        self.socket.send(Message::text(self.messages.stop())).await?;
        self.socket.close(None).await?;
        let _ = tokio::time::timeout(CLOSING, async {
            // What was on its way is counted; how the other side closes does not matter any more.
            while let Some(Ok(message)) = self.socket.next().await {
                self.tally.hear(&message);
            }
        })
        .await;
        for finding in self.tally.findings() {
            session.find(finding);
        }
        Ok("Twilio stopped it".to_owned())
    }

    /// Takes a message, and sends a mark back; `false` when it was the last one.
    async fn hear(&mut self, message: Message, session: &mut Session<'_>) -> Result<bool, Error> {
        if matches!(message, Message::Close(_)) {
            return Ok(false);
        }
        match self.tally.hear(&message) {
            Heard::Mark(name) => {
                if self.tally.received_marks <= MOST_SHOWN {
                    session.tell(Step::StreamEvent { event: "mark", name: Some(name.clone()) });
                }
                self.socket.send(Message::text(self.messages.mark(&name))).await?;
                self.tally.sent_marks += 1;
            }
            Heard::Clear if self.tally.received_clears <= MOST_SHOWN => {
                session.tell(Step::StreamEvent { event: "clear", name: None });
            }
            Heard::Clear | Heard::Other => {}
        }
        for finding in self.tally.findings() {
            session.find(finding);
        }
        Ok(true)
    }
}

/// How much audio is in a frame.
const FRAME: Duration = Duration::from_millis(20);
/// How long an application that may speak can say nothing after the last frame before the stream is stopped.
const QUIET: Duration = Duration::from_secs(1);
/// How long an application may speak after the last frame.
const LONGEST_ANSWER: Duration = Duration::from_secs(10);
/// How long it may take to close.
const CLOSING: Duration = Duration::from_secs(5);
/// How long a stream may last beyond its frames.
const SPARE: Duration = Duration::from_secs(30);
/// Far more than a message of Media Streams has: a minute of audio in base64.
const LARGEST_MESSAGE: usize = 1 << 20;
/// How many marks and clears are shown one by one.
const MOST_SHOWN: u32 = 20;
