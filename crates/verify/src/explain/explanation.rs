//! What an explanation is.

use super::cause::Cause;

/// Why a request was refused, for the operator.
///
/// It holds no signature, no secret, no query, no parameter and no body: names, headers, hosts and paths only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// All of it in one sentence, for a log.
    pub sentence: String,
    /// What was found, the likeliest first; never empty.
    pub findings: Vec<Finding>,
    /// Whether everything was tried that could be. Large bodies and many sources end the search early.
    pub complete: bool,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub cause: Cause,
    /// Whether the signature matches once this (with the other proven findings) is put right. What is not proven is what
    /// the request looks like.
    pub proven: bool,
    /// The same in words: a lower-case clause.
    pub detail: String,
    /// What to set in the source's table: a line of it, or the name of the key alone where the value is a secret.
    pub setting: Option<String>,
}

/// A finding before it is known whether it is one.
#[derive(Debug, Clone)]
pub(super) struct Clue {
    pub(super) cause: Cause,
    pub(super) detail: String,
    pub(super) setting: Option<String>,
}

impl Clue {
    pub(super) fn new(cause: Cause, detail: impl Into<String>) -> Self {
        Self { cause, detail: detail.into(), setting: None }
    }

    pub(super) fn set(mut self, setting: impl Into<String>) -> Self {
        self.setting = Some(setting.into());
        self
    }

    pub(super) fn proven(self) -> Finding {
        self.into_finding(true)
    }

    pub(super) fn likely(self) -> Finding {
        self.into_finding(false)
    }

    fn into_finding(self, proven: bool) -> Finding {
        Finding { cause: self.cause, proven, detail: self.detail, setting: self.setting }
    }
}

impl Explanation {
    pub(super) fn of(findings: Vec<Finding>, complete: bool) -> Self {
        let is_proven = findings.iter().any(|finding| finding.proven);
        let told: Vec<&Finding> = match is_proven {
            true => findings.iter().filter(|finding| finding.proven).collect(),
            false => findings.iter().take(1).collect(),
        };
        let details: Vec<&str> = told.iter().map(|finding| finding.detail.as_str()).collect();
        let mut sentence = details.join(", and ");
        let mut settings: Vec<&str> = told.iter().filter_map(|finding| finding.setting.as_deref()).collect();
        settings.dedup();
        for (at, setting) in settings.iter().enumerate() {
            let (mark, verb) =
                (if at == 0 { ";" } else { "," }, if setting.contains('=') { "set" } else { "check" });
            sentence.push_str(&format!("{mark} {verb} `{setting}`"));
        }
        Self { sentence, findings, complete }
    }
}

/// Text from outside, fit for a sentence.
pub(super) fn printable(text: &str) -> String {
    const MOST: usize = 200;
    let mut out: String =
        text.chars().take(MOST).map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
    if text.chars().nth(MOST).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_tells_what_is_proven_and_else_what_is_likeliest() {
        let proven = Clue::new(Cause::UrlScheme, "signed for http").set("public_url = \"http://h\"").proven();
        let port = Clue::new(Cause::UrlPort, "signed for port 1").set("public_url = \"http://h\"").proven();
        let likely = Clue::new(Cause::HeaderMissing, "no header").likely();
        let explanation = Explanation::of(vec![proven, port, likely.clone()], true);
        assert_eq!(
            explanation.sentence,
            "signed for http, and signed for port 1; set `public_url = \"http://h\"`"
        );
        let explanation = Explanation::of(vec![likely.clone(), likely], true);
        assert_eq!(explanation.sentence, "no header");
        let key = Clue::new(Cause::KeyBlanks, "blanks").set("auth_token").proven();
        let hex = Clue::new(Cause::SignatureHex, "hex").set("hmac = { encoding = \"hex\" }").proven();
        let sentence = "blanks, and hex; check `auth_token`, set `hmac = { encoding = \"hex\" }`";
        assert_eq!(Explanation::of(vec![key, hex], true).sentence, sentence);
    }

    #[test]
    fn text_from_outside_is_cut_and_cleaned() {
        assert_eq!(printable("a\u{202e}\nb c"), "a??b c");
        assert_eq!(printable(&"x".repeat(300)).chars().count(), 201);
    }
}
