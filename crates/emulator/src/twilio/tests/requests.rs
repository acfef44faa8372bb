//! What goes out, what is tried again, and where redirects lead.

use std::time::Duration;

use tokio::net::TcpListener;

use super::*;

#[tokio::test]
async fn a_request_looks_like_twilios_and_verifies() {
    let application = application().await;
    application.always(twiml("<Response/>"));
    let base = format!("http://{}", application.address());
    for method in [Method::POST, Method::GET] {
        let path = "/voice?tenant=o%27hara";
        let told =
            call(&twilio(), &Call { method, ..call_to(&application.url(&format!("{path}#rc=2"))) }).await;
        assert_eq!((told.outcome, told.codes()), (Outcome { reached: true, errors: 0, warnings: 0 }, vec![]));
    }
    let received = application.received();
    let [post, get] = received.as_slice() else { panic!("{received:?}") };
    for request in [post, get] {
        assert_eq!(verified(request, &base).as_deref(), Some("exact"), "{request:?}");
        assert_eq!(request.header("user-agent"), Some("TwilioProxy/1.1"));
        assert_eq!(request.header("x-home-region"), Some("us1"));
        assert_eq!(request.header("accept"), Some("*/*"));
        assert_eq!(request.header("i-twilio-idempotency-token").unwrap().len(), 36);
        assert_eq!(parameter(request, "CallStatus").as_deref(), Some("ringing"));
        assert_eq!(parameter(request, "CallSid").unwrap().len(), 34);
        assert!(request.target.starts_with("/voice?tenant=o%27hara"), "{}", request.target);
    }
    assert_eq!(post.header("content-type"), Some("application/x-www-form-urlencoded; charset=UTF-8"));
    assert_eq!((get.header("content-type"), get.body.len()), (None, 0));
}

#[tokio::test]
async fn a_url_is_signed_without_its_login_and_a_call_without_its_port() {
    let application = application().await;
    application.always(twiml("<Response/>"));
    let twilio = twilio().via(application.address().to_string());
    call(&twilio, &call_to("https://u:p@hooks.example.com:8443/voice")).await;
    message(&twilio, &message_to("https://u:p@hooks.example.com:8443/sms")).await;
    let received = application.received();
    let spelt = |n: usize| verified(&received[n], "https://hooks.example.com:8443");
    assert_eq!(spelt(0).as_deref(), Some("port removed"));
    assert_eq!(spelt(1).as_deref(), Some("exact"));
    assert_eq!(received[0].header("host"), Some("hooks.example.com:8443"));
}

#[tokio::test]
async fn numbers_and_account_are_as_told() {
    let application = application().await;
    application.always(twiml("<Response/>"));
    let twilio = twilio().account("AC1").from("+4930123456").to("+12065550100");
    call(&twilio, &call_to(&application.url("/"))).await;
    let request = &application.received()[0];
    for (name, value) in [
        ("AccountSid", "AC1"),
        ("From", "+4930123456"),
        ("Caller", "+4930123456"),
        ("FromCity", ""),
        ("CallerCountry", ""),
        ("To", "+12065550100"),
        ("Called", "+12065550100"),
        ("ToCity", "SEATTLE"),
    ] {
        assert_eq!(parameter(request, name).as_deref(), Some(value), "{name}");
    }
}

/// The table of `rp` with what happens at the other end; how many requests come.
#[tokio::test]
async fn what_the_fragment_says_is_tried_again_with_the_same_token() {
    let ok = || twiml("<Response/>");
    for (fragment, first, requests) in [
        ("", Behaviour::status(503), 1),
        ("#rc=3&rp=5xx", Behaviour::status(503), 2),
        ("#rc=3&rp=4xx", Behaviour::status(503), 1),
        ("#rc=3&rp=4xx", Behaviour::status(429), 2),
        ("#rc=0&rp=all", Behaviour::status(503), 1),
        ("#rt=1000&rp=rt", Behaviour::Hang, 2),
        ("#rt=100&rp=ct", Behaviour::Hang, 1),
        ("#tt=200&rc=5&rp=rt", Behaviour::Trickle { status: 200, every: Duration::from_millis(20) }, 1),
        ("#rp=all", Behaviour::Close, 2),
    ] {
        let application = application().await;
        application.next(first);
        application.always(ok());
        let told = call(&twilio(), &call_to(&application.url(&format!("/{fragment}")))).await;
        let received = application.received();
        assert_eq!(received.len(), requests, "{fragment}: {told:?}");
        let token = |n: usize| received[n].header("i-twilio-idempotency-token").unwrap().to_owned();
        assert!((1..requests).all(|n| token(n) == token(0)), "{fragment}");
        assert_eq!(told.outcome.errors, usize::from(requests == 1), "{fragment}: {told:?}");
    }
}

#[tokio::test]
async fn no_answer_has_twilios_number() {
    let application = application().await;
    for (behaviour, fragment, code) in [
        (Behaviour::Hang, "#rt=100", 11205),
        (Behaviour::Trickle { status: 200, every: Duration::from_millis(20) }, "#tt=150", 11205),
        (Behaviour::Close, "", 11200),
        (Behaviour::Raw("SSH-2.0-nothing\r\n".into()), "", 11206),
    ] {
        application.next(behaviour);
        let told = call(&twilio(), &call_to(&application.url(&format!("/{fragment}")))).await;
        assert_eq!(told.codes(), [code], "{told:?}");
        assert!(!told.outcome.reached);
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let told = message(&twilio(), &message_to(&format!("http://{nobody}/"))).await;
    assert_eq!((told.codes(), told.outcome.reached), (vec![11205], false));
    let retried = |step: &&Step| matches!(step, Step::Retry { number: 1, of: 1 });
    assert_eq!(told.steps.iter().filter(retried).count(), 1, "once more by default: {told:?}");
}

#[tokio::test]
async fn redirects_are_followed_as_twilio_follows_them() {
    let application = application().await;
    for (status, method, parameters) in
        [(301, "GET", false), (302, "GET", false), (303, "GET", false), (307, "POST", true)]
    {
        let before = application.received().len();
        application.next(redirect(status, "next?x=1"));
        application.next(twiml("<Response/>"));
        let told = call(&twilio(), &call_to(&application.url("/a/voice"))).await;
        let next = &application.received()[before + 1];
        assert_eq!((next.method.as_str(), next.target.as_str()), (method, "/a/next?x=1"));
        assert_eq!(parameter(next, "CallSid").is_some(), parameters, "{status}");
        assert_eq!(told.codes(), if parameters { vec![] } else { vec![0] }, "what is lost is said");
        let base = format!("http://{}", application.address());
        assert!(verified(next, &base).is_some(), "signed for the URL it went to");
    }
    application.next(Behaviour::status(302));
    assert_eq!(call(&twilio(), &call_to(&application.url("/"))).await.codes()[0], 11216);
    application.always(redirect(307, "/again"));
    let before = application.received().len();
    let told = call(&twilio(), &call_to(&application.url("/"))).await;
    assert_eq!((told.codes(), application.received().len() - before), (vec![11215], 11));
}
