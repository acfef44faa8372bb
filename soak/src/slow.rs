//! Ten thousand clients that dawdle in every phase of a request, from as many addresses as it takes, beside a good one.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep};

use crate::campaign::Campaign;
use crate::latency::{Asks, Client, Waits};
use crate::process;
use crate::server::PATH;

/// What was seen.
#[derive(Debug)]
pub struct Slowed {
    /// Dawdlers that were connected at once, at the most.
    pub connected: usize,
    /// Events of a good client, before.
    pub quiet: Waits,
    /// Events of a good client, meanwhile.
    pub events: Waits,
    /// Challenges, meanwhile.
    pub challenges: Waits,
    /// Resident memory of the server, meanwhile, in megabytes.
    pub resident: f64,
    /// Seconds until the last one was shown the door, after the last came in.
    pub gone_after: f64,
}

/// Connections that one address may have, and then some to spare.
const PER_ADDRESS: usize = 250;

/// The longest that the server lets anybody dawdle: an idle connection, 60 s.
const LONGEST: Duration = Duration::from_secs(70);

/// Dawdles with so many connections while a good client asks for so long.
///
/// # Errors
/// When the machine does not have as many connections.
pub fn run(binary: &Path, clients: usize, length: Duration, seed: u64) -> anyhow::Result<Slowed> {
    // Each of the two processes holds one end of every connection.
    process::allow_descriptors(u32::try_from(clients)? + 4_000)?;
    let mut campaign = Campaign::new(binary, None, seed)?;
    campaign.server.start()?;
    let (ingress, pid) = (campaign.server.ingress, campaign.server.pid()?);
    let quiet = Client::run(ingress, Asks::Events, length / 2)?;

    let runtime = Runtime::new()?;
    let (over, connected) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    for number in 0..clients {
        let (over, connected) = (Arc::clone(&over), Arc::clone(&connected));
        drop(runtime.spawn(keep_dawdling(ingress, number, over, connected)));
    }
    let until = Instant::now() + Duration::from_secs(60);
    while connected.load(Ordering::SeqCst) < clients * 9 / 10 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    let (events, challenges) =
        (Client::start(ingress, Asks::Events), Client::start(ingress, Asks::Challenges));
    let mut most = 0;
    let mut resident = 0_f64;
    let end = Instant::now() + length;
    while Instant::now() < end {
        most = most.max(connected.load(Ordering::SeqCst));
        resident = resident.max(process::resident(pid)?);
        std::thread::sleep(Duration::from_millis(100));
    }
    let (events, challenges) = (events.end()?, challenges.end()?);
    over.store(true, Ordering::SeqCst);
    let last = Instant::now();
    while connected.load(Ordering::SeqCst) > 0 && last.elapsed() < LONGEST {
        std::thread::sleep(Duration::from_millis(50));
    }
    let gone_after = last.elapsed().as_secs_f64();
    runtime.shutdown_background();
    campaign.server.kill();
    Ok(Slowed { connected: most, quiet, events, challenges, resident, gone_after })
}

/// One client: it dawdles until it is shown the door, and comes back.
async fn keep_dawdling(
    ingress: SocketAddr,
    number: usize,
    over: Arc<AtomicBool>,
    connected: Arc<AtomicUsize>,
) {
    // Not all at the same moment.
    sleep(Duration::from_micros(500) * u32::try_from(number).unwrap_or(0)).await;
    while !over.load(Ordering::SeqCst) {
        match connect(ingress, number).await {
            Ok(mut stream) => {
                connected.fetch_add(1, Ordering::SeqCst);
                // However it ends, it has ended.
                drop(dawdle(&mut stream, number).await);
                connected.fetch_sub(1, Ordering::SeqCst);
            }
            Err(_) => sleep(Duration::from_millis(200)).await,
        }
    }
}

async fn connect(ingress: SocketAddr, number: usize) -> anyhow::Result<TcpStream> {
    let group = u16::try_from(number / PER_ADDRESS).context("so many addresses there are not")?;
    let [high, low] = (group + 1).to_be_bytes();
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 77, high, low), 0)))?;
    Ok(socket.connect(ingress).await?)
}

/// One of four ways to take one's time, until the server has had enough.
async fn dawdle(stream: &mut TcpStream, number: usize) -> anyhow::Result<()> {
    let opening = match number % 4 {
        0 => String::new(),
        1 => format!("POST {PATH} HTTP/1.1\r\nHost: h\r\nX-Slow: "),
        2 => format!("POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n{{"),
        _ => format!("GET {PATH}?crc_token=slow HTTP/1.1\r\nHost: h\r\n\r\n"),
    };
    stream.write_all(opening.as_bytes()).await?;
    let mut buffer = [0; 1024];
    let drips = matches!(number % 4, 1 | 2);
    loop {
        tokio::select! {
            read = stream.read(&mut buffer) => if read? == 0 { return Ok(()) },
            () = sleep(Duration::from_secs(1)), if drips => stream.write_all(b"x").await?,
        }
    }
}
