//! An authority that answers what it is told to, to see what is made of it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookhouse_core::SystemClock;
use hookhouse_testkit::certificate::{Authority, Wanted};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::backoff::Kind;
use super::cache::Cache;
use super::challenges::Challenges;
use super::client::Client;
use super::keeping::Keeping;
use super::order::{Failure, Orders};
use super::renewal::roots;
use crate::tls::keyring::Keyring;
use crate::tls::settings::{Acme, Challenge};
use crate::tls::{Pair, front};

const NAME: &str = "hooks.example.com";

/// The start of an answer's text, and what follows the head.
type Answers = HashMap<&'static str, String>;

/// Answers by method and path, over TLS, one request for each connection; counts what was asked.
struct Stub {
    folder: TempDir,
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    async fn start(answers: impl FnOnce(&str) -> Answers) -> Self {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let certified = authority.issue(&Wanted::good(&["127.0.0.1"]));
        let pair = Pair::parse(certified.chain.as_bytes(), certified.key.as_bytes()).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(front::config(Keyring::new(vec![pair])).unwrap()));
        let (answers, asked) = (answers(&format!("https://{address}")), Arc::new(Mutex::new(Vec::new())));
        let seen = Arc::clone(&asked);
        let serving = async move {
            while let Ok((socket, _)) = listener.accept().await {
                let Ok(mut socket) = acceptor.accept(socket).await else { continue };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(socket.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                let line = head.split(" HTTP/").next().unwrap().to_owned();
                let answer = answers.get(line.as_str()).cloned();
                seen.lock().unwrap().push(line);
                let answer = answer.unwrap_or_else(|| "404 Not Found\r\n\r\n".to_owned());
                let (head, body) = answer.split_once("\r\n\r\n").unwrap();
                let whole = format!(
                    "HTTP/1.1 {head}\r\nReplay-Nonce: abc\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = socket.write_all(whole.as_bytes()).await;
                let _ = socket.shutdown().await;
            }
        };
        #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
        drop(tokio::spawn(serving));
        Self { folder, address, asked }
    }

    fn orders(&self) -> Orders {
        let directory = format!("https://{}/dir", self.address);
        Orders {
            keeping: Keeping::Folder(Cache::open(self.folder.path(), &directory).unwrap()),
            settings: Acme {
                contact: None,
                directory,
                ca: None,
                challenge: Challenge::Http01,
                names: vec![NAME.to_owned()],
            },
            client: Client::new(roots(&self.folder.path().join("ca.pem")).unwrap()).unwrap(),
            challenges: Arc::default(),
        }
    }

    async fn failure(&self) -> (Failure, Option<Duration>) {
        let orders = self.orders();
        let failure = orders.place(&SystemClock).await.unwrap_err();
        (failure, orders.client.take_wanted())
    }

    fn asked(&self, line: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == line).count()
    }
}

/// The answers of an authority that has an account for everybody.
fn hospitable(base: &str) -> Answers {
    let directory = serde_json::json!({
        "newNonce": format!("{base}/nonce"),
        "newAccount": format!("{base}/account"),
        "newOrder": format!("{base}/order"),
    });
    HashMap::from([
        ("GET /dir", format!("200 OK\r\n\r\n{directory}")),
        ("HEAD /nonce", "200 OK\r\n\r\n".to_owned()),
        (
            "POST /account",
            format!("201 Created\r\nLocation: {base}/account/1\r\n\r\n{{\"status\":\"valid\"}}"),
        ),
    ])
}

fn problem(status: &str, kind: &str) -> String {
    let problem = serde_json::json!({
        "type": format!("urn:ietf:params:acme:error:{kind}"),
        "detail": "in the authority's words",
    });
    format!("{status}\r\n\r\n{problem}")
}

#[tokio::test]
async fn a_rate_limit_is_a_refusal_that_says_when() {
    let stub = Stub::start(|base| {
        let limited = problem("429 Too Many Requests\r\nRetry-After: 7200", "rateLimited");
        let mut answers = hospitable(base);
        answers.insert("POST /order", limited);
        answers
    })
    .await;
    let (failure, wanted) = stub.failure().await;
    assert_eq!((failure.kind, wanted), (Kind::Refused, Some(Duration::from_secs(7200))));
    assert!(failure.why.contains("in the authority's words"), "{}", failure.why);
    // The account is kept: the next try does not make another.
    stub.failure().await;
    assert_eq!((stub.asked("POST /account"), stub.asked("POST /order")), (1, 2));
}

#[tokio::test]
async fn nonces_that_are_never_good_and_troubles_of_the_authority_are_no_refusals() {
    for (status, kind) in [("400 Bad Request", "badNonce"), ("500 Internal Server Error", "serverInternal")] {
        let stub = Stub::start(|base| {
            let mut answers = hospitable(base);
            answers.insert("POST /order", problem(status, kind));
            answers
        })
        .await;
        let (failure, _) = stub.failure().await;
        assert_eq!(failure.kind, Kind::Trouble, "{kind}");
    }
    let page = "503 Service Unavailable\r\nRetry-After: 60\r\n\r\n<html>Down for maintenance</html>";
    let stub = Stub::start(|_| HashMap::from([("GET /dir", page.to_owned())])).await;
    let (failure, wanted) = stub.failure().await;
    assert_eq!((failure.kind, wanted), (Kind::Trouble, Some(Duration::from_secs(60))));
}

#[tokio::test]
async fn an_authority_that_nobody_vouches_for_is_not_spoken_to() {
    let stub = Stub::start(hospitable).await;
    let mut orders = stub.orders();
    std::fs::write(stub.folder.path().join("other.pem"), Authority::new().pem()).unwrap();
    orders.client = Client::new(roots(&stub.folder.path().join("other.pem")).unwrap()).unwrap();
    let failure = orders.place(&SystemClock).await.unwrap_err();
    assert!(failure.kind == Kind::Trouble && failure.why.contains("certificate"), "{}", failure.why);
    assert_eq!(stub.asked("GET /dir"), 0);
}

#[test]
fn what_is_kept_is_for_its_owner_alone_and_what_is_broken_is_as_if_it_were_not_there() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path(), "https://ca.example.com/dir").unwrap();
    assert!(cache.account().is_none() && cache.certificate().is_none());
    let certified = Authority::new().issue(&Wanted::good(&[NAME]));
    cache.keep_certificate(&format!("{}{}", certified.chain, certified.key)).unwrap();
    assert!(cache.certificate().unwrap().facts.cover(NAME));
    let other = Cache::open(folder.path(), "https://other.example.com/dir").unwrap();
    assert!(other.certificate().is_none(), "each authority has a folder of its own");

    let mine = std::fs::read_dir(folder.path().join("acme")).unwrap().map(|entry| entry.unwrap().path());
    let kept = mine.map(|folder| folder.join("certificate.pem")).find(|file| file.exists()).unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&kept), mode(kept.parent().unwrap())), (0o600, 0o700));
    std::fs::write(&kept, &certified.chain).unwrap();
    assert!(cache.certificate().is_none());
    std::fs::write(kept.with_file_name("account.json"), "{}").unwrap();
    assert!(cache.account().is_none());
}

#[test]
fn an_answer_to_a_probe_is_there_as_long_as_the_order() {
    let challenges = Arc::new(Challenges::default());
    let ask = |method: &str, path: &str| {
        let request = http::Request::builder().method(method).uri(path).body(()).unwrap();
        challenges.answer(&request).map(|reply| reply.status().as_u16())
    };
    let ready = challenges.serve_http("token-1", "token-1.thumbprint");
    assert_eq!(ask("GET", "/.well-known/acme-challenge/token-1"), Some(200));
    for path in ["/.well-known/acme-challenge/", "/.well-known/acme-challenge/token-2", "/token-1"] {
        assert_eq!(ask("GET", path), None, "{path}");
    }
    assert_eq!(ask("POST", "/.well-known/acme-challenge/token-1"), None);
    drop(ready);
    assert_eq!(ask("GET", "/.well-known/acme-challenge/token-1"), None);
}
