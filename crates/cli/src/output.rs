//! Results on stdout, in the form that was asked for.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use hookhouse_core::EventId;
use serde::Serialize;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// One JSON document a line.
    Jsonl,
}

/// Writes to stdout; a reader that went away (`| head`) ends the command quietly.
#[derive(Debug)]
pub(crate) struct Out {
    format: Format,
    /// Entries of a list in `json`, which is one document.
    list: Vec<serde_json::Value>,
}

impl Out {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, list: Vec::new() }
    }

    /// One entry of a list: a line for people, or the value.
    pub(crate) fn entry<T: Serialize>(
        &mut self,
        value: &T,
        human: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        match self.format {
            Format::Human => line(&human(value)),
            Format::Jsonl => line(&json(&serde_json::to_string(value)?)),
            Format::Json => {
                self.list.push(serde_json::to_value(value)?);
                Ok(())
            }
        }
    }

    /// The end of a list.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        match self.format {
            Format::Json => {
                line(&json(&serde_json::to_string_pretty(&serde_json::json!({ "data": self.list }))?))
            }
            Format::Human | Format::Jsonl => Ok(()),
        }
    }

    /// A single result.
    pub(crate) fn one<T: Serialize>(
        format: Format,
        value: &T,
        human: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        match format {
            Format::Human => line(&human(value)),
            Format::Json => line(&json(&serde_json::to_string_pretty(value)?)),
            Format::Jsonl => line(&json(&serde_json::to_string(value)?)),
        }
    }
}

/// Prints a line, coloured where stdout is a terminal.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    ignore_closed(writeln!(anstream::stdout().lock(), "{text}"))
}

/// Prints bytes as they are; on a terminal, without what it would obey.
pub(crate) fn bytes(bytes: &[u8]) -> anyhow::Result<()> {
    if io::stdout().is_terminal() {
        return line(&plain(&String::from_utf8_lossy(bytes)));
    }
    let mut out = io::stdout().lock();
    ignore_closed(out.write_all(bytes).and_then(|()| out.flush()))
}

fn ignore_closed(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => Ok(other?),
    }
}

/// The pages of a server's web UI, for links in what is printed: on a terminal that takes colours, and nowhere else.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pages(Option<String>);

impl Pages {
    /// The pages below a URL.
    pub(crate) fn below(base: String) -> Self {
        let shown = io::stdout().is_terminal()
            && anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        Self(shown.then_some(base))
    }

    /// An event's id, which leads to its page.
    pub(crate) fn event(&self, id: EventId) -> String {
        let text = id.to_string();
        match &self.0 {
            Some(base) => self.link(&format!("{base}/events/{id}"), &text),
            None => text,
        }
    }

    /// A text that leads somewhere (OSC 8).
    pub(crate) fn link(&self, to: &str, text: &str) -> String {
        if self.0.is_some() { format!("\x1b]8;;{to}\x1b\\{text}\x1b]8;;\x1b\\") } else { text.to_owned() }
    }
}

/// A count on stderr while results go elsewhere: to a file or a pipe, and somebody looks.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: bool,
    count: usize,
}

impl Progress {
    pub(crate) fn beside_results() -> Self {
        Self { shown: io::stderr().is_terminal() && !io::stdout().is_terminal(), count: 0 }
    }

    pub(crate) fn add(&mut self, more: usize, what: &str) {
        self.count += more;
        if self.shown {
            // A terminal that takes no more shows nothing; the work goes on.
            let _ = write!(io::stderr(), "\r{} {what}", self.count);
        }
    }

    pub(crate) fn end(&self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// JSON that commands no terminal: what a parser reads from it is the same. Outside of strings JSON is ASCII, so whatever
/// is escaped stands in one.
pub(crate) fn json(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| matches!(c, '\u{7f}'..='\u{9f}') || turns(c);
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if obeyed(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Whether a character turns the direction of the text behind it.
fn turns(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A sender's words on a terminal: control characters (C0, C1, DEL) and direction overrides are shown, not obeyed.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            c if turns(c) => out.extend(c.escape_unicode()),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// A number of bytes as people say it.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MB", bytes as f64 / 1_048_576.0),
    }
}

/// A body for people: JSON indented, its tokens as they came; text as text; the rest as a count.
pub(crate) fn body(body: &[u8]) -> String {
    match std::str::from_utf8(body) {
        Ok(text) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => plain(&indent(text)),
        Ok(text) => plain(text),
        Err(_) => format!("{} that are not text, beginning {}", size(body.len()), hex(body)),
    }
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes.get(..16).unwrap_or(bytes))
}

/// Lays valid JSON out without touching a token: numbers beyond 2^53 and escapes stay as the sender wrote them.
fn indent(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut rest = json.chars().peekable();
    let newline = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth.min(64)));
    };
    while let Some(c) = rest.next() {
        match c {
            '"' => {
                out.push(c);
                while let Some(c) = rest.next() {
                    out.push(c);
                    match c {
                        '\\' => out.extend(rest.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '{' | '[' => {
                out.push(c);
                while rest.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(close) = rest.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    newline(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                newline(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                newline(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_commands_no_terminal_and_says_the_same() {
        let value =
            serde_json::json!({ "a\u{9b}": ["\u{7f}\u{85}\u{202e}\u{2069}\u{1b}", "\u{a0}é\u{1f600}"] });
        let text = serde_json::to_string(&value).unwrap();
        let shown = json(&text);
        assert_eq!(shown, "{\"a\\u009b\":[\"\\u007f\\u0085\\u202e\\u2069\\u001b\",\"\u{a0}é\u{1f600}\"]}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        assert!(matches!(json("{\"a\":1}"), Cow::Borrowed(_)));
    }

    #[test]
    fn json_is_laid_out_with_its_tokens_as_they_came() {
        let json = br#" {"id":2080761269309813134000 , "e":[], "o":{ }, "t":"a\"{,}\u0041", "n":[1e400,{"x":null}]} "#;
        assert_eq!(
            body(json),
            "{\n  \"id\": 2080761269309813134000,\n  \"e\": [],\n  \"o\": {},\n  \"t\": \"a\\\"{,}\\u0041\",\n  \"n\": [\n    1e400,\n    {\n      \"x\": null\n    }\n  ]\n}"
        );
    }

    #[test]
    fn what_is_not_json_is_shown_and_cannot_steer_the_terminal() {
        assert_eq!(body(b"hello"), "hello");
        assert_eq!(body(b"\x1b[2Jx\r"), "\\u{1b}[2Jx\\r");
        assert_eq!(body("a\u{202e}b".as_bytes()), "a\\u{202e}b");
        assert_eq!(body(&[0xff, 0xfe]), "2 B that are not text, beginning fffe");
    }
}
