//! The load: a closed loop over keep-alive connections, each sending its next request when the last was answered; or an
//! open one, which sends so many a second whatever becomes of them.
//!
//! Requests are complete before the clock starts, and answers are only scanned for their status and length: a general
//! HTTP client would take as much CPU as the server it measures.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, bail};
use data_encoding::BASE64;
use hookhouse_emulator::{Fixture, Sender};
use hookhouse_verify::Secret;
use hookhouse_verify::sign::Signer;
use hookhouse_verify::twilio::Algorithm;
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Traffic {
    /// Activity of X, as JSON.
    X,
    /// Challenges of X, unsigned, each with a token of its own.
    Challenges,
    /// Calls of Twilio, as forms.
    Calls,
}

impl Traffic {
    pub(crate) const SECRET: &str = "a secret for benchmarks, shared by both sides";

    /// Where it is sent.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::X | Self::Challenges => "/webhooks/x",
            Self::Calls => "/webhooks/calls",
        }
    }

    fn signer(self) -> Signer {
        match self {
            Self::X | Self::Challenges => Signer::X,
            Self::Calls => Signer::Twilio { algorithm: Algorithm::HmacSha1, shared_key: None },
        }
    }

    fn fixture(self) -> Option<&'static Fixture> {
        match self {
            Self::X | Self::Challenges => Fixture::find("x", "tweet_create_events"),
            Self::Calls => Fixture::find("twilio", "call.incoming"),
        }
    }
}

/// Makes events that differ from all that were made before.
#[derive(Debug)]
pub(crate) struct Events {
    traffic: Traffic,
    fixture: &'static Fixture,
    sender: Sender,
    now: Timestamp,
    rng: StdRng,
}

impl Events {
    /// The host that everything is signed for.
    pub(crate) const PUBLIC_URL: &str = "http://127.0.0.1";

    pub(crate) fn of(traffic: Traffic) -> anyhow::Result<Self> {
        let sender = Sender::new(&format!("{}{}", Self::PUBLIC_URL, traffic.path()))?
            .signed_by(traffic.signer(), Secret::new(Traffic::SECRET)?);
        let fixture = traffic.fixture().context("no such fixture")?;
        Ok(Self {
            traffic,
            fixture,
            sender,
            now: "2026-11-22T00:00:00Z".parse()?,
            rng: StdRng::seed_from_u64(0),
        })
    }

    /// The next events, signed and written out as HTTP/1.1 requests.
    pub(crate) fn take(&mut self, count: u32) -> anyhow::Result<Rc<Load>> {
        let mut load = Load { bytes: Vec::new(), ends: Vec::new() };
        for _ in 0..count {
            if self.traffic == Traffic::Challenges {
                load.push_challenge(
                    self.traffic.path(),
                    uuid::Builder::from_random_bytes(self.rng.random()).into_uuid(),
                );
                continue;
            }
            load.push(&self.next()?);
        }
        Ok(Rc::new(load))
    }

    /// The next event, signed, as a request.
    pub(crate) fn next(&mut self) -> anyhow::Result<http::Request<bytes::Bytes>> {
        // X's ids count milliseconds, so a millisecond each makes each one new. Twilio's are random.
        self.now += SignedDuration::from_millis(1);
        let event = self.fixture.render(self.now, &mut self.rng);
        Ok(self.sender.request(&event, self.now, None)?)
    }
}

/// Requests, one after the other.
#[derive(Debug)]
pub(crate) struct Load {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Load {
    fn push(&mut self, request: &http::Request<bytes::Bytes>) {
        self.bytes
            .extend_from_slice(format!("{} {} HTTP/1.1\r\n", request.method(), request.uri()).as_bytes());
        for (name, value) in request.headers() {
            self.bytes.extend_from_slice(name.as_ref());
            self.bytes.extend_from_slice(b": ");
            self.bytes.extend_from_slice(value.as_bytes());
            self.bytes.extend_from_slice(b"\r\n");
        }
        self.bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", request.body().len()).as_bytes());
        self.bytes.extend_from_slice(request.body());
        self.ends.push(self.bytes.len());
    }

    /// A challenge in X's form: the base64 of a UUID's text.
    fn push_challenge(&mut self, path: &str, uuid: uuid::Uuid) {
        let token = BASE64.encode(uuid.hyphenated().to_string().as_bytes());
        let head = format!(
            "GET {path}?crc_token={token}&nonce=MTc5NTMxODk2NjEyMw HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
        );
        self.bytes.extend_from_slice(head.as_bytes());
        self.ends.push(self.bytes.len());
    }

    fn request(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.bytes.get(start..end)
    }

    /// What a store keeps of the first request at least: body and header fields.
    pub(crate) fn kept_bytes(&self) -> usize {
        let request = self.request(0).unwrap_or_default();
        let line = request.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        request.len() - line
    }
}

/// How requests follow each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Keep-alive connections, each with one request on its way.
    pub(crate) connections: u16,
    /// How long a connection rests between an answer and its next request.
    pub(crate) pause: Duration,
    /// How many requests are sent a second, however fast they are answered; `None` for as many as are answered.
    pub(crate) rate: Option<f64>,
}

impl Pace {
    /// As many requests as are answered, one on its way on each connection.
    pub(crate) fn closed(connections: u16) -> Self {
        Self { connections, pause: Duration::ZERO, rate: None }
    }
}

/// What one round showed.
#[derive(Debug)]
pub(crate) struct Measured {
    /// Answered requests per second.
    pub(crate) per_second: f64,
    /// Half of the answers came within this.
    pub(crate) p50: Duration,
    /// All but one in a hundred came within this.
    pub(crate) p99: Duration,
    /// All but one in a thousand came within this.
    pub(crate) p999: Duration,
    /// Requests that were answered.
    pub(crate) count: usize,
    /// Answers other than 200.
    pub(crate) refused: usize,
}

/// Sends every request once.
pub(crate) async fn run(address: SocketAddr, load: &Rc<Load>, pace: Pace) -> anyhow::Result<Measured> {
    let mut streams = Vec::new();
    for _ in 0..pace.connections {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let next = Rc::new(Cell::new(0));
    let mut loops = JoinSet::new();
    let local = LocalSet::new();
    let started = Instant::now();
    for stream in streams {
        loops.spawn_local_on(keep_sending(stream, Rc::clone(load), Rc::clone(&next), pace, started), &local);
    }
    let mut latencies = Vec::with_capacity(load.ends.len());
    let mut refused = 0;
    local
        .run_until(async {
            while let Some(ended) = loops.join_next().await {
                let (mut own, bad) = ended??;
                latencies.append(&mut own);
                refused += bad;
            }
            anyhow::Ok(())
        })
        .await?;
    let took = started.elapsed();
    latencies.sort_unstable();
    let at = |thousandth: usize| latencies.get(latencies.len() * thousandth / 1_000).copied();
    let within = |thousandth| at(thousandth).unwrap_or_default();
    Ok(Measured {
        per_second: latencies.len() as f64 / took.as_secs_f64(),
        p50: within(500),
        p99: within(990),
        p999: within(999),
        count: latencies.len(),
        refused,
    })
}

/// One connection: takes the next request that nobody has taken, until there is none.
async fn keep_sending(
    mut stream: TcpStream,
    load: Rc<Load>,
    next: Rc<Cell<usize>>,
    pace: Pace,
    started: Instant,
) -> anyhow::Result<(Vec<Duration>, usize)> {
    let (mut latencies, mut refused) = (Vec::new(), 0);
    let mut buffer = Vec::with_capacity(4096);
    loop {
        let index = next.replace(next.get() + 1);
        let Some(request) = load.request(index) else { break };
        let due = pace.rate.map(|rate| started + Duration::from_secs_f64(index as f64 / rate));
        let late = due.filter(|due| *due <= Instant::now());
        if let (Some(due), None) = (due, late) {
            tokio::time::sleep_until(due).await;
        }
        // Who has to wait for a connection has waited all the same.
        let sent = late.unwrap_or_else(Instant::now);
        stream.write_all(request).await?;
        buffer.clear();
        let whole = loop {
            if stream.read_buf(&mut buffer).await? == 0 {
                bail!("the server closed the connection instead of answering");
            }
            if let Some(whole) = message_length(&buffer)? {
                break whole;
            }
        };
        while buffer.len() < whole {
            if stream.read_buf(&mut buffer).await? == 0 {
                bail!("the server closed the connection inside an answer");
            }
        }
        latencies.push(sent.elapsed());
        refused += usize::from(!buffer.starts_with(b"HTTP/1.1 200 "));
        if !pace.pause.is_zero() {
            tokio::time::sleep(pace.pause).await;
        }
    }
    Ok((latencies, refused))
}

/// How long a message is, head and body, once its head is there.
pub(crate) fn message_length(received: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    const NAME: &[u8] = b"content-length:";
    let head = received.get(..end).unwrap_or_default();
    let field = head.split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(NAME.len())?;
        name.eq_ignore_ascii_case(NAME).then_some(value)
    });
    let length = std::str::from_utf8(field.context("no content-length")?)?;
    Ok(Some(end + 4 + length.trim().parse::<usize>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_events_are_alike() {
        for traffic in [Traffic::X, Traffic::Calls, Traffic::Challenges] {
            let mut events = Events::of(traffic).unwrap();
            let (one, two) = (events.take(50).unwrap(), events.take(50).unwrap());
            let requests = |load: &Load| {
                let request = |i| load.request(i).map(<[u8]>::to_vec);
                (0..).map_while(request).collect::<Vec<_>>()
            };
            let mut all = [requests(&one), requests(&two)].concat();
            all.sort();
            all.dedup();
            assert_eq!(all.len(), 100, "{traffic:?}");
        }
    }

    #[test]
    fn an_answer_is_as_long_as_its_head_says() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        assert_eq!(message_length(answer).unwrap(), Some(answer.len()));
        assert_eq!(message_length(&answer[..30]).unwrap(), None);
    }
}
