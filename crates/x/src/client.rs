//! Sends calls: signs, waits for rate limits, asks for a bearer where one is needed, reads the answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use hookhouse_core::Clock;
use hookhouse_verify::Secret;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use rand::Rng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::base::Base;
use crate::call::{Call, Reply};
use crate::credentials::{Credentials, Scheme};
use crate::error::Error;
use crate::limit::{Budget, Limits};
use crate::oauth1::{self, Signatory, Stamp};
use crate::problem;
use crate::transport::{Answer, Bounds, Target, Transport};

/// Speaks to the X platform for one app.
#[derive(Debug)]
pub struct Client {
    base: Base,
    credentials: Credentials,
    transport: Transport,
    clock: Arc<dyn Clock>,
    patience: Duration,
    limits: Limits,
    /// The bearer that was fetched; X answers with the same one until it is revoked.
    fetched: Mutex<Option<Secret>>,
}

/// A request as it would be sent, with its secrets masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// The headers; credentials are `***`.
    pub headers: Vec<(String, String)>,
    /// The body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

impl Client {
    /// A client of the platform at `base`.
    #[must_use]
    pub fn new(base: Base, credentials: Credentials, transport: Transport, clock: Arc<dyn Clock>) -> Self {
        Self {
            base,
            credentials,
            transport,
            clock,
            patience: PATIENCE,
            limits: Limits::default(),
            fetched: Mutex::default(),
        }
    }

    /// How long a call waits for the next window of a rate limit before it fails and says when that is.
    #[must_use]
    pub fn patient_for(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Where the platform is.
    #[must_use]
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// What is left of the window of an operation, as X last said.
    #[must_use]
    pub fn budget(&self, operation: &'static str) -> Option<Budget> {
        self.limits.of(operation)
    }

    /// Makes a call.
    ///
    /// # Errors
    /// [`Error`] says what X said, and what to do.
    pub async fn send<T>(&self, call: &Call<T>) -> Result<T, Error> {
        let scheme = self.scheme(call)?;
        let (mut path, mut other) = (call.path.as_str(), call.or_path.as_deref());
        let (mut may_wait, mut may_fetch) = (true, scheme == Scheme::AppOnly);
        loop {
            if let Some(until) = self.limits.closed_until(call.operation, self.clock.now()) {
                self.wait(call.operation, Some(until), &mut may_wait).await?;
            }
            let authorization = self.authorization(scheme, call, path).await?;
            let answer = self.exchange(request(&self.base, call, path, &authorization)?).await?;
            let budget = Budget::read(&answer.headers);
            if let Some(budget) = budget {
                self.limits.note(call.operation, budget);
            }
            if answer.status.is_success() {
                return self.read(call, &answer);
            }
            match (answer.status, problem::read(call.operation, &answer, |text| self.scrub(text))) {
                (StatusCode::UNAUTHORIZED, _) if may_fetch => {
                    // The bearer was revoked or made anew meanwhile.
                    may_fetch = false;
                    *self.fetched.lock().unwrap_or_else(PoisonError::into_inner) = None;
                }
                (_, Error::RateLimited { until, .. }) => {
                    self.wait(call.operation, until, &mut may_wait).await?
                }
                (StatusCode::NOT_FOUND, Error::NotFound { detail }) => {
                    path = other.take().ok_or(Error::NotFound { detail })?;
                }
                (_, error) => return Err(error),
            }
        }
    }

    /// What [`send`](Self::send) would send, in order: a bearer that must be fetched first is a request too.
    ///
    /// # Errors
    /// [`Error::NoCredentials`], where it could not be sent.
    pub fn preview<T>(&self, call: &Call<T>) -> Result<Vec<Preview>, Error> {
        let scheme = self.scheme(call)?;
        let mut requests = Vec::new();
        if scheme == Scheme::AppOnly {
            let url = format!("{}{TOKEN_PATH}", self.base);
            let headers = vec![masked("Basic ***"), content(FORM)];
            requests.push(Preview { method: "POST".to_owned(), url, headers, body: Some(GRANT.to_owned()) });
        }
        let mut headers = vec![masked(match scheme {
            Scheme::OAuth1 => {
                "OAuth oauth_consumer_key=\"***\", oauth_signature_method=\"HMAC-SHA1\", oauth_signature=\"***\""
            }
            Scheme::Bearer | Scheme::AppOnly | Scheme::UserToken => "Bearer ***",
        })];
        headers.extend(call.body.is_some().then(|| content(JSON)));
        requests.push(Preview {
            method: call.method.to_string(),
            url: format!("{}{}", self.base, call.target(&call.path)),
            headers,
            body: call.body.as_ref().map(ToString::to_string),
        });
        Ok(requests)
    }

    fn scheme<T>(&self, call: &Call<T>) -> Result<Scheme, Error> {
        self.credentials
            .choose(&call.auth)
            .ok_or_else(|| Error::NoCredentials { operation: call.operation, wants: call.auth.clone() })
    }

    fn read<T>(&self, call: &Call<T>, answer: &Answer) -> Result<T, Error> {
        (call.read)(&Reply { answer }).map_err(|why| Error::Unreadable {
            operation: call.operation,
            status: answer.status.as_u16(),
            why: problem::short(&self.scrub(&why)),
        })
    }

    /// Waits for the next window, once and not for long.
    async fn wait(
        &self,
        operation: &'static str,
        until: Option<hookhouse_core::Timestamp>,
        may_wait: &mut bool,
    ) -> Result<(), Error> {
        let refuse = Error::RateLimited { operation, until };
        let Some(until) = until.filter(|_| *may_wait) else { return Err(refuse) };
        // Their clock is not ours; a second more costs less than another refusal.
        let pause =
            until.duration_since(self.clock.now()).max(jiff::SignedDuration::ZERO).unsigned_abs() + MARGIN;
        if pause > self.patience {
            return Err(refuse);
        }
        *may_wait = false;
        tokio::time::sleep(pause).await;
        self.limits.forget(operation);
        Ok(())
    }

    async fn authorization<T>(
        &self,
        scheme: Scheme,
        call: &Call<T>,
        path: &str,
    ) -> Result<HeaderValue, Error> {
        let missing = || Error::NoCredentials { operation: call.operation, wants: call.auth.clone() };
        let bearer = |name, secret: &Secret| sensitive(name, &[b"Bearer ", secret.expose()].concat());
        match scheme {
            Scheme::Bearer => bearer("bearer", self.credentials.bearer.as_ref().ok_or_else(missing)?),
            Scheme::UserToken => {
                bearer("user_token", self.credentials.user_token.as_ref().ok_or_else(missing)?)
            }
            Scheme::AppOnly => bearer("access_token", &self.app_bearer().await?),
            Scheme::OAuth1 => {
                let consumer = self.credentials.consumer.as_ref().ok_or_else(missing)?;
                let access = self.credentials.access.as_ref().ok_or_else(missing)?;
                let signatory = Signatory {
                    consumer_key: &consumer.key,
                    consumer_secret: &consumer.secret,
                    token: &access.token,
                    token_secret: &access.secret,
                };
                let stamp = Stamp {
                    nonce: HEXLOWER.encode(&rand::rng().random::<[u8; 16]>()),
                    time: self.clock.now().as_second(),
                };
                let url = format!("{}{path}", self.base);
                let value =
                    oauth1::authorization(&signatory, call.method.as_str(), &url, &call.query, &stamp);
                sensitive("access_token", value.as_bytes())
            }
        }
    }

    /// The app's bearer: the one that was fetched, or a fetched one.
    async fn app_bearer(&self) -> Result<Secret, Error> {
        if let Some(bearer) = &*self.fetched.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(bearer.clone());
        }
        let consumer = self
            .credentials
            .consumer
            .as_ref()
            .ok_or(Error::NoCredentials { operation: TOKEN, wants: vec![crate::credentials::Auth::App] })?;
        let basic = Zeroizing::new(format!("Basic {}", *consumer.basic()));
        let request = Request::builder()
            .method(Method::POST)
            .uri(TOKEN_PATH)
            .header(header::HOST, self.base.authority())
            .header(header::AUTHORIZATION, sensitive("consumer_key", basic.as_bytes())?)
            .header(header::CONTENT_TYPE, FORM)
            .header(header::ACCEPT, JSON)
            .header(header::USER_AGENT, AGENT)
            .body(Full::new(Bytes::from_static(GRANT.as_bytes())))
            .map_err(|_| Error::BadCredential { name: "base" })?;
        let answer = self.exchange(request).await?;
        if !answer.status.is_success() {
            return Err(match problem::read(TOKEN, &answer, |text| self.scrub(text)) {
                // The endpoint answers 403 with code 99 where key and secret do not fit.
                Error::Forbidden { detail } => Error::Unauthorized { detail },
                other => other,
            });
        }
        // Nothing of this answer may be quoted.
        let unreadable = || Error::Unreadable {
            operation: TOKEN,
            status: answer.status.as_u16(),
            why: "there is no bearer in it".to_owned(),
        };
        let token: Token = serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
        if !token.token_type.eq_ignore_ascii_case("bearer") {
            return Err(unreadable());
        }
        let bearer = Secret::new(token.access_token).map_err(|_| unreadable())?;
        *self.fetched.lock().unwrap_or_else(PoisonError::into_inner) = Some(bearer.clone());
        Ok(bearer)
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, Error> {
        let target = Target {
            secure: self.base.is_secure(),
            host: self.base.host().to_owned(),
            port: self.base.port(),
            loopback_only: !self.base.is_secure(),
        };
        self.transport
            .exchange(&target, request, BOUNDS)
            .await
            .map_err(|source| Error::Unreachable { host: self.base.to_string(), source })
    }

    fn scrub(&self, text: &str) -> String {
        let fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.credentials.scrub(text, fetched.as_ref())
    }
}

#[derive(Deserialize)]
struct Token {
    token_type: String,
    access_token: String,
}

fn request<T>(
    base: &Base,
    call: &Call<T>,
    path: &str,
    authorization: &HeaderValue,
) -> Result<Request<Full<Bytes>>, Error> {
    let mut request = Request::builder()
        .method(call.method.clone())
        .uri(call.target(path))
        .header(header::HOST, base.authority())
        .header(header::AUTHORIZATION, authorization)
        .header(header::ACCEPT, JSON)
        .header(header::USER_AGENT, AGENT);
    if call.body.is_some() {
        request = request.header(header::CONTENT_TYPE, JSON);
    }
    let body = call.body.as_ref().map(ToString::to_string).unwrap_or_default();
    request.body(Full::new(Bytes::from(body))).map_err(|_| Error::Unreadable {
        operation: call.operation,
        status: 0,
        why: "the request could not be made of its parts".to_owned(),
    })
}

/// A header that no log shows.
fn sensitive(name: &'static str, value: &[u8]) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_bytes(value).map_err(|_| Error::BadCredential { name })?;
    value.set_sensitive(true);
    Ok(value)
}

fn masked(value: &str) -> (String, String) {
    ("authorization".to_owned(), value.to_owned())
}

fn content(kind: &str) -> (String, String) {
    ("content-type".to_owned(), kind.to_owned())
}

const TOKEN: &str = "the app-only bearer";
const TOKEN_PATH: &str = "/oauth2/token";
const GRANT: &str = "grant_type=client_credentials";
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded;charset=UTF-8";
const AGENT: &str = concat!("hookhouse/", env!("CARGO_PKG_VERSION"));

/// X answers a create only after its challenge was, which may take three seconds; a page of a thousand subscriptions is
/// some hundred kilobytes.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(30), body: 8 << 20 };

/// A rate limit's window is 15 minutes: what ends within half a minute is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

const MARGIN: Duration = Duration::from_secs(1);
