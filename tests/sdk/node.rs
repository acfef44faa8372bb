//! What the Node.js SDK makes of a request, as far as that is not what arrived: the deviations tell by it which requests
//! they are about.

use super::case::{Case, digest_of};
use super::deviations::Judge;
use super::url::{Url, fields};

/// The spellings that the SDK tries, those of the URL as it was told first.
#[derive(Debug)]
pub(crate) struct Spellings {
    pub(crate) as_told: [String; 2],
    pub(crate) normalised: [String; 2],
    pub(crate) with_legacy_query: [String; 2],
}

impl Spellings {
    /// Those that an application's call tries.
    pub(crate) fn of(case: &Case, judge: Judge) -> Self {
        let told = if judge == Judge::Webhook { middleware_url(case) } else { case.told() };
        let plain = normalised(&told);
        let normalised = Url::split(&plain).sdk_spellings();
        Self {
            as_told: Url::split(&told).sdk_spellings(),
            with_legacy_query: normalised.clone().map(|url| with_legacy_query(&url)),
            normalised,
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &String> {
        self.as_told.iter().chain(&self.normalised).chain(&self.with_legacy_query)
    }
}

/// Whether the signature is one of the auth token, over a URL that the SDK tries and over what it takes for the content.
pub(crate) fn takes(case: &Case, judge: Judge) -> bool {
    case.signed.by_token
        && Spellings::of(case, judge).all().any(|url| *url == case.signed.url)
        && content(case, judge).is_some_and(|content| content == case.signed.parameters)
}

/// The URL that the middleware puts together: in a target with a query, every `%3F` has become a `?`.
pub(crate) fn middleware_url(case: &Case) -> String {
    let told = case.told();
    let url = Url::split(&told);
    let rest = if url.rest.contains('?') { url.rest.replace("%3F", "?") } else { url.rest.to_owned() };
    Url { scheme: &url.scheme.to_ascii_lowercase(), rest: &rest, ..url }.write()
}

/// What the SDK takes to be signed after the URL; `None` where a digest or a body is refused.
pub(crate) fn content(case: &Case, judge: Judge) -> Option<Vec<u8>> {
    let by_digest = |body: &[u8]| (digest(case).as_deref() == Some(&digest_of(body))).then(Vec::new);
    let is_text = case.content_type.is_some() && !case.is_form();
    if judge == Judge::Webhook && case.target.contains("bodySHA256") {
        return by_digest(if case.body.is_empty() { b"{}" } else { &case.body });
    }
    if judge == Judge::Webhook && is_text && !case.body.is_empty() {
        return members(&case.body);
    }
    if is_text && (!case.body.is_empty() || digest(case).is_some()) {
        return by_digest(String::from_utf8_lossy(&case.body).as_bytes());
    }
    let mut body = String::from_utf8_lossy(&case.body).into_owned();
    if judge == Judge::Webhook {
        // Express's parser leaves what is no text percent-encoded.
        body = body.replace("%FF", "%25FF");
    }
    let mut pairs: Vec<_> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    pairs.retain(|(key, value)| judge != Judge::Webhook || !is_passed_over(key, value));
    Some(utf16_parameters(&pairs))
}

/// Whether Express's parser of forms leaves this out, and it would matter.
pub(crate) fn is_passed_over(key: &str, value: &str) -> bool {
    key == "__proto__" || (key.is_empty() && !value.is_empty())
}

/// The first `bodySHA256`, its name and its value percent-decoded.
fn digest(case: &Case) -> Option<String> {
    let mut fields = form_urlencoded::parse(case.query().unwrap_or_default().as_bytes());
    fields.find(|(name, _)| name == "bodySHA256").map(|(_, value)| value.into_owned())
}

/// A JSON body, taken for parameters; only of the plain ones that could be signed here.
fn members(body: &[u8]) -> Option<Vec<u8>> {
    match serde_json::from_slice(body).ok()? {
        serde_json::Value::Array(elements) if elements.is_empty() => Some(Vec::new()),
        serde_json::Value::Object(members) => {
            let pair = |(name, value): (&String, &serde_json::Value)| {
                Some((name.clone(), value.as_str()?.to_owned()))
            };
            let pairs: Option<Vec<_>> = members.iter().map(pair).collect();
            pairs.map(|pairs| utf16_parameters(&pairs))
        }
        _ => None,
    }
}

/// Parameters in the order of JavaScript's `sort`, which compares UTF-16 code units.
pub(crate) fn utf16_parameters(pairs: &[(String, String)]) -> Vec<u8> {
    let units = |text: &String| text.encode_utf16().collect::<Vec<_>>();
    let mut pairs = pairs.to_vec();
    pairs.sort_by_key(|(key, value)| (units(key), units(value)));
    pairs.dedup();
    pairs.iter().flat_map(|(key, value)| [key.as_bytes(), value.as_bytes()].concat()).collect()
}

/// A URL as `new URL(…)` writes it; as far as the URLs here go.
pub(crate) fn normalised(url: &str) -> String {
    let url = Url::split(url);
    let scheme = url.scheme.to_ascii_lowercase();
    let standard = if matches!(scheme.as_str(), "https" | "wss") { "443" } else { "80" };
    let (path, query) = match url.rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (url.rest, None),
    };
    let mut segments = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => _ = segments.pop(),
            segment => segments.push(segment),
        }
    }
    let mut rest = escaped(&format!("/{}", segments.join("/")), |c| c.is_ascii());
    if let Some(query) = query {
        rest = format!("{rest}?{}", escaped(query, |c| c.is_ascii() && !"'\"<>".contains(c)));
    }
    Url {
        scheme: &scheme,
        host: &url.host.to_ascii_lowercase(),
        port: url.port.filter(|port| *port != standard),
        rest: &rest,
        ..url
    }
    .write()
}

/// A URL with its query as Node's `querystring` writes it: decoded and encoded again, the values of a name together,
/// names that are numbers first.
pub(crate) fn with_legacy_query(url: &str) -> String {
    let Some((path, query)) = url.split_once('?').filter(|(_, query)| !query.is_empty()) else {
        return url.to_owned();
    };
    let mut grouped: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in fields(query) {
        let [name, value] = [name, value].map(unescaped);
        match grouped.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => grouped.push((name, vec![value])),
        }
    }
    let number = |name: &str| name.parse::<u32>().ok().filter(|number| number.to_string() == name);
    grouped.sort_by_key(|(name, _)| number(name).map_or((1, 0), |number| (0, number)));
    let escape = |text: &str| escaped(text, |c| c.is_ascii_alphanumeric() || "-_.!~*'()".contains(c));
    let written = grouped.iter().flat_map(|(name, values)| {
        values.iter().map(move |value| format!("{}={}", escape(name), escape(value)))
    });
    format!("{path}?{}", written.collect::<Vec<_>>().join("&"))
}

fn unescaped(text: &str) -> String {
    let field = format!("{}=", text.replace('=', "%3D"));
    form_urlencoded::parse(field.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if stays(c) {
            out.push(c);
        } else {
            let mut bytes = [0; 4];
            out.extend(c.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")));
        }
    }
    out
}
