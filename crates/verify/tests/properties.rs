//! What holds for every request: what is signed verifies, what is changed does not, nothing panics, and the messages
//! that a CRC answer signs can be used for nothing else.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use hookhouse_verify::descriptor::{
    Descriptor, Digest, Direction, Encoding, KeyForm, Locator, Parse, Part, TimestampFrom, TimestampSpec,
    TimestampUnit,
};
use hookhouse_verify::sign::{Draft, Signed, Signer, standard_webhooks};
use hookhouse_verify::twilio::{self, Algorithm, SharedKey};
use hookhouse_verify::{Key, Request, Secret, Verdict, Verifier, catalogue, hmac, sendgrid, x};
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;

const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const FORM: &str = "application/x-www-form-urlencoded";

fn now() -> Timestamp {
    Timestamp::from_second(1_795_305_600).unwrap()
}

fn secret() -> Secret {
    Secret::new(SECRET).unwrap()
}

fn keys() -> Vec<Key> {
    vec![Key::new("secret", secret())]
}

fn x_verifier() -> Verifier {
    let settings = x::Settings { consumer: keys(), oauth2: keys(), ..x::Settings::default() };
    Verifier::X(x::Verifier::new(settings).unwrap())
}

fn twilio_verifier() -> Verifier {
    let shared = SharedKey { id: "k1".into(), key: keys().remove(0), algorithm: Algorithm::HmacSha256 };
    let urls = vec!["https://user:pass@hooks.example.com:8443".parse().unwrap()];
    let settings = twilio::Settings { urls, tokens: keys(), shared_keys: vec![shared], ..Default::default() };
    Verifier::Twilio(twilio::Verifier::new(settings).unwrap())
}

/// A pair that was made for these tests.
const PRIVATE: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgP4fY6Tykoh5fBLZARtqv4EMM58FG/8qVCruTwrqikRGhRANCAAR89bqUFFZDkDca3MarSwOs3+xogmAlUJchhXTS98Gt78tfNhKeYEDogNdTVwrzJyKHfp9ioNwaFeHDPuFBgSEj";

fn sendgrid_verifier() -> Verifier {
    let public = sendgrid::public_key(&Secret::new(PRIVATE).unwrap()).unwrap();
    let public_keys = vec![Key::new("public_key", Secret::new(public).unwrap())];
    let tolerance = Some(Duration::from_secs(1));
    Verifier::SendGrid(sendgrid::Verifier::new(sendgrid::Settings { public_keys, tolerance }).unwrap())
}

fn hmac_verifier(descriptor: &Descriptor) -> Verifier {
    let urls = vec!["https://hooks.example.com:8443".parse().unwrap()];
    Verifier::Hmac(hmac::Verifier::new("any", descriptor.clone(), keys(), urls).unwrap())
}

/// The rows of the catalogue, and schemes with what they leave out.
fn descriptors() -> Vec<Descriptor> {
    let mut all: Vec<_> = catalogue::rows().iter().map(|row| row.descriptor.clone()).collect();
    all.push(Descriptor::new("X-Signature"));
    all.push(Descriptor {
        digest: Digest::Sha512,
        key: KeyForm::Base64,
        message: Cow::Owned(vec![
            Part::Method,
            Part::Literal("\n".into()),
            Part::Path,
            Part::Query,
            Part::Header("Content-Type".into()),
            Part::Timestamp,
            Part::Body,
        ]),
        timestamp: Some(TimestampSpec {
            from: TimestampFrom::Header("X-Time".into()),
            unit: TimestampUnit::Rfc3339,
            tolerance: Duration::from_secs(1),
            direction: Direction::Both,
        }),
        dedupe_id: Some(Locator::Json("a.b".into())),
        ..Descriptor::new("X-Signature")
    });
    let mut by_url = Descriptor::new("X-Signature");
    by_url.digest = Digest::Sha1;
    by_url.signature.encoding = Encoding::Base64Url;
    by_url.signature.parse =
        Parse::KeyValue { delimiter: ';', signature: "h1".into(), timestamp: Some("ts".into()) };
    by_url.message = Cow::Owned(vec![Part::Url, Part::Timestamp, Part::Literal(":".into()), Part::Body]);
    by_url.timestamp = Some(TimestampSpec {
        from: TimestampFrom::SignatureField,
        unit: TimestampUnit::Milliseconds,
        tolerance: Duration::from_secs(5),
        direction: Direction::Past,
    });
    all.push(by_url);
    all
}

fn draft(method: &str, content_type: &str, body: impl Into<Bytes>) -> Draft {
    Draft {
        method: method.to_owned(),
        url: "https://user:pass@hooks.example.com:8443/in?a=%20b#rc=2".to_owned(),
        content_type: (!content_type.is_empty()).then(|| content_type.to_owned()),
        body: body.into(),
        id: "evt_1".to_owned(),
        now: now(),
    }
}

/// What arrives when a signed draft is sent.
fn sent(draft: &Draft, signed: &Signed, body: Bytes) -> Request {
    let target = signed.url.split_once(":8443").unwrap().1.to_owned();
    assert!(!target.contains('#'), "a fragment is not sent");
    let mut headers = signed.headers.clone();
    headers.extend(draft.content_type.iter().map(|value| ("Content-Type".to_owned(), value.clone())));
    Request::new(draft.method.clone(), target, &headers, body).unwrap()
}

/// That the signed draft verifies, and that it does not with any of the other bodies.
fn holds(verifier: &Verifier, signer: &Signer, draft: &Draft, others: &[Bytes]) -> Result<(), TestCaseError> {
    let secret = match signer {
        Signer::SendGrid => Secret::new(PRIVATE).unwrap(),
        _ => secret(),
    };
    let signed = signer.sign(&secret, draft).unwrap();
    let verdict = verifier.verify(sent(draft, &signed, draft.body.clone()), now());
    prop_assert!(matches!(verdict, Verdict::Verified(_)), "{signer:?}: {verdict:?}");
    for other in others {
        let verdict = verifier.verify(sent(draft, &signed, other.clone()), now());
        prop_assert!(matches!(verdict, Verdict::Rejected { .. }), "{signer:?} took {other:?}: {verdict:?}");
    }
    Ok(())
}

/// The body with one bit of one byte changed, cut, and extended.
fn changed(body: &[u8], at: prop::sample::Index, bit: u8) -> Vec<Bytes> {
    let mut changed = vec![Bytes::from([body, b"x"].concat())];
    if !body.is_empty() {
        let mut flipped = body.to_vec();
        flipped[at.index(body.len())] ^= 1 << (bit % 8);
        changed.extend([Bytes::from(flipped), Bytes::copy_from_slice(&body[1..])]);
    }
    changed
}

/// Text in which everything that matters to a parser is likely.
fn odd_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[A-Za-z0-9+/_-]{1,40}={0,3}",
        Just("crc_token=".to_owned()),
        Just("nonce=".to_owned()),
        Just("&".to_owned()),
        Just("=".to_owned()),
        Just("%7B".to_owned()),
        "%[0-9a-fA-F]{0,2}",
        Just("{\"a\":\"".to_owned()),
        Just("\"}".to_owned()),
        Just("{}".to_owned()),
        Just("\n".to_owned()),
        "[ -~]{0,8}",
        "\\PC{0,4}",
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// A value that a header can have.
fn header_value() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        vec(any::<u8>(), 0..80),
        odd_text().prop_map(String::into_bytes),
        "(sha256=|sha1=|v0=|v1,|t=1795305600,v1=)?[A-Za-z0-9+/]{27,64}={0,2}".prop_map(String::into_bytes),
    ];
    text.prop_map(|mut value| {
        value.retain(|b| (*b >= 0x20 && *b != 0x7f) || *b == b'\t');
        value
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn x_verifies_what_it_signs(text in any::<String>(), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let body = serde_json::json!({ "for_user_id": "1", "text": text }).to_string();
        let draft = draft("POST", "application/json", body.clone());
        for signer in [Signer::X, Signer::XOauth2] {
            holds(&x_verifier(), &signer, &draft, &changed(body.as_bytes(), at, bit))?;
        }
    }

    #[test]
    fn twilio_verifies_what_it_signs(
        body in vec(any::<u8>(), 0..200),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
        shared in any::<bool>(),
    ) {
        let signer = match shared {
            true => Signer::Twilio { algorithm: Algorithm::HmacSha256, shared_key: Some("k1".to_owned()) },
            false => Signer::Twilio { algorithm: Algorithm::HmacSha1, shared_key: None },
        };
        let others = changed(&body, at, bit);
        holds(&twilio_verifier(), &signer, &draft("POST", "application/json", body), &others)?;
        holds(&twilio_verifier(), &signer, &draft("GET", "", Bytes::new()), &[Bytes::from_static(b"x")])?;
    }

    #[test]
    fn twilio_verifies_a_form_and_refuses_another_value(
        values in vec("[A-Za-z0-9]{1,12}", 1..8),
        at in any::<prop::sample::Index>(),
        raw in "\\PC{0,12}",
    ) {
        let escaped: String = raw.bytes().map(|b| format!("%{b:02x}")).collect();
        let body = |values: &[String]| {
            let pairs: String = values.iter().enumerate().map(|(n, value)| format!("k{n}={value}&")).collect();
            Bytes::from(format!("{pairs}raw={escaped}"))
        };
        let mut others = values.clone();
        let value = &mut others[at.index(values.len())];
        *value = value.chars().map(|c| if c == 'a' { 'b' } else { 'a' }).collect();
        let signer = Signer::for_provider("twilio").unwrap();
        holds(&twilio_verifier(), &signer, &draft("POST", FORM, body(&values)), &[body(&others), Bytes::new()])?;
    }

    #[test]
    fn sendgrid_verifies_what_it_signs(
        texts in vec(any::<String>(), 0..4),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let body = serde_json::json!(texts).to_string();
        let others = changed(body.as_bytes(), at, bit);
        holds(&sendgrid_verifier(), &Signer::SendGrid, &draft("POST", "application/json", body), &others)?;
    }

    #[test]
    fn every_descriptor_verifies_what_it_signs(
        body in vec(any::<u8>(), 0..200),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        for descriptor in descriptors() {
            let draft = draft("POST", "application/json", body.clone());
            let signer = Signer::Hmac(descriptor.clone());
            holds(&hmac_verifier(&descriptor), &signer, &draft, &changed(&body, at, bit))?;
        }
    }

    #[test]
    fn any_spoiled_signature_is_refused(body in vec(any::<u8>(), 0..50), at in any::<prop::sample::Index>(), bit in 0_u8..7) {
        for descriptor in descriptors() {
            let draft = draft("POST", "application/json", body.clone());
            let mut signed = Signer::Hmac(descriptor.clone()).sign(&secret(), &draft).unwrap();
            let header = descriptor.signature.header.to_ascii_lowercase();
            let (_, value) = signed.headers.iter_mut().find(|(name, _)| *name == header).unwrap();
            let mut bytes = value.clone().into_bytes();
            let place = at.index(bytes.len());
            bytes[place] ^= 1 << bit;
            prop_assume!(bytes[place].is_ascii_graphic());
            *value = String::from_utf8(bytes).unwrap();
            let value = value.clone();
            let verdict = hmac_verifier(&descriptor).verify(sent(&draft, &signed, draft.body.clone()), now());
            prop_assert!(matches!(verdict, Verdict::Rejected { .. }), "{value}: {verdict:?}");
        }
    }

    #[test]
    fn standard_webhooks_headers_verify(id in "[A-Za-z0-9_-]{1,40}", body in vec(any::<u8>(), 0..100)) {
        let headers = standard_webhooks(&secret(), &id, now(), &body).unwrap();
        let descriptor = &catalogue::find("standard-webhooks").unwrap().descriptor;
        let request = Request::new("POST", "/", &headers, body).unwrap();
        prop_assert!(matches!(hmac_verifier(descriptor).verify(request, now()), Verdict::Verified(_)));
    }

    #[test]
    fn nothing_panics_and_nothing_unsigned_passes(
        method in prop_oneof!["GET", "POST", "[A-Z]{1,7}"],
        target in prop_oneof![odd_text(), odd_text().prop_map(|query| format!("/in?{query}")), any::<String>()],
        values in vec(header_value(), 0..4),
        content_type in prop_oneof![Just(FORM.to_owned()), Just("application/json".to_owned())],
        upgrade in any::<bool>(),
        body in prop_oneof![vec(any::<u8>(), 0..100), odd_text().prop_map(String::into_bytes)],
    ) {
        let names = [
            "x-twitter-webhooks-signature", "x-twilio-signature", "x-twilio-webhooks-signature-settings",
            "x-hub-signature-256", "x-slack-signature", "x-slack-request-timestamp", "webhook-id",
            "webhook-timestamp", "webhook-signature", "stripe-signature", "x-signature", "x-time",
            "x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp",
        ];
        let mut headers = vec![("content-type", content_type.into_bytes())];
        if upgrade {
            headers.push(("upgrade", b"websocket".to_vec()));
        }
        // Every value under every name, so that a parser is reached however deep it lies.
        for (at, value) in values.iter().enumerate() {
            headers.extend(names.iter().skip(at % 2).map(|name| (*name, value.clone())));
        }
        let request = Request::new(method, target, &headers, body).unwrap();
        let coded = [x_verifier(), twilio_verifier(), sendgrid_verifier()];
        for verifier in descriptors().iter().map(hmac_verifier).chain(coded) {
            let verdict = verifier.verify(request.clone(), now());
            prop_assert!(!matches!(verdict, Verdict::Verified(_) | Verdict::Unsigned(_)), "{verdict:?}");
            if let Verdict::Handshake(handshake) = verdict {
                prop_assert!(!handshake.signed);
            }
        }
    }
}

/// The sets C, P and Q of the `x` module: signed for anybody, accepted as an event, accepted as a signed query.
mod the_crc_sets_are_disjoint {
    use super::*;

    fn answered(message: &str) -> Option<String> {
        x::crc_response(&secret(), message).ok().map(|body| body.split('"').nth(3).unwrap().to_owned())
    }

    fn is_event(message: &str, signature: &str) -> bool {
        let headers = [(x::SIGNATURE_HEADER, signature)];
        let request = Request::new("POST", "/x", &headers, message.to_owned()).unwrap();
        matches!(x_verifier().verify(request, now()), Verdict::Verified(_))
    }

    fn is_signed_query(message: &str, signature: &str) -> bool {
        let headers = [(x::SIGNATURE_HEADER, signature)];
        let request = Request::new("GET", format!("/x?{message}"), &headers, "").unwrap();
        matches!(x_verifier().verify(request, now()), Verdict::Handshake(handshake) if handshake.signed)
    }

    /// Which of the three a message is in, each judged with its right signature.
    fn memberships(message: &str) -> [bool; 3] {
        let right = x::sign_post(&secret(), message.as_bytes());
        [answered(message).is_some(), is_event(message, &right), is_signed_query(message, &right)]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

        #[test]
        fn for_any_message(message in odd_text()) {
            let memberships = memberships(&message);
            prop_assert!(memberships.iter().filter(|is_in| **is_in).count() <= 1, "{message}: {memberships:?}");
            if let Some(signature) = answered(&message) {
                prop_assert!(!is_event(&message, &signature) && !is_signed_query(&message, &signature));
            }
        }

        #[test]
        fn for_any_token(token in "[A-Za-z0-9+/_-]{1,64}={0,2}") {
            prop_assert_eq!(memberships(&token), [true, false, false]);
        }

        #[test]
        fn for_any_event(text in any::<String>(), query in odd_text()) {
            let event = serde_json::json!({ "a": text, "b": query }).to_string();
            prop_assert_eq!(memberships(&event), [false, true, false]);
            let event = format!("{{\"a\":\"&{}&\"}}", query.replace(['"', '\\', '\n'], ""));
            let [answered, _, signed_query] = memberships(&event);
            prop_assert!(!answered && !signed_query, "{}", event);
        }

        #[test]
        fn for_any_signed_query(token in "[A-Za-z0-9_-]{1,64}", nonce in "[A-Za-z0-9_-]{1,20}", more in "[a-z=&%]{0,9}") {
            let query = format!("crc_token={token}&nonce={nonce}&{more}");
            prop_assert_eq!(memberships(&query), [false, false, true]);
        }

        #[test]
        fn an_answer_never_signs_another_query(token in "[A-Za-z0-9+/_=-]{1,64}", nonce in "[A-Za-z0-9_=-]{0,20}") {
            for target in [format!("crc_token={token}&nonce={nonce}"), format!("crc_token={token}")] {
                for message in [target.clone(), format!("crc_token={token}"), token.clone()] {
                    if let Some(signature) = answered(&message) {
                        prop_assert!(!is_signed_query(&target, &signature), "{target} by {message}");
                    }
                }
            }
        }
    }
}
