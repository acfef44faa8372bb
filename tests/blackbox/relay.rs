//! Relay: the application's own answer, or the fallback; logins.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use hookhouse_testkit::blackbox::{House, eventually, request, send};
use hookhouse_testkit::receiver::{Behaviour, Receiver};

const TWIML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say>Hello</Say></Response>";

fn config(application: SocketAddr, relay: &str) -> String {
    format!(
        "[source.calls]\nprovider = \"none\"\npath = \"/calls\"\nmethods = [\"GET\", \"POST\"]\n\
         relay = {{ to = \"app\", {relay} }}\n\
         [destination.app]\nurl = \"http://{application}/voice\"\nallow_loopback = true\n\
         retry = {{ schedule = [\"50ms\", \"50ms\", \"50ms\"], jitter = 0.0 }}\n"
    )
}

#[test]
fn the_applications_answer_comes_back_and_every_repeat_gets_one() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let application = runtime.block_on(Receiver::start()).unwrap();
    let twiml = Behaviour::status(201)
        .header("content-type", "text/xml")
        .header("set-cookie", "a=1")
        .header("set-cookie", "b=2")
        .header("connection", "x-hop")
        .header("x-hop", "stripped")
        .body(TWIML);
    application.always(twiml);
    let house = House::start(&config(application.address(), "deadline = \"5s\""), &[]);
    for n in 1..=3 {
        let answer = send(house.ingress, &request("POST", "/calls?x=1", &[], b"CallSid=CA1"));
        assert_eq!((answer.status, answer.text()), (201, TWIML));
        assert_eq!(answer.header("content-type"), Some("text/xml"));
        assert_eq!(answer.header("x-hop"), None);
        let cookies: Vec<_> = answer.headers.iter().filter(|(name, _)| name == "set-cookie").collect();
        assert_eq!(cookies.len(), 2);
        assert_eq!(house.events().len(), n, "each was stored before it was relayed");
    }
    let event = house.events()[0]["id"].as_str().unwrap().to_owned();
    let kept = answer_to(&house, &event);
    assert_eq!((kept["status"].as_u64(), kept["body"].as_str()), (Some(201), Some(TWIML)));
    assert!(kept["headers"].as_array().unwrap().contains(&serde_json::json!(["set-cookie", "[redacted]"])));
    assert!(!kept["headers"].to_string().contains("x-hop"), "those of its connection are not kept");
    let (_, shown, _) = house.tell(&["events", "get", &event]);
    assert!(
        shown.contains("answer: 201  app answered after") && shown.contains("<Say>Hello</Say>"),
        "{shown}"
    );
    let got = application.received();
    assert_eq!((got[0].method.as_str(), got[0].target.as_str()), ("POST", "/voice?x=1"));
    assert_eq!(got[0].header("hookhouse-source"), Some("calls"));
    assert_eq!(send(house.ingress, &request("GET", "/calls?Digits=1", &[], b"")).status, 201);
}

/// What the sender of an event was answered; it is kept while the answer is on its way.
pub(super) fn answer_to(house: &House, event: &str) -> serde_json::Value {
    eventually("the answer is kept", || {
        let answer = house.api(&format!("events/{event}"))["answer"].clone();
        Some(answer).filter(|answer| !answer.is_null())
    })
}

#[test]
fn a_late_or_broken_application_gets_the_fallback_or_an_honest_status() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let application = runtime.block_on(Receiver::start()).unwrap();
    let house = House::start(&config(application.address(), "deadline = \"300ms\""), &[]);
    let broken = [
        (Behaviour::Hang, 504),
        (Behaviour::Trickle { status: 200, every: Duration::from_millis(100) }, 504),
        (Behaviour::Close, 502),
        (Behaviour::status(302).header("location", "http://169.254.169.254/"), 502),
        (Behaviour::status(200).header("x-big", "x".repeat(100_000)), 502),
        (Behaviour::Endless { status: 200 }, 502),
        (
            Behaviour::Raw(
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(),
            ),
            502,
        ),
        (Behaviour::Raw("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\ncut".into()), 502),
    ];
    for (n, (behaviour, status)) in broken.into_iter().enumerate() {
        application.next(behaviour);
        let answer = send(house.ingress, &request("POST", "/calls", &[], b"x"));
        assert_eq!(answer.status, status, "number {n}");
        let error = if status == 504 { "upstream_timeout" } else { "upstream_error" };
        assert_eq!(answer.error().as_deref(), Some(error));
        let kept = answer_to(&house, house.events().last().unwrap()["id"].as_str().unwrap());
        assert_eq!(kept["status"], status);
        assert!(kept["failure"].as_str().is_some_and(|why| !why.is_empty()), "{kept}");
    }

    let fallback = "deadline = \"300ms\", on_failure = \"queue\", fallback = { status = 200, content_type = \"text/xml\", body = \"<Response/>\" }";
    let house = House::start(&config(application.address(), fallback), &[]);
    let before = application.received().len();
    application.next(Behaviour::Hang);
    let answer = send(house.ingress, &request("POST", "/calls", &[], b"later"));
    assert_eq!(
        (answer.status, answer.text(), answer.header("content-type")),
        (200, "<Response/>", Some("text/xml"))
    );
    // And the event is delivered afterwards.
    runtime.block_on(application.wait_for(before + 2));
    let delivered = eventually("the delivery", || {
        house.api("deliveries?state=delivered")["data"].as_array()?.first().cloned()
    });
    assert_eq!(delivered["id"], format!("{}:app:1", house.events()[0]["id"].as_str().unwrap()));
}

#[test]
fn curl_logs_in_with_basic_and_with_digest() {
    let login = "basic_auth = { user = \"twilio\", password = { env = \"PASSWORD\" } }\n\
                 digest_auth = { user = \"twilio\", password = { env = \"PASSWORD\" } }\n";
    let source = format!("[source.in]\nprovider = \"none\"\npath = \"/in\"\n{login}");
    let house = House::start(&source, &[("PASSWORD", "open sesame")]);
    let url = format!("http://{}/in", house.ingress);
    let curl = |arguments: &[&str]| {
        let output = Command::new("curl")
            .args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "-d", "hello"])
            .args(arguments)
            .arg(&url)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(curl(&["--basic", "-u", "twilio:open sesame"]), "200");
    assert_eq!(curl(&["--digest", "-u", "twilio:open sesame"]), "200");
    assert_eq!(curl(&["--anyauth", "-u", "twilio:open sesame"]), "200");
    assert_eq!(curl(&["--basic", "-u", "twilio:wrong"]), "401");
    assert_eq!(curl(&["--digest", "-u", "twilio:wrong"]), "401");
    assert_eq!(curl(&[]), "401");
    let events = house.events();
    assert_eq!(events.len(), 3);
    let headers = serde_json::to_string(&events).unwrap();
    assert!(!headers.contains("authorization"), "the credentials end here: {headers}");
    let challenge = send(house.ingress, &request("POST", "/in", &[], b"x"));
    let asked: Vec<_> = challenge.headers.iter().filter(|(name, _)| name == "www-authenticate").collect();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked[0].1.starts_with("Digest") && asked[2].1.starts_with("Basic"), "{asked:?}");
}
