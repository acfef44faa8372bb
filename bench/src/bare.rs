//! The reference: hyper and nothing else. It reads each body and answers 200: as a server that takes webhooks, with
//! nothing; as an application that is called, with TwiML.

use std::convert::Infallible;
use std::net::Ipv4Addr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What an application answers to a call.
pub(crate) const TWIML: &str =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say>Hello</Say></Response>";

/// Serves until it is killed.
pub(crate) async fn serve(port: u16, body: &'static str) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                stream.set_nodelay(true)?;
                connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(move |request| answer(request, body))));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(request: Request<Incoming>, body: &'static str) -> Result<Response<Full<Bytes>>, Infallible> {
    // A body that breaks off ends the connection anyway.
    drop(request.into_body().collect().await);
    Ok(Response::new(Full::new(Bytes::from_static(body.as_bytes()))))
}
