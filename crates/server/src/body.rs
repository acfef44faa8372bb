//! Reading a body: bounded in size and in time, and byte-exact.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::Instant;

use crate::answer::{Refuse, Refused};

/// How long a body may take however short it is.
const GRACE: Duration = Duration::from_secs(15);
/// How many bytes a second it must bring on average after that.
const PACE: u64 = 1024;

/// Pieces below this share their buffer with the rest of the connection.
const WINDOW: usize = 32 * 1024;

/// Reads a whole body of at most `limit` bytes. Trailers are dropped: nothing signs them.
///
/// `read` is kept up to date, so that a refusal can say how far it came.
pub(crate) async fn read(mut body: Incoming, limit: u64, read: &mut u64) -> Result<Bytes, Refused> {
    if body.size_hint().lower() > limit {
        return Err(too_large(limit, "announced"));
    }
    let started = Instant::now();
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    loop {
        let deadline = started + GRACE.max(Duration::from_secs(*read / PACE));
        let frame = match tokio::time::timeout_at(deadline, body.frame()).await {
            Ok(None) => break,
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => return Err(broken(&error, *read)),
            Err(_) => {
                return Err(Refused::new(
                    Refuse::RequestTimeout,
                    "body.timeout",
                    format!("{read} bytes of the body came in {} s", started.elapsed().as_secs()),
                ));
            }
        };
        let Ok(data) = frame.into_data() else { continue };
        *read += data.len() as u64;
        if *read > limit {
            return Err(too_large(limit, "sent"));
        }
        // Most bodies come in one piece. It is copied out: a piece is a window on the connection's buffer, which is
        // several times as large, would be kept as long as the event is, and would have to be made anew for the next
        // request. A piece that is as large as a buffer is kept as it is.
        if first.is_empty() {
            first = if data.len() < WINDOW { Bytes::copy_from_slice(&data) } else { data };
        } else {
            if rest.is_empty() {
                rest.reserve(usize::try_from(body.size_hint().lower()).unwrap_or(0).min(64 * 1024));
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// What is wrong with a body that hyper gives up on.
fn broken(error: &hyper::Error, read: u64) -> Refused {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    let framing =
        cause.filter(|cause| matches!(cause.kind(), ErrorKind::InvalidInput | ErrorKind::InvalidData));
    let (code, reason) = match framing {
        None => ("body.truncated", format!("the body broke off after {read} bytes")),
        // hyper has no other word for it: it counts the bytes of all extensions, and takes 16 KiB.
        Some(cause) if cause.to_string().contains("extensions over limit") => (
            "http.chunk_ext_abuse",
            format!("the chunks of {read} bytes have more than 16 KiB of extensions"),
        ),
        Some(cause) => ("http.body_framing", format!("after {read} bytes the chunks make no sense: {cause}")),
    };
    Refused::new(Refuse::BadRequest, code, reason)
}

fn too_large(limit: u64, how: &str) -> Refused {
    Refused::new(
        Refuse::PayloadTooLarge,
        "body.too_large",
        format!("more than `max_body` = {limit} bytes were {how}"),
    )
}
