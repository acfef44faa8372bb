//! The load: a closed loop over keep-alive connections, each sending its next request when the last was answered.
//!
//! Requests are complete before the clock starts, and answers are only scanned for their status and length: a general
//! HTTP client would take as much CPU as the server it measures.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, bail};
use hookhouse_emulator::{Fixture, Sender};
use hookhouse_verify::Secret;
use hookhouse_verify::sign::Signer;
use hookhouse_verify::twilio::Algorithm;
use jiff::{SignedDuration, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

use crate::contender::Contender;

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Traffic {
    /// Activity of X, as JSON.
    X,
    /// Calls of Twilio, as forms.
    Calls,
}

impl Traffic {
    pub(crate) const SECRET: &str = "a secret for benchmarks, shared by both sides";

    /// Where it is sent.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::X => "/webhooks/x",
            Self::Calls => "/webhooks/calls",
        }
    }

    fn signer(self) -> Signer {
        match self {
            Self::X => Signer::X,
            Self::Calls => Signer::Twilio { algorithm: Algorithm::HmacSha1, shared_key: None },
        }
    }

    fn fixture(self) -> Option<&'static Fixture> {
        match self {
            Self::X => Fixture::find("x", "tweet_create_events"),
            Self::Calls => Fixture::find("twilio", "call.incoming"),
        }
    }
}

/// Makes events that differ from all that were made before.
#[derive(Debug)]
pub(crate) struct Events {
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
        Ok(Self { fixture, sender, now: "2026-11-22T00:00:00Z".parse()?, rng: StdRng::seed_from_u64(0) })
    }

    /// The next events, signed and written out as HTTP/1.1 requests.
    pub(crate) fn take(&mut self, count: u32) -> anyhow::Result<Rc<Load>> {
        let mut load = Load { bytes: Vec::new(), ends: Vec::new(), body_bytes: 0 };
        for _ in 0..count {
            // X's ids count milliseconds, so a millisecond each makes each one new. Twilio's are random.
            self.now += SignedDuration::from_millis(1);
            let event = self.fixture.render(self.now, &mut self.rng);
            load.push(&self.sender.request(&event, self.now, None)?);
        }
        Ok(Rc::new(load))
    }
}

/// Requests, one after the other.
#[derive(Debug)]
pub(crate) struct Load {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    body_bytes: usize,
}

impl Load {
    fn push(&mut self, request: &http::Request<bytes::Bytes>) {
        self.body_bytes = request.body().len();
        self.bytes
            .extend_from_slice(format!("{} {} HTTP/1.1\r\n", request.method(), request.uri()).as_bytes());
        for (name, value) in request.headers() {
            self.bytes.extend_from_slice(name.as_ref());
            self.bytes.extend_from_slice(b": ");
            self.bytes.extend_from_slice(value.as_bytes());
            self.bytes.extend_from_slice(b"\r\n");
        }
        self.bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", self.body_bytes).as_bytes());
        self.bytes.extend_from_slice(request.body());
        self.ends.push(self.bytes.len());
    }

    fn request(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.bytes.get(start..end)
    }

    pub(crate) fn body_bytes(&self) -> usize {
        self.body_bytes
    }
}

/// How requests follow each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Keep-alive connections, each with one request on its way.
    pub(crate) connections: u16,
    /// How long a connection rests between an answer and its next request.
    pub(crate) pause: Duration,
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
        loops.spawn_local_on(keep_sending(stream, Rc::clone(load), Rc::clone(&next), pace.pause), &local);
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
    let at = |percent: usize| latencies.get(latencies.len() * percent / 100).copied().unwrap_or_default();
    Ok(Measured {
        per_second: latencies.len() as f64 / took.as_secs_f64(),
        p50: at(50),
        p99: at(99),
        refused,
    })
}

/// Sends every request once to each of two contenders, one after the other. Who goes first alternates: whatever the
/// first one leaves behind must not always hit the same one.
pub(crate) async fn in_turn(
    round: u32,
    contenders: [&Contender; 2],
    load: &Rc<Load>,
    pace: Pace,
) -> anyhow::Result<[Measured; 2]> {
    let measure = async |contender: &Contender| {
        let measured = run(contender.address(), load, pace).await?;
        anyhow::ensure!(
            measured.refused == 0,
            "{} answered {} requests otherwise than 200",
            contender.name(),
            measured.refused
        );
        anyhow::Ok(measured)
    };
    let [one, other] = contenders;
    if round % 2 == 1 {
        let first = measure(one).await?;
        Ok([first, measure(other).await?])
    } else {
        let first = measure(other).await?;
        Ok([measure(one).await?, first])
    }
}

/// One connection: takes the next request that nobody has taken, until there is none.
async fn keep_sending(
    mut stream: TcpStream,
    load: Rc<Load>,
    next: Rc<Cell<usize>>,
    pause: Duration,
) -> anyhow::Result<(Vec<Duration>, usize)> {
    let (mut latencies, mut refused) = (Vec::new(), 0);
    let mut buffer = Vec::with_capacity(4096);
    while let Some(request) = load.request(next.replace(next.get() + 1)) {
        let sent = Instant::now();
        stream.write_all(request).await?;
        buffer.clear();
        let whole = loop {
            if stream.read_buf(&mut buffer).await? == 0 {
                bail!("the server closed the connection instead of answering");
            }
            if let Some(whole) = answer_length(&buffer)? {
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
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
    Ok((latencies, refused))
}

/// How long an answer is, once its head is there.
fn answer_length(received: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&received[..end]).to_ascii_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length:")).context("no content-length")?;
    Ok(Some(end + 4 + length.trim().parse::<usize>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_events_are_alike() {
        for traffic in [Traffic::X, Traffic::Calls] {
            let mut events = Events::of(traffic).unwrap();
            let (one, two) = (events.take(50).unwrap(), events.take(50).unwrap());
            let bodies = |load: &Load| {
                let body = |i| load.request(i).map(|r| r[r.len() - load.body_bytes..].to_vec());
                (0..).map_while(body).collect::<Vec<_>>()
            };
            let mut all = [bodies(&one), bodies(&two)].concat();
            all.sort();
            all.dedup();
            assert_eq!(all.len(), 100, "{traffic:?}");
        }
    }

    #[test]
    fn an_answer_is_as_long_as_its_head_says() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        assert_eq!(answer_length(answer).unwrap(), Some(answer.len()));
        assert_eq!(answer_length(&answer[..30]).unwrap(), None);
    }
}
