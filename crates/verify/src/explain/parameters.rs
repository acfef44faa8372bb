//! Which parameters Twilio, or whoever signs in its stead, may have signed.

use std::borrow::Cow;

use super::body::{latin1_to_utf8, utf8_to_latin1};
use super::cause::Cause;
use super::explanation::Clue;
use crate::twilio::form::{MOST_PARAMETERS, decode, fields};

/// Parameters that may have been signed.
#[derive(Debug)]
pub(super) struct Signed {
    /// Keys and values, one after the other.
    pub(super) bytes: Vec<u8>,
    /// Whether the URL in front of them had no query.
    pub(super) without_query: bool,
    pub(super) clue: Clue,
}

/// A longer form is not Twilio's, and is not written anew thirty times.
const LONGEST_FORM: usize = 256 << 10;

type Pairs<'a> = Vec<(Cow<'a, [u8]>, Cow<'a, [u8]>)>;

/// Writes the values of one key.
type Write<'w> = &'w dyn Fn(&[u8], &[&[u8]]) -> Vec<u8>;

/// What Twilio sends without a value where it knows none, and what frameworks drop then.
const OFTEN_EMPTY: [&[&str]; 4] = [
    &["FromCity", "FromState", "FromZip", "FromCountry", "ToCity", "ToState", "ToZip", "ToCountry"],
    &["Body", "FromCity", "FromState", "FromZip", "FromCountry", "ToCity", "ToState", "ToZip", "ToCountry"],
    &[
        "CalledCity",
        "CalledState",
        "CalledZip",
        "CallerCity",
        "CallerState",
        "CallerZip",
        "FromCity",
        "FromState",
        "FromZip",
        "ToCity",
        "ToState",
        "ToZip",
    ],
    &[
        "CalledCity",
        "CalledCountry",
        "CalledState",
        "CalledZip",
        "CallerCity",
        "CallerCountry",
        "CallerState",
        "CallerZip",
        "FromCity",
        "FromCountry",
        "FromState",
        "FromZip",
        "ToCity",
        "ToCountry",
        "ToState",
        "ToZip",
    ],
];

/// Other parameters than the rule makes of a form, the likeliest first.
pub(super) fn others(form: &[u8], query: Option<&str>) -> Vec<Signed> {
    if form.len() > LONGEST_FORM {
        return Vec::new();
    }
    let pairs: Pairs<'_> =
        fields(form).take(MOST_PARAMETERS).map(|(key, value)| (decode(key), decode(value))).collect();
    let rule = signed(pairs.clone());
    let mut found: Vec<Signed> = Vec::new();
    let mut add = |bytes: Vec<u8>, without_query: bool, cause: Cause, detail: &str| {
        let is_news = without_query || bytes != rule;
        if is_news && !found.iter().any(|known| known.bytes == bytes && known.without_query == without_query)
        {
            found.push(Signed { bytes, without_query, clue: Clue::new(cause, detail) });
        }
    };
    add(
        Vec::new(),
        false,
        Cause::SignedAsRaw,
        "the URL alone was signed, as for a body that is no form: something changed the Content-Type, or the sender \
         takes a form for something else",
    );
    empty(&pairs, &mut |pairs, detail| add(signed(pairs), false, Cause::FormEmpty, detail));
    trimmed(&pairs, &mut |pairs, detail| add(signed(pairs), false, Cause::FormTrimmed, detail));
    repeated(&pairs, &mut |bytes, detail| add(bytes, false, Cause::FormRepeated, detail));
    if let Some(query) = query {
        let both = [fields(form).collect::<Vec<_>>(), fields(query.as_bytes()).collect()].concat();
        let both = signed(both.into_iter().map(|(key, value)| (decode(key), decode(value))).collect());
        let detail = "the parameters of the query were signed as if they were the form's";
        add(both.clone(), false, Cause::FormQuery, detail);
        add(both, true, Cause::FormQuery, detail);
    }
    ordered(&pairs, &mut |bytes, detail| add(bytes, false, Cause::FormOrder, detail));
    let values = |change: fn(&[u8]) -> Option<Vec<u8>>| {
        let changed = pairs
            .iter()
            .map(|(key, value)| (key.clone(), change(value).map_or_else(|| value.clone(), Cow::Owned)));
        signed(changed.collect())
    };
    for (change, cause, detail) in [
        (
            utf8_to_latin1 as fn(&[u8]) -> Option<Vec<u8>>,
            Cause::FormCharset,
            "the form was converted from Latin-1 to UTF-8",
        ),
        (latin1_to_utf8, Cause::FormCharset, "the form was converted from UTF-8 to Latin-1"),
        (to_lf, Cause::BodyLineEnds, "the line ends in the form's values were converted from LF to CR LF"),
        (to_crlf, Cause::BodyLineEnds, "the line ends in the form's values were converted from CR LF to LF"),
        (decoded_again, Cause::FormEncoding, "the form's values were encoded twice"),
    ] {
        add(values(change), false, cause, detail);
    }
    encoded(form, &mut |bytes, detail| add(bytes, false, Cause::FormEncoding, detail));
    found
}

/// Keys and values by the rule: sorted, each pair once.
fn signed(mut pairs: Pairs<'_>) -> Vec<u8> {
    pairs.sort_unstable();
    pairs.dedup();
    joined(&pairs)
}

fn joined(pairs: &Pairs<'_>) -> Vec<u8> {
    pairs.iter().flat_map(|(key, value)| [key.as_ref(), value.as_ref()]).collect::<Vec<_>>().concat()
}

fn empty(pairs: &Pairs<'_>, add: &mut dyn FnMut(Pairs<'_>, &str)) {
    let filled = pairs.iter().filter(|(_, value)| !value.is_empty()).cloned().collect();
    add(filled, "it was signed without the parameters that have no value");
    let has = |name: &str| pairs.iter().any(|(key, _)| key.as_ref() == name.as_bytes());
    if has("From") || has("To") {
        for names in OFTEN_EMPTY {
            let missing = names.iter().filter(|name| !has(name));
            let missing = missing.map(|name| (Cow::Borrowed(name.as_bytes()), Cow::Borrowed(&b""[..])));
            let all = pairs.iter().cloned().chain(missing).collect();
            add(all, "parameters without a value, which were signed, were dropped on the way");
        }
    }
}

fn trimmed(pairs: &Pairs<'_>, add: &mut dyn FnMut(Pairs<'_>, &str)) {
    let trim = |value: &Cow<'_, [u8]>| value.trim_ascii().to_vec();
    let bare = pairs.iter().map(|(key, value)| (key.clone(), Cow::Owned(trim(value)))).collect();
    add(bare, "it was signed with the parameters' values trimmed");
    if pairs.iter().any(|(key, _)| key.as_ref() == b"Body") {
        for blank in [&b" "[..], b"\n", b"\r\n", b"  "] {
            let spread = pairs.iter().map(|(key, value)| match key.as_ref() {
                b"Body" => (key.clone(), Cow::Owned([value.as_ref(), blank].concat())),
                _ => (key.clone(), value.clone()),
            });
            add(
                spread.collect(),
                "the blanks at the end of `Body`, which were signed, were trimmed on the way",
            );
        }
    }
}

fn repeated(pairs: &Pairs<'_>, add: &mut dyn FnMut(Vec<u8>, &str)) {
    let mut groups: Vec<(&[u8], Vec<&[u8]>)> = Vec::new();
    let mut by_key: Vec<_> = pairs.iter().collect();
    by_key.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (key, value) in by_key {
        match groups.last_mut() {
            Some((known, values)) if *known == key.as_ref() => values.push(value),
            _ => groups.push((key, vec![value])),
        }
    }
    if groups.iter().all(|(_, values)| values.len() < 2) {
        return;
    }
    let each =
        |write: Write<'_>| groups.iter().flat_map(|(key, values)| write(key, values)).collect::<Vec<u8>>();
    let one = |key: &[u8], value: Option<&&[u8]>| [key, value.copied().unwrap_or_default()].concat();
    let all = |key: &[u8], values: &[&[u8]]| {
        values.iter().flat_map(|value| [key, value]).collect::<Vec<_>>().concat()
    };
    add(
        each(&|key, values| one(key, values.first())),
        "it was signed with the first value of a repeated parameter",
    );
    add(
        each(&|key, values| one(key, values.last())),
        "it was signed with the last value of a repeated parameter",
    );
    add(each(&all), "it was signed with every value of a repeated parameter as it came, repeats included");
    let sorted = |key: &[u8], values: &[&[u8]]| {
        let mut values = values.to_vec();
        values.sort_unstable();
        all(key, &values)
    };
    add(each(&sorted), "it was signed with every value of a repeated parameter, repeats included");
    for comma in [&b","[..], b", "] {
        let written = each(&|key, values| [key, &values.join(comma)].concat());
        add(written, "it was signed with the values of a repeated parameter joined by commas");
    }
}

fn ordered(pairs: &Pairs<'_>, add: &mut dyn FnMut(Vec<u8>, &str)) {
    let mut by_case = pairs.clone();
    by_case.sort_by_key(|(key, _)| key.to_ascii_lowercase());
    add(joined(&by_case), "it was signed with the parameters sorted without regard to case");
    add(joined(pairs), "it was signed with the parameters in the order they came");
    let mut by_all = pairs.clone();
    by_all.sort_by_key(|(key, value)| [key.as_ref(), value.as_ref()].concat());
    add(joined(&by_all), "it was signed with the parameters sorted by name and value together");
}

fn encoded(form: &[u8], add: &mut dyn FnMut(Vec<u8>, &str)) {
    add(form.to_vec(), "the body was signed as it is, not as parameters");
    let mut raw: Vec<_> = fields(form).take(MOST_PARAMETERS).collect();
    raw.sort_unstable();
    raw.dedup();
    let raw: Pairs<'_> =
        raw.into_iter().map(|(key, value)| (Cow::Borrowed(key), Cow::Borrowed(value))).collect();
    add(joined(&raw), "it was signed with the parameters in their encoded spelling");
    let plus = |text: &[u8]| {
        let kept = text.iter().flat_map(|b| if *b == b'+' { b"%2B".to_vec() } else { vec![*b] });
        Cow::Owned(decode(&kept.collect::<Vec<u8>>()).into_owned())
    };
    let kept = fields(form).take(MOST_PARAMETERS).map(|(key, value)| (plus(key), plus(value)));
    add(signed(kept.collect()), "it was signed with `+` for blanks");
}

fn to_lf(text: &[u8]) -> Option<Vec<u8>> {
    text.contains(&b'\r').then(|| text.iter().filter(|b| **b != b'\r').copied().collect())
}

fn to_crlf(text: &[u8]) -> Option<Vec<u8>> {
    let spread = |b: &u8| if *b == b'\n' { b"\r\n".to_vec() } else { vec![*b] };
    (text.contains(&b'\n') && !text.contains(&b'\r')).then(|| text.iter().flat_map(spread).collect())
}

fn decoded_again(text: &[u8]) -> Option<Vec<u8>> {
    Some(decode(text).into_owned()).filter(|decoded| decoded != text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(form: &str, query: Option<&str>, wanted: &[u8]) -> Option<&'static str> {
        others(form.as_bytes(), query)
            .iter()
            .find(|other| other.bytes == wanted)
            .map(|other| other.clue.cause.code())
    }

    #[test]
    fn each_way_to_sign_other_parameters_is_tried() {
        for (form, wanted, expected) in [
            ("A=1&B=", "A1", "form.empty"),
            ("From=1", "From1FromCityFromCountryFromStateFromZipToCityToCountryToStateToZip", "form.empty"),
            ("A=+1+", "A1", "form.trimmed"),
            ("Body=x", "Bodyx\n", "form.trimmed"),
            ("A=2&A=1&A=2", "A2", "form.repeated"),
            ("A=2&A=1&A=3", "A3", "form.repeated"),
            ("A=2&A=1&A=2", "A2A1A2", "form.repeated"),
            ("A=2&A=1&A=2", "A1A2A2", "form.repeated"),
            ("A=2&A=1", "A2,1", "form.repeated"),
            ("b=1&A=2&C=3", "A2b1C3", "form.order"),
            ("b=1&A=2", "b1A2", "form.order"),
            ("ab=x&a=c", "abxac", "form.order"),
            ("A=caf%C3%A9", "Acaf\u{fffd}", "form.charset"),
            ("A=%0A", "A\r\n", "body.line_ends"),
            ("A=%0D%0A", "A\n", "body.line_ends"),
            ("A=%2541", "AA", "form.encoding"),
            ("A=b+c", "A=b+c", "form.encoding"),
            ("A=b%20c", "Ab%20c", "form.encoding"),
            ("A=b+c", "Ab+c", "form.encoding"),
            ("A=1", "", "body.signed_as_raw"),
        ] {
            let wanted =
                if expected == "form.charset" { b"Acaf\xe9".to_vec() } else { wanted.as_bytes().to_vec() };
            assert_eq!(cause(form, None, &wanted), Some(expected), "{form}");
        }
        assert_eq!(cause("A=%E9", None, "A\u{e9}".as_bytes()), Some("form.charset"));
        assert_eq!(cause("A=1", Some("Q=2"), b"A1Q2"), Some("form.query"));
        let merged = others(b"A=1", Some("Q=2"));
        assert_eq!(merged.iter().filter(|other| other.bytes == b"A1Q2" && other.without_query).count(), 1);
    }

    #[test]
    fn the_tries_are_few_and_never_the_rule() {
        let form = "From=1&To=2&Body=+x%0D%0A&B=&a=1&a=2&a=1&C=%C3%A9";
        let found = others(form.as_bytes(), Some("q=1"));
        assert!(found.len() < 40, "{}", found.len());
        let rule = signed(fields(form.as_bytes()).map(|(key, value)| (decode(key), decode(value))).collect());
        assert!(found.iter().all(|other| other.without_query || other.bytes != rule));
    }
}
