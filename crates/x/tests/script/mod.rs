//! An X that says what it was told to say, once each, and notes what it is asked.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hookhouse_core::{Secret, Timestamp};
use hookhouse_testkit::clock::FakeClock;
use hookhouse_x::credentials::{Access, Consumer};
use hookhouse_x::{Base, Client, Credentials, Transport};
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What the tests' clock shows, in seconds: noon.
pub(crate) const NOW: i64 = 1_795_348_800;

/// Something to say.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
    broken: bool,
}

/// An answer with a body.
pub(crate) fn reply(status: u16, body: impl Into<Bytes>) -> Reply {
    Reply { status, headers: Vec::new(), body: body.into(), broken: false }
}

impl Reply {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Hangs up instead.
    pub(crate) fn broken() -> Self {
        Self { broken: true, ..reply(200, "") }
    }
}

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) authorization: String,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

/// Whose credentials.
#[derive(Debug, Clone, Copy)]
pub(crate) enum App {
    Bearer,
    Consumer,
    Everything,
}

#[derive(Debug)]
pub(crate) struct Script {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Ends with this.
    _server: JoinSet<()>,
}

impl Script {
    pub(crate) async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        let replies = Arc::new(Mutex::new(replies.into_iter()));
        let mut server = JoinSet::new();
        server.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = service_fn(|request: Request<Incoming>| {
                    let (noted, replies) = (Arc::clone(&noted), Arc::clone(&replies));
                    async move { answer(request, &noted, &replies).await }
                });
                // One request a connection, like the client.
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            }
        });
        Self { port, seen, _server: server }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn client(&self, app: App) -> Client {
        let secret = |text: &str| Secret::new(text).unwrap();
        let bearer = || Some(secret("bearer-of-the-tests"));
        let consumer = || Some(Consumer { key: secret("consumer-key"), secret: secret("consumer-secret") });
        self.with(match app {
            App::Bearer => Credentials { bearer: bearer(), ..Credentials::default() },
            App::Consumer => Credentials { consumer: consumer(), ..Credentials::default() },
            App::Everything => Credentials {
                bearer: bearer(),
                consumer: consumer(),
                access: Some(Access {
                    token: secret("user-of-the-tests"),
                    secret: secret("secret-of-the-user"),
                }),
                user_token: None,
            },
        })
    }

    pub(crate) fn with(&self, credentials: Credentials) -> Client {
        let base: Base = format!("http://127.0.0.1:{}", self.port).parse().unwrap();
        let clock = Arc::new(FakeClock::at(Timestamp::from_second(NOW).unwrap()));
        Client::new(base, credentials, Transport::system(), clock)
    }
}

async fn answer(
    request: Request<Incoming>,
    noted: &Mutex<Vec<Seen>>,
    replies: &Mutex<std::vec::IntoIter<Reply>>,
) -> io::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let text = |name| parts.headers.get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
    noted.lock().unwrap().push(Seen {
        method: parts.method.to_string(),
        target: parts.uri.to_string(),
        authorization: text(header::AUTHORIZATION),
        content_type: text(header::CONTENT_TYPE),
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let next = replies.lock().unwrap().next();
    let Some(reply) = next else {
        return Ok(Response::builder().status(599).body(Full::default()).unwrap());
    };
    if reply.broken {
        return Err(io::ErrorKind::Other.into());
    }
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(reply.body)).unwrap())
}
