//! The client of a running platform's own API.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use bytes::Bytes;
use hookhouse_emulator::x::Action;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::admin::block_on;
use crate::dev::stand_in::StandIn;
use crate::exit::{Code, Failure, Outcome};
use crate::locate::DEV_FOLDER;
use crate::output::{Format, Out};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Do something as one of its users
    #[command(after_help = ACTIONS)]
    Act(ActArgs),
    /// Turn its clock, and do what falls due
    Advance(AdvanceArgs),
}

const ACTIONS: &str = "\
Actions: post TEXT · reply POST TEXT · mention USER TEXT · quote POST TEXT · repost POST · delete [POST] · like POST ·
follow USER · unfollow USER · mute USER · unmute USER · block USER · unblock USER · message USER TEXT · typing USER ·
read USER · bio TEXT · revoke

POST is the id of a post, or a handle for that user's latest one; `delete` alone takes one's own latest.";

#[derive(Debug, clap::Args)]
pub(crate) struct ActArgs {
    #[command(flatten)]
    server: Server,
    /// Who does it
    #[arg(long, value_name = "HANDLE")]
    user: String,
    /// What
    action: Action,
    /// To whom or what, then in which words
    #[arg(value_name = "TARGET|TEXT")]
    words: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AdvanceArgs {
    #[command(flatten)]
    server: Server,
    /// How far: 6h, 90s, 48h
    by: String,
}

#[derive(Debug, clap::Args)]
struct Server {
    /// Where the platform listens [default: that of `hookhouse dev` in this folder, else 127.0.0.1:4050]
    #[arg(long, value_name = "ADDRESS")]
    server: Option<SocketAddr>,
}

pub(super) fn run(command: &Command, format: Format) -> Outcome {
    match command {
        Command::Act(args) => {
            let answer = args.server.post("act", &args.body())?;
            Ok(Out::one(format, &answer, performed)?)
        }
        Command::Advance(args) => {
            let answer = args.server.post("clock", &json!({ "advance": args.by }))?;
            Ok(Out::one(format, &answer, |answer| format!("it is {}", text(answer, "now")))?)
        }
    }
}

impl ActArgs {
    fn body(&self) -> Value {
        let (target, words) = match self.words.split_first() {
            Some((first, rest)) if self.action.wants_target() || self.action == Action::Delete => {
                (Some(first), rest)
            }
            _ => (None, self.words.as_slice()),
        };
        let mut body = json!({ "user": self.user, "action": self.action });
        if let Some(target) = target {
            body["target"] = Value::String(target.clone());
        }
        if !words.is_empty() {
            body["text"] = Value::String(words.join(" "));
        }
        body
    }
}

fn performed(answer: &Value) -> String {
    let events = answer.get("events").and_then(Value::as_u64).unwrap_or(0);
    let told = format!("{events} event{} for webhooks", if events == 1 { "" } else { "s" });
    match text(answer, "post") {
        "" => told,
        post => format!("post {post}: {told}"),
    }
}

fn text<'a>(answer: &'a Value, member: &str) -> &'a str {
    answer.get(member).and_then(Value::as_str).unwrap_or_default()
}

impl Server {
    fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        block_on(self.exchange(path, body))
    }

    fn address(&self) -> SocketAddr {
        let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, 4050));
        let dev = || StandIn::read(Path::new(DEV_FOLDER)).map(|stand_in| stand_in.address);
        self.server.or_else(dev).unwrap_or(usual)
    }

    async fn exchange(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let address = self.address();
        let gone = || {
            let message = format!(
                "nobody answers at {address}: start one with `hookhouse emulate x`, or `hookhouse dev`"
            );
            Failure::new(Code::Unreachable, message)
        };
        let stream = TcpStream::connect(address).await.map_err(|_| gone())?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::post(format!("/emulator/{path}"))
            .header(header::HOST, address.to_string())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))?;
        let exchange = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            Ok::<_, hyper::Error>((status, response.into_body().collect().await?.to_bytes()))
        };
        // The connection is polled beside its one request; it ends after it.
        let (status, body) = tokio::select! {
            exchanged = exchange => exchanged?,
            _ = connection => return Err(gone()),
        };
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status.is_success() {
            return Ok(answer);
        }
        match text(&answer, "detail") {
            "" => Err(Failure::new(Code::Failure, format!("the platform answered {status}"))),
            detail => Err(Failure::new(Code::Failure, detail)),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        command: Command,
    }

    #[test]
    fn words_become_targets_and_texts() {
        for (line, expected) in [
            ("post hello there", json!({ "action": "post", "text": "hello there" })),
            ("reply alice hi", json!({ "action": "reply", "target": "alice", "text": "hi" })),
            ("follow alice", json!({ "action": "follow", "target": "alice" })),
            ("delete", json!({ "action": "delete" })),
            ("delete 123", json!({ "action": "delete", "target": "123" })),
            ("like", json!({ "action": "like" })),
        ] {
            let words = ["x", "act", "--user", "bob"].into_iter().chain(line.split(' '));
            let Command::Act(args) = Line::parse_from(words).command else { panic!("{line}") };
            let mut expected = expected;
            expected["user"] = json!("bob");
            assert_eq!(args.body(), expected, "{line}");
        }
        assert!(Line::try_parse_from(["x", "act", "--user", "bob", "dance"]).is_err());
    }
}
