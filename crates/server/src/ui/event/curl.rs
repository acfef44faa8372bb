//! An event as a line for a shell.

use hookhouse_core::StoredEvent;

use crate::admin::view::EventView;

/// The longest body that goes into the line itself.
const MOST: usize = 16 * 1024;

/// Headers that curl writes itself, or that would be wrong.
const OWN: [&str; 6] =
    ["host", "content-length", "connection", "transfer-encoding", "user-agent", "accept-encoding"];

/// A command, and what to know about it.
#[derive(Debug)]
pub(in crate::ui) struct Line {
    pub(in crate::ui) command: String,
    /// Whether signatures or credentials were left out.
    pub(in crate::ui) incomplete: bool,
    /// Whether the body is in a file that must be downloaded first.
    pub(in crate::ui) body_in_file: bool,
}

impl Line {
    /// `base` goes in front of the target.
    pub(in crate::ui) fn of(event: &StoredEvent, base: &str) -> Self {
        let view = EventView::of(event, true);
        let mut command =
            format!("curl -X {} {}", quoted(&view.method), quoted(&format!("{base}{}", view.target)));
        let mut incomplete = false;
        for (name, value) in &view.headers {
            if value == "[redacted]" {
                incomplete = true;
            } else if !OWN.contains(&name.as_str()) {
                command += &format!(" \\\n  -H {}", quoted(&format!("{name}: {value}")));
            }
        }
        let inline = view.body.filter(|body| body.len() <= MOST && !body.contains('\0'));
        let body_in_file = inline.is_none() && view.body_bytes > 0;
        if body_in_file {
            command += &format!(" \\\n  --data-binary @{}.body", view.id);
        } else if let Some(body) = inline.filter(|body| !body.is_empty()) {
            command += &format!(" \\\n  --data-binary {}", quoted(&body));
        }
        Self { command, incomplete, body_in_file }
    }
}

/// A word that no shell reads anything into: in single quotes nothing has a meaning but the quote itself.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%+,=".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_shell_reads_anything_into_a_word() {
        for text in ["a b", "$(reboot)", "`reboot`", "it's", "'; reboot; '", "\n!!", "\\", ""] {
            let shell = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", quoted(text))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(shell.stdout).unwrap(), text);
        }
    }
}
