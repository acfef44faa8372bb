//! `vectors/x-events.json`: what is read from X's bodies, and what of a body does not matter to it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use aws_lc_rs::digest;
use hookhouse_verify::Identity;
use hookhouse_verify::batch::MOST_ELEMENTS;
use hookhouse_verify::x::{self, Family, Reading};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    body: String,
    family: String,
    event_type: Option<String>,
    #[serde(default)]
    more_types: Vec<String>,
    user: Option<String>,
    elements: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    kind: String,
    key: Vec<String>,
    micro_dollars: Option<u32>,
}

fn cases() -> Vec<Case> {
    let file: File = serde_json::from_str(include_str!("../../../../vectors/x-events.json")).unwrap();
    file.cases
}

fn read(body: &str) -> Reading {
    x::read(body.as_bytes())
}

fn identities(body: &str) -> Vec<Identity> {
    read(body).elements.into_iter().map(|element| element.identity).collect()
}

fn family(name: &str) -> Family {
    match name {
        "activity" => Family::Activity,
        "account_activity" => Family::AccountActivity,
        "filtered_stream" => Family::FilteredStream,
        "control" => Family::Control,
        "unknown" => Family::Unknown,
        other => panic!("no family `{other}`"),
    }
}

/// The identity as the file describes it, made without the library.
fn identity(key: &[String]) -> Identity {
    let mut message = Vec::new();
    for part in key {
        message.extend((part.len() as u64).to_be_bytes());
        message.extend(part.as_bytes());
    }
    Identity(digest::digest(&digest::SHA256, &message).as_ref().try_into().unwrap())
}

#[test]
fn each_body_is_read_as_the_file_says() {
    let cases = cases();
    assert!(cases.len() >= 80, "{} bodies", cases.len());
    for case in &cases {
        let reading = read(&case.body);
        let id = &case.id;
        assert_eq!(reading.family, family(&case.family), "{id}");
        assert_eq!(reading.event_type, case.event_type, "{id}");
        assert_eq!(reading.more_types, case.more_types, "{id}");
        assert_eq!(reading.user, case.user, "{id}");
        assert_eq!(reading.elements.len(), case.elements.len(), "{id}");
        for (element, expected) in reading.elements.iter().zip(&case.elements) {
            assert_eq!(element.kind, expected.kind, "{id}");
            assert_eq!(element.identity, identity(&expected.key), "{id}: {:?}", expected.key);
            assert_eq!(element.cost.map(|cost| cost.micro_dollars), expected.micro_dollars, "{id}");
        }
    }
}

#[test]
fn every_family_and_every_way_to_know_an_element_is_among_them() {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for case in cases() {
        *seen.entry(case.family).or_default() += 1;
        for element in case.elements {
            let how = element.key.iter().find(|part| matches!(part.as_str(), "id" | "whole"));
            *seen.entry(how.cloned().unwrap_or_default()).or_default() += 1;
        }
    }
    for what in ["activity", "account_activity", "filtered_stream", "control", "unknown", "id", "whole", ""] {
        assert!(seen.get(what).is_some_and(|count| *count >= 3), "{what}: {seen:?}");
    }
}

/// Whatever makes an element one, another text there makes it another.
#[test]
fn another_id_is_another_element() {
    let mut changed = 0;
    for case in cases() {
        for element in &case.elements {
            let before = identity(&element.key);
            for part in element.key.iter().skip(2).filter(|part| part.len() > 1 && *part != "id") {
                let body = case.body.replace(&format!("\"{part}\""), &format!("\"{part}0\""));
                if body == case.body || *part == element.kind {
                    continue;
                }
                changed += 1;
                assert!(!identities(&body).contains(&before), "{}: {part} in {body}", case.id);
            }
        }
    }
    assert!(changed >= 60, "{changed} changes");
}

#[test]
fn a_body_of_more_elements_than_are_looked_at_has_none() {
    let arrays = |posts: usize, likes: usize| {
        let list = |count: usize, key: &str| -> String {
            let items: Vec<_> = (0..count).map(|n| format!("{{\"{key}\":\"{n}\"}}")).collect();
            items.join(",")
        };
        format!(
            "{{\"for_user_id\":\"1\",\"tweet_create_events\":[{}],\"favorite_events\":[{}]}}",
            list(posts, "id_str"),
            list(likes, "id")
        )
    };
    for (posts, likes, expected) in [
        (MOST_ELEMENTS, 0, MOST_ELEMENTS),
        (MOST_ELEMENTS - 1, 1, MOST_ELEMENTS),
        (MOST_ELEMENTS, 1, 0),
        (MOST_ELEMENTS + 1, 0, 0),
        (10_000, 10_000, 0),
    ] {
        let reading = read(&arrays(posts, likes));
        assert_eq!(reading.elements.len(), expected, "{posts} and {likes}");
        assert_eq!(reading.event_type.as_deref(), Some("tweet_create_events"));
    }
    let events: Vec<_> = (0..=MOST_ELEMENTS)
        .map(|n| format!("{{\"event_type\":\"post.create\",\"event_uuid\":\"{n}\"}}"))
        .collect();
    let data = |events: &[String]| read(&format!("{{\"data\":[{}]}}", events.join(",")));
    assert_eq!(data(&events[1..]).elements.len(), MOST_ELEMENTS);
    let reading = data(&events);
    assert_eq!((reading.elements.len(), reading.event_type.as_deref()), (0, Some("post.create")));
}

#[test]
fn depth_and_width_cost_the_elements_and_nothing_else() {
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let wide = format!("[{}1]", "1,".repeat(100_000));
    for odd in [&deep, &wide] {
        // Known by an id: what else there is does not matter.
        let known =
            format!("{{\"for_user_id\":\"1\",\"tweet_create_events\":[{{\"x\":{odd},\"id_str\":\"1\"}}]}}");
        assert_eq!(identities(&known).len(), 1);
        // Known by all that it says, which is too much here.
        let whole = format!("{{\"for_user_id\":\"1\",\"poll_events\":[{{\"x\":{odd}}}]}}");
        let reading = read(&whole);
        assert_eq!((reading.elements.len(), reading.event_type.as_deref()), (0, Some("poll_events")));
        let filter =
            format!("{{\"data\":{{\"event_type\":\"post.create\",\"event_uuid\":\"1\",\"filter\":{odd}}}}}");
        assert_eq!(read(&filter).elements, []);
    }
}

/// Decides how a text is written; the same seed decides the same.
struct Whim(u64);

impl Whim {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn blank(&mut self) -> &'static str {
        ["", "", " ", "\n", "\t\r\n  "][self.below(5)]
    }

    /// The same value, written in another way.
    fn rewrite(&mut self, json: &str) -> String {
        let json = json.trim();
        let (a, b) = (self.blank(), self.blank());
        let text = match json.as_bytes()[0] {
            b'{' => {
                let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(json).unwrap();
                let mut members: Vec<_> = members
                    .into_iter()
                    .map(|(key, value)| {
                        let (key, blank) = (self.string(&key), self.blank());
                        format!("{key}{blank}:{}", self.rewrite(value.get()))
                    })
                    .collect();
                for at in (1..members.len()).rev() {
                    members.swap(at, self.below(at + 1));
                }
                format!("{{{a}{}}}", members.join(","))
            }
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(json).unwrap();
                let items: Vec<_> = items.into_iter().map(|item| self.rewrite(item.get())).collect();
                format!("[{a}{}]", items.join(","))
            }
            b'"' => {
                let text: String = serde_json::from_str(json).unwrap();
                self.string(&text)
            }
            _ => json.to_owned(),
        };
        format!("{a}{text}{b}")
    }

    fn string(&mut self, text: &str) -> String {
        let mut out = String::from("\"");
        for c in text.chars() {
            let must = matches!(c, '"' | '\\') || u32::from(c) < 0x20;
            match self.below(4) {
                0 if c == '/' => out.push_str("\\/"),
                0 | 1 if !must => out.push(c),
                which => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        out.push_str(&match which {
                            2 => format!("\\u{unit:04x}"),
                            _ => format!("\\u{unit:04X}"),
                        });
                    }
                }
            }
        }
        out.push('"');
        out
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// What came first in a body is no longer first; what its elements are stays.
    #[test]
    fn how_a_body_is_written_does_not_matter(seed in any::<u64>()) {
        let mut whim = Whim(seed);
        for case in cases().iter().filter(|case| !case.elements.is_empty()) {
            let (before, rewritten) = (read(&case.body), whim.rewrite(&case.body));
            let after = read(&rewritten);
            prop_assert_eq!(after.family, before.family, "{}: {}", case.id, rewritten);
            prop_assert_eq!(&after.user, &before.user, "{}: {}", case.id, rewritten);
            let set = |body: &str| identities(body).into_iter().collect::<HashSet<_>>();
            prop_assert_eq!(set(&rewritten), set(&case.body), "{}: {}", case.id, rewritten);
        }
    }

    #[test]
    fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let reading = x::read(&bytes);
        prop_assert!(reading.elements.len() <= MOST_ELEMENTS);
    }

    /// Bodies that were nearly X's: cut, doubled, with other bytes in them.
    #[test]
    fn no_body_is_too_spoiled(
        which in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
        patch in prop::collection::vec(any::<u8>(), 0..6),
    ) {
        let cases = cases();
        let body = which.get(&cases).body.as_bytes();
        let (from, to) = (from.index(body.len()), to.index(body.len()));
        let (from, to) = (from.min(to), from.max(to));
        let another = other.get(&cases).body.as_bytes();
        for spoiled in [
            [&body[..from], &patch, &body[to..]].concat(),
            [&body[..to], &body[from..]].concat(),
            [&body[..from], another, &body[to..]].concat(),
            body[from..].to_vec(),
            body[..to].to_vec(),
        ] {
            let reading = x::read(&spoiled);
            prop_assert!(reading.elements.len() <= MOST_ELEMENTS);
            if reading.family == Family::Unknown {
                prop_assert!(reading.event_type.is_none() && reading.elements.is_empty());
            }
        }
    }
}
