//! The form that edits an event for a replay, and what comes back from it.
//!
//! A browser sends every line break of a text area as CR LF, whatever it was shown. So only a text whose line breaks are
//! all alike is offered for editing here, and what comes back is given the event's own again: not a byte changes that
//! nobody changed.

use hookhouse_core::{Edit, StoredEvent, Timestamp};

use super::body::{BodyForm, BodyView};
use crate::admin::view::{EditRequest, EditView};
use crate::ui::moment::Moment;

/// The longest body that a form holds.
const MOST: usize = 64 * 1024;

/// The body of an event, as a form has it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::ui) enum Editable {
    /// As the value of a text area.
    Text(String),
    /// Not at all; the reason.
    No(&'static str),
}

impl Editable {
    pub(in crate::ui) fn of(event: &StoredEvent) -> Self {
        let body = event.body();
        let Ok(text) = std::str::from_utf8(body) else { return Self::No("its body is not UTF-8") };
        if text.len() > MOST {
            return Self::No("its body is longer than 64 KiB");
        }
        if text.contains('\0') {
            return Self::No("its body has a NUL in it");
        }
        match Breaks::of(text) {
            None => Self::No("the line breaks of its body are of several kinds"),
            Some(_) => Self::Text(text.to_owned()),
        }
    }
}

/// How lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Breaks {
    Lf,
    CrLf,
}

impl Breaks {
    /// `None` where it is not one way.
    fn of(text: &str) -> Option<Self> {
        let pairs = text.matches("\r\n").count();
        match (pairs, text.matches('\r').count(), text.matches('\n').count()) {
            (0, 0, _) => Some(Self::Lf),
            (pairs, returns, feeds) if pairs == returns && pairs == feeds => Some(Self::CrLf),
            _ => None,
        }
    }
}

/// What was asked for with the form: its body, and its lines of headers. A line without a value leaves a header out.
pub(in crate::ui) fn asked(
    event: &StoredEvent,
    body: Option<&str>,
    lines: &str,
) -> Result<EditRequest, String> {
    let mut asked = EditRequest::default();
    if let Editable::Text(stored) = Editable::of(event) {
        let text = body.unwrap_or_default().replace("\r\n", "\n");
        let text = if Breaks::of(&stored) == Some(Breaks::CrLf) { text.replace('\n', "\r\n") } else { text };
        asked.body = Some(text).filter(|text| *text != stored);
    }
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, value) =
            line.split_once(':').ok_or_else(|| format!("`{line}` is no header: write `Name: value`"))?;
        let (name, value) = (name.trim(), value.trim());
        if value.is_empty() {
            asked.remove_headers.push(name.to_owned());
        } else {
            asked.headers.push((name.to_owned(), value.to_owned()));
        }
    }
    Ok(asked)
}

/// What a replay sent in the place of the stored bytes.
#[derive(Debug)]
pub(in crate::ui) struct EditShown {
    pub(in crate::ui) delivery: String,
    pub(in crate::ui) round: u64,
    pub(in crate::ui) destination: String,
    pub(in crate::ui) by: String,
    pub(in crate::ui) at: Moment,
    pub(in crate::ui) headers: Vec<(String, String)>,
    pub(in crate::ui) body: BodyView,
}

impl EditShown {
    pub(in crate::ui) fn of(id: &hookhouse_core::DeliveryId, edit: &Edit, now: Timestamp) -> Self {
        let kind = edit.headers.one("content-type").ok().flatten();
        let body = BodyView::of(&edit.body, kind, BodyForm::Pretty);
        Self {
            delivery: id.to_string(),
            round: id.round,
            destination: id.destination.to_string(),
            by: edit.mark.by.clone(),
            at: Moment::new(edit.mark.at, now),
            headers: EditView::of(edit).headers,
            body,
        }
    }
}

#[cfg(test)]
mod tests {
    use hookhouse_core::event::Record;
    use hookhouse_core::{EventId, Provenance, Request, Sequence};

    use super::*;

    fn event(body: &[u8]) -> StoredEvent {
        let record = Record {
            source: "inbox".parse().unwrap(),
            received_at: Timestamp::UNIX_EPOCH,
            peer: None,
            request: Request::new("POST", "/in", &[] as &[(&str, &str)], body.to_vec()).unwrap(),
            provenance: Provenance {
                redacted: Vec::new(),
                provider: "none".into(),
                scheme: None,
                key: None,
                variant: None,
                edited: None,
            },
            event_type: None,
        };
        StoredEvent::from_store(EventId::with_position(Timestamp::UNIX_EPOCH, 1, 1), Sequence(1), record)
    }

    #[test]
    fn a_text_that_nobody_touched_is_not_touched_by_its_way_through_a_browser() {
        for stored in ["", "\n", "one line", "two\nlines\n", "two\r\nlines\r\n", "\n\n{\"a\":1}\n"] {
            let event = event(stored.as_bytes());
            assert_eq!(Editable::of(&event), Editable::Text(stored.to_owned()));
            let sent = stored.replace("\r\n", "\n").replace('\n', "\r\n");
            assert_eq!(asked(&event, Some(&sent), ""), Ok(EditRequest::default()), "{stored:?}");
        }
        let changed = asked(&event(b"a\nb"), Some("a\r\nc"), "").unwrap();
        assert_eq!(changed.body.as_deref(), Some("a\nc"));
        let changed = asked(&event(b"a\r\nb"), Some("a\r\nc"), "").unwrap();
        assert_eq!(changed.body.as_deref(), Some("a\r\nc"));
    }

    #[test]
    fn what_a_form_would_change_is_not_in_one() {
        let long = vec![b'x'; MOST + 1];
        for body in [&b"\xff"[..], b"a\0b", b"a\r\nb\nc", b"a\rb", b"\r", &long] {
            assert!(matches!(Editable::of(&event(body)), Editable::No(_)));
        }
        // Its headers can be edited all the same, and the body stays.
        let asked = asked(&event(b"a\rb"), None, "X-New: 1").unwrap();
        assert_eq!((asked.body, asked.headers.len()), (None, 1));
    }

    #[test]
    fn lines_are_headers() {
        let asked = asked(&event(b""), None, " X-A : b: c \r\n\r\nX-Gone:\r\n").unwrap();
        assert_eq!(asked.headers, [("X-A".to_owned(), "b: c".to_owned())]);
        assert_eq!(asked.remove_headers, ["X-Gone"]);
        assert!(super::asked(&event(b""), None, "no header").is_err());
    }
}
