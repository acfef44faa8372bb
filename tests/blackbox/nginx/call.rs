//! What Twilio sends: a request that is signed for the URL it was told.

use hookhouse_verify::Secret;
use hookhouse_verify::twilio::{Algorithm, sign, with_body_digest};

use super::edge::{HOST, PORT};

pub(super) const TOKEN: &str = "auth-token-of-the-voice-account-01";
pub(super) const OTHER_TOKEN: &str = "auth-token-of-the-sms-account-0002";
const FORM: &str = "application/x-www-form-urlencoded; charset=UTF-8";

/// A request before it is signed.
#[derive(Clone)]
pub(super) struct Call {
    method: &'static str,
    scheme: &'static str,
    /// Path and query behind `https://hooks.example.com:8443/edge`.
    told: String,
    headers: Vec<(&'static str, String)>,
    /// What is signed, and what is sent.
    bodies: (Vec<u8>, Vec<u8>),
    token: &'static str,
}

impl Call {
    fn new(method: &'static str, told: &str, body: &[u8]) -> Self {
        let bodies = (body.to_vec(), body.to_vec());
        Self { method, scheme: "https", told: told.to_owned(), headers: Vec::new(), bodies, token: TOKEN }
    }

    /// A call comes in.
    pub(super) fn form(told: &str) -> Self {
        let body = b"AccountSid=AC00000000000000000000000000000001&CallSid=CA1&CallStatus=ringing&\
                     From=%2B14158675309&FromCity=&FromCountry=&FromState=&FromZip=&SpeechResult=+yes&\
                     To=%2B15005550006&ToCity=&ToCountry=&ToState=&ToZip=";
        Self::new("POST", told, body).header("content-type", FORM)
    }

    pub(super) fn get(told: &str) -> Self {
        Self::new("GET", told, b"")
    }

    /// JSON, which the URL vouches for.
    pub(super) fn json(told: &str, body: &str) -> Self {
        let told = with_body_digest(told, body.as_bytes());
        Self::new("POST", &told, body.as_bytes()).header("content-type", "application/json")
    }

    /// A Media Stream begins.
    pub(super) fn stream(told: &str) -> Self {
        Self { scheme: "wss", ..Self::new("GET", told, b"") }
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    }

    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(super) fn token(self, token: &'static str) -> Self {
        Self { token, ..self }
    }

    /// Something in front of nginx changed the body.
    pub(super) fn arrives_as(mut self, body: &str) -> Self {
        self.bodies.1 = body.as_bytes().to_vec();
        self
    }

    pub(super) fn replaced(self, from: &str, to: &str) -> Self {
        let text = String::from_utf8(self.bodies.1.clone()).expect("text");
        assert!(text.contains(from), "{text}");
        self.arrives_as(&text.replace(from, to))
    }

    /// Parameters of a form and no others.
    pub(super) fn parameters(mut self, body: &str) -> Self {
        self.bodies = (body.into(), body.into());
        self
    }

    /// What goes over the wire to nginx.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let (signed, sent) = &self.bodies;
        let url = format!("{}://{HOST}:{PORT}/edge{}", self.scheme, self.told);
        let is_form = self.headers.iter().any(|(_, value)| value == FORM);
        let parameters: &[u8] = if is_form { signed } else { b"" };
        let secret = Secret::new(self.token).expect("not empty");
        let signature = sign(&secret, Algorithm::HmacSha1, &url, parameters);
        let mut head = format!(
            "{} /edge{} HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nUser-Agent: TwilioProxy/1.1\r\nX-Twilio-Signature: {signature}\r\n",
            self.method, self.told
        );
        if self.method == "POST" {
            head += &format!("Content-Length: {}\r\n", sent.len());
        }
        if self.scheme == "https" {
            head += "Connection: close\r\n";
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        [head.as_bytes(), b"\r\n", sent].concat()
    }

    /// A request of X's, at a path that is not for such.
    pub(super) fn of_x(told: &str) -> Vec<u8> {
        let body = br#"{"for_user_id":"1"}"#;
        let signature =
            hookhouse_verify::x::sign_post(&Secret::new(super::X_SECRET).expect("not empty"), body);
        let head = format!(
            "POST /edge{told} HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/json\r\nx-twitter-webhooks-signature: {signature}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    }
}
