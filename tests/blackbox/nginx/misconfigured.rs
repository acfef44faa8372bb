//! One setting is wrong: the request is refused, `hookhouse explain` names what is wrong and the setting that mends it,
//! and with that setting the next request passes.

use std::net::SocketAddr;

use hookhouse_testkit::blackbox::{House, hookhouse};

use super::application::Application;
use super::call::{Call, OTHER_TOKEN, TOKEN};
use super::edge::{Edge, head};
use super::{Echo, HOUSE, LOCATION, explained, house, http, id};

/// Text that is replaced by other text.
type Changes = &'static [(&'static str, &'static str)];

struct Row {
    /// What is wrong in the house, which is otherwise as it should be.
    house: Changes,
    /// What is wrong in nginx.
    edge: Changes,
    /// The auth token that the operator gave the house.
    token: &'static str,
    call: Vec<u8>,
    status: u16,
    /// The words of the explanation that say what is wrong.
    says: &'static [&'static str],
    mend: Mend,
}

/// What the operator does then.
enum Mend {
    /// The explanation says "set `key = value`", and that line goes into the source as it stands.
    Set(&'static str),
    /// The explanation says which key to look at.
    House { names: &'static str, changes: Changes },
    /// The explanation says what the proxy does, and the proxy stops doing it.
    Edge,
    /// The explanation says what was sent, and something else is sent.
    Call(Vec<u8>),
}

fn row(call: &Call, status: u16, says: &'static [&'static str], mend: Mend) -> Row {
    Row { house: &[], edge: &[], token: TOKEN, call: call.bytes(), status, says, mend }
}

fn changed(text: &str, changes: Changes) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

/// The source of the calls with a line of its own in it, in the place of the one with that key.
fn set(config: &str, line: &str) -> String {
    let key = line.split(" = ").next().expect("a key");
    let (before, rest) = config.split_once("[source.calls]\n").expect("the source");
    let (section, after) = rest.split_once("\n\n").expect("it ends");
    let others = section.lines().filter(|own| own.split(" = ").next() != Some(key));
    let section: Vec<&str> = others.chain([line]).collect();
    format!("{before}[source.calls]\n{}\n\n{after}", section.join("\n"))
}

fn ask(
    config: &str,
    location: &str,
    token: &str,
    application: SocketAddr,
    call: &[u8],
) -> (House, u16, String) {
    let house = house(config, application, token);
    let edge = Edge::start(&http(location), house.ingress);
    let answer = edge.ask(call).expect("an answer");
    let said = if answer.status == 200 { String::new() } else { explained(&house, &id(&answer)) };
    (house, answer.status, said)
}

fn check(rows: Vec<Row>) {
    let application = Application::start();
    for Row { house, edge, token, call, status, says, mend } in rows {
        let (config, location) = (changed(HOUSE, house), changed(LOCATION, edge));
        let (_, answered, said) = ask(&config, &location, token, application.address, &call);
        assert_eq!(answered, status, "{says:?}: {said}");
        for words in says {
            assert!(said.contains(words), "{words:?} is not in {said}");
        }
        let named = match &mend {
            Mend::Set(line) => format!("set `{line}`"),
            Mend::House { names, .. } => format!("`{names}`"),
            Mend::Edge | Mend::Call(_) => String::new(),
        };
        assert!(said.contains(&named), "{named:?} is not in {said}");
        let (config, location, token, call) = match mend {
            Mend::Set(line) => (set(&config, line), location, token, call),
            Mend::House { changes, .. } => (changed(&config, changes), location, TOKEN, call),
            Mend::Edge => (config, LOCATION.to_owned(), token, call),
            Mend::Call(call) => (config, location, token, call),
        };
        let (_, answered, said) = ask(&config, &location, token, application.address, &call);
        assert_eq!(answered, 200, "{says:?} is not mended: {said}");
    }
}

const URL: &str = "public_url = \"https://hooks.example.com:8443/edge\"";
const PASS: &str = "proxy_pass http://@house/;";

#[test]
fn the_public_url() {
    let wrong = |house, says| Row { house, ..row(&Call::form("/voice"), 403, says, Mend::Set(URL)) };
    check(vec![
        wrong(&[(URL, "public_url = \"http://hooks.example.com:8443/edge\"")], &["signed for https://"]),
        wrong(&[(URL, "public_url = \"https://inner.example:8443/edge\"")], &["host `hooks.example.com`"]),
        wrong(&[(URL, "public_url = \"https://hooks.example.com:8080/edge\"")], &["with port 8443"]),
        wrong(&[(URL, "public_url = \"https://hooks.example.com/edge\"")], &["with port 8443", "no port"]),
        wrong(&[(URL, "public_url = \"https://hooks.example.com:8443\"")], &["`/edge` in front of the path"]),
        wrong(&[(URL, "public_url = \"https://hooks.example.com:8443/hooks\"")], &["puts `/hooks`"]),
        wrong(
            &[(URL, "public_url = \"http://127.0.0.1:8080\"")],
            &["signed for https://", "host `hooks.example.com`", "with port 8443", "`/edge` in front"],
        ),
        Row {
            house: &[(URL, "public_url = \"https://hooks.example.com:8443\"")],
            ..row(&Call::get("/voice?Digits=1"), 403, &["`/edge` in front of the path"], Mend::Set(URL))
        },
    ]);
}

#[test]
fn a_public_url_that_is_missing_is_an_error_before_anything_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let config = HOUSE.replace(URL, "").replace("@application", "127.0.0.1:1");
    std::fs::write(folder.path().join("hookhouse.toml"), config).unwrap();
    let secrets = [("TOKEN", TOKEN), ("OTHER_TOKEN", OTHER_TOKEN), ("X_SECRET", super::X_SECRET)];
    let output = hookhouse().current_dir(folder.path()).arg("check").envs(secrets).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("`public_url = \"https://hooks.example.com\"`, here or in `[server]`"), "{said}");
}

#[test]
fn the_path() {
    let form = || Call::form("/voice");
    check(vec![
        Row {
            edge: &[(PASS, "proxy_pass http://@house;")],
            ..row(
                &form(),
                404,
                &["source `calls` has `/voice`, and `/edge` is in front of it here"],
                Mend::Edge,
            )
        },
        Row {
            edge: &[(PASS, "rewrite ^/edge(/.*)$ $1/ break; proxy_pass http://@house;")],
            ..row(&form(), 404, &["`/voice`, without the slash at the end"], Mend::Edge)
        },
        row(
            &Call::form("/voice/"),
            404,
            &["`/voice`, without the slash at the end"],
            Mend::House {
                names: "path = \"/voice/\"",
                changes: &[("path = \"/voice\"", "path = \"/voice/\"")],
            },
        ),
        Row {
            house: &[("path = \"/voice\"", "path = \"/voice/\"")],
            edge: &[(PASS, "rewrite ^/edge(/[^/]*)/?$ $1/ break; proxy_pass http://@house;")],
            ..row(
                &form(),
                403,
                &[
                    "signed without the slash at the end of the path, which a proxy added",
                    "set `path = \"/voice\"`",
                ],
                Mend::Call(Call::form("/voice/").bytes()),
            )
        },
        // nginx decodes the path where `proxy_pass` has one of its own.
        Row {
            house: &[("path = \"/voice\"", "path = \"/voice-in\"")],
            edge: &[],
            ..row(
                &Call::form("/voice%2Din"),
                403,
                &["signed for path `/voice%2Din`, and a proxy wrote it anew"],
                Mend::Call(Call::form("/voice-in").bytes()),
            )
        },
        // It merges slashes too.
        row(
            &Call::form("//voice"),
            403,
            &["signed for path `//voice`", "a proxy"],
            Mend::Call(form().bytes()),
        ),
        // A location that is too wide sends all calls to one source.
        Row {
            edge: &[(PASS, "proxy_pass http://@house/voice$is_args$args;")],
            ..row(
                &Call::form("/sms").token(OTHER_TOKEN),
                403,
                &["signed for path `/sms`, which is that of source `sms`"],
                Mend::Edge,
            )
        },
    ]);
}

#[test]
fn the_query() {
    check(vec![
        Row {
            edge: &[(
                PASS,
                "rewrite ^/edge(/.*)$ $1?lang=$arg_lang&Digits=$arg_Digits? break; proxy_pass http://@house;",
            )],
            ..row(&Call::get("/voice?Digits=1&lang=en"), 403, &["a proxy wrote the query anew"], Mend::Edge)
        },
        // The same, where nothing tells what it was.
        Row {
            edge: &[
                (
                    PASS,
                    "rewrite ^/edge(/.*)$ $1?lang=$arg_lang&Digits=$arg_Digits? break; proxy_pass http://@house;",
                ),
                ("proxy_set_header X-Original-URI $request_uri;", ""),
            ],
            ..row(
                &Call::get("/voice?Digits=1&lang=en"),
                403,
                &["the query was signed with sorted parameters"],
                Mend::Edge,
            )
        },
        Row {
            edge: &[
                (PASS, "proxy_pass http://@house/voice?$respaced;"),
                ("proxy_set_header X-Original-URI $request_uri;", ""),
            ],
            ..row(&Call::form("/voice?to=a%20b"), 403, &["with `%20` for blanks"], Mend::Edge)
        },
        Row {
            edge: &[(PASS, "rewrite ^/edge(/.*)$ $1? break; proxy_pass http://@house;")],
            ..row(&Call::form("/voice?tenant=7"), 403, &["the query that was signed was dropped"], Mend::Edge)
        },
        Row {
            edge: &[(PASS, "rewrite ^/edge(/.*)$ $1?via=edge break; proxy_pass http://@house;")],
            ..row(&Call::form("/voice"), 403, &["the query was not signed"], Mend::Edge)
        },
    ]);
}

#[test]
fn the_headers() {
    const UPGRADE: &str = "proxy_set_header Upgrade $http_upgrade;";
    check(vec![
        Row {
            edge: &[(UPGRADE, "proxy_set_header X-Twilio-Signature \"\";")],
            ..row(
                &Call::form("/voice"),
                403,
                &["no `x-twilio-signature`", "a proxy drops headers"],
                Mend::Edge,
            )
        },
        Row {
            edge: &[(
                UPGRADE,
                "proxy_set_header X-Twilio-Signature \"\"; proxy_set_header X_Twilio_Signature $http_x_twilio_signature;",
            )],
            ..row(&Call::form("/voice"), 403, &["the signature is in `x_twilio_signature`"], Mend::Edge)
        },
        Row {
            edge: &[(UPGRADE, "proxy_set_header Content-Type text/plain;")],
            ..row(&Call::form("/voice"), 403, &["signed as a form", "Content-Type"], Mend::Edge)
        },
        row(
            &Call::json("/voice", "{}").header("content-type", "text/plain"),
            403,
            &["`content-type`"],
            Mend::Call(Call::json("/voice", "{}").bytes()),
        ),
    ]);
}

#[test]
fn an_upgrade_that_is_lost() {
    let dropped: Changes = &[("proxy_set_header Upgrade $http_upgrade;", "proxy_set_header Upgrade \"\";")];
    let stream = Call::stream("/voice");
    let echo = Echo::start();
    for (methods, status) in [("[\"GET\", \"POST\"]", 403), ("[\"POST\"]", 405)] {
        let house = house(&HOUSE.replace("[\"GET\", \"POST\"]", methods), echo.address, TOKEN);
        let edge = Edge::start(&http(&changed(LOCATION, dropped)), house.ingress);
        let answer = edge.ask(&stream.clone().header("connection", "close").bytes()).expect("an answer");
        let said = explained(&house, &id(&answer));
        assert_eq!(answer.status, status, "{said}");
        assert!(said.contains("`Upgrade` and `Connection`"), "{said}");
        let edge = Edge::start(&http(LOCATION), house.ingress);
        assert!(head(&mut edge.connect(), &stream.bytes()).starts_with("HTTP/1.1 101 "));
    }
}

#[test]
fn the_token() {
    const ACCOUNTS: &str = "accounts = { AC00000000000000000000000000000002 = { env = \"TOKEN\" } }";
    const OWN: &str = "auth_token = { env = \"TOKEN\" }";
    const RETIRED: &str = "auth_token = { env = \"OTHER_TOKEN\" }\n\
                           previous_secrets = [{ env = \"TOKEN\", until = \"2020-01-01T00:00:00Z\" }]";
    const OVERLAP: &str = "auth_token = { env = \"OTHER_TOKEN\" }\nprevious_secrets = [{ env = \"TOKEN\" }]";
    let form = Call::form("/voice");
    check(vec![
        Row {
            token: "another-auth-token-of-nobody-0001",
            ..row(
                &form,
                403,
                &["the auth token is not the one of the account", "your proxy says that it was asked for it"],
                Mend::House { names: "auth_token", changes: &[] },
            )
        },
        row(
            &Call::form("/voice").token(OTHER_TOKEN),
            403,
            &["signed with `auth_token` of source `sms`", "check `auth_token`"],
            Mend::House { names: "auth_token", changes: &[(OWN, "auth_token = { env = \"OTHER_TOKEN\" }")] },
        ),
        Row {
            house: &[(OWN, RETIRED)],
            ..row(
                &form,
                403,
                &["signed with `previous_secrets[0]`, which is retired"],
                Mend::House { names: "previous_secrets[0]", changes: &[(RETIRED, OVERLAP)] },
            )
        },
        Row {
            house: &[(OWN, ACCOUNTS)],
            ..row(
                &form,
                403,
                &["of account `AC00000000000000000000000000000001`"],
                Mend::House {
                    names: "accounts",
                    changes: &[("AC00000000000000000000000000000002", "AC00000000000000000000000000000001")],
                },
            )
        },
        Row {
            call: Call::of_x("/voice"),
            ..row(
                &form,
                403,
                &["a signature of `x`", "source `x` (at `/x`) takes it"],
                Mend::Call(Call::of_x("/x")),
            )
        },
    ]);
}

#[test]
fn the_body() {
    const JSON: &str = "{\"EventType\": \"call\", \"At\": [1, 2]}";
    let form = || Call::form("/voice");
    let json = || Call::json("/voice", JSON);
    let few = "AccountSid=AC1&CallSid=CA1&From=%2B1&To=%2B2";
    check(vec![
        row(
            &json().arrives_as("{\"EventType\":\"call\",\"At\":[1,2]}"),
            403,
            &["the signature of the URL holds", "parsed and written anew"],
            Mend::Call(json().bytes()),
        ),
        row(
            &json().replaced("[1, 2]", "[1, 2, 3]"),
            403,
            &["the signature of the URL holds", "it was changed on the way"],
            Mend::Call(json().bytes()),
        ),
        row(
            &json().header("content-encoding", "gzip"),
            415,
            &["`Content-Encoding`", "as they are on the wire"],
            Mend::Call(json().bytes()),
        ),
        row(
            &Call::form("/voice")
                .parameters(&format!(
                    "{few}&FromCity=&FromCountry=&FromState=&FromZip=&ToCity=&ToCountry=&ToState=&ToZip="
                ))
                .arrives_as(few),
            403,
            &["parameters without a value, which were signed, were dropped"],
            Mend::Call(form().bytes()),
        ),
        row(
            &Call::form("/voice").parameters("Body=hello+&From=%2B1").replaced("hello+", "hello"),
            403,
            &["blanks at the end of `Body`", "trimmed on the way"],
            Mend::Call(form().bytes()),
        ),
        Row {
            house: &[("methods =", "max_body = \"64B\"\nmethods =")],
            ..row(
                &form(),
                413,
                &["more than `max_body` = 64 bytes"],
                Mend::House { names: "max_body", changes: &[("max_body = \"64B\"\n", "")] },
            )
        },
    ]);
}

#[test]
fn where_it_comes_from() {
    const TRUSTED: &str = "trusted_proxies = [\"127.0.0.1/32\"]";
    const LISTED: (&str, &str) = ("methods =", "allow_ips = [\"203.0.113.0/24\"]\nmethods =");
    const CALLER: (&str, &str) = ("X-Forwarded-For $remote_addr;", "X-Forwarded-For \"203.0.113.7\";");
    check(vec![
        Row {
            house: &[(TRUSTED, ""), LISTED],
            edge: &[CALLER],
            ..row(
                &Call::form("/voice"),
                403,
                &["127.0.0.1 is on no network of this source's `allow_ips`", "`x-forwarded-for` was ignored"],
                Mend::House {
                    names: "trusted_proxies",
                    changes: &[(
                        "listen = [\"127.0.0.1:0\"]\n",
                        "listen = [\"127.0.0.1:0\"]\ntrusted_proxies = [\"127.0.0.1\"]\n",
                    )],
                },
            )
        },
        Row {
            house: &[LISTED],
            edge: &[("X-Forwarded-For $remote_addr;", "X-Forwarded-For \"198.51.100.7\";")],
            ..row(
                &Call::form("/voice"),
                403,
                &["198.51.100.7 is on no network of this source's `allow_ips`"],
                Mend::House { names: "allow_ips", changes: &[("203.0.113.0/24", "198.51.100.0/24")] },
            )
        },
        Row {
            house: &[LISTED],
            edge: &[("X-Forwarded-For $remote_addr;", "X-Forwarded-For \"203.0.113.7, unknown\";")],
            ..row(
                &Call::form("/voice"),
                403,
                &["hides the address"],
                Mend::House { names: "x-forwarded-for", changes: &[(LISTED.1, LISTED.0)] },
            )
        },
        Row {
            house: &[(TRUSTED, "hosts = [\"hooks.example.com\"]\ntrusted_proxies = [\"127.0.0.1/32\"]")],
            ..row(
                &Call::form("/voice"),
                421,
                &["`Host` is not one of `hosts`"],
                Mend::House {
                    names: "hosts",
                    changes: &[("hosts = [\"hooks.example.com\"]", "hosts = [\"inner.example\"]")],
                },
            )
        },
        Row {
            house: &[("methods = [\"GET\", \"POST\"]\n", "")],
            ..row(
                &Call::get("/voice?Digits=1"),
                405,
                &["GET is not one of this source's `methods`"],
                Mend::House {
                    names: "methods",
                    changes: &[("[source.calls]\n", "[source.calls]\nmethods = [\"GET\", \"POST\"]\n")],
                },
            )
        },
    ]);
}
