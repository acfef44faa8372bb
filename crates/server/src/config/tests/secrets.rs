//! Where secrets come from, and which are refused.

use hookhouse_core::Timestamp;

use super::super::Code;
use super::house::{House, Variables};

fn github(reference: &str) -> String {
    format!("[source.a]\nprovider = \"github\"\npath = \"/a\"\nsecret = {reference}\n")
}

fn secret(house: &House, reference: &str) -> Vec<u8> {
    let mut config = house.config(&github(reference));
    let source = config.sources.remove(0);
    source.signer.unwrap().secret.expose().to_vec()
}

#[test]
fn a_secret_comes_from_a_variable_a_file_or_a_credential() {
    let house = House::new();
    assert_eq!(secret(&house, "{ env = \"OTHER_SECRET\" }"), b"canary-another-secret");
    assert_eq!(secret(&house, "{ file = \"x.old\" }"), b"canary-former-secret");
    assert_eq!(secret(&house, "{ file = \"x.same\" }"), b"canary-x-consumer-secret");
    assert_eq!(secret(&house, "{ credential = \"x\" }"), b"canary-of-the-service-manager");
    let absolute = house.write("elsewhere", "canary-by-its-absolute-path\n\n");
    std::fs::set_permissions(&absolute, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let said = house.said(&github(&format!("{{ file = {:?} }}", absolute.display().to_string())));
    // One newline is the editor's; the second one is somebody's mistake.
    assert_eq!(said.iter().map(|found| found.code).collect::<Vec<_>>(), [Code::SecretWhiteSpace]);
}

#[test]
fn each_way_to_get_a_secret_wrong_is_told_apart() {
    let house = House::new();
    let said: Vec<_> = [
        "\"canary-in-the-file\"",
        "'canary'",
        "12345678901234567890",
        "[\"canary\"]",
        "{ value = \"canary\" }",
        "{}",
        "{ env = \"SHORT\", file = \"short\" }",
        "{ env = 7 }",
        "{ env = \"\" }",
        "{ env = \"canary canary canary\" }",
        "{ env = \"NOT_SET\" }",
        "{ env = \"EMPTY\" }",
        "{ env = \"SHORT\" }",
        "{ file = \"not/there\" }",
        "{ file = \"credentials\" }",
        "{ file = \"short\" }",
        "{ file = \"newline\" }",
        "{ file = \"open\" }",
        "{ credential = \"y\" }",
        "{ credential = \"../x.old\" }",
    ]
    .iter()
    .map(|reference| house.messages(&github(reference)).join("\n"))
    .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_credential_needs_the_service_managers_directory() {
    let source = github("{ credential = \"x\" }");
    let read = super::super::parse(&source, "f", std::path::Path::new("."), &Variables(Vec::new()));
    assert_eq!(read.unwrap_err().list()[0].code, Code::MissingSecret);
}

#[test]
fn former_secrets_count_until_their_moment() {
    let house = House::new();
    for until in ["\"2026-12-01T00:00:00Z\"", "2026-12-01T00:00:00Z", "\"2026-12-01T01:00:00+01:00\""] {
        let source = format!(
            "[source.a]\nprovider = \"x\"\npath = \"/a\"\nconsumer_secret = {{ env = \"X_CONSUMER_SECRET\" }}\n\
             previous_secrets = [{{ file = \"x.old\", until = {until} }}]\n"
        );
        // The end is told by the verifier's own words about its keys.
        let shown = format!("{:?}", house.config(&source).sources[0].verifier);
        let end: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        assert!(shown.contains(&format!("{end:?}")) || shown.contains(&end.to_string()), "{shown}");
    }
    for until in ["2026-12-01", "2026-12-01T00:00:00", "\"soon\"", "1764547200"] {
        let source = format!(
            "[source.a]\nprovider = \"github\"\npath = \"/a\"\nsecret = {{ env = \"OTHER_SECRET\" }}\n\
             previous_secrets = [{{ file = \"x.old\", until = {until} }}]\n"
        );
        assert!(house.read(&source).is_err(), "{until}");
    }
}

#[test]
fn a_literal_is_hidden_wherever_it_stands() {
    let house = House::new();
    // `House::read` looks for the word in everything that is shown.
    for line in [
        "secret = \"canary\" # and more\nhots = 1",
        "secret = \"canary\nhots = 1",
        "secret = canary\nhots = 1",
        "secret = [\"canary\"\nhots = 1",
        "secrt = \"canary\"\nhots = 1",
        "secret = { env = \"X\", value = \"canary\" }",
        "secret = \"\"\"\ncanary\n\"\"\"\nhots = 1",
        "secret.value = \"canary\"",
        "previous_secrets = [\"canary\", { secret = \"canary\" }]",
        "shared_keys = { id = { secret = \"canary\", algorithm = \"HMAC_SHA1\" } }",
        "accounts = { AC1 = \"canary\" }",
        "basic_auth = { user = \"u\", password = \"canary\" }",
        "api = { bearer = \"canary\" }",
        "public_url = \"https://user:canary@hooks.example.com?\"",
    ] {
        let said = house.said(&format!("[source.a]\nprovider = \"github\"\npath = \"/a\"\n{line}\n"));
        assert!(said.has_errors(), "{line}");
    }
    let said = house.said(
        "[source.a]\nprovider = \"none\"\npath = \"/a\"\ndeliver = [\"app\"]\n\
         [destination.app]\nurl = \"https://u:canary@h.example\"\nsign = { provider = \"canary\" }\n",
    );
    assert_eq!(said.len(), 2, "{said}");
}

const X: &str = "[source.x]\nprovider = \"x\"\npath = \"/x\"\nconsumer_secret = { env = \"X_CONSUMER_SECRET\" }\n\
                 oauth2_client_secret = { env = \"X_CLIENT_SECRET\" }\nprevious_secrets = [{ file = \"x.old\" }]\n";

/// Case G07.
#[test]
fn what_answers_challenges_shares_its_secret_with_no_other_scheme() {
    let house = House::new();
    let reuse = |rest: &str| {
        let said = house.said(&format!("{X}{rest}"));
        said.iter().filter(|found| found.code == Code::SecretReuse).count()
    };
    let twilio = "[source.t]\nprovider = \"twilio\"\npath = \"/t\"\npublic_url = \"https://h.example\"\n";
    let same = "{ file = \"x.same\" }";
    assert_eq!(reuse(&format!("{twilio}auth_token = {same}\n")), 1);
    assert_eq!(reuse(&format!("{twilio}auth_token = {{ env = \"X_CLIENT_SECRET\" }}\n")), 1);
    assert_eq!(reuse(&format!("{twilio}auth_token = {{ file = \"x.old\" }}\n")), 1);
    assert_eq!(
        reuse(&format!("{twilio}auth_token = {{ env = \"OTHER_SECRET\" }}\nprevious_secrets = [{same}]\n")),
        1
    );
    assert_eq!(
        reuse(&format!(
            "{twilio}shared_keys = {{ k = {{ secret = {same}, algorithm = \"HMAC_SHA256\" }} }}\n"
        )),
        1
    );
    assert_eq!(reuse(&format!("{twilio}auth_token = {{ env = \"OTHER_SECRET\" }}\n")), 0);
    assert_eq!(
        reuse(&format!(
            "[source.h]\nprovider = \"hmac\"\npath = \"/h\"\nsecret = {same}\nhmac = {{ header = \"S\" }}\n"
        )),
        1
    );
    // Two sources of X may share theirs.
    assert_eq!(reuse(&X.replace("source.x", "source.y").replace("/x", "/y")), 0);

    let app =
        |sign: &str| format!("[destination.app]\nurl = \"http://10.0.0.1\"\nsign = {{ {sign} = {same} }}\n");
    assert_eq!(reuse(&app("standard_webhooks")), 1);
    // Signing X's events anew with X's own secret is what an application that knows X expects.
    assert_eq!(reuse(&app("provider")), 0);
    let other = "[source.g]\nprovider = \"github\"\npath = \"/g\"\nsecret = { env = \"OTHER_SECRET\" }\ndeliver = [\"app\"]\n";
    assert_eq!(reuse(&format!("{other}{}", app("provider"))), 1);
}

/// Case G07, for the other providers that have challenges.
#[test]
fn every_provider_that_signs_answers_keeps_its_secret_to_itself() {
    let house = House::new();
    let source = |name: &str, rest: &str| {
        format!(
            "[source.{name}]\nprovider = \"{name}\"\npath = \"/{name}\"\nsecret = {{ env = \"OTHER_SECRET\" }}\n{rest}"
        )
    };
    let reuse = |text: &str| {
        let said = house.said(text);
        said.iter().filter(|found| found.code == Code::SecretReuse).count()
    };
    for responder in ["linkedin", "smartcar", "zoom"] {
        assert_eq!(reuse(&format!("{}{}", source(responder, ""), source("github", ""))), 1, "{responder}");
        assert_eq!(reuse(&format!("{}{}", source("dropbox", ""), source(responder, ""))), 1, "{responder}");
    }
    // One conflict is told once.
    assert_eq!(reuse(&format!("{}{}", source("zoom", ""), source("linkedin", ""))), 1);
    let x = X.replace("X_CONSUMER_SECRET", "OTHER_SECRET");
    assert_eq!(reuse(&format!("{x}{}", source("linkedin", ""))), 1);
    // An echo is signed with nothing.
    assert_eq!(reuse(&format!("{}{}", source("dropbox", ""), source("github", ""))), 0);
    // What a provider says in a URL is no key.
    assert_eq!(reuse(&source("meta", "verify_token = { env = \"OTHER_SECRET\" }\n")), 1);
    assert_eq!(reuse(&source("meta", "verify_token = { env = \"X_CLIENT_SECRET\" }\n")), 0);
}
