//! Why a connection ended, where it was we who ended it.

use std::error::Error;
use std::net::IpAddr;

use crate::sparse::Sparse;

/// How a connection came to its end.
#[derive(Debug)]
pub(crate) enum Ending {
    /// Both sides were done.
    Done,
    /// The server stops.
    Stopped,
    /// It kept us waiting for too long; the word for what.
    Waited(&'static str),
    /// hyper gave up, or the peer did.
    Failed(hyper::Error),
}

/// What a peer that reads nothing of an answer is ended for.
pub(crate) const WRITE_STALL: &str = "conn.write_stall";

static STALLS: Sparse = Sparse::new();
static FLOODS: Sparse = Sparse::new();
static NONSENSE: Sparse = Sparse::new();

impl Ending {
    /// Writes it to the log: as a warning, once a second, where a peer does what no client does.
    pub(crate) fn tell(&self, peer: IpAddr) {
        match self {
            Self::Done => {}
            Self::Stopped => tracing::debug!(event = "conn.closed", %peer, why = "stopped"),
            Self::Waited(WRITE_STALL) => {
                if let Some(others) = STALLS.may_speak() {
                    tracing::warn!(event = WRITE_STALL, %peer, others, "closed: it reads nothing");
                }
            }
            Self::Waited(why) => tracing::debug!(event = "conn.closed", %peer, why),
            Self::Failed(error) if error.is_parse() => {
                if let Some(others) = NONSENSE.may_speak() {
                    tracing::info!(event = "http.parse_error", %peer, why = %error, others, "closed");
                }
            }
            Self::Failed(error) => match flood(error) {
                Some(why) => {
                    if let Some(others) = FLOODS.may_speak() {
                        tracing::warn!(event = "h2.calm", %peer, %why, others, "closed with GOAWAY");
                    }
                }
                None => tracing::debug!(event = "conn.closed", %peer, why = %error),
            },
        }
    }
}

/// An HTTP/2 connection that was ended from our side: for too many resets, frames or headers, or for frames that break the
/// protocol.
fn flood(error: &hyper::Error) -> Option<&h2::Error> {
    let error = error.source()?.downcast_ref::<h2::Error>()?;
    (error.is_go_away() && error.is_library()).then_some(error)
}
