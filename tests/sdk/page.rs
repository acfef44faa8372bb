//! The list of deviations, as readers have it.

use std::collections::BTreeSet;

use super::deviations::{DEVIATIONS, Deviation, Judge, NODE_VERSION, PYTHON_VERSION, We};
use super::installed;

#[test]
fn the_page_lists_the_deviations_that_the_tests_know() {
    let file = installed::sources().join("../../docs/reference/twilio-sdks.md");
    let page = std::fs::read_to_string(file).expect("the page is part of the repository");
    for version in [PYTHON_VERSION, NODE_VERSION] {
        assert!(page.contains(version), "the page is about other versions than {version}");
    }
    let rows: BTreeSet<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').skip(1).take(3).map(str::trim).collect())
        .collect();
    let known: BTreeSet<Vec<String>> = DEVIATIONS.iter().map(row).collect();
    let known: BTreeSet<Vec<&str>> =
        known.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
    assert_eq!(known.len(), DEVIATIONS.len(), "an id is there twice");
    let missing: Vec<_> = known.difference(&rows).collect();
    let unknown: Vec<_> = rows.difference(&known).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "the page lacks {missing:#?}; nothing in the tests is {unknown:#?}"
    );
    for Deviation { id, evidence, .. } in DEVIATIONS {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{id}` |"))).unwrap_or_default();
        assert!(row.contains(evidence), "the row of {id} does not say where it comes from: {evidence}");
    }
}

/// The first cells of an entry's row: its id, who differs, and what Hookhouse does.
fn row(entry: &Deviation) -> Vec<String> {
    let name = |judge: &Judge| match judge {
        Judge::Python => "Python",
        Judge::Validate => "Node validators",
        Judge::Webhook => "Node `webhook()`",
    };
    let judges: Vec<_> = entry.judges.iter().map(name).collect();
    let we = match entry.we {
        We::Accept => "accepts".to_owned(),
        We::AcceptBy(letter) => format!("accepts ({letter})"),
        We::Refuse => "refuses".to_owned(),
    };
    vec![format!("`{}`", entry.id), judges.join(", "), we]
}
