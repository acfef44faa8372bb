//! What people have posted.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::ids::{PostId, UserId};

/// A post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Post {
    pub(super) id: PostId,
    pub(super) author: UserId,
    pub(super) at: Timestamp,
    pub(super) text: String,
    /// What it refers to, and the author of that.
    pub(super) refers: Option<Reference>,
    /// The first post of the conversation.
    pub(super) conversation: PostId,
}

/// How a post refers to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) how: How,
    pub(super) post: PostId,
    pub(super) author: UserId,
}

/// The ways of referring to a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Reply,
    Quote,
    Repost,
}

impl How {
    /// The word of version 2.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Reply => "replied_to",
            Self::Quote => "quoted",
            Self::Repost => "retweeted",
        }
    }
}

impl Post {
    /// The post that it refers to in this way.
    pub(super) fn refers(&self, how: How) -> Option<Reference> {
        self.refers.filter(|reference| reference.how == how)
    }
}

/// The posts that are still there, the newest ones.
#[derive(Debug, Default)]
pub(super) struct Posts(BTreeMap<PostId, Post>);

impl Posts {
    pub(super) fn add(&mut self, post: Post) {
        self.0.insert(post.id, post);
        if self.0.len() > MOST {
            self.0.pop_first();
        }
    }

    pub(super) fn find(&self, id: PostId) -> Option<&Post> {
        self.0.get(&id)
    }

    pub(super) fn remove(&mut self, id: PostId) -> Option<Post> {
        self.0.remove(&id)
    }

    /// The newest post of a user that is no repost.
    pub(super) fn latest_of(&self, author: UserId) -> Option<&Post> {
        self.0.values().rev().find(|post| post.author == author && post.refers(How::Repost).is_none())
    }
}

/// How many posts are kept; older ones can no longer be liked or answered.
const MOST: usize = 100_000;
