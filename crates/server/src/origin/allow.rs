//! `allow_ips`: may this client call this source?

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::networks;
use crate::config::AllowIps;

/// What a source's lists say of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is on every list there is, or there is none.
    Allowed,
    /// It is on no enforced network.
    Denied,
    /// It is on no monitored network: to be counted, not refused.
    WouldBeDenied,
}

/// Judges a client by its address.
pub(crate) fn decide(allow: &AllowIps, client: IpAddr) -> Decision {
    judge(allow, |list| networks::cover(list, client))
}

/// Judges a client of whom only a proxy's word is known, where the word cannot be read
/// ([`OriginRefused`](super::forwarded::OriginRefused)): it is on no network whatever.
pub(crate) fn decide_unknown(allow: &AllowIps) -> Decision {
    judge(allow, |_| false)
}

fn judge(allow: &AllowIps, on: impl Fn(&[IpNet]) -> bool) -> Decision {
    let missing = |list: &[IpNet]| !list.is_empty() && !on(list);
    if missing(&allow.enforce) {
        Decision::Denied
    } else if missing(&allow.monitor) {
        Decision::WouldBeDenied
    } else {
        Decision::Allowed
    }
}

/// How often a source's lists said what, since the start.
#[derive(Debug, Default)]
pub struct Counters {
    allowed: AtomicU64,
    denied: AtomicU64,
    would_be_denied: AtomicU64,
}

impl Counters {
    /// Counts a decision.
    pub(crate) fn count(&self, decision: Decision) {
        let counter = match decision {
            Decision::Allowed => &self.allowed,
            Decision::Denied => &self.denied,
            Decision::WouldBeDenied => &self.would_be_denied,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts as they stand; each is exact, though they need not be of one moment.
    pub(crate) fn snapshot(&self) -> Counts {
        Counts {
            allowed: self.allowed.load(Ordering::Relaxed),
            denied: self.denied.load(Ordering::Relaxed),
            would_be_denied: self.would_be_denied.load(Ordering::Relaxed),
        }
    }
}

/// [`Counters`], read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Counts {
    /// Requests from clients on the lists.
    pub allowed: u64,
    /// Requests that were refused.
    pub denied: u64,
    /// Requests that `enforce` would have refused.
    pub would_be_denied: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(enforce: &[&str], monitor: &[&str]) -> AllowIps {
        let read = |list: &[&str]| list.iter().map(|network| network.parse().unwrap()).collect();
        AllowIps { enforce: read(enforce), monitor: read(monitor) }
    }

    #[test]
    fn a_client_is_judged_by_the_enforced_list_and_then_by_the_monitored_one() {
        use Decision::{Allowed, Denied, WouldBeDenied};
        let (none, enforced) = (lists(&[], &[]), lists(&["10.0.0.0/8"], &[]));
        let monitored = lists(&[], &["199.59.148.0/22"]);
        let both = lists(&["10.0.0.0/8"], &["10.1.0.0/16"]);
        for (allow, client, decision) in [
            (&none, "203.0.113.9", Allowed),
            (&enforced, "10.9.9.9", Allowed),
            (&enforced, "203.0.113.9", Denied),
            (&enforced, "2001:db8::1", Denied),
            (&monitored, "199.59.148.1", Allowed),
            (&monitored, "203.0.113.9", WouldBeDenied),
            (&both, "203.0.113.9", Denied),
            (&both, "10.9.9.9", WouldBeDenied),
            (&both, "10.1.9.9", Allowed),
        ] {
            assert_eq!(decide(allow, client.parse().unwrap()), decision, "{client} by {allow:?}");
        }
    }

    /// Case P03.
    #[test]
    fn p03_an_ipv4_client_of_a_dual_stack_socket_is_on_an_ipv4_list_and_the_other_way_round() {
        for network in ["199.59.148.0/22", "::ffff:199.59.148.0/118"] {
            for client in ["::ffff:199.59.148.1", "199.59.148.1"] {
                let decision = decide(&lists(&[network], &[]), client.parse().unwrap());
                assert_eq!(decision, Decision::Allowed, "{client} on {network}");
            }
            let other = decide(&lists(&[network], &[]), "::ffff:203.0.113.9".parse().unwrap());
            assert_eq!(other, Decision::Denied, "{network}");
        }
    }

    #[test]
    fn an_unknown_client_is_on_no_list() {
        assert_eq!(decide_unknown(&lists(&["10.0.0.0/8"], &[])), Decision::Denied);
        assert_eq!(decide_unknown(&lists(&[], &["10.0.0.0/8"])), Decision::WouldBeDenied);
        assert_eq!(decide_unknown(&lists(&[], &[])), Decision::Allowed);
    }

    #[test]
    fn decisions_are_counted() {
        let counters = Counters::default();
        let decisions =
            [Decision::Allowed, Decision::WouldBeDenied, Decision::Denied, Decision::WouldBeDenied];
        for decision in decisions {
            counters.count(decision);
        }
        assert_eq!(counters.snapshot(), Counts { allowed: 1, denied: 1, would_be_denied: 2 });
    }
}
