//! The page of metrics, read.

use std::collections::{BTreeMap, BTreeSet};

use hookhouse_testkit::blackbox::{Answer, House, request, send};

/// The samples of a page.
#[derive(Debug)]
pub(crate) struct Scrape(Vec<Sample>);

#[derive(Debug, PartialEq)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// Asks for the page, as Prometheus does.
pub(crate) fn ask(house: &House, headers: &[(&str, &str)]) -> Answer {
    let mut all = vec![("Host", "localhost")];
    all.extend_from_slice(headers);
    send(house.admin, &request("GET", "/metrics", &all, b""))
}

/// The page, as text.
pub(crate) fn page(house: &House) -> String {
    let token = std::fs::read_to_string(house.store().join("admin.token")).expect("a token");
    let answer = ask(house, &[("Authorization", &format!("Bearer {}", token.trim()))]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    answer.text().to_owned()
}

/// The page, read.
pub(crate) fn scrape(house: &House) -> Scrape {
    let page = page(house);
    assert!(page.ends_with("# EOF\n"), "{page}");
    Scrape(page.lines().filter(|line| !line.starts_with('#')).map(sample).collect())
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').expect("labels end")),
        None => (series, ""),
    };
    let pairs = labels.split("\",").filter(|pair| !pair.is_empty()).map(|pair| {
        let (label, value) = pair.split_once("=\"").expect("a label has a value");
        (label.to_owned(), value.trim_end_matches('"').to_owned())
    });
    let value = if value == "+Inf" { f64::INFINITY } else { value.parse().expect("a number") };
    Sample { name: name.to_owned(), labels: pairs.collect(), value }
}

impl Scrape {
    /// The sum of all samples of this name that have these labels; `None` where there are none.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let fits = |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(label, value)| sample.labels.get(*label).is_some_and(|has| has == value))
        };
        let found: Vec<_> = self.0.iter().filter(fits).map(|sample| sample.value).collect();
        (!found.is_empty()).then(|| found.iter().sum())
    }

    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.0.iter().map(|sample| sample.name.as_str()).collect()
    }

    pub(crate) fn series(&self) -> BTreeSet<String> {
        self.0.iter().map(|sample| format!("{} {:?}", sample.name, sample.labels)).collect()
    }
}
