//! What Twilio remembers during one call or message, and how it makes a request: it logs in when asked, follows
//! redirects, keeps cookies, and tries again what the URL says is to be tried again.

use std::collections::HashMap;

use data_encoding::HEXLOWER;
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use rand::RngCore;
use tokio::time::Instant;

use super::Twilio;
use super::auth::{Login, LoginScheme, Offers};
use super::connect::{self, Failure};
use super::cookies::Jar;
use super::exchange::{self, Answer, Times};
use super::story::{Finding, Outcome, Step};
use super::url::{Origin, WebhookUrl};
use super::webhook::{Hop, Webhook};

/// One call or message under way.
pub(super) struct Session<'a> {
    pub(super) twilio: &'a Twilio,
    pub(super) now: Timestamp,
    pub(super) rng: &'a mut dyn RngCore,
    observe: &'a mut dyn FnMut(Step),
    outcome: Outcome,
    /// Where the call began: what credentials and `via` are for.
    home: Origin,
    jar: Jar,
    logins: HashMap<Origin, Login>,
}

/// An answer, and the URL that gave it.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) answer: Answer,
    pub(super) url: WebhookUrl,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        twilio: &'a Twilio,
        home: &WebhookUrl,
        now: Timestamp,
        rng: &'a mut dyn RngCore,
        observe: &'a mut dyn FnMut(Step),
    ) -> Self {
        let (jar, logins) = (Jar::default(), HashMap::new());
        Self { twilio, now, rng, observe, outcome: Outcome::default(), home: home.origin(), jar, logins }
    }

    pub(super) fn tell(&mut self, step: Step) {
        if let Step::Finding(finding) = &step {
            if finding.is_error() {
                self.outcome.errors += 1;
            } else {
                self.outcome.warnings += 1;
            }
        }
        (self.observe)(step);
    }

    pub(super) fn find(&mut self, finding: Finding) {
        self.tell(Step::Finding(finding));
    }

    pub(super) fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Where to connect for a URL, when not to its host: a stand-in for whatever is in front of the application.
    pub(super) fn via(&self, url: &WebhookUrl) -> Option<&'a str> {
        let (_, host, _) = &self.home;
        self.twilio.via.as_deref().filter(|_| url.origin().1 == *host)
    }

    /// Makes a request, as often as its URL's overrides say.
    pub(super) async fn fetch(&mut self, webhook: &Webhook) -> Result<Fetched, Failure> {
        let overrides = *webhook.url.overrides();
        let deadline = Instant::now() + overrides.total;
        let times = Times { read: overrides.read, total: overrides.total, deadline };
        let mut attempt = 1;
        loop {
            let outcome = self.follow(webhook, times, attempt).await;
            let on = overrides.retry_on;
            let again = match &outcome {
                Ok(fetched) => {
                    let status = fetched.answer.status;
                    (on.client_error && status.is_client_error())
                        || (on.server_error && status.is_server_error())
                }
                Err(failure) => (on.connect && failure.is_connect()) || (on.read && failure.is_read()),
            };
            if !again || attempt > overrides.retries || Instant::now() >= deadline {
                return outcome;
            }
            self.tell(Step::Retry { number: attempt, of: overrides.retries });
            attempt += 1;
        }
    }

    /// One try, from redirect to redirect.
    async fn follow(&mut self, webhook: &Webhook, times: Times, attempt: u8) -> Result<Fetched, Failure> {
        let mut hop = webhook.first_hop();
        for _ in 0..=MOST_REDIRECTS {
            let answer = self.logged_in(webhook, &hop, times, attempt).await?;
            for fault in self.jar.keep(&hop.url, &answer.headers, self.now) {
                self.find(Finding::error(11206, format!("{fault}.")));
            }
            let status = answer.status.as_u16();
            if !matches!(status, 301 | 302 | 303 | 307) {
                return Ok(Fetched { answer, url: hop.url });
            }
            let location = answer.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
            let Some(location) = location.and_then(|location| hop.url.resolve(location).ok()) else {
                let missing = "the redirect has no Location, or one that is no URL.";
                self.find(Finding::error(11216, missing));
                return Ok(Fetched { answer, url: hop.url });
            };
            let next = hop.redirected(status, location);
            let (method, url) = (next.method.to_string(), next.url.to_string());
            self.tell(Step::Redirect { status, method, url });
            if hop.carries && !next.carries {
                self.find(Finding::notice(format!(
                    "after a {status} Twilio asks with GET, and the parameters are lost: answer directly."
                )));
            }
            hop = next;
        }
        Err(Failure::RedirectsWithoutEnd(MOST_REDIRECTS))
    }

    /// One hop: without credentials at first, with them once a challenge says how; once more when a nonce was stale.
    async fn logged_in(
        &mut self,
        webhook: &Webhook,
        hop: &Hop,
        times: Times,
        attempt: u8,
    ) -> Result<Answer, Failure> {
        let origin = hop.url.origin();
        let (mut fresh, mut followed_stale) = (false, false);
        loop {
            let (login, scheme) = self.authorization(hop).unzip();
            let offered = scheme.is_some();
            let answer = self.once(webhook, hop, times, attempt, login, scheme).await?;
            if answer.status != StatusCode::UNAUTHORIZED {
                return Ok(answer);
            }
            let offers = Offers::read(&answer.headers, &self.twilio.logins);
            self.tell(Step::Challenge { schemes: offers.schemes.clone() });
            let stale = offered && offers.stale && !followed_stale;
            if fresh && !stale {
                // What was just offered was refused, and will be again.
                self.logins.remove(&origin);
                return Ok(answer);
            }
            let (Some(login), true) = (offers.best, self.credentials(&hop.url).is_some()) else {
                self.logins.remove(&origin);
                return Ok(answer);
            };
            followed_stale |= stale;
            fresh = true;
            self.logins.insert(origin.clone(), login);
        }
    }

    fn credentials(&self, url: &WebhookUrl) -> Option<super::auth::Credentials> {
        let given = || self.twilio.credentials.clone().filter(|_| url.origin() == self.home);
        url.credentials().cloned().or_else(given)
    }

    fn authorization(&mut self, hop: &Hop) -> Option<(HeaderValue, LoginScheme)> {
        let credentials = self.credentials(&hop.url)?;
        let mut cnonce = [0; 16];
        self.rng.fill_bytes(&mut cnonce);
        let login = self.logins.get_mut(&hop.url.origin())?;
        let (method, target) = (hop.method.as_str(), hop.url.request_target());
        let value = login.authorization(&credentials, method, &target, &HEXLOWER.encode(&cnonce))?;
        Some((value, login.scheme()))
    }

    /// One request and its answer.
    async fn once(
        &mut self,
        webhook: &Webhook,
        hop: &Hop,
        times: Times,
        attempt: u8,
        login: Option<HeaderValue>,
        scheme: Option<LoginScheme>,
    ) -> Result<Answer, Failure> {
        let request = webhook.request(hop, self.twilio, self.now, login, self.jar.header(&hop.url))?;
        self.tell(Step::Request {
            method: hop.method.to_string(),
            url: hop.shown.clone(),
            parameters: if hop.carries { webhook.parameters.0.clone() } else { Vec::new() },
            attempt,
            login: scheme,
            idempotency_token: webhook.idempotency_token().to_owned(),
        });
        let began = Instant::now();
        let answered = async {
            let limit = webhook.url.overrides().connect;
            let via = self.via(&hop.url);
            let io = connect::connect(&hop.url, via, &self.twilio.tls, limit, times.deadline).await?;
            exchange::exchange(io, request, times).await
        };
        let answered = answered.await;
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        match &answered {
            Ok(answer) => {
                self.outcome.reached = true;
                self.tell(Step::Answer {
                    status: answer.status.as_u16(),
                    content_type: content_type(answer),
                    bytes: answer.body.len(),
                    ms,
                });
            }
            Err(failure) => self.tell(Step::NoAnswer { error: failure.to_string(), ms }),
        }
        answered
    }
}

fn content_type(answer: &Answer) -> Option<String> {
    let value = answer.headers.get(header::CONTENT_TYPE)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// How many redirects are followed.
const MOST_REDIRECTS: usize = 10;
