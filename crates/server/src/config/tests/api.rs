//! `api` and `heal` of an X source.

use hookhouse_x::credentials::Consumer;

use super::super::Source;
use super::house::House;

/// An X source with a public URL and these lines.
fn source(lines: &str) -> String {
    format!(
        "[source.a]\nprovider = \"x\"\npath = \"/x\"\npublic_url = \"https://hooks.example.com\"\n\
         consumer_secret = {{ env = \"X_CONSUMER_SECRET\" }}\n{lines}\n"
    )
}

fn read(lines: &str) -> Source {
    let [source] = House::new().config(&source(lines)).sources.try_into().unwrap();
    source
}

#[test]
fn a_bearer_is_enough_to_heal() {
    let source = read("heal = true\napi = { bearer = { env = \"OTHER_SECRET\" } }");
    let api = source.api.unwrap();
    assert!(source.heal && api.credentials.has_app() && !api.credentials.has_user());
    assert_eq!(api.base.to_string(), "https://api.x.com");
    assert!(!read("heal = false").heal);
    assert!(read("").api.is_none());
}

#[test]
fn the_consumer_secret_of_the_source_goes_with_the_key_unless_there_is_another() {
    let own = read("api = { consumer_key = { env = \"OTHER_SECRET\" } }").api.unwrap();
    let Some(Consumer { key, secret }) = own.credentials.consumer else { panic!("no consumer") };
    assert_eq!(
        (key.expose(), secret.expose()),
        (&b"canary-another-secret"[..], &b"canary-x-consumer-secret"[..])
    );
    let other = read(
        "api = { consumer_key = { env = \"SHORT\" }, consumer_secret = { file = \"x.old\" }, \
         access_token = { env = \"SHORT\" }, access_token_secret = { env = \"SHORT\" }, base = \"http://127.0.0.1:8099\" }",
    );
    let api = other.api.unwrap();
    assert_eq!(api.credentials.consumer.as_ref().unwrap().secret.expose(), b"canary-former-secret");
    assert!(api.credentials.has_user() && api.base.is_stand_in());
}

#[test]
fn a_user_token_alone_calls_but_does_not_heal() {
    let user = "api = { user_token = { env = \"OTHER_SECRET\" } }";
    assert!(read(user).api.unwrap().credentials.has_user());
    let said = House::new().messages(&source(&format!("{user}\nheal = true")));
    assert_eq!(
        said,
        [
            "config.missing_key: `api.bearer` is missing: `heal` acts in the app's name, and the credentials are a user's"
        ]
    );
}

/// Each mistake at its caret, with what to do about it.
#[test]
fn each_way_to_get_it_wrong_is_told_apart() {
    let files = [
        source("heal = true"),
        source("api = {}"),
        source("api = { bearer = \"canary-in-the-file\" }"),
        source("api = \"canary-in-the-file\""),
        source("api = { bearer = { env = \"PADDED\" } }"),
        source("api = { bearer = { env = \"EMPTY\" } }"),
        source("api = { baerer = { env = \"OTHER_SECRET\" } }"),
        source("api = { consumer_secret = { env = \"OTHER_SECRET\" }, user_token = { env = \"OTHER_SECRET\" } }"),
        source("api = { consumer_key = { env = \"SHORT\" }, access_token = { env = \"SHORT\" } }"),
        source("api = { consumer_key = { env = \"SHORT\" }, access_token_secret = { env = \"SHORT\" } }"),
        source("api = { access_token = { env = \"SHORT\" }, access_token_secret = { env = \"SHORT\" } }"),
        source("api = { bearer = { env = \"SHORT\" }, base = \"http://api.x.com\" }"),
        source("heal = \"yes\""),
        // Only a client secret: there is no consumer secret to go with the key.
        "[source.a]\nprovider = \"x\"\npath = \"/x\"\noauth2_client_secret = { env = \"X_CLIENT_SECRET\" }\n\
         crc = { key = \"oauth2\" }\napi = { consumer_key = { env = \"SHORT\" } }\n"
            .to_owned(),
        "[source.a]\nprovider = \"x\"\npath = \"/x\"\nconsumer_secret = { env = \"X_CONSUMER_SECRET\" }\n\
         heal = true\napi = { bearer = { env = \"SHORT\" } }\n"
            .to_owned(),
        source("heal = true\napi = { bearer = { env = \"SHORT\" } }").replace(".com", ".com:8443"),
        "[source.a]\nprovider = \"github\"\npath = \"/x\"\nsecret = { env = \"OTHER_SECRET\" }\nheal = true\n".to_owned(),
    ];
    let house = House::new();
    let shown: Vec<_> = files.iter().map(|file| house.rendered(file)).collect();
    insta::assert_snapshot!(shown.join("\n\n"));
}

#[test]
fn a_stand_in_may_call_this_machine() {
    let file =
        source("heal = true\napi = { bearer = { env = \"SHORT\" }, base = \"http://localhost:8099\" }")
            .replace("https://hooks.example.com", "http://127.0.0.1:8080");
    let [source] = House::new().config(&file).sources.try_into().unwrap();
    assert!(source.heal);
}
