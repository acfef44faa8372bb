//! Floods: of HTTP/2 frames, and of HTTP/1 requests that are refused, one kind after the other, beside a good client. Each attacker comes back as soon as it is
//! thrown out.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep, timeout};

use crate::campaign::Campaign;
use crate::http::signed_with;
use crate::latency::{Asks, Client, Waits};
use crate::process;

/// The kinds of floods.
pub const KINDS: [&str; 8] = [
    "rapid reset",
    "CONTINUATION",
    "PING",
    "SETTINGS",
    "empty DATA",
    "WINDOW_UPDATE of nothing",
    "PRIORITY",
    "a header table that explodes",
];

/// Floods that need no second version of HTTP.
pub const PLAIN: [&str; 2] = ["refusals", "forged bodies of 1 MB"];

/// What was seen of one kind.
#[derive(Debug)]
pub struct Flooded {
    /// Which.
    pub kind: &'static str,
    /// A good client, meanwhile.
    pub good: Waits,
    /// How much resident memory grew, in megabytes.
    pub growth: f64,
    /// How often an attacker was thrown out.
    pub thrown_out: usize,
}

/// Attackers at once.
const ATTACKERS: usize = 50;

/// Floods it with each kind, for so long.
///
/// # Errors
/// When the harness cannot do its work.
pub fn run(
    binary: &Path,
    kinds: &[&'static str],
    length: Duration,
    seed: u64,
) -> anyhow::Result<Vec<Flooded>> {
    let mut campaign = Campaign::new(binary, None, seed)?;
    campaign.server.start()?;
    let (ingress, pid) = (campaign.server.ingress, campaign.server.pid()?);
    // Whatever a first flood makes the server set up once belongs to no kind.
    Client::run(ingress, Asks::Events, Duration::from_millis(500))?;
    let mut seen = Vec::new();
    for kind in kinds.iter().copied() {
        let before = process::resident(pid)?;
        let runtime = Runtime::new()?;
        let (over, thrown_out) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (opening, frames): (_, Arc<[u8]>) = (opening(kind), frames(kind).into());
        for _ in 0..ATTACKERS {
            let (over, thrown_out, frames, opening) =
                (Arc::clone(&over), Arc::clone(&thrown_out), Arc::clone(&frames), opening.clone());
            drop(runtime.spawn(async move {
                while !over.load(Ordering::SeqCst) {
                    if attack(ingress, &opening, &frames).await.is_ok() {
                        thrown_out.fetch_add(1, Ordering::SeqCst);
                    }
                    sleep(Duration::from_millis(10)).await;
                }
            }));
        }
        let good = Client::start(ingress, Asks::Events);
        let mut most = before;
        let end = Instant::now() + length;
        while Instant::now() < end {
            most = most.max(process::resident(pid)?);
            std::thread::sleep(Duration::from_millis(50));
        }
        let good = good.end()?;
        over.store(true, Ordering::SeqCst);
        runtime.shutdown_background();
        let thrown_out = thrown_out.load(Ordering::SeqCst);
        seen.push(Flooded { kind, good, growth: most - before, thrown_out });
    }
    campaign.server.kill();
    Ok(seen)
}

/// Sends frames until the server has had enough. It reads what comes back, a little.
async fn attack(ingress: SocketAddr, opening: &[u8], frames: &[u8]) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(ingress).await?;
    stream.write_all(opening).await?;
    let mut buffer = [0; 4096];
    loop {
        match timeout(Duration::from_secs(30), stream.write_all(frames)).await {
            Ok(Ok(())) => {}
            // Refused, or not read any more.
            _ => return Ok(()),
        }
        if let Ok(Ok(0) | Err(_)) = timeout(Duration::from_millis(1), stream.read(&mut buffer)).await {
            return Ok(());
        }
    }
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

/// `GET /` by the static table of RFC 7541, and a `:authority` that is spelled out.
const REQUEST: [u8; 6] = [0x82, 0x84, 0x86, 0x41, 0x01, b'h'];

/// A frame of RFC 9113 section 4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    let mut frame = vec![a, b, c, kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// How a connection begins.
fn opening(kind: &str) -> Vec<u8> {
    if PLAIN.contains(&kind) {
        return Vec::new();
    }
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(SETTINGS, 0, 0, b"")].concat()
}

/// A piece of a flood, which is sent again and again.
fn frames(kind: &str) -> Vec<u8> {
    let streams = || (0..500_u32).map(|number| number * 2 + 1);
    match kind {
        "rapid reset" => streams()
            .flat_map(|id| {
                [frame(HEADERS, 5, id, &REQUEST), frame(RST_STREAM, 0, id, &8_u32.to_be_bytes())].concat()
            })
            .collect(),
        "CONTINUATION" => {
            let more = frame(CONTINUATION, 0, 1, &[b'\0', 1, b'a', 1, b'b'].repeat(200));
            [frame(HEADERS, 1, 1, &REQUEST), more.repeat(100)].concat()
        }
        "PING" => frame(PING, 0, 0, b"floodflo").repeat(1_000),
        "SETTINGS" => frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]).repeat(1_000),
        "empty DATA" => [frame(HEADERS, 4, 1, &REQUEST), frame(DATA, 0, 1, b"").repeat(2_000)].concat(),
        "WINDOW_UPDATE of nothing" => streams()
            .flat_map(|id| [frame(HEADERS, 5, id, &REQUEST), frame(WINDOW_UPDATE, 0, id, &[0; 4])].concat())
            .collect(),
        "refusals" => signed_with("the secret of somebody else", b"{}").repeat(100),
        "forged bodies of 1 MB" => signed_with("the secret of somebody else", &vec![b'x'; 1_000_000]),
        "PRIORITY" => streams().flat_map(|id| frame(PRIORITY, 0, id, &[0, 0, 0, 0, 16])).collect(),
        // One long field goes into the table, then every byte names it again.
        _ => {
            let mut block = REQUEST.to_vec();
            block.extend_from_slice(&[0x40, 1, b'x', 0x7f, 0x81, 0x1e]);
            block.extend_from_slice(&[b'y'; 4_000]);
            block.extend_from_slice(&[0xbe; 12_000]);
            streams().take(50).flat_map(|id| frame(HEADERS, 5, id, &block)).collect()
        }
    }
}
