//! Values that are not stored: they are in nothing that comes after verification, and everything else is as it came.

use hookhouse_testkit::blackbox::{House, eventually, request, send};
use hookhouse_testkit::receiver::Receiver;
use hookhouse_verify::Secret;
use hookhouse_verify::x::sign_post;

const SECRET: &str = "consumer-secret-of-this-test-0001";

/// The line of the guide.
fn guide() -> String {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides/privacy.md");
    let guide = std::fs::read_to_string(guide).expect("the guide is there");
    let line = guide.lines().find(|line| line.starts_with("redact = ")).expect("its line");
    line.to_owned()
}

#[test]
fn what_is_redacted_is_verified_first_and_never_stored() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let application = runtime.block_on(Receiver::start()).expect("a port");
    let config = format!(
        "[source.x]\nprovider = \"x\"\npath = \"/x\"\nconsumer_secret = {{ env = \"SECRET\" }}\ndeliver = [\"app\"]\n{}\n\
         [destination.app]\nurl = \"{}\"\nallow_loopback = true\n",
        guide(),
        application.url("/")
    );
    let mut house = House::start(&config, &[("SECRET", SECRET)]);
    let post = |target: &str, body: &str| {
        let signature = sign_post(&Secret::new(SECRET).expect("not empty"), body.as_bytes());
        let headers = [("x-twitter-webhooks-signature", signature.as_str()), ("X-Api-Key", "canary-1")];
        send(house.ingress, &request("POST", target, &headers, body.as_bytes())).status
    };
    let body = r#"{"for_user_id":"1", "user": {"email" : "canary-2","name":"seen"},"items":[{"address":["canary-3"]}],"n":1e2}"#;
    assert_eq!(post("/x?a=1&token=canary-4", body), 200);
    assert_eq!(post("/x?a=1&token=canary-5", body), 200, "a repeat is recognised by what was received");
    assert_eq!(post("/x", &body.replace("canary-2", "canary-6")), 200, "and another one is another one");
    runtime.block_on(application.wait_for(2));

    let stored = r#"{"for_user_id":"1", "user": {"email" : "[redacted]","name":"seen"},"items":[{"address":"[redacted]"}],"n":1e2}"#;
    let events = house.events();
    assert_eq!(events.len(), 2);
    assert_eq!(
        (&events[0]["body"], &events[0]["target"]),
        (&stored.into(), &"/x?a=1&token=%5Bredacted%5D".into())
    );
    assert_eq!(events[0]["provenance"]["redacted"], serde_json::json!(["headers", "query", "json"]));
    assert_eq!((&events[0]["verified"], &events[1]["body"]), (&true.into(), &stored.into()));
    let received = application.received();
    let first = received.iter().find(|one| one.header("hookhouse-redacted") == Some("headers, query, json"));
    let first = first.expect("the delivery says so");
    assert_eq!((&first.body[..], first.header("x-api-key")), (stored.as_bytes(), Some("[redacted]")));
    let id = events[0]["id"].as_str().expect("an id");
    let (_, said, _) = house.tell(&["events", "get", id]);
    assert!(said.contains("redacted before it was stored: headers, query, json"), "{said}");
    let page = house.page(&format!("/events/{id}"));
    assert!(page.contains("Redacted before it was stored: headers, query, json"), "{page}");

    assert_eq!(post("/x", "{\"user\":{\"email\":\"canary-7\""), 403, "X sends objects");
    eventually("its refusal", || (house.refusals().len() == 1).then_some(()));
    assert!(house.stop().success());
    for entry in std::fs::read_dir(house.store()).expect("ours") {
        let path = entry.expect("ours").path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        assert!(!bytes.windows(7).any(|part| part == b"canary-"), "{}", path.display());
    }
}

#[test]
fn mistakes_in_the_rules_are_found() {
    let folder = tempfile::tempdir().expect("a folder");
    for (rules, said) in [
        ("{ json = [\"user/email\"] }", "begins with `/`"),
        ("{ headers = [\"two words\"] }", "names of headers"),
        ("{ form = [\"\"] }", "this one is empty"),
        ("{}", "says nothing"),
        ("{ body = [\"x\"] }", "unknown key `body`"),
    ] {
        let text = format!("[source.in]\nprovider = \"none\"\npath = \"/in\"\nredact = {rules}\n");
        std::fs::write(folder.path().join("hookhouse.toml"), text).expect("ours");
        let mut check = hookhouse_testkit::blackbox::hookhouse();
        let output = check.current_dir(folder.path()).arg("check").output().expect("it starts");
        let all =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(output.status.code() == Some(3) && all.contains(said), "{rules}: {all}");
    }
}
