//! From TOML to what serde derives, without stopping at the first mistake.
//!
//! `toml`'s own deserialiser ends at the first error of a section and quotes the offending value in it, which may be a
//! secret. This one reports each mistake where it is found, names the key and the kind of the value, and goes on:
//!
//! * a key that a struct does not have is reported and skipped, at every depth;
//! * a value of the wrong type is reported; the [`Field`](super::field::Field) around it becomes faulty, and the
//!   struct around that is read to its end.

use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, StringDeserializer, UsizeDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error, Expected, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::diagnostic::{Code, Diagnostic, Span};
use super::field::FIELD;
use super::report::Report;
use super::secret::REFERENCE;
use super::suggestion::{did_you_mean, quoted};

/// One value of the file.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    pub(super) value: &'a Spanned<DeValue<'a>>,
    /// The key that it stands under, for messages; a list's, for an element of the list.
    pub(super) name: &'a str,
    /// Where that key stands.
    pub(super) key: Span,
    pub(super) report: &'a Report,
}

impl<'a> Reader<'a> {
    /// Reports a fault at this value, unless it was reported further inside.
    fn settle<T>(&self, result: Result<T, Fault>) -> Result<T, Fault> {
        result.map_err(|fault| {
            if let Fault::New { code, message, help } = fault {
                let message = format!("`{}`: {message}", self.name);
                self.report.push(Diagnostic::error(code, &self.value.span(), message).maybe_help(help));
            }
            Fault::Reported
        })
    }

    fn visit<V: Visitor<'a>>(&self, visitor: V) -> Result<V::Value, Fault> {
        match self.value.get_ref() {
            DeValue::String(text) => visitor.visit_borrowed_str(text),
            DeValue::Boolean(flag) => visitor.visit_bool(*flag),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => visitor.visit_i64(number),
                Err(_) => Err(Fault::custom("the number is too large")),
            },
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => visitor.visit_f64(number),
                Err(_) => Err(Fault::custom("not a number")),
            },
            // TOML's own dates are for those who ask for a moment, which a string's visitor does not.
            DeValue::Datetime(moment) => {
                visitor.visit_newtype_struct(StringDeserializer::new(moment.to_string()))
            }
            DeValue::Array(list) => visitor.visit_seq(ListAccess { rest: list.iter(), list: self.clone() }),
            DeValue::Table(table) => visitor.visit_map(TableAccess::whole(table, self.report)),
        }
    }
}

impl<'a> Deserializer<'a> for Reader<'a> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.settle(self.visit(visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match name {
            FIELD if self.report.is_broken(&self.value.span()) => visitor.visit_unit(),
            FIELD => visitor.visit_seq(Parts { reader: self, next: 0 }),
            // Whatever is not a table where a reference to a secret belongs may be the secret itself.
            REFERENCE => match self.value.get_ref() {
                DeValue::Table(_) => visitor.visit_newtype_struct(self),
                _ => {
                    self.report.mask(&self.value.span());
                    visitor.visit_unit()
                }
            },
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let DeValue::Table(table) = self.value.get_ref() else { return self.deserialize_any(visitor) };
        for (key, _) in entries(table) {
            if !fields.contains(&key.get_ref().as_ref()) && !self.report.is_broken(&key.span()) {
                self.report.push(
                    Diagnostic::error(
                        Code::UnknownKey,
                        &key.span(),
                        format!("unknown key `{}` in `{}`", key.get_ref(), self.name),
                    )
                    .label(format!("not a setting of `{}`", self.name))
                    .help(did_you_mean(key.get_ref(), fields, "its settings are")),
                );
            }
        }
        self.settle(visitor.visit_map(TableAccess::of(table, fields, self.report)))
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let result = match self.value.get_ref() {
            DeValue::String(text) if variants.contains(&text.as_ref()) => {
                visitor.visit_enum(BorrowedStrDeserializer::new(text.as_ref()))
            }
            DeValue::String(text) => Err(Fault::New {
                code: Code::Value,
                message: format!("`{text}` is not one of {}", quoted(variants)),
                help: Some(did_you_mean(text, variants, "it can be")),
            }),
            other => Err(Fault::New {
                code: Code::Type,
                message: format!("expected one of {}, found {}", quoted(variants), kind(other)),
                help: None,
            }),
        };
        self.settle(result)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map identifier
    }
}

/// Start and end of the value, start and end of its key, and the value.
struct Parts<'a> {
    reader: Reader<'a>,
    next: usize,
}

impl<'a> SeqAccess<'a> for Parts<'a> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let (value, key) = (self.reader.value.span(), &self.reader.key);
        let place = [value.start, value.end, key.start, key.end];
        self.next += 1;
        match place.get(self.next - 1) {
            Some(end) => seed.deserialize(UsizeDeserializer::new(*end)).map(Some),
            None if self.next == place.len() + 1 => seed.deserialize(self.reader.clone()).map(Some),
            None => Ok(None),
        }
    }
}

/// The elements of a list.
struct ListAccess<'a, I> {
    rest: I,
    list: Reader<'a>,
}

impl<'a, I: Iterator<Item = &'a Spanned<DeValue<'a>>>> SeqAccess<'a> for ListAccess<'a, I> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(value) = self.rest.next() else { return Ok(None) };
        seed.deserialize(Reader { value, key: value.span(), ..self.list.clone() }).map(Some)
    }
}

type Entry<'a> = (&'a Spanned<DeString<'a>>, &'a Spanned<DeValue<'a>>);

/// The entries of a table, in file order.
pub(super) fn entries<'a>(table: &'a DeTable<'a>) -> Vec<Entry<'a>> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// The entries of a table that somebody wants.
pub(super) struct TableAccess<'a> {
    rest: std::vec::IntoIter<Entry<'a>>,
    current: Option<Entry<'a>>,
    report: &'a Report,
}

impl<'a> TableAccess<'a> {
    fn whole(table: &'a DeTable<'a>, report: &'a Report) -> Self {
        Self { rest: entries(table).into_iter(), current: None, report }
    }

    /// Without the keys that are not among `fields`.
    pub(super) fn of(table: &'a DeTable<'a>, fields: &[&str], report: &'a Report) -> Self {
        let mut wanted = entries(table);
        wanted.retain(|(key, _)| fields.contains(&key.get_ref().as_ref()));
        Self { rest: wanted.into_iter(), current: None, report }
    }
}

impl<'a> MapAccess<'a> for TableAccess<'a> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.current = self.rest.next();
        let Some((key, _)) = self.current else { return Ok(None) };
        seed.deserialize(BorrowedStrDeserializer::new(key.get_ref().as_ref())).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (key, value) = self.current.ok_or_else(|| Fault::custom("a value without its key"))?;
        seed.deserialize(Reader { value, name: key.get_ref(), key: key.span(), report: self.report })
    }
}

/// Why a value could not be read. It never quotes the value.
#[derive(Debug)]
pub(super) enum Fault {
    /// It is in the report.
    Reported,
    /// It is not yet.
    New {
        /// What kind.
        code: Code,
        /// In words.
        message: String,
        /// What to do.
        help: Option<String>,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reported => f.write_str("reported already"),
            Self::New { message, .. } => f.write_str(message),
        }
    }
}

impl std::error::Error for Fault {}

impl Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::New { code: Code::Value, message: message.to_string(), help: None }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Bool(_) => "a boolean",
            Unexpected::Signed(_) | Unexpected::Unsigned(_) => "an integer",
            Unexpected::Float(_) => "a fraction",
            Unexpected::Str(_) => "a string",
            Unexpected::Seq => "a list",
            Unexpected::Map => "a table",
            Unexpected::NewtypeStruct => "a date",
            _ => "something else",
        };
        Self::New { code: Code::Type, message: format!("expected {expected}, found {found}"), help: None }
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::New { code: Code::Value, message: format!("expected {expected}"), help: None }
    }
}

/// What a value is, in words.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
