//! HTTP/2, frame by frame, for peers that no library would be.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use hookhouse_testkit::blackbox::PATIENCE;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) const CALM: u32 = 11;

/// A connection with prior knowledge (RFC 9113 section 3.3), past the preface.
pub(crate) struct Peer {
    stream: TcpStream,
}

/// A frame that came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// The end of a connection: the last stream that was looked at, why, and in what words.
#[derive(Debug)]
pub(crate) struct GoAway {
    pub(crate) last: u32,
    pub(crate) reason: u32,
    pub(crate) words: String,
}

/// A frame's bytes (RFC 9113 section 4.1).
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A field that is not remembered, its name and value as they are (RFC 7541 section 6.2.2), both shorter than 127 bytes.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        bytes.push(u8::try_from(text.len()).ok().filter(|length| *length < 127).expect("short"));
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// The fields of a request.
pub(crate) fn head(method: &str, path: &str) -> Vec<u8> {
    [(":method", method), (":scheme", "http"), (":authority", "hooks.example.com"), (":path", path)]
        .into_iter()
        .flat_map(|(name, value)| field(name, value))
        .collect()
}

impl Peer {
    pub(crate) fn open(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("accepted"))
    }

    /// One that has room for little of what it is told.
    pub(crate) fn narrow(address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let stream = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
            socket.set_recv_buffer_size(4096).expect("a small buffer");
            socket.connect(address).await.expect("accepted").into_std().expect("a stream")
        });
        stream.set_nonblocking(false).expect("a blocking stream");
        Self::over(stream)
    }

    fn over(mut stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("sent");
        stream.write_all(&frame(SETTINGS, 0, 0, &[])).expect("sent");
        Self { stream }
    }

    /// Writes, until the other side takes no more.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(crate) fn read(&mut self) -> io::Result<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head)?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.stream.read_exact(&mut payload)?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Ok(Frame { kind: head[3], stream, payload })
    }

    /// Writes a flood while reading what comes back, until the other side says goodbye. Panics where it does not.
    pub(crate) fn flood(mut self, mut burst: impl FnMut(u32) -> Vec<u8> + Send, bursts: u32) -> GoAway {
        let mut writing = self.stream.try_clone().expect("a second handle");
        std::thread::scope(|scope| {
            let flooding = scope.spawn(move || (0..bursts).all(|n| writing.write_all(&burst(n)).is_ok()));
            let end = loop {
                let frame = self.read().expect("GOAWAY comes before the end");
                if frame.kind == GOAWAY {
                    break GoAway::of(&frame.payload);
                }
            };
            // What is written from now on finds nobody: the flood ends by itself, or with its last burst.
            let mut rest = Vec::new();
            let _ = self.stream.read_to_end(&mut rest);
            flooding.join().expect("the flood does not panic");
            end
        })
    }
}

impl GoAway {
    fn of(payload: &[u8]) -> Self {
        let number = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().expect("four bytes"));
        Self {
            last: number(0),
            reason: number(4),
            words: String::from_utf8_lossy(&payload[8..]).into_owned(),
        }
    }
}
