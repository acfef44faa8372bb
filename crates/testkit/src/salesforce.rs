//! A Salesforce org that fits into a test: tokens, upserts by external id, limits, and a ledger of what became of it.
//!
//! It speaks the token endpoint (client credentials and JWT bearer, with the signature and the claims checked), `PATCH
//! …/sobjects/OBJECT/FIELD/KEY` and `PATCH …/composite/sobjects/OBJECT/FIELD`, and enforces what an org does: sizes of
//! fields, required fields, restricted picklists, fields that only a new record takes, the uniqueness of the external
//! id, sessions that expire, and the day's API requests. What it says when it says no has the shape and the codes of the
//! real one.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use hookhouse_core::SystemClock;
//! # use hookhouse_testkit::salesforce::Salesforce;
//! # async fn example() -> std::io::Result<()> {
//! let salesforce = Salesforce::start(Arc::new(SystemClock)).await?;
//! // … write records to `salesforce.url()` …
//! assert_eq!(salesforce.cases().len(), 1);
//! # Ok(())
//! # }
//! ```

mod login;
mod object;
mod org;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use data_encoding::BASE64;
use hookhouse_core::Clock;

pub use self::object::FieldRules;
pub use self::org::{Call, Case, Org};
use crate::receiver::{Behaviour, Receiver};

/// The consumer key that the org knows.
pub const CLIENT_ID: &str = "3MVG9.of.this.test";

/// The consumer secret that goes with it.
pub const CLIENT_SECRET: &str = "consumer-secret-of-the-test-app";

/// The user that may log in by assertion.
pub const USERNAME: &str = "integration@acme.example";

/// The audience that assertions must name.
pub const AUDIENCE: &str = "https://login.salesforce.com";

/// The field that makes a Case unique.
pub const EXTERNAL_ID: &str = "X_Event_Key__c";

/// A stand-in org, and the server that it is.
#[derive(Debug)]
pub struct Salesforce {
    receiver: Arc<Receiver>,
    org: Arc<Mutex<Org>>,
}

impl Salesforce {
    /// An org on a free loopback port.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start(clock: Arc<dyn Clock>) -> io::Result<Self> {
        let receiver = Receiver::start().await?;
        let url = receiver.url("");
        Ok(Self::of(receiver, clock, url))
    }

    /// An org that listens nowhere; its tokens are for `url`.
    #[must_use]
    pub fn in_memory(clock: Arc<dyn Clock>, url: &str) -> Self {
        Self::of(Receiver::in_memory(), clock, url.to_owned())
    }

    fn of(receiver: Receiver, clock: Arc<dyn Clock>, url: String) -> Self {
        let org = Arc::new(Mutex::new(Org::new(clock, url)));
        let shared = Arc::clone(&org);
        receiver.decide(move |request| lock(&shared).answer(request));
        Self { receiver: Arc::new(receiver), org }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        self.org().instance_url.clone()
    }

    /// The server, for a network of a test's own.
    #[must_use]
    pub fn receiver(&self) -> Arc<Receiver> {
        Arc::clone(&self.receiver)
    }

    /// The org, to look at and to change.
    pub fn org(&self) -> MutexGuard<'_, Org> {
        lock(&self.org)
    }

    /// The Cases, by their external id.
    #[must_use]
    pub fn cases(&self) -> BTreeMap<String, Case> {
        self.org().cases.clone()
    }

    /// The calls that wrote or tried to.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.org().calls.clone()
    }

    /// Does something else than answering, for the next call.
    pub fn fail_next_call(&self, behaviour: Behaviour) {
        self.org().call_faults.push_back(behaviour);
    }

    /// Does something else than giving a token, for the next one.
    pub fn fail_next_token(&self, behaviour: Behaviour) {
        self.org().token_faults.push_back(behaviour);
    }

    /// Refuses the next record with this code.
    pub fn refuse_next_record(&self, code: &'static str) {
        self.org().record_faults.push_back(code);
    }

    /// Ends every session.
    pub fn expire_sessions(&self) {
        self.org().sessions.clear();
    }

    /// Answers so late from now on.
    pub fn slow_down(&self, delay: Duration) {
        self.org().delay = delay;
    }
}

fn lock(org: &Mutex<Org>) -> MutexGuard<'_, Org> {
    org.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An RSA key for assertions: the private half in PEM, and the public half as the org takes it.
///
/// # Panics
/// When no key can be made, which is no test's business.
#[must_use]
pub fn key_pair() -> (String, Vec<u8>) {
    let key = KeyPair::generate(KeySize::Rsa2048).expect("a key can be made");
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).expect("a key has an encoding");
    let lines: Vec<String> = BASE64
        .encode(der.as_ref())
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    (pem, key.public_key().as_ref().to_vec())
}
