//! Whether the way to a destination is open. No request goes there: a connection, and a handshake where it is https.

use std::net::SocketAddr;

use hookhouse_core::{Clock, SystemClock};
use hookhouse_delivery::{Destination, Guard};
use hookhouse_server::admin::view::DestinationView;

use super::certificate;
use super::check::{Check, Topic};
use super::outside::{Origin, Trust, connect};

/// Goes the way that an attempt goes, up to the request.
pub(super) async fn reach(destination: &Destination, guard: &Guard, trust: &Trust) -> Check {
    let topic = Topic::of("destination", &destination.name);
    let allow = destination.allow_loopback;
    let forbidden = |topic: Topic, why: String| {
        topic.problem(
            format!("nothing is sent to {}: {why}", destination.url),
            "set `url` to where the application is",
        )
    };
    if let Err(denied) = guard.check_url(&destination.url, allow) {
        return forbidden(topic, denied.to_string());
    }
    let Some(origin) = Origin::of(&destination.url) else {
        return forbidden(topic, "its URL is not whole".to_owned());
    };
    let addresses = match origin.resolve().await {
        Ok(addresses) => addresses,
        Err(error) => {
            return topic.problem(
                format!("{} cannot be looked up: {error}", origin.host),
                "see the spelling of `url`, and which resolver this machine uses",
            );
        }
    };
    if let Some(denied) = addresses.iter().find_map(|address| guard.check_dial(*address, allow).err()) {
        return forbidden(topic, denied.to_string());
    }
    let mut failures = Vec::new();
    for address in addresses {
        match connect(address).await {
            Ok(stream) => {
                let peers = stream.local_addr().and_then(|local| Ok((local, stream.peer_addr()?)));
                if let Ok((local, peer)) = peers
                    && let Err(denied) = guard.check_connected(local, peer, allow)
                {
                    return forbidden(topic, denied.to_string());
                }
                if origin.secure {
                    let handshake = origin.handshake(stream, trust).await;
                    return certificate::judge(topic, &handshake, SystemClock.now());
                }
                return topic.ok(format!("{origin} takes connections"));
            }
            Err(error) => failures.push(refused(address, &error)),
        }
    }
    topic.problem(
        format!("nobody takes connections at {}", failures.join(", ")),
        "start the application, or see its address and the firewall between; events wait for it",
    )
}

fn refused(address: SocketAddr, error: &std::io::Error) -> String {
    format!("{address} ({error})")
}

/// What the running server says of it.
pub(super) fn standing(view: &DestinationView) -> Check {
    let backlog = &view.backlog;
    let topic = Topic::of("delivery", &backlog.destination);
    let waiting = backlog.pending + backlog.waiting;
    if view.circuit == "open" {
        let cause = view.cause.as_deref().unwrap_or("it does not answer");
        return topic.problem(
            format!(
                "it is left alone because it failed again and again ({cause}); {waiting} deliveries wait"
            ),
            "mend the application; it is tried again by itself, and what waits comes then",
        );
    }
    if view.paused {
        return topic.warning(
            format!("an operator holds it; {waiting} deliveries wait"),
            format!("`hookhouse destinations resume {}` lets it go on", backlog.destination),
        );
    }
    if backlog.dead > 0 {
        return topic.warning(
            format!("{} deliveries were given up", backlog.dead),
            format!(
                "`hookhouse deliveries ls --state dead --destination {0}` shows them, `deliveries retry --all-dead {0}` tries \
                 them again",
                backlog.destination
            ),
        );
    }
    topic.ok(format!("{waiting} deliveries wait, none was given up"))
}
