use super::*;

fn read(body: &str) -> Result<Vec<Element>, &'static str> {
    elements(Node::parse(body.as_bytes()).unwrap())
}

fn post(element: &Element) -> &Post {
    match element {
        Element::Post(post) | Element::Own(post) => post,
        other => panic!("{other:?}"),
    }
}

const ID: &str = "2046318829014921217";

/// The same post in every body that it can come in.
#[test]
fn one_post_is_the_same_in_every_family() {
    let (activity, wrapped, account, stream) = bodies();
    for body in [activity, wrapped, account, stream] {
        let read = read(&body).unwrap();
        let found = post(&read[0]);
        assert_eq!((found.id.as_str(), found.text.as_str()), (ID, "is <8> & 9 too early? 💡"), "{body}");
        let author = &found.author;
        assert_eq!(
            (author.id.as_deref(), author.handle.as_deref(), author.name.as_deref()),
            (Some("9007199254740993"), Some("early_riser"), Some("Early Riser")),
            "{body}"
        );
    }
}

fn bodies() -> (String, String, String, String) {
    let text = r"is &lt;8&gt; &amp; 9 too early? \ud83d\udca1";
    let user = r#"{"id":"9007199254740993","username":"early_riser","name":"Early Riser"}"#;
    let v2 = format!(r#"{{"id":"{ID}","author_id":"9007199254740993","text":"{text}"}}"#);
    let event = format!(
        r#"{{"event_type":"post.mention.create","filter":{{"user_id":"1"}},"payload":{v2},"includes":{{"users":[{{"id":"1"}},{user}]}}}}"#
    );
    let note = format!(
        r#"{{"data":[{{"event_type":"post.create","payload":{{"id":"{ID}","author_id":"9007199254740993","text":"cut","note_tweet":{{"text":"{text}"}}}},"includes":{{"users":[{{"data":{user}}}]}}}}]}}"#
    );
    let v1 = format!(
        r#"{{"for_user_id":"1","tweet_create_events":[{{"id":{ID},"text":"cut","truncated":true,"extended_tweet":{{"full_text":"{text}"}},"retweeted_status":null,"user":{{"id":9007199254740993,"screen_name":"early_riser","name":"Early Riser"}}}}]}}"#
    );
    let stream =
        format!(r#"{{"data":{v2},"includes":{{"users":[{user}]}},"matching_rules":[{{"id":"7"}}]}}"#);
    (format!(r#"{{"data":{event}}}"#), note, v1, stream)
}

#[test]
fn what_is_own_a_repost_or_no_post_is_told_apart() {
    let own = r#"{"for_user_id":"5","tweet_create_events":[{"id_str":"1","text":"a","user":{"id_str":"5"}},{"id_str":"2","text":"b","user":{"id_str":"6"}},{"id_str":"3","user":{"id_str":"7"},"retweeted_status":{"id_str":"1"}}]}"#;
    let found = read(own).unwrap();
    assert!(
        matches!(&found[..], [Element::Own(_), Element::Post(_), Element::Other(why)] if why == REPOST),
        "{found:?}"
    );
    for (body, words) in [
        (r#"{"data":{"event_type":"post.repost.create","payload":{"id":"1"}}}"#, "repost"),
        (
            r#"{"data":{"event_type":"post.create","payload":{"id":"1","referenced_tweets":[{"type":"retweeted","id":"9"}]}}}"#,
            "repost",
        ),
        (r#"{"data":{"event_type":"dm.indicate_typing","payload":{}}}"#, "`dm.indicate_typing` is no post"),
        (r#"{"data":{"event_type":"dm.read","payload":{}}}"#, "`dm.read` is no post"),
        (r#"{"data":{"event_type":"post.delete","payload":{"id":"1"}}}"#, "`post.delete` is no post"),
        (r#"{"for_user_id":"5","direct_message_indicate_typing_events":[{}]}"#, "no post"),
        (r#"{"for_user_id":"5","direct_message_mark_read_events":[{}]}"#, "no post"),
        (r#"{"for_user_id":"5","favorite_events":[{}]}"#, "no post"),
        (r#"{"user_event":{"revoke":{}}}"#, "`user_event` is no post"),
        (r#"{"replay_job_status":{"job_state":"Complete"}}"#, "`replay_job_status` is no post"),
    ] {
        let found = read(body).unwrap();
        assert!(matches!(&found[..], [Element::Other(why)] if why.contains(words)), "{body}: {found:?}");
    }
    // Whoever is watched is known by the filter alone; a filter by keyword watches nobody.
    let with = |filter: &str| {
        read(&format!(
            r#"{{"data":{{"event_type":"post.create","filter":{filter},"payload":{{"id":"1","author_id":"5"}}}}}}"#
        ))
        .unwrap()
        .remove(0)
    };
    assert!(matches!(with(r#"{"user_id":"5"}"#), Element::Own(_)));
    assert!(matches!(with(r#"{"user_id":"6"}"#), Element::Post(_)));
    assert!(matches!(with(r#"{"keyword":"ferry"}"#), Element::Post(_)));
}

#[test]
fn what_should_be_a_post_and_is_none_is_an_error() {
    for body in [
        r#"{"data":{"event_type":"post.create"}}"#,
        r#"{"data":{"event_type":"post.create","payload":{"text":"a"}}}"#,
        r#"{"data":{"event_type":"post.create","payload":{"id":"../1"}}}"#,
        r#"{"data":{"event_type":"post.create","payload":{"id":"12345678901234567890"}}}"#,
        r#"{"data":{"event_type":"post.create","payload":{"id":1e5}}}"#,
        r#"{"matching_rules":[]}"#,
        r#"{"for_user_id":"1","tweet_create_events":["text"]}"#,
    ] {
        assert!(matches!(&read(body).unwrap()[..], [Element::Broken(_)]), "{body}");
    }
    for body in ["[]", "7", "\"text\"", "{}", r#"{"data":{}}"#, r#"{"data":[{"id":"1"}]}"#, r#"{"data":7}"#] {
        assert!(read(body).is_err(), "{body}");
    }
    assert_eq!(read(r#"{"for_user_id":"1","tweet_create_events":[]}"#), Ok(Vec::new()));
}
