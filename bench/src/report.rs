//! What was measured, as a table.

use std::time::Duration;

use crate::disk;
use crate::load::Measured;

/// What the disk takes, which every durable acknowledgement waits for.
pub(crate) fn disk() -> anyhow::Result<String> {
    let (p50, p99) = disk::flush()?;
    Ok(format!("a flush of 4 KiB takes {:.3} ms (p50), {:.3} ms (p99)", ms(p50), ms(p99)))
}

/// Both servers in one round.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) bare: Measured,
    pub(crate) hookhouse: Measured,
}

pub(crate) const HEADING: &str = "\
round    hyper/s    p50 ms   p99 ms    hookhouse/s    p50 ms   p99 ms    ratio";

impl Row {
    fn ratio(&self) -> f64 {
        self.hookhouse.per_second / self.bare.per_second
    }

    pub(crate) fn line(&self, name: &str) -> String {
        let (bare, hookhouse) = (&self.bare, &self.hookhouse);
        format!(
            "{name:<6} {:>9.0} {:>9.2} {:>8.2} {:>14.0} {:>9.2} {:>8.2} {:>8.2}",
            bare.per_second,
            ms(bare.p50),
            ms(bare.p99),
            hookhouse.per_second,
            ms(hookhouse.p50),
            ms(hookhouse.p99),
            self.ratio()
        )
    }
}

/// The medians of every column. The ratio's is of the rounds' own ratios: a slow moment of the machine hit both sides
/// of one round.
pub(crate) fn summary(rows: &[Row]) -> String {
    let column = |value: fn(&Row) -> f64| median(rows.iter().map(value).collect());
    format!(
        "{:<6} {:>9.0} {:>9.2} {:>8.2} {:>14.0} {:>9.2} {:>8.2} {:>8.2}",
        "median",
        column(|row| row.bare.per_second),
        column(|row| ms(row.bare.p50)),
        column(|row| ms(row.bare.p99)),
        column(|row| row.hookhouse.per_second),
        column(|row| ms(row.hookhouse.p50)),
        column(|row| ms(row.hookhouse.p99)),
        column(Row::ratio)
    )
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
