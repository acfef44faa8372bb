//! What one webhook says: its parameters, its headers, its signature.

use bytes::Bytes;
use hookhouse_verify::sign::Draft;
use http::header::{CONTENT_TYPE, COOKIE, HOST};
use http::{HeaderName, HeaderValue, Method, Request, header};
use jiff::Timestamp;
use rand::RngCore;

use super::connect::Failure;
use super::url::WebhookUrl;
use super::{Channel, Twilio};
use crate::fixtures::Fixture;

/// Parameters, in the order in which they are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parameters(pub(super) Vec<(String, String)>);

impl Parameters {
    /// Sets a parameter, where it stands or at the end.
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    pub(super) fn value(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Sets the number of one side, and empties what is known of where another number is.
    fn set_number(&mut self, names: &[&str], number: &str) {
        for name in names {
            if self.value(name).is_empty() || self.value(name) == number {
                continue;
            }
            self.set(name, number);
            for (known, value) in &mut self.0 {
                let rest = known.strip_prefix(name);
                if rest.is_some_and(|rest| matches!(rest, "City" | "Country" | "State" | "Zip")) {
                    value.clear();
                }
            }
        }
    }

    fn form(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

/// One webhook: the same for every try of it.
#[derive(Debug, Clone)]
pub(super) struct Webhook {
    pub(super) channel: Channel,
    pub(super) url: WebhookUrl,
    pub(super) method: Method,
    pub(super) parameters: Parameters,
    content_type: &'static str,
    headers: Vec<(&'static str, String)>,
}

/// One hop of a webhook: where redirects lead, and what is left of it there.
#[derive(Debug, Clone)]
pub(super) struct Hop {
    pub(super) url: WebhookUrl,
    pub(super) method: Method,
    body: Bytes,
    /// The URL without the parameters that a GET carries.
    pub(super) shown: String,
    /// Whether the webhook's parameters travel with it.
    pub(super) carries: bool,
}

impl Webhook {
    /// A webhook about an event of the fixtures. Its idempotency token is new.
    pub(super) fn about(
        event: &Fixture,
        url: WebhookUrl,
        method: Method,
        twilio: &Twilio,
        now: Timestamp,
        rng: &mut dyn RngCore,
    ) -> Self {
        let rendered = event.render(now, rng);
        let pairs = form_urlencoded::parse(&rendered.body).into_owned().collect();
        let mut parameters = Parameters(pairs);
        parameters.set("AccountSid", twilio.account_sid.as_str());
        // What Twilio says of its own message: it was sent to whoever is meant otherwise.
        let outbound = !parameters.value("MessageStatus").is_empty();
        let (sender, recipient) =
            if outbound { (&twilio.to, &twilio.from) } else { (&twilio.from, &twilio.to) };
        parameters.set_number(&["From", "Caller"], sender);
        parameters.set_number(&["To", "Called"], recipient);
        Self {
            channel: if event.event.starts_with("call.") { Channel::Voice } else { Channel::Messaging },
            url,
            method,
            parameters,
            content_type: rendered.content_type,
            headers: rendered.headers,
        }
    }

    pub(super) fn idempotency_token(&self) -> &str {
        let token = self.headers.iter().find(|(name, _)| *name == "I-Twilio-Idempotency-Token");
        token.map_or("", |(_, value)| value)
    }

    /// The first hop. A GET carries the parameters in its query.
    pub(super) fn first_hop(&self) -> Hop {
        let (form, shown, carries) = (self.parameters.form(), self.url.to_string(), true);
        if self.method == Method::GET {
            let url = self.url.clone().with_query(&form);
            return Hop { url, method: Method::GET, body: Bytes::new(), shown, carries };
        }
        let (url, method) = (self.url.clone(), self.method.clone());
        Hop { url, method, body: Bytes::from(form), shown, carries }
    }

    /// The request of a hop: signed for its URL, as of `now`.
    pub(super) fn request(
        &self,
        hop: &Hop,
        twilio: &Twilio,
        now: Timestamp,
        login: Option<HeaderValue>,
        cookies: Option<String>,
    ) -> Result<Request<Bytes>, Failure> {
        let unsendable = |error: &dyn std::fmt::Display| Failure::Unsendable(error.to_string());
        let has_body = hop.method != Method::GET;
        let mut request = Request::new(hop.body.clone());
        *request.method_mut() = hop.method.clone();
        *request.uri_mut() = hop.url.request_target().parse().map_err(|e| unsendable(&e))?;
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::try_from(hop.url.authority()).map_err(|e| unsendable(&e))?);
        if has_body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        }
        let own = self.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        for (name, value) in own.chain(self.signature(hop, twilio, now)?) {
            let name = HeaderName::try_from(name).map_err(|e| unsendable(&e))?;
            headers.insert(name, HeaderValue::try_from(value).map_err(|e| unsendable(&e))?);
        }
        if let Some(login) = login {
            headers.insert(header::AUTHORIZATION, login);
        }
        if let Some(cookies) = cookies {
            headers.insert(COOKIE, HeaderValue::try_from(cookies).map_err(|e| unsendable(&e))?);
        }
        Ok(request)
    }

    /// The signature is made anew for each hop: it is over the URL.
    fn signature(
        &self,
        hop: &Hop,
        twilio: &Twilio,
        now: Timestamp,
    ) -> Result<Vec<(String, String)>, Failure> {
        let Some((signer, secret)) = &twilio.signing else { return Ok(Vec::new()) };
        let over_tls = hop.url.scheme().is_secure();
        let draft = Draft {
            method: hop.method.to_string(),
            url: if over_tls && self.channel == Channel::Voice {
                hop.url.without_port()
            } else {
                hop.url.to_string()
            },
            content_type: (hop.method != Method::GET).then(|| self.content_type.to_owned()),
            body: hop.body.clone(),
            id: String::new(),
            now,
        };
        let signed = signer.sign(secret, &draft).map_err(|e| Failure::Unsendable(e.to_string()))?;
        Ok(signed.headers)
    }
}

impl Hop {
    /// Where a redirect leads. Only a 307 leaves a POST what it is; 301, 302 and 303 make a GET of it, and what a GET
    /// carried stays behind unless `Location` repeats it.
    pub(super) fn redirected(&self, status: u16, url: WebhookUrl) -> Self {
        let shown = url.to_string();
        if status == 307 && self.method != Method::GET {
            return Self { url, shown, ..self.clone() };
        }
        Self { url, method: Method::GET, body: Bytes::new(), shown, carries: false }
    }
}
