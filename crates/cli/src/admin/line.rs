//! The way to an admin API: a connection for each request, over TLS where the server is elsewhere.
//!
//! There is no proxy from the environment, and nobody here follows a redirect: the token goes where it was meant to go.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookhouse_delivery::connect::{Io, system_roots, tls};
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// How long a connection may take to stand, TLS and all.
const CONNECT: Duration = Duration::from_secs(10);

/// Where an admin API is.
#[derive(Clone)]
pub(crate) struct Line {
    authority: String,
    host: String,
    port: u16,
    /// What stands in front of `/api/v1` where a proxy serves it under a path; no slash at its end.
    prefix: String,
    tls: Option<Arc<ClientConfig>>,
}

/// A connection. It is driven by a task of its own, and ends when this is dropped.
pub(crate) struct Wire {
    sender: http1::SendRequest<Full<Bytes>>,
    _driver: JoinSet<hyper::Result<()>>,
}

impl Line {
    /// A server on this machine.
    pub(crate) fn local(mut address: SocketAddr) -> Self {
        // Whoever listens on every address listens on loopback.
        match address {
            SocketAddr::V4(v4) if v4.ip().is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            SocketAddr::V6(v6) if v6.ip().is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        Self {
            authority: address.to_string(),
            host: address.ip().to_string(),
            port: address.port(),
            prefix: String::new(),
            tls: None,
        }
    }

    /// A server by its URL: scheme, host, port, and the path that a proxy serves it under.
    ///
    /// # Errors
    /// What is wrong with the URL, in words.
    pub(crate) fn to(url: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|_| "it is not a URL".to_owned())?;
        let mut line = Self::of(&uri)?;
        if uri.query().is_some() || url.contains('#') {
            return Err("the URL is scheme, host, port and path, and nothing else".to_owned());
        }
        if line.tls.is_none() && !is_this_machine(&line.host) {
            return Err(
                "the token would travel in the clear: use https, or a tunnel (`ssh -L 4040:127.0.0.1:4040 HOST`) and \
                 http://127.0.0.1:4040"
                    .to_owned(),
            );
        }
        line.prefix = uri.path().trim_end_matches('/').to_owned();
        Ok(line)
    }

    /// The host of a URL.
    ///
    /// # Errors
    /// What is wrong with the URL, in words.
    pub(crate) fn of(uri: &Uri) -> Result<Self, String> {
        let wanted = || "give a URL that begins with https:// or http://, and a host".to_owned();
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wanted());
        };
        let secure = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(wanted()),
        };
        if authority.as_str().contains('@') {
            return Err("the URL must not hold a user name or a password".to_owned());
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(wanted());
        }
        Ok(Self {
            port: authority.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            host,
            prefix: String::new(),
            tls: secure.then(|| tls(system_roots())),
        })
    }

    /// What goes into `Host`.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// What stands in front of every path.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority, self.prefix)
    }

    /// The whole path of something that the server has.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// Whether somebody takes connections there.
    pub(crate) async fn answers(&self) -> bool {
        let dialled = TcpStream::connect((self.host.as_str(), self.port));
        tokio::time::timeout(CONNECT, dialled).await.is_ok_and(|dialled| dialled.is_ok())
    }

    /// Opens a connection.
    pub(crate) async fn open(&self) -> anyhow::Result<Wire> {
        let opened = tokio::time::timeout(CONNECT, self.dial());
        let io = opened.await.map_err(|_| anyhow::anyhow!("no connection within {CONNECT:?}"))??;
        let (sender, connection) = http1::handshake(TokioIo::new(io)).await?;
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        Ok(Wire { sender, _driver: driver })
    }

    async fn dial(&self) -> anyhow::Result<Box<dyn Io>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let Some(config) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(self.host.clone())?;
        Ok(Box::new(TlsConnector::from(Arc::clone(config)).connect(name, stream).await?))
    }
}

impl Wire {
    /// Sends a request; the answer's body comes as it is read.
    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<Response<Incoming>> {
        Ok(self.sender.send_request(request).await?)
    }

    /// Sends a request on a connection that may have ended since the last one; then nothing was sent.
    pub(crate) async fn try_send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Unsent> {
        // The other side may have closed it between two requests.
        if self.sender.ready().await.is_err() {
            return Err(Unsent::Not);
        }
        self.sender.try_send_request(request).await.map_err(|mut error| match error.take_message() {
            Some(_) => Unsent::Not,
            None => Unsent::Perhaps(error.into_error().into()),
        })
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// Nothing was sent: the connection had ended.
    Not,
    /// It broke afterwards; the other side may have the request.
    Perhaps(anyhow::Error),
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("authority", &self.authority).finish_non_exhaustive()
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

/// Whether a host never leaves the machine (RFC 6761 section 6.3).
fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_in_the_clear_only_within_the_machine() {
        for good in
            ["https://ops.example.com", "https://10.0.0.1:8443/x/", "http://127.0.0.1:4040", "http://[::1]:1"]
        {
            assert!(Line::to(good).is_ok(), "{good}");
        }
        for bad in [
            "http://10.0.0.1:4040",
            "http://ops.example.com",
            "ftp://x",
            "ops.example.com",
            "https://a@b",
            "",
        ] {
            assert!(Line::to(bad).is_err(), "{bad}");
        }
        let line = Line::to("https://ops.example.com:8443/hooks/").unwrap();
        assert_eq!(
            (line.authority(), line.path("/api/v1/x").as_str()),
            ("ops.example.com:8443", "/hooks/api/v1/x")
        );
    }
}
