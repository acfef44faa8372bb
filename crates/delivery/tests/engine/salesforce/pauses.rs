//! What concerns everything pauses the destination: no try is used up, nothing is lost, and nobody is pestered.

use std::time::Duration;

use hookhouse_core::DeliveryState;
use hookhouse_core::delivery::Next;

use super::{Desk, mention, minutes};

const FIRST: u64 = 2_046_318_829_014_921_300;

#[tokio::test(start_paused = true)]
async fn a_wrong_secret_is_waited_out_with_few_requests() {
    let desk = Desk::new();
    desk.org.org().client_secret = "another one".to_owned();
    let running = desk.start().await;
    for n in 0..30 {
        desk.mention(FIRST + n, "hello").await;
    }
    tokio::time::sleep(minutes(60)).await;
    let asked = desk.token_requests();
    assert!((2..=14).contains(&asked), "{asked} requests in an hour");
    let standing = running.engine.standings().into_values().next().unwrap();
    let cause = standing.cause.unwrap();
    assert!(cause.contains("invalid_client: invalid client credentials — compare `client_id`"), "{cause}");
    desk.org.org().client_secret = hookhouse_testkit::salesforce::CLIENT_SECRET.to_owned();
    desk.world.delivered(30).await;
    assert_eq!(desk.org.cases().len(), 30);
    desk.world.settled(30).await;
    assert!(desk.world.states().await.iter().all(|state| *state == (DeliveryState::Delivered, 1)));
    running.drain().await;
}

#[tokio::test(start_paused = true)]
async fn used_up_requests_are_waited_for() {
    let desk = Desk::new();
    desk.org.org().limit = 0;
    let running = desk.start().await;
    for n in 0..10 {
        desk.mention(FIRST + n, "hello").await;
    }
    desk.world.until(|_| !desk.world.circuit_changes().is_empty()).await;
    tokio::time::sleep(minutes(29)).await;
    let calls = desk.org.receiver().received().len() - desk.token_requests();
    assert!(calls <= 10, "{calls} calls while nothing is left");
    let cause = running.engine.standings().into_values().next().unwrap().cause.unwrap();
    assert!(cause.contains("API requests are used up: REQUEST_LIMIT_EXCEEDED"), "{cause}");
    desk.org.org().limit = 100_000;
    desk.world.delivered(10).await;
    assert!(desk.world.elapsed() >= minutes(30));
    assert_eq!(desk.org.cases().len(), 10);
    running.drain().await;
}

/// The last tenth of the day's requests is left to others; what was written before that is written.
#[tokio::test(start_paused = true)]
async fn the_reserved_share_of_the_budget_is_not_touched() {
    let desk = Desk::new();
    {
        let mut org = desk.org.org();
        (org.used, org.limit) = (899, 1_000);
    }
    let running = desk.start().await;
    for n in 0..3 {
        desk.mention(FIRST + n, "hello").await;
        desk.world.delivered(usize::try_from(n).unwrap() + 1).await;
    }
    // The first call left exactly a tenth; the second one went below, and the third had to wait.
    assert!(desk.world.elapsed() >= minutes(15));
    assert_eq!(desk.org.cases().len(), 3);
    let before = desk.org.calls().len();
    let cause = running.engine.standings().into_values().next().unwrap().cause.unwrap();
    assert!(cause.contains("902 of the day's 1000 API requests are used"), "{cause}");
    desk.mention(FIRST + 3, "hello").await;
    tokio::time::sleep(minutes(10)).await;
    assert_eq!(desk.org.calls().len(), before);
    desk.org.org().used = 0;
    desk.world.delivered(4).await;
    assert_eq!(desk.world.circuit_changes().last(), Some(&false));
    running.drain().await;
}

/// An object, a field or a version that does not exist is a setting to be mended.
#[tokio::test(start_paused = true)]
async fn what_does_not_exist_in_the_org_is_waited_for() {
    let desk = Desk::new();
    desk.org.org().external_id = "Not_Yet__c".to_owned();
    let running = desk.start().await;
    desk.world.event(&mention(FIRST, "hello")).await;
    assert_eq!(desk.world.one_attempt().await.1, Next::Release);
    tokio::time::sleep(Duration::from_secs(60)).await;
    desk.org.org().external_id = hookhouse_testkit::salesforce::EXTERNAL_ID.to_owned();
    desk.world.delivered(1).await;
    assert!(desk.world.elapsed() >= minutes(5));
    running.drain().await;
}

/// A restart is a sign that somebody mended something: it is tried again within the minute.
#[tokio::test(start_paused = true)]
async fn a_restart_shortens_a_long_pause() {
    let desk = Desk::new();
    desk.org.org().limit = 0;
    let running = desk.start().await;
    desk.mention(FIRST, "hello").await;
    desk.world.until(|_| !desk.world.circuit_changes().is_empty()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    running.drain().await;
    desk.org.org().limit = 100_000;
    let running = desk.start().await;
    desk.world.delivered(1).await;
    assert!(desk.world.elapsed() <= Duration::from_secs(90), "{:?}", desk.world.elapsed());
    running.drain().await;
}
