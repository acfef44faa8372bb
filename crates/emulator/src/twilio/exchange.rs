//! One request and its answer over a connection of their own, within the times that the URL allows.

use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use super::connect::{Failure, Io};

/// An answer as it came.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Its first [`MOST`] bytes.
    pub(super) body: Bytes,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// How long nothing may come.
    pub(super) read: Duration,
    /// For the message alone: what led to the deadline.
    pub(super) total: Duration,
    /// When it is over.
    pub(super) deadline: Instant,
}

impl Times {
    /// Waits for the next sign of life.
    pub(super) async fn wait<T>(&self, event: impl Future<Output = T>) -> Result<T, Failure> {
        let silence = Instant::now() + self.read;
        tokio::time::timeout_at(silence.min(self.deadline), event).await.map_err(|_| {
            if self.deadline <= silence {
                Failure::TotalTimedOut(self.total)
            } else {
                Failure::ReadTimedOut(self.read)
            }
        })
    }
}

/// Sends a request and reads the answer.
pub(super) async fn exchange(
    io: Box<dyn Io>,
    request: Request<Bytes>,
    times: Times,
) -> Result<Answer, Failure> {
    let (mut sender, connection) =
        times.wait(http1::handshake(TokioIo::new(io))).await?.map_err(Failure::of_http)?;
    let answer = async move {
        let response = times.wait(sender.send_request(request.map(Full::new))).await?;
        let (head, mut body) = response.map_err(Failure::of_http)?.into_parts();
        let mut read = BytesMut::new();
        while let Some(frame) = times.wait(body.frame()).await? {
            if let Ok(data) = frame.map_err(Failure::of_http)?.into_data() {
                let room = MOST.saturating_sub(read.len());
                read.extend_from_slice(data.get(..room).unwrap_or(&data));
                if read.len() >= MOST {
                    break;
                }
            }
        }
        Ok(Answer { status: head.status, headers: head.headers, body: read.freeze() })
    };
    drive(connection, answer).await
}

/// Does the work while the connection makes progress, which it does only while it is polled. What goes wrong with the
/// connection, the work is told too.
pub(super) async fn drive<T>(connection: impl Future, work: impl Future<Output = T>) -> T {
    let (mut connection, mut work) = (pin!(connection), pin!(work));
    let mut open = true;
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = &mut connection, if open => open = false,
        }
    }
}

/// The longest answer that is read: more than TwiML may have, so that too much of it is seen to be too much.
const MOST: usize = 1 << 20;
