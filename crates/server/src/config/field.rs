//! A key of the file: missing, faulty, or given.
//!
//! What serde reads is made of fields, because a field swallows the fault of its value: the fault is in the report by
//! then, and the rest of the section is read all the same.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::diagnostic::Span;

/// Asks the [`Reader`](super::reader::Reader) for a value with its place. No other deserialiser knows the name.
pub(super) const FIELD: &str = "$hookhouse::Field";

/// A key of the file.
#[derive(Debug, Clone, Default)]
pub(super) enum Field<T> {
    /// Not in the file.
    #[default]
    Missing,
    /// In the file, and wrong; already reported.
    Faulty,
    /// In the file.
    Given(Given<T>),
}

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct Given<T> {
    /// The value.
    pub(super) value: T,
    /// Where the value stands.
    pub(super) span: Span,
    /// Where its key stands; for an element of a list, the element.
    pub(super) key: Span,
}

impl<T> Field<T> {
    /// The value with its place, where there is a good one.
    pub(super) fn given(&self) -> Option<&Given<T>> {
        match self {
            Self::Given(given) => Some(given),
            Self::Missing | Self::Faulty => None,
        }
    }

    /// The value, where there is a good one.
    pub(super) fn value(&self) -> Option<&T> {
        self.given().map(|given| &given.value)
    }

    /// The field with its value made into another; faulty where that cannot be, which `make` reports.
    pub(super) fn and_then<U>(&self, make: impl FnOnce(&Given<T>) -> Option<U>) -> Field<U> {
        match self {
            Self::Missing => Field::Missing,
            Self::Faulty => Field::Faulty,
            Self::Given(given) => match make(given) {
                Some(value) => {
                    Field::Given(Given { value, span: given.span.clone(), key: given.key.clone() })
                }
                None => Field::Faulty,
            },
        }
    }

    /// Whether the key is in the file with a wrong value.
    pub(super) fn is_faulty(&self) -> bool {
        matches!(self, Self::Faulty)
    }

    /// Whether the key is not in the file at all.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Parts<T> {
            type Value = Field<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with its place")
            }

            /// A value that the syntax is wrong about.
            fn visit_unit<E: Error>(self) -> Result<Field<T>, E> {
                Ok(Field::Faulty)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Field<T>, A::Error> {
                let mut place = [0; 4];
                for end in &mut place {
                    *end = parts.next_element()?.ok_or_else(|| A::Error::custom("a place has four ends"))?;
                }
                let [start, end, key_start, key_end] = place;
                // The reader reported what is wrong with the value when it returned the error.
                Ok(match parts.next_element() {
                    Ok(Some(value)) => {
                        Field::Given(Given { value, span: start..end, key: key_start..key_end })
                    }
                    Ok(None) | Err(_) => Field::Faulty,
                })
            }
        }

        deserializer.deserialize_newtype_struct(FIELD, Parts(PhantomData))
    }
}

/// A list, each element of which can be wrong by itself.
#[derive(Debug, Clone)]
pub(super) struct List<T>(Vec<Field<T>>);

impl<T> List<T> {
    /// The good elements.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Given<T>> {
        self.0.iter().filter_map(Field::given)
    }

    /// How many elements the file has here, good and bad.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the file has no element here, good or bad.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Field<List<T>> {
    /// The good elements; none where the key is missing or faulty.
    pub(super) fn elements(&self) -> impl Iterator<Item = &Given<T>> {
        self.value().into_iter().flat_map(List::iter)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element()? {
                    elements.push(element);
                }
                Ok(List(elements))
            }
        }

        deserializer.deserialize_seq(Elements(PhantomData))
    }
}

/// A table whose keys are the operator's, in file order.
#[derive(Debug, Clone)]
pub(super) struct Entries<T>(Vec<(String, Field<T>)>);

impl<T> Entries<T> {
    /// The entries with good values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Given<T>)> {
        self.0.iter().filter_map(|(key, field)| field.given().map(|given| (key.as_str(), given)))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Pairs<T> {
            type Value = Entries<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Pairs(PhantomData))
    }
}
