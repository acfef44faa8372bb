//! What makes two elements of two bodies the same thing that happened.
//!
//! The ledger names events by these keys, and a test that compares them with what arrived somewhere reads the bodies
//! with the same function. Nothing here is shared with the code under test.

use serde_json::Value;

/// The keys of what a body tells, one for each element: the same for a retry, a duplicate and a replay, another for
/// everything else. A body that none of X's products sends has none.
#[must_use]
pub fn keys_in(body: &[u8]) -> Vec<String> {
    let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    let at = |path: &str| body.get(path);
    if let Some(events) = at("data").filter(|data| data.get("event_type").is_some() || data.is_array()) {
        let events = events.as_array().map_or(std::slice::from_ref(events), Vec::as_slice);
        return events.iter().map(activity).collect();
    }
    if at("matching_rules").is_some() {
        return vec![format!("stream:{}", text(at("data").and_then(|data| data.get("id"))))];
    }
    if let Some(status) = at("replay_job_status") {
        return vec![format!("replay:{}:{}", text(status.get("job_id")), text(status.get("job_state")))];
    }
    if let Some(revoke) = at("user_event").and_then(|event| event.get("revoke")) {
        let user = revoke.pointer("/source/user_id");
        return vec![format!("revoke:{}:{}", text(user), text(revoke.get("date_time")))];
    }
    let for_user = text(at("for_user_id"));
    let lists = body.iter().filter_map(|(key, list)| Some((key, list.as_array()?)));
    lists
        .flat_map(|(key, elements)| elements.iter().map(move |element| (key, element)).collect::<Vec<_>>())
        .map(|(key, element)| format!("account:{for_user}:{key}:{}", own_id(element)))
        .collect()
}

/// The uuid alone is not enough: that of a post is the post's id, under every subscription that it matches.
fn activity(event: &Value) -> String {
    let filter = event.get("filter").map(Value::to_string).unwrap_or_default();
    format!("activity:{}:{filter}:{}", text(event.get("event_type")), text(event.get("event_uuid")))
}

/// An element's id where it has one, else what tells it from others of its kind.
fn own_id(element: &Value) -> String {
    let named = ["id_str", "id"].into_iter().find_map(|name| element.get(name));
    if let Some(id) = named.or_else(|| element.pointer("/status/id")) {
        return text(Some(id));
    }
    let parts =
        ["/type", "/created_timestamp", "/source/id", "/sender_id", "/target/id", "/target/recipient_id"];
    let parts: Vec<_> = parts.into_iter().filter_map(|part| element.pointer(part)).collect();
    parts.into_iter().map(|part| text(Some(part))).collect::<Vec<_>>().join("/")
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_keys_and_every_element_its_own() {
        let cases: &[(&str, &[&str])] = &[
            (
                r#"{"data":{"event_uuid":"-2","filter":{"user_id":"1"},"event_type":"post.delete","payload":{"id":"9"}}}"#,
                &[r#"activity:post.delete:{"user_id":"1"}:-2"#],
            ),
            (r#"{"data":{"id":"9"},"matching_rules":[{"id":"3"}]}"#, &["stream:9"]),
            (
                r#"{"for_user_id":"1","tweet_create_events":[{"id":9,"id_str":"9"},{"id_str":"10"}]}"#,
                &["account:1:tweet_create_events:9", "account:1:tweet_create_events:10"],
            ),
            (
                r#"{"for_user_id":"1","follow_events":[{"type":"follow","created_timestamp":"5","source":{"id":"2"},"target":{"id":"1"}}]}"#,
                &["account:1:follow_events:follow/5/2/1"],
            ),
            (
                r#"{"for_user_id":"1","tweet_delete_events":[{"status":{"id":"9","user_id":"1"}}]}"#,
                &["account:1:tweet_delete_events:9"],
            ),
            (r#"{"replay_job_status":{"job_id":"4","job_state":"Complete"}}"#, &["replay:4:Complete"]),
            (r#"{"user_event":{"revoke":{"date_time":"t","source":{"user_id":"7"}}}}"#, &["revoke:7:t"]),
            (r#"{"hello":"world"}"#, &[]),
            ("[1]", &[]),
            ("not json", &[]),
        ];
        for (body, expected) in cases {
            assert_eq!(keys_in(body.as_bytes()), *expected, "{body}");
        }
    }
}
