//! `docs/reference/metrics.md` is made here, from the page that a scrape gets.

use std::collections::BTreeMap;
use std::fmt::Write as _;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/metrics.md");

const INTRODUCTION: &str = "\
# Metrics

<!-- Made from the code by a test; to make it anew: UPDATE_PAGES=1 cargo nextest run -p hookhouse-server the_page_of_metrics -->

`GET /metrics` on the admin listener, with a token that has the scope `metrics` (`hookhouse token create prometheus --scope metrics`) or
`admin`: `Authorization: Bearer` and the token. The format is [OpenMetrics](https://github.com/prometheus/OpenMetrics) text, which Prometheus and all that
speak like it read. [Monitoring](../guides/monitoring.md) has a configuration for Prometheus, a dashboard and alert rules.

Every label is a name from the configuration or a word of the program's. No path that a sender made up, no address, no id and no
type of an event is ever one: the number of series depends on how many sources and destinations there are, not on what is sent to
them. A histogram has `_bucket`, `_sum` and `_count`. What is counted begins at zero with each start.

| metric | type | labels | |
|---|---|---|---|
";

#[derive(Default)]
struct Described {
    kind: String,
    help: String,
    labels: Vec<String>,
}

/// The families of a page, by the names that queries have.
fn families(page: &str) -> BTreeMap<String, Described> {
    let mut families: BTreeMap<String, Described> = BTreeMap::new();
    let mut current = String::new();
    for line in page.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            name.clone_into(&mut current);
            families.insert(current.clone(), Described { help: help.to_owned(), ..Described::default() });
        } else if let Some((_, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            families.get_mut(&current).unwrap().kind = kind.to_owned();
        } else if let Some((_, rest)) = line.split_once('{').filter(|_| !line.starts_with('#')) {
            let labels =
                rest.split_once('}').unwrap().0.split(',').map(|label| label.split_once('=').unwrap().0);
            let known = &mut families.get_mut(&current).unwrap().labels;
            for label in labels.filter(|label| *label != "le") {
                if !known.iter().any(|known| known == label) {
                    known.push(label.to_owned());
                }
            }
        }
    }
    let named = |(name, described): (String, Described)| match described.kind.as_str() {
        "counter" => (format!("{name}_total"), described),
        "info" => (format!("{name}_info"), described),
        _ => (name, described),
    };
    families.into_iter().map(named).collect()
}

fn made() -> String {
    let mut page = INTRODUCTION.to_owned();
    for (name, Described { kind, help, labels }) in families(&super::full_page()) {
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        let help = help.strip_suffix('.').unwrap_or(&help);
        writeln!(page, "| `{name}` | {kind} | {} | {help} |", labels.join(", ")).unwrap();
    }
    page
}

#[test]
fn the_page_of_metrics_is_what_the_code_says() {
    let made = made();
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(FILE, &made).unwrap();
    }
    let kept = std::fs::read_to_string(FILE).unwrap();
    assert!(
        kept == made,
        "docs/reference/metrics.md is not what the code says; make it anew with\n    UPDATE_PAGES=1 cargo nextest run -p hookhouse-server the_page_of_metrics\n\n{made}"
    );
}

#[test]
fn every_metric_is_explained_and_named_as_prometheus_names_them() {
    let families = families(&super::full_page());
    assert!(families.len() > 30, "{:?}", families.keys());
    for (name, described) in families {
        assert!(described.help.len() > 15, "{name}: {}", described.help);
        let own = ["hookhouse_", "process_", "http_server_"].iter().any(|prefix| name.starts_with(prefix));
        assert!(own, "{name}");
        if described.kind == "histogram" {
            assert!(name.ends_with("_seconds"), "{name}");
        }
    }
}
