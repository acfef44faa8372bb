//! An application that takes whatever comes: it answers 200 to every request and tells what it got.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A listening application. It works while [`Receiver::run`] is polled, and no longer.
#[derive(Debug)]
pub struct Receiver {
    listener: TcpListener,
    local_addr: SocketAddr,
    received: mpsc::Sender<Request<Bytes>>,
}

impl Receiver {
    /// Listens on an address, port 0 for any free one. What arrives comes out of the channel, in the order in which
    /// the bodies were complete; while the channel is full, answers wait.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(address: SocketAddr) -> io::Result<(Self, mpsc::Receiver<Request<Bytes>>)> {
        let listener = TcpListener::bind(address).await?;
        let local_addr = listener.local_addr()?;
        let (sender, received) = mpsc::channel(CHANNEL);
        Ok((Self { listener, local_addr, received: sender }, received))
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Takes requests until the future is dropped, which also ends the open connections.
    pub async fn run(self) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => drop(connections.spawn(serve(stream, self.received.clone()))),
                    // Out of descriptors, as a rule: connections that end give some back.
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn serve(stream: TcpStream, received: mpsc::Sender<Request<Bytes>>) {
    let service = service_fn(|request| answer(request, received.clone()));
    // A connection that breaks is the sender's to notice.
    drop(
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await,
    );
}

async fn answer(
    request: Request<Incoming>,
    received: mpsc::Sender<Request<Bytes>>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let mut response = Response::new(Empty::new());
    match Limited::new(body, MAX_BODY).collect().await {
        // Nobody listening is no reason to refuse: the application did its part.
        Ok(body) => drop(received.send(Request::from_parts(head, body.to_bytes())).await),
        Err(_) => *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE,
    }
    Ok(response)
}

/// How many requests may wait to be looked at.
const CHANNEL: usize = 64;
/// The largest body taken.
const MAX_BODY: usize = 32 << 20;
/// How long to wait after a failed `accept`.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);
