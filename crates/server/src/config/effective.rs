//! What is in force, and where each value comes from: a line of the file, or this program.
//!
//! The file's own values are read from its masked text, in which nothing is left that could be a secret; a secret is
//! shown as its reference. Values that the file does not give are the model's.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use toml::de::{DeTable, DeValue};

use super::model::Config;
use super::prints::Prints;
use super::reader::entries;

/// One value that is in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Setting {
    /// Its key, with its section: `source.x-prod.path`.
    pub key: String,
    /// The value; of a secret, where it lies.
    #[schema(value_type = Value)]
    pub value: Value,
    /// `hookhouse.toml:12`, or `default`.
    pub origin: String,
}

/// What a file says, without its secrets.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    /// What the file is called; `None` where there is none.
    pub name: Option<String>,
    /// Where it lies; `None` where it was read from nowhere.
    pub file: Option<PathBuf>,
    /// What relative paths in it start at.
    pub base: PathBuf,
    given: Vec<Setting>,
    pub(crate) prints: Prints,
}

impl Origins {
    /// Reads the masked text of a file.
    pub(super) fn of(name: &str, base: &Path, masked: &str, prints: Prints) -> Self {
        let (root, _) = DeTable::parse_recoverable(masked);
        let mut given = Vec::new();
        let line = |at: usize| masked.get(..at).unwrap_or(masked).matches('\n').count() + 1;
        flatten("", root.get_ref(), &mut |key, value, at| {
            given.push(Setting { key, value, origin: format!("{name}:{}", line(at)) });
        });
        Self { name: Some(name.to_owned()), file: None, base: base.to_owned(), given, prints }
    }
}

impl Config {
    /// Every value that is in force: what the file says in its order, then what it leaves to this program.
    #[must_use]
    pub fn effective(&self) -> Vec<Setting> {
        let mut all = self.origins.given.clone();
        let is_given = |all: &[Setting], key: &str| {
            all.iter().any(|setting| {
                setting.key == key || setting.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'))
            })
        };
        for (key, value) in self.defaults() {
            if !is_given(&self.origins.given, &key) {
                all.push(Setting { key, value, origin: "default".to_owned() });
            }
        }
        all
    }

    /// What the model says of the keys that have defaults.
    fn defaults(&self) -> Vec<(String, Value)> {
        let Self { server, admin, store, .. } = self;
        let networks: Vec<_> = server.trusted_proxies.iter().map(ToString::to_string).collect();
        let mut all = vec![
            ("server.listen".to_owned(), json!(server.listen)),
            ("server.public_url".to_owned(), json!(server.public_url.as_ref().map(ToString::to_string))),
            ("server.hosts".to_owned(), json!(server.hosts)),
            ("server.trusted_proxies".to_owned(), json!(networks)),
            ("server.proxy_protocol".to_owned(), json!(server.proxy_protocol)),
            ("server.limits.connections".to_owned(), json!(server.limits.connections)),
            ("server.limits.per_address".to_owned(), json!(server.limits.per_address)),
            ("admin.listen".to_owned(), json!(admin.listen)),
            ("admin.allowed_hosts".to_owned(), json!(admin.allowed_hosts)),
            ("store.path".to_owned(), json!(store.path)),
            ("store.reserve".to_owned(), json!(store.reserve)),
            ("store.retention.age".to_owned(), json!(store.retention_age.map(length))),
            ("store.retention.size".to_owned(), json!(store.retention_size)),
            ("store.encrypt".to_owned(), json!(false)),
        ];
        if let Some(cluster) = &store.cluster {
            all.extend([
                ("store.prefix".to_owned(), json!(cluster.prefix)),
                ("store.replicas".to_owned(), json!(cluster.replicas)),
                ("store.durability".to_owned(), json!(cluster.durability.as_str())),
                ("store.seal".to_owned(), json!(false)),
            ]);
        }
        for source in &self.sources {
            let key = |name: &str| format!("source.{}.{name}", source.name);
            all.extend([
                (key("provider"), json!(source.provider)),
                (key("path"), json!(source.path)),
                (key("methods"), json!(source.methods)),
                (key("max_body"), json!(source.max_body)),
                (key("dedupe.window"), json!(length(source.dedupe_window))),
                (key("deliver"), json!(source.deliver)),
            ]);
        }
        for destination in &self.destinations {
            let key = |name: &str| format!("destination.{}.{name}", destination.name);
            let pauses: Vec<_> = destination.retry.pauses.iter().copied().map(length).collect();
            all.extend([
                (key("allow_loopback"), json!(destination.allow_loopback)),
                (key("timeout"), json!(length(destination.timeout))),
                (key("concurrency"), json!(destination.concurrency)),
                (key("retry.schedule"), json!(pauses)),
                (key("retry.jitter"), json!(destination.retry.jitter)),
            ]);
        }
        all
    }
}

/// Every leaf of a table, with its dotted key and where it stands.
fn flatten(prefix: &str, table: &DeTable<'_>, found: &mut dyn FnMut(String, Value, usize)) {
    for (key, value) in entries(table) {
        let name = key.get_ref();
        let key = if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{name}") };
        match value.get_ref() {
            DeValue::Table(inner) if !is_reference(inner) => flatten(&key, inner, found),
            other => found(key, plain(other), value.span().start),
        }
    }
}

/// Whether a table says where a secret lies.
fn is_reference(table: &DeTable<'_>) -> bool {
    table.keys().any(|key| ["env", "file", "credential"].contains(&key.get_ref().as_ref()))
}

pub(super) fn plain(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => json!(text),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| json!(number.as_str()), Value::from),
        DeValue::Float(number) => {
            number.as_str().parse::<f64>().map_or_else(|_| json!(number.as_str()), Value::from)
        }
        DeValue::Boolean(truth) => json!(truth),
        DeValue::Datetime(moment) => json!(moment.to_string()),
        DeValue::Array(list) => list.iter().map(|entry| plain(entry.get_ref())).collect(),
        DeValue::Table(table) => entries(table)
            .into_iter()
            .map(|(key, value)| (key.get_ref().to_string(), plain(value.get_ref())))
            .collect(),
    }
}

/// A duration as the file would say it, in its largest whole unit.
fn length(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, each) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if millis > 0 && millis.is_multiple_of(each) {
            return format!("{}{unit}", millis / each);
        }
    }
    if millis == 0 { "0s".to_owned() } else { format!("{millis}ms") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, parse};

    #[derive(Debug)]
    struct Variables;

    impl Environment for Variables {
        fn var(&self, _: &str) -> Option<String> {
            Some("a secret that nobody may see".to_owned())
        }
    }

    const FILE: &str = r#"[server]
listen = ["127.0.0.1:8080"]
limits = { connections = 7 }

[source.x-prod]
provider = "x"
path = "/webhooks/twitter"
consumer_secret = { env = "X_SECRET" }
deliver = ["app"]

[destination.app]
url = "http://user:hushhushhush@10.0.3.4/hooks"
retry = { jitter = 0.5 }
"#;

    #[test]
    fn every_value_has_its_origin_and_secrets_are_references() {
        let file = FILE.replace("user:hushhushhush@", "");
        let loaded = parse(&file, "hookhouse.toml", Path::new("."), &Variables).unwrap();
        let all = loaded.config.effective();
        let of = |key: &str| {
            let found: Vec<_> = all.iter().filter(|setting| setting.key == key).collect();
            assert_eq!(found.len(), 1, "{key}: {all:?}");
            (found[0].value.clone(), found[0].origin.as_str())
        };
        assert_eq!(of("server.listen"), (json!(["127.0.0.1:8080"]), "hookhouse.toml:2"));
        assert_eq!(of("server.limits.connections"), (json!(7), "hookhouse.toml:3"));
        assert_eq!(of("server.limits.per_address").1, "default");
        assert_eq!(of("source.x-prod.consumer_secret"), (json!({"env": "X_SECRET"}), "hookhouse.toml:8"));
        assert_eq!(of("source.x-prod.methods"), (json!(["GET", "POST"]), "default"));
        assert_eq!(of("destination.app.timeout"), (json!("10s"), "default"));
        assert_eq!(of("destination.app.retry.jitter"), (json!(0.5), "hookhouse.toml:13"));
        assert_eq!(of("destination.app.retry.schedule").1, "default");
        assert_eq!(of("store.retention.age").1, "default");
        assert!(!serde_json::to_string(&all).unwrap().contains("nobody may see"));
    }

    #[test]
    fn what_looks_secret_in_the_file_is_masked() {
        let masked =
            super::super::masking::masked(FILE, &[DeTable::parse_recoverable(FILE).0.get_ref()], &[]);
        let origins = Origins::of("hookhouse.toml", Path::new("."), &masked, Prints::default());
        assert!(!serde_json::to_string(&origins.given).unwrap().contains("hush"), "{:?}", origins.given);
    }

    #[test]
    fn durations_are_said_as_in_the_file() {
        for (millis, text) in
            [(0, "0s"), (1, "1ms"), (1_500, "1500ms"), (90_000, "90s"), (60_000, "1m"), (604_800_000, "7d")]
        {
            assert_eq!(length(Duration::from_millis(millis)), text);
        }
    }
}
