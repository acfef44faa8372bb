//! Gateways on a NATS JetStream cluster: each shows the whole, and none promises more than the cluster does.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use hookhouse_testkit::blackbox::{Balancer, House, Traffic, eventually, request, send};
use hookhouse_testkit::nats::Cluster;
use hookhouse_testkit::receiver::Receiver;

fn config(cluster: &Cluster, destination: SocketAddr) -> String {
    format!(
        "[store]\npath = \"store\"\nurl = {:?}\nmonitor = {:?}\nreplicas = {}\nretention = {{ size = \"64MB\" }}\n\
         [source.in]\nprovider = \"none\"\npath = \"/in\"\ndeliver = [\"app\"]\n\
         [destination.app]\nurl = \"http://{destination}/hooks\"\nallow_loopback = true\n",
        cluster.urls(),
        cluster.monitors(),
        cluster.size(),
    )
}

/// What is written to the log is read by us a moment later.
fn said(house: &House, words: &str) {
    eventually(words, || house.log().iter().any(|line| line.contains(words)).then_some(()));
}

#[test]
fn two_gateways_are_one_house() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let receiver = runtime.block_on(Receiver::start()).unwrap();
    let mut cluster = Cluster::start(3, "");
    let config = config(&cluster, receiver.address());
    let mut houses = [House::start(&config, &[]), House::start(&config, &[])];
    said(&houses[0], "3 of 3 servers say that they sync");

    for (n, house) in houses.iter().cycle().take(20).enumerate() {
        let answer = send(house.ingress, &request("POST", "/in", &[], format!("{n}").as_bytes()));
        assert_eq!(answer.status, 200);
    }
    let bodies = || {
        let received = receiver.received();
        received.iter().map(|r| String::from_utf8(r.body.to_vec()).unwrap()).collect::<Vec<_>>()
    };
    eventually("everything is delivered", || (bodies().len() >= 20).then_some(()));
    let mut once = bodies();
    once.sort();
    once.dedup();
    assert_eq!((once.len(), bodies().len()), (20, 20), "each once");
    for house in &houses {
        assert_eq!(house.events().len(), 20, "either gateway shows them all");
    }

    // One gateway and one server die; the other ones go on.
    houses[0].kill();
    cluster.kill(0);
    eventually("the other gateway answers", || {
        let answer = send(houses[1].ingress, &request("POST", "/in", &[], b"after"));
        (answer.status == 200).then_some(())
    });
    eventually("it is delivered", || bodies().contains(&"after".to_owned()).then_some(()));

    // Without a quorum nothing is acknowledged, and whoever asks is told so.
    cluster.kill(1);
    let refused = eventually("no quorum", || {
        let answer = send(houses[1].ingress, &request("POST", "/in", &[], b"lost"));
        (answer.status != 200).then_some(answer)
    });
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    eventually("it is not ready", || {
        let ready = send(houses[1].admin, &request("GET", "/readyz", &[("Host", "localhost")], b""));
        (ready.status == 503).then_some(())
    });

    cluster.run(0);
    cluster.run(1);
    eventually("it goes on by itself", || {
        let answer = send(houses[1].ingress, &request("POST", "/in", &[], b"again"));
        (answer.status == 200).then_some(())
    });
    eventually("it is delivered", || bodies().contains(&"again".to_owned()).then_some(()));
}

#[test]
fn servers_that_do_not_sync_need_the_operators_word() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let receiver = runtime.block_on(Receiver::start()).unwrap();
    let lazy = Cluster::start_with(1, "sync_interval: \"2m\"", "");
    let house = House::start(
        &config(&lazy, receiver.address()).replace("replicas = 1", "replicas = 1\ndurability = \"relaxed\""),
        &[],
    );
    said(&house, "may be lost when servers lose power");
    let refused = |config: &str| {
        house.configure(config);
        let (code, _, err) = house.tell(&["serve"]);
        assert_ne!(code, 0);
        err
    };
    let said = refused(&config(&lazy, receiver.address()));
    assert!(
        said.contains("before its disk is synced") && said.contains("`durability = \"relaxed\"`"),
        "{said}"
    );
    let unknown = config(&lazy, receiver.address()).replace("monitor =", "#");
    let said = refused(&unknown);
    assert!(said.contains("no `monitor` is configured"), "{said}");
}

/// Gateways one after the other, by way of the balancer and by taking over in place, and then the servers of the cluster one
/// after the other: whoever sends notices nothing.
#[test]
fn gateways_and_servers_are_renewed_under_load_and_no_request_fails() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let receiver = runtime.block_on(Receiver::start()).unwrap();
    let mut cluster = Cluster::start(3, "");
    let config = config(&cluster, receiver.address());
    let mut houses = [House::start(&config, &[]), House::start(&config, &[])];
    let addresses = |houses: &[House; 2]| houses.each_ref().map(|house| house.ingress);
    let balancer = Balancer::start(&addresses(&houses));
    let traffic = Traffic::begin(balancer.address(), 4, Duration::from_millis(2), |n| {
        request("POST", "/in", &[], format!("{n}").as_bytes())
    });
    traffic.answered(100);
    for n in 0..houses.len() {
        balancer.set(&[houses[1 - n].ingress]);
        assert!(houses[n].stop().success());
        traffic.answered(50);
        houses[n].run();
        balancer.set(&addresses(&houses));
        traffic.answered(50);
    }
    for house in &mut houses {
        assert!(house.take_over().success());
        traffic.answered(50);
    }
    for n in 0..cluster.size() {
        cluster.stop(n);
        traffic.answered(50);
        cluster.run(n);
        cluster.wait_until_ready(n);
    }
    let tally = traffic.end();
    tally.assert_all_good();
    println!("{} answered, the slowest after {:?}", tally.good(), tally.slowest);
    let sent: BTreeSet<String> = tally.acknowledged.iter().map(ToString::to_string).collect();
    eventually("everything is delivered", || {
        let received = receiver.received();
        let received = received.iter().map(|one| String::from_utf8_lossy(&one.body).into_owned());
        sent.is_subset(&received.collect()).then_some(())
    });
}
