//! A message that comes in: what is answered to it is sent, or would be.

use http::Method;
use jiff::Timestamp;
use rand::RngCore;

use super::Twilio;
use super::document::Instructions;
use super::judge::Document;
use super::session::Session;
use super::story::{Finding, Outcome, Step};
use super::twiml::Element;
use super::url::{WebhookUrl, without_login};
use super::webhook::Webhook;
use crate::fixtures::Fixture;

/// A message to send.
#[derive(Debug, Clone)]
pub struct Message {
    /// The number's messaging URL.
    pub url: WebhookUrl,
    /// How it is asked.
    pub method: Method,
    /// What the message says; the fixture's text without it.
    pub body: Option<String>,
    /// Asked where the messaging URL gives no TwiML.
    pub fallback: Option<WebhookUrl>,
    /// Told that each reply was delivered, where the reply names nobody else.
    pub status_callback: Option<WebhookUrl>,
}

impl Twilio {
    /// Sends a message, and tells each step as it happens.
    pub async fn message(
        &self,
        message: &Message,
        now: Timestamp,
        rng: &mut dyn RngCore,
        observe: &mut dyn FnMut(Step),
    ) -> Outcome {
        let events =
            Fixture::find("twilio", "message.received").zip(Fixture::find("twilio", "message.status"));
        let Some((received, status)) = events else { return Outcome::default() };
        let session = Session::new(self, &message.url, now, rng, observe);
        let mut exchange = Exchange { session, message, received, status, replies: 0 };
        exchange.run().await;
        exchange.session.outcome()
    }
}

/// A message and what comes back.
struct Exchange<'a> {
    session: Session<'a>,
    message: &'a Message,
    received: &'static Fixture,
    status: &'static Fixture,
    replies: usize,
}

impl Exchange<'_> {
    async fn run(&mut self) {
        let message = self.message;
        let mut webhook = self.webhook(self.received, message.url.clone(), message.method.clone());
        if let Some(body) = &message.body {
            webhook.parameters.set("Body", body.as_str());
        }
        for _ in 0..MOST_DOCUMENTS {
            let fallback = message.fallback.as_ref();
            let Some(instructions) = self.session.instructions(&webhook, fallback, self.received).await
            else {
                return self.end("there are no instructions, and so nothing is sent back");
            };
            let Some((url, method)) = self.act(&instructions).await else {
                let reason = match self.replies {
                    0 => "nothing is sent back".to_owned(),
                    1 => "one message was sent back".to_owned(),
                    n => format!("{n} messages were sent back"),
                };
                return self.end(&reason);
            };
            let parameters = webhook.parameters;
            webhook = self.webhook(self.received, url, method);
            webhook.parameters = parameters;
        }
        self.end(&format!("nobody waits for more than {MOST_DOCUMENTS} documents"));
    }

    fn webhook(&mut self, event: &Fixture, url: WebhookUrl, method: Method) -> Webhook {
        let Session { twilio, now, .. } = self.session;
        Webhook::about(event, url, method, twilio, now, self.session.rng)
    }

    fn end(&mut self, reason: &str) {
        self.session.tell(Step::End { reason: reason.to_owned() });
    }

    /// Sends what there is to send; says where to go on, if anywhere.
    async fn act(&mut self, instructions: &Instructions) -> Option<(WebhookUrl, Method)> {
        let response = match &instructions.document {
            Document::Twiml(response) => response,
            Document::Text(text) => {
                if text.trim().is_empty() {
                    return None;
                }
                self.reply(None, text.clone(), Vec::new(), None).await;
                return None;
            }
            Document::Audio | Document::Nothing => return None,
        };
        for verb in response.children.iter().take(MOST_VERBS) {
            match verb.name.as_str() {
                "Message" | "Sms" => self.send(verb, &instructions.url).await,
                "Redirect" => {
                    let to = verb.words();
                    self.session.tell(Step::Verb { verb: verb.name.clone(), detail: without_login(&to) });
                    let get =
                        verb.attribute("method").is_some_and(|method| method.eq_ignore_ascii_case("GET"));
                    return match instructions.url.resolve(&to) {
                        Ok(url) => Some((url, if get { Method::GET } else { Method::POST })),
                        Err(error) => {
                            let sentence = format!("<Redirect> names no URL: {error}.");
                            self.session.find(Finding::error(11100, sentence));
                            None
                        }
                    };
                }
                // A finding said so already.
                _ => {}
            }
        }
        None
    }

    /// A `<Message>`: its text, or the texts and media in it.
    async fn send(&mut self, verb: &Element, base: &WebhookUrl) {
        let inside = |name: &str| -> Vec<String> {
            verb.children.iter().filter(|child| child.name == name).map(Element::words).collect()
        };
        let bodies = inside("Body");
        let media: Vec<_> = inside("Media").iter().map(|url| without_login(url)).collect();
        let body = if verb.children.is_empty() { verb.text.trim().to_owned() } else { bodies.join(" ") };
        if body.is_empty() && media.is_empty() {
            let empty = "a <Message> has neither text nor media, and is not sent.";
            return self.session.find(Finding::warning(12200, empty));
        }
        // `action` is the older name; it asks for the same callback where there is no document to go on with.
        let callback = verb.attribute("statusCallback").or_else(|| verb.attribute("action"));
        let callback = callback.and_then(|callback| base.resolve(callback).ok());
        self.reply(verb.attribute("to"), body, media, callback).await;
    }

    async fn reply(
        &mut self,
        to: Option<&str>,
        body: String,
        media: Vec<String>,
        callback: Option<WebhookUrl>,
    ) {
        self.replies += 1;
        let twilio = self.session.twilio;
        let to = to.unwrap_or(&twilio.from).to_owned();
        self.session.tell(Step::Message { from: twilio.to.clone(), to: to.clone(), body, media });
        if let Some(url) = callback.or_else(|| self.message.status_callback.clone()) {
            let mut delivered = self.webhook(self.status, url, Method::POST);
            delivered.parameters.set("To", to);
            self.session.report(&delivered).await;
        }
    }
}

/// How many documents one message may ask for.
const MOST_DOCUMENTS: usize = 20;
/// How many verbs of one document are looked at.
const MOST_VERBS: usize = 100;
