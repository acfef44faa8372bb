//! SendGrid's Event Webhook: a public key instead of a secret.

use hookhouse_testkit::blackbox::{House, request, send};
use serde_json::Value;

#[test]
fn an_event_of_sendgrids_own_passes_and_a_changed_one_does_not() {
    let file = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/sendgrid.json")).unwrap();
    let vectors: Value = serde_json::from_slice(&file).unwrap();
    let case =
        vectors["cases"].as_array().unwrap().iter().find(|case| case["expected_valid"] == true).unwrap();
    let text = |name: &str| case[name].as_str().unwrap();
    let config = "[source.mail]\nprovider = \"sendgrid\"\npath = \"/mail\"\npublic_key = { env = \"KEY\" }\n";
    let house = House::start(config, &[("KEY", text("public_key_b64_spki"))]);
    let post = |body: &str| {
        let headers = [
            ("x-twilio-email-event-webhook-signature", text("signature")),
            ("x-twilio-email-event-webhook-timestamp", text("timestamp")),
        ];
        send(house.ingress, &request("POST", "/mail", &headers, body.as_bytes())).status
    };
    assert_eq!(post(text("payload")), 200);
    assert_eq!(post(text("payload").trim_end()), 403, "not a byte may be missing");
    assert_eq!(post(&text("payload").replace("email", "e-mail")), 403);
    let events = house.events();
    assert_eq!((events.len(), &events[0]["body"]), (1, &Value::from(text("payload"))));

    std::fs::write(house.folder().join("body"), text("payload")).unwrap();
    let (code, out, said) = house.tell(&[
        "verify",
        "sendgrid",
        "--secret-env",
        "KEY",
        "--body",
        "body",
        "-H",
        &format!("X-Twilio-Email-Event-Webhook-Signature: {}", text("signature")),
        "-H",
        &format!("X-Twilio-Email-Event-Webhook-Timestamp: {}", text("timestamp")),
    ]);
    assert_eq!(code, 0, "{out}{said}");
}
