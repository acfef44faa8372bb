//! `docs/guides/dmz.md`, followed to the letter: its configurations run, its commands are ours, and calls pass.

use std::path::Path;

use hookhouse_testkit::blackbox::{House, eventually, hookhouse};
use hookhouse_verify::Secret;
use hookhouse_verify::twilio::{Algorithm, sign};
use tempfile::TempDir;

use super::Echo;
use super::application::Application;
use super::edge::{Edge, HOST, PORT, TEMPORARY, head};

const GUIDE: &str = include_str!("../../../docs/guides/dmz.md");
const TOKEN: &str = "auth-token-in-a-file-of-its-own-1";
const NEXT_TOKEN: &str = "auth-token-that-is-promoted-later";
const PASSWORD: &str = "Letters1And2Digits3";
const FORM: &str = "CallSid=CA1&CallStatus=ringing&From=%2B14158675309";

/// The code blocks of one language.
fn blocks(language: &str) -> Vec<&'static str> {
    let parts = GUIDE.split("```").skip(1).step_by(2);
    let blocks: Vec<&str> =
        parts.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n')).collect();
    assert!(!blocks.is_empty(), "{language}");
    blocks
}

/// The text with other words; each of them must be there.
fn with(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

/// What stands in `/etc/hookhouse`.
fn credentials() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let secrets =
        [("twilio-auth-token", TOKEN), ("twilio-auth-token-next", NEXT_TOKEN), ("twilio-password", PASSWORD)];
    for (name, secret) in secrets {
        let file = folder.path().join(name);
        std::fs::write(&file, format!("{secret}\n")).expect("the folder is ours");
        let only_the_owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(file, only_the_owner).expect("the file is ours");
    }
    folder
}

/// The guide's configuration, with this machine's addresses.
fn here(application: &Application, echo: &Echo) -> String {
    let url = |address, path| format!("allow_loopback = true\nurl = \"http://{address}{path}\"");
    with(
        blocks("toml")[0],
        &[
            ("\"127.0.0.1:8080\"", "\"127.0.0.1:0\""),
            ("\"/var/lib/hookhouse\"", "\"store\""),
            ("url = \"http://10.0.3.4:3000/voice\"", &url(application.address, "/app/voice")),
            ("url = \"http://10.0.3.4:3000/status\"", &url(application.address, "/app/status")),
            ("url = \"http://10.0.3.4:3000/stream\"", &url(echo.address, "/stream")),
        ],
    )
}

fn house(config: &str, credentials: &Path) -> House {
    House::start(config, &[("CREDENTIALS_DIRECTORY", credentials.to_str().expect("a plain path"))])
}

fn edge(house: &House) -> Edge {
    let block = with(
        blocks("nginx")[0],
        &[
            ("listen      443 ssl;", "listen @address ssl;"),
            ("ssl_certificate     /etc/ssl/hooks.example.com/fullchain.pem;", "@tls"),
            ("ssl_certificate_key /etc/ssl/hooks.example.com/key.pem;", ""),
            ("127.0.0.1:8080", "@house"),
        ],
    );
    Edge::start(&format!("http {{ access_log off; {TEMPORARY}\n{block} }}"), house.ingress)
}

/// What curl brings back for a form that is signed for the URL which the guide gives to Twilio.
fn post(edge: &Edge, path: &str, token: &str, login: &[&str]) -> String {
    let secret = Secret::new(token).expect("not empty");
    let url = format!("https://{HOST}{path}");
    let signature = sign(&secret, Algorithm::HmacSha1, &url, FORM.as_bytes());
    let output = edge
        .curl()
        .args(login)
        .args(["-d", FORM, "-H", &format!("X-Twilio-Signature: {signature}")])
        .arg(format!("https://{HOST}:{PORT}{path}"))
        .output()
        .expect("curl is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_guide_holds() {
    let (application, echo, credentials) = (Application::start(), Echo::start(), credentials());
    let house = house(&here(&application, &echo), credentials.path());
    let edge = edge(&house);

    let login = ["--digest", "-u", &format!("twilio:{PASSWORD}")];
    let answer = post(&edge, "/twilio/voice", TOKEN, &login);
    assert!(answer.contains("<Say>POST +14158675309</Say>"), "{answer}");
    assert!(post(&edge, "/twilio/voice", TOKEN, &[]).contains("unauthorized"), "a login is asked for");
    assert!(post(&edge, "/twilio/voice", NEXT_TOKEN, &login).contains("forbidden"), "and a signature");

    assert_eq!(post(&edge, "/twilio/status", TOKEN, &[]), "<Response/>");
    eventually("the delivery of the status", || {
        house.api("deliveries?state=delivered")["data"].as_array()?.first().cloned()
    });

    let secret = Secret::new(TOKEN).expect("not empty");
    let signature = sign(&secret, Algorithm::HmacSha1, &format!("wss://{HOST}/twilio/stream"), b"");
    let handshake = format!(
        "GET /twilio/stream HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         X-Twilio-Signature: {signature}\r\n\r\n"
    );
    assert!(head(&mut edge.connect(), handshake.as_bytes()).starts_with("HTTP/1.1 101 "));
}

#[test]
fn the_rotation_of_the_guide_lets_both_tokens_through() {
    let (application, echo, credentials) = (Application::start(), Echo::start(), credentials());
    let rotation = blocks("toml")[1].lines().filter(|line| !line.starts_with('#'));
    let rotation = rotation.collect::<Vec<_>>().join("\n");
    let config = here(&application, &echo);
    let token = config.lines().filter(|line| line.starts_with("auth_token")).collect::<Vec<_>>();
    assert_eq!(token.len(), 3);
    let config = token
        .iter()
        .fold(config.clone(), |config, line| config.replace(&format!("{line}\n"), &format!("{rotation}\n")));
    let house = house(&config, credentials.path());
    let edge = edge(&house);
    for token in [TOKEN, NEXT_TOKEN] {
        assert_eq!(post(&edge, "/twilio/status", token, &[]), "<Response/>");
    }
}

/// The commands of the guide that are ours, without what stands in front of them.
fn commands() -> Vec<&'static str> {
    let lines = blocks("console").into_iter().flat_map(str::lines);
    let commands = lines.filter_map(|line| line.strip_prefix("$ "));
    commands
        .filter_map(|line| {
            line.strip_prefix("CREDENTIALS_DIRECTORY=/etc/hookhouse ")
                .unwrap_or(line)
                .strip_prefix("hookhouse ")
        })
        .collect()
}

#[test]
fn the_commands_of_the_guide_are_understood() {
    let commands = commands();
    assert!(commands.len() >= 7, "{commands:?}");
    for command in commands {
        let output = hookhouse().args(command.split(' ')).arg("--help").output().expect("the binary starts");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_checks_of_the_guide_succeed() {
    let (application, echo, credentials) = (Application::start(), Echo::start(), credentials());
    let house = house(&here(&application, &echo), credentials.path());
    let folder = credentials.path().display().to_string();
    let ingress = house.ingress.to_string();
    let emulate = commands().into_iter().find(|command| command.contains("--via")).expect("the command");
    let emulate = with(emulate, &[("127.0.0.1:8080", &ingress), ("/etc/hookhouse", &folder)]);
    for command in [emulate.as_str(), "check"] {
        let (code, out, err) = house.tell(&command.split(' ').collect::<Vec<_>>());
        assert_eq!(code, 0, "{command}: {out}{err}");
    }
    // Whoever only looks needs no credentials.
    for command in ["events ls", "events ls --refused", "deliveries ls"] {
        let mut bare = house.command(&command.split(' ').collect::<Vec<_>>());
        let output = bare.env_remove("CREDENTIALS_DIRECTORY").output().expect("the binary starts");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(house.events().iter().any(|event| event["source"] == "voice"));
}
