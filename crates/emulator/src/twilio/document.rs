//! Asking for instructions: the URL, and the fallback URL where the first one fails.

use http::Method;

use super::judge::{self, Document};
use super::session::Session;
use super::story::{Finding, Step};
use super::url::WebhookUrl;
use super::webhook::Webhook;
use crate::fixtures::Fixture;

/// Instructions, and the URL that gave them: what they name is relative to it.
#[derive(Debug)]
pub(super) struct Instructions {
    pub(super) document: Document,
    pub(super) url: WebhookUrl,
}

impl Session<'_> {
    /// Asks a webhook for instructions, and a fallback if those are wrong. `None` where nobody gives any.
    pub(super) async fn instructions(
        &mut self,
        webhook: &Webhook,
        fallback: Option<&WebhookUrl>,
        event: &Fixture,
    ) -> Option<Instructions> {
        let error = match self.ask(webhook).await {
            Ok(instructions) => return Some(instructions),
            Err(error) => error,
        };
        let fallback = fallback?;
        let error_code = error.code.unwrap_or(11200);
        self.tell(Step::Fallback { error_code });
        let mut second =
            Webhook::about(event, fallback.clone(), Method::POST, self.twilio, self.now, self.rng);
        second.parameters = webhook.parameters.clone();
        second.parameters.set("ErrorCode", error_code.to_string());
        second.parameters.set("ErrorUrl", webhook.url.to_string());
        self.ask(&second).await.ok()
    }

    /// Asks once; every finding is told, the error given back.
    async fn ask(&mut self, webhook: &Webhook) -> Result<Instructions, Finding> {
        let fetched = match self.fetch(webhook).await {
            Ok(fetched) => fetched,
            Err(failure) => {
                let finding = failure.finding();
                self.find(finding.clone());
                return Err(finding);
            }
        };
        let answer = &fetched.answer;
        let judgement = judge::judge(webhook.channel, answer.status, &answer.headers, &answer.body);
        let error = judgement.error().cloned();
        for finding in judgement.findings {
            self.find(finding);
        }
        match error {
            Some(error) => Err(error),
            None => Ok(Instructions { document: judgement.document, url: fetched.url }),
        }
    }

    /// Reports something to a URL; nothing but the status of the answer matters.
    pub(super) async fn report(&mut self, webhook: &Webhook) {
        match self.fetch(webhook).await {
            Ok(fetched) => {
                if let Some(finding) = judge::judge_callback(fetched.answer.status) {
                    self.find(finding);
                }
            }
            Err(failure) => self.find(failure.finding()),
        }
    }
}
