//! What each kind of no leads to, and what is no answer at all.

use hookhouse_core::delivery::Next;
use hookhouse_core::{AttemptOutcome, DeadReason, DeliveryState};
use hookhouse_testkit::receiver::Behaviour;

use super::{Desk, cases, mention, settings};
use crate::world::error_of;

const FIRST: u64 = 2_046_318_829_014_921_300;

/// What never will be taken is given up at once, with Salesforce's own words; the next event goes on.
#[tokio::test(start_paused = true)]
async fn a_record_that_is_wrong_is_given_up_with_the_reason() {
    for code in [
        "STRING_TOO_LONG",
        "REQUIRED_FIELD_MISSING",
        "INVALID_FIELD",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "DUPLICATES_DETECTED",
    ] {
        let desk = Desk::new();
        desk.org.refuse_next_record(code);
        let running = desk.start().await;
        desk.mention(FIRST, "wrong").await;
        let (attempt, next) = desk.world.one_attempt().await;
        let answer = format!("{code}: as the test wanted");
        assert_eq!(attempt.outcome, AttemptOutcome::Refused { status: 400, answer });
        assert_eq!(next, Next::GiveUp(DeadReason::Rejected));
        desk.mention(FIRST + 1, "right").await;
        desk.world.delivered(1).await;
        assert_eq!(
            desk.world.states().await,
            [(DeliveryState::Dead, 1), (DeliveryState::Delivered, 1)],
            "{code}"
        );
        assert!(desk.world.circuit_changes().is_empty(), "one event is no reason to stop");
        running.drain().await;
    }
}

/// What passes is tried again by the schedule, and the Case is made once.
#[tokio::test(start_paused = true)]
async fn what_passes_is_tried_again() {
    type Fail = fn(&Desk);
    let fails: [(Fail, i64); 7] = [
        (|desk| desk.org.refuse_next_record("UNABLE_TO_LOCK_ROW"), 5),
        (|desk| desk.org.refuse_next_record("SOMETHING_NEW"), 5),
        (|desk| desk.org.fail_next_call(Behaviour::status(503)), 5),
        (|desk| desk.org.fail_next_call(Behaviour::status(503).header("retry-after", "90")), 90),
        (|desk| desk.org.fail_next_call(Behaviour::status(500).body("<html>sorry</html>")), 5),
        (|desk| desk.org.fail_next_call(Behaviour::Close), 5),
        (|desk| desk.org.fail_next_token(Behaviour::status(503)), 5),
    ];
    for (number, (fail, pause)) in fails.into_iter().enumerate() {
        let desk = Desk::new();
        fail(&desk);
        let running = desk.start().await;
        desk.mention(FIRST, "hello").await;
        let attempts = desk.world.attempts(2).await;
        let Next::RetryAt(at) = attempts[0].1 else { panic!("{number}: {:?}", attempts[0]) };
        assert_eq!(at.duration_since(attempts[0].0.started_at).as_secs(), pause, "{number}");
        assert_eq!(attempts[1].1, Next::Done);
        assert_eq!(desk.org.cases().len(), 1);
        running.drain().await;
    }
}

/// Two inserts at once: the one that loses is told so, and goes out once more as an update.
#[tokio::test(start_paused = true)]
async fn a_race_for_the_key_is_tried_once_more_at_once() {
    let desk = Desk::new();
    desk.org.refuse_next_record("DUPLICATE_VALUE");
    let running = desk.start().await;
    desk.mention(FIRST, "hello").await;
    assert_eq!(desk.world.one_attempt().await.1, Next::Done);
    assert_eq!(desk.records_of_calls(), [1, 1]);
    // Twice in a row is no race; the schedule takes over.
    desk.org.refuse_next_record("DUPLICATE_VALUE");
    desk.org.refuse_next_record("DUPLICATE_VALUE");
    desk.mention(FIRST + 1, "hello").await;
    let attempts = desk.world.attempts(3).await;
    assert!(matches!(attempts[1].1, Next::RetryAt(_)), "{attempts:?}");
    assert_eq!(attempts[2].1, Next::Done);
    assert_eq!(desk.org.cases().len(), 2);
    running.drain().await;
}

/// An answer is bounded in time and in length, and has to say what became of the record.
#[tokio::test(start_paused = true)]
async fn what_is_no_proper_answer_is_a_failed_attempt() {
    for (behaviour, words) in [
        (Behaviour::Hang, "no answer within 10s"),
        (Behaviour::Endless { status: 200 }, "with more than can be"),
        (
            Behaviour::Trickle { status: 200, every: std::time::Duration::from_secs(1) },
            "the answer did not end in time",
        ),
        (Behaviour::status(200).body("<html>ok</html>"), "not with what became of it"),
        (Behaviour::status(200).body("[]"), "not with what became of it"),
    ] {
        let desk = Desk::new();
        desk.org.fail_next_call(behaviour);
        let running = desk.start().await;
        desk.mention(FIRST, "hello").await;
        desk.world.delivered(1).await;
        let (attempt, next) = desk.world.one_attempt().await;
        assert!(error_of(&attempt).contains(words), "{attempt:?}");
        assert!(attempt.duration_ms <= 10_000, "{attempt:?}");
        assert!(matches!(next, Next::RetryAt(_)));
        assert_eq!(desk.org.cases().len(), 1);
        running.drain().await;
    }
}

/// An org that answers too late has made the Case: the next try finds it, and leaves it to whom it was assigned.
#[tokio::test(start_paused = true)]
async fn a_case_that_was_made_too_late_to_be_told_is_not_made_twice() {
    let desk = Desk::new();
    let running = desk.start().await;
    desk.mention(FIRST, "first").await;
    desk.world.delivered(1).await;
    desk.org.slow_down(std::time::Duration::from_secs(11));
    desk.mention(FIRST + 1, "second").await;
    desk.world.attempts(2).await;
    desk.org.slow_down(std::time::Duration::ZERO);
    desk.world.delivered(2).await;
    let cases = desk.org.cases();
    assert_eq!(cases.len(), 2);
    let second = &cases[&format!("in:post:{}", FIRST + 1)];
    assert_eq!((second.writes, &second.assigned[..]), (2, &["TRUE".to_owned(), "FALSE".to_owned()][..]));
    assert_eq!(second.fields["SuppliedName"], "Early Riser");
    running.drain().await;
}

/// What the org itself enforces comes back in its words.
#[tokio::test(start_paused = true)]
async fn what_an_org_enforces_is_told_in_its_words() {
    for (field, template, words) in [
        ("X_Post_Id__c", "{id} {id}", "STRING_TOO_LONG: X_Post_Id__c: data value too large"),
        ("Origin", "Fax", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST: Origin: bad value"),
        ("Subject", "", "REQUIRED_FIELD_MISSING: Required fields are missing: [Subject]"),
        ("Mood__c", "good", "INVALID_FIELD: No such column 'Mood__c' on sobject of type Case"),
        ("X_Received_At__c", "today", "JSON_PARSER_ERROR: Cannot deserialize"),
    ] {
        let desk = Desk::new();
        desk.org.org().fields.get_mut("Subject").unwrap().required = true;
        let running = desk.world.start(&[cases(settings(&[(field, template)]))]).await;
        desk.mention(FIRST, "hello").await;
        let (attempt, next) = desk.world.one_attempt().await;
        assert_eq!(next, Next::GiveUp(DeadReason::Rejected), "{field}");
        let AttemptOutcome::Refused { status: 400, answer } = attempt.outcome else { panic!("{attempt:?}") };
        assert!(answer.starts_with(words), "{answer}");
        assert!(desk.org.cases().is_empty());
        running.drain().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_oversize_text_is_cut_to_fit() {
    let desk = Desk::new();
    let running = desk.start().await;
    let long = "Ä💡 ".repeat(20_000);
    desk.world.event(&mention(FIRST, &long)).await;
    desk.world.delivered(1).await;
    let case = desk.org.cases().into_values().next().unwrap();
    assert!((250..=255).contains(&case.fields["Subject"].encode_utf16().count()));
    assert!(case.fields["Subject"].ends_with('…'), "{}", case.fields["Subject"]);
    assert!(case.fields["Description"].ends_with(&format!("…\n\nhttps://x.com/early_riser/status/{FIRST}")));
    running.drain().await;
}

/// What is left out is done, and says why.
#[tokio::test(start_paused = true)]
async fn what_is_left_out_is_done_and_says_why() {
    let desk = Desk::new();
    let running = desk.start().await;
    let own = mention(FIRST, "our own").replace(r#""user_id":"1""#, r#""user_id":"2046318829014921217""#);
    let typing = r#"{"for_user_id":"1","direct_message_indicate_typing_events":[{"sender_id":"2"}]}"#;
    let read = r#"{"data":{"event_type":"dm.read","filter":{"user_id":"1"},"payload":{}}}"#;
    let control = r#"{"replay_job_status":{"job_state":"Complete"}}"#;
    for (count, (body, words)) in
        [(own.as_str(), "watched account"), (typing, "no post"), (read, "`dm.read`"), (control, "no post")]
            .into_iter()
            .enumerate()
    {
        desk.world.event(body).await;
        let (attempt, next) = desk.world.attempts(count + 1).await.remove(count);
        let AttemptOutcome::Skipped { reason } = &attempt.outcome else { panic!("{attempt:?}") };
        assert!(reason.contains(words), "{reason}");
        assert_eq!(next, Next::Done);
    }
    assert_eq!(desk.org.receiver().received().len(), 0, "nothing was sent");
    // What should be a post, and is none, is not passed over.
    desk.world.event(r#"{"hello":"world"}"#).await;
    let (attempt, next) = desk.world.attempts(5).await.remove(4);
    assert!(error_of(&attempt).contains("no family"), "{attempt:?}");
    assert_eq!(next, Next::GiveUp(DeadReason::Rejected));
    running.drain().await;
}
