//! `db`: what the store holds, whether it is whole, and that a backup is as good as the store was.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use hookhouse_testkit::blackbox::{Connection, House, eventually, request, send};
use hookhouse_testkit::receiver::{Behaviour, Receiver};
use hookhouse_verify::Secret;
use hookhouse_verify::x::sign_post;
use serde_json::Value;

const SECRET: &str = "consumer-secret-of-this-test-0001";

fn post_x(house: &House, body: &str) {
    let signature = sign_post(&Secret::new(SECRET).expect("not empty"), body.as_bytes());
    let headers = [("x-twitter-webhooks-signature", signature.as_str())];
    assert_eq!(send(house.ingress, &request("POST", "/x", &headers, body.as_bytes())).status, 200);
}

fn config(application: &Receiver) -> String {
    format!(
        "[source.in]\nprovider = \"none\"\npath = \"/in\"\ndeliver = [\"app\"]\n\
         [source.x]\nprovider = \"x\"\npath = \"/x\"\nconsumer_secret = {{ env = \"SECRET\" }}\n\
         [destination.app]\nurl = \"{}\"\nallow_loopback = true\n\
         retry = {{ schedule = [\"100ms\", \"200ms\", \"500ms\", \"1s\", \"1s\", \"1s\", \"1s\"] }}\n",
        application.url("/")
    )
}

/// The commands of the guide.
fn restore(store: &Path, backup: &Path) {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides/backup.md");
    let guide = std::fs::read_to_string(guide).expect("the guide is there");
    let steps = guide.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("its steps");
    let told = Command::new("sh").args(["-ec", steps]).env("STORE", store).env("BACKUP", backup).status();
    assert!(told.expect("sh").success());
}

#[test]
fn a_backup_under_load_is_restored_with_all_that_was_acknowledged_before() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let application = runtime.block_on(Receiver::start()).expect("a port");
    application.always(Behaviour::status(503));
    let mut house = House::start(&config(&application), &[("SECRET", SECRET)]);
    post_x(&house, r#"{"for_user_id":"1","tweet_create_events":[{"id_str":"1"}]}"#);

    let stop = Arc::new(AtomicBool::new(false));
    let next = Arc::new(AtomicU64::new(0));
    let acknowledged: Arc<Mutex<BTreeSet<u64>>> = Arc::default();
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let (stop, next, acknowledged, to) =
                (Arc::clone(&stop), Arc::clone(&next), Arc::clone(&acknowledged), house.ingress);
            std::thread::spawn(move || {
                let mut connection = Connection::open(to).expect("it listens");
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let body = format!("{number} {}", "x".repeat(1_000));
                    // The kill ends it.
                    let Ok(answer) = connection.exchange(&request("POST", "/in", &[], body.as_bytes()))
                    else {
                        return;
                    };
                    assert_eq!(answer.status, 200);
                    acknowledged.lock().expect("nobody panics with it").insert(number);
                }
            })
        })
        .collect();
    let known = || acknowledged.lock().expect("nobody panics with it").clone();
    eventually("some load", || (known().len() > 200).then_some(()));

    let before = known();
    let folder = tempfile::tempdir().expect("a folder");
    let made = house.ask(&["db", "backup", folder.path().to_str().expect("UTF-8")]).remove(0);
    assert_eq!((&made["ok"], &made["damage"]), (&true.into(), &Value::Array(Vec::new())), "{made}");
    let file = PathBuf::from(made["file"].as_str().expect("a path"));
    assert!(file.starts_with(folder.path()), "{made}");
    assert_eq!(std::fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path()).expect("ours").count(), 1, "nothing lies beside it");
    let ids: BTreeSet<_> = {
        let number = |event: &Value| event["body"].as_str()?.split(' ').next()?.parse::<u64>().ok();
        let all = house.events();
        let known = all.iter().filter(|event| number(event).is_some_and(|number| before.contains(&number)));
        known.map(|event| event["id"].as_str().expect("an id").to_owned()).collect()
    };
    assert_eq!(ids.len(), before.len());
    house.kill();
    stop.store(true, Ordering::Relaxed);
    senders.into_iter().for_each(|sender| sender.join().expect("it ends"));

    restore(&house.store(), &file);
    assert_eq!(house.tell(&["db", "verify"]).0, 0);
    let seen = application.received().len();
    application.always(Behaviour::status(200));
    house.run();
    let restored = house.events();
    let there: BTreeSet<_> = restored.iter().map(|event| event["id"].as_str().expect("an id")).collect();
    assert!(ids.iter().all(|id| there.contains(id.as_str())), "each is there under its id");
    assert_eq!(restored.len() as u64, made["events"].as_u64().expect("a number"));
    eventually("their delivery", || {
        let delivered: BTreeSet<_> = application.received()[seen..]
            .iter()
            .filter_map(|received| received.header("hookhouse-event-id").map(str::to_owned))
            .collect();
        ids.is_subset(&delivered).then_some(())
    });
    post_x(&house, r#"{"for_user_id":"1","tweet_create_events":[{"id_str":"1"}]}"#);
    assert_eq!(house.ask(&["events", "ls", "--source", "x"]).len(), 1, "a repeat is one still");
    post_x(&house, r#"{"for_user_id":"1","tweet_create_events":[{"id_str":"2"}]}"#);
    assert_eq!(house.ask(&["events", "ls", "--source", "x"]).len(), 2);
}

#[test]
fn stats_are_the_same_of_a_server_and_of_its_store() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let application = runtime.block_on(Receiver::start()).expect("a port");
    let mut house = House::start(&config(&application), &[("SECRET", SECRET)]);
    for body in ["one", "two"] {
        send(house.ingress, &request("POST", "/in", &[], body.as_bytes()));
    }
    post_x(&house, "{}");
    send(house.ingress, &request("POST", "/x", &[], b"{}"));
    runtime.block_on(application.wait_for(2));
    eventually("the refusal on record", || (house.refusals().len() == 1).then_some(()));
    let live = house.ask(&["db", "stats"]).remove(0);
    assert_eq!(
        (&live["events"], &live["refusals"], &live["kind"]),
        (&3.into(), &1.into(), &"sqlite".into()),
        "{live}"
    );
    let sources: Vec<_> =
        live["sources"].as_array().expect("a list").iter().map(|s| (&s["source"], &s["events"])).collect();
    assert_eq!(sources, [(&"in".into(), &2.into()), (&"x".into(), &1.into())]);
    assert!(house.stop().success());
    let still = house.ask(&["db", "stats"]).remove(0);
    for key in ["events", "bytes", "oldest", "newest", "sources", "exceptions", "refusals", "format"] {
        assert_eq!(live[key], still[key], "{key}");
    }
    let (code, out, _) = house.tell(&["db", "stats"]);
    assert!(code == 0 && out.contains("3 events") && out.contains("database bytes: "), "{out}");
}

#[test]
fn verify_names_what_is_damaged_and_ends_with_7() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let application = runtime.block_on(Receiver::start()).expect("a port");
    let mut house = House::start(&config(&application), &[("SECRET", SECRET)]);
    for number in 0..5 {
        send(house.ingress, &request("POST", "/in", &[], format!("event number {number}").as_bytes()));
    }
    let whole = house.ask(&["db", "verify"]);
    assert_eq!(
        (&whole[0]["ok"], &whole[0]["events"]),
        (&true.into(), &5.into()),
        "beside the server: {whole:?}"
    );
    let id = house.events()[3]["id"].as_str().expect("an id").to_owned();
    assert!(house.stop().success());
    let database = house.store().join("hookhouse.db");
    let mut bytes = std::fs::read(&database).expect("it is there");
    let at = bytes.windows(14).position(|part| part == b"event number 3").expect("it lies in the file");
    bytes[at + 13] = b'8';
    std::fs::write(&database, bytes).expect("it is ours");

    let (code, out, err) = house.tell(&["db", "verify"]);
    assert_eq!(code, 7, "{err}");
    assert!(out.contains(&format!("events 4 ({id}): checksum")) && out.contains("1 damaged"), "{out}");
    let (code, out, _) = house.tell(&["db", "verify", "-o", "json"]);
    let report: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        (code, &report["damaged"], &report["damage"][0]["event"]),
        (7, &1.into(), &id.as_str().into())
    );
    let to = house.folder().join("copy.db");
    let to = to.to_str().expect("UTF-8");
    let (code, _, err) = house.tell(&["db", "backup", to]);
    assert!(code == 7 && err.contains(&id), "{err}");
    assert_eq!(house.tell(&["db", "verify", to]).0, 7, "what is damaged is copied as it is");
    assert_eq!(house.tell(&["db", "backup", to]).0, 2, "the name is taken");
    assert_eq!(house.tell(&["db", "backup", to, "--replace"]).0, 7);
    assert_eq!(house.tell(&["db", "verify", "no/such/file"]).0, 4);
    assert_eq!(house.tell(&["--config", "/no/such/file", "db", "verify"]).0, 3);
}

const ENCRYPTED: &str = "[store]\npath = \"store\"\nencrypt = { key = { file = \"store.key\" } }\n\
                         [source.in]\nprovider = \"none\"\npath = \"/in\"\n";

/// The whole way of an encrypted store: a key is made, the server runs with it, what lies there tells nothing, and each
/// command that reads it says what it lacks.
#[test]
fn an_encrypted_store_is_read_with_its_key_alone() {
    let mut house = House::start("[source.in]\nprovider = \"none\"\npath = \"/in\"\n", &[]);
    send(house.ingress, &request("POST", "/in", &[], b"from before"));
    assert!(house.stop().success());
    let (code, _, err) = house.tell(&["db", "key", "store.key"]);
    assert_eq!(code, 0, "{err}");
    let key = house.folder().join("store.key");
    assert_eq!(std::fs::metadata(&key).expect("made").permissions().mode() & 0o777, 0o600);
    assert_eq!(house.tell(&["db", "key", "store.key"]).0, 1, "a key is not written over");
    assert_ne!(house.tell(&["db", "key"]).1, house.tell(&["db", "key"]).1);

    house.configure(ENCRYPTED);
    assert_eq!(house.tell(&["check"]).0, 0);
    house.run();
    let body = b"canary-of-the-payload";
    assert_eq!(send(house.ingress, &request("POST", "/in?q=canary-of-the-payload", &[], body)).status, 200);
    let lies_there = |house: &House| {
        std::fs::read_dir(house.store()).expect("ours").any(|entry| {
            let bytes = std::fs::read(entry.expect("ours").path()).unwrap_or_default();
            bytes.windows(body.len()).any(|part| part == body)
        })
    };
    assert!(!lies_there(&house));
    assert_eq!(house.events()[1]["body"], "canary-of-the-payload", "the server shows it");
    assert_eq!(house.api("events?text=canary-of")["data"].as_array().map(Vec::len), Some(1), "and finds it");
    let effective = house.api("config").to_string();
    assert!(effective.contains("store.encrypt.key") && effective.contains("store.key"), "{effective}");
    assert!(house.stop().success());
    assert!(!lies_there(&house));
    assert_eq!(
        house.events()[1]["target"],
        "/in?q=canary-of-the-payload",
        "so does whoever reads the store itself"
    );
    let whole = house.ask(&["db", "verify"]).remove(0);
    assert_eq!((&whole["events"], &whole["unopened"]), (&2.into(), &0.into()));

    let text = std::fs::read_to_string(&key).expect("ours");
    std::fs::rename(&key, house.folder().join("elsewhere.key")).expect("ours");
    let (code, _, err) = house.tell(&["events", "ls"]);
    assert!(
        code == 3 && err.contains("`store.encrypt.key`: file") && err.contains("does not exist"),
        "{err}"
    );
    assert_eq!(house.tell(&["serve"]).0, 3);
    let (code, out, err) = house.tell(&["db", "verify", "-o", "json"]);
    let whole: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &whole["ok"], &whole["unopened"]), (0, &true.into(), &1.into()), "{err}");
    house.configure(&ENCRYPTED.replace("encrypt = { key = { file = \"store.key\" } }\n", ""));
    for command in [&["serve"][..], &["events", "ls"]] {
        let (code, _, err) = house.tell(command);
        assert!(code != 0 && err.contains("encrypted with key ") && err.contains("[store] encrypt"), "{err}");
    }
    house.configure(ENCRYPTED);
    for (wrong, said) in [
        ("no base64 at all, but a passphrase", "34 characters that are no base64"),
        (&text.trim()[..40], "base64 of 30 bytes"),
    ] {
        std::fs::write(&key, wrong).expect("ours");
        let (code, out, err) = house.tell(&["check"]);
        let all = out + &err;
        assert!(code == 3 && all.contains(said) && all.contains("hookhouse db key"), "{all}");
        assert!(!all.contains(wrong), "what was found there is not shown: {all}");
    }
    assert_eq!(house.tell(&["db", "key", "new.key"]).0, 0);
    house.configure(&ENCRYPTED.replace(
        "{ key = { file = \"store.key\" } }",
        "{ key = { file = \"new.key\" }, previous = [{ file = \"elsewhere.key\" }] }",
    ));
    house.run();
    send(house.ingress, &request("POST", "/in", &[], b"with the new key"));
    let bodies: Vec<_> = house.events().iter().map(|event| event["body"].clone()).collect();
    assert_eq!(bodies, ["from before", "canary-of-the-payload", "with the new key"]);
}
