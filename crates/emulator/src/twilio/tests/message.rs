//! Messages, and what is sent back.

use super::*;

#[tokio::test]
async fn replies_are_shown_and_reported() {
    let application = application().await;
    application.decide(|request| match request.target.as_str() {
        "/sms" => twiml(
            "<Response><Message>Hi there</Message><Message to=\"+1999\" statusCallback=\"/own\"><Body>a</Body><Body>b</Body>\
             <Media>https://h/x.png</Media></Message><Message> </Message></Response>",
        ),
        _ => Behaviour::status(204),
    });
    let plan = Message {
        body: Some("Is anybody there? & so on".to_owned()),
        status_callback: Some(url(&application.url("/status"))),
        ..message_to(&application.url("/sms"))
    };
    let told = message(&twilio(), &plan).await;
    assert_eq!(told.codes(), [12200], "an empty message: {told:?}");
    assert_eq!(
        told.verbs(),
        ["+12065550100 to +12065550142: Hi there", "+12065550100 to +1999: a b [https://h/x.png]"]
    );
    let received = application.received();
    assert_eq!(parameter(&received[0], "Body").as_deref(), Some("Is anybody there? & so on"));
    let reports: Vec<_> = received[1..]
        .iter()
        .map(|request| {
            (
                request.target.as_str(),
                parameter(request, "MessageStatus").unwrap(),
                parameter(request, "To").unwrap(),
            )
        })
        .collect();
    let delivered = || "delivered".to_owned();
    assert_eq!(
        reports,
        [("/status", delivered(), "+12065550142".to_owned()), ("/own", delivered(), "+1999".to_owned())]
    );
}

#[tokio::test]
async fn plain_text_would_be_sent_to_the_sender() {
    let application = application().await;
    application.always(Behaviour::status(200).header("content-type", "text/plain").body("ok"));
    let told = message(&twilio(), &message_to(&application.url("/"))).await;
    assert_eq!(told.verbs(), ["+12065550100 to +12065550142: ok"]);
    let Some(Step::Finding(finding)) = told.steps.iter().find(|step| matches!(step, Step::Finding(_))) else {
        panic!("{told:?}")
    };
    assert!(finding.sentence.contains("Twilio would text this to the sender"), "{finding:?}");
    assert_eq!(told.outcome, Outcome { reached: true, errors: 0, warnings: 1 });
}

#[tokio::test]
async fn a_redirect_asks_again_and_says_the_same() {
    let application = application().await;
    application.next(twiml("<Response><Redirect method=\"GET\">/other</Redirect></Response>"));
    application.next(twiml("<Response><Message>x</Message></Response>"));
    let told =
        message(&twilio(), &Message { body: Some("b".to_owned()), ..message_to(&application.url("/")) })
            .await;
    assert_eq!(told.codes(), [0_u32; 0]);
    let received = application.received();
    assert_eq!((received[1].method.as_str(), parameter(&received[1], "Body").as_deref()), ("GET", Some("b")));
    assert_eq!(parameter(&received[1], "MessageSid"), parameter(&received[0], "MessageSid"));
}
