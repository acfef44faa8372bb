//! Who may come in to a cluster, and over what: TLS with a certificate of our own, a password, an NKey.

use std::path::Path;

use hookhouse_testkit::blackbox::{House, request, send};
use hookhouse_testkit::certificate::{Authority, Wanted};
use hookhouse_testkit::nats::Cluster;

/// Keys that are good in this test and nowhere else.
const SEED: &str = "SUANWB5AVCEG36UXALFDNA45NOO4G2ZX3QNENMLXPCNZGGC7OKPV5BKX5A";
const PUBLIC: &str = "UDJ6QTLTHJ4EJMCEI2RR4VCDG5KVTMS35B2HFFLLQTXEXWJF4RQRAOCV";
const OTHER_SEED: &str = "SUANPVP43TXESC4MBO63SIUG4PRSJ4HLNIY6ESNFWNU2MMAWPY7X5UJZAA";
const PASSWORD: &str = "the-password-of-the-gateways";
const OTHER_PASSWORD: &str = "a-password-of-somebody-else";

const VARIABLES: [(&str, &str); 4] =
    [("PASSWORD", PASSWORD), ("OTHER_PASSWORD", OTHER_PASSWORD), ("SEED", SEED), ("OTHER_SEED", OTHER_SEED)];

const WITH_PASSWORD: &str = "credentials = { user = \"hook\", password = { env = \"PASSWORD\" } }";
const WITH_NKEY: &str = "credentials = { nkey = { env = \"SEED\" } }";

/// A server that wants to know who comes, and shows who it is.
fn guarded(folder: &Path) -> Cluster {
    let authority = Authority::new();
    std::fs::write(folder.join("ca.pem"), authority.pem()).expect("the folder is ours");
    for (name, wanted) in
        [("server", Wanted::good(&["127.0.0.1"])), ("gateway", Wanted::client(&["gateway"]))]
    {
        let certified = authority.issue(&wanted);
        certified.write(&folder.join(format!("{name}.pem")), &folder.join(format!("{name}.key")));
    }
    let at = |name: &str| folder.join(name).display().to_string();
    let settings = format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true, timeout: 10 }}\n\
         authorization {{ users: [ {{ user: hook, password: \"{PASSWORD}\" }}, {{ nkey: {PUBLIC} }} ] }}",
        at("server.pem"),
        at("server.key"),
        at("ca.pem"),
    );
    Cluster::start(1, &settings)
}

fn config(cluster: &Cluster, urls: &[String], tls: &str, credentials: &str) -> String {
    format!(
        "[store]\npath = \"store\"\nurl = {urls:?}\nmonitor = {:?}\nreplicas = 1\nretention = {{ size = \"64MB\" }}\n\
         {tls}\n{credentials}\n[source.in]\nprovider = \"none\"\npath = \"/in\"\n",
        cluster.monitors(),
    )
}

#[test]
fn the_right_keys_open_and_the_wrong_ones_are_named_and_not_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = guarded(folder.path());
    let at = |name: &str| folder.path().join(name).display().to_string();
    let tls = format!(
        "tls = {{ ca = {:?}, cert = {:?}, key = {:?} }}",
        at("ca.pem"),
        at("gateway.pem"),
        at("gateway.key")
    );
    let urls = cluster.secure_urls();
    let good = config(&cluster, &urls, &tls, WITH_PASSWORD);
    let house = House::start(&good, &VARIABLES);
    assert_eq!(send(house.ingress, &request("POST", "/in", &[], b"one")).status, 200);
    let other = House::start(&config(&cluster, &urls, &tls, WITH_NKEY), &VARIABLES);
    assert_eq!(other.events().len(), 1, "it is the same house");
    drop(other);

    let plain = Cluster::start(1, "");
    let only_ca = format!("tls = {{ ca = {:?} }}", at("ca.pem"));
    let other_password = WITH_PASSWORD.replace("PASSWORD", "OTHER_PASSWORD");
    let other_seed = WITH_NKEY.replace("SEED", "OTHER_SEED");
    for (what, config, says) in [
        ("another password", config(&cluster, &urls, &tls, &other_password), "authorization violation"),
        ("another key", config(&cluster, &urls, &tls, &other_seed), "authorization violation"),
        ("nothing", config(&cluster, &urls, &tls, ""), "authorization violation"),
        (
            "a password for a seed",
            config(&cluster, &urls, &tls, &WITH_NKEY.replace("SEED", "PASSWORD")),
            "seed",
        ),
        ("an authority that nobody knows", config(&cluster, &urls, "", WITH_PASSWORD), "certificate"),
        ("no certificate of our own", config(&cluster, &urls, &only_ca, WITH_PASSWORD), "certificate"),
        ("a server without TLS", config(&plain, &plain.secure_urls(), &only_ca, ""), "TLS"),
    ] {
        house.configure(&config);
        let (code, out, err) = house.tell(&["serve"]);
        assert_ne!(code, 0, "{what}");
        assert!(err.to_lowercase().contains(&says.to_lowercase()), "{what}: {err}");
        for secret in [PASSWORD, OTHER_PASSWORD, SEED, OTHER_SEED] {
            assert!(!err.contains(secret) && !out.contains(secret), "{what}: {err}");
        }
    }
}
