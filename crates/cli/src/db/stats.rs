//! `hookhouse db stats`: what the store holds.

use std::fmt::Write as _;

use hookhouse_core::{StoreStats, Timestamp};

use crate::Global;
use crate::admin::{Reader, block_on};
use crate::exit::Outcome;
use crate::locate;
use crate::output::{Out, size};

pub(super) fn run(global: &Global) -> Outcome {
    let place = locate::place(global)?;
    block_on(async {
        let stats = Reader::open(&place).await?.stats().await?;
        Ok(Out::one(global.output, &stats, describe)?)
    })
}

fn describe(stats: &StoreStats) -> String {
    let format = stats.format.map(|format| format!(", format {format}")).unwrap_or_default();
    let mut text = format!("{}{format}\n{} events, {}", stats.kind, stats.events, bytes(stats.bytes));
    if let (Some(oldest), Some(newest)) = (stats.oldest, stats.newest) {
        text += &between(oldest, newest);
    }
    for source in &stats.sources {
        // Writing to a text cannot fail.
        let _ = write!(
            text,
            "\n  {:<16} {:>9} events  {:>10}{}",
            source.source.as_str(),
            source.events,
            bytes(source.bytes),
            between(source.oldest, source.newest),
        );
    }
    let exceptions: Vec<_> =
        stats.exceptions.iter().map(|(state, count)| format!("{count} {state}")).collect();
    if !exceptions.is_empty() {
        let _ = write!(text, "\ndeliveries on record: {}", exceptions.join(", "));
    }
    let _ = write!(text, "\n{} refusals", stats.refusals);
    for (name, value) in &stats.details {
        let value = if name.contains("bytes") { bytes(*value) } else { value.to_string() };
        let _ = write!(text, "\n{}: {value}", name.replace('_', " "));
    }
    text
}

fn between(oldest: Timestamp, newest: Timestamp) -> String {
    let said = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    format!("  {} to {}", said(oldest), said(newest))
}

fn bytes(count: u64) -> String {
    size(usize::try_from(count).unwrap_or(usize::MAX))
}
