//! What may have happened to a body on its way.

use std::borrow::Cow;

use super::cause::Cause;
use super::layout::{self, LAYOUTS};

/// A body that may have been signed, and what was done to it since.
#[derive(Debug)]
pub(super) struct Original {
    pub(super) cause: Cause,
    pub(super) how: Cow<'static, str>,
    pub(super) body: Vec<u8>,
}

/// A change that is undone; `None` where the body shows no trace of it.
type Undo = fn(&[u8]) -> Option<Vec<u8>>;

const BOM: &[u8] = b"\xef\xbb\xbf";

const CHANGES: [(Cause, &str, Undo); 16] = [
    (Cause::BodyNewline, "a line end was added at its end", |body| {
        body.strip_suffix(b"\r\n").or_else(|| body.strip_suffix(b"\n")).map(<[u8]>::to_vec)
    }),
    (Cause::BodyNewline, "the line end at its end was removed", |body| Some([body, b"\n"].concat())),
    (Cause::BodyNewline, "the line end (CR LF) at its end was removed", |body| {
        Some([body, b"\r\n"].concat())
    }),
    (Cause::BodyNewline, "blanks or line ends were added around it", |body| {
        let trimmed = body.trim_ascii();
        (trimmed.len() < body.len()).then(|| trimmed.to_vec())
    }),
    (Cause::BodyBom, "a byte order mark was added", |body| body.strip_prefix(BOM).map(<[u8]>::to_vec)),
    (Cause::BodyBom, "its byte order mark was removed", |body| {
        (!body.starts_with(BOM)).then(|| [BOM, body].concat())
    }),
    (Cause::BodyLineEnds, "its line ends were converted from CR LF to LF", |body| {
        body.contains(&b'\n').then(|| to_crlf(body))
    }),
    (Cause::BodyLineEnds, "its line ends were converted from LF to CR LF", |body| {
        body.contains(&b'\r').then(|| to_lf(body))
    }),
    (Cause::BodyCharset, "it was converted from Latin-1 to UTF-8", utf8_to_latin1),
    (Cause::BodyCharset, "it was converted from UTF-8 to Latin-1", latin1_to_utf8),
    (Cause::BodyReserialised, "its form encoding was changed from `+` to `%20`", |body| {
        is_formlike(body).then(|| replaced(body, b"%20", b"+"))?
    }),
    (Cause::BodyReserialised, "its form encoding was changed from `%20` to `+`", |body| {
        is_formlike(body).then(|| replaced(body, b"+", b"%20"))?
    }),
    (Cause::BodyReserialised, "its escapes were changed from upper to lower case", |body| {
        is_formlike(body).then(|| escapes(body, u8::to_ascii_uppercase))?
    }),
    (Cause::BodyReserialised, "its escapes were changed from lower to upper case", |body| {
        is_formlike(body).then(|| escapes(body, u8::to_ascii_lowercase))?
    }),
    (Cause::BodyReserialised, "its events were put on one line", between_events),
    (Cause::BodyDropped, "it was added on the way: nothing was signed", |body| {
        (!body.is_empty()).then(Vec::new)
    }),
];

/// The bodies that this one may have been, the likeliest first; made one at a time.
pub(super) fn originals(body: &[u8]) -> impl Iterator<Item = Original> + '_ {
    let changes = CHANGES.iter().filter_map(move |(cause, how, undo)| {
        undo(body).map(|body| Original { cause: *cause, how: Cow::Borrowed(how), body })
    });
    // Taken apart once, and only if the cheap ways do not explain it.
    let document = std::iter::once_with(move || layout::parse(body)).flatten();
    let layouts = document.flat_map(move |node| {
        LAYOUTS.iter().filter_map(move |(how, layout)| {
            let written = layout.write(&node);
            (written != body).then(|| Original {
                cause: Cause::BodyReserialised,
                how: Cow::Owned(format!("it was parsed and written anew; the original was {how}")),
                body: written,
            })
        })
    });
    changes.chain(layouts)
}

/// UTF-8 that was Latin-1.
pub(super) fn utf8_to_latin1(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok().filter(|text| !text.is_ascii())?;
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

/// Latin-1 that was UTF-8, or UTF-8 that was converted once too often.
pub(super) fn latin1_to_utf8(text: &[u8]) -> Option<Vec<u8>> {
    (!text.is_ascii()).then(|| text.iter().map(|b| char::from(*b)).collect::<String>().into_bytes())
}

/// SendGrid writes `,\r\n` between its events and `\r\n` at the end, which a parser does not keep.
fn between_events(body: &[u8]) -> Option<Vec<u8>> {
    let is_batch = body.trim_ascii().starts_with(b"[{") && !body.contains(&b'\r');
    let spread =
        || replaced(body.trim_ascii(), b"},{", b"},\r\n{").unwrap_or_else(|| body.trim_ascii().to_vec());
    is_batch.then(|| [spread().as_slice(), b"\r\n"].concat())
}

fn is_formlike(body: &[u8]) -> bool {
    body.contains(&b'=') && body.iter().all(u8::is_ascii_graphic)
}

fn to_lf(body: &[u8]) -> Vec<u8> {
    replaced(body, b"\r\n", b"\n").unwrap_or_else(|| body.to_vec())
}

fn to_crlf(body: &[u8]) -> Vec<u8> {
    let lf = to_lf(body);
    replaced(&lf, b"\n", b"\r\n").unwrap_or(lf)
}

/// With every `from` replaced; `None` where there is none.
fn replaced(body: &[u8], from: &[u8], to: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(body.len());
    let (mut rest, mut found) = (body, false);
    while let Some((first, tail)) = rest.split_first() {
        match rest.strip_prefix(from) {
            Some(after) => {
                out.extend_from_slice(to);
                rest = after;
                found = true;
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    found.then_some(out)
}

/// With the two digits of every escape in another case; `None` where that changes nothing.
pub(super) fn escapes(text: &[u8], case: fn(&u8) -> u8) -> Option<Vec<u8>> {
    let mut digits_left = 0;
    let spell = |b: &u8| {
        let is_digit = digits_left > 0;
        digits_left = if *b == b'%' { 2 } else { usize::saturating_sub(digits_left, 1) };
        if is_digit { case(b) } else { *b }
    };
    let spelled: Vec<u8> = text.iter().map(spell).collect();
    (spelled != text).then_some(spelled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(received: &[u8], original: &[u8]) -> Option<Cause> {
        originals(received).find(|found| found.body == original).map(|found| found.cause)
    }

    #[test]
    fn each_change_is_undone() {
        for (original, received, cause) in [
            (&b"{}"[..], &b"{}\n"[..], Cause::BodyNewline),
            (b"{}", b"{}\r\n", Cause::BodyNewline),
            (b"{}\n", b"{}", Cause::BodyNewline),
            (b"{}\r\n", b"{}", Cause::BodyNewline),
            (b"{}", b" {}\n\n", Cause::BodyNewline),
            (b"{}", b"\xef\xbb\xbf{}", Cause::BodyBom),
            (b"\xef\xbb\xbf{}", b"{}", Cause::BodyBom),
            (b"a\r\nb", b"a\nb", Cause::BodyLineEnds),
            (b"a\nb", b"a\r\nb", Cause::BodyLineEnds),
            (b"caf\xe9", b"caf\xc3\xa9", Cause::BodyCharset),
            (b"caf\xc3\xa9", b"caf\xe9", Cause::BodyCharset),
            (b"a=b+c", b"a=b%20c", Cause::BodyReserialised),
            (b"a=b%20c", b"a=b+c", Cause::BodyReserialised),
            (b"a=%2F", b"a=%2f", Cause::BodyReserialised),
            (b"a=%2f", b"a=%2F", Cause::BodyReserialised),
            (b"[{\"a\":1},\r\n{\"a\":2}]\r\n", b"[{\"a\":1},{\"a\":2}]", Cause::BodyReserialised),
            (b"{\"a\":1}", b"{\n  \"a\": 1\n}", Cause::BodyReserialised),
            (b"{\"b\": 1, \"a\": 2}", b"{\"b\":1,\"a\":2}", Cause::BodyReserialised),
            (b"", b"x", Cause::BodyDropped),
        ] {
            let shown = String::from_utf8_lossy(original).into_owned();
            assert_eq!(has(received, original), Some(cause), "{shown}");
        }
    }

    #[test]
    fn a_body_is_never_its_own_original() {
        for body in [&b"{}"[..], b"", b"a=b", b"{\"a\":1}\n", b"caf\xc3\xa9", b"[{}]", b"a\r\nb\nc"] {
            assert_eq!(has(body, body), None, "{body:?}");
        }
    }

    #[test]
    fn the_ways_are_few() {
        assert!(
            originals(b"[{\"a/\":\"\xc3\xa9<\\u0041\"},{\"b\":2}]\n").count()
                <= CHANGES.len() + LAYOUTS.len()
        );
    }
}
