//! One line of JSON: what `tracing-subscriber` writes for a flattened event, byte for byte, at a fraction of its price.
//!
//! Every event that is taken has a line, so its price is part of the price of an event. The subscriber's own form goes
//! through a serializer and a growing string for each field; this one puts the pieces where they belong. What happens
//! inside a span, which is nothing of ours, is left to the subscriber.

use std::fmt::{self, Write};

use hookhouse_core::{Clock, SystemClock, Timestamp};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Json, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes events as lines of JSON.
#[derive(Debug)]
pub(super) struct Lines<T = Now> {
    timer: T,
    in_spans: Format<Json, T>,
}

impl Default for Lines {
    fn default() -> Self {
        Self::with_timer(Now)
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
        let mut line = String::with_capacity(LENGTH);
        line.push_str("{\"timestamp\":\"");
        self.timer.format_time(&mut Writer::new(&mut line))?;
        line.push_str("\",\"level\":\"");
        line.push_str(event.metadata().level().as_str());
        line.push('"');
        let mut fields = Fields { line, outcome: Ok(()) };
        event.record(&mut fields);
        fields.outcome?;
        fields.line.push_str("}\n");
        writer.write_str(&fields.line)
    }
}

/// A line of an event is rarely longer.
const LENGTH: usize = 512;

/// The time of now, to the microsecond.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now;

impl FormatTime for Now {
    fn format_time(&self, out: &mut Writer<'_>) -> fmt::Result {
        out.write_str(&moment(SystemClock.now()))
    }
}

/// A moment as RFC 3339 has it, with six digits behind the second.
fn moment(at: Timestamp) -> String {
    let at = at.as_microsecond();
    let (seconds, micros) = (at.div_euclid(1_000_000), at.rem_euclid(1_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Howard Hinnant's `civil_from_days`: years that begin in March, in eras of 400 of them.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march = (5 * day + 2) / 153;
    let day = day - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let mut text = String::with_capacity(27);
    for (number, digits, end) in [
        (year, 4, '-'),
        (month, 2, '-'),
        (day, 2, 'T'),
        (second / 3_600, 2, ':'),
        (second / 60 % 60, 2, ':'),
        (second % 60, 2, '.'),
        (micros, 6, 'Z'),
    ] {
        push_padded(&mut text, number.unsigned_abs(), digits);
        text.push(end);
    }
    text
}

/// Writes each field behind a comma.
struct Fields {
    line: String,
    outcome: fmt::Result,
}

impl Fields {
    fn name(&mut self, field: &Field) {
        // A name is an identifier in our source, or a literal there: nothing in it needs escaping.
        let name = field.name();
        self.line.push_str(",\"");
        self.line.push_str(name.strip_prefix("r#").unwrap_or(name));
        self.line.push_str("\":");
    }

    fn text(&mut self, field: &Field, write: impl FnOnce(&mut Escaped<'_>) -> fmt::Result) {
        if self.outcome.is_err() {
            return;
        }
        self.name(field);
        self.line.push('"');
        self.outcome = write(&mut Escaped(&mut self.line));
        self.line.push('"');
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.name(field);
        // What has three digits behind the point, as times have, is written as the whole number that it is a thousandth
        // of. Its digits are the shortest ones that mean this value, as any fifteen digits are.
        let thousandths = value * 1_000.0;
        if value.is_sign_positive()
            && thousandths < 1e14
            && (thousandths.round() / 1_000.0).to_bits() == value.to_bits()
        {
            push_thousandths(&mut self.line, thousandths.round() as u64);
        } else if value.is_finite() {
            // `{:?}` keeps the `.0` of a whole number, as JSON writers do.
            self.outcome = self.outcome.and_then(|()| write!(self.line, "{value:?}"));
        } else {
            self.line.push_str("null");
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.name(field);
        if value < 0 {
            self.line.push('-');
        }
        push_padded(&mut self.line, value.unsigned_abs(), 1);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.name(field);
        push_padded(&mut self.line, value, 1);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.name(field);
        self.line.push_str(if value { "true" } else { "false" });
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, |out| out.write_str(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, |out| write!(out, "{value:?}"));
    }
}

/// A whole number in at least so many digits.
fn push_padded(line: &mut String, number: u64, digits: usize) {
    let mut text = [b'0'; 20];
    let (mut left, mut from) = (number, text.len());
    for place in text.iter_mut().rev() {
        if left == 0 {
            break;
        }
        *place = b'0' + (left % 10) as u8;
        left /= 10;
        from -= 1;
    }
    let digits = text.get(from.min(text.len() - digits)..);
    line.push_str(digits.and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default());
}

/// Thousandths as a number with a point: `12.34`, and `12.0` for a whole one.
fn push_thousandths(line: &mut String, thousandths: u64) {
    push_padded(line, thousandths / 1_000, 1);
    line.push('.');
    let mut rest = thousandths % 1_000;
    let mut digits = 3;
    while digits > 1 && rest.is_multiple_of(10) {
        rest /= 10;
        digits -= 1;
    }
    push_padded(line, rest, digits);
}

/// The inside of a JSON string (RFC 8259 section 7), in the spelling of `serde_json`.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let is_odd = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
        // All of it is looked at, which is faster than to stop at the first; nearly always there is none.
        if !text.bytes().fold(false, |odd, byte| odd | is_odd(byte)) {
            self.0.push_str(text);
            return Ok(());
        }
        let mut rest = text;
        while let Some(at) = rest.bytes().position(is_odd) {
            // What is escaped is one byte long, so both cuts are between characters.
            let (plain, tail) = rest.split_at(at);
            self.0.push_str(plain);
            let (odd, tail) = tail.split_at(1);
            match odd.as_bytes() {
                b"\"" => self.0.push_str("\\\""),
                b"\\" => self.0.push_str("\\\\"),
                b"\n" => self.0.push_str("\\n"),
                b"\r" => self.0.push_str("\\r"),
                b"\t" => self.0.push_str("\\t"),
                b"\x08" => self.0.push_str("\\b"),
                b"\x0c" => self.0.push_str("\\f"),
                other => other.iter().try_for_each(|byte| write!(self.0, "\\u{byte:04x}"))?,
            }
            rest = tail;
        }
        self.0.push_str(rest);
        Ok(())
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
        for ms in [0.0, -0.0, 0.001, 0.0001, 0.5, 12.345, 1_000.0, 1e11, -1.5, 123_456_789.125, f64::NAN] {
            tracing::error!(ms, more = f64::INFINITY, sum = 0.1 + 0.2);
        }
        for micros in (0..40_000_000_u32).step_by(9_973) {
            tracing::debug!(ms = f64::from(micros) / 1_000.0, micros, low = -i64::from(micros));
        }
        for text in ["", "caf\u{e9} \u{1f980}", "\"quoted\" \\ \n\r\t\u{8}\u{c}\u{0}\u{1f}\u{7f}", "tail\n"] {
            tracing::info!(text, shown = %text, debugged = ?text, "{text}");
        }
        let _span = tracing::info_span!("a_span", answer = 42).entered();
        tracing::info!(event = "inside", "of a span");
    }

    #[test]
    fn a_line_is_what_the_subscriber_itself_would_write() {
        let base = || {
            let base = tracing_subscriber::fmt().with_timer(Noon).with_target(false);
            base.with_max_level(tracing::Level::DEBUG).json()
        };
        let (usual, ours) = (Page::default(), Page::default());
        let reference = base().flatten_event(true).with_writer(usual.clone()).finish();
        tracing::subscriber::with_default(reference, say_all);
        let fast = base().event_format(Lines::with_timer(Noon)).with_writer(ours.clone()).finish();
        tracing::subscriber::with_default(fast, say_all);
        let read = |page: &Page| String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        assert!(read(&usual).lines().count() > 12);
        for (ours, usual) in read(&ours).lines().zip(read(&usual).lines()) {
            assert_eq!(ours, usual);
        }
        assert_eq!(read(&ours).len(), read(&usual).len());
    }

    #[test]
    fn a_moment_is_spelled_as_by_others() {
        let seconds = (-62_135_596_800..253_402_300_800_i64).step_by(86_399 * 97);
        for (second, micros) in seconds.zip((0..1_000_000).cycle().step_by(7_919)) {
            let at = Timestamp::from_microsecond(second * 1_000_000 + micros).unwrap();
            assert_eq!(moment(at), format!("{at:.6}"));
        }
    }
}
