//! Kills, power cuts, full and failing disks, changed bytes and clocks: the harness of `soak/`, with small counts.
//!
//! What a machine lacks for one of them fails it, with a word about what to install: mounting needs root.

use std::path::PathBuf;
use std::time::Duration;

use hookhouse_soak::campaign::{Budget, Campaign, Outcome};
use hookhouse_soak::full::{self, Reserve};
use hookhouse_soak::http::{Connection, challenge, signed};
use hookhouse_soak::image::{Image, Kind};
use hookhouse_soak::io_errors::{self, Failure};
use hookhouse_soak::server::SECRET;
use hookhouse_soak::{clocks, corruption, cuts, kills};
use hookhouse_testkit::blackbox::{House, eventually, hookhouse, request, send};
use hookhouse_verify::x::{crc_response, sign_post};

use crate::x::secret;
use crate::{Case, Driver};

pub(crate) const DRIVERS: &[(&str, Driver)] =
    &[("D01", d01), ("D02", d02), ("D03", d03), ("D04", d04), ("L13", l13), ("L14", l14)];

fn binary() -> PathBuf {
    PathBuf::from(hookhouse().get_program())
}

/// Every run is another one; a failure names its seed, which can be put here.
fn seed() -> u64 {
    rand::random()
}

#[track_caller]
fn clean(outcome: anyhow::Result<Outcome>, seed: u64) -> Outcome {
    let outcome = outcome.unwrap_or_else(|error| panic!("seed {seed}: {error:#}"));
    let found = &outcome.findings;
    assert!(found.is_clean(), "seed {seed}, after {} rounds: {found}\n{found:?}", outcome.rounds);
    assert!(found.acknowledged > 0, "seed {seed}: no load: {found}");
    outcome
}

fn d01(case: &Case) {
    let seed = seed();
    let outcome = clean(kills::run(&binary(), &Budget::times(20), seed), seed);
    assert_eq!(outcome.rounds, 20);
    assert_eq!(case.code(), "store.recovered");
}

/// Power cuts; and without syncs the same harness must find a loss, or it could find none.
fn d02(_: &Case) {
    for kind in [Kind::Ext4, Kind::Xfs] {
        let seed = seed();
        let outcome = clean(cuts::run(&binary(), kind, &Budget::times(8), seed), seed);
        assert_eq!(outcome.rounds, 8, "{kind}");
        let control = cuts::control(&binary(), kind, &Budget::times(20), seed);
        let control = control.unwrap_or_else(|error| panic!("{kind}, seed {seed}: {error:#}"));
        assert!(!control.findings.lost.is_empty(), "{kind}: 20 power cuts without syncs lost nothing");
    }
}

fn d03(case: &Case) {
    let seed = seed();
    let damaged = corruption::run(&binary(), &Budget::times(24), seed);
    let damaged = damaged.unwrap_or_else(|error| panic!("seed {seed}: {error:#}"));
    assert_eq!(damaged.wrong, Vec::<String>::new(), "seed {seed}");
    assert_eq!(damaged.rounds, 24);
    assert_eq!(case.code(), "store.corrupt_record");
}

fn d04(case: &Case) {
    let seed = seed();
    let outcome = clean(clocks::run(&binary(), &Budget::times(6), seed), seed);
    assert_eq!(outcome.rounds, 6);
    assert_eq!(case.code(), "clock.jump");
}

/// Below the reserve events are refused, also those that would be relayed, and challenges are answered. Then a disk
/// that is really full, with a reserve and without.
fn l13(case: &Case) {
    let config = "[store]\npath = \"store\"\nreserve = \"900TB\"\n\
        [source.x]\nprovider = \"x\"\npath = \"/webhooks/x\"\nconsumer_secret = { env = \"SECRET\" }\n\
        [source.relayed]\nprovider = \"none\"\npath = \"/relayed\"\nrelay = { to = \"app\" }\n\
        [destination.app]\nurl = \"http://127.0.0.1:9/\"\nallow_loopback = true\n";
    let house = House::start_unready(config, &[("SECRET", SECRET)]);
    let signature = sign_post(&secret(SECRET), b"{}");
    let headers = [("x-twitter-webhooks-signature", signature.as_str())];
    for (path, headers) in [("/webhooks/x", headers.as_slice()), ("/relayed", &[])] {
        let answer = send(house.ingress, &request("POST", path, headers, b"{}"));
        case.refused(&answer);
        assert_eq!(answer.header("retry-after"), Some("10"));
    }
    let answer = send(house.ingress, &request("GET", "/webhooks/x?crc_token=foo", &[], b""));
    assert_eq!(answer.text(), crc_response(&secret(SECRET), "foo").expect("a token"));
    eventually("the line in the log", || {
        house.log().iter().any(|line| line.contains(case.code()) && line.contains("ERROR")).then_some(())
    });
    assert!(house.events().is_empty());
    for reserve in [Reserve::Kept, Reserve::None] {
        let seed = seed();
        let outcome = clean(full::run(&binary(), reserve, &Budget::times(4), seed), seed);
        assert_eq!(outcome.rounds, 4, "{reserve:?}");
    }
}

/// A failed sync is final: nothing acknowledged is lost, and the process ends, which the harness sees to.
fn l14(case: &Case) {
    assert_eq!((case.code(), case.status.as_str()), (io_errors::SYNC_FAILED, "503"));
    for failure in Failure::ALL {
        let seed = seed();
        // It takes more writes than syncs to come to the first event.
        let step = if failure == Failure::Sync { 8 } else { 30 };
        let outcome = clean(io_errors::run(&binary(), failure, step, &Budget::times(6), seed), seed);
        assert!(outcome.rounds > 1, "{failure:?} never came");
    }
}

/// A challenge while every write to the disk stalls, and an event waits for it.
pub(crate) fn stalled(case: &Case) {
    let image = Image::new(Kind::Ext4).unwrap_or_else(|error| panic!("{error:#}"));
    let mut campaign =
        Campaign::new(&binary(), Some(image.place().join("store")), seed()).expect("a campaign");
    campaign.server.start().unwrap_or_else(|error| panic!("{error:#}"));
    let ingress = campaign.server.ingress;
    image.freeze().expect("a file system that can be frozen");
    let waiting = std::thread::spawn(move || {
        let mut connection = Connection::open(ingress).expect("accepted");
        connection.exchange(&signed(b"{\"waits\":1}")).expect("answered once the disk is back")
    });
    for number in 0..50 {
        let answer = Connection::open(ingress).and_then(|mut c| c.exchange(&challenge(number)));
        let answer = answer.expect("a challenge waits for no disk");
        assert_eq!(format!("{}", answer.status), case.status);
        let expected = crc_response(&secret(SECRET), &format!("token-{number}")).expect("a token");
        assert_eq!(String::from_utf8_lossy(&answer.body), expected);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!waiting.is_finished(), "the disk was not stalled");
    image.thaw().expect("it goes on");
    assert_eq!(waiting.join().expect("no panic").status, 200);
    campaign.server.kill();
}
