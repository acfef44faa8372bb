//! What a platform is like. Where X's pages disagree with each other or with what users report, there is a switch.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::SystemClock;
use http::StatusCode;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::clock::EmulatedClock;
use super::credentials::Credentials;
use super::ledger::Watch;
use super::users::NewUser;

/// The settings of a platform. The default is what X's current pages say, for a pay-per-use account.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen: loopback, port 0 for any free one.
    pub listen: SocketAddr,
    /// The time.
    pub clock: Arc<EmulatedClock>,
    /// Everything random grows from it: keys, tokens, ids of what has no time, duplicates, disorder.
    pub seed: u64,
    /// The app's keys; made up where there are none.
    pub credentials: Option<Credentials>,
    /// Who is there. The first user owns the app.
    pub users: Vec<NewUser>,
    /// What the account may have.
    pub tier: Tier,
    /// Whether the app may use the v2 API at all; where it may not, every call is `client-not-enrolled`.
    pub enrolled: bool,
    /// Calls of each endpoint in 15 minutes, instead of the documented limits.
    pub rate_limit: Option<u32>,
    /// Whether `http://` URLs of this machine, with a port, may be webhooks.
    pub allow_http: bool,
    /// Where to connect instead, for these hosts: `hooks.example.com` → `127.0.0.1:8443`.
    pub connect_to: Vec<(String, SocketAddr)>,
    /// The certificate authorities to trust; the system's where there are none.
    pub roots: Option<RootCertStore>,
    /// Challenges.
    pub crc: CrcOptions,
    /// Events on their way.
    pub delivery: DeliveryOptions,
    /// Replay jobs.
    pub replay: ReplayOptions,
    /// The shape of the answer to a new or changed subscription of the X Activity API.
    pub activity_answer: ActivityAnswer,
    /// The status of a subscription of the X Activity API that is there already: 400 and 409 are reported.
    pub duplicate_subscription: StatusCode,
    /// How much the ledger remembers of each kind.
    pub ledger: usize,
    /// Who is told what happens.
    pub watch: Option<Watch>,
}

impl Options {
    /// The default, in a time of its own.
    #[must_use]
    pub fn with_clock(clock: EmulatedClock) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            clock: Arc::new(clock),
            seed: 0,
            credentials: None,
            users: [("alice", "Alice"), ("bob", "Bob"), ("carol", "Carol")]
                .map(|(handle, name)| NewUser::new(handle, name))
                .to_vec(),
            tier: Tier::pay_per_use(),
            enrolled: true,
            rate_limit: None,
            allow_http: false,
            connect_to: Vec::new(),
            roots: None,
            crc: CrcOptions::default(),
            delivery: DeliveryOptions::default(),
            replay: ReplayOptions::default(),
            activity_answer: ActivityAnswer::default(),
            duplicate_subscription: StatusCode::BAD_REQUEST,
            ledger: 1_000_000,
            watch: None,
        }
    }
}

impl Options {
    /// Trusts the certificates of a PEM file, and no others.
    ///
    /// # Errors
    /// When it holds none, or one that cannot be a root.
    pub fn trust(&mut self, pem: &[u8]) -> Result<(), rustls::Error> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| rustls::Error::General(error.to_string()))?;
            roots.add(certificate)?;
        }
        if roots.is_empty() {
            return Err(rustls::Error::NoCertificatesPresented);
        }
        self.roots = Some(roots);
        Ok(())
    }
}

/// In the machine's time.
impl Default for Options {
    fn default() -> Self {
        Self::with_clock(EmulatedClock::running(Arc::new(SystemClock)))
    }
}

/// What an account may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// Webhooks.
    pub webhooks: usize,
    /// Subscriptions of the Account Activity API.
    pub account_subscriptions: usize,
    /// Subscriptions of the X Activity API.
    pub activity_subscriptions: usize,
    /// Whether webhooks may be linked to the filtered stream.
    pub filtered_stream: bool,
}

impl Tier {
    /// One webhook and three users.
    #[must_use]
    pub fn pay_per_use() -> Self {
        Self { webhooks: 1, account_subscriptions: 3, activity_subscriptions: 1_500, filtered_stream: false }
    }

    /// Several of each, and the filtered stream.
    #[must_use]
    pub fn enterprise() -> Self {
        Self {
            webhooks: 5,
            account_subscriptions: 5_000,
            activity_subscriptions: 75_000,
            filtered_stream: true,
        }
    }
}

/// A key of the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SigningKey {
    /// The OAuth 1.0a consumer secret, as the pages of August 2026 have it.
    #[default]
    Consumer,
    /// The OAuth 2.0 client secret, as those of October 2026 do.
    Oauth2,
}

/// Challenges.
#[derive(Debug, Clone)]
pub struct CrcOptions {
    /// The key that the answer must be made with, and that signs the challenge.
    pub key: SigningKey,
    /// Whether the challenges of an API call are signed.
    pub sign_manual: bool,
    /// Whether those of the schedule are: not promised by X.
    pub sign_periodic: bool,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Whether `PUT` answers `valid: true` before it challenges (its 200 means "initiated"), instead of the outcome.
    pub put_answers_first: bool,
}

impl Default for CrcOptions {
    fn default() -> Self {
        Self {
            key: SigningKey::Consumer,
            sign_manual: true,
            sign_periodic: true,
            timeout: Duration::from_secs(3),
            put_answers_first: false,
        }
    }
}

/// Which signature headers an event carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignatureHeaders {
    /// `x-twitter-webhooks-signature`, by the consumer secret.
    #[default]
    Consumer,
    /// `x-twitter-webhooks-signature-oauth2`, by the OAuth 2.0 client secret.
    Oauth2,
    /// Both.
    Both,
}

/// Events on their way.
#[derive(Debug, Clone)]
pub struct DeliveryOptions {
    /// The headers that sign.
    pub signatures: SignatureHeaders,
    /// How long an answer may take.
    pub timeout: Duration,
    /// The pauses before the retries; after the last one the event is dropped, and remembered for a replay.
    pub retries: Vec<Duration>,
    /// The share of events that are sent twice: the same bytes, or the same element in another body.
    pub duplicates: f64,
    /// The share of events that set out seconds late, so that younger ones arrive first.
    pub disorder: f64,
    /// The share of Account Activity elements that travel with another one that still waits.
    pub batches: f64,
    /// How many requests are under way at once.
    pub connections: usize,
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        Self {
            signatures: SignatureHeaders::Consumer,
            timeout: Duration::from_secs(10),
            retries: [3, 27, 242].map(Duration::from_secs).to_vec(),
            duplicates: 0.0,
            disorder: 0.0,
            batches: 0.0,
            connections: 8,
        }
    }
}

/// Replay jobs.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// Whether the minute of `to_date` belongs to the window: X's OpenAPI document says so, its pages say no.
    pub to_date_inclusive: bool,
    /// Whether events that were held back while the webhook was invalid come too. X promises what was "delivered or
    /// attempted", and those were neither.
    pub covers_withheld: bool,
}

impl Default for ReplayOptions {
    fn default() -> Self {
        Self { to_date_inclusive: true, covers_withheld: false }
    }
}

/// The shapes in which the answer to a new subscription of the X Activity API is documented or reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ActivityAnswer {
    /// `{"data":{"subscription":{…}}}`: the OpenAPI document.
    #[default]
    Wrapped,
    /// `{"data":[{…}],"meta":{"total_subscriptions":1}}`: the quickstart.
    List,
    /// `{"data":{…}}`: the quickstart, elsewhere.
    Bare,
    /// 204 and nothing.
    Empty,
}
