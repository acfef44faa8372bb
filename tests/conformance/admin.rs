//! The admin listener: who may reach it, from where, and what a session is worth.

use std::io::Write;
use std::process::{Command, Stdio};

use hookhouse_testkit::blackbox::{Answer, House, eventually, request, send};

use crate::{Case, Driver};

pub(crate) const DRIVERS: &[(&str, Driver)] =
    &[("U01", u01), ("U02", u02), ("U03", u03), ("U04", u04), ("U05", u05), ("U07", u07)];

const HOUSE: &str = "[source.inbox]\nprovider = \"none\"\npath = \"/in\"\n";

fn root(house: &House) -> String {
    std::fs::read_to_string(house.store().join("admin.token")).expect("a token").trim().to_owned()
}

/// A problem of the admin side has the case's status, and the case's word as the end of its type.
fn problem(case: &Case, answer: &Answer) {
    case.answered(answer);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{}", case.id);
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    let kind = format!("urn:hookhouse:problem:{}", case.public.replace('_', "-"));
    assert_eq!(problem["type"], kind.as_str(), "{}: {problem}", case.id);
}

/// The file's code is in the log.
fn logged(case: &Case, house: &House) {
    let wanted = format!("\"event\":\"{}\"", case.code());
    eventually("it is in the log", || house.log().iter().any(|line| line.contains(&wanted)).then_some(()));
}

fn post(house: &House, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut all = vec![("Host", "localhost")];
    all.extend(headers);
    send(house.admin, &request("POST", target, &all, body.as_bytes()))
}

fn login(house: &House, headers: &[(&str, &str)], token: &str) -> Answer {
    let mut all = vec![("Content-Type", "application/json")];
    all.extend(headers);
    post(house, "/login", &all, &format!(r#"{{"token":"{token}"}}"#))
}

/// `name=value` of the cookie that an answer sets.
fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").expect("a cookie");
    set.split(';').next().unwrap_or_default().to_owned()
}

fn status(house: &House, cookie: &str) -> Answer {
    let headers = [("Host", "localhost"), ("Cookie", cookie)];
    send(house.admin, &request("GET", "/api/v1/status", &headers, b""))
}

fn u01(case: &Case) {
    let house = House::start(HOUSE, &[]);
    let bearer = format!("Bearer {}", root(&house));
    let paths = ["/api/v1/status", "/metrics", "/login", "/livez", "/api/v1/openapi.json"];
    for path in paths {
        let ask = request("GET", path, &[("Authorization", &bearer)], b"");
        case.refused(&send(house.ingress, &ask));
    }
    case.recorded(&house, paths.len());
}

fn u02(case: &Case) {
    let house = House::start(HOUSE, &[]);
    let bearer = format!("Bearer {}", root(&house));
    for host in ["attacker.example", "127.0.0.1.attacker.example", "localhost.attacker.example:4040", "[::2]"]
    {
        let ask = request("GET", "/api/v1/status", &[("Host", host), ("Authorization", &bearer)], b"");
        problem(case, &send(house.admin, &ask));
    }
    for host in ["localhost", "127.0.0.1:4040", "[::1]:4040", "LOCALHOST"] {
        let ask = request("GET", "/api/v1/status", &[("Host", host), ("Authorization", &bearer)], b"");
        assert_eq!(send(house.admin, &ask).status, 200, "{host}");
    }
    logged(case, &house);
}

fn u03(case: &Case) {
    let house = House::start(HOUSE, &[]);
    let session = cookie(&login(&house, &[], &root(&house)));
    let write = |headers: &[(&str, &str)], body: &str| {
        let mut all = vec![("Cookie", session.as_str())];
        all.extend(headers);
        post(&house, "/api/v1/replays", &all, body)
    };
    const JSON: (&str, &str) = ("Content-Type", "application/json");
    for foreign in [
        &[JSON, ("Sec-Fetch-Site", "cross-site")][..],
        &[JSON, ("Sec-Fetch-Site", "same-site")],
        &[JSON, ("Origin", "https://attacker.example")],
        &[JSON, ("Origin", "null")],
        &[("Content-Type", "text/plain")],
        &[("Content-Type", "application/x-www-form-urlencoded")],
    ] {
        problem(case, &write(foreign, r#"{"dry_run":true}"#));
    }
    // Logging in is a change of state too: another site's page must not log its visitor in as somebody else.
    problem(case, &login(&house, &[("Origin", "https://attacker.example")], &root(&house)));
    for own in [&[JSON][..], &[JSON, ("Sec-Fetch-Site", "same-origin"), ("Origin", "http://localhost")]] {
        assert_eq!(write(own, r#"{"dry_run":true}"#).status, 200, "{own:?}");
    }
    logged(case, &house);
}

fn u04(case: &Case) {
    let house = House::start(HOUSE, &[]);
    for _ in 0..5 {
        assert_eq!(login(&house, &[], "hkh_wrong").status, 401);
    }
    for token in ["hkh_wrong", &root(&house)] {
        let sixth = login(&house, &[], token);
        problem(case, &sixth);
        let seconds: u64 = sixth.header("retry-after").and_then(|text| text.parse().ok()).expect("seconds");
        assert!((1..=61).contains(&seconds), "{seconds}");
    }
    logged(case, &house);
    // Another address, and a program with a token, are not touched by it.
    let bearer = format!("Bearer {}", root(&house));
    let ask = request("GET", "/api/v1/status", &[("Host", "localhost"), ("Authorization", &bearer)], b"");
    assert_eq!(send(house.admin, &ask).status, 200);
    let body = format!(r#"{{"token":"{}"}}"#, root(&house));
    assert_eq!(from_another_address(&house, &body), "204");
}

/// What an administrator at 127.0.0.2 is answered who logs in.
fn from_another_address(house: &House, body: &str) -> String {
    let url = format!("http://{}/login", house.admin);
    let mut curl = Command::new("curl")
        .args([
            "--silent",
            "--interface",
            "127.0.0.2",
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_code}",
        ])
        .args(["--header", "Content-Type: application/json", "--data-binary", "@-", &url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl is installed");
    let mut stdin = curl.stdin.take().expect("stdin is piped");
    stdin.write_all(body.as_bytes()).expect("curl reads");
    drop(stdin);
    let output = curl.wait_with_output().expect("curl ends");
    String::from_utf8(output.stdout).expect("a status")
}

/// That a session ends after twelve hours is shown beside its code, where the clock can be set.
fn u05(case: &Case) {
    let house = House::start(HOUSE, &[]);
    let begun = login(&house, &[], &root(&house));
    assert_eq!(begun.status, 204);
    let set = begun.header("set-cookie").expect("a cookie").to_owned();
    for attribute in ["Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=43200"] {
        assert!(set.contains(attribute), "{set}");
    }
    assert!(!set.contains("Secure") && !set.contains("Domain"), "{set}");
    let secure =
        login(&house, &[("Origin", "https://localhost"), ("Sec-Fetch-Site", "same-origin")], &root(&house));
    let secure = secure.header("set-cookie").expect("a cookie");
    assert!(secure.starts_with("__Host-hookhouse=") && secure.contains("; Secure"), "{secure}");

    let session = cookie(&begun);
    assert_eq!(status(&house, &session).status, 200);
    let (name, value) = session.split_once('=').expect("a pair");
    let mut flipped = value.as_bytes().to_vec();
    flipped[0] = if flipped[0] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).expect("ASCII");
    for tampered in [&flipped, "", &value[1..], &format!("{value}A")] {
        problem(case, &status(&house, &format!("{name}={tampered}")));
    }
    logged(case, &house);

    // A token that is taken away takes its sessions with it.
    let made = post(
        &house,
        "/api/v1/tokens",
        &[("Content-Type", "application/json"), ("Cookie", &session)],
        r#"{"name":"a","scopes":["read"]}"#,
    );
    let made: serde_json::Value = serde_json::from_slice(&made.body).expect("JSON");
    let other = cookie(&login(&house, &[], made["secret"].as_str().expect("a text")));
    assert_eq!(status(&house, &other).status, 200);
    let revoke = format!("/api/v1/tokens/{}", made["id"].as_str().expect("an id"));
    let revoked = request("DELETE", &revoke, &[("Host", "localhost"), ("Cookie", &session)], b"");
    assert_eq!(send(house.admin, &revoked).status, 204);
    problem(case, &status(&house, &other));

    let ended = post(&house, "/logout", &[("Cookie", &session)], "");
    assert_eq!(ended.status, 204);
    assert!(ended.header("set-cookie").is_some_and(|set| set.contains("Max-Age=0")));
    problem(case, &status(&house, &session));
}

fn u07(case: &Case) {
    let house = House::start(HOUSE, &[]);
    let payload = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/><script>alert(2)</script>";
    let sent = send(house.ingress, &request("POST", "/in", &[("Content-Type", "image/svg+xml")], payload));
    assert_eq!(sent.status, 200);
    let id = house.api("events")["data"][0]["id"].as_str().expect("an id").to_owned();
    let bearer = format!("Bearer {}", root(&house));
    let headers = [("Host", "localhost"), ("Authorization", bearer.as_str())];
    let download = send(house.admin, &request("GET", &format!("/api/v1/events/{id}/raw"), &headers, b""));
    case.answered(&download);
    assert_eq!(download.body, payload);
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        ("content-disposition", "attachment"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox"),
    ] {
        assert_eq!(download.header(name), Some(value), "{name}");
    }
}
