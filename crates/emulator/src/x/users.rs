//! The people of the platform.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::ids::UserId;

/// A user that is to be there from the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// The @name, without the @.
    pub handle: String,
    /// The display name.
    pub name: String,
    /// The id; without one, the platform gives one beyond 2^53.
    pub id: Option<UserId>,
    /// Protected accounts' posts are delivered to nobody through the X Activity API and the filtered stream.
    pub protected: bool,
}

impl NewUser {
    /// A public account.
    #[must_use]
    pub fn new(handle: &str, name: &str) -> Self {
        Self { handle: handle.to_owned(), name: name.to_owned(), id: None, protected: false }
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The @name, without the @.
    pub handle: String,
    /// The display name.
    pub name: String,
    /// What they say about themselves.
    pub bio: String,
    /// Whether only followers see the posts.
    pub protected: bool,
    /// When the account was made.
    pub created_at: Timestamp,
}

impl User {
    /// As version 2 has a user.
    pub(super) fn v2(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "username": self.handle,
            "name": self.name,
            "description": self.bio,
            "protected": self.protected,
            "verified": false,
            "verified_type": "none",
            "created_at": rfc3339_ms(self.created_at),
        })
    }

    /// As version 1.1 has one in a post: the number itself is there too, and does not fit a double.
    pub(super) fn v1(&self) -> Value {
        json!({
            "id": self.id.0,
            "id_str": self.id.to_string(),
            "name": self.name,
            "screen_name": self.handle,
            "description": self.bio,
            "protected": self.protected,
            "verified": false,
            "created_at": x_time(self.created_at),
        })
    }

    /// As a follow, a block or a mute has one: ids are strings there.
    pub(super) fn v1_party(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "name": self.name,
            "screen_name": self.handle,
            "protected": self.protected,
            "verified": false,
        })
    }

    /// As a direct message has one.
    pub(super) fn v1_correspondent(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "created_timestamp": self.created_at.as_millisecond().to_string(),
            "name": self.name,
            "screen_name": self.handle,
            "protected": self.protected,
            "verified": false,
        })
    }
}

/// Everybody.
#[derive(Debug, Default)]
pub(super) struct Users(BTreeMap<UserId, User>);

impl Users {
    pub(super) fn add(&mut self, user: User) {
        self.0.insert(user.id, user);
    }

    pub(super) fn find(&self, id: UserId) -> Option<&User> {
        self.0.get(&id)
    }

    pub(super) fn find_mut(&mut self, id: UserId) -> Option<&mut User> {
        self.0.get_mut(&id)
    }

    /// By handle, with or without the @, in any case.
    pub(super) fn by_handle(&self, handle: &str) -> Option<&User> {
        let handle = handle.strip_prefix('@').unwrap_or(handle);
        self.0.values().find(|user| user.handle.eq_ignore_ascii_case(handle))
    }

    /// By handle or id.
    pub(super) fn named(&self, name: &str) -> Option<&User> {
        self.by_handle(name).or_else(|| self.find(name.parse().ok()?))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &User> {
        self.0.values()
    }

    /// The handles that a text mentions, and where: start and end in characters, the @ included.
    pub(super) fn mentioned_in(&self, text: &str) -> Vec<(usize, usize, &User)> {
        let characters: Vec<char> = text.chars().collect();
        let part = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        let mut found = Vec::new();
        for (start, _) in characters.iter().enumerate().filter(|(_, c)| **c == '@') {
            // The @ of a mail address mentions nobody.
            if start.checked_sub(1).and_then(|before| characters.get(before)).is_some_and(part) {
                continue;
            }
            let handle: String = characters.iter().skip(start + 1).take_while(|c| part(c)).collect();
            if let Some(user) = self.by_handle(&handle) {
                found.push((start, start + 1 + handle.len(), user));
            }
        }
        found
    }
}

/// `2026-11-22T03:54:00.125Z`, as version 2 writes times.
pub(super) fn rfc3339_ms(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// `Sun Nov 22 03:54:00 +0000 2026`, as version 1.1 writes them.
pub(super) fn x_time(at: Timestamp) -> String {
    at.strftime("%a %b %d %H:%M:%S +0000 %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_are_whole_handles_of_people_there_are() {
        let mut users = Users::default();
        for (id, handle) in [(1, "bob"), (2, "bobby")] {
            users.add(User {
                id: UserId(id),
                handle: handle.to_owned(),
                name: String::new(),
                bio: String::new(),
                protected: false,
                created_at: Timestamp::UNIX_EPOCH,
            });
        }
        let found = |text| -> Vec<_> {
            users.mentioned_in(text).into_iter().map(|(start, end, user)| (start, end, user.id.0)).collect()
        };
        assert_eq!(found("é @Bob, @bobby!"), [(2, 6, 1), (8, 14, 2)]);
        assert_eq!(found("mail me@bob or @nobody or @"), []);
        assert_eq!(users.named("2").map(|user| user.handle.as_str()), Some("bobby"));
    }
}
