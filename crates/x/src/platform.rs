//! What healing and back-filling need of X: four calls, so that tests can be X.

use std::fmt;

use async_trait::async_trait;

use crate::calls::webhooks::{self, ReplayJob, Webhook};
use crate::client::Client;
use crate::error::Error;
use crate::id::WebhookId;
use crate::window::Minute;

/// The platform.
#[async_trait]
pub trait Platform: fmt::Debug + Send + Sync + 'static {
    /// Every webhook of the app.
    async fn webhooks(&self) -> Result<Vec<Webhook>, Error>;

    /// Registers a URL; the challenge is part of the call.
    async fn create(&self, url: &str) -> Result<Webhook, Error>;

    /// Sets off a challenge.
    async fn validate(&self, id: &WebhookId) -> Result<(), Error>;

    /// Has a window sent again.
    async fn replay(&self, id: &WebhookId, from: Minute, to: Minute) -> Result<ReplayJob, Error>;
}

#[async_trait]
impl Platform for Client {
    async fn webhooks(&self) -> Result<Vec<Webhook>, Error> {
        self.send(&webhooks::list()).await
    }

    async fn create(&self, url: &str) -> Result<Webhook, Error> {
        self.send(&webhooks::create(url)).await
    }

    async fn validate(&self, id: &WebhookId) -> Result<(), Error> {
        self.send(&webhooks::validate(id)).await.map(drop)
    }

    async fn replay(&self, id: &WebhookId, from: Minute, to: Minute) -> Result<ReplayJob, Error> {
        self.send(&webhooks::replay(id, from, to)).await
    }
}
