//! Applications on Twilio's SDKs, unmodified, take what Hookhouse delivers and relays: signed anew for the destination.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

use hookhouse_testkit::blackbox::{House, eventually, request, send};
use hookhouse_verify::Secret;
use hookhouse_verify::sign::{Draft, Signer};
use hookhouse_verify::twilio::SIGNATURE_HEADER;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::case::{FORM, JSON, TOKEN};
use super::installed;

/// The token that the applications validate with. Twilio has never heard of it.
const INTERNAL_TOKEN: &str = "fedcba9876543210fedcba9876543210";

#[test]
fn a_flask_application_accepts_deliveries_retries_replays_and_relayed_requests() {
    // `request.url` of Flask is the URL with some of its escapes undone, which is not what is signed, by whomever.
    accepts_everything(&|| installed::python("apps/flask_app.py"), "Hello from Flask", 403);
}

#[test]
fn an_express_application_accepts_deliveries_retries_replays_and_relayed_requests() {
    accepts_everything(&|| installed::node("apps/express_app.js"), "Hello from Express", 200);
}

/// An application in a process of its own.
struct Application {
    child: Child,
    accepted: Arc<Mutex<Vec<Value>>>,
}

impl Application {
    fn start(mut program: Command, address: SocketAddr) -> Self {
        program.env("PORT", address.port().to_string()).env("TWILIO_AUTH_TOKEN", INTERNAL_TOKEN);
        let mut child = program.spawn().expect("the application starts");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped"))
            .lines()
            .map_while(Result::ok)
            .map(|line| serde_json::from_str::<Value>(&line).expect("the application writes JSON"));
        assert_eq!(lines.next(), Some("ready".into()));
        let accepted = Arc::<Mutex<Vec<Value>>>::default();
        let writer = Arc::clone(&accepted);
        std::thread::spawn(move || {
            lines.for_each(|line| writer.lock().expect("nobody panics with the list").push(line))
        });
        Self { child, accepted }
    }

    fn accepted(&self) -> Vec<Value> {
        self.accepted.lock().expect("nobody panics with the list").clone()
    }

    /// Waits until it has accepted so many requests, and gives the last.
    fn wait_for(&self, count: usize) -> Value {
        eventually("the application accepts a request", || self.accepted().get(count - 1).cloned())
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends an application everything that Hookhouse can. `escaped` is its answer to a query with escapes that it need not
/// have.
fn accepts_everything(program: &dyn Fn() -> Command, greeting: &str, escaped: u16) {
    // A port of ours that nobody listens on yet.
    let address = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a port");
    let house = house(address);

    // The application is down when the first event comes, and takes the retry.
    let form = b"CallSid=CA1&Body=a+b%26c&Empty=&x=2&x=1";
    assert_eq!(call(&house, "POST", "/calls?step=1", FORM, form), 200);
    eventually("a failed attempt", || {
        house.api("deliveries?state=waiting")["data"].as_array()?.first().map(|_| ())
    });
    let form = id_of(&house, 0);
    let application = Application::start(program(), address);
    let retried = application.wait_for(1);
    assert_eq!((&retried["method"], &retried["query"]), (&json!("POST"), &json!("from=house&step=1")));
    assert_ne!(retried["attempt"], "1", "it was not there for the first");

    // Deliveries at the first attempt: a form, JSON with its digest in the URL, a GET.
    let body = "{\"text\": \"caf\u{e9}\"}";
    for (n, (method, target, content_type, body)) in [
        ("POST", "/calls?step=2&from=%2B1555", FORM, "CallSid=CA2&From=%2B15558675310&Body=%F0%9F%91%8D"),
        ("POST", "/calls?step=3", JSON, body),
        ("GET", "/calls?step=4&CallSid=CA4&text=two+words&more=two%20words", "", ""),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(call(&house, method, target, content_type, body.as_bytes()), 200);
        let delivered = application.wait_for(n + 2);
        assert_eq!((&delivered["method"], &delivered["attempt"]), (&json!(method), &json!("1")));
    }

    // Replays, of the form and of the JSON body.
    let json = id_of(&house, 2);
    for (n, id) in [form, json].into_iter().enumerate() {
        let (code, _, said) = house.tell(&["replay", &id]);
        assert_eq!(code, 0, "{said}");
        application.wait_for(n + 5);
    }

    // A relayed call: the application's own answer comes back.
    let answer = send(house.ingress, &signed("POST", "/live?step=5", FORM, b"CallSid=CA5"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains(greeting), "{}", answer.text());
    assert_eq!(application.wait_for(7)["query"], "from=house&step=5");

    let answer = send(house.ingress, &signed("GET", "/live?name=O%27Hara&city=K%C3%B6ln&at=%40", "", b""));
    assert_eq!(answer.status, escaped, "{}", answer.text());
    let accepted = 7 + usize::from(escaped == 200);
    application.wait_for(accepted);

    // Without `sign` the application sees Twilio's signature, which is for another URL and by another token.
    let answer = send(house.ingress, &signed("POST", "/live-as-it-came", FORM, b"CallSid=CA6"));
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert_eq!(call(&house, "POST", "/calls-as-they-came", FORM, b"CallSid=CA7"), 200);
    eventually("a dead delivery", || {
        house.api("deliveries?state=dead")["data"].as_array()?.first().map(|_| ())
    });
    assert_eq!(application.accepted().len(), accepted);
}

fn house(address: SocketAddr) -> House {
    let source = |name: &str, what: &str| {
        format!(
            "[source.{name}]\nprovider = \"twilio\"\npath = \"/{name}\"\nmethods = [\"GET\", \"POST\"]\n\
             auth_token = {{ env = \"TWILIO_AUTH_TOKEN\" }}\n{what}\n"
        )
    };
    let destination = |name: &str, what: &str| {
        format!(
            "[destination.{name}]\nurl = \"http://{address}/hooks/voice?from=house\"\nallow_loopback = true\n{what}\n"
        )
    };
    let config = [
        "[server]\nlisten = [\"127.0.0.1:0\"]\npublic_url = \"https://hooks.example.com\"\n".to_owned(),
        source("calls", "deliver = [\"app\"]"),
        source("live", "relay = { to = \"app\", deadline = \"10s\" }"),
        source("calls-as-they-came", "deliver = [\"bare\"]"),
        source("live-as-it-came", "relay = { to = \"bare\", deadline = \"10s\" }"),
        destination(
            "app",
            &format!(
                "sign = {{ provider = {{ env = \"INTERNAL_TOKEN\" }} }}\n\
                 retry = {{ schedule = [{}], jitter = 0.0 }}",
                ["\"100ms\""; 500].join(", ")
            ),
        ),
        destination("bare", "retry = { schedule = [\"50ms\"], jitter = 0.0 }"),
    ];
    House::start(&config.concat(), &[("TWILIO_AUTH_TOKEN", TOKEN), ("INTERNAL_TOKEN", INTERNAL_TOKEN)])
}

/// The id of the event that was stored after `n` others.
fn id_of(house: &House, n: usize) -> String {
    house.events()[n]["id"].as_str().expect("an id").to_owned()
}

/// Sends a request that Twilio signed, and tells the status of the answer.
fn call(house: &House, method: &str, target: &str, content_type: &str, body: &[u8]) -> u16 {
    send(house.ingress, &signed(method, target, content_type, body)).status
}

fn signed(method: &str, target: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let draft = Draft {
        method: method.to_owned(),
        url: format!("https://hooks.example.com{target}"),
        content_type: Some(content_type.to_owned()).filter(|it| !it.is_empty()),
        body: body.to_vec().into(),
        id: "evt_1".to_owned(),
        now: Timestamp::UNIX_EPOCH,
    };
    let signer = Signer::for_provider("twilio").expect("Twilio has a signer");
    let signed =
        signer.sign(&Secret::new(TOKEN).expect("it is not empty"), &draft).expect("it can be signed");
    let (_, signature) = &signed.headers[0];
    let mut headers = vec![(SIGNATURE_HEADER, signature.as_str())];
    headers.extend(draft.content_type.as_deref().map(|it| ("Content-Type", it)));
    let target = signed.url.strip_prefix("https://hooks.example.com").expect("the URL is the draft's");
    request(method, target, &headers, body)
}
