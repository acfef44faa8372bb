//! As much of an HTTP/1.1 client as the harness needs: it knows what it sends, and reads a status and a length.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hookhouse_verify::Secret;
use hookhouse_verify::x::sign_post;

use crate::server::{PATH, PATIENCE, SECRET};

/// A keep-alive connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The head, in lower case.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

/// How often a connection that waits looks whether it should go on waiting.
const LOOK: Duration = Duration::from_millis(20);

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect(address)?)
    }

    /// Speaks over a connection that stands.
    ///
    /// # Errors
    /// When the system refuses a time limit.
    pub fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LOOK))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// When the connection breaks, or there is no answer in time.
    pub fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request)?;
        self.read(None)
    }

    /// The same, until somebody says that nothing will come any more.
    ///
    /// # Errors
    /// When the connection breaks, there is no answer in time, or there will be none.
    pub fn exchange_unless(&mut self, request: &[u8], over: &AtomicBool) -> io::Result<Answer> {
        self.stream.write_all(request)?;
        self.read(Some(over))
    }

    fn read(&mut self, over: Option<&AtomicBool>) -> io::Result<Answer> {
        let mut looks = PATIENCE.as_millis() / LOOK.as_millis();
        loop {
            if let Some(answer) = self.take()? {
                return Ok(answer);
            }
            // Asked before the read: what arrived before the word is still read.
            let is_over = over.is_some_and(|over| over.load(Ordering::SeqCst));
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.buffer.extend_from_slice(chunk.get(..read).unwrap_or_default()),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    looks = looks.saturating_sub(1);
                    if is_over || looks == 0 {
                        return Err(ErrorKind::TimedOut.into());
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes an answer out of the buffer, once it is whole.
    fn take(&mut self) -> io::Result<Option<Answer>> {
        let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = String::from_utf8_lossy(self.buffer.get(..end).unwrap_or_default()).to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status line: {head:?}")))?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
        if self.buffer.len() < end + 4 + length {
            return Ok(None);
        }
        let body = self.buffer.get(end + 4..end + 4 + length).unwrap_or_default().to_vec();
        self.buffer.drain(..end + 4 + length);
        Ok(Some(Answer { status, head, body }))
    }
}

/// An event of X, signed.
#[must_use]
pub fn signed(body: &[u8]) -> Vec<u8> {
    signed_with(SECRET, body)
}

/// An event of X, signed with a secret of one's own.
#[must_use]
pub fn signed_with(secret: &str, body: &[u8]) -> Vec<u8> {
    let signature = Secret::new(secret).map_or_else(|_| String::new(), |secret| sign_post(&secret, body));
    let mut request = format!(
        "POST {PATH} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         x-twitter-webhooks-signature: {signature}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// A challenge of X.
#[must_use]
pub fn challenge(number: u64) -> Vec<u8> {
    format!("GET {PATH}?crc_token=token-{number} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes()
}
