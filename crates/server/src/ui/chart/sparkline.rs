//! An hour, minute by minute: a bar for each, what went wrong on top.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::ui::moment;
use crate::ui::pulse::{MINUTES, total};

/// How high the picture is, in its own units; a minute is four wide.
const HEIGHT: u32 = 40;

/// Two counts for each of the last sixty minutes.
#[derive(Debug, Template)]
#[template(path = "part/sparkline.html")]
pub(in crate::ui) struct Sparkline {
    bars: Vec<Bar>,
    height: u32,
    width: u32,
    label: String,
    busiest: u32,
}

/// Its own template escapes it.
impl HtmlSafe for Sparkline {}

#[derive(Debug)]
struct Bar {
    x: u32,
    good: Piece,
    bad: Piece,
}

#[derive(Debug)]
struct Piece {
    y: u32,
    height: u32,
}

impl Sparkline {
    /// `good` and `bad` say what is counted, in the plural: `events`, `refused`.
    pub(in crate::ui) fn new(good: (&str, &[u32; MINUTES]), bad: (&str, &[u32; MINUTES])) -> Self {
        let minutes = || good.1.iter().zip(bad.1).map(|(good, bad)| (*good, *bad));
        let busiest = minutes().map(|(good, bad)| good.saturating_add(bad)).max().unwrap_or(0);
        let bars =
            minutes().enumerate().filter(|(_, counts)| *counts != (0, 0)).map(|(place, (good, bad))| {
                let (low, high) = (height(good, busiest), height(bad, busiest));
                Bar {
                    x: 4 * place as u32,
                    good: Piece { y: HEIGHT.saturating_sub(low), height: low },
                    bad: Piece { y: HEIGHT.saturating_sub(low + high), height: high },
                }
            });
        let label = format!(
            "The last hour, minute by minute: {} {}, {} {}; the busiest minute had {}",
            moment::count(total(good.1)),
            good.0,
            moment::count(total(bad.1)),
            bad.0,
            moment::count(u64::from(busiest)),
        );
        Self { bars: bars.collect(), height: HEIGHT, width: 4 * MINUTES as u32 - 1, label, busiest }
    }
}

/// What is there is seen: one is never no bar at all.
fn height(count: u32, busiest: u32) -> u32 {
    if count == 0 {
        return 0;
    }
    let part = u64::from(count) * u64::from(HEIGHT - 2) / u64::from(busiest.max(1));
    u32::try_from(part).unwrap_or(HEIGHT).max(2)
}
