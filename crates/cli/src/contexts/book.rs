//! The servers that a person knows by name: `contexts.toml` in the folder for settings.
//!
//! It says where a server is and where its token is, never the token itself.

use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use hookhouse_core::Secret;
use hookhouse_server::runtime::write_private;
use serde::{Deserialize, Serialize};

use crate::exit::{Code, Failure};
use crate::offline::secret_in_file;

/// Every context, and the one in use.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Book {
    /// The one that commands use when nothing else is said.
    #[serde(default)]
    pub(crate) current: Option<String>,
    #[serde(default)]
    pub(crate) context: BTreeMap<String, Context>,
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    /// Where its admin API is.
    pub(crate) url: String,
    /// Where its token is.
    pub(crate) token: TokenFrom,
}

/// Where a token is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TokenFrom {
    /// In a variable of the environment.
    Env(String),
    /// In a file; one newline at its end does not count.
    File(PathBuf),
}

impl TokenFrom {
    /// The token.
    pub(crate) fn read(&self) -> Result<Secret, Failure> {
        match self {
            Self::File(file) => secret_in_file(file),
            Self::Env(name) => {
                let value = std::env::var_os(name).ok_or_else(|| {
                    Failure::new(
                        Code::Auth,
                        format!("{name} is not set, and the server's token should be in it"),
                    )
                })?;
                Secret::new(std::os::unix::ffi::OsStringExt::into_vec(value))
                    .map_err(|_| Failure::new(Code::Auth, format!("{name} is set and empty")))
            }
        }
    }

    /// Where it is, for people.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Env(name) => format!("token in {name}"),
            Self::File(file) => format!("token in {}", file.display()),
        }
    }
}

impl Book {
    /// Where the file lies; `None` where nobody is at home.
    pub(crate) fn file() -> Option<PathBuf> {
        let folder =
            |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
        let settings = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")))?;
        Some(settings.join("hookhouse/contexts.toml"))
    }

    /// What is there; nothing where there is no file.
    pub(crate) fn open() -> Result<Self, Failure> {
        let Some(file) = Self::file() else { return Ok(Self::default()) };
        match std::fs::read_to_string(&file) {
            Ok(text) => Self::parse(&text, &file),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => {
                Err(Failure::new(Code::Configuration, format!("cannot read {}: {error}", file.display())))
            }
        }
    }

    fn parse(text: &str, file: &Path) -> Result<Self, Failure> {
        toml::from_str(text).map_err(|error| {
            Failure::new(Code::Configuration, format!("{} is damaged: {error}", file.display()))
        })
    }

    /// Writes it back, for its owner alone.
    pub(crate) fn keep(&self) -> Result<(), Failure> {
        let file = Self::file().ok_or_else(|| {
            Failure::new(Code::Failure, "neither XDG_CONFIG_HOME nor HOME says where settings are kept")
        })?;
        if let Some(folder) = file.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        Ok(write_private(&file, &self.text()?)?)
    }

    /// The context of a name.
    pub(crate) fn find(&self, name: &str) -> Result<&Context, Failure> {
        self.context.get(name).ok_or_else(|| {
            Failure::new(
                Code::NotFound,
                format!("there is no context `{name}`: `hookhouse contexts ls` lists them, `contexts add` makes one"),
            )
        })
    }

    /// The file's text.
    fn text(&self) -> Result<String, Failure> {
        let mut text = String::new();
        if let Some(current) = &self.current {
            text += &format!("current = {}\n", quoted(current)?);
        }
        for (name, context) in &self.context {
            let (kind, value) = match &context.token {
                TokenFrom::Env(name) => ("env", name.clone()),
                TokenFrom::File(file) => {
                    let plain = file.to_str().ok_or_else(|| {
                        Failure::new(Code::Usage, "the path of the token's file must be UTF-8")
                    })?;
                    ("file", plain.to_owned())
                }
            };
            text += &format!(
                "\n[context.{name}]\nurl = {}\ntoken = {{ {kind} = {} }}\n",
                quoted(&context.url)?,
                quoted(&value)?,
            );
        }
        Ok(text.trim_start().to_owned())
    }
}

/// A string of JSON is one of TOML too, but for DEL, which TOML wants escaped (TOML 1.0, "Basic strings").
fn quoted(text: &str) -> serde_json::Result<String> {
    Ok(serde_json::to_string(text)?.replace('\u{7f}', "\\u007f"))
}

/// A name: what a bare key of TOML may be, and no longer than people read.
pub(crate) fn name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    if (1..=63).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("a name has 1 to 63 of a to z, 0 to 9, `-` and `_`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let context = |token| Context { url: "https://ops.example.com/\"x".to_owned(), token };
        let book = Book {
            current: Some("prod".to_owned()),
            context: BTreeMap::from([
                ("prod".to_owned(), context(TokenFrom::Env("TOKEN".to_owned()))),
                ("two".to_owned(), context(TokenFrom::File(PathBuf::from("/a \"b\" \\c\u{7f}\tü")))),
            ]),
        };
        let again = Book::parse(&book.text().unwrap(), Path::new("contexts.toml")).unwrap();
        assert_eq!((again.current, again.context), (book.current, book.context));
    }

    #[test]
    fn names_are_bare_keys() {
        for good in ["prod", "a-1_b"] {
            assert!(name(good).is_ok());
        }
        for bad in ["", "Prod", "a.b", "a b", "\"", &"x".repeat(64)] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}
