//! The filtered stream's rules, in the part of their language that a stand-in needs.
//!
//! Words and `"phrases"`, `#tags`, `@mentions`, `from:handle`, `-` before any of them, and `OR` between groups of them.
//! Parentheses and other operators are refused, as X refuses what it does not know.

use super::ids::RuleId;
use super::posts::Post;
use super::users::Users;

/// A rule of the filtered stream.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) id: RuleId,
    pub(super) value: String,
    pub(super) tag: Option<String>,
    /// Any of these groups, all terms of it.
    groups: Vec<Vec<Term>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    negated: bool,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    /// Lower case.
    Text(String),
    From(String),
    Mention(String),
}

impl Rule {
    /// Reads a rule.
    pub(super) fn parse(id: RuleId, value: &str, tag: Option<String>) -> Result<Self, String> {
        if value.is_empty() || value.chars().count() > LONGEST {
            return Err(format!("a rule is 1 to {LONGEST} characters long"));
        }
        let mut groups = vec![Vec::new()];
        for word in words(value)? {
            if word == "OR" {
                groups.push(Vec::new());
            } else if let Some(group) = groups.last_mut() {
                group.push(Term::parse(&word)?);
            }
        }
        // As X has it: a rule of negations alone would match nearly everything.
        if groups.iter().any(|group| group.iter().all(|term| term.negated)) {
            return Err("a rule needs something that is not negated on each side of OR".to_owned());
        }
        Ok(Self { id, value: value.to_owned(), tag, groups })
    }

    /// Whether a post matches.
    pub(super) fn matches(&self, post: &Post, users: &Users) -> bool {
        let text = post.text.to_lowercase();
        let author = users.find(post.author).map(|user| user.handle.to_lowercase()).unwrap_or_default();
        let holds = |term: &Term| {
            let found = match &term.what {
                What::Text(wanted) => contains_word(&text, wanted),
                What::From(handle) => author == *handle,
                What::Mention(handle) => users
                    .mentioned_in(&post.text)
                    .iter()
                    .any(|(.., user)| user.handle.eq_ignore_ascii_case(handle)),
            };
            found != term.negated
        };
        self.groups.iter().any(|group| group.iter().all(holds))
    }
}

impl Term {
    fn parse(word: &str) -> Result<Self, String> {
        let (negated, word) = word.strip_prefix('-').map_or((false, word), |rest| (true, rest));
        let what = if let Some(phrase) = word.strip_prefix('"') {
            What::Text(phrase.trim_end_matches('"').to_lowercase())
        } else if let Some(handle) = word.strip_prefix('@') {
            What::Mention(handle.to_lowercase())
        } else if let Some(handle) = word.strip_prefix("from:") {
            What::From(handle.trim_start_matches('@').to_lowercase())
        } else if word.contains(['(', ')', ':', '"']) {
            return Err(format!("`{word}` uses an operator that is not available"));
        } else {
            What::Text(word.to_lowercase())
        };
        let (What::Text(text) | What::From(text) | What::Mention(text)) = &what;
        if text.is_empty() { Err("a term is empty".to_owned()) } else { Ok(Self { negated, what }) }
    }
}

/// Splits at spaces that are in no quotes.
fn words(value: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in value.chars() {
        if c == '"' {
            quoted = !quoted;
        }
        if c.is_whitespace() && !quoted {
            words.push(std::mem::take(&mut word));
        } else {
            word.push(c);
        }
    }
    words.push(word);
    if quoted {
        return Err("a quotation mark is not closed".to_owned());
    }
    Ok(words.into_iter().filter(|word| !word.is_empty()).collect())
}

/// Whether the text has this word or phrase, bounded by what is no letter and no digit.
fn contains_word(text: &str, wanted: &str) -> bool {
    text.match_indices(wanted).any(|(at, found)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + found.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

/// X's limit for self-serve and enterprise rules.
const LONGEST: usize = 2_048;

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::x::ids::{PostId, UserId};
    use crate::x::users::User;

    #[test]
    fn rules_match_as_they_read() {
        let mut users = Users::default();
        for (id, handle) in [(1, "alice"), (2, "bob")] {
            users.add(User {
                id: UserId(id),
                handle: handle.to_owned(),
                name: String::new(),
                bio: String::new(),
                protected: false,
                created_at: Timestamp::UNIX_EPOCH,
            });
        }
        let post = Post {
            id: PostId(9),
            author: UserId(1),
            at: Timestamp::UNIX_EPOCH,
            text: "Hi @bob, the best Cinnamon rolls, café #bergen".to_owned(),
            refers: None,
            conversation: PostId(9),
        };
        let cases = [
            ("cinnamon", true),
            ("cinna", false),
            ("cinnamon rolls", true),
            ("rolls -cinnamon", false),
            (r#""cinnamon rolls""#, true),
            (r#""rolls cinnamon""#, false),
            ("#bergen", true),
            ("from:alice @bob", true),
            ("from:bob", false),
            ("from:bob OR café", true),
        ];
        for (value, matches) in cases {
            let rule = Rule::parse(RuleId(1), value, None).unwrap();
            assert_eq!(rule.matches(&post, &users), matches, "{value}");
        }
        for value in ["", "-a", "a OR", "(a b)", "lang:en", "\"open", "from:"] {
            assert!(Rule::parse(RuleId(1), value, None).is_err(), "{value}");
        }
    }
}
