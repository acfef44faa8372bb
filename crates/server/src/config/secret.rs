//! References to secrets: `{ env = "NAME" }`, `{ file = "path" }`, `{ credential = "name" }`.
//!
//! A secret never stands in the file: the file is copied, committed and mailed. A credential is a file in the
//! directory that the service manager made for this process (`LoadCredential=` in a systemd unit).

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::marker::PhantomData;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hookhouse_core::{Secret, Timestamp};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::diagnostic::{Code, Diagnostic, Span};
use super::field::{Field, Given};
use super::loader::Loader;
use super::moment::Moment;

/// Asks the [`Reader`](super::reader::Reader) for a table, and keeps whatever else is there out of sight.
pub(super) const REFERENCE: &str = "$hookhouse::Reference";

/// Shorter secrets fall to an offline search: every answer to a challenge is a message with its MAC. It is a rule of
/// configuration alone; the library takes any secret that is not empty.
const FLOOR: usize = 16;

/// More than any secret; a larger file is some other file.
const CEILING: u64 = 64 * 1024;

/// A reference, or what stands in its place.
#[derive(Debug, Clone)]
pub(super) enum Reference<T> {
    /// Something that is not a table: most likely the secret itself, which is therefore not kept.
    Literal,
    /// A table.
    Table(T),
}

/// Where a secret is: exactly one of the three.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawSecret {
    env: Field<String>,
    file: Field<String>,
    credential: Field<String>,
}

/// Where a former secret is, and until when it counts.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawFormerSecret {
    env: Field<String>,
    file: Field<String>,
    credential: Field<String>,
    until: Field<Moment>,
}

/// A place that a secret comes from.
enum Place {
    Variable(String),
    File(PathBuf),
    Credential(String, PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "environment variable `{name}`"),
            Self::File(path) => write!(f, "file `{}`", path.display()),
            Self::Credential(name, _) => write!(f, "credential `{name}`"),
        }
    }
}

impl Loader<'_> {
    /// The secret that a reference leads to; `key` is the setting's name. Whatever is wrong is reported.
    pub(super) fn secret(&self, key: &str, given: &Given<Reference<RawSecret>>) -> Option<Secret> {
        let (place, span, bytes) = self.lookup(key, given)?;
        self.strong(key, &place, &span, bytes)
    }

    /// The password that a reference leads to. There is no floor: nobody can try passwords against it without asking
    /// us each time.
    pub(super) fn password(&self, key: &str, given: &Given<Reference<RawSecret>>) -> Option<Secret> {
        let (place, span, bytes) = self.lookup(key, given)?;
        let secret = Secret::new(bytes);
        if secret.is_err() {
            let message = format!("`{key}`: {place} is empty");
            self.report.push(Diagnostic::error(Code::WeakSecret, &span, message));
        }
        secret.ok()
    }

    fn lookup(&self, key: &str, given: &Given<Reference<RawSecret>>) -> Option<(Place, Span, Vec<u8>)> {
        let raw = match &given.value {
            Reference::Table(raw) => raw,
            Reference::Literal => {
                let variable = variable(key);
                self.report.push(
                    Diagnostic::error(
                        Code::LiteralSecret,
                        &given.span,
                        format!("`{key}` is written out in the file"),
                    )
                    .label("a secret must not stand here")
                    .help(format!(
                        "keep it in an environment variable, a file or a systemd credential: \
                             `{{ env = \"{variable}\" }}`, `{{ file = \"…\" }}` or `{{ credential = \"…\" }}`"
                    )),
                );
                return None;
            }
        };
        let (place, span) = self.place(key, &given.span, raw)?;
        let bytes = self.read(key, &place, &span)?;
        self.depends_on(&bytes);
        Some((place, span, bytes))
    }

    /// The former secret that a reference leads to, and until when it counts.
    pub(super) fn former_secret(
        &self,
        key: &str,
        given: &Given<Reference<RawFormerSecret>>,
    ) -> Option<(Secret, Option<Timestamp>)> {
        let (value, until) = match &given.value {
            Reference::Literal => (Reference::Literal, None),
            Reference::Table(raw) => {
                let place = RawSecret {
                    env: raw.env.clone(),
                    file: raw.file.clone(),
                    credential: raw.credential.clone(),
                };
                (Reference::Table(place), raw.until.value().map(|moment| moment.0))
            }
        };
        let secret = self.secret(key, &Given { value, span: given.span.clone(), key: given.key.clone() })?;
        Some((secret, until))
    }

    fn place(&self, key: &str, span: &Span, raw: &RawSecret) -> Option<(Place, Span)> {
        let named = [&raw.env, &raw.file, &raw.credential];
        let count = named.iter().filter(|field| !field.is_missing()).count();
        if count != 1 {
            let found = if count == 0 { "none is" } else { "several are" };
            let message = format!("`{key}` wants one of `env`, `file` and `credential`; {found} given");
            self.report.push(
                Diagnostic::error(if count == 0 { Code::MissingKey } else { Code::Value }, span, message)
                    .help(format!("`{{ env = \"{}\" }}`", variable(key))),
            );
            return None;
        }
        let given = named.into_iter().find_map(Field::given)?;
        let (text, span) = (given.value.as_str(), given.span.clone());
        if given.value.is_empty() || text.contains('\0') {
            self.report.value(&span, format!("`{key}`: the name of a variable or file must not be empty"));
            return None;
        }
        let place = if raw.env.given().is_some() {
            if !is_variable(text) {
                let message = format!("`{key}`: not the name of an environment variable");
                self.report.push(
                    Diagnostic::error(Code::Value, &span, message)
                        .help("a name has letters, digits and `_`; the secret itself does not belong here"),
                );
                return None;
            }
            Place::Variable(text.to_owned())
        } else if raw.file.given().is_some() {
            Place::File(self.path(text))
        } else {
            if text.contains('/') || text == "." || text == ".." {
                self.report.value(
                    &span,
                    format!("`{key}`: a credential is a name, not a path; for a path use `file`"),
                );
                return None;
            }
            let Some(directory) = self.environment.var("CREDENTIALS_DIRECTORY") else {
                let message =
                    format!("`{key}`: there is no credential `{text}`, because no directory of them is set");
                self.report.push(Diagnostic::error(Code::MissingSecret, &span, message).help(format!(
                    "start Hookhouse from a systemd unit with `LoadCredential={text}:/path/to/secret`, \
                         or point `CREDENTIALS_DIRECTORY` at a directory with a file of that name"
                )));
                return None;
            };
            Place::Credential(text.to_owned(), Path::new(&directory).join(text))
        };
        Some((place, span))
    }

    fn read(&self, key: &str, place: &Place, span: &Span) -> Option<Vec<u8>> {
        let missing = |help: String| {
            let what = if matches!(place, Place::Variable(_)) { "is not set" } else { "does not exist" };
            let message = format!("`{key}`: {place} {what}");
            self.report.push(Diagnostic::error(Code::MissingSecret, span, message).help(help));
        };
        let path = match place {
            Place::Variable(name) => {
                let value = self.environment.var(name);
                if value.is_none() {
                    missing(format!(
                        "set it where Hookhouse is started: `export {name}=…`, or `EnvironmentFile=` in a systemd unit"
                    ));
                }
                return value.map(String::into_bytes);
            }
            Place::File(path) | Place::Credential(_, path) => path,
        };
        match read_file(path) {
            Ok((bytes, mode)) => {
                if matches!(place, Place::File(_)) && mode & 0o044 != 0 {
                    let message = format!("`{key}`: {place} can be read by others on this machine");
                    self.report.push(
                        Diagnostic::warning(Code::SecretPermissions, span, message)
                            .help(format!("`chmod 600 {}`", path.display())),
                    );
                }
                Some(bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                missing(match place {
                    Place::Credential(name, _) => {
                        format!("add `LoadCredential={name}:/path/to/secret` to the systemd unit")
                    }
                    _ => format!(
                        "write the secret there and nothing else: `install -m 600 /dev/stdin {}`",
                        path.display()
                    ),
                });
                None
            }
            Err(error) => {
                let message = format!("`{key}`: {place} cannot be read: {error}");
                self.report.push(Diagnostic::error(Code::UnreadableFile, span, message));
                None
            }
        }
    }

    fn strong(&self, key: &str, place: &Place, span: &Span, bytes: Vec<u8>) -> Option<Secret> {
        let weak = |what: String| {
            let message = format!("`{key}`: {place} {what}");
            self.report.push(
                Diagnostic::error(Code::WeakSecret, span, message)
                    .note(format!("a secret has at least {FLOOR} bytes: shorter ones can be found by trying"))
                    .help("take the secret that the provider shows; for your own, `openssl rand -hex 32` makes one"),
            );
        };
        let (length, blank) = (bytes.len(), bytes.trim_ascii().len() != bytes.len());
        let Ok(secret) = Secret::new(bytes) else {
            weak("is empty".to_owned());
            return None;
        };
        if length < FLOOR {
            weak(format!("holds {length} byte{}", if length == 1 { "" } else { "s" }));
            return None;
        }
        if blank {
            let message = format!(
                "`{key}`: {place} begins or ends with white space, which counts as part of the secret"
            );
            self.report.push(Diagnostic::warning(Code::SecretWhiteSpace, span, message));
        }
        Some(secret)
    }
}

/// The content of a secret's file without the newline that editors put at its end, and the file's mode.
fn read_file(path: &Path) -> io::Result<(Vec<u8>, u32)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(CEILING)).unwrap_or(0) + 1);
    let length = file.take(CEILING + 1).read_to_end(&mut bytes)?;
    if u64::try_from(length).unwrap_or(u64::MAX) > CEILING {
        return Err(io::Error::other("it is too large to be a secret"));
    }
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    Ok((bytes, metadata.permissions().mode()))
}

/// A name for the environment variable of a setting.
fn variable(key: &str) -> String {
    key.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

/// Whether a text can be the name of an environment variable (POSIX, with lower case allowed).
pub(super) fn is_variable(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Reference<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = Reference<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a reference to a secret")
            }

            fn visit_unit<E: Error>(self) -> Result<Reference<T>, E> {
                Ok(Reference::Literal)
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, table: D) -> Result<Reference<T>, D::Error> {
                T::deserialize(table).map(Reference::Table)
            }
        }

        deserializer.deserialize_newtype_struct(REFERENCE, Either(PhantomData))
    }
}
