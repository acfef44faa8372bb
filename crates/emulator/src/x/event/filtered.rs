//! The filtered stream's bodies: a post, and the rules that it matches. No type, no user; `matching_rules` alone tells
//! what it is.

use serde_json::{Value, json};

use super::{Happening, What};
use crate::x::delivery::Content;
use crate::x::ids::WebhookId;
use crate::x::ledger::Family;
use crate::x::state::State;

impl State {
    /// A body for every link, where a rule matches.
    pub(super) fn stream_bodies(&self, happening: &Happening) -> Vec<(WebhookId, Content)> {
        let What::Posted(post) = &happening.what else { return Vec::new() };
        if self.links.is_empty() || self.users.find(post.author).is_none_or(|author| author.protected) {
            return Vec::new();
        }
        let matching: Vec<_> = self.rules.values().filter(|rule| rule.matches(post, &self.users)).collect();
        if matching.is_empty() {
            return Vec::new();
        }
        let rules: Vec<_> = matching
            .into_iter()
            .map(|rule| json!({ "id": rule.id.to_string(), "tag": rule.tag.as_deref().unwrap_or_default() }))
            .collect();
        let whole = self.post_v2(post);
        let links = self.links.iter().map(|link| {
            let mut data = whole.clone();
            if let Value::Object(data) = &mut data {
                data.retain(|field, _| ALWAYS.contains(&field.as_str()) || link.fields.contains(field));
            }
            let mut body = json!({ "data": data, "matching_rules": rules });
            if link.expansions.iter().any(|expansion| expansion == "author_id") {
                body["includes"] = json!({ "users": self.people_of(post) });
            }
            (link.webhook, Content::Plain(Family::Stream, "matching_rules".to_owned(), body))
        });
        links.collect()
    }
}

/// The fields of every post.
const ALWAYS: [&str; 3] = ["edit_history_tweet_ids", "id", "text"];
