//! One order, from the account to the certificate.

use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::{Clock, Timestamp};
use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount, NewOrder, Order, OrderStatus,
    RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use zeroize::Zeroizing;

use super::backoff::Kind;
use super::challenges::{Challenges, Ready};
use super::client::Client;
use super::keeping::{Keeping, Proof};
use crate::tls::Pair;
use crate::tls::settings::{Acme, Challenge};

/// How long an authority may take to probe, and then to issue.
const PATIENCE: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(250))
    .backoff(1.5)
    .timeout(Duration::from_secs(90));

/// The type of the problem that there is no such account (RFC 8555 section 6.7).
const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

/// Problems of the authority's own, which are nobody's fault and pass.
const TROUBLE: &[&str] =
    &["urn:ietf:params:acme:error:badNonce", "urn:ietf:params:acme:error:serverInternal"];

/// Everything that an order needs.
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) settings: Acme,
    pub(super) keeping: Keeping,
    pub(super) client: Client,
    pub(super) challenges: Arc<Challenges>,
}

/// Why there is no certificate.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) why: String,
    pub(super) kind: Kind,
}

impl Failure {
    fn refused(why: impl Into<String>) -> Self {
        Self { why: why.into(), kind: Kind::Refused }
    }

    fn trouble(why: impl Into<String>) -> Self {
        Self { why: why.into(), kind: Kind::Trouble }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let trouble = match &error {
            Error::Api(problem) => problem.r#type.as_deref().is_some_and(|name| TROUBLE.contains(&name)),
            _ => true,
        };
        let mut why = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            let text = inner.to_string();
            if !why.ends_with(&text) {
                why = format!("{why}: {text}");
            }
            cause = inner.source();
        }
        Self { why, kind: if trouble { Kind::Trouble } else { Kind::Refused } }
    }
}

impl Orders {
    /// Orders a certificate, proves the names, and keeps what was issued.
    pub(super) async fn place(&self, clock: &dyn Clock) -> Result<Pair, Failure> {
        let identifiers: Vec<_> = self.settings.names.iter().cloned().map(Identifier::Dns).collect();
        let mut order = self.begin(&NewOrder::new(&identifiers)).await?;
        // Answers are ready until the order is through, and no longer.
        let ready = self.prove(&mut order).await?;
        let status = order.poll_ready(&PATIENCE).await?;
        drop(ready);
        self.keeping.tell(&[]).await;
        if status != OrderStatus::Ready {
            return Err(Failure::refused(invalid(&mut order).await));
        }

        let failed = |error: rcgen::Error| Failure::trouble(format!("no request for a certificate: {error}"));
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::new(self.settings.names.clone()).map_err(failed)?;
        params.distinguished_name = DistinguishedName::new();
        order.finalize_csr(params.serialize_request(&key).map_err(failed)?.der()).await?;
        let chain = order.poll_certificate(&PATIENCE).await?;
        let pem = Zeroizing::new(format!("{}\n{}", chain.trim_end(), *Zeroizing::new(key.serialize_pem())));

        let pair = Pair::parse(pem.as_bytes(), pem.as_bytes());
        let pair = pair.map_err(|why| Failure::refused(format!("what was issued is not usable: {why}")))?;
        if let Some(why) = unusable(&pair, &self.settings.names, clock.now()) {
            return Err(Failure::refused(format!("what was issued is not usable: {why}")));
        }
        if let Err(error) = self.keeping.keep_certificate(&pem, &pair).await {
            tracing::error!(
                event = "tls.cache",
                error,
                "the certificate is used and not kept: the next start orders another"
            );
        }
        Ok(pair)
    }

    /// Opens an order, with the account that is kept or a new one.
    async fn begin(&self, wanted: &NewOrder<'_>) -> Result<Order, Failure> {
        if let Some(kept) = self.keeping.account().await {
            let builder = Account::builder_with_http(Box::new(self.client.clone()));
            match builder.from_credentials(kept).await?.new_order(wanted).await {
                Err(Error::Api(problem)) if problem.r#type.as_deref() == Some(NO_ACCOUNT) => {
                    tracing::warn!(
                        event = "tls.account",
                        "the authority does not know the account: another is made"
                    );
                    self.keeping.forget_account().await;
                }
                order => return Ok(order?),
            }
        }
        let contact: Vec<_> = self.settings.contact.as_deref().into_iter().collect();
        let account =
            NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let builder = Account::builder_with_http(Box::new(self.client.clone()));
        let (account, kept) = builder.create(&account, self.settings.directory.clone(), None).await?;
        if let Err(error) = self.keeping.keep_account(&kept).await {
            tracing::error!(event = "tls.cache", error, "the account is used and not kept");
        }
        Ok(account.new_order(wanted).await?)
    }

    /// Makes the answers to the authority's probes ready, wherever it may ask, and tells it so.
    async fn prove(&self, order: &mut Order) -> Result<Vec<Ready>, Failure> {
        let (kind, word) = match self.settings.challenge {
            Challenge::Http01 => (ChallengeType::Http01, "http-01"),
            Challenge::TlsAlpn01 => (ChallengeType::TlsAlpn01, "tls-alpn-01"),
        };
        let mut proofs = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            match authorization.status {
                AuthorizationStatus::Pending => {}
                AuthorizationStatus::Valid => continue,
                other => return Err(Failure::refused(format!("an authorization of the order is {other:?}"))),
            }
            let name = authorization.identifier().to_string();
            let challenge = authorization
                .challenge(kind.clone())
                .ok_or_else(|| Failure::refused(format!("the authority offers no {word} for `{name}`")))?;
            let proof = challenge.key_authorization();
            proofs.push(match self.settings.challenge {
                Challenge::Http01 => {
                    Proof::Http { token: challenge.token.clone(), answer: proof.as_str().to_owned() }
                }
                Challenge::TlsAlpn01 => Proof::tls(&name, proof.digest().as_ref()),
            });
        }
        // Other gateways first: where they have the same answers, ours are there last.
        self.keeping.tell(&proofs).await;
        let ready = proofs.iter().map(|proof| proof.serve(&self.challenges)).collect::<Result<_, _>>();
        let ready = ready.map_err(Failure::trouble)?;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Pending
                && let Some(mut challenge) = authorization.challenge(kind.clone())
            {
                challenge.set_ready().await?;
            }
        }
        Ok(ready)
    }
}

/// Why a certificate is not one for these names at this moment. That its life is still to begin is no reason: the
/// authority's clock is ahead of ours, or ours of the senders'.
pub(super) fn unusable(pair: &Pair, names: &[String], now: Timestamp) -> Option<String> {
    let missing =
        names.iter().find(|name| !pair.facts.cover(name)).map(|name| format!("it is not for `{name}`"));
    missing.or_else(|| pair.facts.expired(now))
}

/// What the authority says of an order that came to nothing.
async fn invalid(order: &mut Order) -> String {
    let mut reasons = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let name = authorization.identifier().to_string();
        if let Ok(state) = authorization.refresh().await {
            let problems = state.challenges.iter().filter_map(|challenge| challenge.error.as_ref());
            reasons.extend(problems.map(|problem| format!("`{name}`: {problem}")));
        }
    }
    if reasons.is_empty() { "the order is invalid".to_owned() } else { reasons.join("; ") }
}
