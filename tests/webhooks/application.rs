//! An application that takes everything and remembers what it took: the keys of the elements, and in which events.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hookhouse_emulator::x::keys_in;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What was taken, by event: the keys of its elements, for each time that it came.
pub(crate) type Taken = BTreeMap<String, Vec<Vec<String>>>;

#[derive(Debug)]
pub(crate) struct Application {
    pub(crate) address: SocketAddr,
    taken: Arc<Mutex<Taken>>,
    _serving: JoinSet<()>,
}

impl Application {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::<Mutex<Taken>>::default();
        let mut serving = JoinSet::new();
        let book = Arc::clone(&taken);
        serving.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let book = Arc::clone(&book);
                let answer = service_fn(move |request| take(request, Arc::clone(&book)));
                let connection = hyper::server::conn::http1::Builder::new();
                // It ends with its client.
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), answer));
            }
        });
        Self { address, taken, _serving: serving }
    }

    pub(crate) fn taken(&self) -> Taken {
        self.taken.lock().unwrap().clone()
    }

    /// The keys of all that was taken.
    pub(crate) fn keys(&self) -> BTreeSet<String> {
        self.taken.lock().unwrap().values().flatten().flatten().cloned().collect()
    }
}

async fn take(
    request: Request<Incoming>,
    book: Arc<Mutex<Taken>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let event = request
        .headers()
        .get("hookhouse-event-id")
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let body =
        request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let mut book = book.lock().unwrap();
    book.entry(event).or_default().push(keys_in(&body));
    Ok(Response::new(Full::default()))
}
