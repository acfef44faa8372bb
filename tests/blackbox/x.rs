//! `hookhouse x` against a scripted X: what is asked, what is shown, how it ends.

use hookhouse_testkit::blackbox::{House, hookhouse};
use hookhouse_testkit::receiver::{Behaviour, Received, Receiver};
use serde_json::{Value, json};

const SECRET: &str = "consumer-secret-of-the-x-commands";
const BEARER: &str = "bearer-of-the-x-commands";
const KEY: &str = "consumer-key-of-the-x-commands";
const TOKEN: &str = "access-token-of-the-x-commands";

/// A server with an X source, and the X that its commands speak to.
struct Place {
    house: House,
    x: Receiver,
    _runtime: tokio::runtime::Runtime,
}

const VARIABLES: [(&str, &str); 5] =
    [("SECRET", SECRET), ("BEARER", BEARER), ("KEY", KEY), ("TOKEN", TOKEN), ("TOKEN_SECRET", TOKEN)];

fn config(base: &str) -> String {
    format!(
        "[source.x-prod]\nprovider = \"x\"\npath = \"/webhooks/x\"\nconsumer_secret = {{ env = \"SECRET\" }}\n\
         api = {{ bearer = {{ env = \"BEARER\" }}, consumer_key = {{ env = \"KEY\" }}, \
         access_token = {{ env = \"TOKEN\" }}, access_token_secret = {{ env = \"TOKEN_SECRET\" }}, base = \"{base}\" }}\n"
    )
}

impl Place {
    /// X answers by the method and the path.
    fn new(answer: impl Fn(&str, &str) -> (u16, Value) + Send + 'static) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let x = runtime.block_on(Receiver::start()).expect("a port");
        x.decide(move |asked: &Received| {
            let (status, body) = answer(&asked.method, &asked.target);
            Behaviour::status(status).header("Content-Type", "application/json").body(body.to_string())
        });
        let house = House::start(&config(&x.url("")), &VARIABLES);
        Self { house, x, _runtime: runtime }
    }

    fn tell(&self, arguments: &[&str]) -> (i32, String, String) {
        let all: Vec<_> = std::iter::once("x").chain(arguments.iter().copied()).collect();
        let told = self.house.tell(&all);
        for hidden in [SECRET, BEARER, KEY, TOKEN] {
            assert!(!told.1.contains(hidden) && !told.2.contains(hidden), "{told:?}");
        }
        told
    }

    /// What X was asked: method, path and body.
    fn asked(&self) -> Vec<String> {
        let line = |asked: &Received| {
            format!("{} {} {}", asked.method, asked.target, String::from_utf8_lossy(&asked.body))
                .trim_end()
                .to_owned()
        };
        self.x.received().iter().map(line).collect()
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/webhooks/x", self.house.ingress.port())
    }
}

const LIST: &str = "GET /2/webhooks?webhook_config.fields=created_at%2Cid%2Curl%2Cvalid";

fn webhooks(url: &str, valid: bool) -> Value {
    json!({ "data": [{ "id": "123", "url": url, "valid": valid, "created_at": "2026-11-22T12:00:00.000Z" }] })
}

#[test]
fn a_source_is_registered_and_then_known() {
    use std::sync::{Arc, Mutex};
    let registered = Arc::new(Mutex::new(None::<String>));
    let noted = Arc::clone(&registered);
    let place = Place::new(move |method, _| {
        let noted = noted.lock().expect("nobody panics with it");
        match (method, &*noted) {
            ("GET", None) => (200, json!({ "data": [] })),
            ("GET", Some(url)) => (200, webhooks(url, true)),
            ("POST", Some(url)) => (200, json!({ "data": webhooks(url, true)["data"][0] })),
            ("POST", None) => (400, json!({ "errors": [{ "message": "WebhookLimitExceeded: 1 of 1" }] })),
            _ => (200, json!({ "data": { "valid": true } })),
        }
    });
    // The only place is taken by another URL.
    let (code, _, err) = place.tell(&["webhooks", "register", "x-prod"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("all the webhooks that it may have") && err.contains("delete the webhook"), "{err}");

    *registered.lock().expect("nobody panics with it") = Some(place.url());
    let (code, out, err) = place.tell(&["webhooks", "register", "x-prod"]);
    assert_eq!(
        (code, out.as_str()),
        (0, format!("registered before, validated again: 123  valid    {}\n", place.url()).as_str()),
        "{err}"
    );
    let asked = place.asked();
    let create = format!("POST /2/webhooks {{\"url\":\"{}\"}}", place.url());
    assert_eq!(asked, [LIST, create.as_str(), LIST, LIST, "PUT /2/webhooks/123", LIST]);
    assert_eq!(place.x.received()[0].header("authorization"), Some(format!("Bearer {BEARER}").as_str()));

    let (code, out, _) = place.tell(&["webhooks", "list", "-o", "json"]);
    assert_eq!(code, 0);
    let list: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(list["data"][0]["id"], "123");
    let (code, out, _) = place.tell(&["webhooks", "list"]);
    assert_eq!(
        (code, out.as_str()),
        (0, format!("123  valid    {}  (source x-prod)\n", place.url()).as_str())
    );
}

#[test]
fn status_says_what_x_says_and_what_is_seen_from_here() {
    let place = Place::new(|_, _| (200, json!({ "data": [] })));
    let (code, out, _) = place.tell(&["webhooks", "status"]);
    assert_eq!(code, 7, "{out}");
    assert!(out.contains("not registered; `hookhouse x webhooks register x-prod`"), "{out}");
    assert!(out.contains("a challenge was answered rightly in "), "{out}");

    let url = place.url();
    let own = url.clone();
    place.x.decide(move |_| Behaviour::status(200).body(webhooks(&own, true).to_string()));
    let (code, out, _) = place.tell(&["webhooks", "status", "-o", "jsonl"]);
    assert_eq!(code, 0, "{out}");
    let status: Value = serde_json::from_str(out.trim()).expect("a JSON line");
    assert_eq!((&status["webhook"]["valid"], &status["probe"]["answered"]), (&json!(true), &json!(true)));

    place.x.decide(move |_| Behaviour::status(200).body(webhooks(&url, false).to_string()));
    let (code, out, _) = place.tell(&["webhooks", "status", "--no-probe"]);
    assert_eq!(code, 7);
    assert!(out.contains("webhook 123, INVALID") && !out.contains("from here"), "{out}");
}

/// A server with another secret, or none at all: X is not even asked.
#[test]
fn a_url_that_is_not_ready_is_not_registered() {
    let mut place = Place::new(|_, _| (500, Value::Null));
    let variables = VARIABLES
        .map(|(name, value)| (name, if name == "SECRET" { "another secret of the server" } else { value }));
    let told = place
        .house
        .command(&["x", "webhooks", "register", "x-prod"])
        .envs(variables)
        .output()
        .expect("the binary starts");
    assert_eq!(told.status.code(), Some(7));
    let err = String::from_utf8_lossy(&told.stderr).into_owned();
    // Our own challenge is signed with a secret that the server does not know.
    assert!(err.contains("answered the challenge with 403"), "{err}");
    place.house.kill();
    let (code, _, err) = place.tell(&["webhooks", "register", "x-prod"]);
    assert_eq!(code, 7, "{err}");
    assert!(err.contains("could not be called from here"), "{err}");
    assert!(place.asked().is_empty());
}

#[test]
fn a_dry_run_shows_the_request_and_sends_nothing() {
    let place = Place::new(|_, _| (500, Value::Null));
    let (code, out, _) = place.tell(&["webhooks", "register", "x-prod", "--dry-run"]);
    assert_eq!(code, 0);
    let base = place.x.url("");
    let expected = format!(
        "POST {base}/2/webhooks\nauthorization: Bearer ***\ncontent-type: application/json\n\n{{\"url\":\"{}\"}}\n\n",
        place.url()
    );
    assert_eq!(out, expected);
    let (code, out, _) = place.tell(&["subscriptions", "add", "--webhook", "12", "--dry-run", "-o", "json"]);
    assert_eq!(code, 0);
    let shown: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(shown["data"][0]["url"], format!("{base}/2/account_activity/webhooks/12/subscriptions/all"));
    assert!(
        shown["data"][0]["headers"][0][1].as_str().is_some_and(|value| value.starts_with("OAuth ")),
        "{shown}"
    );
    // Without the id, the webhook would have to be looked for.
    let (code, _, err) = place.tell(&["webhooks", "validate", "--dry-run"]);
    assert_eq!(code, 2, "{err}");
    for arguments in [
        &["webhooks", "list", "--dry-run"][..],
        &["webhooks", "delete", "12", "--dry-run"],
        &["webhooks", "status", "--dry-run"],
        &["subscriptions", "count", "--dry-run"],
        &["activity", "list", "--dry-run"],
        &["activity", "unsubscribe", "1", "2", "--dry-run"],
        &["activity", "subscribe", "post.create", "--user", "7", "--webhook", "12", "--dry-run"],
        &["stream", "link", "12", "--post-fields", "id,text", "--dry-run"],
        &["stream", "unlink", "12", "--dry-run"],
    ] {
        let (code, out, err) = place.tell(arguments);
        assert_eq!(code, 0, "{arguments:?}: {err}");
        assert!(out.contains(&base) && out.contains("***"), "{out}");
    }
    assert!(place.asked().is_empty());
}

#[test]
fn subscriptions_of_each_kind_are_made_listed_and_ended() {
    let place = Place::new(|method, target| {
        let one = json!({ "subscription_id": "55", "event_type": "post.create", "filter": { "user_id": "7" }, "tag": "t", "webhook_id": "12" });
        match (method, target.split('?').next().unwrap_or_default()) {
            ("POST", "/2/activity/subscriptions") => (200, json!({ "data": { "subscription": one } })),
            ("GET", "/2/activity/subscriptions") if target.contains("pagination_token") => {
                (200, json!({ "data": [one] }))
            }
            ("GET", "/2/activity/subscriptions") => {
                (200, json!({ "data": [one], "meta": { "next_token": "n" } }))
            }
            ("PUT", "/2/activity/subscriptions/55") => (204, Value::Null),
            ("DELETE", "/2/activity/subscriptions") => (200, json!({ "data": { "deleted": true } })),
            ("POST", "/2/account_activity/webhooks/12/subscriptions/all") => {
                (200, json!({ "data": { "subscribed": true } }))
            }
            ("GET", "/2/account_activity/webhooks/12/subscriptions/all/list") => (
                200,
                json!({ "data": { "webhook_id": "12", "subscriptions": [{ "user_id": "9007199254740993" }] } }),
            ),
            ("DELETE", _) => (200, json!({ "data": { "subscribed": false, "deleted": true } })),
            ("GET", "/2/account_activity/subscriptions/count") => {
                (200, json!({ "data": { "provisioned_count": "3", "subscriptions_count_all": "1" } }))
            }
            ("POST", "/2/tweets/search/webhooks/12") => (200, json!({ "data": { "provisioned": true } })),
            ("GET", "/2/tweets/search/webhooks") => {
                (200, json!({ "data": { "links": [{ "webhook_id": "12", "fields": ["id"] }] } }))
            }
            _ => (404, Value::Null),
        }
    });
    let line = "55  post.create           user 7  tag t  to webhook 12\n";
    for (arguments, shown) in [
        (
            &["activity", "subscribe", "post.create", "--user", "7", "--tag", "t", "--webhook", "12"][..],
            line.to_owned(),
        ),
        (&["activity", "list"], line.repeat(2)),
        (&["activity", "update", "55", "--tag", "u"], "changed subscription 55\n".to_owned()),
        (&["activity", "unsubscribe", "55", "56"], "2 subscription(s) ended\n".to_owned()),
        (
            &["subscriptions", "add", "--webhook", "12"],
            "subscribed: the user's events come to webhook 12 within ten seconds\n".to_owned(),
        ),
        (&["subscriptions", "list", "--webhook", "12"], "9007199254740993\n".to_owned()),
        (&["subscriptions", "remove", "7", "--webhook", "12"], "user 7 is no longer subscribed\n".to_owned()),
        (&["subscriptions", "count"], "1 of 3 subscriptions\n".to_owned()),
        (&["stream", "link", "12"], "posts that match go to webhook 12\n".to_owned()),
        (&["stream", "list"], "12  with id\n".to_owned()),
        (&["stream", "unlink", "12"], "posts no longer go to webhook 12\n".to_owned()),
    ] {
        let (code, out, err) = place.tell(arguments);
        assert_eq!((code, out), (0, shown), "{arguments:?}: {err}");
    }
    assert!(
        place.asked().contains(&"DELETE /2/activity/subscriptions?ids=55%2C56".to_owned()),
        "{:?}",
        place.asked()
    );
}

#[test]
fn a_replay_is_widened_to_minutes_and_checked_before_it_is_asked_for() {
    let place = Place::new(|_, _| (200, json!({ "data": { "job_id": "7" } })));
    let (code, _, err) = place.tell(&[
        "webhooks",
        "replay",
        "12",
        "--from",
        "2020-01-01T00:00:00Z",
        "--to",
        "2020-01-01T01:00:00Z",
    ]);
    assert_eq!(code, 2);
    assert!(err.contains("more than 24 hours ago"), "{err}");
    assert!(place.asked().is_empty());
    let (code, _, err) = place.tell(&[
        "webhooks",
        "replay",
        "12",
        "--from",
        "2099-01-01T00:00:00Z",
        "--to",
        "2099-01-01T01:00:00Z",
    ]);
    assert_eq!(code, 2);
    assert!(err.contains("less than 31 minutes ago"), "{err}");
}

#[test]
fn every_end_has_its_code() {
    let answers = [
        (401, json!({ "title": "Unauthorized" }), 5, "copy the credentials anew"),
        (403, json!({ "reason": "client-not-enrolled", "detail": "x" }), 5, "Pay-per-use"),
        (400, json!({ "errors": [{ "message": "WebhookIdInvalid: 12" }] }), 4, "shows the ids of this app"),
        (503, Value::Null, 6, "in a few minutes"),
        (
            400,
            json!({ "errors": [{ "message": "CrcValidationFailed: Invalid response_token" }] }),
            7,
            "within three seconds",
        ),
        (402, json!({ "detail": "no credits" }), 1, "buy credits"),
        (
            429,
            json!({ "errors": [{ "code": 88, "message": "Rate limit exceeded" }] }),
            1,
            "more calls before will not help",
        ),
    ];
    let place = Place::new(|_, _| (500, Value::Null));
    for (status, body, expected, advice) in answers {
        place.x.decide(move |_| Behaviour::status(status).body(body.to_string()));
        let (code, out, err) = place.tell(&["webhooks", "delete", "12"]);
        assert_eq!((code, out.as_str()), (expected, ""), "{status}: {err}");
        assert!(err.contains("what to do: ") && err.contains(advice), "{err}");
    }
    let (code, _, err) = place.tell(&["webhooks", "list", "--source", "nobody"]);
    assert_eq!(code, 4, "{err}");

    // Nobody there.
    let address = place.x.address();
    drop(place.x);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = |config: &str, arguments: &[&str]| {
        std::fs::write(folder.path().join("hookhouse.toml"), config).expect("the folder is ours");
        let mut command = hookhouse();
        command.current_dir(folder.path()).envs(VARIABLES).args(arguments);
        let output = command.output().expect("the binary starts");
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let whole = format!("{}[store]\npath = \"store\"\n", config(&format!("http://{address}")));
    let (code, err) = run(&whole, &["x", "webhooks", "list"]);
    assert_eq!(code, 6, "{err}");
    assert!(err.contains("did not answer"), "{err}");

    // No credentials, and too many.
    let bare = "[source.a]\nprovider = \"x\"\npath = \"/a\"\nconsumer_secret = { env = \"SECRET\" }\n[store]\npath = \"store\"\n";
    let (code, err) = run(bare, &["x", "webhooks", "list"]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("no X source has an `api`"), "{err}");
    let two = format!(
        "{whole}{}",
        config("http://127.0.0.1:9").replace("x-prod", "x-test").replace("/x\"", "/y\"")
    );
    let (code, err) = run(&two, &["x", "webhooks", "list"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("say which with --source"), "{err}");
    // No user's credentials for what a user does.
    let app = whole.replace(
        "access_token = { env = \"TOKEN\" }, access_token_secret = { env = \"TOKEN_SECRET\" }, ",
        "",
    );
    let (code, err) = run(&app, &["x", "subscriptions", "add", "--webhook", "12"]);
    assert_eq!(code, 5, "{err}");
    assert!(err.contains("`access_token`"), "{err}");
}
