//! Which path and query the provider may have called.

use super::body::escapes;
use super::cause::Cause;
use super::context::Context;
use super::explanation::{Clue, printable};

/// As many pairs of a query as are put into every order.
const MOST_PERMUTED: usize = 4;

/// A target that may have been signed, and what it would mean.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) target: String,
    pub(super) clue: Clue,
}

/// Other targets than the one that arrived, the likeliest first. `prefix` is what the configured URL puts in front of
/// every target.
pub(super) fn others(received: &str, context: &Context, prefix: &str) -> Vec<Target> {
    let (path, query) = split(received);
    let mut found = Found { received, targets: Vec::new() };
    for target in &context.targets {
        let behind = target.strip_prefix(prefix).filter(|rest| !prefix.is_empty() && rest.starts_with('/'));
        for target in behind.into_iter().chain([target.as_str()]) {
            found.add(target.to_owned(), rewritten(received, target));
        }
    }
    paths(path, &mut found, query);
    if let Some(query) = query {
        queries(path, query, &mut found);
    }
    found.targets
}

struct Found<'a> {
    received: &'a str,
    targets: Vec<Target>,
}

impl Found<'_> {
    fn add(&mut self, target: String, clue: Clue) {
        if target != self.received && !self.targets.iter().any(|known| known.target == target) {
            self.targets.push(Target { target, clue });
        }
    }
}

/// What a proxy says that the target was.
fn rewritten(received: &str, original: &str) -> Clue {
    let ((path, query), (was_path, was_query)) = (split(received), split(original));
    let was = format!("it was signed for path `{}`", printable(was_path));
    if path != was_path {
        if path.trim_end_matches('/') == was_path.trim_end_matches('/') {
            let (done, there) =
                if path.len() > was_path.len() { ("added", "without") } else { ("removed", "with") };
            let detail =
                format!("it was signed {there} the slash at the end of the path, which a proxy {done}");
            return Clue::new(Cause::UrlSlash, detail).set(format!("path = {:?}", printable(was_path)));
        }
        let stripped = was_path.strip_suffix(path).filter(|prefix| !prefix.is_empty());
        let added = path.strip_suffix(was_path).filter(|prefix| !prefix.is_empty());
        return match (stripped, added) {
            (Some(prefix), _) => {
                let detail = format!("{was}, and a proxy took `{}` away", printable(prefix));
                Clue::new(Cause::UrlPrefix, detail)
            }
            (_, Some(prefix)) => prefix_added(prefix, was_path),
            _ => Clue::new(Cause::UrlPath, format!("{was}, and a proxy wrote it anew")),
        };
    }
    match (query, was_query) {
        (None, Some(_)) => query_dropped(),
        (Some(_), None) => query_added(),
        _ => Clue::new(Cause::QueryEncoding, "a proxy wrote the query anew: let it pass the target as it is"),
    }
}

fn prefix_added(prefix: &str, path: &str) -> Clue {
    let detail = format!(
        "it was signed for path `{}`, and a proxy puts `{}` in front of it: let it pass the path as it is",
        printable(path),
        printable(prefix)
    );
    Clue::new(Cause::UrlPrefix, detail).set(format!("path = {:?}", printable(path)))
}

fn query_dropped() -> Clue {
    Clue::new(Cause::QueryDropped, "the query that was signed was dropped on the way")
}

fn query_added() -> Clue {
    Clue::new(Cause::QueryAdded, "the query was not signed: something added it on the way")
}

fn paths(path: &str, found: &mut Found<'_>, query: Option<&str>) {
    let slash = |detail| Clue::new(Cause::UrlSlash, detail);
    match path.strip_suffix('/') {
        Some(bare) => {
            let detail = "it was signed without the slash at the end of the path";
            found.add(joined(bare, query), slash(detail).set(format!("path = {:?}", printable(bare))));
        }
        None => {
            let with = format!("{path}/");
            let detail = "it was signed with a slash at the end of the path";
            let clue = slash(detail).set(format!("path = {:?}", printable(&with)));
            found.add(joined(&with, query), clue);
        }
    }
    for (at, _) in path.match_indices('/').skip(1).take(4) {
        let (prefix, rest) = path.split_at(at);
        found.add(joined(rest, query), prefix_added(prefix, rest));
    }
    let doubled = "it was signed with two slashes at the beginning of the path: the URL that the provider was told has one \
                   too many, and a proxy merged them";
    found.add(joined(&format!("/{path}"), query), Clue::new(Cause::UrlPath, doubled));
    let spelled = |detail| Clue::new(Cause::UrlPath, detail);
    if path.contains("//") {
        let mut single = path.to_owned();
        while single.contains("//") {
            single = single.replace("//", "/");
        }
        found.add(joined(&single, query), spelled("it was signed with single slashes in the path"));
    }
    if let Some(decoded) = decoded(path) {
        found.add(joined(&decoded, query), spelled("it was signed with the path decoded"));
    }
    for (case, how) in [
        (u8::to_ascii_uppercase as fn(&u8) -> u8, "it was signed with upper-case escapes in the path"),
        (u8::to_ascii_lowercase, "it was signed with lower-case escapes in the path"),
    ] {
        if let Some(other) = escapes(path.as_bytes(), case).and_then(|path| String::from_utf8(path).ok()) {
            found.add(joined(&other, query), spelled(how));
        }
    }
}

fn queries(path: &str, query: &str, found: &mut Found<'_>) {
    found.add(path.to_owned(), query_added());
    let mut add = |query: String, cause, how: &str| {
        let detail = format!("the query was signed {how}: let every proxy pass it as it is");
        found.add(joined(path, Some(&query)), Clue::new(cause, detail));
    };
    let pairs: Vec<&str> = query.split('&').collect();
    let mut sorted = pairs.clone();
    sorted.sort_unstable();
    add(sorted.join("&"), Cause::QueryOrder, "with sorted parameters");
    let reversed: Vec<&str> = pairs.iter().rev().copied().collect();
    add(reversed.join("&"), Cause::QueryOrder, "in reversed order");
    // Twilio appends it, so a proxy that sorts takes it from its place at the end.
    let (digests, others): (Vec<&str>, Vec<&str>) =
        pairs.iter().partition(|pair| pair.starts_with("bodySHA256="));
    add([others, digests].concat().join("&"), Cause::QueryOrder, "with `bodySHA256` at its end");

    let encoded = Cause::QueryEncoding;
    if let Some(decoded) = decoded(query) {
        add(decoded.replace('+', " "), encoded, "decoded");
        add(decoded, encoded, "with its escapes decoded");
    }
    add(query.replace('+', "%20"), encoded, "with `%20` for blanks");
    add(query.replace("%20", "+"), encoded, "with `+` for blanks");
    add(query.replace("%2B", "+").replace("%2b", "+"), encoded, "with `+` unescaped");
    add(query.replace('+', "%2B"), encoded, "with `+` escaped");
    for (case, how) in [
        (u8::to_ascii_uppercase as fn(&u8) -> u8, "with upper-case escapes"),
        (u8::to_ascii_lowercase, "with lower-case escapes"),
    ] {
        if let Some(other) = escapes(query.as_bytes(), case).and_then(|query| String::from_utf8(query).ok()) {
            add(other, encoded, how);
        }
    }
    add(encoded_anew(&pairs, b"-._*", "+"), encoded, "encoded as a form");
    add(encoded_anew(&pairs, b"-._~", "%20"), encoded, "encoded by RFC 3986");
    add(encoded_anew(&pairs, b"-._~!*'()", "%20"), encoded, "encoded as JavaScript does");
    add(encoded_anew(&pairs, b"-._~!*'()@:/?,;$", "%20"), encoded, "with few escapes");
    add(query.replace("&amp;", "&"), encoded, "without HTML's `&amp;`");
    let filled: Vec<&str> = pairs.iter().filter(|pair| !pair.is_empty()).copied().collect();
    add(filled.join("&"), encoded, "without empty pairs");
    let bare: Vec<&str> = pairs.iter().map(|pair| pair.strip_suffix('=').unwrap_or(pair)).collect();
    add(bare.join("&"), encoded, "without `=` after names that have no value");
    let equals: Vec<String> = pairs
        .iter()
        .map(|pair| if pair.contains('=') { (*pair).to_owned() } else { format!("{pair}=") })
        .collect();
    add(equals.join("&"), encoded, "with `=` after names that have no value");

    if pairs.len() <= MOST_PERMUTED {
        for order in permutations(&pairs) {
            add(order.join("&"), Cause::QueryOrder, "in another order");
        }
    }
}

fn joined(path: &str, query: Option<&str>) -> String {
    query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
}

fn split(target: &str) -> (&str, Option<&str>) {
    target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)))
}

/// Without escapes; `None` where there are none, or what they stand for is no text.
fn decoded(text: &str) -> Option<String> {
    let bytes = unescaped(text.as_bytes());
    (bytes != text.as_bytes()).then(|| String::from_utf8(bytes).ok())?
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, tail)) = rest.split_first() {
        let digits = tail.split_first_chunk::<2>().filter(|_| *byte == b'%');
        let value = digits.and_then(|(digits, after)| {
            let text = std::str::from_utf8(digits)
                .ok()
                .filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
            Some((u8::from_str_radix(text, 16).ok()?, after))
        });
        match value {
            Some((value, after)) => {
                out.push(value);
                rest = after;
            }
            None => {
                out.push(*byte);
                rest = tail;
            }
        }
    }
    out
}

/// Every pair decoded as a form and written anew: letters, digits and some marks as they are.
fn encoded_anew(pairs: &[&str], marks: &[u8], blank: &str) -> String {
    let encode = |text: &str| {
        let mut out = String::with_capacity(text.len());
        for byte in unescaped(text.replace('+', " ").as_bytes()) {
            match byte {
                b' ' => out.push_str(blank),
                b if b.is_ascii_alphanumeric() || marks.contains(&b) => out.push(char::from(b)),
                b => out.push_str(&format!("%{b:02X}")),
            }
        }
        out
    };
    let pair = |pair: &&str| match pair.split_once('=') {
        Some((name, value)) => format!("{}={}", encode(name), encode(value)),
        None => encode(pair),
    };
    pairs.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// Every order of a few items.
fn permutations<'a>(items: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut orders: Vec<Vec<&str>> = vec![Vec::new()];
    for item in items {
        let longer = orders.iter().flat_map(|order| {
            (0..=order.len()).map(|at| {
                let mut longer = order.clone();
                longer.insert(at, *item);
                longer
            })
        });
        orders = longer.collect();
    }
    orders
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(received: &str, signed: &str) -> Option<&'static str> {
        let found = others(received, &Context::default(), "");
        found.iter().find(|other| other.target == signed).map(|other| other.clue.cause.code())
    }

    #[test]
    fn what_proxies_do_to_a_target_is_undone() {
        for (signed, received, expected) in [
            ("/a/", "/a", "url.slash"),
            ("/a", "/a/", "url.slash"),
            ("/a?x=1", "/a/?x=1", "url.slash"),
            ("/voice", "/hooks/voice", "url.prefix"),
            ("/voice?x", "/a/b/c/voice?x", "url.prefix"),
            ("/a/b", "/a//b", "url.path"),
            ("//a/b?x", "/a/b?x", "url.path"),
            ("/a b", "/a%20b", "url.path"),
            ("/a%2f", "/a%2F", "url.path"),
            ("/a", "/a?x=1", "query.added"),
            ("/a?b=1&a=2", "/a?a=2&b=1", "query.order"),
            ("/a?a=2&b=1", "/a?b=1&a=2", "query.order"),
            ("/a?c=1&a=1&b=1", "/a?a=1&b=1&c=1", "query.order"),
            ("/a?z=1&y=2&x=3&w=4&v=5&bodySHA256=0", "/a?bodySHA256=0&z=1&y=2&x=3&w=4&v=5", "query.order"),
            ("/a?x='", "/a?x=%27", "query.encoding"),
            ("/a?x=a+b", "/a?x=a%20b", "query.encoding"),
            ("/a?x=a%20b", "/a?x=a+b", "query.encoding"),
            ("/a?x=a%2fb", "/a?x=a%2Fb", "query.encoding"),
            ("/a?x=sip:a@b", "/a?x=sip%3Aa%40b", "query.encoding"),
            ("/a?x=%2B1", "/a?x=+1", "query.encoding"),
            ("/a?x=%7E%27", "/a?x=~'", "query.encoding"),
            ("/a?x=1&y=2", "/a?x=1&amp;y=2", "query.encoding"),
            ("/a?x&y", "/a?x=&y=", "query.encoding"),
            ("/a?x=&y=", "/a?x&y", "query.encoding"),
            ("/a?x=1", "/a?x=1&", "query.encoding"),
        ] {
            assert_eq!(cause(received, signed), Some(expected), "{signed} as {received}");
        }
    }

    #[test]
    fn what_a_proxy_kept_is_tried_first() {
        let cause = |received: &str, kept: &str| {
            let context = Context { targets: vec![kept.to_owned()], ..Context::default() };
            let first = others(received, &context, "").swap_remove(0);
            assert_eq!(first.target, kept);
            first.clue.cause.code()
        };
        assert_eq!(cause("/voice/", "/voice"), "url.slash");
        assert_eq!(cause("/voice?x", "/voice/?x"), "url.slash");
        assert_eq!(cause("/voice", "/app/voice"), "url.prefix");
        assert_eq!(cause("/app/voice", "/voice"), "url.prefix");
        assert_eq!(cause("/index.php", "/voice"), "url.path");
        assert_eq!(cause("/voice", "/voice?a=1"), "query.dropped");
        assert_eq!(cause("/voice?a=1", "/voice"), "query.added");
        assert_eq!(cause("/voice?a=%27", "/voice?a='"), "query.encoding");
    }

    #[test]
    fn a_kept_target_is_tried_without_what_the_url_has_already() {
        let context = Context { targets: vec!["/edge/voice%2Din".to_owned()], ..Context::default() };
        let first = |prefix| others("/voice-in", &context, prefix).swap_remove(0).target;
        assert_eq!(first("/edge"), "/voice%2Din");
        for prefix in ["", "/ed", "/other", "/edge/voice%2Din"] {
            assert_eq!(first(prefix), "/edge/voice%2Din", "{prefix}");
        }
    }

    #[test]
    fn the_tries_are_few_and_never_what_arrived() {
        let received = "/a/b/c//d%2f/?d=%27&c=+&b&a=%20";
        let found = others(received, &Context::default(), "");
        assert!(found.len() < 80, "{}", found.len());
        assert!(found.iter().all(|other| other.target != received));
        let long = format!("/a?{}", "x=%27&".repeat(1_000));
        assert!(others(&long, &Context::default(), "").len() < 60);
    }

    #[test]
    fn no_query_is_told() {
        let context = Context { targets: vec!["/x?token=hush".to_owned()], ..Context::default() };
        for other in others("/y?token=hush2", &context, "/x") {
            let told = format!("{} {:?}", other.clue.detail, other.clue.setting);
            assert!(!told.contains("hush"), "{told}");
        }
    }
}
