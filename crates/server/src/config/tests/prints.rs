//! When a section counts as another one.

use super::super::Config;
use super::house::House;

const FILE: &str = r#"
[server]
public_url = "https://hooks.example.com"

[source.a]
provider = "github"
path = "/a"
secret = { file = "secret" }
deliver = ["app"]

[source.b]
provider = "none"
path = "/b"

[destination.app]
url = "https://app.example.com/hooks"
sign = { standard_webhooks = { file = "signing" } }
"#;

/// Which sources and destinations are others.
fn changed(before: &Config, after: &Config) -> Vec<String> {
    let (before, after) = (&before.origins.prints, &after.origins.prints);
    let sources = after.sources.iter().filter(|(name, print)| before.sources.get(*name) != Some(print));
    let destinations =
        after.destinations.iter().filter(|(name, print)| before.destinations.get(*name) != Some(print));
    sources.chain(destinations).map(|(name, _)| name.clone()).collect()
}

#[test]
fn a_section_is_another_one_when_it_or_what_it_leads_to_is() {
    let house = House::new();
    house.write("secret", "canary-of-the-first-secret");
    house.write("signing", "canary-of-the-first-signing");
    let read = |text: &str| house.read(text).unwrap().config;
    let first = read(FILE);
    assert_eq!(changed(&first, &read(FILE)), Vec::<String>::new());
    let spaced = FILE.replace("path = \"/b\"", "# a remark\npath    =   \"/b\"");
    assert_eq!(changed(&first, &read(&spaced)), Vec::<String>::new(), "only what it says counts");
    assert_eq!(changed(&first, &read(&FILE.replace("\"/b\"", "\"/c\""))), ["b"]);
    assert_eq!(changed(&first, &read(&FILE.replace("/hooks\"\nsign", "/other\"\nsign"))), ["app"]);
    let elsewhere = FILE.replace("hooks.example.com", "other.example.com");
    assert_eq!(changed(&first, &read(&elsewhere)), ["a", "b"], "what a provider was told is part of it");
    house.write("secret", "canary-of-another-secret-there");
    assert_eq!(changed(&first, &read(FILE)), ["a"], "the file says the same, and leads to another secret");
    house.write("signing", "canary-of-another-signing-there");
    assert_eq!(changed(&first, &read(FILE)), ["a", "app"]);
    assert!(!format!("{:?}", first.origins).contains("canary"));
}
