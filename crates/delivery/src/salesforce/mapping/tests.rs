use hookhouse_core::event::{Arrival, Event};
use hookhouse_core::{EventId, Request, Sequence, Timestamp};
use hookhouse_verify::danger::Unsigned;

use super::*;

fn event(body: &str) -> StoredEvent {
    let request = Request::new("POST", "/x", &[] as &[(&str, &str)], body.to_owned()).unwrap();
    let arrival = Arrival {
        source: "x-prod".parse().unwrap(),
        received_at: "2026-11-22T10:00:00.5Z".parse().unwrap(),
        peer: None,
        dedupe_window: std::time::Duration::ZERO,
        repeats: hookhouse_core::Repeats::default(),
    };
    let record = Event::accept(Unsigned::accept(request), arrival).into_record();
    let id = EventId::with_position(Timestamp::UNIX_EPOCH, 7, 7);
    StoredEvent::from_store(id, Sequence(7), record)
}

fn template(text: &str, origin: Origin) -> Template {
    Template::parse(text, &origin.names()).unwrap()
}

fn posts(fields: &[(&str, &str)], own_posts: bool) -> Mapping {
    let fields =
        fields.iter().map(|(name, text)| ((*name).to_owned(), template(text, Origin::XPosts))).collect();
    Mapping::new(Origin::XPosts, "Case", None, fields, own_posts).unwrap()
}

fn field<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    record.fields.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
}

fn mention(text: &str) -> String {
    format!(
        r#"{{"data":{{"event_type":"post.mention.create","filter":{{"user_id":"1"}},"payload":{{"id":"42","author_id":"5","text":{}}},"includes":{{"users":[{{"id":"5","username":"early_riser","name":"Early Riser"}}]}}}}}}"#,
        serde_json::to_string(text).unwrap()
    )
}

#[test]
fn a_case_from_a_post_needs_no_fields_of_ones_own() {
    let mapped = posts(&[], false).apply(&event(&mention("is the 8 o'clock\nferry running?")));
    let expected = [
        ("Subject", "@early_riser: is the 8 o'clock ferry running?"),
        ("Description", "is the 8 o'clock\nferry running?\n\nhttps://x.com/early_riser/status/42"),
        ("Origin", "X"),
        ("SuppliedName", "Early Riser"),
        ("X_Post_Id__c", "42"),
        ("X_Author_Id__c", "5"),
        ("X_Received_At__c", "2026-11-22T10:00:00.500Z"),
    ];
    let fields = expected.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec();
    let record = Record { key: "x-prod:post:42".to_owned(), fields };
    assert_eq!(mapped, Mapped { records: vec![record], ..Mapped::default() });
}

#[test]
fn ones_own_fields_overrule_complete_and_remove() {
    let own = [("Origin", "Social"), ("X_Post_Id__c", ""), ("Kind__c", "{body.data.filter.user_id} {key}")];
    let mapped = posts(&own, false).apply(&event(&mention("a")));
    let record = &mapped.records[0];
    assert_eq!(field(record, "Origin"), Some("Social"));
    assert_eq!(field(record, "X_Post_Id__c"), None);
    assert_eq!(field(record, "Kind__c"), Some("1 x-prod:post:42"));
    assert_eq!(field(record, "SuppliedName"), Some("Early Riser"));
}

#[test]
fn what_is_too_long_is_cut_to_the_size_of_its_field() {
    let long = "ö".repeat(40_000);
    let body = mention(&long).replace("Early Riser", &"💡".repeat(60));
    let record = posts(&[], false).apply(&event(&body)).records.remove(0);
    let units = |name| field(&record, name).unwrap().encode_utf16().count();
    assert_eq!((units("Subject"), units("SuppliedName")), (255, 79));
    assert!(units("Description") <= 32_000);
    assert!(field(&record, "Subject").unwrap().ends_with("ö…"));
    // The link outlives the cut.
    assert!(field(&record, "Description").unwrap().ends_with("ö…\n\nhttps://x.com/early_riser/status/42"));
}

#[test]
fn an_author_that_is_not_in_the_body_is_named_by_what_is() {
    let body = r#"{"data":{"id":"42","author_id":"5","text":"a"},"matching_rules":[]}"#;
    let record = posts(&[], false).apply(&event(body)).records.remove(0);
    assert_eq!(field(&record, "Subject"), Some("user 5: a"));
    assert_eq!(field(&record, "Description"), Some("a\n\nhttps://x.com/i/status/42"));
    assert_eq!(field(&record, "SuppliedName"), None);
}

#[test]
fn own_posts_are_left_out_unless_they_are_wanted() {
    let body = mention("a").replace(r#""user_id":"1""#, r#""user_id":"5""#);
    let mapped = posts(&[], false).apply(&event(&body));
    assert_eq!((mapped.records.len(), mapped.skipped.len()), (0, 1));
    assert_eq!(posts(&[], true).apply(&event(&body)).records.len(), 1);
}

#[test]
fn a_body_with_many_posts_is_many_records_and_each_once() {
    let post = |id: u32, author: u32| {
        format!(r#"{{"id_str":"{id}","text":"a","user":{{"id_str":"{author}","screen_name":"u{author}"}}}}"#)
    };
    let posts_of = [post(1, 7), post(2, 8), post(1, 7), post(3, 5)].join(",");
    let broken = r#"{"text":"no id"}"#;
    let body = format!(r#"{{"for_user_id":"5","tweet_create_events":[{posts_of},{broken}]}}"#);
    let mapped = posts(&[], false).apply(&event(&body));
    let keys: Vec<_> = mapped.records.iter().map(|record| record.key.as_str()).collect();
    assert_eq!(keys, ["x-prod:post:1", "x-prod:post:2"]);
    assert_eq!((mapped.skipped.len(), mapped.broken.len()), (1, 1));
}

#[test]
fn any_event_can_be_a_record() {
    let fields = vec![
        ("Name".to_owned(), template("{body.order.lines.1.name|cut:5}", Origin::Event)),
        ("Number__c".to_owned(), template("{body.order.id}", Origin::Event)),
        ("Event__c".to_owned(), template("{event.type}", Origin::Event)),
    ];
    let mapping = Mapping::new(Origin::Event, "Order__c", None, fields.clone(), false).unwrap();
    let body = r#"{"order":{"id":12345678901234567890123,"lines":[{"name":"a"},{"name":"cinnamon"}]}}"#;
    let event = event(body);
    let record = mapping.apply(&event).records.remove(0);
    assert_eq!(record.key, format!("x-prod:{}", event.id()));
    let fields_of = |record: &Record| record.fields.clone();
    assert_eq!(
        fields_of(&record),
        [("Name", "cinn…"), ("Number__c", "12345678901234567890123")]
            .map(|(n, t)| (n.to_owned(), t.to_owned()))
    );

    let key = Some(template("{body.order.number}", Origin::Event));
    let mapping = Mapping::new(Origin::Event, "Order__c", key, fields, false).unwrap();
    assert_eq!(mapping.apply(&event).broken, ["the key of the record is empty"]);
    assert_eq!(mapping.apply(&self::event("no JSON")).broken, ["the key of the record is empty"]);
}

#[test]
fn what_is_no_body_of_x_is_an_error_and_not_a_silence() {
    for body in ["", "text", "{}", "[1]"] {
        let mapped = posts(&[], false).apply(&event(body));
        assert_eq!((mapped.records.len(), mapped.skipped.len(), mapped.broken.len()), (0, 0, 1), "{body}");
    }
}
