//! What a reload changed, by name. No value is among it, and so no secret.

use std::collections::BTreeSet;
use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::Setting;

/// What a reload changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Changes {
    /// Endpoints. One of which a secret was replaced is changed.
    pub sources: Difference,
    /// Where events go.
    pub destinations: Difference,
    /// Where senders are listened for.
    pub listeners: Difference,
    /// The keys of the other sections whose values are others now.
    pub settings: Vec<String>,
}

/// What came, what went, and what is another one under the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// What was not there before.
    pub added: Vec<String>,
    /// What is there no more.
    pub removed: Vec<String>,
    /// What stayed, and is not as it was.
    pub changed: Vec<String>,
}

impl Changes {
    /// Whether everything is as it was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Difference {
    /// From names to names; `is_same` judges those that stayed.
    pub(super) fn between<'a>(
        before: impl IntoIterator<Item = &'a String>,
        after: impl IntoIterator<Item = &'a String>,
        is_same: impl Fn(&str) -> bool,
    ) -> Self {
        let before: BTreeSet<_> = before.into_iter().collect();
        let after: BTreeSet<_> = after.into_iter().collect();
        let named = |names: Vec<&&String>| names.into_iter().map(|name| (*name).clone()).collect();
        Self {
            added: named(after.difference(&before).collect()),
            removed: named(before.difference(&after).collect()),
            changed: named(after.intersection(&before).filter(|name| !is_same(name)).collect()),
        }
    }
}

/// The keys of sections without names whose values differ.
pub(super) fn settings(before: &[Setting], after: &[Setting]) -> Vec<String> {
    let named = ["source.", "destination.", "listener."];
    let pick = |all: &[Setting]| -> Vec<(String, serde_json::Value)> {
        let own = all.iter().filter(|one| !named.iter().any(|named| one.key.starts_with(named)));
        own.map(|one| (one.key.clone(), one.value.clone())).collect()
    };
    let (before, after) = (pick(before), pick(after));
    let gone = before.iter().filter(|one| !after.iter().any(|other| other.0 == one.0));
    let other = after.iter().filter(|one| !before.contains(one));
    let keys: BTreeSet<_> = gone.chain(other).map(|(key, _)| key.clone()).collect();
    keys.into_iter().collect()
}

/// In a line: `sources +new -old ~other; settings server.hosts`.
impl Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing");
        }
        let mut parts = Vec::new();
        for (what, difference) in
            [("sources", &self.sources), ("destinations", &self.destinations), ("listeners", &self.listeners)]
        {
            let Difference { added, removed, changed } = difference;
            let signed = [('+', added), ('-', removed), ('~', changed)];
            let names: Vec<_> = signed
                .iter()
                .flat_map(|(sign, names)| names.iter().map(move |name| format!("{sign}{name}")))
                .collect();
            if !names.is_empty() {
                parts.push(format!("{what} {}", names.join(" ")));
            }
        }
        if !self.settings.is_empty() {
            parts.push(format!("settings {}", self.settings.join(" ")));
        }
        f.write_str(&parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_fits_in_a_line() {
        let names = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let sources =
            Difference::between(&names(&["a", "b", "c"]), &names(&["b", "c", "d"]), |name| name == "b");
        let changes = Changes { sources, settings: names(&["server.hosts"]), ..Changes::default() };
        assert_eq!(changes.to_string(), "sources +d -a ~c; settings server.hosts");
        assert_eq!(Changes::default().to_string(), "nothing");
    }

    #[test]
    fn settings_of_named_sections_are_reported_by_their_names_alone() {
        let one = |key: &str, value: i32| Setting {
            key: key.to_owned(),
            value: value.into(),
            origin: "default".to_owned(),
        };
        let before = [one("server.a", 1), one("server.b", 1), one("source.x.path", 1), one("admin.c", 1)];
        let after = [one("server.a", 1), one("server.b", 2), one("source.x.path", 2), one("admin.d", 1)];
        assert_eq!(settings(&before, &after), ["admin.c", "admin.d", "server.b"]);
    }
}
