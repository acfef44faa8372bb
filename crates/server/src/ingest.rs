//! The way of a request: head, route, admit, body, verify, record, answer.
//!
//! Everything up to the record is free of storage, so a challenge is answered while the store is full, stalled or
//! busy. The record is finished also when nobody waits for it: a sender that hangs up leaves a whole event or none.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hookhouse_core::event::Admitted;
use hookhouse_core::notice::Answered;
use hookhouse_core::store::Receipt;
use hookhouse_core::{
    Arrival, Clock, Event, EventStore, Notice, Observer, Refusal, Repeats, SourceName, StoreError, Timestamp,
};
use hookhouse_verify::{Handshake, Headers, Reject, Request as Received, Verdict};
use hookhouse_x::probe::PROBE_AGENT;
use http::Request;
use http::header::{AUTHORIZATION, CONNECTION, UPGRADE, USER_AGENT};
use http::request::Parts;
use hyper::body::{Body, Incoming};
use hyper::upgrade::OnUpgrade;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::answer::{self, Refuse, Refused, Reply, Unproven};
use crate::care::PROBE;
use crate::config::{Config, Source};
use crate::login::{self, LoginRefused};
use crate::origin::allow::{self, Decision};
use crate::origin::forwarded::{Origin, OriginRefused, Trust};
use crate::origin::proxy_protocol::{self, ProxyRefused};
use crate::outliving::Outliving;
use crate::pending::Pending;
use crate::reasons::{self, Reasons};
use crate::relay::{Order, Relays};
use crate::sparse::Sparse;
use crate::wire::Fault;
use crate::{body, head};

/// The most characters of a sender's words that a refusal keeps.
const EXCERPT: usize = 256;

/// Everything a request is judged by.
#[derive(Debug)]
pub(crate) struct Ingress {
    routes: HashMap<String, Arc<Source>>,
    hosts: Vec<String>,
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    tracker: TaskTracker,
    relays: Arc<Relays>,
    trust: Trust,
    reasons: Arc<Reasons>,
    conflicts: Sparse,
    strangers: Sparse,
    ids: RequestIds,
}

/// A request that stands before a decision, for the record of a refusal.
struct Case<'a> {
    parts: &'a Parts,
    /// Where it came from: the peer, or whom a trusted proxy names; and what was called, if one says so.
    origin: Origin,
    /// Why the client is not known, where a trusted proxy's word cannot be read.
    doubt: Option<OriginRefused>,
    at: Timestamp,
    source: Option<SourceName>,
    pending: Pending,
    body: Bytes,
    /// Whether the whole request was read, so that the connection can go on after a refusal.
    whole: bool,
}

impl Ingress {
    pub(crate) fn new(
        config: &Config,
        sources: Vec<Arc<Source>>,
        store: Arc<dyn EventStore>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
        tracker: TaskTracker,
        relays: Arc<Relays>,
    ) -> Self {
        Self {
            reasons: Arc::new(Reasons::new(sources.clone())),
            routes: sources.into_iter().map(|source| (source.path.clone(), source)).collect(),
            hosts: config.server.hosts.clone(),
            store,
            clock,
            observer,
            tracker,
            relays,
            trust: Trust::new(config.server.trusted_proxies.clone()),
            conflicts: Sparse::new(),
            strangers: Sparse::new(),
            ids: RequestIds::new(),
        }
    }

    /// Answers one request. `fault`: what is wrong with its head that it does not show.
    pub(crate) async fn handle(
        &self,
        request: Request<Incoming>,
        peer: IpAddr,
        fault: Option<Fault>,
    ) -> Reply {
        let (mut parts, incoming) = request.into_parts();
        let pending = Pending::new(&parts);
        let upgrade = parts.extensions.remove::<OnUpgrade>();
        let (origin, doubt) = match self.trust.origin(peer, &parts.headers) {
            Ok(origin) => {
                if let Some(note) = &origin.note {
                    tracing::debug!(event = note.code(), %peer, why = %note);
                }
                (origin, None)
            }
            Err(refused) => (refused.clone().into_origin(), Some(refused)),
        };
        let mut case = Case {
            parts: &parts,
            origin,
            doubt,
            at: self.clock.now(),
            source: None,
            pending,
            body: Bytes::new(),
            whole: incoming.is_end_stream(),
        };
        if let Some(fault) = fault {
            // Nothing behind such a head is taken for a request.
            case.whole = false;
            if let Some(refused) = fault.refused() {
                return self.refuse(case, refused);
            }
            if let Some(others) = self.conflicts.may_speak() {
                tracing::warn!(event = "http.te_cl_conflict", %peer, others, "`Content-Length` was ignored");
            }
        }
        match self.decide(&mut case, incoming, upgrade).await {
            Ok(reply) => reply,
            Err(refused) => self.refuse(case, refused),
        }
    }

    async fn decide(
        &self,
        case: &mut Case<'_>,
        incoming: Incoming,
        upgrade: Option<OnUpgrade>,
    ) -> Result<Reply, Refused> {
        let head = head::check(case.parts, &self.hosts)?;
        let path = head.target.split_once('?').map_or(head.target, |(path, _)| path);
        let source = self
            .routes
            .get(path)
            .ok_or_else(|| Refused::new(Refuse::NotFound, "route.unknown", self.reasons.route(path)))?;
        case.source = Some(source.name.clone());
        // A handshake is one only where there is an application to speak to; elsewhere `Upgrade` means nothing.
        let upgrade = upgrade.filter(|_| source.relay.is_some() && is_websocket(case.parts));
        self.admit(source, case, upgrade.is_some())?;
        if let Some(login) = &source.login {
            // Digest covers the target that the sender called, which is the one in front of the proxy.
            let called = case.origin.prefix.as_ref().map(|prefix| format!("{prefix}{}", head.target));
            let target = called.as_deref().unwrap_or(head.target);
            let explained = |refused: LoginRefused| {
                let reason = reasons::login(&refused, &case.origin);
                Refused { reason, ..refused.into() }
            };
            let checked = login.check(case.parts.method.as_str(), target, &case.parts.headers, case.at);
            if let Some(spending) = checked.map_err(explained)?.spending {
                let is_first = self.store.claim(&spending.name, login::REMEMBERED).await;
                if !is_first.map_err(|error| Refused::from(&error))? {
                    return Err(explained(login.spent(case.at)));
                }
            }
        }
        case.body = body::read(incoming, source.max_body, &mut case.pending.bytes).await?;
        case.whole = true;
        let received = received(case, head.target, source.login.is_some())?;
        match source.verifier.verify(received, case.at) {
            Verdict::Verified(verified) => {
                let event = accepted(verified, source, case);
                self.take(source, event, upgrade, case.pending).await
            }
            Verdict::Unsigned(unsigned) => {
                limit_unproven(source, case.origin.client)?;
                let event = accepted(unsigned, source, case);
                self.take(source, event, upgrade, case.pending).await
            }
            Verdict::Handshake(handshake) => {
                limit(source, &handshake, case.origin.client)?;
                let mut notes = handshake.notes.clone();
                notes.extend(is_own_probe(case.parts).then_some(PROBE));
                self.observer.notice(Notice::Handshake {
                    source: source.name.clone(),
                    at: case.at,
                    kind: handshake.kind,
                    key: handshake.key.clone(),
                    signed: handshake.signed,
                    sent_at: handshake.sent_at,
                    notes,
                    answered: case.pending.answered(200, None),
                });
                Ok(answer::handshake(handshake))
            }
            Verdict::Rejected { reject, request } => {
                limit_unproven(source, case.origin.client)?;
                Err(Refused {
                    kind: match reject {
                        Reject::MethodUnexpected { .. } => not_served(source),
                        _ => Refuse::from(&reject),
                    },
                    code: reject.code(),
                    reason: reject.to_string(),
                    unproven: Some(Box::new(Unproven { request, reject, called: case.origin.called() })),
                })
            }
        }
    }

    /// Whether a source takes such a request at all, judged before its body is read.
    fn admit(&self, source: &Source, case: &Case<'_>, handshake: bool) -> Result<(), Refused> {
        let method = case.parts.method.as_str();
        if !handshake && !source.methods.iter().any(|served| served == method) {
            return Err(Refused::new(
                not_served(source),
                "http.method",
                reasons::method(source, &case.parts.method, &case.parts.headers),
            ));
        }
        let decision = match &case.doubt {
            None => allow::decide(&source.allow_ips, case.origin.client),
            Some(_) => allow::decide_unknown(&source.allow_ips),
        };
        source.addresses.count(decision);
        match (decision, &case.doubt) {
            (Decision::Denied, Some(doubt)) => {
                return Err(Refused::new(Refuse::Forbidden, doubt.code(), doubt.reason.to_string()));
            }
            (Decision::Denied, None) => {
                return Err(Refused::new(Refuse::Forbidden, "ip.denied", reasons::address(&case.origin)));
            }
            (Decision::WouldBeDenied, _) => {
                if let Some(others) = self.strangers.may_speak() {
                    let (source, client) = (&source.name, case.origin.client);
                    tracing::info!(event = "ip.monitor", %source, %client, others, "would be refused if enforced");
                }
            }
            (Decision::Allowed, _) => {}
        }
        Ok(())
    }

    /// Answers for an event: with the application's words, or with ours once it is durable.
    async fn take(
        &self,
        source: &Arc<Source>,
        event: Event,
        upgrade: Option<OnUpgrade>,
        pending: Pending,
    ) -> Result<Reply, Refused> {
        let Some(settings) = &source.relay else { return self.record(source, event, pending).await };
        let order = Order::new(source, settings, event, upgrade, pending);
        let relaying = self.tracker.spawn(Arc::clone(&self.relays).relay(order));
        relaying.await.unwrap_or_else(|_| {
            Err(Refused::new(Refuse::Internal, "internal", "relaying the event broke off"))
        })
    }

    /// Makes an event durable, then acknowledges it.
    async fn record(&self, source: &Arc<Source>, event: Event, pending: Pending) -> Result<Reply, Refused> {
        let (store, observer, name) =
            (Arc::clone(&self.store), Arc::clone(&self.observer), source.name.clone());
        let status = source.answer.status;
        let recording = async move {
            let asked = Instant::now();
            let receipt = store.append(event).await?;
            let answered = pending.answered(status, Some(asked.elapsed()));
            observer.notice(match receipt {
                Receipt::Stored { event, repeat_of } => {
                    Notice::Accepted { event, repeat_of, answered: Some(answered) }
                }
                Receipt::Duplicate { of } => Notice::Duplicate { source: name, of, answered },
            });
            Ok::<(), StoreError>(())
        };
        match Outliving::new(recording, &self.tracker).await {
            Ok(()) => Ok(answer::accepted(&source.answer)),
            Err(error) => Err(Refused::from(&error)),
        }
    }

    /// Notes a refusal and answers it.
    fn refuse(&self, case: Case<'_>, refused: Refused) -> Reply {
        let request_id = self.ids.next();
        let refusal = Refusal {
            request_id: request_id.clone(),
            at: case.at,
            source: case.source,
            peer: Some(case.origin.client),
            method: printable(case.parts.method.as_str()),
            path: printable(case.parts.uri.path()),
            status: refused.kind.status().as_u16(),
            code: refused.code.to_owned(),
            reason: refused.reason,
            body_bytes: case.pending.bytes,
        };
        let answered = Some(case.pending.answered(refusal.status, None));
        self.tell(refusal, case.body, refused.unproven, answered);
        refused.kind.reply(&request_id, !case.whole)
    }

    /// Notes a connection that was closed without a word, before or instead of its first request.
    pub(crate) fn closed(&self, peer: IpAddr, why: &ProxyRefused) {
        let refusal = Refusal {
            request_id: self.ids.next(),
            at: self.clock.now(),
            source: None,
            peer: Some(peer),
            method: String::new(),
            path: String::new(),
            status: 0,
            code: proxy_protocol::CODE.to_owned(),
            reason: why.to_string(),
            body_bytes: 0,
        };
        self.tell(refusal, Bytes::new(), None, None);
    }

    /// Records a refusal, with why exactly where that can be found out. Finding out takes its time, which is nobody
    /// else's: not the sender's, who has the same answer at once, and not that of the requests beside it.
    fn tell(
        &self,
        mut refusal: Refusal,
        body: Bytes,
        unproven: Option<Box<Unproven>>,
        answered: Option<Answered>,
    ) {
        let (store, observer) = (Arc::clone(&self.store), Arc::clone(&self.observer));
        let explained = unproven.zip(refusal.source.clone()).filter(|_| self.reasons.may_ask(refusal.at));
        let Some((unproven, source)) = explained else {
            store.refuse(refusal.clone());
            return observer.notice(Notice::Refused { refusal, body, answered });
        };
        let reasons = Arc::clone(&self.reasons);
        self.tracker.spawn_blocking(move || {
            refusal.reason = reasons.of(&source, &unproven, refusal.at);
            store.refuse(refusal.clone());
            observer.notice(Notice::Refused { refusal, body, answered });
        });
    }
}

/// Counts the answer to a challenge that nobody signed, where it is counted.
fn limit(source: &Source, handshake: &Handshake, client: IpAddr) -> Result<(), Refused> {
    let Some(limiter) = source.challenge_limit.as_ref().filter(|_| !handshake.signed) else { return Ok(()) };
    limiter.take(client, Instant::now()).map_err(|wait| {
        let reason =
            format!("{client} had its unsigned challenges answered: `crc.rate` allows {}", limiter.rate());
        Refused::new(too_many(wait), "crc.rate", reason)
    })
}

/// Counts a request that nobody signed, where it is counted. One that is proven never comes here.
fn limit_unproven(source: &Source, client: IpAddr) -> Result<(), Refused> {
    let Some(limiter) = &source.unproven_limit else { return Ok(()) };
    limiter.take(client, Instant::now()).map_err(|wait| {
        let reason =
            format!("{client} sent more without a valid signature than `rate` allows: {}", limiter.rate());
        Refused::new(too_many(wait), "rate.limited", reason)
    })
}

/// Rounded up: whoever comes at that moment is to be answered.
fn too_many(wait: Duration) -> Refuse {
    let retry_after = u32::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX).max(1);
    Refuse::TooManyRequests { retry_after }
}

/// Whether we sent a challenge ourselves, by its own word: whoever says so falsely is not counted as X, and that is all.
fn is_own_probe(parts: &Parts) -> bool {
    parts.headers.get(USER_AGENT).is_some_and(|agent| agent == PROBE_AGENT)
}

/// Whether a request is a WebSocket handshake (RFC 6455 section 4.1), as far as a proxy must know.
fn is_websocket(parts: &Parts) -> bool {
    let says = |name, word: &str| {
        parts.headers.get_all(name).iter().any(|value| {
            value
                .to_str()
                .is_ok_and(|list| list.split(',').any(|said| said.trim().eq_ignore_ascii_case(word)))
        })
    };
    parts.method == http::Method::GET && says(UPGRADE, "websocket") && says(CONNECTION, "upgrade")
}

fn not_served(source: &Source) -> Refuse {
    Refuse::MethodNotAllowed { allow: source.methods.join(", ") }
}

/// The event of a request, without what must not be stored.
fn accepted(admitted: impl Into<Admitted>, source: &Source, case: &Case<'_>) -> Event {
    let event = Event::accept(admitted, arrival(source, case));
    match &source.redaction {
        Some(rules) => event.redact(rules),
        None => event,
    }
}

fn arrival(source: &Source, case: &Case<'_>) -> Arrival {
    Arrival {
        source: source.name.clone(),
        received_at: case.at,
        peer: Some(case.origin.client),
        dedupe_window: source.dedupe_window,
        // A repeat wants an answer like the first one did.
        repeats: if source.relay.is_some() { Repeats::Keep } else { Repeats::Acknowledge },
    }
}

/// The request as verification and the store take it: bytes, not meanings.
///
/// The credentials that a login checked end here: they are nobody else's, neither the store's nor the application's.
fn received(case: &Case<'_>, target: &str, logged_in: bool) -> Result<Received, Refused> {
    let kept = case.parts.headers.iter().filter(|(name, _)| !(logged_in && *name == AUTHORIZATION));
    let headers = kept.map(|(name, value)| (name.as_str(), value.as_bytes()));
    let headers = Headers::from_pairs(headers)
        .map_err(|error| Refused::new(Refuse::BadRequest, "http.header_invalid", error.to_string()))?;
    let method = match case.parts.method.as_str() {
        "GET" => "GET".into(),
        "POST" => "POST".into(),
        other => other.to_owned().into(),
    };
    Ok(Received { method, target: target.to_owned(), headers, body: case.body.clone() })
}

/// A sender's words as an operator can look at them: not many, no control characters, and none that turn the text.
fn printable(text: &str) -> String {
    let turns = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain = |c: char| if c.is_control() || turns(c) { '\u{fffd}' } else { c };
    text.chars().take(EXCERPT).map(plain).collect()
}

/// Ids for refusals: unique, and not telling how many there were.
#[derive(Debug)]
struct RequestIds {
    start: u64,
    count: AtomicU64,
}

impl RequestIds {
    fn new() -> Self {
        Self { start: rand::random(), count: AtomicU64::new(0) }
    }

    fn next(&self) -> String {
        // A bijection of the counter (odd multiplier, then a mix): no id comes twice, none follows from the last.
        let mut id = self
            .start
            .wrapping_add(self.count.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        id = (id ^ (id >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        id = (id ^ (id >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        format!("req_{:016x}", id ^ (id >> 31))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_do_not_repeat() {
        let ids = RequestIds::new();
        let made: std::collections::HashSet<_> = (0..10_000).map(|_| ids.next()).collect();
        assert_eq!(made.len(), 10_000);
    }

    #[test]
    fn what_is_kept_of_a_sender_is_printable_and_short() {
        assert_eq!(printable("a\r\n\u{1b}[31m\u{202e}b"), "a\u{fffd}\u{fffd}\u{fffd}[31m\u{fffd}b");
        assert_eq!(printable(&"x".repeat(1000)).len(), EXCERPT);
    }
}
