//! The PROXY protocol, versions 1 and 2: who the client of a TCP proxy is, told before the client's first byte.
//!
//! Source of the rules: "The PROXY protocol, versions 1 & 2" (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>),
//! read 2026-11-22. A listener either requires the preamble, of trusted proxies alone, or knows none: whoever could
//! choose whether to send one could choose who they are.
//!
//! Not a byte behind the preamble is read, so that TLS or HTTP finds the rest where it began. No preamble that is
//! allowed is shorter than 15 bytes; from there on only what must still come is asked for.
//!
//! Stricter than the document has to be, because the rest has no use here: at most 4 KiB behind the head of version 2,
//! every extension (TLV) well-formed, and TCP over IPv4 and IPv6 as the only things proxied. `LOCAL` is the proxy's own
//! connection (a health check) and its block is not looked at; `UNKNOWN` and `AF_UNSPEC` mean that the proxy cannot tell.
//!
//! The crate `proxy-header` is the tests' counterpart and not the parser: it takes a line of any length, `+1` and `002`
//! for ports, any byte after `PROXY`, `UNKNOWNxyz`, datagrams and `AF_UNIX`, refuses a `LOCAL` with a family, and leaves
//! TLVs and their checksum to its caller. With all that checked around it nothing would be left for it to do.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, timeout_at};

use super::forwarded::Trust;

mod crc32c;
mod v1;
mod v2;

#[cfg(test)]
mod tests;

/// How long a peer may take for its preamble.
pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// The code of every refusal, for the log.
pub(crate) const CODE: &str = "proxy.protocol";

/// The length of `PROXY UNKNOWN` with its line end: no preamble is shorter.
const SHORTEST: usize = 15;

/// Why a connection is closed without a word.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyRefused {
    /// The peer may not speak for others.
    #[error(
        "`proxy_protocol = true` in [server] requires a PROXY preamble of a trusted proxy, and the peer is on no network \
         of `trusted_proxies`: add it there if it is your proxy"
    )]
    Untrusted,
    /// Closed without a byte, as port scans and plain TCP health checks do.
    #[error("the peer closed the connection before the first byte")]
    Silent,
    /// Something else came.
    #[error(
        "`proxy_protocol = true` in [server] requires a PROXY preamble, and the peer sent something else: let the proxy \
         send one, or set `proxy_protocol = false`"
    )]
    Missing,
    /// There is one, and none was expected.
    #[error(
        "the peer sent a PROXY preamble, and `proxy_protocol` is off: let the proxy send none, or set \
         `proxy_protocol = true`"
    )]
    Unexpected,
    /// The end came early.
    #[error("the PROXY preamble is cut off")]
    CutOff,
    /// It did not come in time.
    #[error("the PROXY preamble did not come in time")]
    Late,
    /// It has no end, or announces a late one.
    #[error("the PROXY preamble is longer than {most} bytes")]
    TooLong {
        /// How long one may be.
        most: usize,
    },
    /// It is not of the form it has to be.
    #[error("the PROXY preamble is malformed: {0}")]
    Malformed(&'static str),
    /// What it speaks of is not TCP over IP.
    #[error("the PROXY preamble is about {0}; TCP over IPv4 and IPv6 is taken")]
    Family(&'static str),
    /// Its checksum is another's.
    #[error("the checksum of the PROXY preamble is wrong")]
    Checksum,
    /// The connection failed.
    #[error("the connection failed")]
    Io(#[source] io::Error),
}

impl ProxyRefused {
    /// Whether the peer said something: port scans and plain TCP health checks do not, and are not worth a record.
    pub(crate) fn is_worth_a_record(&self) -> bool {
        !matches!(self, Self::Silent | Self::Io(_))
    }
}

/// Whom a connection is from, on a listener that requires the preamble: the client that the proxy names, or the proxy
/// where it speaks for itself. `peer` is the other end of the socket.
///
/// # Errors
/// [`ProxyRefused`]: close the connection and send nothing.
pub(crate) async fn accept<IO>(
    io: &mut IO,
    peer: SocketAddr,
    trust: &Trust,
    deadline: Instant,
) -> Result<SocketAddr, ProxyRefused>
where
    IO: AsyncRead + Unpin,
{
    if !trust.trusts(peer.ip()) {
        return Err(ProxyRefused::Untrusted);
    }
    Ok(canonical(read(io, deadline).await?.unwrap_or(peer)))
}

/// Reads a preamble and nothing else. `None` where the proxy names no client: it speaks for itself (`LOCAL`), or cannot
/// tell (`UNKNOWN`, `AF_UNSPEC`).
///
/// # Errors
/// [`ProxyRefused`]: close the connection and send nothing. Some of the input may have been read.
pub(crate) async fn read<IO>(io: &mut IO, deadline: Instant) -> Result<Option<SocketAddr>, ProxyRefused>
where
    IO: AsyncRead + Unpin,
{
    let client = timeout_at(deadline, read_preamble(io)).await.map_err(|_| ProxyRefused::Late)??;
    Ok(client.map(canonical))
}

/// Whether the first bytes of a connection are a preamble. A listener that knows none closes such a connection without
/// a word: HTTP's complaint would tell a proxy's client what is behind it, and the bytes mean nothing else.
pub(crate) fn is_preamble(first: &[u8]) -> bool {
    [&b"PROXY TCP"[..], b"PROXY UNKNOWN", v2::SIGNATURE].iter().any(|begin| first.starts_with(begin))
}

pub(super) async fn read_preamble<IO: AsyncRead + Unpin>(
    io: &mut IO,
) -> Result<Option<SocketAddr>, ProxyRefused> {
    let mut preamble = Vec::with_capacity(v1::LONGEST);
    while preamble.len() < SHORTEST {
        let missing = SHORTEST - preamble.len();
        more(io, &mut preamble, missing).await?;
        if !begins(&preamble, v1::SIGNATURE) && !begins(&preamble, v2::SIGNATURE) {
            return Err(ProxyRefused::Missing);
        }
    }
    if begins(&preamble, v1::SIGNATURE) {
        loop {
            match v1::missing(&preamble)? {
                0 => return v1::parse(&preamble),
                missing => more(io, &mut preamble, missing).await?,
            }
        }
    }
    loop {
        match v2::missing(&preamble)? {
            0 => return v2::parse(&preamble),
            missing => more(io, &mut preamble, missing).await?,
        }
    }
}

/// Whether two texts are the same as far as both go.
fn begins(read: &[u8], signature: &[u8]) -> bool {
    read.iter().zip(signature).all(|(a, b)| a == b)
}

/// Reads at least one byte and at most so many.
async fn more<IO: AsyncRead + Unpin>(
    io: &mut IO,
    into: &mut Vec<u8>,
    most: usize,
) -> Result<(), ProxyRefused> {
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    match io.take(most).read_buf(into).await {
        Ok(0) if into.is_empty() => Err(ProxyRefused::Silent),
        Ok(0) => Err(ProxyRefused::CutOff),
        Ok(_) => Ok(()),
        Err(error) => Err(ProxyRefused::Io(error)),
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
