//! `hookhouse events`: list, show and export what was received.

mod wait;

use hookhouse_core::store::{EventQuery, Order, RefusalQuery};
use hookhouse_core::{EventId, SourceName, StoredRefusal, Timestamp};
use hookhouse_server::admin::view::{AnswerView, EventDetail, EventView};
use jiff::SignedDuration;

use crate::Global;
use crate::admin::{Reader, block_on};
use crate::exit::Outcome;
use crate::locate;
use crate::output::{self, Out, Pages};
use crate::terminal::inline;

/// List, show and export what was received
///
/// Reads through the running server, or from the store of a stopped one.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List events, the newest first
    Ls {
        #[command(flatten)]
        which: Which,
        /// How many
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: usize,
        /// List what was refused instead, and why
        #[arg(long, conflicts_with_all = ["event_type", "since", "until"])]
        refused: bool,
    },
    /// Show one event: what vouches for it, headers, body, and every attempt to deliver it
    Get {
        /// The event
        id: EventId,
    },
    /// Write the body of one event to stdout, byte for byte
    Raw {
        /// The event
        id: EventId,
    },
    /// Write every event with its body, the oldest first; with -o jsonl one per line
    Export {
        #[command(flatten)]
        which: Which,
    },
    Wait(wait::Args),
}

/// Which events.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Only of this source
    #[arg(long)]
    pub(crate) source: Option<SourceName>,
    /// Only of this type; `*` stands for any text, as in `post.*`
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) event_type: Option<String>,
    /// Only received at or after: a time (RFC 3339) or a while ago (2h, 30m)
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    pub(crate) since: Option<Timestamp>,
    /// Only received before: a time (RFC 3339) or a while ago
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    pub(crate) until: Option<Timestamp>,
}

impl Which {
    pub(crate) fn query(&self, order: Order, limit: usize) -> EventQuery {
        EventQuery {
            source: self.source.clone(),
            event_type: self.event_type.clone(),
            since: self.since,
            until: self.until,
            order,
            limit,
            ..EventQuery::default()
        }
    }
}

/// A moment: RFC 3339, or so long ago.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let ago: SignedDuration = text
        .parse()
        .map_err(|_| "give a time such as 2026-11-22T08:00:00Z, or a while ago such as 2h".to_owned())?;
    hookhouse_core::Clock::now(&hookhouse_core::SystemClock)
        .checked_sub(ago)
        .map_err(|error| error.to_string())
}

pub(crate) fn run(command: Command, global: &Global) -> Outcome {
    let place = locate::place(global)?;
    block_on(async {
        let reader = Reader::open(&place).await?;
        match command {
            Command::Ls { which, limit, refused: true } => {
                refusals(&reader, which.source, limit, global).await
            }
            Command::Ls { which, limit, .. } => {
                list(&reader, which.query(Order::NewestFirst, limit.min(1_000)), limit, false, global).await
            }
            Command::Export { which } => {
                list(&reader, which.query(Order::OldestFirst, 500), usize::MAX, true, global).await
            }
            Command::Get { id } => {
                let detail = reader.event(id).await?;
                let pages = reader.pages();
                Ok(Out::one(global.output, &detail, |detail| describe(detail, &pages))?)
            }
            Command::Raw { id } => Ok(output::bytes(&reader.raw(id).await?)?),
            Command::Wait(args) => wait::wait(args, &place, global).await,
        }
    })
}

/// Page after page, until there are enough.
async fn list(
    reader: &Reader,
    mut query: EventQuery,
    mut left: usize,
    bodies: bool,
    global: &Global,
) -> Outcome {
    let mut out = Out::new(global.output);
    let pages = reader.pages();
    let mut progress = output::Progress::beside_results();
    loop {
        let page = reader.events(&query, bodies).await?;
        for event in page.data.iter().take(left) {
            out.entry(event, |event| if bodies { with_body(event, &pages) } else { summary(event, &pages) })?;
        }
        left = left.saturating_sub(page.data.len());
        progress.add(page.data.len(), "events");
        query.cursor = page.next_cursor;
        if left == 0 || query.cursor.is_none() {
            progress.end();
            return Ok(out.finish()?);
        }
    }
}

async fn refusals(reader: &Reader, source: Option<SourceName>, mut left: usize, global: &Global) -> Outcome {
    let mut out = Out::new(global.output);
    let mut query = RefusalQuery { source, limit: left.min(1_000), ..RefusalQuery::default() };
    loop {
        let page = reader.refusals(&query).await?;
        for refusal in page.data.iter().take(left) {
            out.entry(refusal, refused)?;
        }
        left = left.saturating_sub(page.data.len());
        query.cursor = page.next_cursor;
        if left == 0 || query.cursor.is_none() {
            return Ok(out.finish()?);
        }
    }
}

/// A refusal, in a line.
pub(crate) fn refused(StoredRefusal { refusal, .. }: &StoredRefusal) -> String {
    format!(
        "{}  {}  {:<10}  {} {} {}  {} ({})",
        refusal.request_id,
        refusal.at.strftime("%Y-%m-%d %H:%M:%S"),
        refusal.source.as_ref().map_or("-", SourceName::as_str),
        refusal.status,
        inline(&refusal.method),
        inline(&refusal.path),
        inline(&refusal.reason),
        refusal.code,
    )
}

/// An event, in a line.
pub(crate) fn summary(event: &EventView, pages: &Pages) -> String {
    format!(
        "{}  {}  {:<10}  {:<24}  {:>8}  {}",
        pages.event(event.id),
        event.received_at.strftime("%Y-%m-%d %H:%M:%S"),
        event.source,
        event.event_type.as_deref().map_or_else(|| event.method.clone(), inline),
        output::size(event.body_bytes),
        if event.verified { "verified" } else { "not verified" },
    )
}

/// What the sender was answered.
fn answered(answer: &AnswerView) -> String {
    let from = answer.failure.as_ref().map_or_else(
        || format!("{} answered", answer.destination),
        |failure| format!("{} did not answer ({})", answer.destination, inline(failure)),
    );
    let mut text = format!("\nanswer: {}  {from} after {} ms\n", answer.status, answer.duration_ms);
    if let Some(of) = answer.repeat_of {
        text += &format!("  the request repeats {of}\n");
    }
    for (name, value) in &answer.headers {
        text += &format!("  {}: {}\n", inline(name), inline(value));
    }
    match (&answer.connection, &answer.body) {
        (Some(passed), _) => {
            text += &format!(
                "  the connection ended ({}): {} from the sender, {} to it\n",
                passed.end,
                output::size(usize::try_from(passed.up).unwrap_or(usize::MAX)),
                output::size(usize::try_from(passed.down).unwrap_or(usize::MAX)),
            );
        }
        (None, Some(body)) if !body.is_empty() => text += &format!("\n{}\n", output::body(body.as_bytes())),
        (None, None) => text += &format!("  ({} that are not text)\n", output::size(answer.body_bytes)),
        (None, Some(_)) => {}
    }
    text
}

pub(crate) fn with_body(event: &EventView, pages: &Pages) -> String {
    let body =
        event.body.as_ref().map_or_else(|| "(not text)".to_owned(), |body| output::body(body.as_bytes()));
    format!("{}\n{body}\n", summary(event, pages))
}

fn describe(detail: &EventDetail, pages: &Pages) -> String {
    let event = &detail.event;
    let mut text = format!("{}\n{} {}\n", summary(event, pages), event.method, inline(&event.target));
    let proof = &event.provenance;
    text += &match (&proof.scheme, &proof.key) {
        (Some(scheme), Some(key)) => {
            let variant = proof.variant.as_ref().map(|v| format!(", matched: {v}")).unwrap_or_default();
            format!("verified by {scheme} with {key}{variant}\n")
        }
        _ => "not verified: its source takes anything\n".to_owned(),
    };
    if !proof.redacted.is_empty() {
        let kinds: Vec<_> = proof.redacted.iter().map(|kind| kind.as_str()).collect();
        text += &format!("redacted before it was stored: {}\n", kinds.join(", "));
    }
    for (name, value) in &event.headers {
        text += &format!("  {name}: {}\n", inline(value));
    }
    text += &match &event.body {
        Some(body) => format!("\n{}\n", output::body(body.as_bytes())),
        None => format!(
            "\n({} that are not text; `hookhouse events raw` writes them)\n",
            output::size(event.body_bytes)
        ),
    };
    if let Some(answer) = &detail.answer {
        text += &answered(answer);
    }
    for delivery in &detail.deliveries {
        text += &format!("\n{}  {}  {} attempt(s)", delivery.id, delivery.state.as_str(), delivery.attempts);
    }
    for attempt in &detail.attempts {
        text += &format!("\n  {}", crate::deliveries::attempt(attempt));
    }
    text.trim_end().to_owned()
}
