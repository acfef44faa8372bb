//! Traces: what a collector gets, decoded.

use hookhouse_testkit::blackbox::{House, eventually, request, send};
use hookhouse_testkit::receiver::Receiver;
use serde_json::Value;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// Everything that a collector was sent.
fn spans(collector: &Receiver) -> Vec<Value> {
    let mut all = Vec::new();
    for export in collector.received() {
        assert_eq!((export.method.as_str(), export.target.as_str()), ("POST", "/v1/traces"));
        assert_eq!(export.header("content-type"), Some("application/json"));
        assert_eq!(export.header("x-key"), Some("a b"), "the headers of the environment");
        let document: Value = serde_json::from_slice(&export.body).expect("JSON");
        for resource in document["resourceSpans"].as_array().expect("a list") {
            assert_eq!(text(&resource["resource"]["attributes"], "service.name"), "hooks");
            for scope in resource["scopeSpans"].as_array().expect("a list") {
                all.extend(scope["spans"].as_array().expect("a list").iter().cloned());
            }
        }
    }
    all
}

/// The value of an attribute.
fn text(attributes: &Value, key: &str) -> String {
    let all = attributes.as_array().expect("a list");
    let found = all.iter().find(|attribute| attribute["key"] == key);
    let value = found.map(|attribute| &attribute["value"]);
    let text = value.and_then(|value| value["stringValue"].as_str().or_else(|| value["intValue"].as_str()));
    text.unwrap_or_default().to_owned()
}

fn of(span: &Value, key: &str) -> String {
    text(&span["attributes"], key)
}

#[test]
fn a_request_and_each_try_of_its_delivery_are_spans_of_one_trace() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let collector = runtime.block_on(Receiver::start()).unwrap();
    let receiver = runtime.block_on(Receiver::start()).unwrap();
    let config = format!(
        "[source.inbox]\nprovider = \"none\"\npath = \"/in\"\ndeliver = [\"app\"]\n\
         [source.hub]\nprovider = \"github\"\npath = \"/hub\"\nsecret = {{ env = \"S\" }}\n\
         [destination.app]\nurl = \"http://{}/hooks\"\nallow_loopback = true\n",
        receiver.address()
    );
    let endpoint = format!("http://{}", collector.address());
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b"),
        ("OTEL_SERVICE_NAME", "hooks"),
        ("S", "a webhook secret of ours"),
    ];
    let mut house = House::start(&config, &variables);
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let traced = [("traceparent", traceparent.as_str())];
    assert_eq!(send(house.ingress, &request("POST", "/in", &traced, b"canary")).status, 200);
    let event = runtime.block_on(receiver.wait_for(1)).remove(0);
    assert_eq!(
        event.header("traceparent"),
        Some(traceparent.as_str()),
        "the application's spans join the trace"
    );
    let event = event.header("hookhouse-event-id").unwrap().to_owned();
    assert_eq!(send(house.ingress, &request("POST", "/hub", &[], b"canary")).status, 403);

    let find = |what: &str, passes: &dyn Fn(&Value) -> bool| {
        eventually(what, || spans(&collector).into_iter().find(|span| passes(span)))
    };
    let received = find("the request", &|span| of(span, "hookhouse.outcome") == "accepted");
    assert_eq!((&received["traceId"], &received["parentSpanId"]), (&TRACE.into(), &PARENT.into()));
    assert_eq!((received["name"].as_str(), received["kind"].as_u64()), (Some("POST inbox"), Some(2)));
    assert_eq!(of(&received, "hookhouse.event_id"), event);
    assert_eq!(of(&received, "http.response.status_code"), "200");
    let stored = find("the store's part", &|span| span["name"] == "store append");
    let tried = find("the try", &|span| span["name"] == "deliver app");
    for below in [&stored, &tried] {
        assert_eq!((&below["traceId"], &below["parentSpanId"]), (&TRACE.into(), &received["spanId"]));
        let nanos = |key: &str| below[key].as_str().expect("text").parse::<u64>().expect("a number");
        assert!(nanos("startTimeUnixNano") <= nanos("endTimeUnixNano"));
    }
    assert_eq!(
        (of(&tried, "hookhouse.attempt"), of(&tried, "http.response.status_code")),
        ("1".into(), "200".into())
    );
    let refused = find("the refusal", &|span| of(span, "hookhouse.outcome") == "refused");
    assert_eq!(of(&refused, "hookhouse.refusal"), "sig.missing");
    assert_ne!(refused["traceId"], TRACE);

    // Hours later, after a restart, a replay finds its place. What was told before the stop has left.
    house.stop();
    house.run();
    let (code, _, said) = house.tell(&["replay", &event]);
    assert_eq!(code, 0, "{said}");
    let replayed = find("the replay", &|span| of(span, "hookhouse.delivery_id").ends_with(":app:1"));
    assert_eq!((&replayed["traceId"], &replayed["parentSpanId"]), (&TRACE.into(), &received["spanId"]));
    house.stop();
    let exported: Vec<u8> = collector.received().iter().flat_map(|export| export.body.to_vec()).collect();
    assert!(!String::from_utf8_lossy(&exported).contains("canary"), "no body leaves");
    let mut ids: Vec<_> = spans(&collector).iter().map(|span| span["spanId"].to_string()).collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "each span once");
}

#[test]
fn a_collector_that_is_away_costs_spans_and_nothing_else() {
    let config = "[source.inbox]\nprovider = \"none\"\npath = \"/in\"\n";
    let mut house = House::start(config, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")]);
    for _ in 0..20 {
        assert_eq!(send(house.ingress, &request("POST", "/in", &[], b"{}")).status, 200);
    }
    eventually("a warning", || house.log().iter().any(|line| line.contains("otlp.lost")).then_some(()));
    assert!(house.stop().success());
    let (code, _, said) = House::start(config, &[])
        .command(&["serve"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        .output()
        .map(|output| {
            (output.status.code(), output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
        })
        .unwrap();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("http/json"), "{said}");
}
