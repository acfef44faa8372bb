//! Passing over JSON.
//!
//! Whatever `serde_json` takes for a value, and nothing else, is passed over (RFC 8259; of any depth, numbers of any size,
//! half surrogate pairs in strings). It is what a body costs beside its digests, so it is done here in one go: no value
//! is made, no error is described, and strings are looked at eight bytes at a time.

/// A place in a text.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    text: &'a str,
    at: usize,
    /// The brackets around the place, within one value: whether each is a curly one.
    open: Vec<bool>,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, open: Vec::new() }
    }

    /// The next byte that is no blank.
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte()? {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                other => return Some(other),
            }
        }
    }

    /// Passes over this byte, if it is next.
    pub(super) fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Whether nothing but blanks is left.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// The string that is next, in its quotes.
    pub(super) fn string(&mut self) -> Option<&'a str> {
        self.peek()?;
        let from = self.at;
        self.pass_string()?;
        self.text.get(from..self.at)
    }

    /// The value that is next, as it is written.
    pub(super) fn value(&mut self) -> Option<&'a str> {
        self.peek()?;
        let from = self.at;
        self.pass_value()?;
        self.text.get(from..self.at)
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn pass_value(&mut self) -> Option<()> {
        self.open.clear();
        loop {
            // Here a value begins.
            match self.peek()? {
                b'"' => self.pass_string()?,
                b'-' | b'0'..=b'9' => self.pass_number()?,
                b'{' => {
                    self.at += 1;
                    self.open.push(true);
                    if !self.takes(b'}') {
                        self.pass_key()?;
                        continue;
                    }
                    self.open.pop();
                }
                b'[' => {
                    self.at += 1;
                    if !self.takes(b']') {
                        self.open.push(false);
                        continue;
                    }
                }
                b't' => self.pass_word("true")?,
                b'f' => self.pass_word("false")?,
                b'n' => self.pass_word("null")?,
                _ => return None,
            }
            // And here one has ended, with which others may end.
            loop {
                let Some(is_object) = self.open.last().copied() else { return Some(()) };
                match (self.peek()?, is_object) {
                    (b',', true) => {
                        self.at += 1;
                        self.pass_key()?;
                        break;
                    }
                    (b',', false) => {
                        self.at += 1;
                        break;
                    }
                    (b'}', true) | (b']', false) => {
                        self.at += 1;
                        self.open.pop();
                    }
                    _ => return None,
                }
            }
        }
    }

    fn pass_key(&mut self) -> Option<()> {
        self.peek()?;
        self.pass_string()?;
        self.takes(b':').then_some(())
    }

    fn pass_word(&mut self, word: &str) -> Option<()> {
        let is_there = self.text.as_bytes().get(self.at..)?.starts_with(word.as_bytes());
        self.at += word.len();
        is_there.then_some(())
    }

    fn pass_number(&mut self) -> Option<()> {
        self.at += usize::from(self.byte() == Some(b'-'));
        match self.byte()? {
            b'0' => {
                self.at += 1;
                if self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
                    return None;
                }
            }
            _ => self.pass_digits()?,
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.pass_digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.pass_digits()?;
        }
        Some(())
    }

    /// Passes over digits, of which there must be one.
    fn pass_digits(&mut self) -> Option<()> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        (count > 0).then_some(())
    }

    fn pass_string(&mut self) -> Option<()> {
        if self.byte()? != b'"' {
            return None;
        }
        self.at += 1;
        loop {
            self.pass_plain();
            match self.byte()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.pass_escape()?,
                // A control character.
                _ => return None,
            }
        }
    }

    /// Passes over what means itself in a string.
    fn pass_plain(&mut self) {
        const ONES: u64 = u64::from_le_bytes([1; 8]);
        const HIGH: u64 = ONES << 7;
        let bytes = self.text.as_bytes();
        while let Some(eight) = bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            let eight = u64::from_le_bytes(*eight);
            // The highest bit of a byte that is zero; behind such a one, of others too, which does not matter.
            let zero = |x: u64| x.wrapping_sub(ONES) & !x & HIGH;
            let control = eight.wrapping_sub(ONES * 0x20) & !eight & HIGH;
            let special = zero(eight ^ (ONES * 0x22)) | zero(eight ^ (ONES * 0x5c)) | control;
            if special != 0 {
                self.at += special.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        while let Some(byte) = bytes.get(self.at) {
            if *byte < 0x20 || matches!(byte, b'"' | b'\\') {
                return;
            }
            self.at += 1;
        }
    }

    fn pass_escape(&mut self) -> Option<()> {
        self.at += 1;
        let length = match self.byte()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 1,
            b'u' => {
                let digits = self.text.as_bytes().get(self.at + 1..self.at + 5)?;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(5)?
            }
            _ => return None,
        };
        self.at += length;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    /// The one value in a text.
    fn whole(text: &str) -> Option<&str> {
        let mut scan = Scan::new(text);
        scan.value().filter(|_| scan.is_at_end())
    }

    fn agrees(text: &str) {
        let expected = serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get);
        assert_eq!(whole(text), expected, "{}", text.get(..200).unwrap_or(text));
    }

    const TEXTS: &[&str] = &[
        r#"{"for_user_id":"1","tweet_create_events":[{"id":1,"id_str":"1","text":"caf\u00e9 \ud83d\ude00 é 🦀","n":null}]}"#,
        " \r\n\t{ \"a\" : [ 1 , -2.5e+3 , true , false , null , { } , [ ] ] , \"b\" : \"\\\"\\\\\\/\\b\\f\\n\\r\\t\" } ",
        r#"{"a":1e400,"b":-0,"c":0.0,"d":1E-7,"e":123456789012345678901234567890,"f":"\ud800"}"#,
        r#"[[[],[{}],{"a":{"b":[{}]}}],"",0,"0123456789abcdef\\","01234567\"","é234567"]"#,
        "\"x\"",
        "-1",
    ];

    #[test]
    fn what_serde_json_takes_is_taken_and_nothing_else() {
        for text in TEXTS {
            assert!(whole(text).is_some(), "{text}");
        }
        for text in TEXTS.iter().chain(&[
            "",
            " ",
            "{",
            "[",
            "}",
            "]",
            "{]",
            "[}",
            "[1,]",
            "[,1]",
            "{\"a\":1,}",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{1:2}",
            "{\"a\" 1}",
            "01",
            "-",
            "-a",
            "+1",
            "1.",
            ".1",
            "1.e1",
            "1e",
            "1e+",
            "00",
            "-01",
            "1x",
            "nul",
            "nulll",
            "tru",
            "True",
            "\"",
            "\"\\",
            "\"\\u12",
            "\"\\u12g4\"",
            "\"\\x\"",
            "\"a\nb\"",
            "\"a\u{1f}\"",
            "\"a\u{7f}\"",
            "1 2",
            "{}{}",
            "[1 2]",
            "{\"a\":1 \"b\":2}",
            "\u{feff}{}",
            "\u{a0}1",
            "\u{b}1",
            "[\"a\",]",
            "\"\\ud800\"",
        ]) {
            agrees(text);
        }
        for depth in [1, 127, 128, 10_000] {
            agrees(&format!("{}1{}", "[".repeat(depth), "]".repeat(depth)));
            agrees(&format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth)));
            agrees(&format!("{}1{}", "[".repeat(depth), "]".repeat(depth - 1)));
        }
    }

    #[test]
    fn whatever_becomes_of_a_text_both_say_the_same_of_it() {
        // Knuth's generator of MMIX: the same texts in every run.
        let mut state = 8_u64;
        let mut below = |most: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % most.max(1)
        };
        let pieces: Vec<char> = "{}[],:\"\\ue+-.0129truefalsn \n\u{1}\u{7f}é🦀/".chars().collect();
        for _ in 0..60_000 {
            let mut text: Vec<char> = TEXTS[below(TEXTS.len())].chars().collect();
            for _ in 0..=below(3) {
                let (at, piece) = (below(text.len()), pieces[below(pieces.len())]);
                match below(4) {
                    0 => text.insert(at, piece),
                    1 if at < text.len() => text[at] = piece,
                    2 if at < text.len() => drop(text.remove(at)),
                    _ => text.truncate(text.len() - at / 4),
                }
            }
            agrees(&text.into_iter().collect::<String>());
        }
    }
}
