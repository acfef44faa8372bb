//! A client that sends the bytes it is told to, however wrong they are.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A connection, kept alive between requests.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The answer to a HEAD has the headers of a body, and none.
    headless: bool,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("an answer of ours is UTF-8")
    }

    /// The word in `{"error": …}`.
    pub fn error(&self) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        Some(body.get("error")?.as_str()?.to_owned())
    }
}

impl Connection {
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect(address)?)
    }

    /// Over a stream that was opened elsewhere.
    pub fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(super::PATIENCE * 2))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new(), headless: false })
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.headless = bytes.starts_with(b"HEAD ");
        self.stream.write_all(bytes)
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Whether the other side closes within a while, saying nothing more.
    pub fn is_closed_silently(&mut self) -> bool {
        let mut byte = [0];
        matches!(self.stream.read(&mut byte), Ok(0) | Err(_)) && self.buffer.is_empty()
    }

    /// Reads one answer.
    pub fn read(&mut self) -> io::Result<Answer> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at;
            }
            self.fill()?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status line: {head:?}")))?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        if status == 100 || self.headless {
            return Ok(answer);
        }
        let length: usize = answer.header("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
        while self.buffer.len() < length {
            self.fill()?;
        }
        answer.body = self.buffer.drain(..length).collect();
        Ok(answer)
    }

    pub fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.write(request)?;
        self.read()
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk)? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed before the answer")),
            read => {
                self.buffer.extend_from_slice(&chunk[..read]);
                Ok(())
            }
        }
    }
}

/// A request with the headers that every client sends.
pub fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        bytes.extend_from_slice(b"Host: hooks.example.com\r\n");
    }
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    let framed = headers.iter().any(|(name, _)| {
        name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding")
    });
    if !framed && (!body.is_empty() || method == "POST") {
        bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// Sends one request on a connection of its own.
pub fn send(address: SocketAddr, request: &[u8]) -> Answer {
    let mut connection = Connection::open(address).expect("the server accepts connections");
    connection.exchange(request).expect("the server answers")
}

/// A while that is too short to matter and long enough to be one.
pub const MOMENT: Duration = Duration::from_millis(50);
