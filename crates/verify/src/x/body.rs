//! The kind of event in a body, at a glance.

use crate::json;

/// X's name for the kind of event; `None` where a glance does not tell.
///
/// X Activity says it in `data.event_type`. Filtered-stream posts say nothing and are known by `matching_rules`.
/// Account Activity has one key per kind, `…_events` or `user_event`; `replay_job_status` ends a replay.
pub(super) fn event_type(body: &[u8]) -> Option<String> {
    if let Some(event_type) = json::text_at(body, ["data", "event_type"]) {
        return json::label(&event_type);
    }
    json::pick_key(body, |key| match key {
        "matching_rules" => Some("matching".to_owned()),
        "user_event" | "replay_job_status" => Some(key.to_owned()),
        _ if key.ends_with("_events") => json::label(key),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_is_recognised() {
        for (body, expected) in [
            (r#"{"data":{"event_uuid":"-1","event_type":"post.create","payload":{}}}"#, Some("post.create")),
            (r#"{"data":{"id":"1","text":"event_type"},"matching_rules":[{"id":"9"}]}"#, Some("matching")),
            (r#"{"for_user_id":"1","tweet_create_events":[{}]}"#, Some("tweet_create_events")),
            (
                r#"{"for_user_id":"1","apps":{},"users":{},"direct_message_events":[]}"#,
                Some("direct_message_events"),
            ),
            (r#"{"user_event":{"revoke":{}}}"#, Some("user_event")),
            (r#"{"replay_job_status":{"job_state":"Complete"}}"#, Some("replay_job_status")),
            (r#"{"for_user_id":"1"}"#, None),
            (r#"{"data":{"event_type":7e999}}"#, None),
            (r#"{"data":{"event_type":"a b\u0000"}}"#, None),
            (r#"{"data":[{"event_type":"post.create"}]}"#, None),
            ("{}", None),
        ] {
            assert_eq!(event_type(body.as_bytes()).as_deref(), expected, "{body}");
        }
    }
}
