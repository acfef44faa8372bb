//! What can be looked at: lists with their filters, one of each, and the tools.

use hookhouse_testkit::blackbox::{House, eventually, request, send};
use serde_json::{Value, json};

use super::{HOUSE, ask, json as get, receive, root};

const X: &str = r#"
[source.x]
provider = "x"
path = "/x"
consumer_secret = { env = "X_SECRET" }
"#;

const SECRET: &str = "a consumer secret of an app";

fn house() -> House {
    House::start(&format!("{HOUSE}{X}"), &[("X_SECRET", SECRET)])
}

fn bodies(list: &Value) -> Vec<&str> {
    list["data"].as_array().expect("a list").iter().filter_map(|event| event["body"].as_str()).collect()
}

/// What the source's own provider would send: signed by the server, never with its secret shown.
fn signed(house: &House, body: &str) -> Vec<(String, String)> {
    let asked = json!({ "source": "x", "body": body }).to_string();
    let answer = get(house, ("POST", "tools/sign"), &asked);
    assert!(!answer.to_string().contains(SECRET));
    serde_json::from_value(answer["headers"].clone()).expect("headers")
}

#[test]
fn events_are_filtered_searched_and_paged_while_more_come_in() {
    let house = house();
    receive(&house, (0..7).map(|n| format!("number {n}")));
    let body = r#"{"for_user_id":"1","tweet_create_events":[{"id_str":"7","text":"a needle"}]}"#;
    let headers = signed(&house, body);
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(send(house.ingress, &request("POST", "/x", &headers, body.as_bytes())).status, 200);

    let of = |query: &str| get(&house, ("GET", &format!("events?body=true&{query}")), "");
    assert_eq!(bodies(&of("verified=true")), [body]);
    assert_eq!(bodies(&of("verified=false")).len(), 7);
    assert_eq!(bodies(&of("text=NEEDLE")), [body]);
    assert_eq!(bodies(&of("text=number%203")), ["number 3"]);
    assert_eq!(bodies(&of("source=x")), [body]);
    assert_eq!(bodies(&of("since=2100-01-01T00:00:00Z")), Vec::<&str>::new());

    let first = of("limit=3&source=inbox");
    receive(&house, ["later".to_owned()]);
    let cursor = first["next_cursor"].as_str().expect("text, as its numbers may be large").to_owned();
    let second = of(&format!("limit=9&source=inbox&cursor={cursor}"));
    let listed: Vec<_> = bodies(&first).into_iter().chain(bodies(&second)).collect();
    assert_eq!(listed, ["number 6", "number 5", "number 4", "number 3", "number 2", "number 1", "number 0"]);
    assert!(second["next_cursor"].is_null());
    for bad in ["cursor=x", "limit=-1", "since=yesterday", "order=sideways", "bogus=1", "limit=1&limit=2"] {
        let answer = ask(&house, &root(&house), ("GET", &format!("events?{bad}")), &[], "");
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (400, Some("application/problem+json")),
            "{bad}"
        );
    }
}

#[test]
fn a_refusal_is_found_by_the_id_that_its_sender_was_told_and_explained_anew() {
    let house = house();
    let refused = send(house.ingress, &request("POST", "/x", &[], b"{}"));
    let told: Value = serde_json::from_slice(&refused.body).expect("JSON");
    let id = told["id"].as_str().expect("an id").to_owned();
    let found = eventually("the refusal is on record", || {
        let answer = ask(&house, &root(&house), ("GET", &format!("refusals/{id}")), &[], "");
        (answer.status == 200).then_some(answer)
    });
    let found: Value = serde_json::from_slice(&found.body).expect("JSON");
    assert_eq!((found["code"].as_str(), found["source"].as_str()), (Some("sig.missing"), Some("x")));

    let body = r#"{"a":1}"#;
    let good = signed(&house, body);
    let parts =
        |headers: &[(String, String)]| json!({ "source": "x", "headers": headers, "body": body }).to_string();
    let judged = get(&house, ("POST", "tools/verify"), &parts(&good));
    assert_eq!((judged["accepted"].as_bool(), judged["key"].as_str()), (Some(true), Some("consumer_secret")));
    let judged = get(&house, ("POST", "tools/verify"), &parts(&[]));
    assert_eq!((judged["accepted"].as_bool(), judged["code"].as_str()), (Some(false), Some("sig.missing")));
    assert!(judged["findings"].as_array().is_some_and(|findings| !findings.is_empty()), "{judged}");

    let head: String = good.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let pasted = format!("POST /x HTTP/1.1\r\nhost: hooks.example\r\n{head}\r\n{body} ");
    let explained = get(&house, ("POST", "explain"), &json!({ "request": pasted }).to_string());
    assert_eq!(explained["accepted"], false, "a space too many: {explained}");
    assert!(!explained.to_string().contains(&good[0].1), "no signature");
    let nowhere = ask(&house, &root(&house), ("POST", "explain"), &[], r#"{"request":"GET / HTTP/1.1\n\n"}"#);
    assert_eq!(nowhere.status, 400);
}

#[test]
fn sources_and_destinations_have_their_counters() {
    let house = house();
    receive(&house, ["1".to_owned(), "2".to_owned()]);
    assert_eq!(send(house.ingress, &request("POST", "/x", &[], b"{}")).status, 403);
    let inbox = get(&house, ("GET", "sources/inbox"), "");
    assert_eq!((inbox["requests"]["accepted"].as_u64(), inbox["path"].as_str()), (Some(2), Some("/in")));
    // Why it was refused is found out beside the answer.
    eventually("the refusal is counted", || {
        (get(&house, ("GET", "sources/x"), "")["requests"]["refused"] == 1).then_some(())
    });
    let app = eventually("both were tried", || {
        Some(get(&house, ("GET", "destinations/app"), "")).filter(|app| app["attempts"]["failed"] == 2)
    });
    assert_eq!((app["circuit"].as_str(), app["paused"].as_bool()), (Some("closed"), Some(false)));
    for nobody in ["sources/nobody", "destinations/nobody", "refusals/req_0", "replays/rpl_9", "tokens"] {
        let status = ask(&house, &root(&house), ("GET", nobody), &[], "").status;
        assert_eq!(status, if nobody == "tokens" { 200 } else { 404 }, "{nobody}");
    }
}

#[test]
fn the_configuration_in_force_names_its_lines_and_another_one_is_checked() {
    let house = house();
    let config = get(&house, ("GET", "config"), "");
    let of = |key: &str| {
        let settings = config["settings"].as_array().expect("a list");
        settings
            .iter()
            .find(|setting| setting["key"] == key)
            .unwrap_or_else(|| panic!("{key}: {config}"))
            .clone()
    };
    let secret = of("source.x.consumer_secret");
    assert_eq!(secret["value"], json!({ "env": "X_SECRET" }));
    assert!(secret["origin"].as_str().is_some_and(|origin| origin.contains("hookhouse.toml:")), "{secret}");
    assert_eq!(of("source.x.methods")["origin"], "default");
    assert!(!config.to_string().contains(SECRET));

    let check =
        |document: &str| get(&house, ("POST", "config/check"), &json!({ "document": document }).to_string());
    let text = std::fs::read_to_string(house.config_file()).expect("the configuration");
    assert_eq!(check(&text)["ok"], true);
    let wrong = check("[source.a]\nprovider = \"none\"\npath = \"/a\"\npth = 1\n");
    assert_eq!((wrong["ok"].as_bool(), wrong["diagnostics"][0]["line"].as_u64()), (Some(false), Some(4)));
    assert_eq!(wrong["diagnostics"][0]["code"], "config.unknown_key");
    assert!(wrong["rendered"].as_str().is_some_and(|text| text.contains("pth = 1")), "{wrong}");
}
