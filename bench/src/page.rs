//! The page that shows what was measured, with a picture of the first comparison.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::report::Table;

/// Writes the page, and the picture beside it.
pub(crate) fn write(file: &Path, preface: &[String], tables: &[Table]) -> anyhow::Result<()> {
    let mut text = format!(
        "# Benchmarks\n\n\
         Written by `cargo xtask bench --scenario all --write`. All servers of a table get the same requests in the same \
         run, in turn, on one processor; the load comes from another. *Of the first* is the median of each round's own \
         ratio to the table's first server, which a busy machine disturbs less than the rates. *CPU µs* is the \
         processor time of the server's process for each request, *switches* how often one of its threads left the \
         processor for it. Every answer is checked.\n\n{}.\n",
        preface.join("; ")
    );
    if let Some(table) = tables.first() {
        let picture = file.with_extension("svg");
        fs::write(&picture, chart(table)).with_context(|| format!("cannot write {}", picture.display()))?;
        let name = picture.file_name().unwrap_or_default().to_string_lossy();
        write!(text, "\n![{}]({name})\n", table.title)?;
    }
    for table in tables {
        write!(text, "\n{}", table.markdown())?;
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// A bar for each server: its requests a second.
fn chart(table: &Table) -> String {
    let rate = |row: &[String]| row.get(1).and_then(|cell| cell.parse::<f64>().ok()).unwrap_or(0.0);
    let most = table.rows.iter().map(|row| rate(row)).fold(1.0, f64::max);
    let height = 40 + 34 * table.rows.len();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 {height}\" font-family=\"sans-serif\" \
         font-size=\"14\" role=\"img\">\n<title>{}</title>\n\
         <text x=\"8\" y=\"20\" fill=\"#555\">{}, requests a second</text>\n",
        table.title, table.title
    );
    for (at, row) in table.rows.iter().enumerate() {
        let (y, width) = (40 + 34 * at, (rate(row) / most * 460.0).max(1.0));
        let name = row.first().map_or("", String::as_str);
        let fill = if name.starts_with("hookhouse") { "#0b7285" } else { "#adb5bd" };
        svg += &format!(
            "<text x=\"8\" y=\"{}\" fill=\"#333\">{name}</text>\n\
             <rect x=\"160\" y=\"{y}\" width=\"{width:.1}\" height=\"22\" rx=\"3\" fill=\"{fill}\"/>\n\
             <text x=\"{:.1}\" y=\"{}\" fill=\"#333\">{:.0}</text>\n",
            y + 16,
            168.0 + width,
            y + 16,
            rate(row)
        );
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_beside_the_page_and_the_page_shows_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("page.md");
        let mut table = Table::new("A race", &["server", "req/s"]);
        table.rows =
            vec![vec!["hyper".to_owned(), "200".to_owned()], vec!["hookhouse".to_owned(), "100".to_owned()]];
        write(&file, &["a machine".to_owned()], &[table]).unwrap();
        let page = fs::read_to_string(&file).unwrap();
        assert!(
            page.contains("a machine.")
                && page.contains("![A race](page.svg)")
                && page.contains("| hookhouse | 100 |")
        );
        let picture = fs::read_to_string(folder.path().join("page.svg")).unwrap();
        assert!(picture.contains("width=\"460.0\"") && picture.contains("width=\"230.0\""));
    }
}
