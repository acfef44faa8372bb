//! `kind = "salesforce"`: what it means, and every mistake at its caret.

use hookhouse_delivery::Kind;
use hookhouse_delivery::salesforce::{AutoAssign, Existing, Grant, Settings};

use super::super::Code;
use super::house::{House, SOURCE};

/// What every section needs.
const NEEDED: &[&str] = &[
    "kind = \"salesforce\"",
    "login = \"https://acme.my.salesforce.com\"",
    "client_id = \"3MVG9.of.this.test\"",
    "client_secret = { env = \"OTHER_SECRET\" }",
    "object = \"Case\"",
    "external_id = \"X_Event_Key__c\"",
    "mapping = \"x-posts\"",
];

/// A file with a section of the needed lines, those with a key of `lines` replaced by them, and the others added.
fn file(lines: &[&str]) -> String {
    let key = |line: &str| line.split_once(" = ").map(|(key, _)| key.to_owned());
    let needed = NEEDED.iter().filter(|line| !lines.iter().any(|own| key(own) == key(line)));
    let kept: Vec<_> = needed.chain(lines).filter(|line| !line.ends_with("= -")).copied().collect();
    format!("{SOURCE}deliver = [\"cases\"]\n[destination.cases]\n{}\n", kept.join("\n"))
}

fn settings(house: &House, lines: &[&str]) -> Settings {
    let destination = house.config(&file(lines)).destinations.remove(0);
    match destination.kind {
        Kind::Salesforce(settings) => (*settings).clone(),
        Kind::Http => panic!("not an org"),
    }
}

#[test]
fn what_is_needed_is_little_and_the_rest_has_defaults() {
    let house = House::new();
    let destination = house.config(&file(&[])).destinations.remove(0);
    assert_eq!(destination.url.to_string(), "https://acme.my.salesforce.com/");
    assert_eq!((destination.timeout.as_secs(), destination.concurrency), (60, 64));
    let settings = settings(&house, &[]);
    assert_eq!((settings.object.as_str(), settings.external_id.as_str()), ("Case", "X_Event_Key__c"));
    assert_eq!((settings.api_version.as_str(), settings.existing), ("v67.0", Existing::Update));
    assert_eq!((settings.auto_assign, settings.api_reserve), (AutoAssign::On, 0.1));
    assert!(
        matches!(settings.grant, Grant::ClientCredentials { client_id, .. } if client_id == "3MVG9.of.this.test")
    );
}

#[test]
fn every_key_is_read() {
    let house = House::new();
    let (pem, _) = hookhouse_testkit::salesforce::key_pair();
    let key = house.write("salesforce.key", &pem);
    std::fs::set_permissions(key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let by_key = [
        "client_secret = -",
        "private_key = { file = \"salesforce.key\" }",
        "username = \"integration@acme.example\"",
        "existing = \"keep\"",
        "own_posts = true",
        "auto_assign = \"01Q000000000001\"",
        "api_version = \"v68.0\"",
        "api_reserve = 0.25",
        "key = \"{source}-{id}\"",
        "fields = { Subject = \"{{x}} {text|line|cut:100}\", \"Priority\" = 'High', Origin = \"\" }",
        "timeout = \"20s\"",
        "concurrency = 8",
    ];
    let settings = |extra: &str| settings(&house, &[&by_key[..], &[extra]].concat());
    let read = settings("allow_loopback = false");
    assert_eq!((read.existing, read.api_version.as_str(), read.api_reserve), (Existing::Keep, "v68.0", 0.25));
    assert_eq!(read.auto_assign, AutoAssign::Rule("01Q000000000001".to_owned()));
    for (login, audience) in [
        ("https://acme.my.salesforce.com", "https://login.salesforce.com"),
        ("https://login.salesforce.com", "https://login.salesforce.com"),
        ("https://acme--dev.sandbox.my.salesforce.com", "https://test.salesforce.com"),
        ("https://test.salesforce.com", "https://test.salesforce.com"),
    ] {
        let Grant::JwtBearer { audience: found, username, .. } =
            settings(&format!("login = \"{login}\"")).grant
        else {
            panic!("not by assertion")
        };
        assert_eq!((found.as_str(), username.as_str()), (audience, "integration@acme.example"), "{login}");
    }
    let own = settings("audience = \"https://site.acme.example\"").grant;
    assert!(matches!(own, Grant::JwtBearer { audience, .. } if audience == "https://site.acme.example"));
}

/// One mistake each, rendered.
#[test]
fn every_mistake_has_its_caret_and_what_to_do() {
    let house = House::new();
    let shown: Vec<_> = [
        &["kind = \"salseforce\""][..],
        &["login = -"],
        &["login = \"http://acme.my.salesforce.com\""],
        &["login = \"https://acme.my.salesforce.com/services\""],
        &["login = \"https://169.254.169.254\""],
        &["login = \"https://login.salesforce.com\""],
        &["url = \"https://acme.my.salesforce.com\""],
        &["sign = { provider = { env = \"OTHER_SECRET\" } }"],
        &["client_id = -"],
        &["client_id = \"a b\""],
        &["client_secret = -"],
        &["client_secret = \"canary-written-out\""],
        &["private_key = { env = \"OTHER_SECRET\" }", "username = \"u@e.example\""],
        &["client_secret = -", "private_key = { env = \"OTHER_SECRET\" }", "username = \"u@e.example\""],
        &["username = \"u@e.example\""],
        &[
            "client_secret = -",
            "private_key = { env = \"OTHER_SECRET\" }",
            "audience = \"login.salesforce.com/\"",
        ],
        &["object = -"],
        &["object = \"Case; drop\""],
        &["external_id = -"],
        &["mapping = \"x-post\""],
        &["mapping = \"event\""],
        &["mapping = -", "fields = { Subject = \"@{author.handle}: {body.text}\" }"],
        &["mapping = -", "fields = { Subject = \"{body.text}\" }", "own_posts = true"],
        &["fields = { Subject = \"{athor.handle}: {text}\" }"],
        &["fields = { Subject = \"{text\" }"],
        &["fields = { Subject = \"\\\"{text|upper}\\\"\" }"],
        &["fields = { Subject = 7 }"],
        &["fields = { \"a b\" = \"{text}\" }"],
        &["fields = { x_event_key__c = \"{id}\" }"],
        &["key = \"{source}:{nothing}\""],
        &["key = \"{key}\"", "mapping = -"],
        &["object = \"Post__c\""],
        &["existing = \"replace\""],
        &["auto_assign = \"all\""],
        &["auto_assign = 1"],
        &["api_version = \"67\""],
        &["api_reserve = 10"],
        &["clientid = \"a\"", "client_id = -"],
        &["timeout = \"0s\""],
    ]
    .iter()
    .map(|lines| {
        let file = file(lines);
        let count = house.said(&file).iter().count();
        assert!((1..=3).contains(&count), "{lines:?}: {}", house.rendered(&file));
        house.rendered(&file)
    })
    .collect();
    insta::assert_snapshot!(shown.join("\n\n"));
}

#[test]
fn an_application_has_none_of_it_and_an_org_answers_nobody() {
    let house = House::new();
    let said = |text: &str| {
        let said = house.said(text);
        let lines: Vec<_> =
            said.iter().map(|found| (found.code, found.help.clone().unwrap_or_default())).collect();
        lines
    };
    let app =
        format!("{SOURCE}deliver = [\"a\"]\n[destination.a]\nurl = \"http://10.0.0.1\"\nobject = \"Case\"\n");
    assert_eq!(
        said(&app),
        [(Code::UnknownKey, "`object` is a setting of `kind = \"salesforce\"`".to_owned())]
    );
    let http = app.replace("object = \"Case\"", "kind = \"http\"");
    assert_eq!(said(&http), []);
    let relay = file(&[]).replace("deliver = [\"cases\"]", "relay = { to = \"cases\" }");
    assert_eq!(said(&relay), [(Code::Value, "deliver to it: `deliver = [\"cases\"]`".to_owned())]);
}
