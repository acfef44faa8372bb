//! Where events are delivered to: it answers 200 to everything, counts, and lives beside the load, so that what it costs
//! is not on the server's bill.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::bail;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// A running destination; it ends with this value.
#[derive(Debug)]
pub(crate) struct Sink {
    address: SocketAddr,
    taken: Arc<AtomicU64>,
    _accepting: JoinSet<()>,
}

impl Sink {
    pub(crate) async fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, taken) = (listener.local_addr()?, Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&taken);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(answer(stream, Arc::clone(&count)));
            }
        });
        Ok(Self { address, taken, _accepting: accepting })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Waits until it has taken so many, and as long as more keep coming.
    pub(crate) async fn has_taken(&self, count: u64) -> anyhow::Result<()> {
        let (mut seen, mut since) = (self.taken(), Instant::now());
        while self.taken() < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if self.taken() > seen {
                (seen, since) = (self.taken(), Instant::now());
            } else if since.elapsed() > Duration::from_secs(20) {
                bail!("{seen} of {count} events were delivered");
            }
        }
        Ok(())
    }
}

/// One connection: as many requests as come, each with a `content-length`.
async fn answer(mut stream: TcpStream, count: Arc<AtomicU64>) {
    let mut buffer: Vec<u8> = Vec::with_capacity(16 << 10);
    loop {
        match crate::load::message_length(&buffer) {
            Ok(Some(length)) if buffer.len() >= length => {
                buffer.drain(..length);
                count.fetch_add(1, Ordering::Relaxed);
                if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.is_err() {
                    return;
                }
            }
            Ok(_) => match stream.read_buf(&mut buffer).await {
                Ok(1..) => {}
                _ => return,
            },
            Err(_) => return,
        }
    }
}
