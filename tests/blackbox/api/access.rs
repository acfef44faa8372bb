//! Tokens: what each may do, when it ends, and that it is shown once.

use hookhouse_testkit::blackbox::{House, request, send};
use serde_json::Value;

use super::{HOUSE, ask, receive, root};

fn made(house: &House, scopes: &str) -> (String, String) {
    let body = format!(r#"{{"name":"for a test","scopes":{scopes}}}"#);
    let answer = ask(house, &root(house), ("POST", "tokens"), &[], &body);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let token: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let text = |key: &str| token[key].as_str().expect("a text").to_owned();
    (text("id"), text("secret"))
}

fn metrics(house: &House, token: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    send(house.admin, &request("GET", "/metrics", &[("Host", "localhost"), ("Authorization", &bearer)], b""))
        .status
}

#[test]
fn a_token_opens_what_its_scopes_say() {
    let house = House::start(HOUSE, &[]);
    receive(&house, ["{}".to_owned()]);
    let requests = [("GET", "events", ""), ("POST", "replays", r#"{"dry_run":true}"#), ("GET", "tokens", "")];
    for (scopes, expected, sees_metrics) in [
        (r#"["read"]"#, [200, 403, 403], 403),
        (r#"["write"]"#, [200, 200, 403], 403),
        (r#"["admin"]"#, [200, 200, 200], 200),
        (r#"["metrics"]"#, [403, 403, 403], 200),
        (r#"["read","metrics"]"#, [200, 403, 403], 200),
    ] {
        let (_, token) = made(&house, scopes);
        let answers =
            requests.map(|(method, path, body)| ask(&house, &token, (method, path), &[], body).status);
        assert_eq!((answers, metrics(&house, &token)), (expected, sees_metrics), "{scopes}");
    }
    for nobody in ["", "hkh_", "not a token"] {
        assert_eq!(ask(&house, nobody, ("GET", "events"), &[], "").status, 401);
        assert_eq!(metrics(&house, nobody), 401);
    }
}

#[test]
fn a_token_survives_a_restart_ends_when_it_is_revoked_and_is_nowhere_in_the_store() {
    let mut house = House::start(HOUSE, &[]);
    let (id, token) = made(&house, r#"["read"]"#);
    assert_eq!(ask(&house, &token, ("GET", "status"), &[], "").status, 200);
    house.stop();
    for file in
        std::fs::read_dir(house.store()).expect("a folder").map(|entry| entry.expect("readable").path())
    {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let found = bytes.windows(token.len()).any(|part| part == token.as_bytes());
        assert!(!found, "the token is in {}", file.display());
    }
    house.run();
    assert_eq!(ask(&house, &token, ("GET", "status"), &[], "").status, 200);
    let list = ask(&house, &root(&house), ("GET", "tokens"), &[], "");
    assert!(list.text().contains(&id) && !list.text().contains(&token[4..]), "{}", list.text());
    assert_eq!(ask(&house, &root(&house), ("DELETE", &format!("tokens/{id}")), &[], "").status, 204);
    assert_eq!(ask(&house, &token, ("GET", "status"), &[], "").status, 401);
    assert_eq!(ask(&house, &root(&house), ("DELETE", &format!("tokens/{id}")), &[], "").status, 404);
    assert!(!house.log().iter().any(|line| line.contains(&token)), "no token is in the log");
}

/// The same through the command line, which the owner of the store's folder may use.
#[test]
fn the_command_line_makes_lists_and_revokes_tokens() {
    let house = House::start(HOUSE, &[]);
    let (code, token, told) =
        house.tell(&["token", "create", "grafana", "--scope", "metrics", "--expires", "30d"]);
    assert_eq!(code, 0, "{told}");
    let token = token.trim();
    assert_eq!(metrics(&house, token), 200);
    assert!(!told.contains(token), "the text is data, on stdout alone");
    let list = house.ask(&["token", "ls"]);
    assert_eq!((list[0]["name"].as_str(), list[0]["scopes"][0].as_str()), (Some("grafana"), Some("metrics")));
    assert!(list[0]["expires_at"].is_string() && list[0].get("secret").is_none());
    let id = list[0]["id"].as_str().expect("an id");
    assert_eq!(house.tell(&["token", "revoke", id]).0, 0);
    assert_eq!(metrics(&house, token), 401);
    assert_eq!(house.tell(&["token", "revoke", id]).0, 4, "there is none any more");
    assert_eq!(house.tell(&["token", "create", "nothing"]).0, 2, "a token needs a scope");
}
