//! What was measured, as a table: for a terminal, and for the page.

use std::time::Duration;

use crate::compare::Sample;
use crate::disk;

/// What the disk takes, which every durable acknowledgement waits for.
pub(crate) fn disk() -> anyhow::Result<String> {
    let (p50, p99) = disk::flush()?;
    Ok(format!("a flush of 4 KiB takes {:.3} ms (p50), {:.3} ms (p99)", ms(p50), ms(p99)))
}

/// A scenario's outcome.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) heads: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
    /// What is to be known beside the rows.
    pub(crate) notes: Vec<String>,
}

/// The columns that every server has.
pub(crate) const COLUMNS: [&str; 10] = [
    "server",
    "req/s",
    "min–max",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "CPU µs",
    "switches",
    "of the first",
    "CPU of the first",
];

impl Table {
    pub(crate) fn new(title: impl Into<String>, heads: &[&'static str]) -> Self {
        Self { title: title.into(), heads: heads.to_vec(), rows: Vec::new(), notes: Vec::new() }
    }

    /// Columns aligned with blanks.
    pub(crate) fn text(&self) -> String {
        let lines =
            || std::iter::once(self.heads.iter().map(ToString::to_string).collect()).chain(self.rows.clone());
        let width = |column: usize| {
            lines().filter_map(|line: Vec<String>| line.get(column).map(|cell| cell.chars().count())).max()
        };
        let widths: Vec<usize> = (0..self.heads.len()).map(|column| width(column).unwrap_or(0)).collect();
        let mut text = format!("\n{}\n", self.title);
        for line in lines() {
            let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            text += &format!("  {}\n", cells.collect::<Vec<_>>().join("  "));
        }
        self.notes.iter().for_each(|note| text += &format!("  {note}\n"));
        text
    }

    /// As Markdown.
    pub(crate) fn markdown(&self) -> String {
        let rule = self.heads.iter().enumerate().map(|(column, _)| if column == 0 { "---" } else { "--:" });
        let mut text = format!("### {}\n\n", self.title);
        text += &format!("| {} |\n| {} |\n", self.heads.join(" | "), rule.collect::<Vec<_>>().join(" | "));
        self.rows.iter().for_each(|row| text += &format!("| {} |\n", row.join(" | ")));
        self.notes.iter().for_each(|note| text += &format!("\n{note}\n"));
        text
    }

    /// A server's row, beside the first one's samples of the same rounds.
    pub(crate) fn push(&mut self, name: &str, samples: &[Sample], first: &[Sample]) {
        let column = |value: fn(&Sample) -> f64| median(samples.iter().map(value).collect());
        let ratio = |value: fn(&Sample) -> f64| {
            median(samples.iter().zip(first).map(|(own, first)| value(own) / value(first)).collect())
        };
        let rates: Vec<f64> = samples.iter().map(|sample| sample.measured.per_second).collect();
        let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
        let most = rates.iter().copied().fold(0.0, f64::max);
        self.rows.push(vec![
            name.to_owned(),
            format!("{:.0}", column(|sample| sample.measured.per_second)),
            format!("{least:.0}–{most:.0}"),
            format!("{:.2}", column(|sample| ms(sample.measured.p50))),
            format!("{:.2}", column(|sample| ms(sample.measured.p99))),
            format!("{:.2}", column(|sample| ms(sample.measured.p999))),
            format!("{:.1}", column(Sample::cpu)),
            format!("{:.2}", column(Sample::switches)),
            format!("{:.2}", ratio(|sample| sample.measured.per_second)),
            format!("{:.2}", ratio(Sample::cpu)),
        ]);
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_for_people_and_barred_for_pages() {
        let mut table = Table::new("Two", &["server", "req/s"]);
        table.rows =
            vec![vec!["a".to_owned(), "1".to_owned()], vec!["longer".to_owned(), "12345".to_owned()]];
        table.notes = vec!["a note".to_owned()];
        assert_eq!(table.text(), "\nTwo\n  server  req/s\n  a           1\n  longer  12345\n  a note\n");
        assert_eq!(
            table.markdown(),
            "### Two\n\n| server | req/s |\n| --- | --: |\n| a | 1 |\n| longer | 12345 |\n\na note\n"
        );
    }
}
