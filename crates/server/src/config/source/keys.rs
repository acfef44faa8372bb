//! A source's secrets, each with the name that evidence and refusals give it.

use hookhouse_core::{Secret, Timestamp};
use hookhouse_verify::{Key, SchemeError};

use super::super::diagnostic::{Code, Diagnostic, Span};
use super::super::field::{Field, Given, List};
use super::super::loader::Loader;
use super::super::reuse::{Role, Use};
use super::super::secret::{RawFormerSecret, RawSecret, Reference};

/// One secret in the file.
pub(super) type SecretField = Field<Reference<RawSecret>>;

/// `previous_secrets`.
pub(super) type FormerField = Field<List<Reference<RawFormerSecret>>>;

/// The keys of a source, with their places in the file.
pub(super) struct KeyRing<'a> {
    loader: &'a Loader<'a>,
    role: Role,
    places: Vec<(String, Span)>,
}

impl<'a> KeyRing<'a> {
    /// An empty one, for keys that are used so.
    pub(super) fn new(loader: &'a Loader<'a>, role: Role) -> Self {
        Self { loader, role, places: Vec::new() }
    }

    /// The key of a setting, where it is given and good.
    pub(super) fn key(&mut self, name: &str, field: &SecretField) -> Option<Key> {
        self.given(name, field.given()?)
    }

    /// The key of a secret that is given, if it is good.
    pub(super) fn given(&mut self, name: &str, given: &Given<Reference<RawSecret>>) -> Option<Key> {
        let secret = self.loader.secret(name, given)?;
        Some(self.add(name.to_owned(), secret, &given.span, None))
    }

    /// The former keys that are good.
    pub(super) fn former(&mut self, list: &FormerField) -> Vec<Key> {
        let mut keys = Vec::new();
        for (index, given) in list.elements().enumerate() {
            let name = format!("previous_secrets[{index}]");
            if let Some((secret, until)) = self.loader.former_secret("previous_secrets", given) {
                keys.push(self.add(name, secret, &given.span, until));
            }
        }
        keys
    }

    fn add(&mut self, name: String, secret: Secret, span: &Span, not_after: Option<Timestamp>) -> Key {
        self.places.push((name.clone(), span.clone()));
        self.loader.uses.borrow_mut().push(Use {
            secret: secret.clone(),
            span: span.clone(),
            role: self.role.clone(),
        });
        Key { name, secret, not_after }
    }

    /// Reports a secret that is used for two things.
    pub(super) fn reused(&self, place: &Span, what: &str) {
        self.loader
            .report
            .push(Diagnostic::error(Code::SecretReuse, place, what).help("give each its own secret"));
    }

    /// Reports what a scheme said of its settings: at the key it is about, or else at `place`.
    pub(super) fn report(&self, error: &SchemeError, place: &Span) {
        let span = match error {
            SchemeError::KeyForm { key, .. } => {
                self.places.iter().find(|(name, _)| name == key).map(|(_, span)| span)
            }
            _ => None,
        };
        self.loader.report.push(Diagnostic::error(Code::Value, span.unwrap_or(place), error.to_string()));
    }
}
