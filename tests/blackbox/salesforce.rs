//! From a post to a Case, seen from outside: X's signed requests in, an org's records out.

use std::collections::BTreeSet;
use std::sync::Arc;

use hookhouse_core::SystemClock;
use hookhouse_testkit::blackbox::{House, eventually, hookhouse, request, send};
use hookhouse_testkit::salesforce::{CLIENT_ID, CLIENT_SECRET, Salesforce, key_pair};
use hookhouse_verify::Secret;
use hookhouse_verify::x::{SIGNATURE_HEADER, sign_post};

const X_SECRET: &str = "consumer-secret-of-this-test-0001";
const FIRST: u64 = 2_046_318_829_014_921_217;

fn config(login: &str) -> String {
    format!(
        r#"
[source.x-prod]
provider = "x"
path = "/x"
consumer_secret = {{ env = "X_SECRET" }}
dedupe = {{ window = "0s" }}
deliver = ["cases"]

[destination.cases]
kind = "salesforce"
login = "{login}"
allow_loopback = true
client_id = "{CLIENT_ID}"
client_secret = {{ env = "SF_SECRET" }}
object = "Case"
external_id = "X_Event_Key__c"
mapping = "x-posts"
fields = {{ Origin = "Social" }}
retry = {{ schedule = ["100ms", "100ms", "200ms"], jitter = 0.0 }}
"#
    )
}

fn mention(post: u64, text: &str) -> String {
    format!(
        r#"{{"data":{{"event_type":"post.mention.create","filter":{{"user_id":"1"}},"payload":{{"id":"{post}","author_id":"5","text":"{text}"}},"includes":{{"users":[{{"id":"5","username":"early_riser","name":"Early Riser"}}]}}}}}}"#
    )
}

fn account_activity(posts: &[u64]) -> String {
    let post = |post: &u64| {
        format!(
            r#"{{"id":{post},"id_str":"{post}","text":"hello","user":{{"id_str":"5","screen_name":"early_riser","name":"Early Riser"}}}}"#
        )
    };
    let posts: Vec<_> = posts.iter().map(post).collect();
    format!(r#"{{"for_user_id":"1","tweet_create_events":[{}]}}"#, posts.join(","))
}

fn post(house: &House, body: &str) {
    let signature = sign_post(&Secret::new(X_SECRET).expect("not empty"), body.as_bytes());
    let headers = [(SIGNATURE_HEADER, signature.as_str()), ("content-type", "application/json")];
    assert_eq!(send(house.ingress, &request("POST", "/x", &headers, body.as_bytes())).status, 200);
}

#[test]
fn posts_become_cases_once_and_what_is_no_post_is_skipped() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let org = runtime.block_on(Salesforce::start(Arc::new(SystemClock))).unwrap();
    let house = House::start(&config(&org.url()), &[("X_SECRET", X_SECRET), ("SF_SECRET", CLIENT_SECRET)]);
    org.expire_sessions();
    for n in 0..50 {
        post(&house, &mention(FIRST + n, "is the ferry running?"));
        // Once more, in another body, with its neighbour.
        post(&house, &account_activity(&[FIRST + n, FIRST + n + 1]));
        if n == 25 {
            org.expire_sessions();
            org.refuse_next_record("UNABLE_TO_LOCK_ROW");
        }
    }
    let own = mention(FIRST, "ours").replace(r#""user_id":"1""#, r#""user_id":"5""#);
    post(&house, &own);
    eventually("every delivery", || {
        let status = house.api("status");
        let cases = &status["destinations"][0];
        (cases["pending"] == 0 && cases["waiting"] == 0).then_some(())
    });
    let cases = org.cases();
    let expected: BTreeSet<_> = (0..=50).map(|n| format!("x-prod:post:{}", FIRST + n)).collect();
    assert_eq!(cases.keys().cloned().collect::<BTreeSet<_>>(), expected);
    let case = &cases[&format!("x-prod:post:{FIRST}")];
    assert_eq!(
        (case.fields["Origin"].as_str(), case.fields["SuppliedName"].as_str()),
        ("Social", "Early Riser")
    );

    let deliveries = house.ask(&["deliveries", "ls", "-n", "200"]);
    assert_eq!(deliveries.len(), 101);
    assert!(deliveries.iter().all(|delivery| delivery["state"] == "delivered"), "{deliveries:?}");
    let skipped: Vec<_> =
        deliveries.iter().filter(|delivery| delivery["last_attempt"]["outcome"] == "skipped").collect();
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    assert_eq!(skipped[0]["last_attempt"]["reason"], "a post of the watched account itself");
    let log = house.log().join("\n");
    assert!(!log.contains(CLIENT_SECRET) && !log.contains("of_session_"), "no secret in the log");
}

#[test]
fn a_refused_record_is_dead_with_the_orgs_own_words_and_can_be_retried() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let org = runtime.block_on(Salesforce::start(Arc::new(SystemClock))).unwrap();
    let house = House::start(&config(&org.url()), &[("X_SECRET", X_SECRET), ("SF_SECRET", CLIENT_SECRET)]);
    org.refuse_next_record("REQUIRED_FIELD_MISSING");
    post(&house, &mention(FIRST, "hello"));
    let dead = eventually("a dead delivery", || {
        house.api("deliveries?state=dead")["data"].as_array()?.first().cloned()
    });
    assert_eq!((dead["attempts"].as_u64(), dead["reason"].as_str()), (Some(1), Some("rejected")));
    assert_eq!(dead["last_attempt"]["answer"], "REQUIRED_FIELD_MISSING: as the test wanted");
    let (code, _, said) = house.tell(&["deliveries", "retry", dead["id"].as_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    eventually("the Case", || (org.cases().len() == 1).then_some(()));
}

/// What the guide tells people to write passes `check`.
#[test]
fn the_guides_configuration_is_right() {
    let guide = include_str!("../../docs/guides/salesforce.md");
    let blocks: Vec<&str> =
        guide.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 2, "{blocks:?}");
    let source = blocks[0].split("[destination").next().unwrap();
    assert!(source.contains("[source.x-prod]"), "{source}");
    let (pem, _) = key_pair();
    for block in &blocks {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("salesforce.key");
        std::fs::write(&key, &pem).unwrap();
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let text = if block.contains("[source") { (*block).to_owned() } else { format!("{source}{block}") };
        std::fs::write(folder.path().join("hookhouse.toml"), &text).unwrap();
        let output = hookhouse()
            .current_dir(folder.path())
            .args(["check", "-o", "json"])
            .env("X_CONSUMER_SECRET", X_SECRET)
            .env("SF_CLIENT_SECRET", CLIENT_SECRET)
            .output()
            .unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&report["ok"], &report["warnings"]),
            (&true.into(), &serde_json::json!([])),
            "{report}\n{text}"
        );
    }
}
