//! The posts in what X sends, whichever of its three products sent it.
//!
//! | family | is known by | a post is |
//! |---|---|---|
//! | X Activity | `data.event_type` | `data.payload`, its author in `data.includes.users[]`, who watches in `data.filter.user_id` |
//! | Account Activity | `for_user_id` | each of `tweet_create_events[]`, with its `user` inside |
//! | filtered stream | `matching_rules` | `data`, its author in `includes.users[]` |
//!
//! Sources: the event payloads of the three products on <https://docs.x.com>, read in August 2026. An entry of
//! `includes.users` is sometimes the user and sometimes `{"data": user}`; long texts are in `note_tweet.text` and
//! `extended_tweet.full_text`; `&`, `<` and `>` come escaped in every text.

use super::node::Node;

/// A post.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Post {
    pub(super) id: String,
    pub(super) text: String,
    pub(super) created_at: Option<String>,
    pub(super) author: Author,
}

/// Who wrote it, as far as the body tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Author {
    pub(super) id: Option<String>,
    pub(super) handle: Option<String>,
    pub(super) name: Option<String>,
}

/// What an element of a body is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Element {
    /// Something that a person wrote.
    Post(Post),
    /// A post of the very account that is watched.
    Own(Post),
    /// Something else, in words.
    Other(String),
    /// A post without an id.
    Broken(&'static str),
}

/// Everything in a body.
///
/// # Errors
/// In words, where the body is of no family.
pub(super) fn elements(body: Node<'_>) -> Result<Vec<Element>, &'static str> {
    if !body.is_object() {
        return Err("the body is not a JSON object");
    }
    if body.get("matching_rules").is_some() {
        let post = body.get("data").and_then(|post| v2(post, body.get("includes")));
        return Ok(vec![element(post, None)]);
    }
    if let Some(data) = body.get("data") {
        let events = if data.is_object() { vec![data] } else { data.items() };
        if events.iter().any(|event| event.get("event_type").is_some()) {
            return Ok(events.into_iter().map(activity).collect());
        }
    }
    if let Some(watched) = body.text_of("for_user_id") {
        return Ok(account_activity(body, &watched));
    }
    for control in ["user_event", "replay_job_status"] {
        if body.get(control).is_some() {
            return Ok(vec![Element::Other(format!("`{control}` is no post"))]);
        }
    }
    Err("the body is of no family that X is known to send")
}

/// One event of the X Activity API.
fn activity(event: Node<'_>) -> Element {
    let kind = event.text_of("event_type").unwrap_or_default();
    match kind.as_str() {
        "post.create" | "post.mention.create" | "post.reply.create" | "post.quote.create" => {
            let post = event.get("payload").and_then(|payload| v2(payload, event.get("includes")));
            element(post, event.at(["filter", "user_id"]).and_then(Node::text).as_deref())
        }
        "post.repost.create" => Element::Other(REPOST.to_owned()),
        _ => Element::Other(format!("`{}` is no post", crate::response::printable(kind.as_bytes(), 64))),
    }
}

fn account_activity(body: Node<'_>, watched: &str) -> Vec<Element> {
    let Some(posts) = body.get("tweet_create_events") else {
        return vec![Element::Other("an Account Activity event that is no post".to_owned())];
    };
    posts.items().into_iter().map(|post| element(v1(post), Some(watched))).collect()
}

/// What a post is to whoever watches.
fn element(read: Option<Read>, watched: Option<&str>) -> Element {
    match read {
        None => Element::Broken("a post without an id"),
        Some(Read { repost: true, .. }) => Element::Other(REPOST.to_owned()),
        Some(Read { post, .. }) if watched.is_some() && post.author.id.as_deref() == watched => {
            Element::Own(post)
        }
        Some(Read { post, .. }) => Element::Post(post),
    }
}

struct Read {
    post: Post,
    repost: bool,
}

/// A post of API v2.
fn v2(post: Node<'_>, includes: Option<Node<'_>>) -> Option<Read> {
    let author_id = post.text_of("author_id");
    let users = includes.and_then(|includes| includes.get("users")).map(Node::items).unwrap_or_default();
    let author = users
        .into_iter()
        .map(|user| user.get("data").unwrap_or(user))
        .find(|user| author_id.is_some() && user.text_of("id") == author_id);
    let text = post.at(["note_tweet", "text"]).or_else(|| post.get("text"));
    let referenced = post.get("referenced_tweets").map(Node::items).unwrap_or_default();
    Some(Read {
        repost: referenced.iter().any(|other| other.text_of("type").as_deref() == Some("retweeted")),
        post: Post {
            id: id(post)?,
            text: text.and_then(Node::text).map(|text| unescaped(&text)).unwrap_or_default(),
            created_at: post.text_of("created_at"),
            author: Author {
                handle: author.and_then(|author| author.text_of("username")),
                name: author.and_then(|author| author.text_of("name")),
                id: author_id,
            },
        },
    })
}

/// A post of API v1.1.
fn v1(post: Node<'_>) -> Option<Read> {
    let text = post.at(["extended_tweet", "full_text"]).or_else(|| post.get("full_text"));
    let text = text.or_else(|| post.get("text"));
    let user = post.get("user");
    Some(Read {
        repost: post.get("retweeted_status").is_some(),
        post: Post {
            id: id(post)?,
            text: text.and_then(Node::text).map(|text| unescaped(&text)).unwrap_or_default(),
            created_at: post.text_of("created_at"),
            author: Author {
                id: user.and_then(id),
                handle: user.and_then(|user| user.text_of("screen_name")),
                name: user.and_then(|user| user.text_of("name")),
            },
        },
    })
}

/// `id_str`, else `id` as it was written; digits, because it becomes part of keys and links.
fn id(node: Node<'_>) -> Option<String> {
    let id = node.text_of("id_str").or_else(|| node.text_of("id"))?;
    (!id.is_empty() && id.len() <= 19 && id.bytes().all(|b| b.is_ascii_digit())).then_some(id)
}

/// X escapes three characters of a text, and no others.
fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

const REPOST: &str = "a repost says nothing of its own";

#[cfg(test)]
mod tests;
