//! A crash between attempt and settlement repeats the attempt and loses nothing.

use hookhouse_core::DeliveryState;
use hookhouse_delivery::Guard;
use hookhouse_testkit::receiver::Behaviour;
use rustls::RootCertStore;

use crate::faulty::{Fault, FaultyStore};
use crate::world::{World, bodies, destination};

#[tokio::test(start_paused = true)]
async fn what_was_attempted_and_not_settled_is_attempted_again() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    let app = destination("app", "http://10.0.0.1/");
    world.subscribe(std::slice::from_ref(&app)).await;
    // The process dies while its outcome is on the way to the disk.
    let dying = FaultyStore::new(&world.store, Fault::Deaf, Fault::None);
    let process = world.start_on(dying, std::slice::from_ref(&app), Guard::default(), RootCertStore::empty());
    world.event("hi").await;
    receiver.wait_for(1).await;
    process.soft.cancel();
    process.hard.cancel();
    drop(process);
    assert_eq!(world.states().await, [(DeliveryState::Leased, 0)]);

    let running = world.start(std::slice::from_ref(&app)).await;
    world.delivered(1).await;
    assert_eq!(bodies(&receiver), ["hi", "hi"]);
    let numbers: Vec<_> =
        receiver.received().iter().map(|r| r.header("hookhouse-attempt").unwrap().to_owned()).collect();
    assert_eq!(numbers, ["1", "1"], "the try that nobody recorded does not count");
    assert_eq!(world.states().await, [(DeliveryState::Delivered, 1)]);
    running.drain().await;
}

/// Time and again, in the middle of everything: at the end each event has arrived, and is settled once.
#[tokio::test(start_paused = true)]
async fn many_crashes_lose_nothing() {
    let world = World::new();
    let receiver = world.receiver("10.0.0.1:80");
    let mut n = 0_u32;
    receiver.decide(move |_| {
        n += 1;
        match n % 7 {
            3 => Behaviour::status(500),
            5 => Behaviour::Close,
            _ => Behaviour::status(200).after(std::time::Duration::from_millis(50)),
        }
    });
    let mut app = destination("app", "http://10.0.0.1/");
    app.concurrency = 4;
    app.retry.pauses = vec![std::time::Duration::from_secs(5); 50];
    world.subscribe(std::slice::from_ref(&app)).await;
    world.events(100).await;
    for round in 1..=10_usize {
        let store = FaultyStore::new(&world.store, Fault::Deaf, Fault::None);
        let deaf = round % 2 == 0;
        let running = if deaf {
            world.start_on(store, std::slice::from_ref(&app), Guard::default(), RootCertStore::empty())
        } else {
            world.start(std::slice::from_ref(&app)).await
        };
        receiver.wait_for(round * 8).await;
        running.soft.cancel();
        running.hard.cancel();
    }
    let running = world.start(std::slice::from_ref(&app)).await;
    world.settled(100).await;
    let arrived: std::collections::BTreeSet<_> = bodies(&receiver).into_iter().collect();
    assert_eq!(arrived.len(), 100);
    running.drain().await;
}
