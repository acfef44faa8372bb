//! Challenges and cookies.

use std::sync::Mutex;

use super::*;

fn challenge(value: &str) -> Behaviour {
    Behaviour::status(401).header("www-authenticate", value)
}

fn field(request: &Received, name: &str) -> Option<String> {
    let header = request.header("authorization")?;
    let parts = header.split(", ").map(|part| part.trim_start_matches("Digest "));
    let value = parts.filter_map(|part| part.split_once('=')).find(|(known, _)| *known == name)?;
    Some(value.1.trim_matches('"').to_owned())
}

const TWICE: &str = "<Response><Redirect>/second</Redirect></Response>";

#[tokio::test]
async fn credentials_come_after_the_challenge_and_stay_for_the_call() {
    let application = application().await;
    application.next(challenge("Basic realm=\"in\""));
    application.next(twiml(TWICE));
    application.next(twiml("<Response/>"));
    let address = application.address();
    let told = call(&twilio(), &call_to(&format!("http://Aladdin:open%20sesame@{address}/"))).await;
    assert_eq!(told.codes(), [0_u32; 0]);
    let received = application.received();
    let basic = Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    let headers: Vec<_> = received.iter().map(|request| request.header("authorization")).collect();
    assert_eq!(headers, [None, basic, basic]);
    let token = |n: usize| received[n].header("i-twilio-idempotency-token");
    assert!(token(0) == token(1) && token(1) != token(2), "a login is part of the same webhook");
    assert_eq!(parameter(&received[1], "CallStatus").as_deref(), Some("ringing"));
    assert!(!format!("{told:?}").contains("sesame"));
}

#[tokio::test]
async fn a_digest_counts_and_a_stale_nonce_is_followed_once() {
    let application = application().await;
    let digest = |nonce: &str, stale: &str| {
        challenge(&format!("Digest realm=\"in\", qop=\"auth\", algorithm=SHA-256, nonce=\"{nonce}\"{stale}"))
    };
    application.next(digest("n1", ""));
    application.next(twiml(TWICE));
    application.next(digest("n2", ", stale=true"));
    application.next(digest("n3", ", stale=true"));
    application.next(twiml("<Response/>"));
    let credentials = Credentials::new("twilio", Secret::new("p").unwrap()).unwrap();
    let told = call(&twilio().logging_in(credentials), &call_to(&application.url("/first?x=1"))).await;
    let received = application.received();
    let of = |name: &str| received.iter().map(|request| field(request, name)).collect::<Vec<_>>();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(of("nonce"), [None, some("n1"), some("n1"), some("n2")]);
    assert_eq!(of("nc"), [None, some("00000001"), some("00000002"), some("00000001")]);
    assert_eq!(of("uri"), [None, some("/first?x=1"), some("/second"), some("/second")]);
    let cnonces = of("cnonce");
    assert_ne!(cnonces[1], cnonces[2]);
    assert_eq!(told.codes(), [11217], "stale twice is refused: {told:?}");
}

#[tokio::test]
async fn what_cannot_be_answered_is_a_401() {
    let unanswerable = [
        ("Basic realm=\"in\"", "http://", "without credentials"),
        ("Basic realm=\"in\"", "http://u:wrong@", "refused again"),
        ("Bearer realm=\"in\"", "http://u:p@", "another scheme"),
        (
            "Digest realm=\"in\", nonce=\"n\", qop=\"auth\", algorithm=SHA-512",
            "http://u:p@",
            "another algorithm",
        ),
        ("Basic", "http://u:p@", "no realm"),
    ];
    for (value, start, why) in unanswerable {
        let application = application().await;
        application.always(challenge(value));
        let told = message(&twilio(), &message_to(&format!("{start}{}/", application.address()))).await;
        assert_eq!(told.codes(), [11217], "{why}");
        assert_eq!(application.received().len(), if why == "refused again" { 2 } else { 1 }, "{why}");
    }
}

#[tokio::test]
async fn credentials_go_to_the_first_host_alone() {
    let (home, other) = (application().await, application().await);
    home.always(redirect(307, &other.url("/")));
    other.always(challenge("Basic realm=\"in\""));
    let credentials = Credentials::new("u", Secret::new("p").unwrap()).unwrap();
    let told = call(&twilio().logging_in(credentials), &call_to(&home.url("/"))).await;
    assert_eq!(told.codes(), [11217]);
    assert!(other.received().iter().all(|request| request.header("authorization").is_none()));
}

#[tokio::test]
async fn cookies_come_back_within_a_call() {
    let application = application().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    application.decide(move |request| {
        log.lock().unwrap().push(request.header("cookie").map(str::to_owned));
        match request.target.as_str() {
            "/" => {
                twiml(TWICE).header("set-cookie", "session=7; Path=/; HttpOnly").header("set-cookie", "=odd")
            }
            _ => twiml("<Response/>"),
        }
    });
    let told = call(&twilio(), &call_to(&application.url("/"))).await;
    assert_eq!(*seen.lock().unwrap(), [None, Some("session=7".to_owned())]);
    assert_eq!(told.codes(), [11206]);
    call(&twilio(), &call_to(&application.url("/"))).await;
    assert_eq!(seen.lock().unwrap()[2], None, "another call begins without");
}
