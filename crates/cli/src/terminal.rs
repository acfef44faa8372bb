//! What `dev` prints: a line for everything that happens, in order, as it happens.
//!
//! The observer only queues; a thread of its own prints. A terminal that stands still costs lines, never requests.

mod lines;

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anstyle::{AnsiColor, Style};
use hookhouse_core::delivery::Next;
use hookhouse_core::{AttemptOutcome, Notice, Observer, SourceName, Timestamp};

use crate::output::{self, Format, Pages, plain};

const FAINT: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const WARN: Style = AnsiColor::Yellow.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// How many lines may wait for the terminal.
const QUEUE: usize = 8_192;

/// Whether stderr takes colours.
pub(crate) fn colours_stderr() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}

/// How notices are printed.
#[derive(Debug)]
pub(crate) struct Manner {
    /// For people, or as lines of JSON.
    pub(crate) format: Format,
    /// Whether each body is printed too: may change at any time.
    pub(crate) bodies: Arc<AtomicBool>,
    /// Where ids lead.
    pub(crate) pages: Pages,
}

/// Prints notices on stdout.
#[derive(Debug)]
pub(crate) struct Terminal {
    queue: Mutex<Option<SyncSender<Notice>>>,
    skipped: Arc<AtomicU64>,
    printer: Mutex<Option<JoinHandle<()>>>,
}

impl Terminal {
    /// Prints from now on.
    pub(crate) fn start(style: Manner) -> std::io::Result<Arc<Self>> {
        let (queue, lines) = sync_channel(QUEUE);
        let skipped = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&skipped);
        let printer = std::thread::Builder::new()
            .name("terminal".to_owned())
            .spawn(move || print_all(&lines, &count, &style))?;
        Ok(Arc::new(Self { queue: Mutex::new(Some(queue)), skipped, printer: Mutex::new(Some(printer)) }))
    }

    /// Prints what is queued, then nothing more.
    pub(crate) fn finish(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(printer) = self.printer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = printer.join();
        }
    }
}

impl Observer for Terminal {
    fn notice(&self, notice: Notice) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.as_ref().is_some_and(|queue| queue.try_send(notice).is_err()) {
            self.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn print_all(notices: &Receiver<Notice>, skipped: &AtomicU64, manner: &Manner) {
    while let Ok(notice) = notices.recv() {
        let bodies = manner.bodies.load(Ordering::Relaxed);
        if manner.format != Format::Human {
            let line = lines::line(&notice, bodies).to_string();
            let line = output::json(&line);
            if writeln!(anstream::stdout().lock(), "{line}").is_err() {
                return;
            }
            continue;
        }
        let mut text = describe(&notice, &manner.pages);
        let body = match &notice {
            Notice::Accepted { event, .. } => Some(event.body()),
            Notice::Refused { body, .. } => Some(body),
            _ => None,
        };
        if let Some(body) = body.filter(|body| bodies && !body.is_empty()) {
            text.push('\n');
            text.push_str(&output::body(body));
        }
        let missed = skipped.swap(0, Ordering::Relaxed);
        if missed > 0 {
            text.push_str(&format!(
                "\n{WARN}… {missed} lines were not printed: the terminal was too slow{WARN:#}"
            ));
        }
        if writeln!(anstream::stdout().lock(), "{text}").is_err() {
            return;
        }
    }
}

/// One line for a notice.
fn describe(notice: &Notice, pages: &Pages) -> String {
    match notice {
        Notice::Accepted { event, repeat_of, .. } => {
            let record = event.record();
            let kind = record.event_type.as_deref().map_or_else(|| record.request.method.to_string(), inline);
            let vouched = match (&record.provenance.scheme, &record.provenance.key) {
                (Some(scheme), Some(key)) => {
                    format!("{GOOD}verified{GOOD:#} {FAINT}{scheme}, {key}{FAINT:#}")
                }
                _ => format!("{WARN}not verified{WARN:#} {FAINT}this source takes anything{FAINT:#}"),
            };
            format!(
                "{} --> {BOLD}{kind}{BOLD:#}  {}  {vouched}  {FAINT}[{}]{FAINT:#}{}",
                begin(record.received_at, Some(&record.source)),
                output::size(record.request.body.len()),
                pages.event(event.id()),
                repeat_of.map(|of| format!("  repeats {}", pages.event(of))).unwrap_or_default(),
            )
        }
        Notice::Duplicate { source, of, .. } => {
            let of = pages.event(*of);
            format!("{} --> repeat of {of}: acknowledged, not delivered again", unstamped(Some(source)))
        }
        Notice::Refused { refusal, .. } => {
            let source = refusal.source.as_ref();
            let what = format!("{} {}", inline(&refusal.method), inline(&refusal.path));
            format!(
                "{} -x- {BAD}{}{BAD:#} {what}  {} {FAINT}({}){FAINT:#}",
                begin(refusal.at, source),
                refusal.status,
                inline(&refusal.reason),
                refusal.code,
            )
        }
        Notice::Handshake { source, at, kind, key, signed, sent_at, notes, .. } => {
            let signed = if *signed { "signed" } else { "not signed" };
            let age = sent_at.map(|sent_at| at.as_millisecond() - sent_at.as_millisecond());
            let age = age.map(|age| format!(", {age} ms old")).unwrap_or_default();
            let notes: String = notes.iter().map(|note| format!(", {note}")).collect();
            format!(
                "{} <-> {BOLD}{kind}{BOLD:#}  {GOOD}answered{GOOD:#} {FAINT}with {key}; the challenge was {signed}{age}{notes}{FAINT:#}",
                begin(*at, Some(source)),
            )
        }
        Notice::Attempted { source, attempt, next } => {
            let took = attempt.duration_ms;
            let outcome = match &attempt.outcome {
                AttemptOutcome::Delivered { status } => format!("{GOOD}{status}{GOOD:#}"),
                AttemptOutcome::Refused { status, .. } => format!("{BAD}{status}{BAD:#}"),
                AttemptOutcome::Failed { error } => format!("{BAD}{}{BAD:#}", inline(error)),
                AttemptOutcome::Skipped { reason } => format!("{FAINT}skipped: {}{FAINT:#}", inline(reason)),
            };
            let then = match next {
                Next::Done => String::new(),
                Next::RetryAt(at) => format!("  again at {}", clock(*at)),
                Next::GiveUp(reason) => format!("  {BAD}given up: {}{BAD:#}", reason.as_str()),
                Next::Release => "  handed back".to_owned(),
            };
            format!(
                "{} <-- {outcome}  {took} ms  {}{then}  {FAINT}[{}]{FAINT:#}",
                begin(attempt.started_at, Some(source)),
                attempt.delivery.destination,
                pages.event(attempt.delivery.event),
            )
        }
        Notice::Relayed { source, event, destination, at, duration_ms, status, failure, .. } => {
            let (style, why) = match failure {
                None => (GOOD, String::new()),
                Some(why) => (BAD, format!("  {}", inline(why))),
            };
            format!(
                "{} <-> {style}{status}{style:#}  {duration_ms} ms  {destination}{why}  {FAINT}[{}]{FAINT:#}",
                begin(*at, Some(source)),
                pages.event(*event),
            )
        }
        Notice::Tunnelled { source, event, destination, at, duration_ms, up, down, end } => format!(
            "{} <-> WebSocket to {destination} ended ({end}) after {duration_ms} ms: {up} bytes up, {down} down  {FAINT}[{}]{FAINT:#}",
            begin(*at, Some(source)),
            pages.event(*event),
        ),
        Notice::Webhook { source, at, deed, trouble } => {
            let style = if *trouble { WARN } else { GOOD };
            format!("{} *** {style}{}{style:#}", begin(*at, Some(source)), inline(deed))
        }
        Notice::Circuit { destination, open_until: Some(until), cause } => {
            let cause = cause.as_deref().map(|cause| format!(": {}", inline(cause))).unwrap_or_default();
            format!(
                "{WARN}{destination} does not answer{cause}; it is tried again at {}, its events wait{WARN:#}",
                clock(*until)
            )
        }
        Notice::Circuit { destination, .. } => format!("{GOOD}{destination} answers again{GOOD:#}"),
    }
}

fn begin(at: Timestamp, source: Option<&SourceName>) -> String {
    format!("{FAINT}{}{FAINT:#}  {:<8}", clock(at), source.map_or("-", SourceName::as_str))
}

fn unstamped(source: Option<&SourceName>) -> String {
    format!("{:12}  {:<8}", "", source.map_or("-", SourceName::as_str))
}

/// The time of day in UTC.
pub(crate) fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S%.3f").to_string()
}

/// A sender's words in the middle of a line.
pub(crate) fn inline(text: &str) -> String {
    plain(text).replace('\n', "\\n").replace('\t', "\\t")
}
