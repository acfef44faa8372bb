//! Tokens: got once, renewed when refused, by secret or by assertion, and for hosts that may be dialled.

use hookhouse_core::Secret;
use hookhouse_core::delivery::Next;
use hookhouse_delivery::salesforce::{Grant, Settings, SigningKey};
use hookhouse_testkit::salesforce::{AUDIENCE, CLIENT_ID, USERNAME, key_pair};

use super::{Desk, cases, minutes, settings};

const FIRST: u64 = 2_046_318_829_014_921_300;

#[tokio::test(start_paused = true)]
async fn one_token_does_for_all_and_the_instance_it_names_is_called() {
    let desk = Desk::new();
    let running = desk.start().await;
    for n in 0..100 {
        desk.mention(FIRST + n, "hello").await;
    }
    desk.world.delivered(100).await;
    assert_eq!((desk.token_requests(), desk.org.cases().len()), (1, 100));
    let dialled = desk.world.network.dialled();
    assert_eq!(dialled.iter().filter(|address| *address == "10.0.5.1:80").count(), 1, "{dialled:?}");
    for request in desk.org.receiver().received() {
        let host = request.header("host").unwrap();
        assert_eq!(host, if request.method == "POST" { "10.0.5.1" } else { "10.0.5.2" });
        assert!(!request.target.contains(CLIENT_ID), "no credential in a URL");
    }
    running.drain().await;
}

#[tokio::test(start_paused = true)]
async fn an_expired_session_is_renewed_once_for_everybody() {
    let desk = Desk::new();
    let running = desk.start().await;
    desk.mention(FIRST, "hello").await;
    desk.world.delivered(1).await;
    desk.org.expire_sessions();
    for n in 1..40 {
        desk.mention(FIRST + n, "hello").await;
    }
    desk.world.delivered(40).await;
    assert_eq!(desk.token_requests(), 2);
    let attempts = desk.world.attempts(40).await;
    assert!(attempts.iter().all(|(attempt, next)| *next == Next::Done && attempt.number.0 == 1));
    running.drain().await;
}

/// Whoever gets a token that is refused at once does not ask for another one in a loop.
#[tokio::test(start_paused = true)]
async fn a_new_token_that_is_refused_pauses_the_destination() {
    let desk = Desk::new();
    let expired = r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#;
    for _ in 0..2 {
        desk.org.fail_next_call(hookhouse_testkit::receiver::Behaviour::status(401).body(expired));
    }
    let running = desk.start().await;
    desk.mention(FIRST, "hello").await;
    let (_, next) = desk.world.one_attempt().await;
    assert_eq!((next, desk.token_requests()), (Next::Release, 2));
    desk.world.delivered(1).await;
    assert!(desk.world.elapsed() >= minutes(5));
    assert_eq!(desk.world.circuit_changes(), [true, false]);
    running.drain().await;
}

fn by_assertion(pem: &str, audience: &str) -> Settings {
    let key = SigningKey::from_pem(&Secret::new(pem).unwrap()).unwrap();
    let grant = Grant::JwtBearer {
        client_id: CLIENT_ID.to_owned(),
        username: USERNAME.to_owned(),
        audience: audience.to_owned(),
        key,
    };
    Settings { grant, ..settings(&[]) }
}

#[tokio::test(start_paused = true)]
async fn an_assertion_logs_in() {
    let (pem, public) = key_pair();
    let desk = Desk::new();
    desk.org.org().assertion_key = Some(public);
    let running = desk.world.start(&[cases(by_assertion(&pem, AUDIENCE))]).await;
    desk.mention(FIRST, "hello").await;
    assert_eq!(desk.world.one_attempt().await.1, Next::Done);
    assert_eq!(desk.org.cases().len(), 1);
    running.drain().await;
}

#[tokio::test(start_paused = true)]
async fn an_assertion_that_is_refused_says_what_to_do() {
    let (pem, public) = key_pair();
    let (_, other) = key_pair();
    for (audience, key, username, words) in [
        ("https://test.salesforce.com", &public, USERNAME, "audience is invalid — `audience` is"),
        (AUDIENCE, &public, "somebody@else.example", "hasn't approved this consumer — pre-authorise"),
        (AUDIENCE, &other, USERNAME, "invalid assertion — compare this machine's clock"),
    ] {
        let desk = Desk::new();
        desk.org.org().assertion_key = Some(key.clone());
        desk.org.org().username = username.to_owned();
        let running = desk.world.start(&[cases(by_assertion(&pem, audience))]).await;
        desk.mention(FIRST, "hello").await;
        assert_eq!(desk.world.one_attempt().await.1, Next::Release);
        let standing = running.engine.standings().into_values().next().unwrap();
        let cause = standing.cause.unwrap();
        assert!(cause.starts_with("Salesforce gives no access token: ") && cause.contains(words), "{cause}");
        running.abort().await;
    }
}

/// The token's answer names the host to call; it may not name what no destination may be.
#[tokio::test(start_paused = true)]
async fn a_host_that_no_destination_may_be_is_not_dialled() {
    for (instance, words) in [
        ("http://169.254.169.254", "a link-local address"),
        ("http://127.0.0.1", "a loopback address"),
        ("http://0x7f.1", "an unusual spelling"),
        ("http://user:password@10.0.5.2", "a user name or a password"),
        ("http://10.0.5.2/elsewhere", "more than a host"),
        ("ftp://10.0.5.2", "http:// or https://"),
        ("nonsense", "is not"),
    ] {
        let desk = Desk::new();
        desk.org.org().instance_url = instance.to_owned();
        let running = desk.start().await;
        desk.mention(FIRST, "hello").await;
        assert_eq!(desk.world.one_attempt().await.1, Next::Release, "{instance}");
        let cause = running.engine.standings().into_values().next().unwrap().cause.unwrap();
        assert!(cause.contains("`instance_url`") && cause.contains(words), "{cause}");
        assert_eq!(desk.world.network.dialled(), ["10.0.5.1:80"], "{instance}");
        running.abort().await;
    }
}
