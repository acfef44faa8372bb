//! `WWW-Authenticate`: challenges, several to a line, with commas between them and within them.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// One challenge (RFC 9110 section 11.6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// Every challenge of an answer, in the order in which they stand.
    pub(super) fn all(headers: &HeaderMap) -> Vec<Self> {
        let values = headers.get_all(WWW_AUTHENTICATE).iter();
        values.flat_map(|value| Self::list(&String::from_utf8_lossy(value.as_bytes()))).take(MOST).collect()
    }

    /// The scheme, and the algorithm of a Digest.
    pub(super) fn name(&self) -> String {
        match self.parameter("algorithm") {
            Some(algorithm) => format!("{} {algorithm}", self.scheme),
            None => self.scheme.clone(),
        }
    }

    pub(super) fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// A parameter by its name in any case.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// An element with `=` after its first word is a parameter of the challenge before it; any other begins a
    /// challenge, perhaps with its first parameter.
    fn list(value: &str) -> Vec<Self> {
        let mut challenges: Vec<Self> = Vec::new();
        for element in elements(value) {
            let (word, rest) = element.split_at(element.find([' ', '\t', '=']).unwrap_or(element.len()));
            let parameter = match rest.trim_start().strip_prefix('=') {
                Some(value) => Some((word, value)),
                None => {
                    challenges.push(Self { scheme: word.to_owned(), parameters: Vec::new() });
                    rest.trim_start().split_once('=')
                }
            };
            if let (Some((name, value)), Some(challenge)) = (parameter, challenges.last_mut()) {
                challenge.parameters.push((name.trim().to_owned(), unquoted(value.trim())));
            }
        }
        challenges
    }
}

/// What stands between the commas that are not in quotes.
fn elements(value: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let separators = value.split(move |c| {
        let separates = c == ',' && !quoted;
        match c {
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = quoted && c == '\\' && !escaped;
        separates
    });
    separators.map(str::trim).filter(|element| !element.is_empty())
}

/// The text of a quoted string; anything else as it is.
fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        text.push(if c == '\\' { characters.next().unwrap_or('\\') } else { c });
    }
    text
}

/// More challenges than this are not looked at.
const MOST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &str) -> Vec<String> {
        let shown = |challenge: &Challenge| {
            let parameters: Vec<_> =
                challenge.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{} {}", challenge.scheme, parameters.join(";"))
        };
        Challenge::list(value).iter().map(shown).collect()
    }

    #[test]
    fn challenges_and_their_parameters_are_told_apart() {
        for (value, expected) in [
            (r#"Basic realm="simple""#, vec!["Basic realm=simple"]),
            (
                r#"Newauth realm="apps", type=1, title="Login to \"apps\"", Basic realm="simple""#,
                vec![r#"Newauth realm=apps;type=1;title=Login to "apps""#, "Basic realm=simple"],
            ),
            (
                r#"Digest realm="a, b=c", nonce = "x=="  ,qop="auth,auth-int""#,
                vec!["Digest realm=a, b=c;nonce=x==;qop=auth,auth-int"],
            ),
            ("Negotiate, Basic realm=x,,", vec!["Negotiate ", "Basic realm=x"]),
            (r#"Basic realm="open"#, vec!["Basic realm=\"open"]),
            ("=x, a=b", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(shown(value), expected, "{value}");
        }
    }
}
