//! Calls, from verb to verb.

use super::*;

const MENU: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response>\n  <Say>Hello &amp;\n  welcome</Say><Pause length=\"3\"/>\n\
    <Gather numDigits=\"1\" action=\"menu?step=2\"><Say>Press one</Say></Gather><Say>Too late</Say></Response>";

#[tokio::test]
async fn digits_go_to_the_action_and_the_end_to_the_callback() {
    let application = application().await;
    application.decide(|request| match request.target.as_str() {
        "/app/voice" => twiml(MENU),
        "/app/menu?step=2" => {
            twiml("<Response><Dial>+1</Dial><Play>https://h/a.mp3</Play><Hangup/><Say>never</Say></Response>")
        }
        _ => Behaviour::status(204),
    });
    let plan = Call {
        digits: vec!["1".to_owned()],
        status_callback: Some(url(&application.url("/status"))),
        ..call_to(&application.url("/app/voice"))
    };
    let told = call(&twilio(), &plan).await;
    assert_eq!((told.codes(), told.outcome.errors), (vec![], 0));
    assert_eq!(
        told.verbs(),
        [
            "Say Hello & welcome",
            "Pause 3 s",
            "Say Press one",
            "Gather the caller presses 1",
            "Dial not acted out here",
            "Play https://h/a.mp3",
            "Hangup ",
        ]
    );
    let received = application.received();
    let said = |n: usize, name: &str| parameter(&received[n], name).unwrap_or_default();
    let status: Vec<_> = (0..3).map(|n| said(n, "CallStatus")).collect();
    assert_eq!(status, ["ringing", "in-progress", "completed"]);
    assert_eq!(
        (said(1, "Digits"), said(1, "msg"), said(2, "Digits")),
        ("1".into(), "Gather End".into(), String::new())
    );
    assert_eq!((said(2, "CallDuration"), said(2, "Duration")), ("3".into(), "1".into()));
    assert!((1..3).all(|n| said(n, "CallSid") == said(0, "CallSid")), "one call");
    let base = format!("http://{}", application.address());
    assert!(received.iter().all(|request| verified(request, &base).is_some()));
}

#[tokio::test]
async fn nobody_pressing_anything_goes_on_with_the_next_verb() {
    let application = application().await;
    application.next(twiml(MENU));
    assert_eq!(
        call(&twilio(), &call_to(&application.url("/"))).await.verbs().last().unwrap(),
        "Say Too late"
    );
    let curious = "<Response><Gather actionOnEmptyResult=\"true\" method=\"get\"/></Response>";
    application.next(twiml(curious));
    application.next(twiml("<Response><Reject reason=\"busy\"/></Response>"));
    let told = call(&twilio(), &call_to(&application.url("/again"))).await;
    assert_eq!(told.verbs().last().unwrap(), "Reject busy");
    let asked = application.received()[2].clone();
    assert_eq!((asked.method.as_str(), parameter(&asked, "Digits").as_deref()), ("GET", Some("")));
    assert!(asked.target.starts_with("/again?"), "the document's own URL: {}", asked.target);
}

#[tokio::test]
async fn the_fallback_is_told_what_went_wrong() {
    let application = application().await;
    application.decide(|request| match request.target.as_str() {
        "/voice" => Behaviour::status(200).header("content-type", "application/json").body("{}"),
        _ => twiml("<Response><Say>Sorry</Say></Response>"),
    });
    let broken = application.url("/voice");
    let plan = Call { fallback: Some(url(&application.url("/fallback"))), ..call_to(&broken) };
    let told = call(&twilio(), &plan).await;
    assert_eq!((told.codes(), told.verbs()), (vec![12300], vec!["Say Sorry".to_owned()]));
    let second = &application.received()[1];
    assert_eq!(parameter(second, "ErrorCode").as_deref(), Some("12300"));
    assert_eq!(parameter(second, "ErrorUrl").as_deref(), Some(broken.as_str()));
    assert!(verified(second, &format!("http://{}", application.address())).is_some());
}

#[tokio::test]
async fn answers_that_are_no_twiml_end_the_call() {
    let application = application().await;
    for (behaviour, codes, verbs) in [
        (Behaviour::status(200), vec![11200], vec![]),
        (Behaviour::status(500), vec![11217], vec![]),
        (twiml("\n<Response/>"), vec![12100], vec![]),
        (twiml(&format!("<Response>{}</Response>", " ".repeat(70_000))), vec![11750], vec![]),
        (Behaviour::status(200).header("content-type", "text/plain").body("ok"), vec![0], vec!["Say ok"]),
        (
            Behaviour::status(200).header("content-type", "audio/mpeg").body("x"),
            vec![],
            vec!["Play the recording that was answered"],
        ),
        (
            twiml("<Response><Redirect>http://h:port/</Redirect></Response>"),
            vec![11100],
            vec!["Redirect http://h:port/"],
        ),
    ] {
        application.next(behaviour);
        let told = call(&twilio(), &call_to(&application.url("/"))).await;
        assert_eq!((told.codes(), told.verbs()), (codes, verbs.iter().map(ToString::to_string).collect()));
        assert!(told.outcome.reached && matches!(told.steps.last(), Some(Step::End { .. })));
    }
}

#[tokio::test]
async fn a_call_that_never_ends_ends() {
    let application = application().await;
    application.always(twiml("<Response><Redirect/></Response>"));
    let told = call(&twilio(), &call_to(&application.url("/"))).await;
    assert_eq!(application.received().len(), 20);
    assert!(
        matches!(told.steps.last(), Some(Step::End { reason }) if reason.contains("20 documents")),
        "{told:?}"
    );
    application.always(twiml(&format!("<Response>{}<Redirect/></Response>", "<Say/>".repeat(150))));
    let told = call(&twilio(), &call_to(&application.url("/"))).await;
    assert_eq!(told.verbs().len(), 200);
}

#[tokio::test]
async fn a_stream_that_does_not_open_says_why() {
    let application = application().await;
    for (url, codes) in [
        ("", vec![11100]),
        ("https://127.0.0.1/x", vec![31910]),
        ("ws://127.0.0.1:1/x", vec![0, 31902]),
        ("/media", vec![0, 31920]),
        ("/media?x=1", vec![0, 31920, 31920]),
    ] {
        application.decide(move |request| match request.target.as_str() {
            "/" => twiml(&format!(
                "<Response><Connect><Stream url=\"{url}\"/></Connect><Say>after</Say></Response>"
            )),
            _ => Behaviour::status(404),
        });
        let told = call(&twilio(), &call_to(&application.url("/"))).await;
        assert_eq!(told.codes(), codes, "{url}: {told:?}");
        assert_eq!(told.verbs().last().unwrap(), "Say after", "the call goes on");
    }
    let handshakes: Vec<_> =
        application.received().into_iter().filter(|request| request.target.starts_with("/media")).collect();
    let base = format!("http://{}", application.address());
    assert_eq!(handshakes.len(), 2);
    for handshake in &handshakes {
        assert_eq!((handshake.target.as_str(), handshake.header("upgrade")), ("/media", Some("websocket")));
        assert_eq!(verified(handshake, &base).as_deref(), Some("exact"));
    }
}
