//! The places where senders are listened for: what a reload keeps, opens and closes.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hyper::service::service_fn;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Endpoint, Listen};
use crate::current::Current;
use crate::descriptors::Spare;
use crate::ingest::Ingress;
use crate::lifecycle::Lifecycle;
use crate::listener::{self, Intake, Seats};
use crate::origin::forwarded::Trust;
use crate::socket::Socket;
use crate::sparse::Sparse;
use crate::tls::{self, Challenges, Front};

/// What whoever knocks is received with.
#[derive(Debug, Clone)]
pub(crate) struct Reception {
    /// What requests are judged by.
    pub(crate) ingress: Arc<Current<Ingress>>,
    /// What an authority's probes are answered with.
    pub(crate) challenges: Arc<Challenges>,
    pub(crate) seats: Arc<Seats>,
    pub(crate) lifecycle: Lifecycle,
}

impl Reception {
    /// Begins to listen: a door for each endpoint of a configuration, with its sockets, in their order.
    pub(crate) fn open(
        &self,
        config: &Config,
        sockets: Vec<Vec<Socket>>,
        fronts: Vec<Option<Arc<Front>>>,
    ) -> Vec<Door> {
        let endpoints = config.endpoints().into_iter().zip(sockets).zip(fronts);
        let open = |((endpoint, sockets), front): ((Endpoint<'_>, _), _)| {
            let intake = self.intake(config, endpoint.proxy_protocol, front);
            Door::open(self, endpoint.address.clone(), sockets, intake)
        };
        endpoints.map(open).collect()
    }

    pub(super) fn intake(&self, config: &Config, proxy_protocol: bool, front: Option<Arc<Front>>) -> Intake {
        let trust = Trust::new(config.server.trusted_proxies.clone());
        let ingress = Some(Arc::clone(&self.ingress));
        Intake { trust, proxy_protocol, front, ingress, closed: Sparse::new() }
    }
}

/// A place where senders are listened for.
#[derive(Debug)]
pub(crate) struct Door {
    pub(super) listen: Listen,
    pub(super) sockets: Vec<Arc<Socket>>,
    pub(super) intake: Arc<Current<Intake>>,
    /// Ends the accepting, and the connections that came this way.
    stop: CancellationToken,
    loops: Vec<AbortHandle>,
}

impl Door {
    /// Accepts from now on.
    pub(super) fn open(reception: &Reception, listen: Listen, sockets: Vec<Socket>, intake: Intake) -> Self {
        let stop = reception.lifecycle.soft.child_token();
        let intake = Arc::new(Current::new(intake));
        let sockets: Vec<_> = sockets.into_iter().map(Arc::new).collect();
        let accept = |socket: &Arc<Socket>| {
            let lifecycle = Lifecycle { soft: stop.clone(), ..reception.lifecycle.clone() };
            accept(reception, Arc::clone(socket), Arc::clone(&intake), lifecycle)
        };
        let loops = sockets.iter().map(accept).collect();
        Self { listen, sockets, intake, stop, loops }
    }

    /// Takes no more connections. Those that are open are told to end.
    pub(super) fn close(&self) {
        self.stop.cancel();
    }

    /// What accepts.
    pub(super) fn loops(&self) -> impl Iterator<Item = AbortHandle> {
        self.loops.iter().cloned()
    }

    /// The addresses of its sockets, as far as they have one.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().filter_map(|socket| socket.address())
    }

    /// Those of them that speak TLS.
    pub(super) fn secure(&self) -> Vec<SocketAddr> {
        if self.intake.get().front.is_some() { self.addresses().collect() } else { Vec::new() }
    }
}

fn accept(
    reception: &Reception,
    socket: Arc<Socket>,
    intake: Arc<Current<Intake>>,
    lifecycle: Lifecycle,
) -> AbortHandle {
    let (ingress, challenges) = (Arc::clone(&reception.ingress), Arc::clone(&reception.challenges));
    let seats = Arc::clone(&reception.seats);
    let service = move |peer: IpAddr, watch: &Arc<crate::connection::Watch>, intake: &Intake| {
        let (ingress, challenges, watch) = (Arc::clone(&ingress), Arc::clone(&challenges), Arc::clone(watch));
        let secure = intake.front.is_some();
        service_fn(move |request| {
            // What a request is judged by is what is in force when its head is there.
            let (ingress, watch) = (ingress.get(), Arc::clone(&watch));
            let probe = challenges.answer(&request);
            async move {
                let in_flight = watch.request();
                let mut reply = match probe {
                    Some(answer) => answer,
                    None => ingress.handle(request, peer, in_flight.fault()).await,
                };
                if secure {
                    tls::hsts::demand(&mut reply);
                }
                watch.sign_off(&mut reply);
                Ok(reply)
            }
        })
    };
    let accepting = reception.lifecycle.tracker.spawn(listener::run(
        socket,
        intake,
        seats,
        lifecycle,
        Spare::none(),
        service,
    ));
    accepting.abort_handle()
}
