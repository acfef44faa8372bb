//! Edited replays: what an operator sends in the place of what was received, and that everybody can tell.

use hookhouse_testkit::blackbox::{House, eventually, request, send};
use hookhouse_testkit::receiver::Receiver;
use hookhouse_verify::Secret;
use hookhouse_verify::sign::{Draft, Signer};
use serde_json::{Value, json};

use crate::api::{ask, json as api, root};

const SECRET: &str = "a webhook secret of ours";

struct Scene {
    runtime: tokio::runtime::Runtime,
    receiver: Receiver,
    house: House,
    event: String,
}

/// One signed event, delivered once.
fn scene(sign: &str) -> Scene {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let receiver = runtime.block_on(Receiver::start()).expect("a free port");
    let house = House::start(
        &format!(
            "[source.hub]\nprovider = \"github\"\npath = \"/hub\"\nsecret = {{ env = \"S\" }}\ndeliver = [\"app\"]\n\
             [destination.app]\nurl = \"http://{}/hooks\"\nallow_loopback = true\n{sign}\n",
            receiver.address()
        ),
        &[("S", SECRET)],
    );
    let body = br#"{"action":"opened"}"#;
    let signed = github(body);
    let headers =
        [("Content-Type", "application/json"), ("X-GitHub-Event", "issues"), (signed.0.as_str(), &signed.1)];
    assert_eq!(send(house.ingress, &request("POST", "/hub?a=1", &headers, body)).status, 200);
    let first = runtime.block_on(receiver.wait_for(1)).remove(0);
    assert_eq!(
        (first.header("hookhouse-edited"), first.header("hookhouse-verified").is_some()),
        (None, true)
    );
    let event = first.header("hookhouse-event-id").expect("an id").to_owned();
    Scene { runtime, receiver, house, event }
}

/// The signature of a body, as its header.
fn github(body: &[u8]) -> (String, String) {
    let draft = Draft {
        method: "POST".to_owned(),
        url: "https://hooks.example.com/hub".to_owned(),
        content_type: None,
        body: body.to_vec().into(),
        id: "1".to_owned(),
        now: "2026-11-22T12:00:00Z".parse().expect("a time"),
    };
    let signer = Signer::for_provider("github").expect("it is in the catalogue");
    let secret = Secret::new(SECRET).expect("it is not empty");
    let signed = signer.sign(&secret, &draft).expect("it can be signed");
    let mut headers = signed.headers.into_iter();
    headers.find(|(name, _)| name.to_ascii_lowercase().contains("signature")).expect("a signature")
}

fn made(answer: &Value) -> String {
    answer["deliveries"][0].as_str().expect("a delivery").to_owned()
}

#[test]
fn an_edited_replay_says_so_everywhere_and_the_event_stays_as_it_was() {
    let Scene { runtime, receiver, house, event } = scene("");
    let before = house.events();
    let token = api(&house, ("POST", "tokens"), r#"{"name":"ci","scopes":["read","write"]}"#);
    let (secret, id) = (token["secret"].as_str().unwrap(), token["id"].as_str().unwrap());
    let path = format!("events/{event}/replay");
    let edit = json!({ "edit": { "body": "{\"action\":\"closed\"}", "headers": [["X-Note", "by hand"]],
        "remove_headers": ["X-GitHub-Event"] } })
    .to_string();
    let once = [("Idempotency-Key", "k1")];
    let answers = [0, 1].map(|_| ask(&house, secret, ("POST", &path), &once, &edit));
    assert_eq!(answers[0].status, 200, "{}", answers[0].text());
    assert_eq!(answers[0].body, answers[1].body, "done once for a key");
    let delivery = made(&serde_json::from_slice(&answers[0].body).unwrap());

    let sent = runtime.block_on(receiver.wait_for(2)).remove(1);
    assert_eq!((&sent.body[..], &*sent.target), (&br#"{"action":"closed"}"#[..], "/hooks?a=1"));
    assert_eq!(sent.header("hookhouse-edited"), Some("true"));
    assert_eq!(sent.header("hookhouse-verified"), Some("none"), "nothing vouches for it");
    assert_eq!(sent.header("hookhouse-event-id"), Some(&*event));
    assert_eq!((sent.header("x-note"), sent.header("x-github-event")), (Some("by hand"), None));
    assert_eq!(sent.header("content-type"), Some("application/json"), "what was not touched stays");
    assert_eq!(sent.header("x-hub-signature-256"), None, "the signature was for other bytes");

    let shown = api(&house, ("GET", &format!("deliveries/{delivery}")), "");
    assert_eq!(shown["edited"]["by"], format!("ci ({id})"));
    let shown = api(&house, ("GET", &format!("deliveries/{delivery}/edit")), "");
    assert_eq!(shown["body"], r#"{"action":"closed"}"#);
    let first = format!("deliveries/{event}:app/edit");
    assert_eq!(ask(&house, secret, ("GET", &first), &[], "").status, 404, "it sent the stored bytes");
    assert_eq!(house.events(), before, "the event is as it was");
    let (_, listed, _) = house.tell(&["deliveries", "ls"]);
    assert!(listed.contains(&format!("edited by ci ({id})")), "{listed}");
    assert_eq!(receiver.received().len(), 2);
}

#[test]
fn what_is_no_edit_is_refused_and_nothing_is_sent() {
    let Scene { receiver, house, event, .. } = scene("");
    let path = format!("events/{event}/replay");
    for (edit, why) in [
        (json!({}), "nothing was changed"),
        (json!({ "body": "a", "body_base64": "YQ==" }), "both"),
        (json!({ "body_base64": "no" }), "not base64"),
        (json!({ "headers": [["Host", "evil.example"]] }), "`host` is not sent on"),
        (json!({ "headers": [["Hookhouse-Verified", "x"]] }), "`hookhouse-verified` is not sent on"),
        (json!({ "headers": [["X-A", "1\r\nX-B: 2"]] }), "is not a header"),
        (json!({ "url": "http://evil.example" }), "unknown field"),
    ] {
        let body = json!({ "edit": edit }).to_string();
        let answer = ask(&house, &root(&house), ("POST", &path), &[], &body);
        assert_eq!(answer.status, 400, "{edit}: {}", answer.text());
        assert!(answer.text().contains(why), "{edit}: {}", answer.text());
    }
    assert_eq!(house.api("deliveries")["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(receiver.received().len(), 1);
}

#[test]
fn a_destination_that_wants_a_signature_gets_one_of_what_is_sent() {
    let Scene { runtime, receiver, house, event } = scene("sign = { provider = { env = \"S\" } }");
    std::fs::write(house.folder().join("body"), b"\0\xff other").unwrap();
    let (code, out, said) = house.tell(&["replay", &event, "--body", "body", "-H", "X-GitHub-Event:"]);
    assert_eq!((code, out.trim()), (0, &*format!("{event}:app:1")), "{said}");
    let sent = runtime.block_on(receiver.wait_for(2)).remove(1);
    assert_eq!(&sent.body[..], b"\0\xff other");
    let (name, value) = github(b"\0\xff other");
    assert_eq!(sent.header(&name.to_ascii_lowercase()), Some(&*value));
    assert_eq!((sent.header("hookhouse-edited"), sent.header("x-github-event")), (Some("true"), None));
}

#[test]
fn an_editor_gets_the_body_and_what_it_leaves_is_sent() {
    let Scene { runtime, receiver, house, event } = scene("");
    let script = house.folder().join("editor.sh");
    std::fs::write(&script, "sed -i s/opened/reopened/ \"$2\"; test \"$1\" = --wait; echo \"$2\" > edited\n")
        .unwrap();
    let run = |editor: &str| {
        let mut command = house.command(&["replay", &event, "--edit"]);
        let output = command.env_remove("VISUAL").env("EDITOR", editor).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(run(&format!("sh {} --wait", script.display())).0, Some(0));
    let sent = runtime.block_on(receiver.wait_for(2)).remove(1);
    assert_eq!(&sent.body[..], br#"{"action":"reopened"}"#);
    let edited = std::fs::read_to_string(house.folder().join("edited")).unwrap();
    assert!(
        edited.trim().ends_with(".json") && !std::path::Path::new(edited.trim()).exists(),
        "it is gone: {edited}"
    );

    let (code, said) = run("true");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("was not changed"), "{said}");
    assert_eq!(run("false").0, Some(1));
    let (code, said) = run("");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("EDITOR"), "{said}");
    let (code, _, said) = house.tell(&["replay", &event, &event, "--edit"]);
    assert_eq!(code, 2, "{said}");
    let settled = || Some(house.api("deliveries")["data"].as_array()?.len()).filter(|count| *count == 2);
    eventually("one replay alone", settled);
}
