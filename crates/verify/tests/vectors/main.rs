//! Walks the vectors of the `vectors` folder: each is accepted or refused as it says, and every accepted one is also
//! spoiled in each way that a signature can be.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod providers;
mod sendgrid;
mod twilio;
mod x;
mod x_events;

use hookhouse_verify::{Key, Reject, Request, Secret, Verdict};
use jiff::Timestamp;

fn now() -> Timestamp {
    "2026-11-22T00:00:00Z".parse().unwrap()
}

fn key(name: &str, secret: &str) -> Key {
    Key::new(name, Secret::new(secret).unwrap())
}

fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Request {
    Request::new(method.to_owned(), target, headers, body.to_vec()).unwrap()
}

fn refusal(verdict: Verdict, what: &str) -> Reject {
    match verdict {
        Verdict::Rejected { reject, .. } => reject,
        other => panic!("{what}: not refused: {other:?}"),
    }
}

/// The value of a signature header, spoiled in each way, after a prefix that stays as it is.
fn spoiled(value: &str, prefix: &str) -> Vec<(&'static str, String)> {
    let digest = value.strip_prefix(prefix).unwrap();
    let mut spoiled = vec![
        ("empty", String::new()),
        ("no digest", prefix.to_owned()),
        ("truncated", value[..value.len() - 1].to_owned()),
        ("truncated by four", value[..value.len() - 4].to_owned()),
        ("padding alone", format!("{prefix}{}", "=".repeat(digest.len()))),
        ("extended", format!("{value}=")),
        ("extended by four", format!("{value}AAAA")),
        ("said twice", format!("{value},{value}")),
        ("with a blank", format!(" {value}")),
        ("upper case", value.to_ascii_uppercase()),
        ("lower case", value.to_ascii_lowercase()),
        ("URL-safe", digest.replace(['+', '/', '='], "-")),
        ("another version", format!("v2={digest}")),
    ];
    for at in 0..digest.len() {
        for bit in [1, 2, 32] {
            let mut bytes = digest.as_bytes().to_vec();
            bytes[at] ^= bit;
            if bytes[at].is_ascii_graphic() {
                spoiled.push(("flipped bit", format!("{prefix}{}", String::from_utf8(bytes).unwrap())));
            }
        }
    }
    spoiled.retain(|(_, other)| other != value);
    spoiled
}
