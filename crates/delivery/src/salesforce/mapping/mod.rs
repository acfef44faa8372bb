//! From an event to the records that it becomes.
//!
//! | mapping | records | names in templates |
//! |---|---|---|
//! | `event` | one for every event | `source`, `received_at`, `event.id`, `event.type`, `key`, `body.…` |
//! | `x-posts` | one for every post in the body, of whichever of X's products | those, and `id`, `text`, `url`, `created_at`, `author`, `author.id`, `author.handle`, `author.name` |
//!
//! # The key
//!
//! A record is made once because its key says what it stands for, not how it came. For `x-posts` that is
//! `SOURCE:post:ID`: the source (and with it the app), that it is a post, and the post's id. A post that comes again in
//! another body, through another subscription or by another of X's products has the same key, so it finds the record
//! that is there. For `event` it is `SOURCE:EVENT-ID`: the same for every attempt and replay of an event. `key` is a
//! template as the fields are.
//!
//! # What is left out
//!
//! Own posts (the author is the account that is watched; `own_posts` keeps them), reposts, and everything that is no
//! post: likes, follows, messages, typing and read events, control events. Fields that come out empty are not sent, so
//! that a poor repeat does not wipe what a rich one wrote. An element that should be a post and cannot be read is an
//! error, so that nothing is lost in silence.

mod node;
mod posts;
mod template;

use std::collections::HashSet;

use hookhouse_core::StoredEvent;

use self::node::Node;
use self::posts::{Element, Post};
pub(crate) use self::template::cut;
pub use self::template::{Names, Template, TemplateError};

/// Where records come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// One from each event.
    Event,
    /// One from each post in an event of X's.
    XPosts,
}

impl Origin {
    /// What templates may name.
    #[must_use]
    pub fn names(self) -> Names<'static> {
        Names { fixed: if self == Self::XPosts { OF_POSTS } else { OF_EVENTS }, body: true }
    }

    /// What the template of the key may name: everything but itself.
    #[must_use]
    pub fn names_of_key(self) -> Names<'static> {
        let names = self.names();
        Names { fixed: names.fixed.split_first().map_or(&[], |(_, others)| others), ..names }
    }

    /// The template of the key, where nothing else is said.
    fn key(self) -> &'static str {
        match self {
            Self::Event => "{source}:{event.id}",
            Self::XPosts => "{source}:post:{id}",
        }
    }

    /// The fields that are filled where nothing else is said.
    fn fields(self, object: &str) -> &'static [(&'static str, &'static str)] {
        if self == Self::XPosts && object == CASE { CASE_OF_A_POST } else { &[] }
    }
}

/// How events become records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    origin: Origin,
    key: Template,
    fields: Vec<Field>,
    own_posts: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    name: String,
    template: Template,
    most: Option<usize>,
}

/// A record to be written: its key, and its fields that are not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) key: String,
    pub(crate) fields: Vec<(String, String)>,
}

/// What an event becomes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mapped {
    pub(crate) records: Vec<Record>,
    /// Why elements are left out.
    pub(crate) skipped: Vec<String>,
    /// Why elements cannot be written.
    pub(crate) broken: Vec<String>,
}

impl Mapping {
    /// The mapping to an object: the ready fields of `origin`, overruled and completed by `fields`.
    ///
    /// # Errors
    /// When a ready template is none, which a test rules out.
    pub fn new(
        origin: Origin,
        object: &str,
        key: Option<Template>,
        fields: Vec<(String, Template)>,
        own_posts: bool,
    ) -> Result<Self, TemplateError> {
        let names = origin.names();
        let mut all = Vec::new();
        for (name, text) in origin.fields(object) {
            if !fields.iter().any(|(own, _)| own == name) {
                all.push(((*name).to_owned(), Template::parse(text, &names)?));
            }
        }
        all.extend(fields);
        let key = key.map_or_else(|| Template::parse(origin.key(), &origin.names_of_key()), Ok)?;
        let fields = all
            .into_iter()
            .map(|(name, template)| Field { most: most(object, &name), name, template })
            .collect();
        Ok(Self { origin, key, fields, own_posts })
    }

    /// Whether nothing but the key would be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The records of an event.
    pub(crate) fn apply(&self, event: &StoredEvent) -> Mapped {
        let body = Node::parse(event.body());
        let mut mapped = Mapped::default();
        let mut seen = HashSet::new();
        match (self.origin, body) {
            (Origin::Event, body) => self.add(event, body, None, &mut seen, &mut mapped),
            (Origin::XPosts, None) => mapped.broken.push("the body is not JSON".to_owned()),
            (Origin::XPosts, Some(body)) => match posts::elements(body) {
                Err(why) => mapped.broken.push(why.to_owned()),
                Ok(elements) if elements.is_empty() => {
                    mapped.skipped.push("there is nothing in the body".to_owned());
                }
                Ok(elements) => {
                    for element in elements {
                        match element {
                            Element::Own(_) if !self.own_posts => {
                                mapped.skipped.push("a post of the watched account itself".to_owned());
                            }
                            Element::Own(post) | Element::Post(post) => {
                                self.add(event, Some(body), Some(&post), &mut seen, &mut mapped);
                            }
                            Element::Other(what) => mapped.skipped.push(what),
                            Element::Broken(why) => mapped.broken.push(why.to_owned()),
                        }
                    }
                }
            },
        }
        mapped
    }

    fn add(
        &self,
        event: &StoredEvent,
        body: Option<Node<'_>>,
        post: Option<&Post>,
        seen: &mut HashSet<String>,
        mapped: &mut Mapped,
    ) {
        let common = |name: &str| value(name, event, body, post);
        let key = self.key.render(&common);
        if key.is_empty() || key.len() > LONGEST_KEY {
            let what = if key.is_empty() { "is empty" } else { "is longer than 255 characters" };
            mapped.broken.push(format!("the key of the record {what}"));
            return;
        }
        // A post that comes twice in one body is one record.
        if !seen.insert(key.clone()) {
            return;
        }
        let named = |name: &str| if name == "key" { Some(key.clone()) } else { common(name) };
        let mut fields = Vec::new();
        for field in &self.fields {
            let text = field.template.render(&named);
            let text = field.most.map_or_else(|| text.as_str().into(), |most| cut(&text, most));
            if !text.trim().is_empty() {
                fields.push((field.name.clone(), text.into_owned()));
            }
        }
        mapped.records.push(Record { key, fields });
    }
}

/// What a name stands for.
fn value(name: &str, event: &StoredEvent, body: Option<Node<'_>>, post: Option<&Post>) -> Option<String> {
    if let Some(path) = name.strip_prefix("body.") {
        return body?.at(path.split('.'))?.text();
    }
    let record = event.record();
    match name {
        "source" => return Some(record.source.to_string()),
        "received_at" => return Some(record.received_at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()),
        "event.id" => return Some(event.id().to_string()),
        "event.type" => return record.event_type.clone(),
        _ => {}
    }
    let post = post?;
    let author = &post.author;
    match name {
        "id" => Some(post.id.clone()),
        "text" => Some(post.text.clone()),
        "created_at" => post.created_at.clone(),
        // X leads from the name that is none to the right one.
        "url" => {
            let handle = author.handle.as_deref().unwrap_or("i");
            Some(format!("https://x.com/{handle}/status/{}", post.id))
        }
        "author" => match author {
            posts::Author { handle: Some(handle), .. } => Some(format!("@{handle}")),
            posts::Author { name: Some(name), .. } => Some(name.clone()),
            posts::Author { id: Some(id), .. } => Some(format!("user {id}")),
            _ => None,
        },
        "author.id" => author.id.clone(),
        "author.handle" => author.handle.clone(),
        "author.name" => author.name.clone().or_else(|| author.handle.clone()),
        _ => None,
    }
}

/// The longest text that a field takes, where that is known: fields of the standard Case
/// (<https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_case.htm>).
fn most(object: &str, field: &str) -> Option<usize> {
    let sizes = if object == CASE { CASE_SIZES } else { &[] };
    sizes.iter().find(|(name, _)| *name == field).map(|(_, most)| *most)
}

const CASE: &str = "Case";

const CASE_SIZES: &[(&str, usize)] = &[
    ("Subject", 255),
    ("Description", 32_000),
    ("SuppliedName", 80),
    ("SuppliedEmail", 80),
    ("SuppliedCompany", 80),
    ("SuppliedPhone", 40),
];

/// A Case from a post. The last three are custom fields, as the one of the key is.
const CASE_OF_A_POST: &[(&str, &str)] = &[
    ("Subject", "{author}: {text|line}"),
    ("Description", "{text|cut:31800}\n\n{url}"),
    ("Origin", "X"),
    ("SuppliedName", "{author.name}"),
    ("X_Post_Id__c", "{id}"),
    ("X_Author_Id__c", "{author.id}"),
    ("X_Received_At__c", "{received_at}"),
];

/// The key comes first, because its own template may not name it.
const OF_EVENTS: &[&str] = &["key", "source", "received_at", "event.id", "event.type"];

const OF_POSTS: &[&str] = &[
    "key",
    "source",
    "received_at",
    "event.id",
    "event.type",
    "id",
    "text",
    "url",
    "created_at",
    "author",
    "author.id",
    "author.handle",
    "author.name",
];

/// An external id is a text field of at most 255 characters.
const LONGEST_KEY: usize = 255;

#[cfg(test)]
mod tests;
