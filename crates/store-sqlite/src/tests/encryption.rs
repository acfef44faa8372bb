//! A store whose payloads are encrypted: the same to whoever has the key, and nothing to whoever has not.

use hookhouse_core::delivery::{Next, Settlement};
use hookhouse_core::store::EventQuery;
use hookhouse_core::{
    Answer, AttemptOutcome, Clock, DeliveryId, Edit, Edited, EventId, EventStore, Headers, Secret,
};
use hookhouse_testkit::store_contract::{append, leases, settlement, wants};

use super::{HOUR, Here, bodies};
use crate::{Audit, Encryption, OpenError, SqliteStore, Told, audit, backup, database};

/// What must be in no file.
const HUSH: &str = "canary-of-the-payload";

fn secret(number: u8) -> Secret {
    Secret::new([number; 32]).unwrap()
}

fn keys(key: Option<u8>, previous: &[u8]) -> Encryption {
    let previous: Vec<_> = previous.iter().copied().map(secret).collect();
    Encryption::new(key.map(secret).as_ref(), &previous).unwrap()
}

impl Here {
    fn open_encrypted(&self, keys: &Encryption) -> SqliteStore {
        self.open_with(|options| options.encryption = keys.clone())
    }

    fn refused(&self, keys: &Encryption) -> String {
        let options = self.options(|options| options.encryption = keys.clone());
        let refused =
            SqliteStore::open(options, std::sync::Arc::clone(&self.bed.settings.clock) as _).unwrap_err();
        assert!(matches!(refused, OpenError::KeyMissing { .. }), "{refused}");
        let reader = SqliteStore::open_read_only_with(self.folder.path(), keys).unwrap_err();
        assert_eq!(reader.to_string(), refused.to_string());
        refused.to_string()
    }

    /// Whether a text lies in some file of the folder.
    fn reveals(&self, text: &str) -> bool {
        std::fs::read_dir(self.folder.path()).unwrap().any(|entry| {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            bytes.windows(text.len()).any(|part| part == text.as_bytes())
        })
    }

    fn audited(&self, keys: &Encryption) -> Audit {
        let mut damages = Vec::new();
        let audit = audit(&database(self.folder.path()), keys, &mut |told| {
            if let Told::Damage(damage) = told {
                damages.push(damage.to_string());
            }
        });
        let audit = audit.unwrap();
        assert_eq!(audit.damaged, damages.len() as u64, "{damages:?}");
        audit
    }
}

fn answer(event: EventId, body: &str) -> Answer {
    Answer {
        event,
        destination: "app".parse().unwrap(),
        asked_at: event.made_at(),
        duration_ms: 7,
        status: 201,
        headers: Headers::from_pairs([("x-words", HUSH.as_bytes())]).unwrap(),
        body: body.to_owned().into(),
        failure: None,
        repeat_of: None,
        passed: None,
    }
}

/// Three events: one answered, one refused by its destination, who repeats what is in it.
async fn fill(here: &Here, store: &SqliteStore) -> Vec<EventId> {
    store.subscribe(&[wants("app", &["inbox"])]).await.unwrap();
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(append(store, here.bed.event("inbox", &format!("{number} {HUSH}"))).await);
    }
    for body in ["first", HUSH] {
        store.keep_answer(answer(ids[0], body)).await.unwrap();
    }
    let held = leases(store, "app", 2).await.pop().unwrap();
    let mut refused: Settlement = settlement(&held, here.bed.now(), Next::RetryAt(here.bed.now() + HOUR));
    if let Some(attempt) = &mut refused.attempt {
        attempt.outcome = AttemptOutcome::Refused { status: 400, answer: format!("what is {HUSH}?") };
    }
    store.settle(vec![refused]).await.unwrap();
    let made = store.redeliver_edited(ids[2], &"app".parse().unwrap(), edit(here)).await.unwrap();
    assert_eq!(made.map(|made| made.round), Some(1));
    ids
}

fn edit(here: &Here) -> Edit {
    let mark = Edited { by: "root".to_owned(), at: here.bed.settings.clock.now() };
    Edit { mark, headers: Headers::default(), body: format!("edited {HUSH}").into() }
}

async fn all_is_there(store: &SqliteStore, ids: &[EventId]) {
    let expected: Vec<_> = (0..3).map(|number| format!("{number} {HUSH}")).collect();
    assert_eq!(bodies(store).await[..3], expected);
    let first = store.event(ids[0]).await.unwrap().unwrap();
    assert_eq!(first.record().request.target, "/in");
    assert_eq!(first.headers().iter().next(), Some(("content-type", &b"text/plain"[..])));
    let kept = store.answer(ids[0]).await.unwrap().unwrap();
    assert_eq!((kept, store.answer(ids[1]).await), (answer(ids[0], HUSH), Ok(None)));
    let attempts = store.attempts(ids[1]).await.unwrap();
    let [attempt] = &attempts[..] else { panic!("{attempts:?}") };
    let outcome = AttemptOutcome::Refused { status: 400, answer: format!("what is {HUSH}?") };
    assert_eq!(attempt.outcome, outcome);
    let replay = DeliveryId { event: ids[2], destination: "app".parse().unwrap(), round: 1 };
    let edited = store.edit(&replay).await.unwrap().unwrap();
    assert_eq!(edited.body, format!("edited {HUSH}"));
    let query = EventQuery { text: Some(HUSH.to_uppercase()), limit: 10, ..EventQuery::default() };
    assert_eq!(store.events(&query).await.unwrap().items.len(), 3, "search looks into what is decrypted");
}

#[tokio::test]
async fn without_the_key_there_is_nothing_to_see() {
    let here = Here::new();
    let store = here.open_encrypted(&keys(Some(1), &[]));
    let ids = fill(&here, &store).await;
    assert!(!here.reveals(HUSH), "neither in the database nor in its log");
    let control = Here::new();
    fill(&control, &control.open()).await;
    assert!(control.reveals(HUSH), "without encryption it is there");
    store.close().await;
    assert!(!here.reveals(HUSH));

    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    let made = backup(here.folder.path(), &copy, false, &Encryption::default(), &mut |_| {}).unwrap();
    assert_eq!((made.audit.damaged, made.audit.unopened), (0, 5), "three events, an answer and an edit");
    let bytes = std::fs::read(&copy).unwrap();
    assert!(!bytes.windows(HUSH.len()).any(|part| part == HUSH.as_bytes()));

    let said = here.refused(&Encryption::default());
    assert!(said.contains("[store] encrypt") && said.contains("key "), "{said}");
    assert_eq!(here.refused(&keys(Some(2), &[3])), said, "it names the key that is missing");
    let store = here.open_encrypted(&keys(Some(1), &[]));
    all_is_there(&store, &ids).await;
    drop(store);
    let reader = SqliteStore::open_read_only_with(here.folder.path(), &keys(Some(1), &[])).unwrap();
    all_is_there(&reader, &ids).await;
    assert_eq!((here.audited(&keys(Some(1), &[])).unopened, here.audited(&keys(None, &[])).unopened), (0, 5));
}

#[tokio::test]
async fn a_former_key_opens_and_a_new_one_seals() {
    let here = Here::new();
    let store = here.open_encrypted(&keys(Some(1), &[]));
    let ids = fill(&here, &store).await;
    store.close().await;
    here.refused(&keys(Some(2), &[]));
    let store = here.open_encrypted(&keys(Some(2), &[1]));
    append(&store, here.bed.event("inbox", "sealed with the second")).await;
    all_is_there(&store, &ids).await;
    store.close().await;
    here.refused(&keys(Some(1), &[]));
    // Switched off: what comes is plain, and what was sealed still needs its keys.
    here.refused(&keys(None, &[2]));
    let store = here.open_encrypted(&keys(None, &[1, 2]));
    append(&store, here.bed.event("inbox", "plain again")).await;
    all_is_there(&store, &ids).await;
    store.close().await;
    assert!(here.reveals("plain again") && !here.reveals("sealed with the second"));
    let store = here.open_encrypted(&keys(Some(1), &[2]));
    assert_eq!(bodies(&store).await[3..], ["sealed with the second", "plain again"]);
    assert_eq!(here.audited(&keys(Some(1), &[2])).damaged, 0);
}

#[tokio::test]
async fn a_key_that_no_row_needs_any_more_may_go() {
    let here = Here::new();
    let store = here.open_encrypted(&keys(Some(1), &[]));
    append(&store, here.bed.event("inbox", HUSH)).await;
    store.close().await;
    let store = here.open_with(|options| {
        options.encryption = keys(Some(2), &[1]);
        options.retention_age = Some(HOUR);
    });
    here.bed.advance(HOUR * 2);
    append(&store, here.bed.event("inbox", "new")).await;
    hookhouse_testkit::store_contract::eventually("retention", async || bodies(&store).await == ["new"])
        .await;
    store.close().await;
    let store = here.open_encrypted(&keys(Some(2), &[]));
    assert_eq!(bodies(&store).await, ["new"]);
}

/// Somebody who can write the file cannot make one event out of another.
#[tokio::test]
async fn a_row_that_was_tampered_with_is_not_served() {
    let here = Here::new();
    let all = keys(Some(1), &[]);
    let store = here.open_encrypted(&all);
    let ids = fill(&here, &store).await;
    store.close().await;
    here.file()
        .execute_batch(
            "UPDATE events SET (body, checksum) = (SELECT body, checksum FROM events WHERE sequence = 1) \
             WHERE sequence = 2; \
             UPDATE answers SET body = (SELECT body FROM events WHERE sequence = 1); \
             UPDATE attempts SET detail = 'AAAA'; \
             UPDATE edits SET body = x'00';",
        )
        .unwrap();
    assert_eq!(here.audited(&all).damaged, 3);
    let store = here.open_encrypted(&all);
    assert!(store.event(ids[1]).await.is_err());
    assert_eq!(store.answer(ids[0]).await, Ok(None));
    let attempts = store.attempts(ids[1]).await.unwrap();
    let said = AttemptOutcome::Refused { status: 400, answer: "it cannot be decrypted".to_owned() };
    assert!(attempts.is_empty() || attempts[0].outcome == said, "{attempts:?}");
}

/// A store from before is encrypted from the next event on.
#[tokio::test]
async fn a_plain_store_goes_on_encrypted() {
    let here = Here::new();
    here.file().execute_batch(include_str!("format-2.sql")).unwrap();
    let store = here.open_encrypted(&keys(Some(1), &[]));
    append(&store, here.bed.event("inbox", HUSH)).await;
    let all = bodies(&store).await;
    assert!(all.len() > 4 && all.iter().any(|body| body == "delivered"), "{all:?}");
    assert_eq!(all.last().unwrap(), HUSH);
    store.close().await;
    assert!(!here.reveals(HUSH) && here.reveals("delivered"));
    assert_eq!(bodies(&here.open_encrypted(&keys(Some(1), &[]))).await, all);
}
