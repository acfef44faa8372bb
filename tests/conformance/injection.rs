//! What senders say must not command a log or a terminal.

use std::process::{Command, Stdio};

use hookhouse_testkit::blackbox::{House, eventually, hookhouse, request, send};
use serde_json::Value;

use crate::{Case, Driver};

pub(crate) const DRIVERS: &[(&str, Driver)] = &[("U08", u08)];

const CONFIG: &str = r#"
[source.in]
provider = "none"
path = "/in"

[source.forge]
provider = "github"
path = "/forge"
secret = { env = "SECRET" }
"#;

const SECRET: &str = "secret-of-a-forge-0001";

/// A line of our own log, an order to a terminal in seven and in eight bits, and text that runs backwards.
const HOSTILE: &str = "x\r\n{\"level\":\"info\",\"event\":\"forged\"}\r\n\u{1b}[2J\u{1b}]0;pwned\u{7}\u{9b}31m\u{85}\u{7f}\u{202e}txt.exe\u{2066}";

/// Whether a text has something that a terminal or a line reader would obey.
fn obeyed(text: &str) -> Option<char> {
    text.chars().find(|c| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    })
}

/// The longest text in a value.
fn longest(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(longest).max().unwrap_or(0),
        Value::Object(object) => object.values().map(longest).max().unwrap_or(0),
        _ => 0,
    }
}

fn u08(case: &Case) {
    let house = House::start(CONFIG, &[("SECRET", SECRET)]);
    let line = format!("{HOSTILE}{}", "a".repeat((1 << 20) - HOSTILE.len() - 16));
    let json = serde_json::to_vec(&serde_json::json!({ "type": HOSTILE, "text": HOSTILE })).expect("JSON");
    // What hyper takes in a value: bytes of 0x80 and above, and no others that are not printable.
    let value: String = HOSTILE.chars().filter(|c| !c.is_ascii_control()).collect();
    let headers = [("X-Note", value.as_str()), ("User-Agent", value.as_str())];
    for body in [line.as_bytes(), json.as_slice(), HOSTILE.as_bytes()] {
        let answer = send(house.ingress, &request("POST", "/in", &headers, body));
        assert_eq!(answer.status, 200, "{}: as routed", case.id);
    }
    let signature = hookhouse()
        .args(["sign", "github", "--secret-env", "SECRET", "--body", "-", "-o", "json"])
        .env("SECRET", SECRET)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .and_then(|mut child| {
            std::io::Write::write_all(&mut child.stdin.take().expect("piped"), b"{}")?;
            child.wait_with_output()
        })
        .expect("sign runs");
    let signature = String::from_utf8(signature.stdout).expect("UTF-8");
    let signature =
        signature.split('"').find(|word| word.starts_with("sha256=")).expect("a signature").to_owned();
    let kind = format!("{value}{}", "k".repeat(2_000));
    let signed = [
        ("X-GitHub-Event", kind.as_str()),
        ("X-Hub-Signature-256", signature.as_str()),
        ("X-GitHub-Delivery", "1"),
    ];
    assert_eq!(send(house.ingress, &request("POST", "/forge", &signed, b"{}")).status, 200);
    // Refused, with the words in method, path and query.
    let long = format!("/{}", "%0d%0a%1b[2J".repeat(200));
    for (method, target) in
        [("GET", long.as_str()), ("GET", "/\u{202e}\u{9b}31m?\u{202e}"), ("M\u{7c}M", "/in")]
    {
        assert!(send(house.ingress, &request(method, target, &headers, b"")).status >= 400);
    }
    let refusals = eventually("the refusals on record", || Some(house.refusals()).filter(|r| r.len() == 3));

    eventually("every line is written", || {
        let log = house.log();
        let count = |outcome: &str| {
            log.iter().filter(|line| line.contains(&format!("\"outcome\":\"{outcome}\""))).count()
        };
        (count("accepted") == 4 && count("refused") == 3).then_some(())
    });
    for line in house.log() {
        assert_eq!(obeyed(&line), None, "{line}");
        let parsed: Value =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("not one line of JSON: {line}"));
        assert_ne!(parsed["event"], "forged");
        let ours = matches!(parsed["level"].as_str(), Some("INFO" | "WARN" | "ERROR"));
        assert!(!ours || longest(&parsed) <= 256, "{line}");
    }

    let events = house.events();
    assert_eq!(events.len(), 4);
    let ids: Vec<_> = events.iter().map(|event| event["id"].as_str().expect("an id").to_owned()).collect();
    let refused = refusals.iter().map(|refusal| refusal["request_id"].as_str().expect("an id").to_owned());
    let mut commands: Vec<Vec<String>> = vec![vec!["events".into(), "ls".into()]];
    commands.extend(ids.iter().map(|id| vec!["events".into(), "get".into(), id.clone()]));
    commands.extend(refused.map(|id| vec!["explain".into(), id]));
    for arguments in commands {
        for format in ["human", "json", "jsonl"] {
            let mut arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            arguments.extend(["-o", format]);
            let (_, out, err) = house.tell(&arguments);
            assert!(!out.is_empty(), "{arguments:?}: {err}");
            for text in [&out, &err] {
                assert_eq!(
                    obeyed(text),
                    None,
                    "{arguments:?}: {:?}",
                    text.chars().take(500).collect::<String>()
                );
            }
        }
    }
    // As it came, for a file; on a terminal it is looked at, not obeyed.
    let raw = house.command(&["events", "raw", &ids[2]]).output().expect("the binary starts");
    assert_eq!(raw.stdout, HOSTILE.as_bytes());
    let shown = on_a_terminal(house.command(&["events", "raw", &ids[2]]));
    // The terminal itself ends lines with CRLF.
    assert_eq!(obeyed(&shown.replace("\r\n", "\n")), None, "{shown:?}");
    assert!(shown.contains("\\u{1b}[2J"), "{shown:?}");
}

/// What a command writes to a terminal: `script` of util-linux makes one.
fn on_a_terminal(command: Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line: Vec<_> = words.map(|word| format!("'{}'", word.to_str().expect("UTF-8"))).collect();
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line.join(" "), "/dev/null"]).env_clear();
    script.current_dir(command.get_current_dir().expect("the house's folder"));
    for (name, value) in command.get_envs() {
        script.env(name, value.expect("a value"));
    }
    let output = script.stdin(Stdio::null()).output().expect("`script` is part of Debian");
    String::from_utf8(output.stdout).expect("UTF-8")
}
