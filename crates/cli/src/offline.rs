//! What `verify`, `sign` and `crc` have in common: secrets, bodies and headers from outside, never from argv.

use std::io::Read;
use std::path::PathBuf;

use bytes::Bytes;
use hookhouse_core::Secret;

use crate::exit::{Code, Failure};

/// The longest body that the offline commands read.
const MAX_BODY: u64 = 64 * 1024 * 1024;

/// Where the secret is. It never stands on the command line: other users of the machine can read that.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub(crate) struct SecretFrom {
    /// The environment variable that holds the secret [default: the one that `dev` uses for the provider]
    #[arg(long, value_name = "NAME")]
    secret_env: Option<String>,
    /// The file that holds the secret; one newline at its end does not count
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

impl SecretFrom {
    /// Whether the command line says where the secret is.
    pub(crate) fn is_given(&self) -> bool {
        self.secret_env.is_some() || self.secret_file.is_some()
    }

    pub(crate) fn read(&self, provider: &str) -> Result<Secret, Failure> {
        if let Some(file) = &self.secret_file {
            return secret_in_file(file);
        }
        let names = match &self.secret_env {
            Some(name) => vec![name.as_str()],
            None => usual_variables(provider).to_vec(),
        };
        if let Some(secret) = names.iter().find_map(|name| secret_in_variable(name)) {
            return secret;
        }
        let looked =
            if names.is_empty() { String::new() } else { format!("{} is not set: ", names.join(" or ")) };
        Err(Failure::new(Code::Usage, format!("{looked}name the secret with --secret-env or --secret-file")))
    }
}

/// The secret in a file; one newline at its end does not count.
pub(crate) fn secret_in_file(file: &std::path::Path) -> Result<Secret, Failure> {
    let mut bytes = std::fs::read(file).map_err(|error| {
        Failure::new(Code::Usage, format!("cannot read the secret {}: {error}", file.display()))
    })?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        bytes.pop_if(|last| *last == b'\r');
    }
    Secret::new(bytes).map_err(|error| Failure::with_code(error, Code::Usage))
}

/// The secret in an environment variable, if that is set.
pub(crate) fn secret_in_variable(name: &str) -> Option<Result<Secret, Failure>> {
    let bytes = std::os::unix::ffi::OsStringExt::into_vec(std::env::var_os(name)?);
    Some(Secret::new(bytes).map_err(|error| Failure::with_code(error, Code::Usage)))
}

/// The variables that hold a provider's secret when nothing else is said: the public samples' names.
pub(crate) fn usual_variables(provider: &str) -> &'static [&'static str] {
    match provider {
        "x" => &["CONSUMER_SECRET", "TWITTER_CONSUMER_SECRET"],
        "twilio" => &["TWILIO_AUTH_TOKEN"],
        _ => &[],
    }
}

/// A body from a file, or from stdin for `-`; empty without one.
pub(crate) fn body(from: Option<&PathBuf>) -> Result<Bytes, Failure> {
    let Some(from) = from else { return Ok(Bytes::new()) };
    let mut bytes = Vec::new();
    let read = if from.as_os_str() == "-" {
        std::io::stdin().lock().take(MAX_BODY).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(from).and_then(|file| file.take(MAX_BODY).read_to_end(&mut bytes))
    };
    read.map_err(|error| {
        Failure::new(Code::Usage, format!("cannot read the body {}: {error}", from.display()))
    })?;
    Ok(Bytes::from(bytes))
}

/// `Name: value`, as curl takes it.
pub(crate) fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("a header is written `Name: value`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// A URL in its parts: what stands before the path, and the request target.
pub(crate) fn split_url(url: &str) -> Result<(Option<&str>, String), Failure> {
    if url.starts_with('/') {
        return Ok((None, url.to_owned()));
    }
    let after = url.find("://").map(|at| at + 3).ok_or_else(|| {
        Failure::new(Code::Usage, format!("`{url}` is neither a URL (https://host/path) nor a path (/path)"))
    })?;
    let end = url[after..].find(['/', '?', '#']).map_or(url.len(), |at| after + at);
    let (base, target) = url.split_at(end);
    let target = target.split('#').next().unwrap_or_default();
    let slash = if target.starts_with('/') { "" } else { "/" };
    Ok((Some(base), format!("{slash}{target}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_splits_before_its_path() {
        let split = |url| split_url(url).ok();
        assert_eq!(split("https://h:1/a?b#c"), Some((Some("https://h:1"), "/a?b".to_owned())));
        assert_eq!(split("https://h?b"), Some((Some("https://h"), "/?b".to_owned())));
        assert_eq!(split("/a?b"), Some((None, "/a?b".to_owned())));
        assert_eq!(split("a"), None);
    }
}
