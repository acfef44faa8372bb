//! Why a request was refused, for whoever can do something about it.
//!
//! Every reason is a sentence that names the setting which would have let the request through: "set" where the value
//! is known, "check" where it is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use hookhouse_core::{SourceName, Timestamp};
use hookhouse_verify::explain::{Context, Explainer, Explanation, Witness};
use hookhouse_verify::{Reject, Request};
use http::header::SEC_WEBSOCKET_KEY;
use http::{HeaderMap, Method};

use crate::answer::Unproven;
use crate::config::Source;
use crate::login::LoginRefused;
use crate::origin::forwarded::{Doubt, Origin};

/// How many refusals a second are looked into. One may cost hundreds of MACs, and a flood of forged requests must not
/// buy them.
const A_SECOND: u32 = 10;

/// No provider was told a longer path, and a record is no place for one.
const LONGEST_PATH: usize = 256;

/// Looks into refusals, a few at a time.
#[derive(Debug)]
pub(crate) struct Reasons {
    sources: Vec<Arc<Source>>,
    second: AtomicI64,
    asked: AtomicU32,
}

impl Reasons {
    pub(crate) fn new(sources: Vec<Arc<Source>>) -> Self {
        Self { sources, second: AtomicI64::new(0), asked: AtomicU32::new(0) }
    }

    /// Whether one more may be looked into. Two that begin a second at once may count one too few; that is no harm.
    pub(crate) fn may_ask(&self, now: Timestamp) -> bool {
        if self.second.swap(now.as_second(), Ordering::Relaxed) != now.as_second() {
            self.asked.store(0, Ordering::Relaxed);
        }
        self.asked.fetch_add(1, Ordering::Relaxed) < A_SECOND
    }

    /// The verifier's word, and what lies behind it.
    pub(crate) fn of(&self, source: &SourceName, unproven: &Unproven, now: Timestamp) -> String {
        let sources = self.sources.iter().map(Arc::as_ref);
        let context = Context { called: unproven.called.clone(), ..Context::default() };
        let explanation = explain_in(&context, sources, source, &unproven.request, &unproven.reject, now);
        let (word, sentence) = (unproven.reject.to_string(), explanation.sentence);
        if sentence.starts_with(&word) { sentence } else { format!("{word}: {sentence}") }
    }

    /// Why nobody has a path: most often because something on the way changed it.
    pub(crate) fn route(&self, path: &str) -> String {
        const NOBODY: &str = "no source has this path; paths match byte for byte";
        let mut sources = self.sources.iter().filter(|_| path.len() <= LONGEST_PATH);
        match sources.find_map(|source| Some((source, difference(path, &source.path)?))) {
            Some((source, how)) => format!(
                "{NOBODY}: source `{}` has `{}`, {how}; let every proxy pass the path as it is, or set `path = {path:?}` \
                 if that is what the provider was told",
                source.name, source.path
            ),
            None => NOBODY.to_owned(),
        }
    }
}

/// How a path came to be another one, if one of the usual ways leads there.
fn difference(arrived: &str, known: &str) -> Option<String> {
    let bare = |path: &str| path.trim_end_matches('/').to_owned();
    let single = |path: &str| path.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    let is_prefix = |prefix: &&str| !prefix.is_empty() && prefix.starts_with('/');
    if bare(arrived) == bare(known) {
        let with = if arrived.ends_with('/') { "without" } else { "with" };
        return Some(format!("{with} the slash at the end"));
    }
    if single(arrived) == single(known) {
        return Some("which differs in slashes".to_owned());
    }
    if arrived.eq_ignore_ascii_case(known) {
        return Some("which differs in case".to_owned());
    }
    if unescaped(arrived) == unescaped(known) {
        return Some("which has other escapes".to_owned());
    }
    if let Some(prefix) = arrived.strip_suffix(known).filter(is_prefix) {
        return Some(format!("and `{prefix}` is in front of it here"));
    }
    let prefix = known.strip_suffix(arrived).filter(|_| arrived.len() > 1).filter(is_prefix)?;
    Some(format!("and `{prefix}` was taken from its front"))
}

/// The bytes that a path's escapes stand for; one that is none stays as it is.
fn unescaped(path: &str) -> Vec<u8> {
    let mut parts = path.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits =
            part.split_at_checked(2).filter(|(digits, _)| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let value = digits.and_then(|(digits, rest)| Some((u8::from_str_radix(digits, 16).ok()?, rest)));
        match value {
            Some((value, rest)) => {
                bytes.push(value);
                bytes.extend_from_slice(rest.as_bytes());
            }
            None => {
                bytes.push(b'%');
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    bytes
}

/// Why a source does not serve a method.
pub(crate) fn method(source: &Source, method: &Method, headers: &HeaderMap) -> String {
    let mut reason = format!("{method} is not one of this source's `methods`");
    if source.relay.is_some() && *method == Method::GET && headers.contains_key(SEC_WEBSOCKET_KEY) {
        reason += ", and it is a WebSocket handshake that lost `Upgrade` and `Connection`: let every proxy pass them on";
    }
    reason
}

/// Why an address may not call a source.
pub(crate) fn address(origin: &Origin) -> String {
    let denied = format!("{} is on no network of this source's `allow_ips`", origin.client);
    match &origin.note {
        // The address is the proxy's: nobody believed what it said of its client.
        Some(note @ Doubt::UntrustedPeer { .. }) => format!("{denied}, and {note}; check `trusted_proxies`"),
        _ => format!("{denied}; check `allow_ips`"),
    }
}

/// Why a login does not open.
pub(crate) fn login(refused: &LoginRefused, origin: &Origin) -> String {
    let mut reason = refused.to_string();
    if refused.is_of_another_target() {
        reason += match &origin.note {
            Some(Doubt::UntrustedPeer { .. }) => {
                "; the proxy's word for the path in front of it was ignored: check `trusted_proxies` in [server]"
            }
            _ if origin.via_proxy && origin.prefix.is_none() => {
                "; a proxy that takes a prefix off the path must say so in `X-Forwarded-Prefix`"
            }
            _ => "",
        };
    }
    reason
}

/// Why one of these sources refused a request.
pub fn explain<'a>(
    sources: impl IntoIterator<Item = &'a Source>,
    source: &SourceName,
    request: &Request,
    reject: &Reject,
    now: Timestamp,
) -> Explanation {
    explain_in(&Context::default(), sources, source, request, reject, now)
}

fn explain_in<'a>(
    context: &Context,
    sources: impl IntoIterator<Item = &'a Source>,
    source: &SourceName,
    request: &Request,
    reject: &Reject,
    now: Timestamp,
) -> Explanation {
    let witnesses = sources.into_iter().map(|source| Witness {
        name: source.name.as_str(),
        path: Some(&source.path),
        verifier: &source.verifier,
    });
    Explainer::new(witnesses).explain(request, reject, source.as_str(), context, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_looked_into_a_few_times_a_second() {
        let reasons = Reasons::new(Vec::new());
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        assert_eq!((0..1_000).filter(|ms| reasons.may_ask(at(5_000 + ms))).count(), A_SECOND as usize);
        assert!(reasons.may_ask(at(6_000)));
    }

    #[test]
    fn a_path_that_was_changed_on_the_way_is_known_again() {
        for (arrived, known, how) in [
            ("/voice/", "/voice", "without the slash at the end"),
            ("/voice", "/voice/", "with the slash at the end"),
            ("//voice", "/voice", "which differs in slashes"),
            ("/a//voice/in", "/a/voice/in", "which differs in slashes"),
            ("/Voice", "/voice", "which differs in case"),
            ("/voice%2Din", "/voice-in", "which has other escapes"),
            ("/edge/voice", "/voice", "and `/edge` is in front of it here"),
            ("/voice", "/hooks/twilio/voice", "and `/hooks/twilio` was taken from its front"),
        ] {
            assert_eq!(difference(arrived, known).as_deref(), Some(how), "{arrived} {known}");
        }
        for (arrived, known) in
            [("/sms", "/voice"), ("/", "/voice"), ("/invoice", "/voice"), ("/oice", "/voice")]
        {
            assert_eq!(difference(arrived, known), None, "{arrived} {known}");
        }
    }
}
