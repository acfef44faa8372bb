//! Reading what a server stored: through its admin listener while it runs, from its store's folder when it does not.

mod client;
mod line;
mod parameters;

use std::sync::Arc;

use bytes::Bytes;
use hookhouse_core::store::{DeliveryQuery, EventQuery, RefusalQuery};
use hookhouse_core::{Delivery, EventId, EventStore, StoreStats, StoredRefusal};
use hookhouse_server::admin::view::{EventDetail, EventView, List};
use hookhouse_server::store;
use http::Method;

pub(crate) use self::client::{Client, nobody};
pub(crate) use self::line::{Line, Unsent, Wire};
pub(crate) use self::parameters::Parameters;
use crate::exit::{Code, Failure};
use crate::locate::{self, Place};
use crate::output::Pages;

/// A small runtime for a command that talks to a server.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    // A resolver that does not answer is not waited for.
    runtime.shutdown_background();
    done
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
    /// The server of a place if it answers, else the store itself, where that is on this machine.
    pub(crate) async fn open(place: &Place) -> Result<Self, Failure> {
        if let Some(client) = Client::find(place).await? {
            return Ok(Self::Server(client));
        }
        let Place::Folder(folder, config) = place else { return Err(place.unreachable()) };
        if !folder.is_dir() {
            return Err(place.unreachable());
        }
        let store = store::open_read_only(folder, &locate::keys(config.as_deref())?)
            .map_err(|error| Failure::with_code(anyhow::Error::new(error), Code::Unreachable))?;
        Ok(Self::Store(store))
    }

    /// The pages of the server, where one runs.
    pub(crate) fn pages(&self) -> Pages {
        match self {
            Self::Server(client) => client.pages(),
            Self::Store(_) => Pages::default(),
        }
    }

    pub(crate) async fn events(&self, query: &EventQuery, body: bool) -> Result<List<EventView>, Failure> {
        match self {
            Self::Server(client) => client.events(query, body).await,
            Self::Store(store) => {
                let page = store.events(query).await?;
                let data = page.items.iter().map(|event| EventView::of(event, body)).collect();
                Ok(List { data, next_cursor: page.next })
            }
        }
    }

    /// What is stored, counted.
    pub(crate) async fn stats(&self) -> Result<StoreStats, Failure> {
        match self {
            Self::Server(client) => client.read("store").await,
            Self::Store(store) => Ok(store.stats().await?),
        }
    }

    pub(crate) async fn event(&self, id: EventId) -> Result<EventDetail, Failure> {
        match self {
            Self::Server(client) => client.read(&format!("events/{id}")).await,
            Self::Store(store) => EventDetail::read(&**store, id).await?.ok_or_else(|| no_such("event")),
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
            Self::Server(client) => client.refusals(query).await,
            Self::Store(store) => {
                let page = store.refusals(query).await?;
                Ok(List { data: page.items, next_cursor: page.next })
            }
        }
    }

    pub(crate) async fn deliveries(&self, query: &DeliveryQuery) -> Result<List<Delivery>, Failure> {
        match self {
            Self::Server(client) => client.deliveries(query).await,
            Self::Store(store) => {
                let page = store.deliveries(query).await?;
                Ok(List { data: page.items, next_cursor: page.next })
            }
        }
    }
}

fn no_such(what: &str) -> Failure {
    Failure::new(Code::NotFound, format!("there is no such {what}"))
}
