//! The table, and its place in the documentation.

use std::path::Path;

use anyhow::{Context, ensure};

use crate::goals::{Goal, Verdict};

const BEGIN: &str = "<!-- measured: `cargo xtask soak --write` writes from here -->";
const END: &str = "<!-- to here -->";

/// A row: the goal, what was reached, and the verdict, or why there is none.
#[derive(Debug)]
pub struct Row {
    /// The goal.
    pub goal: &'static Goal,
    /// The figures, or what kept them from being measured.
    pub figures: String,
    /// `None` where it could not be measured.
    pub verdict: Option<Verdict>,
}

/// The table in Markdown, with what it was measured on, and what is still missing in it.
#[must_use]
pub fn render(rows: &[Row], machine: &str, missing: &[&str]) -> String {
    let mut text = "| goal | what is done | target | reached | verdict |\n|---|---|---|---|---|\n".to_owned();
    for Row { goal, figures, verdict } in rows {
        let verdict = verdict.map_or("**not measured**", Verdict::word);
        let figures = figures.replace('|', "/").replace('\n', " ");
        text += &format!("| {} | {} | {} | {figures} | {verdict} |\n", goal.name, goal.what, goal.target);
    }
    text += &format!("\n{machine}\n");
    if !missing.is_empty() {
        text += &format!("\n**The run did not come to its end**: {} are missing.\n", missing.join(", "));
    }
    text
}

/// Puts it into a file, in place of the one that is there.
///
/// # Errors
/// When the file has no place for it.
pub fn write(file: &Path, table: &str) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    std::fs::write(file, replace(&text, table)?)?;
    Ok(())
}

fn replace(text: &str, table: &str) -> anyhow::Result<String> {
    let (before, rest) = text.split_once(BEGIN).context("there is no place for the table")?;
    let (_, after) = rest.split_once(END).context("the place for the table has no end")?;
    ensure!(!table.contains(END), "the table would end its own place");
    Ok(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goals::GOALS;

    #[test]
    fn a_table_takes_the_place_of_the_last_one() {
        let text = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let once = replace(&text, "new\n").unwrap();
        assert_eq!(once, format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"));
        assert_eq!(replace(&once, "new\n").unwrap(), once);
        assert!(replace("nothing", "new").is_err());
    }

    #[test]
    fn a_table_that_is_not_whole_says_so() {
        let row = Row { goal: &GOALS[0], figures: "a|b\nc".to_owned(), verdict: Some(Verdict::Met) };
        let part = render(std::slice::from_ref(&row), "a machine", &["kills", "steady"]);
        assert!(part.contains("| a/b c | met |") && part.contains("kills, steady are missing"), "{part}");
        assert!(!render(&[row], "a machine", &[]).contains("missing"));
    }

    #[test]
    fn the_documentation_has_a_place_for_it() {
        let page = include_str!("../../docs/reliability.md");
        assert!(replace(page, "new").is_ok());
    }
}
