//! Named keys, in the order they are tried, and when they count.

use std::fmt;

use jiff::Timestamp;

use crate::secret::{Key, Secret};

/// A key in the form its scheme wants, with its name and its end.
pub(crate) struct Named<K> {
    name: String,
    not_after: Option<Timestamp>,
    /// The secret that the key was made of. Verifying never looks at it again; [`explain`](crate::explain) tries it in
    /// the forms that it might have been meant in.
    secret: Secret,
    key: K,
}

impl<K> Named<K> {
    /// A key that was made of this secret.
    pub(crate) fn new(of: &Key, key: K) -> Self {
        Self { name: of.name.clone(), not_after: of.not_after, secret: of.secret.clone(), key }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn key(&self) -> &K {
        &self.key
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }

    pub(crate) fn is_active(&self, now: Timestamp) -> bool {
        self.not_after.is_none_or(|end| now < end)
    }
}

impl<K> fmt::Debug for Named<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Named")
            .field("name", &self.name)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// The keys that one signature may be made with, in the order they are tried.
#[derive(Debug)]
pub(crate) struct Keyring<K>(Vec<Named<K>>);

impl<K> Default for Keyring<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K> FromIterator<Named<K>> for Keyring<K> {
    fn from_iter<I: IntoIterator<Item = Named<K>>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

impl<K> Keyring<K> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Named<K>> {
        self.0.iter()
    }

    /// The first key that counts at `now`.
    pub(crate) fn first_active(&self, now: Timestamp) -> Option<&Named<K>> {
        self.0.iter().find(|key| key.is_active(now))
    }

    /// The first active key under which `try_key` finds a match; see [`find`].
    pub(crate) fn find<T>(
        &self,
        now: Timestamp,
        try_key: impl FnMut(&K) -> Option<T>,
    ) -> Result<(&Named<K>, T), NoMatch> {
        find(self.iter(), now, try_key)
    }
}

/// The first active key under which `try_key` finds a match.
///
/// # Errors
/// [`NoMatch`] when there is none. A retired key never accepts: it is tried afterwards, for the message only.
pub(crate) fn find<'k, K: 'k, T>(
    keys: impl Iterator<Item = &'k Named<K>> + Clone,
    now: Timestamp,
    mut try_key: impl FnMut(&K) -> Option<T>,
) -> Result<(&'k Named<K>, T), NoMatch> {
    for named in keys.clone().filter(|key| key.is_active(now)) {
        if let Some(found) = try_key(&named.key) {
            return Ok((named, found));
        }
    }
    let mut ended = keys.filter(|key| !key.is_active(now));
    let retired = ended.find(|named| try_key(&named.key).is_some());
    Err(NoMatch { retired: retired.map(|named| named.name.clone()) })
}

/// No active key matched.
#[derive(Debug)]
pub(crate) struct NoMatch {
    /// The retired key that would have.
    pub(crate) retired: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys named `k0`, `k1`… that are their own numbers.
    fn ring(ends: &[Option<&str>]) -> Keyring<usize> {
        let named = |(number, end): (usize, &Option<&str>)| {
            let mut key = Key::new(format!("k{number}"), Secret::new(format!("secret {number}")).unwrap());
            key.not_after = end.map(|end| end.parse().unwrap());
            Named::new(&key, number)
        };
        ends.iter().enumerate().map(named).collect()
    }

    #[test]
    fn active_keys_are_tried_in_order_and_retired_ones_never_accept() {
        let ring = ring(&[Some("2026-01-01T00:00:00Z"), None, None]);
        let now = "2026-06-01T00:00:00Z".parse().unwrap();
        let mut tried = Vec::new();
        let found = ring.find(now, |number| {
            tried.push(*number);
            (*number == 2).then_some(())
        });
        assert_eq!(found.unwrap().0.name(), "k2");
        assert_eq!(tried, [1, 2]);
        let missed = ring.find(now, |number| (*number == 0).then_some(())).unwrap_err();
        assert_eq!(missed.retired.as_deref(), Some("k0"));
        assert_eq!(ring.find(now, |_| None::<()>).unwrap_err().retired, None);
        assert_eq!(ring.first_active(now).unwrap().name(), "k1");
    }

    #[test]
    fn debug_shows_names_only() {
        let text = format!("{:?}", ring(&[None]));
        assert!(text.contains("k0") && !text.contains("secret 0"), "{text}");
    }
}
