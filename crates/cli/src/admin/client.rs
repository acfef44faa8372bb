//! The admin API of a server, on this machine or elsewhere.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use hookhouse_core::store::{DeliveryQuery, EventQuery, RefusalQuery};
use hookhouse_core::{Delivery, DeliveryId, EventId, Secret, StoredRefusal};
use hookhouse_server::Runtime;
use hookhouse_server::admin::Token;
use hookhouse_server::admin::view::{EventView, List, ReplayRequest, Replayed, Status};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use super::line::{Line, Wire};
use super::parameters::Parameters;
use crate::exit::{Code, Failure};
use crate::locate::Place;
use crate::output::Pages;

/// How long an answer may take, from the question to its last byte.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest answer that is read; a page of events with their bodies is far below.
const LONGEST: usize = 256 * 1024 * 1024;

/// A server.
#[derive(Debug)]
pub(crate) struct Client {
    way: Way,
    /// What to say when nobody answers.
    gone: String,
}

/// How a server is found and opened.
#[derive(Debug)]
enum Way {
    /// Through its store's folder, looked at for each request: a server that starts anew may listen elsewhere.
    Folder(PathBuf),
    /// By a URL and a token.
    Given(Line, Secret),
}

impl Client {
    /// The server of a place, if it answers. One elsewhere is taken to be there until it is asked something.
    pub(crate) async fn find(place: &Place) -> Result<Option<Self>, Failure> {
        match place {
            Place::Folder(folder, _) => {
                let way = Way::Folder(folder.clone());
                // A file of a server that is gone: its port is closed, or somebody else's, who does not know our token.
                let there = match way.line() {
                    Some(line) => line.answers().await,
                    None => false,
                };
                Ok(there.then(|| Self { way, gone: nobody(folder) }))
            }
            Place::Elsewhere(name, context) => {
                let line = Line::to(&context.url)
                    .map_err(|why| Failure::new(Code::Configuration, format!("context `{name}`: {why}")))?;
                let gone = format!("no server answers at {} (context `{name}`)", context.url);
                Ok(Some(Self { way: Way::Given(line, context.token.read()?), gone }))
            }
        }
    }

    /// The server of a place; without one, there is nothing to do.
    pub(crate) async fn require(place: &Place) -> Result<Self, Failure> {
        Self::find(place).await?.ok_or_else(|| place.unreachable())
    }

    /// The pages of its web UI.
    pub(crate) fn pages(&self) -> Pages {
        self.way.line().map(|line| Pages::below(line.url())).unwrap_or_default()
    }

    /// How the server is.
    pub(crate) async fn status(&self) -> Result<Status, Failure> {
        self.read("status").await
    }

    pub(crate) async fn events(&self, query: &EventQuery, body: bool) -> Result<List<EventView>, Failure> {
        self.read(&format!("events{}", Parameters::of_events(query, body))).await
    }

    pub(crate) async fn refusals(&self, query: &RefusalQuery) -> Result<List<StoredRefusal>, Failure> {
        self.read(&format!("refusals{}", Parameters::of_refusals(query))).await
    }

    pub(crate) async fn deliveries(&self, query: &DeliveryQuery) -> Result<List<Delivery>, Failure> {
        self.read(&format!("deliveries{}", Parameters::of_deliveries(query))).await
    }

    /// The first event of a query, however many pages have none.
    pub(crate) async fn first(&self, mut query: EventQuery) -> Result<Option<EventView>, Failure> {
        loop {
            let page = self.events(&query, false).await?;
            if let Some(first) = page.data.into_iter().next() {
                return Ok(Some(first));
            }
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                return Ok(None);
            }
        }
    }

    /// The place of the newest refusal in its log; 0 where there is none.
    pub(crate) async fn newest_refusal(&self) -> Result<u64, Failure> {
        let page = self.refusals(&RefusalQuery { limit: 1, ..RefusalQuery::default() }).await?;
        Ok(page.data.first().map_or(0, |newest| newest.sequence.0))
    }

    /// Delivers an event again.
    pub(crate) async fn replay(&self, id: EventId, request: &ReplayRequest) -> Result<Replayed, Failure> {
        let body = serde_json::to_vec(request)?;
        decode(&self.send(Method::POST, &format!("events/{id}/replay"), Some(body)).await?)
    }

    /// Makes a delivery due now.
    pub(crate) async fn retry(&self, id: &DeliveryId) -> Result<(), Failure> {
        self.send(Method::POST, &format!("deliveries/{id}/retry"), Some(Vec::new())).await.map(drop)
    }

    /// Calls a delivery off.
    pub(crate) async fn cancel(&self, id: &DeliveryId) -> Result<(), Failure> {
        self.send(Method::POST, &format!("deliveries/{id}/cancel"), None).await.map(drop)
    }

    /// Reads something of the API.
    pub(crate) async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        decode(&self.send(Method::GET, path, None).await?)
    }

    /// Sends something there, and reads the answer.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl serde::Serialize>,
    ) -> Result<T, Failure> {
        let body = body.map(serde_json::to_vec).transpose()?;
        decode(&self.send(method, path, body).await?)
    }

    /// Asks the API, and takes the answer if it is a good one.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Bytes, Failure> {
        let (status, body) = self.exchange(method, &format!("/api/v1/{path}"), body).await?;
        if status.is_success() { Ok(body) } else { Err(refused(status, &body)) }
    }

    /// Asks the admin listener, whatever it answers.
    pub(crate) async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let work = async {
            let (_wire, response) = self.begin(method, path, body, &[]).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LONGEST).collect().await;
            let body = body.map_err(|error| {
                Failure::new(Code::Unreachable, format!("the server's answer broke off: {error}"))
            })?;
            Ok((status, body.to_bytes()))
        };
        let late =
            || Failure::new(Code::Unreachable, format!("{}: nothing came within {PATIENCE:?}", self.gone));
        tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(late()))
    }

    /// Asks for an answer that does not end, and takes it if it is a good one.
    pub(crate) async fn stream(
        &self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, String)],
    ) -> Result<(Wire, Incoming), Failure> {
        let work = async {
            let (wire, response) = self.begin(method, path, None, headers).await?;
            let (status, body) = (response.status(), response.into_body());
            if status.is_success() {
                return Ok((wire, body));
            }
            let said = Limited::new(body, LONGEST).collect().await.map(|body| body.to_bytes());
            Err(refused(status, &said.unwrap_or_default()))
        };
        let late =
            || Failure::new(Code::Unreachable, format!("{}: nothing came within {PATIENCE:?}", self.gone));
        tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(late()))
    }

    /// Sends a request; the answer's body is still to come.
    async fn begin(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        headers: &[(HeaderName, String)],
    ) -> Result<(Wire, Response<Incoming>), Failure> {
        let none = || Failure::new(Code::Unreachable, self.gone.clone());
        let line = self.way.line().ok_or_else(none)?;
        let mut request = Request::builder()
            .method(method)
            .uri(line.path(path))
            .header(header::HOST, line.authority())
            .header(header::AUTHORIZATION, self.way.bearer()?)
            .header(header::ACCEPT_ENCODING, "identity")
            .header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(body.unwrap_or_default())))?;
        let gone =
            |error: anyhow::Error| Failure::with_code(error.context(self.gone.clone()), Code::Unreachable);
        let mut wire = line.open().await.map_err(gone)?;
        let response = wire.send(request).await.map_err(gone)?;
        Ok((wire, response))
    }
}

impl Way {
    fn line(&self) -> Option<Line> {
        match self {
            Self::Folder(folder) => Runtime::read(folder).map(|runtime| Line::local(runtime.admin)),
            Self::Given(line, _) => Some(line.clone()),
        }
    }

    fn bearer(&self) -> Result<HeaderValue, Failure> {
        let unfit = |_| Failure::new(Code::Auth, "the server's token has characters that no token has");
        let mut value = match self {
            Self::Folder(folder) => {
                let file = folder.join(Token::FILE);
                let token = std::fs::read_to_string(&file).map_err(|error| {
                    let message = format!("cannot read the server's token {}: {error}", file.display());
                    Failure::new(Code::Auth, message)
                })?;
                HeaderValue::try_from(format!("Bearer {}", token.trim())).map_err(unfit)?
            }
            Self::Given(_, token) => {
                HeaderValue::try_from([b"Bearer ".as_slice(), token.expose().trim_ascii()].concat())
                    .map_err(unfit)?
            }
        };
        value.set_sensitive(true);
        Ok(value)
    }
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        Failure::new(
            Code::Failure,
            format!("the server answered what this version does not understand: {error}"),
        )
    })
}

/// What a server that refuses says.
fn refused(status: StatusCode, body: &[u8]) -> Failure {
    let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let detail = problem.as_ref().and_then(|p| p.get("detail")).and_then(|d| d.as_str());
    let message = detail.map_or_else(|| format!("the server answered {status}"), crate::output::plain);
    let kind = problem.as_ref().and_then(|p| p.get("type")).and_then(|kind| kind.as_str());
    let code = match status {
        _ if kind == Some("urn:hookhouse:problem:config-rejected") => Code::Configuration,
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Code::Auth,
        // The server is overloaded or stopping, or the proxy in front does not reach it.
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            Code::Unreachable
        }
        _ => Code::Failure,
    };
    Failure::new(code, message)
}

/// Where nobody answers, and what to do.
pub(crate) fn nobody(folder: &Path) -> String {
    format!(
        "no server answers for {}: start it with `hookhouse serve` or `hookhouse dev`, or name its configuration with --config",
        folder.display()
    )
}
