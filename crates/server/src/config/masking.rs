//! The file without what may be secret in it, for the lines that are shown beside a caret.
//!
//! A literal secret is refused, and the refusal shows the line it stands in; so do the mistakes of the lines around
//! it. Whatever could be a secret by its place or by the name of its key becomes as many asterisks, so that the carets
//! still fit. Too much is better than too little here.

use toml::de::{DeTable, DeValue};

use super::diagnostic::Span;
use super::reader::entries;
use super::secret::is_variable;
use super::suggestion::nearest;

/// Keys inside a secret's table that say where it is, not what it is.
const PLAIN: &[&str] = &["env", "file", "credential", "until", "algorithm", "user", "base"];

/// Tables whose keys are names that operators chose.
const NAMED: &[&str] = &["source", "destination", "listener"];

/// A copy of the text, byte for byte as long, with the given places and everything that looks secret masked. `roots` are
/// readings of the text: a recovered one does not have everything.
pub(super) fn masked(text: &str, roots: &[&DeTable<'_>], places: &[Span]) -> String {
    let mut found = places.to_vec();
    for (key, value) in roots.iter().flat_map(|root| entries(root)) {
        let DeValue::Table(table) = value.get_ref() else { continue };
        if NAMED.contains(&key.get_ref().as_ref()) {
            for (_, section) in entries(table) {
                if let DeValue::Table(section) = section.get_ref() {
                    by_key(section, false, &mut found);
                }
            }
        } else {
            by_key(table, false, &mut found);
        }
    }
    by_line(text, &mut found);
    userinfo(text, &mut found);

    let mut hidden = vec![false; text.len()];
    for place in found {
        if let Some(hidden) = hidden.get_mut(place) {
            hidden.fill(true);
        }
    }
    let mut copy = String::with_capacity(text.len());
    for (at, char) in text.char_indices() {
        match hidden.get(at) {
            Some(true) if !char.is_ascii_control() => copy.extend(std::iter::repeat_n('*', char.len_utf8())),
            _ => copy.push(char),
        }
    }
    copy
}

/// Whether what stands under a key is a secret, misspelt keys included.
fn is_secret(key: &str) -> bool {
    const WORDS: &[&str] =
        &["secret", "token", "passw", "bearer", "api_key", "apikey", "standard_webhooks", "encrypt", "seal"];
    const KEYS: &[&str] = &[
        "secret",
        "consumer_key",
        "consumer_secret",
        "oauth2_client_secret",
        "previous_secrets",
        "auth_token",
        "shared_keys",
        "accounts",
        "api",
        "password",
        "standard_webhooks",
        "encrypt",
    ];
    let key = key.trim().to_ascii_lowercase();
    WORDS.iter().any(|word| key.contains(word)) || nearest(&key, KEYS.iter().copied()).is_some()
}

/// Values under secret keys, at any depth.
fn by_key(table: &DeTable<'_>, inside: bool, found: &mut Vec<Span>) {
    for (key, value) in entries(table) {
        let name = key.get_ref().as_ref();
        let secret = inside || is_secret(name);
        match value.get_ref() {
            DeValue::Table(table) => by_key(table, secret, found),
            DeValue::Array(list) => {
                for element in list.iter() {
                    match element.get_ref() {
                        DeValue::Table(table) => by_key(table, secret, found),
                        _ if secret => found.push(element.span()),
                        _ => {}
                    }
                }
            }
            // Where the name of a variable belongs, some write its value.
            DeValue::String(text) if name == "env" && !is_variable(text) => found.push(value.span()),
            _ if secret && !(inside && PLAIN.contains(&name)) => found.push(value.span()),
            _ => {}
        }
    }
}

/// Lines that assign to a secret key, for text that is not quite TOML.
fn by_line(text: &str, found: &mut Vec<Span>) {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if let Some((key, value)) = line.split_once('=')
            && is_secret(key)
            && !key.trim_start().starts_with('#')
            && !value.trim_start().starts_with(['{', '['])
        {
            found.push(start + line.len() - value.trim_start().len()..start + line.len());
        }
        start += line.len();
    }
}

/// What stands between `://` and `@`.
fn userinfo(text: &str, found: &mut Vec<Span>) {
    for (at, mark) in text.match_indices("://") {
        let start = at + mark.len();
        let rest = text.get(start..).unwrap_or_default();
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')).unwrap_or(rest.len());
        if let Some(at) = rest.get(..end).and_then(|url| url.rfind('@')) {
            found.push(start..start + at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let (root, _) = DeTable::parse_recoverable(text);
        masked(text, &[root.get_ref()], &[])
    }

    #[test]
    fn what_could_be_a_secret_is_masked_and_nothing_moves() {
        let text = concat!(
            "[source.token]\n",
            "path = \"/plain\"\n",
            "consumer_secret = \"hush\"\n",
            "consumer_secrt = { value = \"hush\", env = \"NAME\" }\n",
            "previous_secrets = [\"hüsh\", { file = \"plain\", until = \"2026\" }]\n",
            "shared_keys = { plain = { secret = \"hush\", algorithm = \"HMAC_SHA1\" }, other = \"hush\" }\n",
            "auth_token = { env = \"hush hush\" }\n",
            "basic_auth = { user = \"plain\", password = 'hush' }\n",
            "encrypt = { key = \"hush\", previous = [\"hush\", { file = \"plain\" }] }\n",
            "seal = { key = \"hush\" }\n",
            "url = \"https://plain:hush@plain.example/\"\n",
            "bearer_token = hush!\n",
            "secrt = \"hush\"\n",
        );
        let shown = shown(text);
        assert!(!shown.contains("sh\"") && !shown.contains("hush"), "{shown}");
        assert_eq!(shown.matches("plain").count(), 6, "{shown}");
        assert_eq!(shown.len(), text.len());
        assert_eq!(
            shown.match_indices('\n').collect::<Vec<_>>(),
            text.match_indices('\n').collect::<Vec<_>>()
        );
    }
    #[test]
    fn what_is_no_secret_is_shown() {
        for key in [
            "listen",
            "public_url",
            "hosts",
            "trusted_proxies",
            "tls",
            "cert",
            "key",
            "limits",
            "path",
            "url",
            "reserve",
            "retention",
            "age",
            "size",
            "provider",
            "methods",
            "crc",
            "signature",
            "rate",
            "shape",
            "allow_ips",
            "allow_ips_mode",
            "max_body",
            "dedupe",
            "window",
            "deliver",
            "heal",
            "base",
            "answer",
            "status",
            "content_type",
            "body",
            "relay",
            "hmac",
            "digest",
            "header",
            "prefix",
            "encoding",
            "message",
            "timeout",
            "concurrency",
            "retry",
            "schedule",
            "jitter",
            "sign",
            "filter",
            "transform",
        ] {
            assert!(!is_secret(key), "{key}");
        }
    }
}
