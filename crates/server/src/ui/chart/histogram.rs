//! How long things took: a bar for each length of time.

use std::time::Duration;

use askama::Template;
use askama::filters::HtmlSafe;

use crate::ui::moment;
use crate::ui::pulse::Spread;

const HEIGHT: usize = 60;

/// The upper bounds of the bars, in milliseconds; the last bar has none.
const BOUNDS: [u64; 11] = [1, 2, 5, 10, 25, 50, 100, 250, 1_000, 5_000, 30_000];

/// A distribution of durations.
#[derive(Debug, Template)]
#[template(path = "part/histogram.html")]
pub(in crate::ui) struct Histogram {
    bars: Vec<Bar>,
    label: String,
    width: usize,
}

/// Its own template escapes it.
impl HtmlSafe for Histogram {}

#[derive(Debug)]
struct Bar {
    x: usize,
    y: usize,
    height: usize,
    count: usize,
    bound: String,
}

impl Histogram {
    /// `None` where nothing was measured yet.
    pub(in crate::ui) fn new(what: &str, spread: &Spread) -> Option<Self> {
        let [median, high, most] = [50, 95, 99].map(|percent| spread.percentile(percent).map(moment::span));
        let label = format!(
            "{what}, the last {}: half within {}, 95 % within {}, 99 % within {}",
            moment::count(spread.len() as u64),
            median?,
            high?,
            most?
        );
        let mut bounds: Vec<_> = BOUNDS.into_iter().map(Duration::from_millis).collect();
        bounds.push(Duration::MAX);
        let mut over = Duration::ZERO;
        let mut counts = Vec::new();
        for within in bounds {
            counts.push((spread.between(over, within), over, within));
            over = within;
        }
        let tallest = counts.iter().map(|(count, ..)| *count).max().unwrap_or(0).max(1);
        let bars = counts.into_iter().enumerate().map(|(place, (count, over, within))| {
            let height = if count == 0 { 1 } else { (count * (HEIGHT - 4) / tallest).max(3) };
            let bound = if within == Duration::MAX {
                format!("over {}", moment::span(over))
            } else {
                format!("up to {}", moment::span(within))
            };
            Bar { x: 20 * place, y: HEIGHT.saturating_sub(height), height, count, bound }
        });
        Some(Self { bars: bars.collect(), label, width: 20 * (BOUNDS.len() + 1) - 2 })
    }
}
