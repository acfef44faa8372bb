//! Each code once, as it is rendered.

use super::super::Code;
use super::super::diagnostic::Severity;
use super::house::{House, SOURCE};

/// A file for each code that says it, and says nothing else.
const FILES: &[(Code, &str)] = &[
    (Code::AdminPublic, "[admin]\nlisten = \"0.0.0.0:4040\"\n"),
    (
        Code::AllowIpsMixed,
        "[source.a]\nprovider = \"none\"\npath = \"/a\"\nallow_ips = [\"@x\", \"10.0.0.0/8\"]\n",
    ),
    (Code::Certificate, "[server]\ntls = { cert = \"tls/good.pem\", key = \"tls/other.key\" }\n"),
    (Code::CertificateChain, "[server]\ntls = { cert = \"tls/disordered.pem\", key = \"tls/good.key\" }\n"),
    (Code::CertificateExpired, "[server]\ntls = { cert = \"tls/expired.pem\", key = \"tls/expired.key\" }\n"),
    (
        Code::CertificateName,
        "[server]\nhosts = [\"hooks.example.org\"]\ntls = { cert = \"tls/good.pem\", key = \"tls/good.key\" }\n",
    ),
    (Code::Cidr, "[source.a]\nprovider = \"none\"\npath = \"/a\"\nallow_ips = [\"10.0.0.1/8\"]\n"),
    (
        Code::DestinationDenied,
        "[source.a]\nprovider = \"none\"\npath = \"/a\"\ndeliver = [\"app\"]\n\n\
         [destination.app]\nurl = \"http://169.254.169.254/latest\"\n",
    ),
    (
        Code::LiteralSecret,
        "[source.a]\nprovider = \"github\"\npath = \"/a\"\nsecret = \"canary-in-the-file\"\n",
    ),
    (Code::MissingKey, "[source.a]\nprovider = \"none\"\n"),
    (
        Code::MissingSecret,
        "[source.a]\nprovider = \"github\"\npath = \"/a\"\nsecret = { env = \"NOT_SET\" }\n",
    ),
    (
        Code::NotBuilt,
        "[source.a]\nprovider = \"x\"\npath = \"/a\"\nconsumer_secret = { env = \"X_CONSUMER_SECRET\" }\ndeliver = [\"app\"]\n[destination.app]\nurl = \"http://10.0.0.1\"\nfilter = 'true'\n",
    ),
    (
        Code::PathOverlap,
        "[source.a]\nprovider = \"none\"\npath = \"/a\"\n\n[source.b]\nprovider = \"none\"\npath = \"/a\"\n",
    ),
    (
        Code::SecretPermissions,
        "[source.a]\nprovider = \"github\"\npath = \"/a\"\nsecret = { file = \"open\" }\n",
    ),
    (
        Code::SecretReuse,
        "[source.a]\nprovider = \"x\"\npath = \"/a\"\nconsumer_secret = { env = \"X_CONSUMER_SECRET\" }\n\n\
         [source.b]\nprovider = \"github\"\npath = \"/b\"\nsecret = { file = \"x.same\" }\n",
    ),
    (
        Code::SecretWhiteSpace,
        "[source.a]\nprovider = \"github\"\npath = \"/a\"\nsecret = { env = \"PADDED\" }\n",
    ),
    (Code::Syntax, "[server]\nlisten = 127.0.0.1:8080\n"),
    (Code::Type, "[server]\nlisten = \"127.0.0.1:8080\"\n"),
    (
        Code::UnknownDestination,
        "[source.a]\nprovider = \"none\"\npath = \"/a\"\ndeliver = [\"ap\", \"app\"]\n\n\
         [destination.app]\nurl = \"http://10.0.3.4:3000/hooks\"\n",
    ),
    (
        Code::UnknownKey,
        "[source.a]\nprovider = \"x\"\npath = \"/a\"\nconsumer_secret = { env = \"X_CONSUMER_SECRET\" }\nmax_boddy = \"1MiB\"\n",
    ),
    (Code::UnknownProvider, "[source.a]\nprovider = \"twillio\"\npath = \"/a\"\n"),
    (
        Code::UnreadableFile,
        "[source.a]\nprovider = \"github\"\npath = \"/a\"\nsecret = { file = \"credentials\" }\n",
    ),
    (Code::UnusedDestination, "[destination.app]\nurl = \"https://app.example.com/hooks\"\n"),
    (Code::Value, "[store]\nreserve = \"32\"\n"),
    (Code::WeakSecret, "[source.a]\nprovider = \"github\"\npath = \"/a\"\nsecret = { env = \"SHORT\" }\n"),
];

#[test]
fn every_code_is_rendered_with_its_caret_and_what_to_do() {
    let (house, mut shown) = (House::new(), Vec::new());
    for (code, source) in FILES {
        let source =
            if source.contains("[source.") { (*source).to_owned() } else { format!("{source}\n{SOURCE}") };
        let said: Vec<_> = house.said(&source).iter().map(|found| found.code).collect();
        assert_eq!(said, [*code], "{source}");
        shown.push(house.rendered(&source));
    }
    insta::assert_snapshot!(shown.join("\n\n"));
}

#[test]
fn no_code_is_forgotten() {
    let tried: Vec<_> = FILES.iter().map(|(code, _)| *code).collect();
    // What a running server says of it is in `running`.
    let all: Vec<_> = Code::ALL.iter().copied().filter(|code| *code != Code::NeedsRestart).collect();
    assert_eq!(tried, all);
    for (index, code) in Code::ALL.iter().enumerate() {
        assert!(code.as_str().starts_with("config."), "{code}");
        assert!(!Code::ALL[..index].iter().any(|other| other.as_str() == code.as_str()), "{code}");
    }
}

#[test]
fn a_warning_does_not_keep_a_configuration_from_being_used() {
    let house = House::new();
    for (code, source) in FILES {
        let source =
            if source.contains("[source.") { (*source).to_owned() } else { format!("{source}\n{SOURCE}") };
        let worst = house.said(&source).iter().map(|found| found.severity).next().unwrap();
        assert_eq!(house.read(&source).is_ok(), worst == Severity::Warning, "{code}");
    }
}

#[test]
fn the_machine_form_has_code_place_and_help() {
    let said = House::new().said(&format!("[server]\nlisten = [\"*:80\"] # é\nhots = []\n{SOURCE}"));
    insta::assert_json_snapshot!(said);
    assert_eq!(said.summary(), "hookhouse.toml: 2 errors");
}
