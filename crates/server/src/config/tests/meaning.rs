//! What a file that is right means.

use std::time::Duration;

use hookhouse_delivery::DestinationSigning;
use hookhouse_verify::Verifier;
use hookhouse_verify::descriptor::{Digest, Encoding, Locator, Parse, Part, TimestampFrom};
use hookhouse_verify::sign::Signer;

use super::super::{Answer, Code, Limits};
use super::house::{House, SOURCE};

/// The file of the manual, less what is not built.
pub(super) const WHOLE: &str = r#"
[server]
listen     = ["0.0.0.0:8080", "[::1]:8080", "localhost:0"]
public_url = "https://hooks.example.com"
hosts      = ["Hooks.example.com", "[::1]"]
proxy_protocol = false
limits     = { connections = 20, per_address = 10 }

[admin]
listen        = "[::1]:4040"
allowed_hosts = ["LOCALHOST"]

[store]
path      = "/var/lib/hookhouse"
reserve   = "64MB"
retention = { age = "off", size = "1TiB" }

[source.x-prod]
provider        = "x"
path            = "/webhooks/twitter"
methods         = ["POST", "GET"]
consumer_secret = { env = "X_CONSUMER_SECRET" }
oauth2_client_secret = { env = "X_CLIENT_SECRET" }
previous_secrets = [{ file = "x.old", until = "2026-12-01T00:00:00Z" }]
crc             = { signature = "require", rate = "10/m", shape = "x-strict", key = "oauth2", max_age = "1h" }
allow_ips       = ["@x"]
max_body        = "2MiB"
dedupe          = { window = "0s" }
deliver         = ["app"]
heal            = false

[source.calls]
provider    = "twilio"
path        = "/webhooks/twilio/voice"
public_url  = "https://hooks.example.com:8443/prefix"
auth_token  = { env = "TWILIO_AUTH_TOKEN" }
shared_keys = { k1 = { secret = { env = "OTHER_SECRET" }, algorithm = "HMAC_SHA256" } }
allow_ips   = ["192.0.2.0/24"]

[source.billing]
provider = "hmac"
path     = "/webhooks/billing"
secret   = { env = "BILLING_SECRET" }
hmac     = { digest = "sha256", header = "X-Signature", prefix = "sha256=", encoding = "hex", message = ["body"] }
answer   = { status = 202, content_type = "application/json", body = "{}" }

[destination.app]
url         = "http://127.0.0.1:3000/hooks?a=b"
allow_loopback = true
timeout     = "3s"
concurrency = 2
retry       = { schedule = ["5s", "2m"], jitter = 0 }
sign        = { standard_webhooks = { env = "APP_SIGNING_SECRET" } }
"#;

#[test]
fn every_key_of_the_manual_is_read() {
    let house = House::new();
    let config = house.config(WHOLE);
    assert_eq!(
        config.server.listen.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["0.0.0.0:8080", "[::1]:8080", "127.0.0.1:0"]
    );
    assert_eq!(config.server.public_url.unwrap().to_string(), "https://hooks.example.com");
    assert_eq!(config.server.hosts, ["hooks.example.com", "[::1]"]);
    assert_eq!(config.server.limits, Limits { connections: 20, per_address: 10 });
    assert_eq!(
        (config.admin.listen.to_string().as_str(), config.admin.allowed_hosts),
        ("[::1]:4040", vec!["localhost".to_owned()])
    );
    assert_eq!(config.store.path.to_str(), Some("/var/lib/hookhouse"));
    assert_eq!(
        (config.store.reserve, config.store.retention_age, config.store.retention_size),
        (64_000_000, None, Some(1 << 40))
    );

    let [x, calls, billing] = config.sources.try_into().unwrap();
    assert_eq!((x.name.as_str(), x.path.as_str(), x.provider.as_str()), ("x-prod", "/webhooks/twitter", "x"));
    assert_eq!(
        (x.methods, x.max_body, x.dedupe_window),
        (vec!["POST".to_owned(), "GET".to_owned()], 2 << 20, Duration::ZERO)
    );
    assert_eq!((x.allow_ips.enforce.len(), x.allow_ips.monitor.len()), (0, 9));
    assert_eq!(x.challenge_limit.unwrap().rate().to_string(), "10 in 60 s");
    assert_eq!(x.deliver[0].as_str(), "app");
    assert_eq!(x.public_url.unwrap().port(), None);
    assert!(matches!(x.verifier, Verifier::X(_)) && matches!(x.signer.unwrap().signer, Signer::X));

    assert_eq!(
        (calls.methods, calls.answer, calls.dedupe_window),
        (vec!["POST".to_owned()], Answer::twiml(), Duration::from_secs(7 * 86_400))
    );
    assert_eq!((calls.allow_ips.enforce.len(), calls.allow_ips.monitor.len()), (1, 0));
    assert!(calls.challenge_limit.is_none());
    assert_eq!(calls.public_url.unwrap().port(), Some(8443));
    assert!(matches!(calls.signer.unwrap().signer, Signer::Twilio { shared_key: None, .. }));

    let answer = Answer { status: 202, content_type: Some("application/json".to_owned()), body: "{}".into() };
    assert_eq!(billing.answer, answer);
    assert_eq!(billing.verifier.provider(), "hmac");

    let [app] = config.destinations.try_into().unwrap();
    assert_eq!((app.url.to_string().as_str(), app.allow_loopback), ("http://127.0.0.1:3000/hooks?a=b", true));
    assert_eq!((app.timeout, app.concurrency), (Duration::from_secs(3), 2));
    assert_eq!(app.retry.pauses, [Duration::from_secs(5), Duration::from_secs(120)]);
    assert_eq!(app.retry.jitter, 0.0);
    assert!(matches!(app.sign, Some(DestinationSigning::StandardWebhooks(_))));
}

#[test]
fn what_is_left_out_has_its_default() {
    let house = House::new();
    let config = house.config(
        "[source.a]\nprovider = \"x\"\npath = \"/a\"\nconsumer_secret = { credential = \"x\" }\ndeliver = [\"app\"]\n\
         [source.b]\nprovider = \"none\"\npath = \"/b\"\n[destination.app]\nurl = \"https://app.example.com\"\n",
    );
    assert_eq!(config.server.listen[0].to_string(), "127.0.0.1:8080");
    assert_eq!((config.server.limits, config.server.public_url.is_none()), (Limits::default(), true));
    assert_eq!(
        (config.admin.listen.to_string().as_str(), config.admin.allowed_hosts.len()),
        ("127.0.0.1:4040", 0)
    );
    assert_eq!(config.store.path, house.path(".hookhouse"));
    assert_eq!(config.store.reserve, 32_000_000);
    assert_eq!(config.store.retention_age, Some(Duration::from_secs(30 * 86_400)));
    assert_eq!(config.store.retention_size, Some(20_000_000_000));
    let [x, inbox] = config.sources.try_into().unwrap();
    assert_eq!((x.methods, x.max_body), (vec!["GET".to_owned(), "POST".to_owned()], 1 << 20));
    assert_eq!((inbox.methods, inbox.answer), (vec!["POST".to_owned()], Answer::empty()));
    assert!(matches!(inbox.verifier, Verifier::Unsigned) && inbox.signer.is_none());
    let [app] = config.destinations.try_into().unwrap();
    assert_eq!((app.allow_loopback, app.timeout, app.concurrency), (false, Duration::from_secs(10), 16));
    let pauses: Vec<_> = app.retry.pauses.iter().map(Duration::as_secs).collect();
    assert_eq!(pauses, [5, 30, 120, 600, 3_600, 21_600, 86_400]);
    assert_eq!(app.retry.jitter, 0.2);
    assert!(app.sign.is_none());
}

#[test]
fn a_described_scheme_becomes_its_descriptor() {
    let read = |hmac: &str| {
        let source = format!(
            "[source.a]\nprovider = \"hmac\"\npath = \"/a\"\nsecret = {{ env = \"BILLING_SECRET\" }}\n\
             public_url = \"https://hooks.example.com\"\nhmac = {hmac}\n"
        );
        match House::new().config(&source).sources.remove(0).signer.unwrap().signer {
            Signer::Hmac(descriptor) => descriptor,
            other => panic!("{other:?}"),
        }
    };
    let plain = read("{ header = \"S\" }");
    assert_eq!((plain.digest, plain.scheme.as_ref()), (Digest::Sha256, "hmac-sha256"));
    assert_eq!(plain.message.as_ref(), [Part::Body]);
    assert_eq!((plain.timestamp, plain.dedupe_id), (None, None));

    let rich = read(
        "{ digest = \"sha512\", header = \"S\", encoding = \"base64url\", \
         key_value = { delimiter = \";\", signature = \"v1\", timestamp = \"t\" }, \
         message = [\"literal:v0:\", \"timestamp\", \"literal::\", \"method\", \"url\", \"path\", \"query\", \"header:X-Id\", \"body\"], \
         dedupe_id = \"header:X-Id\", event_type = \"json:event.type\" }",
    );
    assert_eq!((rich.digest, rich.scheme.as_ref()), (Digest::Sha512, "hmac-sha512"));
    assert_eq!(rich.signature.encoding, Encoding::Base64Url);
    let items = Parse::KeyValue { delimiter: ';', signature: "v1".into(), timestamp: Some("t".into()) };
    assert_eq!(rich.signature.parse, items);
    let timestamp = rich.timestamp.unwrap();
    assert_eq!(
        (timestamp.from, timestamp.tolerance),
        (TimestampFrom::SignatureField, Duration::from_secs(300))
    );
    assert_eq!(rich.message[0], Part::Literal("v0:".into()));
    assert_eq!(rich.message[2], Part::Literal(":".into()));
    assert_eq!(rich.message[7], Part::Header("X-Id".into()));
    assert_eq!(rich.event_type, Some(Locator::Json("event.type".into())));

    let list = read("{ header = \"S\", space_list = \"v1,\", digest = \"sha1\", key = \"utf8\" }");
    assert_eq!(
        (list.signature.parse, list.digest),
        (Parse::SpaceList { version: "v1,".into() }, Digest::Sha1)
    );
}

#[test]
fn a_scheme_that_proves_nothing_is_refused() {
    let house = House::new();
    let said: Vec<_> = [
        "{}",
        "{ header = \"no header\" }",
        "{ header = \"S\", prefix = \"a\", space_list = \"b\" }",
        "{ header = \"S\", message = [\"literal:x\"] }",
        "{ header = \"S\", message = [\"timestamp\", \"body\"] }",
        "{ header = \"S\", message = [\"header:\"] }",
        "{ header = \"S\", timestamp = { header = \"T\" } }",
        "{ header = \"S\", message = [\"url\"] }",
        "{ header = \"S\", key = \"hex\" }",
        "{ header = \"S\", key_value = { delimiter = \"ab\" } }",
        "{ header = \"S\", key_value = { timestamp = \"t\" } }",
        "{ header = \"S\", dedupe_id = \"X-Id\" }",
        "\"sha256\"",
    ]
    .iter()
    .map(|hmac| {
        let source = format!(
            "[source.a]\nprovider = \"hmac\"\npath = \"/a\"\nsecret = {{ env = \"HEX\" }}\nhmac = {hmac}\n"
        );
        house.messages(&source).join("\n")
    })
    .collect();
    insta::assert_snapshot!(said.join("\n"));
}

/// A key whose feature is not built is an error that says so; what switches a feature off is fine.
#[test]
fn what_is_not_built_is_never_ignored() {
    let house = House::new();
    let app = |line: &str| {
        format!("{SOURCE}deliver = [\"app\"]\n[destination.app]\nurl = \"http://10.0.0.1\"\n{line}\n")
    };
    let files = [
        format!("[admin]\nlisten = \"unix:/run/hookhouse.sock\"\n{SOURCE}"),
        app("filter = 'true'"),
        app("transform = { jq = '.' }"),
    ];
    let said: Vec<_> = files.iter().map(|file| house.said(file)).collect();
    for (said, file) in said.iter().zip(&files) {
        assert_eq!(said.iter().map(|found| found.code).collect::<Vec<_>>(), [Code::NotBuilt], "{file}");
    }
    let lines: Vec<_> = said
        .iter()
        .flatten()
        .map(|found| format!("{}\n    {}", found.message, found.help.as_deref().unwrap_or_default()))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

/// Case S01, and what else no destination may be.
#[test]
fn a_destination_that_must_not_be_dialled_is_refused() {
    let house = House::new();
    let code = |url: &str, loopback: bool| {
        let source = format!(
            "{SOURCE}deliver = [\"app\"]\n[destination.app]\nurl = \"{url}\"\nallow_loopback = {loopback}\n"
        );
        house.said(&source).iter().map(|found| found.code).collect::<Vec<_>>()
    };
    for url in [
        "http://169.254.169.254/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://0x7f.1/",
        "http://2130706433/",
    ] {
        assert_eq!(code(url, true), [Code::DestinationDenied], "{url}");
    }
    assert_eq!(code("http://127.0.0.1/", false), [Code::DestinationDenied]);
    assert_eq!(code("http://localhost:3000/", false), [Code::DestinationDenied]);
    for own in ["http://127.0.0.1:4040/", "http://localhost:8080/", "http://[::ffff:127.0.0.1]:4040/"] {
        assert_eq!(code(own, true), [Code::DestinationDenied], "{own}");
    }
    for good in [
        "http://127.0.0.1:3000/",
        "http://localhost:3000/",
        "http://[::1]:3000/",
        "http://10.0.0.1",
        "https://app.example.com/a?b",
    ] {
        assert_eq!(code(good, true), [], "{good}");
    }
    for bad in [
        "",
        "/hooks",
        "app.example.com",
        "ftp://app.example.com/",
        "http://u:p@app.example.com/",
        "http://a/#b",
        "http://a:0/",
        "http://a:/",
        "http://a:99999/",
        "http://ä.example/",
    ] {
        assert_eq!(code(bad, true), [Code::Value], "{bad}");
    }
}

#[test]
fn addresses_are_counted_or_refused_as_the_mode_says() {
    let house = House::new();
    let lists = |list: &str, mode: &str| {
        let source = format!("{SOURCE}allow_ips = {list}\n{mode}\n");
        let loaded = house.read(&source).unwrap();
        let allow = &loaded.config.sources[0].allow_ips;
        (allow.enforce.len(), allow.monitor.len(), loaded.warnings.len())
    };
    let (set, own, both) = ("[\"@x\"]", "[\"10.0.0.0/8\"]", "[\"@x\", \"10.0.0.0/8\"]");
    let mode = |mode: &str| format!("allow_ips_mode = \"{mode}\"");
    assert_eq!([lists(set, ""), lists(own, ""), lists(both, "")], [(0, 9, 0), (1, 0, 0), (1, 10, 1)]);
    assert_eq!([lists(set, &mode("enforce")), lists(both, &mode("enforce"))], [(9, 0, 0), (10, 0, 0)]);
    assert_eq!([lists(own, &mode("monitor")), lists(both, &mode("off"))], [(0, 1, 0), (0, 0, 0)]);
    assert_eq!(house.messages(&format!("{SOURCE}{}", mode("enforce"))).len(), 1);
    assert!(house.messages(&format!("{SOURCE}{}", mode("off"))).is_empty());
}

#[test]
fn x_is_verified_by_the_secret_that_its_challenges_are_answered_with() {
    let house = House::new();
    let x = |lines: &str| house.said(&format!("[source.a]\nprovider = \"x\"\npath = \"/a\"\n{lines}"));
    let oauth2 = "oauth2_client_secret = { env = \"X_CLIENT_SECRET\" }\n";
    assert!(x(&format!("{oauth2}crc = {{ key = \"oauth2\" }}\n")).is_empty());
    for wrong in
        ["", oauth2, "consumer_secret = { env = \"X_CONSUMER_SECRET\" }\ncrc = { key = \"oauth2\" }\n"]
    {
        let said = x(wrong);
        assert_eq!(said.iter().map(|found| found.code).collect::<Vec<_>>(), [Code::MissingKey], "{wrong}");
    }
}

#[test]
fn a_signed_url_is_configured_and_never_taken_from_the_host_header() {
    let house = House::new();
    let twilio =
        "[source.a]\nprovider = \"twilio\"\npath = \"/a\"\nauth_token = { env = \"TWILIO_AUTH_TOKEN\" }\n";
    let said = house.messages(twilio);
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("`public_url` is missing") && said[0].contains("Host"), "{said:?}");
    assert!(house.messages(&format!("[server]\npublic_url = \"https://h.example\"\n{twilio}")).is_empty());
    // A wrong one is reported where it is wrong, and not called missing besides.
    for (server, own) in [("nonsense", ""), ("https://h.example", "public_url = \"nonsense\"\n")] {
        let said = house.messages(&format!("[server]\npublic_url = \"{server}\"\n{twilio}{own}"));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("config.value: `public_url`"), "{said:?}");
    }
}

/// A cluster is described in one place; who we are to it is a reference like any other secret.
#[cfg(feature = "jetstream")]
#[test]
fn a_cluster_is_described_by_its_section() {
    use crate::config::{ClusterCredentials, Durability};

    let house = House::new();
    let config = house.config(&format!(
        "[store]\nurl = [\"nats://a:4222\", \"tls://b:4222\"]\nprefix = \"hooks\"\nreplicas = 5\n\
         credentials = {{ user = \"hookhouse\", password = {{ env = \"SHORT\" }} }}\n\
         monitor = \"http://a:8222\"\ndurability = \"relaxed\"\ntls = {{ ca = \"ca.pem\" }}\n{SOURCE}",
    ));
    let cluster = config.store.cluster.expect("it is a cluster");
    assert_eq!(cluster.servers, ["nats://a:4222", "tls://b:4222"]);
    assert_eq!((cluster.prefix.as_str(), cluster.replicas), ("hooks", 5));
    assert_eq!(cluster.monitors, ["http://a:8222"]);
    assert_eq!(cluster.durability, Durability::Relaxed);
    assert_eq!(cluster.tls.expect("given").ca, Some(house.path("ca.pem")));
    assert!(matches!(cluster.credentials, ClusterCredentials::Password { user, .. } if user == "hookhouse"));
}

/// What cannot be a cluster is refused where it stands, and no password is repeated.
#[cfg(feature = "jetstream")]
#[test]
fn what_is_no_cluster_is_refused() {
    let house = House::new();
    let lines = [
        "url = \"http://host:4222\"",
        "url = []",
        "url = \"nats://me:hush@host:4222\"",
        "url = \"nats://host\"\nreplicas = 2",
        "url = \"nats://host\"\nprefix = \"a.b\"",
        "url = \"nats://host\"\ncredentials = { user = \"me\" }",
        "url = \"nats://host\"\nmonitor = \"nats://host:8222\"",
        "replicas = 3",
        "durability = \"trusted\"",
    ];
    for line in lines {
        let said = house.said(&format!("[store]\n{line}\n{SOURCE}"));
        assert_eq!(said.len(), 1, "{line}: {said:?}");
        assert!(!format!("{said:?}").contains("hush"), "{line}");
    }
}

/// A build without the cluster's store says so.
#[cfg(not(feature = "jetstream"))]
#[test]
fn a_cluster_needs_its_feature() {
    let said = House::new().said(&format!("[store]\nurl = \"nats://host:4222\"\n{SOURCE}"));
    assert_eq!(said.iter().map(|found| found.code).collect::<Vec<_>>(), [Code::NotBuilt]);
}
