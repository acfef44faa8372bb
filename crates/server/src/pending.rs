//! A request that is not answered yet: what its line in the log and its metrics will need.

use std::time::Duration;

use hookhouse_core::TraceId;
use hookhouse_core::notice::Answered;
use http::HeaderName;
use http::request::Parts;
use tokio::time::Instant;

/// Made once: a name that is text is parsed at each look.
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What is known of a request once its head is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pending {
    began: Instant,
    method: &'static str,
    trace: Option<TraceId>,
    /// How long its body is, as far as it was read.
    pub(crate) bytes: u64,
}

impl Pending {
    /// A request whose head is complete, as of now.
    pub(crate) fn new(head: &Parts) -> Self {
        let mut traces = head.headers.get_all(&TRACEPARENT).iter();
        // Two of them name no trace.
        let trace = match (traces.next(), traces.next()) {
            (Some(trace), None) => TraceId::of_traceparent(trace.as_bytes()),
            _ => None,
        };
        Self { began: Instant::now(), method: common(head.method.as_str()), trace, bytes: 0 }
    }

    /// It is answered with this status, now. `stored_in`: how long the store took, where it was asked.
    pub(crate) fn answered(&self, status: u16, stored_in: Option<Duration>) -> Answered {
        Answered {
            method: self.method,
            status,
            bytes: self.bytes,
            elapsed: self.began.elapsed(),
            stored_in,
            trace: self.trace,
        }
    }
}

/// A method for a log and for a metric: one of the few that there are, whatever a sender thinks of.
fn common(method: &str) -> &'static str {
    const COMMON: [&str; 9] =
        ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT"];
    COMMON.into_iter().find(|known| *known == method).unwrap_or("_OTHER")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(method: &str, traces: &[&str]) -> Parts {
        let mut request = http::Request::builder().method(method).uri("/in");
        for trace in traces {
            request = request.header("traceparent", *trace);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn methods_are_few() {
        assert_eq!(Pending::new(&parts("POST", &[])).answered(200, None).method, "POST");
        for odd in ["BREW", "post", "POSTPOSTPOST"] {
            assert_eq!(Pending::new(&parts(odd, &[])).answered(200, None).method, "_OTHER");
        }
    }

    #[test]
    fn a_request_belongs_to_one_trace_or_to_none() {
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let of = |traces: &[&str]| Pending::new(&parts("POST", traces)).answered(200, None).trace;
        assert_eq!(of(&[trace]).unwrap().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!((of(&[]), of(&["not one"]), of(&[trace, trace])), (None, None, None));
    }
}
