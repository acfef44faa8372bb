//! JSON in pieces that stay as they were written.
//!
//! For looks at more than one value: the members of an object and the elements of an array are borrowed from the body.
//! Nothing becomes a number on the way, so that an id beyond 2^53 stays the digits that it is. What is too wide, too deep
//! or ambiguous is not read at all: no look is worth a body that keeps us busy.

use std::borrow::Cow;

use serde::Deserialize;

use super::scan::Scan;

/// The most members of an object, and the most elements of an array within one. Real bodies have a few dozen.
const WIDEST: usize = 1_000;

/// How deep [`Canonical`] goes. X's posts within posts are a dozen levels.
const DEEPEST: usize = 64;

/// How many bytes [`Canonical`] looks at, counting each as often as there are brackets around it.
const MOST_LOOKED_AT: usize = 8 << 20;

/// A value as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// Reads a value; `None` for anything else.
    pub(crate) fn read(json: &'a str) -> Option<Self> {
        let mut scan = Scan::new(json);
        scan.value().filter(|_| scan.is_at_end()).map(Self)
    }

    /// Its JSON.
    pub(crate) fn get(self) -> &'a str {
        self.0
    }
}

/// The members of an object in the order they are written, each key once.
#[derive(Debug)]
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, Member<'a>)>);

/// A member's value.
#[derive(Debug)]
pub(crate) enum Member<'a> {
    /// As it is written.
    One(Raw<'a>),
    /// An array that was taken apart.
    Many(Items<'a>),
}

impl Member<'_> {
    /// Whether it is an object or an array.
    pub(crate) fn is_composite(&self) -> bool {
        match self {
            Self::One(value) => is_composite(*value),
            Self::Many(_) => true,
        }
    }
}

impl<'a> Object<'a> {
    /// Reads an object; `None` for anything else, and for one with a repeated key: it means one thing to this reader and
    /// another to the next.
    pub(crate) fn read(json: &'a str) -> Option<Self> {
        Self::parse(json, |_| false, 0)
    }

    /// Reads an object and, in the same pass, the elements of its lists, up to `most` of each: most of a body is in
    /// them, and a second look would cost as much as the first. Where one that should be a list is none, none is taken
    /// apart.
    pub(crate) fn read_with_lists(json: &'a str, is_list: fn(&str) -> bool, most: usize) -> Option<Self> {
        Self::parse(json, is_list, most).or_else(|| Self::read(json))
    }

    fn parse(json: &'a str, is_list: fn(&str) -> bool, most: usize) -> Option<Self> {
        let mut scan = Scan::new(json);
        let object = Self(members(&mut scan, is_list, most)?);
        if !scan.is_at_end() {
            return None;
        }
        let mut keys: Vec<&str> = object.0.iter().map(|(key, _)| key.as_ref()).collect();
        keys.sort_unstable();
        let is_repeated = keys.windows(2).any(|pair| pair.first() == pair.last());
        (!is_repeated).then_some(object)
    }

    /// A member's value, as it is written; `None` for a list that was taken apart.
    pub(crate) fn get(&self, key: &str) -> Option<Raw<'a>> {
        self.iter().find_map(|(name, value)| match value {
            Member::One(value) if name == key => Some(*value),
            _ => None,
        })
    }

    /// A member that is a text or a whole number.
    pub(crate) fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        text(self.get(key)?)
    }

    /// The members in the order they are written.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Member<'a>)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }
}

/// The first elements of an array.
#[derive(Debug)]
pub(crate) struct Items<'a> {
    pub(crate) list: Vec<Raw<'a>>,
    /// Whether there were more.
    pub(crate) more: bool,
}

impl<'a> Items<'a> {
    /// Reads up to `most` elements of an array; `None` for anything else.
    pub(crate) fn read(json: &'a str, most: usize) -> Option<Self> {
        let mut scan = Scan::new(json);
        let items = items(&mut scan, most)?;
        scan.is_at_end().then_some(items)
    }
}

/// Whether a value is an object or an array.
fn is_composite(value: Raw<'_>) -> bool {
    value.get().starts_with(['{', '['])
}

/// A text, or a whole number in the digits that it is written in.
pub(crate) fn text(value: Raw<'_>) -> Option<Cow<'_, str>> {
    let json = value.get();
    if json.starts_with('"') {
        return string(json);
    }
    let digits = json.strip_prefix('-').unwrap_or(json);
    let is_whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    is_whole.then_some(Cow::Borrowed(json))
}

/// Writes values in one spelling, whichever they have: members sorted by key, no blanks, each character escaped in one
/// way or not at all. Numbers stay as they are written: `1.0` is not `1`, which at worst tells two repeats apart.
#[derive(Debug)]
pub(crate) struct Canonical {
    left: usize,
}

impl Canonical {
    /// A writer for the values of one body, which share the work that it may do.
    pub(crate) fn new() -> Self {
        Self { left: MOST_LOOKED_AT }
    }

    /// The value in its one spelling; `None` where it has none (a repeated key, half a surrogate pair) or costs too much.
    pub(crate) fn of(&mut self, value: Raw<'_>) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(value.get().len().min(4_096));
        self.write(value, DEEPEST, &mut out)?;
        Some(out)
    }

    fn write(&mut self, value: Raw<'_>, depth: usize, out: &mut Vec<u8>) -> Option<()> {
        let json = value.get();
        self.left = self.left.checked_sub(json.len())?;
        let depth = depth.checked_sub(1)?;
        match json.as_bytes().first()? {
            b'{' => {
                let mut members = Object::read(json)?.0;
                members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
                out.push(b'{');
                for (at, (key, value)) in members.iter().enumerate() {
                    // `read` takes nothing apart.
                    let Member::One(value) = value else { return None };
                    separate(at, out);
                    serde_json::to_writer(&mut *out, key).ok()?;
                    out.push(b':');
                    self.write(*value, depth, out)?;
                }
                out.push(b'}');
            }
            b'[' => {
                let items = Items::read(json, WIDEST).filter(|items| !items.more)?;
                out.push(b'[');
                for (at, value) in items.list.into_iter().enumerate() {
                    separate(at, out);
                    self.write(value, depth, out)?;
                }
                out.push(b']');
            }
            b'"' => serde_json::to_writer(&mut *out, text(value)?.as_ref()).ok()?,
            _ => out.extend_from_slice(json.as_bytes()),
        }
        Some(())
    }
}

fn separate(at: usize, out: &mut Vec<u8>) {
    if at > 0 {
        out.push(b',');
    }
}

/// What a string says; `None` for half a surrogate pair.
pub(super) fn string(json: &str) -> Option<Cow<'_, str>> {
    let inside = json.strip_prefix('"')?.strip_suffix('"')?;
    if !inside.as_bytes().contains(&b'\\') {
        return Some(Cow::Borrowed(inside));
    }
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Text<'_>>(json).ok().map(|text| text.0)
}

/// Reads the members of an object, and of its lists up to `most` elements.
fn members<'a>(
    scan: &mut Scan<'a>,
    is_list: fn(&str) -> bool,
    most: usize,
) -> Option<Vec<(Cow<'a, str>, Member<'a>)>> {
    let mut members = Vec::new();
    if !scan.takes(b'{') {
        return None;
    }
    if scan.takes(b'}') {
        return Some(members);
    }
    loop {
        let key = string(scan.string()?)?;
        if members.len() == WIDEST || !scan.takes(b':') {
            return None;
        }
        let value =
            if is_list(&key) { Member::Many(items(scan, most)?) } else { Member::One(Raw(scan.value()?)) };
        members.push((key, value));
        if !scan.takes(b',') {
            return scan.takes(b'}').then_some(members);
        }
    }
}

/// Reads the elements of an array, and keeps up to `most`.
fn items<'a>(scan: &mut Scan<'a>, most: usize) -> Option<Items<'a>> {
    let mut items = Items { list: Vec::new(), more: false };
    if !scan.takes(b'[') {
        return None;
    }
    if scan.takes(b']') {
        return Some(items);
    }
    loop {
        let item = Raw(scan.value()?);
        if items.list.len() < most {
            items.list.push(item);
        } else {
            items.more = true;
        }
        if !scan.takes(b',') {
            return scan.takes(b']').then_some(items);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Raw<'_> {
        Raw::read(json).unwrap()
    }

    fn canonical(json: &str) -> Option<String> {
        Canonical::new().of(raw(json)).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn lists_are_taken_apart_in_passing() {
        let is_list = |key: &str| key.ends_with("_events");
        let read = |json| Object::read_with_lists(json, is_list, 2);
        let object = read(r#"{"n": 1, "a_events": [ {"x":[1]} , 2, 3], "o":{}, "b_events": []}"#).unwrap();
        let seen: Vec<_> = object
            .iter()
            .map(|(key, value)| match value {
                Member::One(value) => format!("{key} is {}", value.get()),
                Member::Many(items) => {
                    let texts: Vec<&str> = items.list.iter().map(|item| item.get()).collect();
                    format!("{key} has {}, more: {}", texts.join(" and "), items.more)
                }
            })
            .collect();
        assert_eq!(
            seen,
            [
                "n is 1",
                r#"a_events has {"x":[1]} and 2, more: true"#,
                "o is {}",
                "b_events has , more: false"
            ]
        );
        assert!(object.get("a_events").is_none() && object.get("n").is_some());

        let none_is_a_list = read(r#"{"a_events":[1],"b_events":{}}"#).unwrap();
        assert!(
            none_is_a_list.iter().all(|(_, value)| matches!(value, Member::One(_)) && value.is_composite())
        );
        for bad in [r#"{"a_events":[1],"a_events":[]}"#, r#"{"a_events":[1}"#, r#"{"a_events":[]}x"#, "[]"] {
            assert!(read(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn one_value_has_one_spelling() {
        let one = r#"{"A":[1,-2.50e3,true,null,{}],"b":"h\"é/\n"}"#;
        for spelling in [
            one,
            " {\"b\" : \"\\u0068\\u0022\\u00e9\\/\\u000a\" ,\r\n\"\\u0041\": [ 1 ,-2.50e3,true, null,{ } ] } ",
        ] {
            assert_eq!(canonical(spelling).as_deref(), Some(one), "{spelling}");
        }
        assert_eq!(
            canonical("123456789012345678901234567890").as_deref(),
            Some("123456789012345678901234567890")
        );
        for other in
            [r#"{"a":1}"#, r#"{"a":"1"}"#, r#"{"a":1.0}"#, r#"{"a":[1]}"#, r#"[{"a":1}]"#, r#"{"b":1}"#]
        {
            assert_eq!(canonical(other).as_deref(), Some(other));
        }
    }

    #[test]
    fn what_has_no_one_spelling_has_none() {
        let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(canonical(&deep(DEEPEST - 1)).is_some());
        let wide = |width: usize| format!("[{}1]", "1,".repeat(width - 1));
        assert!(canonical(&wide(WIDEST)).is_some());
        let members: Vec<_> = (0..=WIDEST).map(|n| format!("\"{n}\":1")).collect();
        for json in [
            r#"{"a":1,"\u0061":2}"#,
            r#"["\ud800"]"#,
            r#"{"\udc00":1}"#,
            &deep(DEEPEST),
            &deep(10_000),
            &wide(WIDEST + 1),
            &format!("{{{}}}", members.join(",")),
        ] {
            assert_eq!(canonical(json), None, "{}", &json[..json.len().min(40)]);
        }
    }

    #[test]
    fn the_work_for_a_body_is_bounded() {
        let text = format!("\"{}\"", "x".repeat(MOST_LOOKED_AT / 4));
        let mut canonical = Canonical::new();
        assert_eq!((0..9).take_while(|_| canonical.of(raw(&text)).is_some()).count(), 3);
    }

    #[test]
    fn a_text_is_a_string_or_the_digits_of_a_whole_number() {
        for (json, expected) in [
            (r#""h\u0069""#, Some("hi")),
            ("2080761269309813134", Some("2080761269309813134")),
            ("-99999999999999999999999", Some("-99999999999999999999999")),
            ("1.0", None),
            ("1e3", None),
            ("true", None),
            ("[1]", None),
            (r#""\ud800""#, None),
        ] {
            assert_eq!(text(raw(json)).as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn members_and_elements_are_read_as_they_are_written() {
        let object = Object::read(r#" {"b": 1e400 ,"a":"x", "c":[ ]} "#).unwrap();
        let members: Vec<_> = object.iter().map(|(key, _)| (key, object.get(key).unwrap().get())).collect();
        assert_eq!(members, [("b", "1e400"), ("a", "\"x\""), ("c", "[ ]")]);
        assert_eq!(
            (object.text("a").as_deref(), object.text("b"), object.text("z")),
            (Some("x"), None, None)
        );
        for json in ["[]", "{", "{}{}", "{\"a\":1,\"a\":1}", "\"x\"", ""] {
            assert!(Object::read(json).is_none(), "{json}");
        }
        let items = |most| {
            let items = Items::read(" [1, {\"a\":2},3] ", most).unwrap();
            (items.list.iter().map(|item| item.get()).collect::<Vec<_>>(), items.more)
        };
        assert_eq!(items(3), (vec!["1", "{\"a\":2}", "3"], false));
        assert_eq!(items(2), (vec!["1", "{\"a\":2}"], true));
        assert_eq!(items(0), (vec![], true));
        for json in ["{}", "[", "[1]]", "[1,]", "1", ""] {
            assert!(Items::read(json, 9).is_none(), "{json}");
        }
    }
}
