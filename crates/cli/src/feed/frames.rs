//! Server-sent events, from bytes to frames (WHATWG HTML section 9.2.6).

/// The longest line and the longest frame: an event with its body in base64 is far below. A stream that has longer ones
/// is none of ours.
const LONGEST: usize = 64 * 1024 * 1024;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Frame {
    /// What it is; empty for a plain message.
    pub(super) event: String,
    pub(super) data: String,
    /// The last id that was sent, with this frame or before.
    pub(super) id: Option<String>,
}

/// Makes frames of what arrives in pieces.
#[derive(Debug, Default)]
pub(super) struct Frames {
    line: Vec<u8>,
    /// Whether the last byte was a CR, whose LF is still to come.
    after_cr: bool,
    event: String,
    data: Option<String>,
    /// The id of the frame that is arriving. It counts once the frame is whole: a connection may break off in between.
    coming: Option<String>,
    id: Option<String>,
}

/// A stream that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream is not one of server-sent events")]
pub(super) struct NotAStream;

impl Frames {
    /// Takes a piece; answers the frames that it completes.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<Vec<Frame>, NotAStream> {
        let mut frames = Vec::new();
        for byte in piece {
            match byte {
                b'\n' if self.after_cr => self.after_cr = false,
                b'\n' | b'\r' => {
                    self.after_cr = *byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    let line = String::from_utf8(line).map_err(|_| NotAStream)?;
                    frames.extend(self.take(&line)?);
                }
                byte => {
                    self.after_cr = false;
                    if self.line.len() >= LONGEST {
                        return Err(NotAStream);
                    }
                    self.line.push(*byte);
                }
            }
        }
        Ok(frames)
    }

    /// The last id that was sent.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn take(&mut self, line: &str) -> Result<Option<Frame>, NotAStream> {
        if line.is_empty() {
            self.id = self.coming.clone().or_else(|| self.id.take());
            let event = std::mem::take(&mut self.event);
            let frame = self.data.take().map(|data| Frame { event, data, id: self.id.clone() });
            return Ok(frame);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "id" if !value.contains('\0') => self.coming = Some(value.to_owned()),
            "data" => match &mut self.data {
                Some(data) if data.len() + value.len() > LONGEST => return Err(NotAStream),
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                none => *none = Some(value.to_owned()),
            },
            // Comments, `retry`, and what may come one day.
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b": here\nid: 1-0-5\nretry: 2000\n\nevent: event.received\ndata: {\"a\":\r\ndata:1}\nid: 2-0-6\n\n:\n\ndata: x\r\rdata: lost";

    #[test]
    fn frames_come_out_however_the_bytes_come_in() {
        let frame = |event: &str, data: &str, id: &str| Frame {
            event: event.to_owned(),
            data: data.to_owned(),
            id: Some(id.to_owned()),
        };
        let expected = [frame("event.received", "{\"a\":\n1}", "2-0-6"), frame("", "x", "2-0-6")];
        for size in [1, 2, 3, 7, STREAM.len()] {
            let mut frames = Frames::default();
            let found: Vec<_> = STREAM.chunks(size).flat_map(|piece| frames.push(piece).unwrap()).collect();
            assert_eq!(found, expected, "in pieces of {size}");
            assert_eq!(frames.id(), Some("2-0-6"));
        }
    }

    #[test]
    fn an_id_counts_without_data_and_not_before_its_frame_is_whole() {
        let mut frames = Frames::default();
        assert_eq!(frames.push(b"id: 7-1-2\n"), Ok(Vec::new()));
        assert_eq!(frames.id(), None, "the frame may still break off");
        assert_eq!(frames.push(b"\n"), Ok(Vec::new()));
        assert_eq!(frames.id(), Some("7-1-2"));
        assert_eq!(frames.push(b"data: \xff\n"), Err(NotAStream));
    }
}
