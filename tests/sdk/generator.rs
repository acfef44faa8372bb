//! Requests at random, in all the spellings that HTTP and forms leave open.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::case::{Base, Case, FORM, JSON, Signed, digest_of};

/// Makes requests from a seed.
pub(crate) struct Generator {
    random: StdRng,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed) }
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        *from.choose(&mut self.random).expect("there is something to choose from")
    }

    /// Whether something of this probability, in percent, happens.
    pub(crate) fn percent(&mut self, percent: u32) -> bool {
        self.random.random_ratio(percent, 100)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.random.random_range(0..end.max(1))
    }

    /// A request of any kind, not signed yet.
    pub(crate) fn any(&mut self) -> Case {
        match self.below(8) {
            0..=3 => self.form(),
            4 | 5 => self.get(),
            6 => self.json(),
            _ => self.handshake(),
        }
    }

    pub(crate) fn get(&mut self) -> Case {
        let target = self.target();
        self.case("GET", target)
    }

    pub(crate) fn form(&mut self) -> Case {
        let target = self.target();
        let mut case = self.case("POST", target);
        let types = [
            FORM,
            FORM,
            "application/x-www-form-urlencoded; charset=UTF-8",
            "Application/X-WWW-Form-URLEncoded",
        ];
        case.content_type = Some(self.pick(&types));
        case.body = self.form_body().into_bytes();
        case
    }

    pub(crate) fn json(&mut self) -> Case {
        let target = self.target();
        let mut case = self.case("POST", target);
        case.content_type =
            Some(self.pick(&[JSON, "application/json; charset=utf-8", "application/cloudevents+json"]));
        case.body = self.json_body().into_bytes();
        let digest = digest_of(&case.body);
        self.announce(&mut case, &format!("bodySHA256={digest}"));
        case
    }

    pub(crate) fn handshake(&mut self) -> Case {
        let target = self.target();
        let mut case = self.case("GET", target);
        case.handshake = true;
        case
    }

    /// A request whose URL leaves nothing to interpretation.
    pub(crate) fn plain(&mut self, mut case: Case) -> Case {
        case.base = Base { scheme: "https", user_info: None, host: "hooks.example.com", port: None };
        case.told_user_info = false;
        let query = case.digests().first().map(|digest| format!("?bodySHA256={digest}")).unwrap_or_default();
        case.target = format!("/twilio/{}{query}", self.below(100));
        case
    }

    /// Puts a parameter into the query, last as Twilio does or, now and then, first.
    pub(crate) fn announce(&mut self, case: &mut Case, parameter: &str) {
        let (path, query) = case.target.split_once('?').unwrap_or((case.target.as_str(), ""));
        case.target = match query {
            "" => format!("{path}?{parameter}"),
            query if self.percent(20) => format!("{path}?{parameter}&{query}"),
            query => format!("{path}?{query}&{parameter}"),
        };
    }

    fn case(&mut self, method: &'static str, target: String) -> Case {
        let base = self.base();
        Case {
            told_user_info: base.user_info.is_some() && self.percent(10),
            base,
            method,
            target,
            content_type: None,
            handshake: false,
            body: Vec::new(),
            signature: None,
            settings: None,
            signed: Signed::default(),
        }
    }

    fn base(&mut self) -> Base {
        let hosts = [
            "hooks.example.com",
            "hooks.example.com",
            "example.com",
            "Hooks.Example.COM",
            "localhost",
            "10.0.3.4",
            "[::1]",
            "[2001:db8::1]",
        ];
        Base {
            scheme: self.pick(&["https", "https", "https", "http"]),
            user_info: if self.percent(12) {
                Some(self.pick(&["user:pass", "user", "u%40x:p%3Aq"]))
            } else {
                None
            },
            host: self.pick(&hosts),
            port: self.pick(&[None, None, None, Some(443), Some(80), Some(8443), Some(8080), Some(1234)]),
        }
    }

    fn target(&mut self) -> String {
        let paths = [
            "/",
            "/hook",
            "/twilio/voice",
            "/trail/",
            "/a//b",
            "/a/../b",
            "/a%2Fb",
            "/a%2fb",
            "/caf%C3%A9",
            "/caf\u{e9}",
            "/~user/'quoted'",
            "/p;v=1",
            "/semicolon;",
            "/what%3F",
            "/in:colon@at",
        ];
        let path = if self.percent(50) { "/twilio/voice" } else { self.pick(&paths) };
        match self.below(10) {
            0..=4 => path.to_owned(),
            5 => format!("{path}?"),
            _ => format!("{path}?{}", self.query()),
        }
    }

    pub(crate) fn query(&mut self) -> String {
        let fields = [
            "a=1",
            "CallSid=CA0123456789",
            "From=%2B15558675310",
            "name=O'Hara",
            "name=O%27Hara",
            "text=two+words",
            "text=two%20words",
            "sip=sip:alice@example.com",
            "sip=sip%3Aalice%40example.com",
            "sip=sip%3aalice%40example.com",
            "back=https%3A%2F%2Fapp.example.com%2F%3Fa%3D1",
            "back=/path/to?x",
            "lower=%e2%82%ac",
            "upper=%E2%82%AC",
            "price=\u{20ac}5",
            "empty=",
            "bare",
            "=nameless",
            "",
            "10=ten",
            "9=nine",
            "k=2",
            "k=1",
            "k=2",
            "half=%4",
            "tilde=~*()!",
            "paren=%28x%29",
        ];
        let count = 1 + self.below(4);
        (0..count).map(|_| self.pick(&fields)).collect::<Vec<_>>().join("&")
    }

    pub(crate) fn form_body(&mut self) -> String {
        let count = if self.percent(4) { 0 } else { 1 + self.below(12) };
        let mut fields: Vec<String> = Vec::new();
        for _ in 0..count {
            let key = self.key();
            for _ in 0..1 + usize::from(self.percent(15)) * (1 + self.below(3)) {
                let value = self.value();
                fields.push(self.field(key, &value));
            }
        }
        if self.percent(5) {
            fields
                .insert(self.below(fields.len() + 1), self.pick(&["", "bare", "=nameless", "="]).to_owned());
        }
        fields.join("&")
    }

    /// A field of a form, encoded in one of many ways.
    pub(crate) fn field(&mut self, key: &str, value: &str) -> String {
        format!("{}={}", self.encoded(key), self.encoded(value))
    }

    pub(crate) fn key(&mut self) -> &'static str {
        let keys = [
            "AccountSid",
            "CallSid",
            "CALLSID",
            "callSid",
            "From",
            "To",
            "Body",
            "Body ",
            "Digits",
            "Reason",
            "ReasonConferenceEnded",
            "NumMedia",
            "MediaUrl0",
            "10",
            "9",
            "-1",
            "1.5",
            "a&b",
            "a=b",
            "a+b",
            "100%",
            "\u{dc}n\u{ef}c\u{f6}d\u{e9}",
            "\u{65e5}\u{672c}",
            "\u{1f600}",
            "__proto__",
            "constructor",
            "length",
            "getlist",
            "a[]",
            "a[0]",
            "a[b]",
            "a.b",
        ];
        self.pick(&keys)
    }

    pub(crate) fn value(&mut self) -> String {
        let values = [
            "",
            "",
            "1",
            "12345",
            "+15558675310",
            "CA1234567890ABCDE",
            "two words",
            " blanks around ",
            "tab\tand\r\nlines",
            "a&b=c;d",
            "100%",
            "%41",
            "%zz",
            "O'Hara \"the\" <second>",
            "https://app.example.com/?a=1&b=%20#top",
            "na\u{ef}ve caf\u{e9}",
            "cafe\u{301}",
            "\u{65e5}\u{672c}\u{8a9e}",
            "\u{1f44d}\u{1f3fd} \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
            "\u{fb01}ne",
            "\0",
            "{\"json\": [1, 2]}",
            "~!*()'",
        ];
        match self.below(20) {
            0 => "long ".repeat(1 + self.below(300)),
            1 => (0..1 + self.below(12)).map(|_| self.random.random::<char>()).collect(),
            _ => self.pick(&values).to_owned(),
        }
    }

    fn json_body(&mut self) -> String {
        let bodies = [
            "{}",
            "[]",
            r#"{"CallSid":"CA1234567890ABCDE","Digits":1234}"#,
            "{ \"spaced\" : [ 1 , 2 ] }\r\n",
            "{\"emoji\":\"\u{1f44d}\",\"text\":\"caf\u{e9} \\u00e9\"}",
            r#"[{"specversion":"1.0","type":"com.twilio.messaging.message.sent","id":"EZ1","data":{}}]"#,
        ];
        if self.percent(20) {
            let value = self.value();
            return serde_json::json!({ "text": value }).to_string();
        }
        self.pick(&bodies).to_owned()
    }

    /// Form encoding: what must be escaped is, and of the rest whatever chance decides.
    fn encoded(&mut self, text: &str) -> String {
        let lower_case = self.percent(20);
        let eager = if self.percent(20) { 30 } else { 0 };
        let raw_unicode = self.percent(10);
        let mut out = String::new();
        for c in text.chars() {
            let plain = c.is_ascii_alphanumeric() || "-_.*".contains(c);
            let may_stay = plain || (c.is_ascii_graphic() && !"&=+%".contains(c) && self.percent(10));
            if c == ' ' && !self.percent(30) {
                out.push('+');
            } else if (may_stay && !(eager > 0 && self.percent(eager))) || (raw_unicode && !c.is_ascii()) {
                out.push(c);
            } else {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    out.push_str(&if lower_case { format!("%{byte:02x}") } else { format!("%{byte:02X}") });
                }
            }
        }
        out
    }
}
