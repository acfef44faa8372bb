//! One line of JSON: what `tracing-subscriber` writes for a flattened event, byte for byte, at a fraction of its price.
//!
//! Every event that is taken has a line, so its price is part of the price of an event. The subscriber's own form goes
//! through a serializer and a growing string for each field; this one puts the pieces where they belong. What happens
//! inside a span, which is nothing of ours, is left to the subscriber.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Json, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes events as lines of JSON.
#[derive(Debug)]
pub(super) struct Lines<T = SystemTime> {
    timer: T,
    in_spans: Format<Json, T>,
}

impl Default for Lines {
    fn default() -> Self {
        Self::with_timer(SystemTime)
    }
}

impl<T: Clone> Lines<T> {
    fn with_timer(timer: T) -> Self {
        let usual = Format::default().with_timer(timer.clone()).json().flatten_event(true);
        Self { timer, in_spans: usual.with_target(false) }
    }
}

impl<S, N, T> FormatEvent<S, N> for Lines<T>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    T: FormatTime,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if event.parent().is_some() || context.lookup_current().is_some() {
            return self.in_spans.format_event(context, writer, event);
        }
        writer.write_str("{\"timestamp\":\"")?;
        self.timer.format_time(&mut Writer::new(&mut Escaped(&mut writer)))?;
        writer.write_str("\",\"level\":\"")?;
        writer.write_str(event.metadata().level().as_str())?;
        writer.write_char('"')?;
        let mut fields = Fields { out: &mut writer, outcome: Ok(()) };
        event.record(&mut fields);
        fields.outcome?;
        writer.write_str("}\n")
    }
}

/// Writes each field behind a comma.
struct Fields<'a, 'w> {
    out: &'a mut Writer<'w>,
    outcome: fmt::Result,
}

impl Fields<'_, '_> {
    /// A field whose value needs no escaping.
    fn plain(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        self.write(field, |out| out.write_fmt(value));
    }

    fn text(&mut self, field: &Field, write: impl FnOnce(&mut Escaped<'_, '_>) -> fmt::Result) {
        self.write(field, |out| {
            out.write_char('"')?;
            write(&mut Escaped(out))?;
            out.write_char('"')
        });
    }

    fn write(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        if self.outcome.is_err() {
            return;
        }
        let mut field_and_value = || {
            self.out.write_str(",\"")?;
            // A name is an identifier in our source, or a literal there: nothing in it needs escaping.
            self.out.write_str(field.name().trim_start_matches("r#"))?;
            self.out.write_str("\":")?;
            Ok(())
        };
        self.outcome = field_and_value().and_then(|()| value(self.out));
    }
}

impl Visit for Fields<'_, '_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            // `{:?}` keeps the `.0` of a whole number, as JSON writers do.
            self.plain(field, format_args!("{value:?}"));
        } else {
            self.plain(field, format_args!("null"));
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, format_args!("{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, |out| out.write_str(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, |out| write!(out, "{value:?}"));
    }
}

/// The inside of a JSON string (RFC 8259 section 7), in the spelling of `serde_json`.
struct Escaped<'a, 'w>(&'a mut Writer<'w>);

impl Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
            // What is escaped is one byte long, so both cuts are between characters.
            let (plain, tail) = rest.split_at(at);
            self.0.write_str(plain)?;
            let (odd, tail) = tail.split_at(1);
            match odd.as_bytes() {
                b"\"" => self.0.write_str("\\\"")?,
                b"\\" => self.0.write_str("\\\\")?,
                b"\n" => self.0.write_str("\\n")?,
                b"\r" => self.0.write_str("\\r")?,
                b"\t" => self.0.write_str("\\t")?,
                b"\x08" => self.0.write_str("\\b")?,
                b"\x0c" => self.0.write_str("\\f")?,
                other => other.iter().try_for_each(|byte| write!(self.0, "\\u{byte:04x}"))?,
            }
            rest = tail;
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone)]
    struct Noon;

    impl FormatTime for Noon {
        fn format_time(&self, out: &mut Writer<'_>) -> fmt::Result {
            out.write_str("2026-11-22T12:00:00.000001Z")
        }
    }

    #[derive(Debug, Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Page {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    fn say_all() {
        tracing::info!(event = "event.accepted", id = %"evt_1", r#type = "post.create", status = Some(200_u16));
        tracing::warn!(none = None::<u64>, verified = true, low = -7, high = u64::MAX, "words {}", 1);
        for ms in [0.0, 0.001, 0.5, 12.345, 1_000.0, 123_456_789.125, f64::NAN, f64::INFINITY] {
            tracing::error!(ms);
        }
        for text in ["", "caf\u{e9} \u{1f980}", "\"quoted\" \\ \n\r\t\u{8}\u{c}\u{0}\u{1f}\u{7f}", "tail\n"] {
            tracing::info!(text, shown = %text, debugged = ?text, "{text}");
        }
        let _span = tracing::info_span!("a_span", answer = 42).entered();
        tracing::info!(event = "inside", "of a span");
    }

    #[test]
    fn a_line_is_what_the_subscriber_itself_would_write() {
        let base = || tracing_subscriber::fmt().with_timer(Noon).with_target(false).json();
        let (usual, ours) = (Page::default(), Page::default());
        let reference = base().flatten_event(true).with_writer(usual.clone()).finish();
        tracing::subscriber::with_default(reference, say_all);
        let fast = base().event_format(Lines::with_timer(Noon)).with_writer(ours.clone()).finish();
        tracing::subscriber::with_default(fast, say_all);
        let read = |page: &Page| String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        assert!(read(&usual).lines().count() > 12);
        assert_eq!(read(&ours), read(&usual));
    }
}
