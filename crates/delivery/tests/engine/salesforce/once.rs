//! A post is one Case, however often and in whatever body it comes.

use std::collections::BTreeSet;

use hookhouse_delivery::salesforce::{Existing, Settings};

use super::{Desk, account_activity, cases, mention, settings, stream};

const FIRST: u64 = 2_046_318_829_014_921_000;

/// A thousand posts, each at least twice: the same bytes again, and the same post in the bodies of other products.
async fn a_thousand_posts(existing: Existing) -> Desk {
    let desk = Desk::new();
    let running = desk.world.start(&[cases(Settings { existing, ..settings(&[]) })]).await;
    let mut sent = 0;
    for n in 0..1_000 {
        let post = FIRST + n;
        let again = match n % 4 {
            0 => mention(post, "hello"),
            1 => account_activity([post]),
            2 => stream(post),
            // With its neighbour, which has come already.
            _ => account_activity([post, post - 1]),
        };
        for body in [mention(post, "hello"), again] {
            desk.world.event(&body).await;
            sent += 1;
        }
    }
    // And some of them once more, much later.
    desk.world.delivered(sent).await;
    for n in (0..1_000).step_by(10) {
        desk.world.event(&stream(FIRST + n)).await;
        sent += 1;
    }
    desk.world.delivered(sent).await;
    running.drain().await;
    let cases = desk.org.cases();
    let expected: BTreeSet<String> = (0..1_000).map(|n| format!("in:post:{}", FIRST + n)).collect();
    assert_eq!(cases.keys().cloned().collect::<BTreeSet<_>>(), expected);
    for (key, case) in &cases {
        assert_eq!(format!("in:post:{}", case.fields["X_Post_Id__c"]), *key);
        assert_eq!(case.fields["SuppliedName"], "Early Riser", "a poorer body does not wipe it");
    }
    assert!(desk.org.calls().len() < sent, "calls are shared");
    desk
}

#[tokio::test(start_paused = true)]
async fn a_thousand_posts_that_come_at_least_twice_are_a_thousand_cases() {
    let desk = a_thousand_posts(Existing::Update).await;
    assert!(desk.org.calls().iter().all(|call| call.path.ends_with("Case/X_Event_Key__c")));
}

/// What is there already stays as it is, whatever people have made of it since.
#[tokio::test(start_paused = true)]
async fn cases_that_are_kept_are_written_once_and_assigned_once() {
    let desk = a_thousand_posts(Existing::Keep).await;
    for case in desk.org.cases().values() {
        assert_eq!((case.writes, &case.assigned[..]), (1, &["TRUE".to_owned()][..]));
        assert_eq!(case.fields["Subject"], "@early_riser: hello");
    }
}
