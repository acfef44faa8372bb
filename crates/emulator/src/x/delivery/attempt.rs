//! One attempt at a time: the request, what came of it, and what that means for the next.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use jiff::Timestamp;

use super::Stage;
use crate::x::agenda::Task;
use crate::x::client::Fault;
use crate::x::clock::later;
use crate::x::keys::keys_in;
use crate::x::ledger::{AttemptRecord, Entry, Fate, Purpose};
use crate::x::options::SignatureHeaders;
use crate::x::signature::{self, AppKey};
use crate::x::state::State;

/// An attempt that is to be made.
#[derive(Debug)]
pub(in crate::x) struct Outgoing {
    pub(in crate::x) number: u64,
    pub(in crate::x) attempt: usize,
    pub(in crate::x) purpose: Purpose,
    pub(in crate::x) request: Request<Bytes>,
}

/// One that was made.
#[derive(Debug)]
pub(in crate::x) struct Attempted {
    pub(in crate::x) number: u64,
    pub(in crate::x) attempt: usize,
    pub(in crate::x) purpose: Purpose,
    pub(in crate::x) answer: Result<Response<Bytes>, Fault>,
}

impl State {
    /// The request of an attempt, unless there is nothing to send or nobody to send it to.
    pub(in crate::x) fn outgoing(&mut self, number: u64, replay: bool) -> Option<Outgoing> {
        let delivery = self.deliveries.get_mut(&number)?;
        let webhook = self.webhooks.get(&delivery.webhook);
        let Some(webhook) = webhook.filter(|webhook| webhook.valid) else {
            if !replay {
                // What was tried once is dropped, as after its last retry: a replay covers it.
                let withheld = delivery.stage == Stage::New;
                delivery.stage = if withheld { Stage::Withheld } else { Stage::Done };
                let fate = if withheld { Fate::Withheld } else { Fate::Dropped };
                let events = delivery.events.clone();
                if delivery.purpose != Purpose::Duplicate {
                    events.into_iter().for_each(|event| self.ledger.settle(event, fate));
                }
            }
            return None;
        };
        let url = webhook.url.parse().ok()?;
        if !replay {
            delivery.stage = Stage::Tried;
            delivery.attempts += 1;
        }
        let body = delivery.body.clone();
        let attempt = if replay { 1 } else { delivery.attempts };
        let purpose = if replay { Purpose::Replay } else { delivery.purpose };
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url;
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for key in self.event_keys() {
            let value = HeaderValue::try_from(signature::sign(key.secret, request.body())).ok()?;
            request.headers_mut().insert(key.header, value);
        }
        Some(Outgoing { number, attempt, purpose, request })
    }

    /// The keys that sign an event.
    fn event_keys(&self) -> impl Iterator<Item = AppKey<'_>> {
        let consumer = AppKey { header: signature::HEADER, secret: &self.credentials.consumer_secret };
        let oauth2 = AppKey { header: signature::OAUTH2_HEADER, secret: &self.credentials.client_secret };
        let (first, second) = match self.options.delivery.signatures {
            SignatureHeaders::Consumer => (consumer, None),
            SignatureHeaders::Oauth2 => (oauth2, None),
            SignatureHeaders::Both => (consumer, Some(oauth2)),
        };
        std::iter::once(first).chain(second)
    }

    /// Writes an attempt down, and plans the next one where there is to be one. Tells whether it was taken.
    pub(in crate::x) fn attempted(&mut self, attempt: &Attempted, now: Timestamp) -> bool {
        let status = attempt.answer.as_ref().ok().map(|answer| answer.status().as_u16());
        let fault = attempt.answer.as_ref().err().map(ToString::to_string);
        let taken = status == Some(200);
        let Some(delivery) = self.deliveries.get_mut(&attempt.number) else { return taken };
        let (webhook, events) = (delivery.webhook, delivery.events.clone());
        let record = AttemptRecord {
            number: self.ledger.number(),
            at: now,
            webhook,
            purpose: attempt.purpose,
            attempt: attempt.attempt,
            bytes: delivery.body.len(),
            keys: keys_in(&delivery.body),
            status,
            fault,
        };
        let replay = attempt.purpose == Purpose::Replay;
        let pause = self.options.delivery.retries.get(attempt.attempt.saturating_sub(1)).copied();
        if taken {
            events.into_iter().for_each(|event| self.ledger.settle(event, Fate::Delivered));
            if !replay {
                delivery.stage = Stage::Done;
            }
        } else if !replay {
            match pause {
                Some(pause) => {
                    self.agenda.add(later(now, pause), Task::Attempt { delivery: attempt.number });
                }
                None => {
                    delivery.stage = Stage::Done;
                    if attempt.purpose != Purpose::Duplicate {
                        events.into_iter().for_each(|event| self.ledger.settle(event, Fate::Dropped));
                    }
                }
            }
        }
        let watch = self.options.watch.clone();
        let record = self.ledger.attempt(record);
        if let Some(watch) = watch {
            watch.tell(Entry::Attempt(record));
        }
        taken
    }
}
