//! Canaries: secrets that are looked for in everything that a house puts out.

use std::path::Path;
use std::process::Command;

use data_encoding::BASE64;
use hookhouse_testkit::blackbox::canary::{Canary, random, random_text, sightings};
use hookhouse_testkit::blackbox::{Answer, House, eventually, request, send};
use hookhouse_testkit::certificate::{Authority, Wanted};
use hookhouse_testkit::receiver::Receiver;
use hookhouse_verify::{Secret, twilio, x};

use crate::{Case, Driver};

pub(crate) const DRIVERS: &[(&str, Driver)] = &[("U09", u09), ("U10", u10)];

/// Every slot that a variable fills.
const SLOTS: &[&str] = &[
    "X_SECRET",
    "X_OAUTH2",
    "X_OLD",
    "X_BEARER",
    "X_KEY",
    "X_KEY_SECRET",
    "TWILIO_TOKEN",
    "TWILIO_OTHER",
    "TWILIO_SHARED",
    "BASIC",
    "DIGEST",
    "BILLING",
    "GITHUB",
    "APP_SIGNING",
    "APP_NATIVE",
    "ORG_SECRET",
    "STORE_KEY",
];

const CONFIG: &str = r#"
[server]
listen = ["127.0.0.1:0"]
public_url = "https://hooks.example.com"

[listener.tls]
address = "127.0.0.1:0"
tls = { cert = "cert.pem", key = "key.pem" }

[store]
path = "store"
encrypt = { key = { env = "STORE_KEY" } }

[source.x]
provider = "x"
path = "/x"
consumer_secret = { env = "X_SECRET" }
oauth2_client_secret = { env = "X_OAUTH2" }
previous_secrets = [{ env = "X_OLD" }]
api = { bearer = { env = "X_BEARER" }, base = "http://127.0.0.1:9" }
deliver = ["app", "native", "org"]

[source.x-keys]
provider = "x"
path = "/x-keys"
consumer_secret = { env = "X_KEY_SECRET" }
api = { consumer_key = { env = "X_KEY" }, consumer_secret = { env = "X_KEY_SECRET" }, base = "http://127.0.0.1:9" }

[source.calls]
provider = "twilio"
path = "/calls"
auth_token = { env = "TWILIO_TOKEN" }
accounts = { AC00000000000000000000000000000001 = { env = "TWILIO_OTHER" } }
shared_keys = { one = { secret = { env = "TWILIO_SHARED" }, algorithm = "HMAC_SHA256" } }
basic_auth = { user = "twilio", password = { env = "BASIC" } }
digest_auth = { user = "twilio", password = { env = "DIGEST" } }

[source.billing]
provider = "hmac"
path = "/billing"
secret = { env = "BILLING" }
hmac = { digest = "sha256", header = "X-Signature", encoding = "hex", message = ["body"] }

[source.github]
provider = "github"
path = "/github"
secret = { env = "GITHUB" }

[destination.app]
url = "APPLICATION"
allow_loopback = true
sign = { standard_webhooks = { env = "APP_SIGNING" } }

[destination.native]
url = "APPLICATION"
allow_loopback = true
sign = { provider = { env = "APP_NATIVE" } }

[destination.org]
kind = "salesforce"
login = "https://acme.my.salesforce.com"
client_id = "3MVG9.of.this.test"
client_secret = { env = "ORG_SECRET" }
object = "Case"
external_id = "X_Event_Key__c"
mapping = "x-posts"
"#;

/// What was put out, and by whom.
#[derive(Default)]
struct Artefacts(Vec<(String, Vec<u8>)>);

impl Artefacts {
    fn add(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((name.into(), bytes.into()));
    }

    fn answer(&mut self, name: &str, answer: &Answer) {
        self.add(format!("{name}: headers"), format!("{:?}", answer.headers));
        self.add(name, answer.body.clone());
    }

    fn command(&mut self, mut command: Command, arguments: &[&str]) {
        let output = command.args(arguments).output().expect("the binary starts");
        self.add(format!("{arguments:?} stdout"), output.stdout);
        self.add(format!("{arguments:?} stderr"), output.stderr);
    }

    /// Everything in the store's folder but the token that lies there for its owner.
    fn store(&mut self, house: &House) {
        let mut folders = vec![house.store()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("ours") {
                let path = entry.expect("ours").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.file_name().is_some_and(|name| name != "admin.token") {
                    self.add(path.display().to_string(), std::fs::read(&path).unwrap_or_default());
                }
            }
        }
    }

    fn hold(&self, canaries: &[Canary]) {
        let each = |(name, bytes): &(String, Vec<u8>)| {
            let seen = sightings(canaries, bytes);
            (!seen.is_empty()).then(|| format!("{name}: {seen:?}"))
        };
        let shown: Vec<_> = self.0.iter().filter_map(each).collect();
        assert!(shown.is_empty(), "secrets that show: {shown:#?}");
    }
}

fn value(slots: &[(String, String)], name: &str) -> Secret {
    let (_, value) = slots.iter().find(|(known, _)| known == name).expect("a slot");
    Secret::new(value.as_bytes()).expect("not empty")
}

/// Good, bad and refused requests at every source.
fn traffic(house: &House, slots: &[(String, String)], artefacts: &mut Artefacts) {
    let mut post = |path: &str, headers: &[(&str, &str)], body: &str| {
        let answer = send(house.ingress, &request("POST", path, headers, body.as_bytes()));
        artefacts.answer(&format!("POST {path}"), &answer);
        answer.status
    };
    let tweet = r#"{"for_user_id":"1","tweet_create_events":[{"id_str":"1","text":"hello"}]}"#;
    for (slot, wanted) in [("X_SECRET", 200), ("X_OLD", 200), ("BILLING", 403)] {
        let signature = x::sign_post(&value(slots, slot), format!("{tweet} ").as_bytes());
        let body = if slot == "X_OLD" {
            tweet.replace("hello", "again").replace("\"1\"", "\"2\"")
        } else {
            tweet.to_owned()
        } + " ";
        let signature =
            if slot == "X_OLD" { x::sign_post(&value(slots, slot), body.as_bytes()) } else { signature };
        assert_eq!(post("/x", &[(x::SIGNATURE_HEADER, &signature)], &body), wanted, "{slot}");
    }
    post("/x", &[], tweet);
    let login = |password: &str| {
        let credentials = BASE64.encode(format!("twilio:{password}").as_bytes());
        format!("Basic {credentials}")
    };
    let form = "AccountSid=AC00000000000000000000000000000002&Body=hello";
    let url = "https://hooks.example.com/calls";
    let signature =
        twilio::sign(&value(slots, "TWILIO_TOKEN"), twilio::Algorithm::HmacSha1, url, form.as_bytes());
    let basic = String::from_utf8(value(slots, "BASIC").expose().to_vec()).expect("text");
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let (good, wrong) = (login(&basic), login("a wrong password"));
    let good_headers = [kind, ("Authorization", &good), (twilio::SIGNATURE_HEADER, &signature)];
    assert_eq!(post("/calls", &good_headers, form), 200);
    assert_eq!(
        post("/calls", &[kind, ("Authorization", &good), (twilio::SIGNATURE_HEADER, "AAAA")], form),
        403
    );
    assert_eq!(
        post("/calls", &[kind, ("Authorization", &wrong), (twilio::SIGNATURE_HEADER, &signature)], form),
        401
    );
    assert_eq!(post("/calls", &[kind], form), 401);
    assert_eq!(post("/billing", &[("X-Signature", "00")], "{}"), 403);
    assert_eq!(post("/github", &[("X-Hub-Signature-256", "sha256=00")], "{}"), 403);
    let crc = send(house.ingress, &request("GET", "/x?crc_token=0123456789abcdef0123456789abcdef", &[], b""));
    assert_eq!(crc.status, 200, "{}", crc.text());
    artefacts.answer("CRC", &crc);
}

/// Pages and the API, as an operator and as nobody.
fn admin(house: &House, artefacts: &mut Artefacts) {
    let token = std::fs::read_to_string(house.store().join("admin.token")).expect("a token");
    let bearer = format!("Bearer {}", token.trim());
    let mut get = |target: &str, headers: &[(&str, &str)]| {
        let mut all = vec![("Host", "localhost")];
        all.extend(headers);
        let answer = send(house.admin, &request("GET", target, &all, b""));
        artefacts.answer(&format!("GET {target}"), &answer);
        answer
    };
    let login = format!(r#"{{"token":"{}"}}"#, token.trim());
    let headers = [("Host", "localhost"), ("Content-Type", "application/json")];
    let session = send(house.admin, &request("POST", "/login", &headers, login.as_bytes()));
    let cookie =
        session.header("set-cookie").and_then(|set| set.split(';').next()).expect("a session").to_owned();
    for path in [
        "",
        "config",
        "status",
        "sources",
        "destinations",
        "events",
        "refusals",
        "deliveries",
        "tokens",
        "store",
        "replays",
        "openapi.json",
    ] {
        for headers in [&[("Authorization", bearer.as_str())][..], &[]] {
            get(&format!("/api/v1/{path}"), headers);
        }
    }
    get("/metrics", &[("Authorization", &bearer)]);
    get("/readyz", &[]);
    // Every page that some page leads to.
    let (mut seen, mut next) = (Vec::new(), vec!["/".to_owned()]);
    while let Some(target) = next.pop() {
        if seen.contains(&target) || seen.len() > 200 {
            continue;
        }
        let page = get(&target, &[("Cookie", &cookie)]);
        let text = String::from_utf8_lossy(&page.body).into_owned();
        let links = text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        next.extend(links.filter(|link| link.starts_with('/')).map(|link| link.replace("&amp;", "&")));
        seen.push(target);
    }
    assert!(seen.len() > 10, "{seen:?}");
    let case = r#"{"source":"x","method":"POST","target":"/x","headers":[],"body":"{}"}"#;
    for tool in ["explain", "verify", "sign"] {
        let headers =
            [("Host", "localhost"), ("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let answer =
            send(house.admin, &request("POST", &format!("/api/v1/{tool}"), &headers, case.as_bytes()));
        artefacts.answer(tool, &answer);
    }
}

fn u09(case: &Case) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let application = runtime.block_on(Receiver::start()).expect("a port");
    let slots: Vec<(String, String)> = SLOTS.iter().map(|slot| ((*slot).to_owned(), random_text())).collect();
    let mut canaries: Vec<_> = slots.iter().map(|(slot, text)| Canary::new(slot, text.as_bytes())).collect();
    let bytes = |text: &str| BASE64.decode(text.as_bytes()).expect("it is base64");
    canaries.extend(slots.iter().map(|(slot, text)| Canary::new(slot, &bytes(text))));

    let mut variables: Vec<_> = slots.iter().map(|(slot, text)| (slot.as_str(), text.as_str())).collect();
    variables.push(("HOOKHOUSE_LOG", "trace"));
    let certified = Authority::new().issue(&Wanted::good(&["hooks.example.com"]));
    let (chain, key) = (certified.chain.clone(), certified.key.clone());
    let config = CONFIG.replace("APPLICATION", &application.url("/"));
    let mut house = House::start_with(&config, &variables, |folder: &Path| {
        std::fs::write(folder.join("cert.pem"), &chain).expect("ours");
        std::fs::write(folder.join("key.pem"), &key).expect("ours");
    });
    // The private number stands in the middle of the key.
    let der: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    let der = BASE64.decode(der.as_bytes()).expect("PEM is base64");
    canaries.push(Canary::new("TLS key", der.get(36..68).expect("a P-256 key in PKCS #8")));
    let token = std::fs::read_to_string(house.store().join("admin.token")).expect("a token");
    canaries.push(Canary::new("admin token", token.trim().as_bytes()));

    let mut artefacts = Artefacts::default();
    traffic(&house, &slots, &mut artefacts);
    runtime.block_on(application.wait_for(2));
    for received in application.received() {
        artefacts.add("delivery", format!("{:?} {:?}", received.headers, received.body));
    }
    eventually("the refusals", || (house.refusals().len() >= 6).then_some(()));
    admin(&house, &mut artefacts);
    let copy = house.folder().join("copy.db");
    let copy_name = copy.display().to_string();
    let refused = house.refusals()[0]["request_id"].as_str().expect("an id").to_owned();
    for arguments in [
        &["check"][..],
        &["check", "-o", "json"],
        &["doctor"],
        &["events", "export", "-o", "jsonl"],
        &["events", "ls", "--refused"],
        &["deliveries", "ls"],
        &["explain", &refused],
        &["sources", "ls"],
        &["destinations", "ls"],
        &["db", "stats"],
        &["db", "verify"],
        &["db", "backup", &copy_name],
    ] {
        artefacts.command(house.command(&[]), arguments);
    }
    artefacts.add("backup", std::fs::read(&copy).expect("it was made"));
    artefacts.store(&house);
    let broken = config
        .replace("{ env = \"BILLING\" }", &format!("\"{}\"", slots[11].1))
        .replace("{ env = \"GITHUB\" }", "{ env = \"UNSET\" }");
    house.configure(&broken);
    artefacts.command(house.command(&[]), &["check"]);
    artefacts.command(house.command(&[]), &["serve"]);
    house.configure(&config);
    // A crash says no more than an end in good order.
    let told = Command::new("kill").args(["-ABRT", &house.pid().to_string()]).status().expect("kill");
    assert!(told.success());
    house.kill();
    artefacts.store(&house);
    artefacts.command(house.command(&[]), &["events", "export", "-o", "jsonl"]);
    artefacts.add("log", house.log().join("\n"));
    assert!(artefacts.0.len() > 80, "{}: {} artefacts", case.id, artefacts.0.len());
    assert!(house.log().len() > 50, "a log at trace level");
    artefacts.hold(&canaries);
}

/// The data of a house and its backup, to somebody who has not the key.
fn u10(case: &Case) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let application = runtime.block_on(Receiver::start()).expect("a port");
    let canary = random_text().replace(['+', '/', '='], "x");
    let words = canary.clone();
    // An application that repeats what it was told, and refuses it.
    application.decide(move |_| {
        hookhouse_testkit::receiver::Behaviour::status(422).body(format!("what is {words}?"))
    });
    let key = BASE64.encode(&random());
    let config = format!(
        "[store]\npath = \"store\"\nencrypt = {{ key = {{ env = \"STORE_KEY\" }} }}\n\
         [source.in]\nprovider = \"none\"\npath = \"/in\"\ndeliver = [\"app\"]\n\
         [source.relayed]\nprovider = \"none\"\npath = \"/relayed\"\nrelay = {{ to = \"app\" }}\n\
         [source.signed]\nprovider = \"github\"\npath = \"/signed\"\nsecret = {{ env = \"GITHUB\" }}\n\
         [destination.app]\nurl = \"{}\"\nallow_loopback = true\n",
        application.url("/")
    );
    let mut house = House::start(&config, &[("STORE_KEY", &key), ("GITHUB", &random_text())]);
    let target = |path: &str| format!("{path}?q={canary}");
    for (path, status) in [("/in", 200), ("/relayed", 422), ("/signed", 403), ("/nowhere", 404)] {
        let sent =
            request("POST", &target(path), &[("X-Words", &canary)], format!("body {canary}").as_bytes());
        assert_eq!(send(house.ingress, &sent).status, status, "{path}");
    }
    eventually("an attempt on record", || {
        let all = house.ask(&["events", "ls", "--source", "in"]);
        let event = house.api(&format!("events/{}", all[0]["id"].as_str()?));
        event["attempts"][0]["answer"].as_str()?.contains(&canary).then_some(())
    });
    eventually("refusals on record", || (house.refusals().len() == 2).then_some(()));
    let copy = house.folder().join("copy.db");
    assert_eq!(house.tell(&["db", "backup", &copy.display().to_string()]).0, 0);
    let mut artefacts = Artefacts::default();
    artefacts.add("backup", std::fs::read(&copy).expect("it was made"));
    artefacts.store(&house);
    assert!(house.stop().success());
    artefacts.store(&house);
    assert!(artefacts.0.len() > 5, "{}", case.id);
    let key = Canary::new("key", &BASE64.decode(key.as_bytes()).expect("base64"));
    artefacts.hold(&[Canary::new("payload", canary.as_bytes()), key]);
    let events = house.events();
    assert_eq!(events.len(), 2, "with the key everything is there");
    assert!(events.iter().all(|event| event.to_string().contains(&canary)));
}
