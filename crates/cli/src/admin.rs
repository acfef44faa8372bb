//! Reading what a server stored: through its admin listener while it runs, from its store's folder when it does not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hookhouse_core::store::{Cursor, DeliveryQuery, EventQuery, Order, RefusalQuery};
use hookhouse_core::{Delivery, DeliveryId, EventId, EventStore, StoredRefusal};
use hookhouse_server::admin::Token;
use hookhouse_server::admin::view::{EventDetail, EventView, List, ReplayRequest, Replayed};
use hookhouse_server::{Runtime, store};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use crate::exit::{Code, Failure};

/// A small runtime for a command that talks to a server.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Where a command reads from.
#[derive(Debug)]
pub(crate) enum Reader {
    /// A server that runs.
    Server(Client),
    /// The store of one that does not.
    Store(Arc<dyn EventStore>),
}

impl Reader {
    /// The server of a store's folder if it answers, else the store itself.
    pub(crate) async fn open(folder: &Path) -> Result<Self, Failure> {
        if let Some(client) = Client::find(folder).await? {
            return Ok(Self::Server(client));
        }
        if !folder.is_dir() {
            return Err(unreachable(folder));
        }
        let store = store::open_read_only(folder)
            .map_err(|error| Failure::with_code(anyhow::Error::new(error), Code::Unreachable))?;
        Ok(Self::Store(store))
    }

    pub(crate) async fn events(&self, query: &EventQuery, body: bool) -> Result<List<EventView>, Failure> {
        match self {
            Self::Server(client) => {
                let mut ask = Parameters::default();
                ask.add("source", query.source.as_ref());
                ask.add("type", query.event_type.as_ref());
                ask.add("since", query.since);
                ask.add("until", query.until);
                ask.add("order", matches!(query.order, Order::OldestFirst).then_some("oldest_first"));
                ask.add("cursor", query.cursor.map(|Cursor(at)| at));
                ask.add("limit", Some(query.limit));
                ask.add("body", Some(body));
                client.read(&format!("events{ask}")).await
            }
            Self::Store(store) => {
                let page = store.events(query).await?;
                let data = page.items.iter().map(|event| EventView::of(event, body)).collect();
                Ok(List { data, next_cursor: page.next })
            }
        }
    }

    pub(crate) async fn event(&self, id: EventId) -> Result<EventDetail, Failure> {
        match self {
            Self::Server(client) => client.read(&format!("events/{id}")).await,
            Self::Store(store) => {
                let event = store.event(id).await?.ok_or_else(|| no_such("event"))?;
                let query = DeliveryQuery { event: Some(id), limit: 1_000, ..DeliveryQuery::default() };
                Ok(EventDetail {
                    event: EventView::of(&event, true),
                    deliveries: store.deliveries(&query).await?.items,
                    attempts: store.attempts(id).await?,
                })
            }
        }
    }

    pub(crate) async fn raw(&self, id: EventId) -> Result<Bytes, Failure> {
        match self {
            Self::Server(client) => client.send(Method::GET, &format!("events/{id}/raw"), None).await,
            Self::Store(store) => Ok(store.event(id).await?.ok_or_else(|| no_such("event"))?.body().clone()),
        }
    }

    pub(crate) async fn refusals(&self, query: &RefusalQuery) -> Result<List<StoredRefusal>, Failure> {
        match self {
            Self::Server(client) => {
                let mut ask = Parameters::default();
                ask.add("source", query.source.as_ref());
                ask.add("cursor", query.cursor.map(|Cursor(at)| at));
                ask.add("limit", Some(query.limit));
                client.read(&format!("refusals{ask}")).await
            }
            Self::Store(store) => {
                let page = store.refusals(query).await?;
                Ok(List { data: page.items, next_cursor: page.next })
            }
        }
    }

    pub(crate) async fn deliveries(&self, query: &DeliveryQuery) -> Result<List<Delivery>, Failure> {
        match self {
            Self::Server(client) => {
                let mut ask = Parameters::default();
                ask.add("event", query.event);
                ask.add("destination", query.destination.as_ref());
                ask.add("state", query.state.map(hookhouse_core::DeliveryState::as_str));
                ask.add("cursor", query.cursor.map(|Cursor(at)| at));
                ask.add("limit", Some(query.limit));
                client.read(&format!("deliveries{ask}")).await
            }
            Self::Store(store) => {
                let page = store.deliveries(query).await?;
                Ok(List { data: page.items, next_cursor: page.next })
            }
        }
    }
}

/// The admin API of a server on this machine.
#[derive(Debug)]
pub(crate) struct Client {
    address: std::net::SocketAddr,
    folder: PathBuf,
}

impl Client {
    /// The server of a store's folder, if it answers.
    pub(crate) async fn find(folder: &Path) -> Result<Option<Self>, Failure> {
        let Some(runtime) = Runtime::read(folder) else { return Ok(None) };
        let client = Self { address: runtime.admin, folder: folder.to_owned() };
        // A file of a server that is gone: its port is closed, or somebody else's, who does not know our token.
        match TcpStream::connect(client.address).await {
            Ok(_) => Ok(Some(client)),
            Err(_) => Ok(None),
        }
    }

    /// The server of a store's folder; without one, there is nothing to do.
    pub(crate) async fn require(folder: &Path) -> Result<Self, Failure> {
        Self::find(folder).await?.ok_or_else(|| unreachable(folder))
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

    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        decode(&self.send(Method::GET, path, None).await?)
    }

    async fn send(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Bytes, Failure> {
        let token_file = self.folder.join(Token::FILE);
        let token = std::fs::read_to_string(&token_file).map_err(|error| {
            Failure::new(
                Code::Auth,
                format!("cannot read the server's token {}: {error}", token_file.display()),
            )
        })?;
        let gone = |_| unreachable(&self.folder);
        let stream = TcpStream::connect(self.address).await.map_err(gone)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1/{path}"))
            .header(header::HOST, self.address.to_string())
            .header(header::AUTHORIZATION, format!("Bearer {}", token.trim()))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.unwrap_or_default())))?;
        let exchange = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            Ok::<_, hyper::Error>((status, response.into_body().collect().await?.to_bytes()))
        };
        // The connection is polled beside its one request; it ends after it.
        let (status, body) = tokio::select! {
            exchanged = exchange => exchanged?,
            _ = connection => return Err(unreachable(&self.folder)),
        };
        if status.is_success() { Ok(body) } else { Err(refused(status, &body)) }
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

fn refused(status: StatusCode, body: &[u8]) -> Failure {
    let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let detail = problem.as_ref().and_then(|p| p.get("detail")).and_then(|d| d.as_str());
    let message = detail.map_or_else(|| format!("the server answered {status}"), str::to_owned);
    let code = match status {
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Code::Auth,
        _ => Code::Failure,
    };
    Failure::new(code, message)
}

fn unreachable(folder: &Path) -> Failure {
    Failure::new(
        Code::Unreachable,
        format!(
            "no server answers for {}: start it with `hookhouse serve` or `hookhouse dev`, or name its configuration with --config",
            folder.display()
        ),
    )
}

fn no_such(what: &str) -> Failure {
    Failure::new(Code::NotFound, format!("there is no such {what}"))
}

/// A query string.
#[derive(Debug, Default)]
struct Parameters(String);

impl Parameters {
    fn add(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.0.push(if self.0.is_empty() { '?' } else { '&' });
            self.0.push_str(name);
            self.0.push('=');
            self.0.extend(form_urlencoded::byte_serialize(value.to_string().as_bytes()));
        }
    }
}

impl std::fmt::Display for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
