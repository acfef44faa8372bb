//! A record as it is made, for whoever watches.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::{AttemptRecord, CallRecord, CrcRecord, EventRecord, Purpose, ValidityRecord};
use crate::x::ids::JobId;

/// Something that has just happened, in one line.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Entry<'a> {
    /// An event came to be.
    Event(&'a EventRecord),
    /// A delivery was tried.
    Attempt(&'a AttemptRecord),
    /// An endpoint was challenged.
    Crc(&'a CrcRecord),
    /// A webhook turned valid or invalid.
    Validity(&'a ValidityRecord),
    /// The API was called.
    Call(&'a CallRecord),
    /// A replay job began.
    ReplayBegins {
        /// When.
        at: Timestamp,
        /// The job.
        job: JobId,
        /// How many bodies it will send.
        bodies: usize,
    },
    /// A replay job ended.
    ReplayEnds {
        /// When.
        at: Timestamp,
        /// The job.
        job: JobId,
        /// How many bodies were not taken.
        failed: u64,
    },
}

/// Who is told what happens, as it does. Called with the platform's state locked: it must not call the platform.
#[derive(Clone)]
pub struct Watch(Arc<dyn Fn(Entry<'_>) + Send + Sync>);

impl Watch {
    /// Tells a function.
    pub fn new(watch: impl Fn(Entry<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(watch))
    }

    pub(in crate::x) fn tell(&self, entry: Entry<'_>) {
        (self.0)(entry);
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

impl Entry<'_> {
    /// When it happened, in the platform's time.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Event(event) => event.at,
            Self::Attempt(attempt) => attempt.at,
            Self::Crc(crc) => crc.at,
            Self::Validity(turn) => turn.at,
            Self::Call(call) => call.at,
            Self::ReplayBegins { at, .. } | Self::ReplayEnds { at, .. } => *at,
        }
    }
}

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(event) => write!(f, "event    {} for webhook {}", event.event_type, event.webhook),
            Self::Attempt(attempt) => {
                write!(f, "deliver  {} ({} bytes)", attempt.keys.join(" "), attempt.bytes)?;
                match attempt.purpose {
                    Purpose::Event | Purpose::Control => {}
                    Purpose::Duplicate => write!(f, ", a duplicate")?,
                    Purpose::Replay => write!(f, ", a replay")?,
                }
                if attempt.attempt > 1 {
                    write!(f, ", attempt {}", attempt.attempt)?;
                }
                match (attempt.status, &attempt.fault) {
                    (Some(status), _) => write!(f, ": {status}"),
                    (None, Some(fault)) => write!(f, ": {fault}"),
                    (None, None) => Ok(()),
                }
            }
            Self::Crc(crc) => write!(f, "crc      {} ({}): {}", crc.url, crc.reason, crc.verdict),
            Self::Validity(turn) => {
                let now = if turn.valid { "valid" } else { "INVALID" };
                write!(f, "webhook  {} is {now}: {}", turn.webhook, turn.why)
            }
            Self::Call(call) => {
                write!(f, "api      {}: {}", call.endpoint, call.status)?;
                call.note.as_ref().map_or(Ok(()), |note| write!(f, ", {note}"))
            }
            Self::ReplayBegins { job, bodies, .. } => write!(f, "replay   job {job} sends {bodies} bodies"),
            Self::ReplayEnds { job, failed, .. } => {
                write!(f, "replay   job {job} ended, {failed} were not taken")
            }
        }
    }
}
