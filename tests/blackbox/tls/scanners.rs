//! What those say who look at TLS for a living: sslyze, nmap, testssl.sh.

use std::process::Command;

use hookhouse_testkit::blackbox::House;
use hookhouse_testkit::certificate::Wanted;
use serde_json::Value;

use super::{Files, NAME, SOURCE};

/// A server with an ECDSA and an RSA certificate, and a file to trust.
fn house() -> (House, Files) {
    let files = Files::new();
    let names = &[NAME, "localhost"];
    files.issue("ecdsa", &Wanted::good(names));
    files.issue("rsa", &Wanted::rsa(names));
    std::fs::write(files.path("ca.pem"), files.authority.pem()).expect("the folder is ours");
    let list = |kind: &str| ["ecdsa", "rsa"].map(|name| files.path(&format!("{name}.{kind}")));
    let tls = format!("tls = {{ cert = {:?}, key = {:?} }}\n", list("pem"), list("key"));
    let house = House::start(&format!("[server]\nlisten = [\"127.0.0.1:0\"]\n{tls}{SOURCE}"), &[]);
    (house, files)
}

/// Runs a program to its end: whether it succeeded, and what it said.
fn said(command: &mut Command, package: &str) -> (bool, String) {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{package}: {error} (`cargo xtask test` installs it)"));
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn sslyze_finds_mozillas_intermediate_profile_kept() {
    let (house, files) = house();
    let test = std::env::current_exe().expect("a test is a file");
    let target = test.ancestors().nth(3).expect("tests lie in target/PROFILE/deps");
    let mut sslyze = Command::new(target.join("sdk/python/bin/sslyze"));
    sslyze.arg("--certinfo_ca_file").arg(files.path("ca.pem")).arg("--mozilla_config=intermediate");
    let (compliant, report) = said(sslyze.arg(format!("localhost:{}", house.ingress.port())), "sslyze");
    assert!(compliant && report.contains("OK - Compliant"), "{report}");
}

#[test]
fn nmap_finds_no_cipher_below_an_a() {
    let (house, _files) = house();
    let mut nmap = Command::new("nmap");
    nmap.args([
        "-Pn",
        "-sT",
        "-p",
        &house.ingress.port().to_string(),
        "--script",
        "ssl-enum-ciphers",
        "localhost",
    ]);
    let (_, report) = said(&mut nmap, "nmap");
    assert!(report.contains("least strength: A\n"), "{report}");
    assert!(report.contains("TLSv1.2") && report.contains("TLSv1.3"), "{report}");
    assert!(!report.contains("TLSv1.1") && !report.contains("TLSv1.0"), "{report}");
    assert!(report.contains("cipher preference: server"), "{report}");
}

/// Without its simulated clients, which grade nothing and take another minute.
#[test]
fn testssl_finds_nothing_of_medium_severity_or_worse() {
    let (house, files) = house();
    let report = files.path("report.json");
    let mut testssl = Command::new("testssl");
    testssl.args([
        "--openssl",
        "/usr/bin/openssl",
        "--ip",
        "127.0.0.1",
        "--color",
        "0",
        "--quiet",
        "--add-ca",
    ]);
    testssl.arg(files.path("ca.pem")).arg("--jsonfile").arg(&report);
    // Protocols, ciphers by class, forward secrecy, preferences, the server's defaults, headers, vulnerabilities.
    testssl.args(["-p", "-s", "-f", "-P", "-S", "-h", "-U"]);
    testssl.arg(format!("localhost:{}", house.ingress.port()));
    let (_, spoken) = said(&mut testssl, "testssl.sh");
    let text = std::fs::read(&report).unwrap_or_else(|error| panic!("{error}: {spoken}"));
    let findings: Vec<Value> = serde_json::from_slice(&text).expect("it writes JSON");
    assert!(findings.len() > 50, "{spoken}");
    let bad: Vec<_> = findings
        .iter()
        .filter(|found| matches!(found["severity"].as_str(), Some("MEDIUM" | "HIGH" | "CRITICAL" | "FATAL")))
        .collect();
    assert_eq!(bad, Vec::<&Value>::new(), "{spoken}");
}
