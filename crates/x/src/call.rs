//! A call as a value: what is sent, in whose name, and how the answer is read.
//!
//! [`calls`](crate::calls) makes them, [`Client`](crate::Client) sends them or shows what it would send.

use std::fmt;

use http::Method;
use serde::de::DeserializeOwned;

use crate::credentials::Auth;
use crate::percent;
use crate::transport::Answer;

/// A call that is answered with a `T`.
pub struct Call<T> {
    /// What it is called, in messages and among the rate limits.
    pub(crate) operation: &'static str,
    pub(crate) method: Method,
    /// Encoded already.
    pub(crate) path: String,
    /// Where X's pages disagree about the path: the other one, tried after a 404.
    pub(crate) or_path: Option<String>,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Option<serde_json::Value>,
    /// The better one first.
    pub(crate) auth: Vec<Auth>,
    pub(crate) read: fn(&Reply<'_>) -> Result<T, String>,
}

impl<T> Call<T> {
    pub(crate) fn new(
        operation: &'static str,
        method: Method,
        path: impl Into<String>,
        auth: &[Auth],
        read: fn(&Reply<'_>) -> Result<T, String>,
    ) -> Self {
        Self {
            operation,
            method,
            path: path.into(),
            or_path: None,
            query: Vec::new(),
            body: None,
            auth: auth.to_vec(),
            read,
        }
    }

    pub(crate) fn or_path(mut self, path: impl Into<String>) -> Self {
        self.or_path = Some(path.into());
        self
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(crate) fn body(mut self, body: serde_json::Value) -> Self {
        self.body = Some(body);
        self
    }

    /// What it is called.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The path with the query, as it is sent.
    pub(crate) fn target(&self, path: &str) -> String {
        if self.query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{}", percent::query(&self.query))
        }
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("operation", &self.operation)
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// The answer to a call that worked.
#[derive(Debug)]
pub(crate) struct Reply<'a> {
    pub(crate) answer: &'a Answer,
}

impl Reply<'_> {
    /// Whether there is nothing in it: 204, or no body where one is documented.
    pub(crate) fn is_empty(&self) -> bool {
        self.answer.body.trim_ascii().is_empty()
    }

    /// What it holds.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.answer.body).map_err(|error| error.to_string())
    }
}
