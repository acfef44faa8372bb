//! What a receiver is told to do, and what it remembers.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

/// What it does with a request.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// Answers properly.
    Answer(Answer),
    /// Takes the request and never answers.
    Hang,
    /// Closes the connection without an answer.
    Close,
    /// Resets the connection without an answer; in memory, the same as [`Behaviour::Close`].
    Reset,
    /// Sends these bytes as they are, then closes.
    Raw(Bytes),
    /// Sends these bytes as they are, then neither closes nor answers anything more.
    RawThenHang(Bytes),
    /// Sends a head that promises a long body, then the body one byte at a time, for ever.
    Trickle {
        /// The status of the head.
        status: u16,
        /// The pause between two bytes.
        every: Duration,
    },
    /// Sends a head, then body without end.
    Endless {
        /// The status of the head.
        status: u16,
    },
}

/// A proper answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
    /// How long it takes before it answers.
    pub delay: Duration,
}

impl Behaviour {
    /// An empty answer with this status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Answer(Answer { status, headers: Vec::new(), body: Bytes::new(), delay: Duration::ZERO })
    }

    /// The answer with one more header; anything but an answer stays as it is.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Answer(answer) = &mut self {
            answer.headers.push((name, value.into()));
        }
        self
    }

    /// The answer with this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        if let Self::Answer(answer) = &mut self {
            answer.body = body.into();
        }
        self
    }

    /// The answer after this pause.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        if let Self::Answer(answer) = &mut self {
            answer.delay = delay;
        }
        self
    }
}

/// A request that arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The request target as sent.
    pub target: String,
    /// The fields; the values of one name in order.
    pub headers: Vec<(String, Bytes)>,
    /// The body.
    pub body: Bytes,
    /// When it was complete.
    pub at: Instant,
    /// On which connection, counted from 1.
    pub connection: usize,
}

impl Received {
    /// The value of a field that occurs once; `name` in lower case.
    ///
    /// # Panics
    /// When it occurs more than once or is not UTF-8: the test expected otherwise.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value);
        let value = values.next()?;
        assert!(values.next().is_none(), "`{name}` occurs more than once");
        Some(std::str::from_utf8(value).unwrap_or_else(|_| panic!("`{name}` is not UTF-8: {value:?}")))
    }
}
