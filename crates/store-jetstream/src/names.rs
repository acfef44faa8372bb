//! The names of streams and subjects: what is where in the cluster.

use hookhouse_core::{DestinationName, SourceName};

/// A delivery within one destination: the place of its event and its round.
pub(crate) type Key = (u64, u64);

/// The names that begin with the configured prefix.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: String,
    /// The log: events, and the keys by which repeats are recognised.
    pub(crate) events: String,
    /// What senders were answered, and what operators send instead of what was received.
    pub(crate) answers: String,
    /// Every try of a delivery.
    pub(crate) attempts: String,
    /// Deliveries that are more than a first try that goes well.
    pub(crate) deliveries: String,
    /// Requests that were turned away.
    pub(crate) refusals: String,
    /// Who is alive.
    pub(crate) gateways: String,
    /// The small shared state.
    pub(crate) state: String,
}

impl Names {
    pub(crate) fn new(prefix: &str) -> Self {
        let upper = prefix.to_ascii_uppercase();
        let stream = |name: &str| format!("{upper}_{name}");
        Self {
            prefix: prefix.to_owned(),
            events: stream("EVENTS"),
            answers: stream("ANSWERS"),
            attempts: stream("ATTEMPTS"),
            deliveries: stream("DELIVERIES"),
            refusals: stream("REFUSALS"),
            gateways: stream("GATEWAYS"),
            state: format!("KV_{prefix}"),
        }
    }

    fn under(&self, rest: &str) -> String {
        format!("{}.{rest}", self.prefix)
    }

    pub(crate) fn event(&self, source: &SourceName) -> String {
        self.under(&format!("events.{source}"))
    }

    pub(crate) fn all_events(&self) -> String {
        self.under("events.*")
    }

    /// A subject in the log on which nothing is ever published: no source's name begins so.
    pub(crate) fn no_event(&self) -> String {
        self.under("events._")
    }

    pub(crate) fn key(&self, source: &SourceName, digest: &[u8]) -> String {
        self.under(&format!("keys.{source}.{}", data_encoding::HEXLOWER.encode(digest)))
    }

    /// A name that somebody takes, among the keys of events: the servers drop both when their time is over. No source's
    /// name begins so.
    pub(crate) fn claim(&self, name: &str) -> String {
        self.under(&format!("keys._claims.{}", escaped(name)))
    }

    pub(crate) fn all_keys(&self) -> String {
        self.under("keys.*.*")
    }

    pub(crate) fn answer(&self, sequence: u64) -> String {
        self.under(&format!("answers.{sequence}"))
    }

    /// What is sent in the place of an event's own bytes, under a name that its delivery has.
    pub(crate) fn edit(&self, sequence: u64, name: &str) -> String {
        self.under(&format!("edits.{sequence}.{name}"))
    }

    pub(crate) fn attempt(&self, destination: &DestinationName, (sequence, round): Key) -> String {
        self.under(&format!("attempts.{sequence}.{destination}.{round}"))
    }

    pub(crate) fn attempts_of(&self, sequence: u64) -> String {
        self.under(&format!("attempts.{sequence}.*.*"))
    }

    pub(crate) fn delivery(&self, destination: &DestinationName, (sequence, round): Key) -> String {
        self.under(&format!("deliveries.{sequence}.{destination}.{round}"))
    }

    pub(crate) fn refusal(&self, source: Option<&SourceName>) -> String {
        self.under(&format!("refusals.{}", source.map_or("_", SourceName::as_str)))
    }

    pub(crate) fn all_refusals(&self) -> String {
        self.under("refusals.*")
    }

    pub(crate) fn gateway(&self, id: &str) -> String {
        self.under(&format!("gateways.{id}"))
    }

    pub(crate) fn all_gateways(&self) -> String {
        self.under("gateways.*")
    }

    /// Every subject of a stream that is ours by its last token's kind.
    pub(crate) fn everything(&self, kind: &str) -> String {
        self.under(&format!("{kind}.>"))
    }

    /// The subject of a key of the bucket: what a bucket does not take in a key is escaped.
    pub(crate) fn value(&self, key: &str) -> String {
        format!("$KV.{}.{}", self.prefix, escaped(key))
    }

    pub(crate) fn all_values(&self) -> String {
        format!("$KV.{}.>", self.prefix)
    }

    /// The durable consumer of a destination.
    pub(crate) fn consumer(destination: &DestinationName) -> String {
        format!("to-{destination}")
    }
}

/// Any text as one part of a subject, which a bucket takes as a key.
fn escaped(text: &str) -> String {
    let mut part = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/') {
            part.push(char::from(byte));
        } else {
            part.push_str(&format!("={byte:02X}"));
        }
    }
    part
}

/// The delivery that a subject of [`Names::delivery`] names.
pub(crate) fn delivery_of(subject: &str) -> Option<(DestinationName, Key)> {
    let mut parts = subject.rsplit('.');
    let round = parts.next()?.parse().ok()?;
    let destination = parts.next()?.parse().ok()?;
    let sequence = parts.next()?.parse().ok()?;
    Some((destination, (sequence, round)))
}

/// The event's place that a subject of answers or attempts names, behind `prefix.kind.`.
pub(crate) fn sequence_of(subject: &str) -> Option<u64> {
    subject.split('.').nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_reads_back_from_its_subject() {
        let (names, app): (_, DestinationName) = (Names::new("hh"), "app-1".parse().unwrap());
        let subject = names.delivery(&app, (42, 7));
        assert_eq!(subject, "hh.deliveries.42.app-1.7");
        assert_eq!(delivery_of(&subject), Some((app.clone(), (42, 7))));
        assert_eq!(sequence_of(&names.attempt(&app, (42, 7))), Some(42));
        assert_eq!(delivery_of("hh.deliveries.x.app.7"), None);
    }

    #[test]
    fn any_key_becomes_a_subject() {
        let names = Names::new("hh");
        assert_eq!(names.value("circuit/app"), "$KV.hh.circuit/app");
        assert_eq!(names.value("a.b*>ä"), "$KV.hh.a=2Eb=2A=3E=C3=A4");
    }
}
