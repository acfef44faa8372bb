//! Other providers' own libraries accept what Hookhouse signs for a destination in their scheme.

use std::collections::BTreeMap;
use std::process::Command;

use data_encoding::BASE64;
use hookhouse_testkit::blackbox::{House, request, send};
use hookhouse_testkit::receiver::{Received, Receiver};
use hookhouse_verify::Secret;
use hookhouse_verify::sign::{Draft, Signer};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{child, installed};

/// How a destination wants a source's events signed, and who checks it.
struct Scheme {
    source: &'static str,
    /// What the provider signs with.
    provider_secret: &'static str,
    /// What the source is configured with.
    source_secret: (&'static str, &'static str),
    /// The form of `sign`, and its secret.
    sign: (&'static str, &'static str),
    /// What the application verifies with.
    application_secret: &'static str,
    /// The libraries that check it.
    python: Option<&'static str>,
    node: Option<&'static str>,
}

const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_WHSEC: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const PROVIDER: &str = "the provider's own secret";
const INTERNAL: &str = "the application's own secret";
const EC_PRIVATE: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgP4fY6Tykoh5fBLZARtqv4EMM58FG/8qVCruTwrqikRGhRANCAAR89bqUFFZDkDca3MarSwOs3+xogmAlUJchhXTS98Gt78tfNhKeYEDogNdTVwrzJyKHfp9ioNwaFeHDPuFBgSEj";
const EC_PUBLIC: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEfPW6lBRWQ5A3GtzGq0sDrN/saIJgJVCXIYV00vfBre/LXzYSnmBA6IDXU1cK8ycih36fYqDcGhXhwz7hQYEhIw==";

const SCHEMES: [Scheme; 6] = [
    Scheme {
        source: "none",
        provider_secret: "",
        source_secret: ("", ""),
        sign: ("standard_webhooks", WHSEC),
        application_secret: WHSEC,
        python: Some("standardwebhooks"),
        node: Some("standardwebhooks"),
    },
    Scheme {
        source: "standard-webhooks",
        provider_secret: OTHER_WHSEC,
        source_secret: ("secret", OTHER_WHSEC),
        sign: ("provider", WHSEC),
        application_secret: WHSEC,
        python: Some("standardwebhooks"),
        node: Some("standardwebhooks"),
    },
    Scheme {
        source: "stripe",
        provider_secret: PROVIDER,
        source_secret: ("secret", PROVIDER),
        sign: ("provider", INTERNAL),
        application_secret: INTERNAL,
        python: Some("stripe"),
        node: None,
    },
    Scheme {
        source: "slack",
        provider_secret: PROVIDER,
        source_secret: ("secret", PROVIDER),
        sign: ("provider", INTERNAL),
        application_secret: INTERNAL,
        python: Some("slack_sdk"),
        node: None,
    },
    Scheme {
        source: "github",
        provider_secret: PROVIDER,
        source_secret: ("secret", PROVIDER),
        sign: ("provider", INTERNAL),
        application_secret: INTERNAL,
        python: None,
        node: Some("@octokit/webhooks-methods"),
    },
    Scheme {
        source: "sendgrid",
        provider_secret: EC_PRIVATE,
        source_secret: ("public_key", EC_PUBLIC),
        sign: ("provider", EC_PRIVATE),
        application_secret: EC_PUBLIC,
        python: None,
        node: Some("@sendgrid/eventwebhook"),
    },
];

/// An event of Stripe's form, which its library wants; to the others it is any JSON.
const BODY: &str = "{\"id\": \"evt_1\", \"object\": \"event\", \"type\": \"a.b\", \"data\": {\"object\": {\"name\": \"caf\u{e9}\"}}}\r\n";

#[test]
fn the_providers_own_libraries_accept_what_is_signed_for_a_destination() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for scheme in &SCHEMES {
        let receiver = runtime.block_on(Receiver::start()).expect("a port");
        let house = House::start(&scheme.config(&receiver), &scheme.variables());
        let answer = send(house.ingress, &scheme.event());
        assert_eq!(answer.status, 200, "{}: {}", scheme.source, answer.text());
        let received = runtime.block_on(receiver.wait_for(1)).remove(0);
        if let Some(library) = scheme.python {
            scheme.checked_by(library, installed::python("libraries.py"), &received);
        }
        if let Some(library) = scheme.node {
            scheme.checked_by(library, installed::node("libraries.js"), &received);
        }
    }
}

impl Scheme {
    fn config(&self, receiver: &Receiver) -> String {
        let (key, _) = self.source_secret;
        let key = if key.is_empty() { String::new() } else { format!("{key} = {{ env = \"SOURCE\" }}\n") };
        let (sign, _) = self.sign;
        format!(
            "[source.in]\nprovider = \"{}\"\npath = \"/in\"\n{key}deliver = [\"app\"]\n\
             [destination.app]\nurl = \"http://{}/hooks\"\nallow_loopback = true\n\
             sign = {{ {sign} = {{ env = \"SIGN\" }} }}\n",
            self.source,
            receiver.address()
        )
    }

    fn variables(&self) -> Vec<(&'static str, &'static str)> {
        vec![("SOURCE", self.source_secret.1), ("SIGN", self.sign.1)]
    }

    /// SendGrid's events come in arrays.
    fn body(&self) -> String {
        if self.source == "sendgrid" { format!("[{BODY}]\r\n") } else { BODY.to_owned() }
    }

    /// A request as the provider sends it.
    fn event(&self) -> Vec<u8> {
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        if let Some(signer) = Signer::for_provider(self.source) {
            let draft = Draft {
                method: "POST".to_owned(),
                url: "https://hooks.example.com/in".to_owned(),
                content_type: Some("application/json".to_owned()),
                body: self.body().into(),
                id: "msg_1".to_owned(),
                now: now(),
            };
            let secret = Secret::new(self.provider_secret).expect("it is not empty");
            headers.extend(signer.sign(&secret, &draft).expect("it can be signed").headers);
        }
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        request("POST", "/in", &headers, self.body().as_bytes())
    }

    /// The library accepts the request, and not with another body.
    fn checked_by(&self, library: &str, judge: Command, received: &Received) {
        let changed = self.body().replace("evt_1", "evt_2");
        let changed = Received { body: changed.into(), ..received.clone() };
        let questions = [received, &changed].map(|request| self.question(library, request));
        let answers = child::ask(judge, &questions);
        let accepts: Vec<_> = answers.iter().map(|answer| answer["accepts"].as_bool()).collect();
        assert_eq!(accepts, [Some(true), Some(false)], "{} by {library}: {answers:?}", self.source);
    }

    fn question(&self, library: &str, received: &Received) -> Value {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers: BTreeMap<_, _> =
            received.headers.iter().map(|(name, value)| (name, text(value))).collect();
        json!({
            "library": library,
            "secret": self.application_secret,
            "headers": headers,
            "body": BASE64.encode(&received.body),
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the libraries look at the machine's clock")]
fn now() -> Timestamp {
    Timestamp::now()
}
