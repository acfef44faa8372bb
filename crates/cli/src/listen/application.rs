//! The application on this machine: one request after the other, on a connection that is kept.

use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use hookhouse_delivery::request::{connection_names, is_dropped, join};
use hookhouse_server::admin::view::EventView;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use tokio::time::{Instant, timeout};

use crate::admin::{Line, Unsent, Wire};
use crate::exit::{Code, Failure};

/// How much of an answer is read, so that its connection can be used again.
const LONGEST: usize = 64 * 1024;

/// The application.
#[derive(Debug)]
pub(super) struct Application {
    url: Uri,
    line: Line,
    wire: Option<Wire>,
    limit: Duration,
}

/// What it made of an event.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It answered.
    Answered { status: StatusCode, took: Duration },
    /// It did not.
    Failed(String),
}

impl Application {
    pub(super) fn new(url: &str, limit: Duration) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::new(Code::Usage, format!("--forward-to {url}: {why}"));
        let uri: Uri = url.parse().map_err(|_| wrong("it is not a URL".to_owned()))?;
        let line = Line::of(&uri).map_err(wrong)?;
        Ok(Self { url: uri, line, wire: None, limit })
    }

    pub(super) fn url(&self) -> &Uri {
        &self.url
    }

    /// Hands an event over, once.
    pub(super) async fn take(&mut self, event: &EventView, attempt: u32) -> Outcome {
        let request = match request(event, &self.url, attempt) {
            Ok(request) => request,
            Err(why) => return Outcome::Failed(why),
        };
        let begun = Instant::now();
        let answered = timeout(self.limit, self.exchange(request)).await;
        match answered {
            Ok(Ok(status)) => Outcome::Answered { status, took: begun.elapsed() },
            Ok(Err(error)) => {
                self.wire = None;
                Outcome::Failed(format!("{error:#}"))
            }
            Err(_) => {
                self.wire = None;
                Outcome::Failed(format!("no answer within {:?}", self.limit))
            }
        }
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<StatusCode> {
        if let Some(mut wire) = self.wire.take() {
            match wire.try_send(request.clone()).await {
                Ok(response) => return self.finish(wire, response).await,
                Err(Unsent::Not) => {}
                Err(Unsent::Perhaps(error)) => return Err(error),
            }
        }
        let mut wire = self.line.open().await?;
        let response = wire.send(request).await?;
        self.finish(wire, response).await
    }

    /// Reads the rest of the answer, and keeps the connection if it is worth keeping.
    async fn finish(
        &mut self,
        wire: Wire,
        response: http::Response<hyper::body::Incoming>,
    ) -> anyhow::Result<StatusCode> {
        let status = response.status();
        if Limited::new(response.into_body(), LONGEST).collect().await.is_ok() {
            self.wire = Some(wire);
        }
        Ok(status)
    }
}

/// The request as a destination of the server would get it, less the headers that the server shows nobody.
fn request(event: &EventView, url: &Uri, attempt: u32) -> Result<Request<Full<Bytes>>, String> {
    let unfit = |what: &str| format!("the event's {what} cannot be sent on");
    let method = Method::from_bytes(event.method.as_bytes()).ok().filter(|method| *method != Method::CONNECT);
    let body = match (&event.body, &event.body_base64) {
        (Some(text), _) => Bytes::from(text.clone()),
        (None, Some(base64)) => Bytes::from(BASE64.decode(base64.as_bytes()).map_err(|_| unfit("body"))?),
        (None, None) => Bytes::new(),
    };
    let query = event.target.split_once('?').map(|(_, query)| query);
    let target: Uri = join(url, query).parse().map_err(|_| unfit("query"))?;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method.ok_or_else(|| unfit("method"))?;
    *request.uri_mut() =
        target.path_and_query().map_or("/", |path| path.as_str()).parse().map_err(|_| unfit("query"))?;
    *request.headers_mut() = headers(event, attempt).ok_or_else(|| unfit("headers"))?;
    let host = url.authority().map_or("", |authority| authority.as_str());
    request.headers_mut().insert(header::HOST, HeaderValue::from_str(host).map_err(|_| unfit("host"))?);
    Ok(request)
}

fn headers(event: &EventView, attempt: u32) -> Option<HeaderMap> {
    let of_connection: Vec<String> = event
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("connection"))
        .flat_map(|(_, value)| connection_names(value.as_bytes()).collect::<Vec<_>>())
        .collect();
    let mut headers = HeaderMap::new();
    for (name, value) in &event.headers {
        let name = name.to_ascii_lowercase();
        if is_dropped(&name) || of_connection.contains(&name) || value == "[redacted]" {
            continue;
        }
        headers.append(HeaderName::try_from(name).ok()?, HeaderValue::from_str(value).ok()?);
    }
    let proof = &event.provenance;
    let vouched = match (&proof.scheme, &proof.key) {
        (Some(scheme), Some(key)) => format!("{scheme}; key={key}"),
        (Some(scheme), None) => scheme.to_string(),
        (None, _) => "none".to_owned(),
    };
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let own = [
        ("hookhouse-event-id", event.id.to_string()),
        ("hookhouse-source", event.source.to_string()),
        ("hookhouse-attempt", attempt.to_string()),
        ("hookhouse-verified", vouched),
    ];
    for (name, value) in own {
        headers.insert(name, HeaderValue::try_from(value).ok()?);
    }
    if let Some(peer) = event.peer {
        headers.insert("x-forwarded-for", HeaderValue::try_from(peer.to_canonical().to_string()).ok()?);
    }
    Some(headers)
}
