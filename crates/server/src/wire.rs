//! The heads of HTTP/1 as they stand on the wire, for what hyper mends before anybody can see it.
//!
//! hyper takes lines that end in LF alone, drops a `Content-Length` beside `Transfer-Encoding`, merges equal
//! `Content-Length`s and cuts a `#fragment`. A proxy that reads such a head otherwise than we do would see another request
//! (RFC 9112 sections 2.2, 6.1 and 6.3; RFC 9110 section 7.1), so none of it is served.
//!
//! A [`Wire`] reads along. It decides nothing about bodies, which is hyper's business, but follows their framing to know
//! where the next head begins. Where it cannot follow, the next request is refused: whoever frames in ways that are
//! doubtful does not get to send a second one. What it costs is a search for LF in each head.

use memchr::memchr;

use crate::answer::{Refuse, Refused};

/// How much of a line is kept: enough for the two names and any length that fits in 64 bits.
const KEPT: usize = 64;

/// What is wrong with a head that hyper lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A line ends in LF alone.
    BareLf,
    /// More than one `Content-Length`, equal ones too.
    LengthTwice,
    /// `Content-Length` beside `Transfer-Encoding`. hyper does as RFC 9112 section 6.3 says: it goes by the latter, and
    /// closes afterwards. So this one is served, and noted.
    LengthBesideCoding,
    /// The target has a `#`, behind which something was cut off.
    Fragment,
    /// Where this head begins, or how long its body is, is not beyond doubt.
    Unclear,
}

impl Fault {
    /// The refusal; `None` for what is only noted.
    pub(crate) fn refused(self) -> Option<Refused> {
        let (code, reason) = match self {
            Self::BareLf => ("http.bare_lf", "a line of the head ends in LF without CR"),
            Self::LengthTwice => ("http.dup_content_length", "more than one `Content-Length`"),
            Self::Fragment => ("http.target_invalid", "the target has a `#`, which no client sends"),
            Self::Unclear => {
                ("http.parse_error", "it is not beyond doubt where this request begins and ends")
            }
            Self::LengthBesideCoding => return None,
        };
        Some(Refused::new(Refuse::BadRequest, code, reason))
    }
}

/// Reads along with one connection.
#[derive(Debug)]
pub(crate) struct Wire {
    state: State,
    line: Line,
    head: Head,
    /// How many heads there were.
    heads: u32,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Head,
    /// So many bytes of a body are still to come.
    Body(u64),
    /// The line in front of a chunk.
    ChunkSize,
    /// A chunk and the CRLF behind it.
    Chunk(u64),
    /// The lines behind the last chunk.
    Trailers,
    /// Something was found, and nothing behind it is served.
    Done,
}

/// The head that is being read.
#[derive(Debug, Default)]
struct Head {
    begun: bool,
    bare: bool,
    fragment: bool,
    chunked: bool,
    lengths: u32,
    /// `None` for one that cannot be read.
    length: Option<u64>,
}

/// The line that is being read.
#[derive(Debug)]
struct Line {
    kept: [u8; KEPT],
    length: usize,
    last: u8,
}

impl Wire {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Head,
            line: Line { kept: [0; KEPT], length: 0, last: 0 },
            head: Head::default(),
            heads: 0,
        }
    }

    /// Looks at bytes before hyper does. What is found is for the request of that number, counted from one; nothing is
    /// looked at after that.
    pub(crate) fn read(&mut self, mut bytes: &[u8]) -> Option<(u32, Fault)> {
        while !bytes.is_empty() {
            match self.state {
                State::Done => return None,
                State::Body(left) => {
                    bytes = skip(bytes, left, |left| self.state = after(left, State::Body, State::Head))
                }
                State::Chunk(left) => {
                    bytes =
                        skip(bytes, left, |left| self.state = after(left, State::Chunk, State::ChunkSize));
                }
                State::Head | State::ChunkSize | State::Trailers => {
                    let end = memchr(b'\n', bytes);
                    let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
                    if matches!(self.state, State::Head) && !self.head.begun {
                        self.head.fragment |= memchr(b'#', part).is_some();
                    }
                    self.line.push(part);
                    bytes = rest.get(1..)?;
                    let found = self.line_ended();
                    self.line.length = 0;
                    if found.is_some() {
                        self.state = State::Done;
                        return found;
                    }
                }
            }
        }
        None
    }

    fn line_ended(&mut self) -> Option<(u32, Fault)> {
        let whole = self.line.is_whole();
        // A fault in how a body is framed is hyper's to refuse; where it does not, the next request is.
        let next = Some((self.heads + 1, Fault::Unclear));
        match self.state {
            State::ChunkSize if !whole => return next,
            State::ChunkSize => match self.line.chunk_size() {
                None => return next,
                Some(0) => self.state = State::Trailers,
                Some(size) => match size.checked_add(2) {
                    Some(size) => self.state = State::Chunk(size),
                    None => return next,
                },
            },
            State::Trailers if !whole => return next,
            State::Trailers if self.line.is_empty() => self.state = State::Head,
            State::Head => return self.head_line_ended(whole),
            _ => {}
        }
        None
    }

    fn head_line_ended(&mut self, whole: bool) -> Option<(u32, Fault)> {
        self.head.bare |= !whole;
        if !self.line.is_empty() {
            if self.head.begun {
                self.head.field(&self.line);
            }
            self.head.begun = true;
            return None;
        }
        // Empty lines in front of a request mean nothing (RFC 9112 section 2.2).
        if !self.head.begun {
            return None;
        }
        let head = std::mem::take(&mut self.head);
        self.heads += 1;
        let (next, fault) = head.judge();
        self.state = next;
        fault.map(|fault| (self.heads, fault))
    }
}

impl Head {
    fn field(&mut self, line: &Line) {
        match line.field() {
            Some((name, _)) if name.eq_ignore_ascii_case(b"transfer-encoding") => self.chunked = true,
            Some((name, value)) if name.eq_ignore_ascii_case(b"content-length") => {
                self.lengths += 1;
                self.length = value.and_then(decimal);
            }
            _ => {}
        }
    }

    /// What comes behind it, and what is wrong with it.
    fn judge(&self) -> (State, Option<Fault>) {
        let next = match self.length {
            _ if self.chunked => State::ChunkSize,
            Some(length) if length > 0 => State::Body(length),
            _ => State::Head,
        };
        let fault = if self.bare {
            Some(Fault::BareLf)
        } else if self.chunked && self.lengths > 0 {
            Some(Fault::LengthBesideCoding)
        } else if self.lengths > 1 {
            Some(Fault::LengthTwice)
        } else if self.lengths == 1 && self.length.is_none() {
            Some(Fault::Unclear)
        } else {
            self.fragment.then_some(Fault::Fragment)
        };
        (next, fault)
    }
}

impl Line {
    fn push(&mut self, part: &[u8]) {
        if let Some(room) = self.kept.get_mut(self.length..) {
            let count = room.len().min(part.len());
            if let (Some(room), Some(part)) = (room.get_mut(..count), part.get(..count)) {
                room.copy_from_slice(part);
            }
        }
        self.length = self.length.saturating_add(part.len());
        self.last = part.last().copied().unwrap_or(self.last);
    }

    /// Whether it ends in CRLF.
    fn is_whole(&self) -> bool {
        self.length > 0 && self.last == b'\r'
    }

    fn is_empty(&self) -> bool {
        self.length == usize::from(self.is_whole())
    }

    fn kept(&self) -> &[u8] {
        let kept = self.kept.get(..self.length).unwrap_or(&self.kept);
        kept.strip_suffix(b"\r").unwrap_or(kept)
    }

    /// Name and value; no value where it is too long to be kept.
    fn field(&self) -> Option<(&[u8], Option<&[u8]>)> {
        let at = memchr(b':', self.kept())?;
        let (name, value) = self.kept().split_at(at);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        Some((name, (self.length <= KEPT).then_some(value)))
    }

    /// The size in front of a chunk, whatever extensions follow it.
    fn chunk_size(&self) -> Option<u64> {
        let kept = self.kept();
        let digits = kept.iter().position(|b| !b.is_ascii_hexdigit()).unwrap_or(kept.len());
        let digits = std::str::from_utf8(kept.get(..digits)?).ok()?;
        u64::from_str_radix(digits, 16).ok()
    }
}

fn decimal(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
    text.parse().ok()
}

/// Passes over bytes, as many as there are of `left`, and says how many are left then.
fn skip(bytes: &[u8], left: u64, set: impl FnOnce(u64)) -> &[u8] {
    let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    set(left - count as u64);
    bytes.get(count..).unwrap_or_default()
}

fn after(left: u64, more: impl FnOnce(u64) -> State, done: State) -> State {
    if left > 0 { more(left) } else { done }
}

#[cfg(test)]
mod tests;
