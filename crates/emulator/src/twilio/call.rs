//! A phone call that comes in: its TwiML is asked for, and acted out as far as a call without a phone can be.

mod gather;

use http::Method;
use jiff::Timestamp;
use rand::RngCore;

use super::Twilio;
use super::judge::Document;
use super::session::Session;
use super::story::{Finding, Outcome, Step};
use super::stream::{self, Direction};
use super::twiml::Element;
use super::url::{WebhookUrl, without_login};
use super::webhook::{Parameters, Webhook};
use crate::fixtures::Fixture;

use gather::Digits;

/// A call to place.
#[derive(Debug, Clone)]
pub struct Call {
    /// The number's voice URL.
    pub url: WebhookUrl,
    /// How it is asked.
    pub method: Method,
    /// Asked where the voice URL gives no TwiML.
    pub fallback: Option<WebhookUrl>,
    /// Told when the call is over.
    pub status_callback: Option<WebhookUrl>,
    /// What the caller presses, one entry for each `<Gather>`.
    pub digits: Vec<String>,
    /// How many frames of 20 ms a Media Stream carries.
    pub media_frames: u32,
}

/// What comes after a verb.
enum Next {
    /// The next one.
    Verb,
    /// Another document.
    Document(Box<Webhook>),
    /// Nothing.
    End { reason: String, status: &'static str },
}

impl Twilio {
    /// Places a call, and tells each step as it happens.
    pub async fn call(
        &self,
        call: &Call,
        now: Timestamp,
        rng: &mut dyn RngCore,
        observe: &mut dyn FnMut(Step),
    ) -> Outcome {
        let Some(event) = Fixture::find("twilio", "call.incoming") else { return Outcome::default() };
        let session = Session::new(self, &call.url, now, rng, observe);
        let digits = Digits::new(&call.digits);
        let parameters = Parameters::default();
        let mut line = Line { session, call, event, digits, parameters, steps: 0, seconds: 0 };
        line.run().await;
        line.session.outcome()
    }
}

/// A call under way.
struct Line<'a> {
    session: Session<'a>,
    call: &'a Call,
    event: &'static Fixture,
    digits: Digits,
    /// What every webhook of the call says.
    parameters: Parameters,
    steps: usize,
    /// How long it would have lasted: the pauses and streams alone, since nobody speaks.
    seconds: u64,
}

impl Line<'_> {
    async fn run(&mut self) {
        let mut webhook = self.webhook(self.call.url.clone(), self.call.method.clone(), &[]);
        self.parameters = webhook.parameters.clone();
        let (mut reason, mut status) =
            (format!("the caller hangs up after {MOST_DOCUMENTS} documents"), "completed");
        for _ in 0..MOST_DOCUMENTS {
            let fallback = self.call.fallback.as_ref();
            let Some(instructions) = self.session.instructions(&webhook, fallback, self.event).await else {
                reason = "Twilio says that an application error has occurred, and hangs up".to_owned();
                break;
            };
            self.parameters.set("CallStatus", "in-progress");
            match self.act(&instructions.document, &instructions.url).await {
                Next::Document(next) => webhook = *next,
                Next::End { reason: why, status: how } => {
                    (reason, status) = (why, how);
                    break;
                }
                Next::Verb => {
                    reason = "the TwiML is at its end, and so Twilio hangs up".to_owned();
                    break;
                }
            }
        }
        if let Some(unused) = self.digits.unused() {
            self.session.find(Finding::notice(format!("nobody asked for the digits {unused}.")));
        }
        self.session.tell(Step::End { reason });
        if let Some(url) = &self.call.status_callback {
            let seconds = self.seconds.max(1).to_string();
            let minutes = self.seconds.div_ceil(60).max(1).to_string();
            let mut ended = self.webhook(url.clone(), Method::POST, &[]);
            for (name, value) in [
                ("CallStatus", status),
                ("CallDuration", seconds.as_str()),
                ("Duration", minutes.as_str()),
                ("CallbackSource", "call-progress-events"),
                ("SequenceNumber", "0"),
            ] {
                ended.parameters.set(name, value);
            }
            let time = self.session.now.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string();
            ended.parameters.set("Timestamp", time);
            self.session.report(&ended).await;
        }
    }

    /// A webhook of this call, with what it says besides.
    fn webhook(&mut self, url: WebhookUrl, method: Method, more: &[(&str, String)]) -> Webhook {
        let Session { twilio, now, .. } = self.session;
        let mut webhook = Webhook::about(self.event, url, method, twilio, now, self.session.rng);
        if !self.parameters.0.is_empty() {
            webhook.parameters = self.parameters.clone();
        }
        for (name, value) in more {
            webhook.parameters.set(name, value.as_str());
        }
        webhook
    }

    async fn act(&mut self, document: &Document, url: &WebhookUrl) -> Next {
        let hang_up = |reason: &str| Next::End { reason: reason.to_owned(), status: "completed" };
        match document {
            Document::Twiml(response) => self.verbs(&response.children, url).await,
            Document::Audio => {
                self.narrate("Play", "the recording that was answered");
                hang_up("the recording is at its end, and so Twilio hangs up")
            }
            Document::Text(text) => {
                self.narrate("Say", text);
                hang_up("the text is said, and so Twilio hangs up")
            }
            Document::Nothing => hang_up("there is nothing to do, and so Twilio hangs up"),
        }
    }

    async fn verbs(&mut self, verbs: &[Element], url: &WebhookUrl) -> Next {
        for verb in verbs {
            self.steps += 1;
            if self.steps > MOST_STEPS {
                let reason = format!("the caller hangs up after {MOST_STEPS} verbs");
                return Next::End { reason, status: "completed" };
            }
            match self.verb(verb, url).await {
                Next::Verb => {}
                other => return other,
            }
        }
        Next::Verb
    }

    async fn verb(&mut self, verb: &Element, url: &WebhookUrl) -> Next {
        match verb.name.as_str() {
            "Say" | "Play" | "Pause" => self.prompt(verb),
            "Gather" => return self.gather(verb, url),
            "Redirect" => {
                let to = verb.words();
                self.narrate("Redirect", &without_login(&to));
                return self.go_on(url, &to, verb.attribute("method"), &[]);
            }
            "Hangup" => {
                self.narrate("Hangup", "");
                return Next::End { reason: "the TwiML hangs up".to_owned(), status: "completed" };
            }
            "Reject" => {
                let busy = verb.attribute("reason") == Some("busy");
                self.narrate("Reject", if busy { "busy" } else { "rejected" });
                let status = if busy { "busy" } else { "no-answer" };
                return Next::End { reason: "the TwiML rejects the call".to_owned(), status };
            }
            "Connect" => {
                self.streams(verb, url, Direction::Speaks).await;
                if let Some(action) = verb.attribute("action") {
                    return self.go_on(url, action, verb.attribute("method"), &[]);
                }
            }
            "Start" => self.streams(verb, url, Direction::Listens).await,
            "Stop" => self.narrate("Stop", "streams end by themselves here"),
            known if super::twiml::is_voice_verb(known) => self.narrate(known, "not acted out here"),
            // A finding said so already.
            _ => {}
        }
        Next::Verb
    }

    /// What the caller hears.
    fn prompt(&mut self, verb: &Element) {
        let detail = match verb.name.as_str() {
            "Pause" => {
                let seconds = verb.attribute("length").and_then(|length| length.parse().ok()).unwrap_or(1);
                self.seconds = self.seconds.saturating_add(seconds);
                format!("{seconds} s")
            }
            "Play" => match verb.attribute("digits") {
                Some(digits) => format!("the tones {digits}"),
                None => without_login(&verb.words()),
            },
            _ => verb.words(),
        };
        self.narrate(&verb.name, &detail);
    }

    async fn streams(&mut self, verb: &Element, url: &WebhookUrl, direction: Direction) {
        for noun in &verb.children {
            if noun.name != "Stream" {
                self.narrate(&verb.name, &format!("<{}>, not acted out here", noun.name));
                continue;
            }
            self.narrate(&verb.name, &without_login(noun.attribute("url").unwrap_or_default()));
            let told = stream::Call {
                account_sid: self.session.twilio.account_sid.clone(),
                call_sid: self.parameters.value("CallSid").to_owned(),
                frames: self.call.media_frames,
            };
            stream::run(&mut self.session, url, noun, direction, &told).await;
            self.seconds += u64::from(self.call.media_frames) / 50;
        }
    }

    /// Goes on with another document; `POST` unless the TwiML says `GET`.
    fn go_on(&mut self, base: &WebhookUrl, to: &str, method: Option<&str>, more: &[(&str, String)]) -> Next {
        let get = method.is_some_and(|method| method.eq_ignore_ascii_case("GET"));
        let method = if get { Method::GET } else { Method::POST };
        match base.resolve(to) {
            Ok(url) => Next::Document(Box::new(self.webhook(url, method, more))),
            Err(error) => {
                self.session.find(Finding::error(11100, format!("the TwiML names no URL: {error}.")));
                Next::End { reason: "there is no URL to go on with".to_owned(), status: "completed" }
            }
        }
    }

    fn narrate(&mut self, verb: &str, detail: &str) {
        let detail: String = detail.chars().take(MOST_CHARACTERS).collect();
        self.session.tell(Step::Verb { verb: verb.to_owned(), detail });
    }
}

/// How many documents a call may ask for: a `<Redirect>` to itself ends some time.
const MOST_DOCUMENTS: usize = 20;
/// How many verbs it may come to.
const MOST_STEPS: usize = 200;
/// How much of a text is shown.
const MOST_CHARACTERS: usize = 1_000;
