//! Case U06: two hundred texts that are markup, scripts or style somewhere, in every field that a sender fills. None of them
//! runs, none of them trips the Content-Security-Policy, and each is shown as itself.

use hookhouse_testkit::blackbox::{House, eventually, request, send};
use hookhouse_verify::Secret;
use hookhouse_verify::sign::{Draft, Signer};
use serde_json::json;

use crate::server::token;
use crate::{application, browser};

const SECRET: &str = "a webhook secret of ours";

/// What ends whatever a text may have been put into.
const ENDS: [&str; 15] = [
    "",
    "\"",
    "'",
    ">",
    "\">",
    "'>",
    "</script>",
    "</style>",
    "</title>",
    "</textarea>",
    "</pre></code>",
    "-->",
    "]]>",
    "\\",
    "`",
];

/// What does something then.
const DEEDS: [&str; 14] = [
    "<script>hit()</script>",
    "<img src=x onerror=hit()>",
    "<svg onload=hit()><animate onbegin=hit() attributeName=x dur=1s>",
    " onfocus=hit() autofocus tabindex=0 ",
    "<iframe srcdoc='<script>parent.hit()</script>'></iframe>",
    "<details open ontoggle=hit()>",
    "javascript:hit()",
    "<a href=javascript:hit()>x</a>",
    "<style>*{display:none}</style>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content=0;url=//evil.example/>",
    "<form action=//evil.example/><button formaction=javascript:hit()>x",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "${hit()}{{hit()}}<%= hit() %>",
];

fn texts() -> Vec<String> {
    let texts = ENDS.iter().flat_map(|end| DEEDS.iter().map(move |deed| format!("{end}{deed}")));
    let mut texts: Vec<_> = texts.take(196).collect();
    texts.extend(
        [
            "\u{202e}<script>hit()</script>\u{2066}",
            "<scr\u{ad}ipt>hit()",
            "&lt;script&gt;hit()&lt;/script&gt;",
            "<ſcript>hit()",
        ]
        .map(str::to_owned),
    );
    texts
}

/// Every byte but letters and digits, as a target and a form want it.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

/// A header value: what HTTP carries.
fn printable(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect::<String>().trim().to_owned()
}

#[test]
fn two_hundred_texts_in_every_field_are_shown_and_run_nothing() {
    let texts = texts();
    assert_eq!(texts.len(), 200);
    // What arrives comes back: the texts are in what a destination answers, too.
    let application = application::start(|body| (500, body.to_vec()));
    let house = House::start(
        &format!(
            "[source.hub]\nprovider = \"github\"\npath = \"/hub\"\nsecret = {{ env = \"S\" }}\ndeliver = [\"app\"]\n\
             [source.inbox]\nprovider = \"none\"\npath = \"/in\"\ndeliver = [\"app\"]\n\
             [destination.app]\nurl = \"http://{application}/\"\nallow_loopback = true\nconcurrency = 64\n\
             retry = {{ schedule = [\"1h\"], jitter = 0.0 }}\n"
        ),
        &[("S", SECRET)],
    );
    for text in &texts {
        signed(&house, text);
        let target = format!("/in?{0}={0}", encoded(text));
        let form = format!("{0}={0}", encoded(text));
        let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("X-Note", &printable(text))];
        assert_eq!(send(house.ingress, &request("POST", &target, &headers, form.as_bytes())).status, 200);
        let nowhere = format!("/{}", encoded(text));
        assert_eq!(send(house.ingress, &request("POST", &nowhere, &[], b"")).status, 404);
    }
    let mut events = house.events();
    events.retain(|event| event["source"] == "hub");
    for (event, text) in events.iter().zip(&texts) {
        edited(&house, event["id"].as_str().expect("an id"), text);
    }
    eventually("the refusals on record", || (house.refusals().len() == 200).then_some(()));
    let report = browser::run("hostile.js", house.admin, json!({ "token": token(&house), "texts": texts }));
    assert_eq!(report["events"], 400);
    assert_eq!(report["pages"].as_u64().map(|pages| pages > 450), Some(true));
    assert_eq!(report["missing"], json!([]), "each is shown as itself");
    assert_eq!(report["hits"], json!([]), "none runs");
}

/// Replays an event with the text for a body, and in a header.
fn edited(house: &House, id: &str, text: &str) {
    let bearer = format!("Bearer {}", token(house));
    let headers =
        [("Host", "localhost"), ("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let body = json!({ "edit": { "body": text, "headers": [["X-Edited", printable(text)]] } }).to_string();
    let path = format!("/api/v1/events/{id}/replay");
    let answer = send(house.admin, &request("POST", &path, &headers, body.as_bytes()));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// An event whose type is the text: GitHub names it in a header that its signature leaves out.
fn signed(house: &House, text: &str) {
    let body = json!({ "text": text, text: [text] }).to_string();
    let signer = Signer::for_provider("github").expect("it is in the catalogue");
    let secret = Secret::new(SECRET).expect("it is not empty");
    let draft = Draft {
        method: "POST".to_owned(),
        url: "https://hooks.example.com/hub".to_owned(),
        content_type: None,
        body: body.clone().into(),
        id: "1".to_owned(),
        now: "2026-11-22T12:00:00Z".parse().expect("a time"),
    };
    let signed = signer.sign(&secret, &draft).expect("it can be signed");
    let kind = printable(text);
    let mut headers =
        vec![("Content-Type", "application/json"), ("X-GitHub-Event", kind.as_str()), ("X-Note", &kind)];
    headers.extend(signed.headers.iter().map(|(name, value)| (&**name, value.as_str())));
    let answer = send(house.ingress, &request("POST", "/hub", &headers, body.as_bytes()));
    assert_eq!(answer.status, 200, "{}", answer.text());
}
