//! Name, connection and certificate of the hosts that providers call.

use std::net::SocketAddr;

use futures_util::future::join_all;
use hookhouse_core::{Clock, SystemClock};

use super::certificate;
use super::check::{Check, Topic};
use super::outside::{Origin, Trust, connect, is_own, is_private};

/// What was found on the way to a host.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) origin: Origin,
    pub(super) checks: Vec<Check>,
    /// Whether requests come through.
    pub(super) open: bool,
    /// Whether the host is this very machine.
    pub(super) own: bool,
}

/// Goes the way. `internet`: whether somebody out there must be able to.
pub(super) async fn go(origin: Origin, internet: bool, trust: &Trust) -> Way {
    let mut way = Way { origin, checks: Vec::new(), open: false, own: false };
    let topic = Topic::of("dns", &way.origin.host);
    let addresses = match way.origin.resolve().await {
        Ok(addresses) => addresses,
        Err(error) => {
            way.checks.push(topic.problem(
                format!("the name cannot be looked up: {error}"),
                "see the DNS records of the name, and the spelling of `public_url`",
            ));
            return way;
        }
    };
    way.own = addresses.iter().all(|address| is_own(address.ip()));
    way.checks.push(names(topic, &way, &addresses, internet));

    let tried = join_all(addresses.iter().map(|address| connect(*address))).await;
    let (mut streams, mut failures) = (Vec::new(), Vec::new());
    for (address, outcome) in addresses.iter().zip(tried) {
        match outcome {
            Ok(stream) => streams.push(stream),
            Err(error) => failures.push(format!("{address} ({error})")),
        }
    }
    way.checks.push(connections(&way.origin, streams.len(), &failures));
    let Some(stream) = streams.pop() else { return way };
    way.open = true;
    if way.origin.secure {
        let handshake = way.origin.handshake(stream, trust).await;
        way.open = handshake.outcome.is_ok();
        way.checks.push(certificate::judge(Topic::of("tls", &way.origin), &handshake, SystemClock.now()));
    }
    way
}

fn names(topic: Topic, way: &Way, addresses: &[SocketAddr], internet: bool) -> Check {
    let list: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    let whose =
        if way.own { "this machine" } else { "not this machine: a proxy, a tunnel or NAT is in front" };
    let found = format!("{} ({whose})", list.join(", "));
    match addresses.iter().find(|address| is_private(address.ip())) {
        Some(private) if internet => topic.problem(
            format!("{found}, and {} is a private address: the internet has no way to it", private.ip()),
            "point the name to a public address, or put a tunnel or a proxy in front and its name into `public_url`",
        ),
        _ => topic.ok(found),
    }
}

fn connections(origin: &Origin, good: usize, failures: &[String]) -> Check {
    let topic = Topic::of("tcp", origin);
    let port = origin.port;
    match (good, failures) {
        (_, []) => topic.ok(format!("port {port} takes connections")),
        (0, failures) => topic.problem(
            format!("nobody takes connections at {}", failures.join(", ")),
            "see that the server or its proxy runs, and that the firewall lets this port through; where only machines \
             outside can call the name (hairpin NAT), run the doctor from there",
        ),
        (_, failures) => topic.warning(
            format!("port {port} takes connections, but not at {}", failures.join(", ")),
            "listen on every address of the name, or take the other ones out of its DNS records: senders try any of them",
        ),
    }
}
