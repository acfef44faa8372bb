//! The steps of a call or a message, for people: a line or two each.

use anstyle::{AnsiColor, Style};
use hookhouse_emulator::twilio::{Finding, Severity, Step};

use crate::output::size;
use crate::terminal::inline;

const FAINT: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const WARN: Style = AnsiColor::Yellow.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// The parameters that tell one request from another; `-o json` has all of them.
const TELLING: &[&str] = &[
    "CallSid",
    "CallStatus",
    "CallDuration",
    "Digits",
    "FinishedOnKey",
    "MessageSid",
    "MessageStatus",
    "From",
    "To",
    "Body",
    "ErrorCode",
    "ErrorUrl",
];

/// What happened, in words.
pub(super) fn describe(step: &Step) -> String {
    match step {
        Step::Request { method, url, parameters, attempt, login, .. } => {
            let again = if *attempt > 1 { format!("  {FAINT}try {attempt}{FAINT:#}") } else { String::new() };
            let login = login
                .map(|login| format!("  {FAINT}logging in: {}{FAINT:#}", login.as_str()))
                .unwrap_or_default();
            let telling: Vec<_> = TELLING
                .iter()
                .filter_map(|telling| parameters.iter().find(|(name, _)| name == telling))
                .map(|(name, value)| format!("{name}={}", inline(value)))
                .collect();
            let shown = if login.is_empty() && !telling.is_empty() {
                format!("\n    {FAINT}{}{FAINT:#}", telling.join("  "))
            } else {
                String::new()
            };
            format!("--> {BOLD}{method}{BOLD:#} {}{login}{again}{shown}", inline(url))
        }
        Step::Answer { status, content_type, bytes, ms } => {
            let style = if *status < 400 { GOOD } else { BAD };
            let kind = content_type.as_deref().map_or_else(|| "no content type".to_owned(), inline);
            format!("<-- {style}{status}{style:#}  {kind}, {}  {FAINT}{ms} ms{FAINT:#}", size(*bytes))
        }
        Step::NoAnswer { error, ms } => {
            format!("-x- {BAD}no answer{BAD:#}  {}  {FAINT}{ms} ms{FAINT:#}", inline(error))
        }
        Step::Challenge { schemes } if schemes.is_empty() => {
            "    a login is asked for, and no challenge says how".to_owned()
        }
        Step::Challenge { schemes } => format!("    a login is asked for: {}", inline(&schemes.join(", "))),
        Step::Redirect { status, method, url } => format!("    {status} leads to {method} {}", inline(url)),
        Step::Retry { number, of } => format!("    once more: retry {number} of {of}"),
        Step::Fallback { error_code } => {
            format!("    the fallback URL is asked, with ErrorCode={error_code}")
        }
        Step::Verb { verb, detail } if detail.is_empty() => format!("    {BOLD}{}{BOLD:#}", inline(verb)),
        Step::Verb { verb, detail } => format!("    {BOLD}{:<9}{BOLD:#} {}", inline(verb), inline(detail)),
        Step::Message { from, to, body, media } => {
            let media: String = media.iter().map(|url| format!("\n              {}", inline(url))).collect();
            format!(
                "    {BOLD}{:<9}{BOLD:#} {} to {}: {}{media}",
                "Message",
                inline(from),
                inline(to),
                inline(body)
            )
        }
        Step::StreamOpened { url, stream_sid, parameters } => {
            let parameters: String = parameters
                .iter()
                .map(|(name, value)| format!("  {}={}", inline(name), inline(value)))
                .collect();
            format!(
                "<-> {GOOD}stream open{GOOD:#}  {}  {FAINT}{stream_sid}{parameters}{FAINT:#}",
                inline(url)
            )
        }
        Step::StreamEvent { event, name } => {
            format!("    {BOLD}{event:<9}{BOLD:#} {}", name.as_deref().map(inline).unwrap_or_default())
        }
        Step::StreamClosed {
            sent_media,
            sent_marks,
            received_media,
            received_bytes,
            received_marks,
            received_clears,
            end,
        } => {
            let received = usize::try_from(*received_bytes).unwrap_or(usize::MAX);
            format!(
                "<-> stream over: {}\n    sent {sent_media} media, {sent_marks} mark; received {received_media} media ({}), \
                 {received_marks} mark, {received_clears} clear",
                inline(end),
                size(received),
            )
        }
        Step::Finding(finding) => describe_finding(finding),
        Step::End { reason } => format!("--- {}", inline(reason)),
    }
}

/// A finding, with where to read more.
pub(crate) fn describe_finding(finding: &Finding) -> String {
    let (style, what) = match finding.severity {
        Severity::Error => (BAD, "error"),
        Severity::Warning => (WARN, "warning"),
    };
    let code = finding.code.map(|code| format!(" {code}")).unwrap_or_default();
    format!(" !  {style}{what}{code}{style:#}  {}", inline(&finding.sentence))
}
