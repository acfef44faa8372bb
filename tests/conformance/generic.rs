//! Schemes that are data, and configurations that must not start.

use hookhouse_verify::sign::{Draft, Signer};
use hookhouse_verify::{Secret, catalogue};
use jiff::{SignedDuration, Timestamp};

use crate::{Case, Driver, nothing_stored};
use hookhouse_testkit::blackbox::hookhouse;
use hookhouse_testkit::blackbox::{Answer, House};
use hookhouse_testkit::blackbox::{request, send};

pub(crate) const DRIVERS: &[(&str, Driver)] =
    &[("G01", g01), ("G02", g02), ("G03", g03), ("G04", g04), ("G07", g07)];

const SECRET: &str = "whsec_of-this-test-0123456789abcdef";
const CONFIG: &str = r#"
[source.pay]
provider = "stripe"
path = "/stripe"
secret = { env = "SECRET" }

[source.code]
provider = "github"
path = "/github"
secret = { env = "GITHUB" }

[source.billing]
provider = "hmac"
path = "/billing"
secret = { env = "BILLING" }
hmac = { digest = "sha256", header = "X-Signature", prefix = "sha256=", encoding = "hex", message = ["body"] }
"#;
const VARIABLES: &[(&str, &str)] = &[
    ("SECRET", SECRET),
    ("GITHUB", "github-secret-of-this-test-0123456"),
    ("BILLING", "billing-secret-of-this-test-012345"),
];
const BODY: &str = r#"{"id":"evt_1","type":"payment_intent.succeeded"}"#;

fn house() -> House {
    House::start(CONFIG, VARIABLES)
}

#[expect(clippy::disallowed_methods, reason = "the server under test has the machine's clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// Signs for a provider of the catalogue.
fn sign(provider: &str, secret: &str, body: &str, at: Timestamp) -> (String, String) {
    let signer = Signer::for_provider(provider).expect("a provider");
    let draft = Draft {
        method: "POST".to_owned(),
        url: "https://hooks.example.com/".to_owned(),
        content_type: Some("application/json".to_owned()),
        body: body.to_owned().into(),
        id: "evt_1".to_owned(),
        now: at,
    };
    let signed = signer.sign(&Secret::new(secret).expect("not empty"), &draft).expect("signs");
    let header = catalogue::find(provider).expect("a row").descriptor.signature.header.to_string();
    signed.headers.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(&header)).expect("a signature")
}

fn post(house: &House, path: &str, header: &str, value: &str) -> Answer {
    send(
        house.ingress,
        &request("POST", path, &[(header, value), ("content-type", "application/json")], BODY.as_bytes()),
    )
}

fn g01(case: &Case) {
    let house = house();
    for off in [-310, 310] {
        let (header, value) = sign("stripe", SECRET, BODY, now() + SignedDuration::from_secs(off));
        case.refused(&post(&house, "/stripe", &header, &value));
    }
    case.recorded(&house, 2);
    nothing_stored(&house);
    let (header, value) = sign("stripe", SECRET, BODY, now() - SignedDuration::from_secs(280));
    assert_eq!(post(&house, "/stripe", &header, &value).status, 200);
}

fn g02(case: &Case) {
    let house = house();
    let (header, value) = sign("stripe", SECRET, BODY, now());
    let (time, rest) = value.split_once(',').expect("t=…,v1=…");
    let seconds = time.strip_prefix("t=").expect("t=");
    let malformed = [
        format!("{time},{time},{rest}"),
        format!("t=+{seconds},{rest}"),
        format!("t=1e9,{rest}"),
        format!("t=00000000000{seconds},{rest}"),
        format!("t=,{rest}"),
        rest.to_owned(),
    ];
    for value in &malformed {
        case.refused(&post(&house, "/stripe", &header, value));
    }
    case.recorded(&house, malformed.len());
    nothing_stored(&house);
}

fn g03(case: &Case) {
    let house = house();
    let (header, value) = sign("stripe", SECRET, BODY, now());
    let (time, right) = value.split_once(',').expect("t=…,v1=…");
    let wrong = format!("v1={}", "0".repeat(64));
    // As many as a rotation needs are tried; a flood is not, even with the right one in it.
    let few = format!("{time},{wrong},{right}");
    assert_eq!(post(&house, "/stripe", &header, &few).status, 200);
    let flood = format!("{time},{}{right}", format!("{wrong},").repeat(300));
    case.refused(&post(&house, "/stripe", &header, &flood));
    case.recorded(&house, 1);
}

/// The algorithm is the configuration's: a right SHA-1 is wrong where SHA-256 is configured.
fn g04(case: &Case) {
    use aws_lc_rs::hmac;
    let house = house();
    let sources =
        [("/github", "x-hub-signature-256", VARIABLES[1].1), ("/billing", "x-signature", VARIABLES[2].1)];
    for (path, header, secret) in sources {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
        let tag = hmac::sign(&key, BODY.as_bytes());
        let value = format!("sha1={}", data_encoding::HEXLOWER.encode(tag.as_ref()));
        case.refused(&post(&house, path, header, &value));
    }
    case.recorded(&house, 2);
    nothing_stored(&house);
}

/// A configuration that would make one secret serve a challenge and a signature, or has no secret worth the name.
fn g07(case: &Case) {
    let reuse = r#"
[source.x]
provider = "x"
path = "/x"
consumer_secret = { env = "SECRET" }
[source.billing]
provider = "github"
path = "/github"
secret = { env = "SECRET" }
"#;
    let one = "[source.x]\nprovider = \"x\"\npath = \"/x\"\nconsumer_secret = { env = \"SECRET\" }\n";
    let codes: Vec<_> = case.log.split([' ', '/']).filter(|word| word.starts_with("config.")).collect();
    assert_eq!(codes, ["config.secret_reuse", "config.weak_secret"]);
    for (config, secret, code) in
        [(reuse, SECRET, codes[0]), (one, "fifteen-bytes..", codes[1]), (one, "", codes[1])]
    {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("hookhouse.toml"), config).expect("ours");
        for command in ["check", "serve"] {
            let output = hookhouse()
                .current_dir(folder.path())
                .arg(command)
                .env("SECRET", secret)
                .output()
                .expect("runs");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(3), "{command}: {said}");
            assert!(said.contains(code), "{command} does not say {code}: {said}");
            assert!(secret.is_empty() || !said.contains(secret), "the secret is in the message");
        }
        assert!(!folder.path().join("store").exists(), "nothing was started");
    }
}
