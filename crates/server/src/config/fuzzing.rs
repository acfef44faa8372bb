//! A configuration, as somebody types it.

use std::path::Path;

use hookhouse_core::Timestamp;

use super::{Environment, parse, template};

/// What is in every variable whose name has an S in it.
const CANARY: &str = "canary-0123456789-abcdef";

struct Variables;

impl Environment for Variables {
    fn var(&self, name: &str) -> Option<String> {
        name.contains('S').then(|| CANARY.to_owned())
    }

    fn now(&self) -> Timestamp {
        crate::fuzzing::now()
    }
}

/// Every text is a configuration or a list of what is wrong with it, each at a place in it; no secret is in the list.
pub(crate) fn config(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    // A secret may be read from any file; some of the machine's have no end.
    if ["/dev", "/proc", "/sys"].iter().any(|folder| text.contains(folder)) {
        return;
    }
    let found = match parse(text, "hookhouse.toml", Path::new("/nonexistent"), &Variables) {
        Ok(loaded) => {
            assert!(!loaded.warnings.has_errors());
            loaded.warnings
        }
        Err(found) => {
            assert!(found.has_errors());
            found
        }
    };
    for coloured in [false, true] {
        let shown = found.render(coloured);
        assert!(text.contains(CANARY) || !shown.contains(CANARY), "{shown}");
    }
    assert!(!found.summary().is_empty());
    assert!(serde_json::to_string(&found).is_ok());
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let whole = r#"
[server]
listen = ["127.0.0.1:0"]
public_url = "https://hooks.example.com"
trusted_proxies = ["10.0.0.0/8"]
limits = { connections = 20, per_address = 10 }
[store]
path = "/nonexistent/store"
retention = { age = "30d", size = "20GB" }
[source.x]
provider = "x"
path = "/x"
consumer_secret = { env = "SECRET" }
previous_secrets = [{ env = "OLD_SECRET", until = "2026-12-01T00:00:00Z" }]
crc = { signature = "if-present", rate = "off", shape = "any", key = "consumer" }
allow_ips = ["@x"]
[source.calls]
provider = "twilio"
path = "/calls"
auth_token = { env = "TOKENS" }
answer = { status = 200, content_type = "text/xml", body = "<Response/>" }
deliver = ["app"]
[source.billing]
provider = "hmac"
path = "/billing"
secret = { env = "BILLING_SECRET" }
hmac = { header = "X-Signature", key_value = { signature = "v1", timestamp = "t" }, message = ["timestamp", "literal:.", "body"] }
[destination.app]
url = "http://127.0.0.1:3000/hooks"
allow_loopback = true
retry = { schedule = ["5s", "2m"], jitter = 0.2 }
sign = { standard_webhooks = { env = "APP_SECRET" } }
"#;
    let broken = [
        "[source.a]\nprovider = \"y\"\npath = \"no slash\"\n",
        "[source.ä]\npath = \"/ä\n[source.b]\n",
        "a = [1, {b = \"\"\"\nc\"\"\"}]\n[[a]]\n",
        "[store]\npath = 'x'\npath = 'y'\nretention = 3d\n",
        "[server]\nlisten = [\"[::1]:80\", \"unix:/run/x\", \"fd:web\", \"99\"]\nhosts = [\"\"]\n",
        "\u{feff}[server]\r\nlisten=[]\r\n",
    ];
    let all = broken.into_iter().chain([whole]).map(|text| text.as_bytes().to_vec());
    all.chain([template(&["x", "twilio", "hmac", "none"], None).into()]).collect()
}
