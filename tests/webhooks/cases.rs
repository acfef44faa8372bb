//! From a post to a Case: whatever X sends twice, in whichever bodies, is one record.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hookhouse_core::Clock;
use hookhouse_emulator::x::{Act, Action, Purpose};
use hookhouse_testkit::salesforce::{CLIENT_ID, CLIENT_SECRET, EXTERNAL_ID, Salesforce};
use hookhouse_x::calls::{activity, webhooks};

use crate::world::World;

/// With a stop and a start in the middle, while X goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_posts_that_come_at_least_twice_are_a_thousand_cases() {
    let mut desk = Desk::open(41, "").await;
    desk.mentions(500).await;
    desk.world.stop().await;
    desk.mentions(100).await;
    let refused = desk
        .world
        .x
        .with_ledger(|ledger| ledger.attempts.iter().filter(|attempt| attempt.status.is_none()).count());
    assert!(refused >= 400, "X found nobody: {refused} attempts");
    desk.world.serve("").await;
    desk.mentions(400).await;
    desk.assert_a_case_for_each_of(1_000).await;
}

/// Where every repeat goes through to the org, the external id alone keeps a Case from being made twice.
#[tokio::test(flavor = "multi_thread")]
async fn an_org_that_is_sent_every_repeat_has_one_case_for_each_post() {
    let mut desk = Desk::open(42, "dedupe = { window = \"0s\" }\n").await;
    desk.mentions(1_000).await;
    desk.assert_a_case_for_each_of(1_000).await;
    let written: usize = desk.org.calls().iter().map(|call| call.records).sum();
    assert!(written > 2_000, "the org was sent {written} records");
}

/// X with everything twice, a server, and an org.
struct Desk {
    world: World,
    org: Salesforce,
    /// What was posted.
    posts: BTreeSet<String>,
}

impl Desk {
    /// Alice is told of mentions twice over: by the Account Activity API, and by the X Activity API.
    async fn open(seed: u64, more: &str) -> Self {
        let mut world = World::new(|options| {
            options.seed = seed;
            options.delivery.duplicates = 1.0;
        })
        .await;
        let clock: Arc<dyn Clock> = world.x.clock();
        let org = Salesforce::start(clock).await.unwrap();
        world.set("SF_SECRET", CLIENT_SECRET);
        world.destination = format!(
            "kind = \"salesforce\"\nlogin = \"{}\"\nallow_loopback = true\nclient_id = \"{CLIENT_ID}\"\n\
             client_secret = {{ env = \"SF_SECRET\" }}\nobject = \"Case\"\nexternal_id = \"{EXTERNAL_ID}\"\n\
             mapping = \"x-posts\"\n",
            org.url()
        );
        world.serve(more).await;
        world.subscribe(&["alice"]).await;
        let alice = world.client("alice");
        let webhook = alice.send(&webhooks::list()).await.unwrap().remove(0);
        let wish = activity::Wish {
            event_type: "post.mention.create".to_owned(),
            filter: activity::Filter {
                user_id: Some(world.x.tokens_of("alice").unwrap().user.to_string().parse().unwrap()),
                ..activity::Filter::default()
            },
            tag: None,
            webhook_id: Some(webhook.id),
        };
        alice.send(&activity::create(&wish)).await.unwrap();
        Self { world, org, posts: BTreeSet::new() }
    }

    /// Bob mentions Alice: ten times in five seconds, and so on.
    async fn mentions(&mut self, count: usize) {
        for n in 0..count {
            let text = Some(format!("@alice, where is cup {n}?"));
            let act = Act { user: "bob".to_owned(), action: Action::Post, text, target: None };
            self.posts.insert(self.world.x.act(&act).unwrap().post.unwrap().to_string());
            if n % 10 == 9 {
                self.world.x.advance(Duration::from_secs(5)).await;
            }
        }
    }

    async fn assert_a_case_for_each_of(&mut self, count: usize) {
        // X's last retry comes 272 s after the first attempt.
        self.world.x.advance(Duration::from_mins(10)).await;
        self.world.until_done().await;
        self.world.stop().await;
        assert_eq!(self.posts.len(), count);
        self.world.x.with_ledger(|ledger| {
            let taken = |purpose| {
                let taken = ledger.attempts.iter().filter(|attempt| attempt.status == Some(200));
                taken.filter(|attempt| attempt.purpose == purpose).count()
            };
            let taken = (taken(Purpose::Event), taken(Purpose::Duplicate));
            assert_eq!(taken, (2 * count, 2 * count), "two products told of each post, each of them twice");
        });
        let cases = self.org.cases();
        let expected: BTreeSet<_> = self.posts.iter().map(|post| format!("x:post:{post}")).collect();
        assert_eq!(cases.keys().cloned().collect::<BTreeSet<_>>(), expected);
        for (key, case) in &cases {
            assert_eq!(format!("x:post:{}", case.fields["X_Post_Id__c"]), *key);
            assert_eq!(case.fields["SuppliedName"], "Bob");
        }
    }
}
