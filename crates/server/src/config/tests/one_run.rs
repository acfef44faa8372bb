//! Many mistakes in one file: all of them, each once, in file order.

use super::house::House;

const FILE: &str = r#"# every line that is wrong has a mark
[server]
listen          = ["localhost", 8080, "[::]:http", "127.0.0.1:8080", "127.0.0.1:8080"]
public_url      = "hooks.example.com"                              # no scheme
hosts           = ["https://hooks.example.com", "*.example.com", "ok.example.com"]
trusted_proxies = ["10.0.0.1/8", "::/0", "1.2.3.4/33", "010.0.0.1"]
proxy_protocol  = "v2"                                             # type
limits          = { connections = 0, per_adress = 5, per_address = "many" }
wokers          = 4

[admin]
listen        = "10.0.0.1:4040"
allowed_hosts = ["localhost:4040", ""]

[stroe]
path = "/var/lib/hookhouse"

[store]
path      = ""
reserve   = "32 MB"
retention = { age = "0s", size = 20, ages = "1d" }

[source.x-prod]
provider         = "x"
path             = "webhooks/twitter"
methods          = ["GET", "post", "PUT"]
consumer_secrt   = { env = "X_CONSUMER_SECRET" }
consumer_secret  = "canary-canary-canary"
auth_token       = { env = "TWILIO_AUTH_TOKEN" }
previous_secrets = [{ file = "gone" }, { env = "EMPTY" }, { file = "x.old", env = "SHORT" }, {}, "canary"]
crc              = { signature = "maybe", rate = "10/min", shape = "any", key = "oauth2" }
allow_ips        = ["@twitter", "199.59.148.1/22"]
max_body         = "0B"
dedupe           = { windw = "7d" }
deliver          = ["app", "archive", "app"]

[source.Bad_Name]
provider = "none"
path     = "/bad"

[source.calls]
provider   = "twilio"
path       = "/same"
auth_token = { env = "not a name: canary" }
answer     = { status = 302, content_type = "xml", body = "<Response/>" }
relay      = { to = "app" }

[source.billing]
provider = "hmac"
path     = "/same"
secret   = { env = "BILLING_SECRET" }
hmac     = { digest = "sha3", header = "X-Signature", message = ["boddy", "header:"], dedupe_id = "X-Id", event_type = 7, timestamp = { header = "t", tolerance = "0s" } }

[source.unknown]
provider = "githubb"
path     = "/a b"
secret   = { env = "SHORT" }

[destination.app]
url         = "http://127.0.0.1:3000/hooks"
timeout     = "0s"
concurrency = 0
retry       = { schedule = ["5s", "30", 120], jitter = 1.5 }
sign        = { standard_webhooks = { env = "APP_WHSEC" }, provider = { env = "SHORT" } }
filter      = 'event.type.startsWith("post.")'

[destination.arch]
url = "ftp://user:canary@archive.example.com/"
"#;

#[test]
fn every_mistake_of_a_file_is_reported_in_one_run() {
    insta::assert_snapshot!(House::new().rendered(FILE));
}

#[test]
fn mistakes_come_in_file_order_and_only_once() {
    let said = House::new().said(FILE);
    let places: Vec<_> = said.iter().map(|found| (found.line, found.column)).collect();
    assert!(places.is_sorted(), "{places:?}");
    let mut said: Vec<_> = said.iter().map(|found| (found.line, found.column, &found.message)).collect();
    let count = said.len();
    said.dedup();
    assert_eq!(said.len(), count);
}

#[test]
fn mending_one_mistake_leaves_the_others_as_they_were() {
    let house = House::new();
    let before = house.messages(FILE);
    let after = house.messages(&FILE.replace("wokers          = 4\n", "\n"));
    let (gone, rest): (Vec<_>, Vec<_>) = before.into_iter().partition(|message| message.contains("wokers"));
    assert_eq!(gone.len(), 1);
    assert_eq!(rest, after);
}
