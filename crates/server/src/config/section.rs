//! A table of the file that has a header of its own: `[server]`, `[source.x-prod]`.

use std::cell::RefCell;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Code, Diagnostic, Span};
use super::field::Field;
use super::reader::{Fault, Reader, TableAccess, entries, kind};
use super::report::Report;
use super::suggestion::{did_you_mean, nearest};

/// A section. Several structs may read it, each its own keys; [`Section::finish`] reports what none of them wanted.
#[derive(Debug)]
pub(super) struct Section<'a> {
    /// What it is called: `source.x-prod`.
    pub(super) name: String,
    /// Its header.
    pub(super) span: Span,
    table: &'a DeTable<'a>,
    report: &'a Report,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    /// The section that a value is; anything but a table is reported.
    pub(super) fn new(name: String, value: &'a Spanned<DeValue<'a>>, report: &'a Report) -> Option<Self> {
        let DeValue::Table(table) = value.get_ref() else {
            if !report.is_broken(&value.span()) {
                let message = format!("`{name}` is a section, not {}", kind(value.get_ref()));
                report.push(
                    Diagnostic::error(Code::Type, &value.span(), message)
                        .help(format!("begin it with `[{name}]`")),
                );
            }
            return None;
        };
        Some(Self { name, span: value.span(), table, report, known: RefCell::default() })
    }

    /// Reads the keys that a struct of [`Field`]s has.
    pub(super) fn read<T: Deserialize<'a> + Default>(&self) -> T {
        // Fields swallow their own faults, so that nothing is left to fail here.
        T::deserialize(self).unwrap_or_default()
    }

    /// Reads one key.
    pub(super) fn field<T: Deserialize<'a>>(&self, key: &'static str) -> Field<T> {
        self.known.borrow_mut().push(key);
        let Some((name, value)) = self.table.get_key_value(key) else { return Field::Missing };
        let reader = Reader { value, name: name.get_ref(), key: name.span(), report: self.report };
        Field::deserialize(reader).unwrap_or(Field::Faulty)
    }

    /// Where a key stands, with its value; where it is not given, the header.
    pub(super) fn place(&self, key: &str) -> Span {
        let found = self.table.get_key_value(key);
        found.map_or_else(|| self.span.clone(), |(name, value)| name.span().start..value.span().end)
    }

    /// Reports that a key must be given, unless a key that nobody knows looks like it: that one is reported anyway.
    pub(super) fn missing(&self, key: &str, why: &str, help: &str) {
        let known = self.known.borrow();
        let misspelt = self
            .table
            .keys()
            .map(|other| other.get_ref().as_ref())
            .any(|other: &str| !known.contains(&other) && nearest(other, [key]).is_some());
        if !misspelt {
            self.report.missing_key(&self.span, key, why, help);
        }
    }

    /// Takes keys for known that nobody reads.
    pub(super) fn accept(&self, keys: impl IntoIterator<Item = &'static str>) {
        self.known.borrow_mut().extend(keys);
    }

    /// Reports the keys that nobody read. `owner` is whose settings they are not; `explain` may know where a key
    /// belongs.
    pub(super) fn finish(&self, owner: &str, explain: impl Fn(&str) -> Option<String>) {
        let known = self.known.borrow();
        for (key, _) in entries(self.table) {
            let (name, span) = (key.get_ref().as_ref(), key.span());
            if known.contains(&name) || self.report.is_broken(&span) {
                continue;
            }
            self.report.push(
                Diagnostic::error(
                    Code::UnknownKey,
                    &span,
                    format!("unknown key `{name}` in [{}]", self.name),
                )
                .label(format!("not a setting of {owner}"))
                .help(explain(name).unwrap_or_else(|| did_you_mean(name, &known, "its settings are"))),
            );
        }
    }
}

impl<'a> Deserializer<'a> for &Section<'a> {
    type Error = Fault;

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.known.borrow_mut().extend(fields);
        visitor.visit_map(TableAccess::of(self.table, fields, self.report))
    }

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(TableAccess::of(self.table, &[], self.report))
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option newtype_struct
        unit unit_struct seq tuple tuple_struct map identifier enum ignored_any
    }
}
