//! The kinds of requests: as Twilio makes them, as it might spell them, and as nobody but a forger sends them.

use hookhouse_verify::twilio::Algorithm;

use super::case::{Case, FORM, JSON, SHARED_KEYS, TOKEN, digest_of};
use super::generator::Generator;
use super::url::{Url, fields};

/// A kind of request, by what was done to it.
pub(crate) type Scenario = (&'static str, fn(&mut Generator) -> Case);

/// Anything, as Twilio makes it.
pub(crate) fn genuine(g: &mut Generator) -> Case {
    signed(g.any())
}

/// All of them; a run makes the same number of each.
pub(crate) const SCENARIOS: &[Scenario] = &[
    // As Twilio makes them.
    ("a form", |g| signed(g.form())),
    ("a GET", |g| signed(g.get())),
    ("a JSON body", |g| signed(g.json())),
    ("a handshake", |g| signed(g.handshake())),
    ("a body of nothing", |g| {
        let mut case = g.form();
        case.content_type = g.pick(&[Some(FORM), Some(JSON), None]);
        case.body.clear();
        signed(case)
    }),
    ("its digest twice", |g| {
        let mut case = g.json();
        let digest = format!("bodySHA256={}", digest_of(&case.body));
        g.announce(&mut case, &digest);
        signed(case)
    }),
    ("a digest of nothing on a GET", |g| {
        let mut case = g.get();
        for _ in 0..1 + g.below(2) {
            g.announce(&mut case, &format!("bodySHA256={}", digest_of(b"")));
        }
        signed(case)
    }),
    ("a digest on a GET", |g| {
        let mut case = g.get();
        let body = g.pick(&["", "{}", "x"]);
        g.announce(&mut case, &format!("bodySHA256={}", digest_of(body.as_bytes())));
        signed(case)
    }),
    ("a JSON body that is not UTF-8", |g| {
        let mut case = g.json();
        case.body = b"{\"latin\":\"caf\xe9\"}".to_vec();
        case.target = format!("/json?bodySHA256={}", digest_of(&case.body));
        signed(case)
    }),
    ("the word bodySHA256 elsewhere in the URL", |g| {
        let mut case = if g.percent(50) { g.get() } else { g.form() };
        let word = g.pick(&["note=bodySHA256", "xbodySHA256=1", "bodySHA256s"]);
        g.announce(&mut case, word);
        signed(case)
    }),
    ("keys that UTF-16 sorts otherwise", |g| {
        let mut case = g.form();
        case.body = astral(g);
        signed(case)
    }),
    ("a key of JavaScript's own", |g| {
        let case = g.form();
        let mut case = g.plain(case);
        case.body = format!("{}&__proto__=x", text(&case.body)).into_bytes();
        signed(case)
    }),
    ("a SharedKey", |g| {
        let mut case = g.form();
        let (id, secret, algorithm) = g.pick(&SHARED_KEYS);
        case.sign_shared(secret, algorithm, format!("key={id},algorithm={}", algorithm.name()));
        case
    }),
    ("a scheme in upper case", |g| {
        let mut case = if g.percent(50) { g.get() } else { g.form() };
        case.base.scheme = "HTTPS";
        signed(case)
    }),
    // As it might spell them.
    ("the port toggled", |g| {
        let mut case = g.any();
        let spelled = toggled(&case.exact());
        case.sign_as(spelled);
        case
    }),
    ("the port removed, after user information or of an IPv6 address", |g| {
        let mut case = g.any();
        case.base.port = Some(8443);
        if g.percent(50) {
            case.base.host = "[2001:db8::1]";
        } else {
            (case.base.user_info, case.told_user_info) = (Some("user:pass"), true);
        }
        let told = case.told();
        let spelled = Url::split(&told).without_port();
        case.sign_as(spelled);
        case
    }),
    ("user information", |g| {
        let mut case = g.any();
        case.base.user_info = Some(g.pick(&["user:pass", "user"]));
        case.told_user_info = g.percent(50);
        let url = case.exact();
        let with = Url { user_info: case.base.user_info, ..Url::split(&url) }.write();
        let spelled = if g.percent(50) { with } else { url };
        case.sign_as(if g.percent(30) { toggled(&spelled) } else { spelled });
        case
    }),
    ("no slash for the root", |g| {
        let mut case = if g.percent(30) { g.handshake() } else { g.form() };
        case.target = g.pick(&["/", "/?a=1", "/?"]).to_owned();
        let url = case.exact();
        let split = Url::split(&url);
        let spelled = Url { rest: &split.rest[1..], ..split }.write();
        case.sign_as(spelled);
        case
    }),
    ("a handshake with a slash added", |g| {
        let mut case = g.handshake();
        case.target = "/media".to_owned();
        case.sign_as(format!("{}/", case.exact()));
        case
    }),
    ("a handshake with its query as parameters", |g| {
        let mut case = g.handshake();
        case.target = format!("/media?{}&z=1", g.query());
        let url = case.exact();
        let (path, query) = url.split_once('?').expect("there is a query");
        let form = Case { content_type: Some(FORM), body: query.into(), ..case.clone() };
        case.sign_text(path.to_owned(), form.parameters());
        case
    }),
    ("a handshake signed as https", |g| {
        let mut case = g.handshake();
        let url = case.exact();
        case.sign_as(url.replacen("ws", "http", 1));
        case
    }),
    ("a handshake with port 443", |g| {
        let mut case = g.handshake();
        (case.base.scheme, case.base.port) = ("https", None);
        let url = case.exact();
        case.sign_as(Url::split(&url).with_port("443"));
        case
    }),
    ("a handshake with port 80", |g| {
        let mut case = g.handshake();
        (case.base.scheme, case.base.port) = ("https", None);
        let url = case.exact();
        case.sign_as(Url::split(&url).with_port("80"));
        case
    }),
    ("an apostrophe signed raw", |g| respelled(g, &["%27"], &[("%27", "'")])),
    ("@ and : signed raw", |g| respelled(g, &["%40", "%3A", "%3a"], &AT_AND_COLON)),
    ("', @ and : signed raw", |g| {
        respelled(g, &["%27", "%40"], &[&[("%27", "'")], &AT_AND_COLON[..]].concat())
    }),
    ("+ signed as %20", |g| respelled(g, &["+"], &[("+", "%20")])),
    ("+ signed as %20, ' raw", |g| respelled(g, &["+", "%27"], &[("+", "%20"), ("%27", "'")])),
    // As nobody sends them, or somebody changed them.
    ("another token", |g| {
        let mut case = signed(g.any());
        let text = [case.signed.url.as_bytes(), &case.signed.parameters].concat();
        let other = TOKEN.replace('0', "1");
        let mac = super::case::mac(aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &other, &text);
        case.spoil(Some(mac));
        case
    }),
    ("a signature with a changed byte", |g| {
        let mut case = signed(g.any());
        let mut bytes = case.signature.clone().expect("it is signed").into_bytes();
        // The last character before the padding holds bits that no byte needs.
        let at = g.below(bytes.len() - 2);
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        case.spoil(String::from_utf8(bytes).ok());
        case
    }),
    ("a signature missing, cut, lengthened or in another case", |g| {
        let mut case = signed(g.any());
        let signature = case.signature.clone().expect("it is signed");
        let spoilt = match g.below(6) {
            0 => None,
            1 => Some(String::new()),
            2 => Some(signature[..g.below(27)].to_owned()),
            3 => Some(format!("{signature}=")),
            4 => Some(format!("{signature},{signature}")),
            _ => Some(signature.to_lowercase()).filter(|lower| *lower != signature),
        };
        case.spoil(spoilt);
        case
    }),
    ("another scheme", |g| {
        let mut case = signed(g.any());
        case.base.scheme = if case.base.scheme == "http" { "https" } else { "http" };
        case
    }),
    ("another host", |g| {
        let mut case = signed(g.any());
        case.base.host = g.pick(&["hooks.example.net", "hooks.example.co", "hook.example.com", "[::2]"]);
        case
    }),
    ("the host in lower case", |g| {
        let mut case = g.any();
        case.base.host = "Hooks.Example.COM";
        let spelled = case.exact().replace("Hooks.Example.COM", "hooks.example.com");
        case.sign_as(spelled);
        case
    }),
    ("another port", |g| {
        let mut case = g.any();
        let url = case.exact();
        case.sign_as(Url { port: Some(g.pick(&["8444", "444", "81", "1"])), ..Url::split(&url) }.write());
        case
    }),
    ("a byte of the path", |g| {
        let mut case = g.any();
        let (url, rest) = (case.exact(), format!("/x{}", case.target));
        case.sign_as(Url { rest: &rest, ..Url::split(&url) }.write());
        case
    }),
    ("a slash more or less at the end of the path", |g| {
        let mut case = g.get();
        case.target = g.pick(&["/hook", "/hook/"]).to_owned();
        let url = case.exact();
        case.sign_as(url.strip_suffix('/').map_or_else(|| format!("{url}/"), str::to_owned));
        case
    }),
    ("a byte of the query", |g| {
        let mut case = with_query(g);
        let spelled = format!("{}1", case.exact());
        case.sign_as(spelled);
        case
    }),
    ("the query in another order", |g| {
        let mut case = with_query(g);
        let url = case.exact();
        let (path, query) = url.split_once('?').expect("there is a query");
        let reversed: Vec<_> = query.split('&').rev().collect();
        case.sign_as(format!("{path}?{}", reversed.join("&")));
        case
    }),
    ("a query dropped", |g| {
        let mut case = with_query(g);
        let url = case.exact();
        let (path, _) = url.split_once('?').expect("there is a query");
        case.sign_as(path.to_owned());
        case
    }),
    ("a query in its standard spelling", |g| {
        let mut case = if g.percent(50) { g.form() } else { g.get() };
        case.target = format!("/standard?{}&z=1", g.query());
        let url = case.exact();
        case.sign_as(super::node::with_legacy_query(&url));
        case
    }),
    ("a path in its standard spelling", |g| {
        let mut case = g.any();
        let tail = case.digests().first().map(|digest| format!("&bodySHA256={digest}")).unwrap_or_default();
        let target = g.pick(&["/a/../b", "/./a", "/caf\u{e9}", "/b?q='", "/b?q=\u{20ac}"]);
        case.target = format!("{target}{}{tail}", if target.contains('?') { "" } else { "?a=1" });
        let url = case.exact();
        case.sign_as(super::node::normalised(&url));
        case
    }),
    ("a question mark for %3F", |g| {
        let mut case = g.form();
        case.target = format!("/back?to=%3Fx&n={}", g.below(10));
        let spelled = case.exact().replace("%3F", "?");
        case.sign_as(spelled);
        case
    }),
    ("an F spelling of a POST", |g| {
        let mut case = g.form();
        case.target = g.pick(&["/post?n=O%27Hara", "/post?t=two+words"]).to_owned();
        let spelled = case.exact().replace("%27", "'").replace('+', "%20");
        case.sign_as(spelled);
        case
    }),
    ("a parameter dropped", |g| {
        let mut case = signed(g.form());
        let fields: Vec<_> = text(&case.body).split('&').map(str::to_owned).collect();
        let dropped = g.below(fields.len());
        let kept = fields.iter().enumerate().filter(|(n, _)| *n != dropped).map(|(_, field)| field.as_str());
        case.body = kept.collect::<Vec<_>>().join("&").into_bytes();
        case
    }),
    ("a parameter added", |g| {
        let mut case = signed(g.form());
        let (key, value) = (g.key(), g.value());
        let more = g.field(key, &value);
        case.body = format!("{}&{more}", text(&case.body)).into_bytes();
        case
    }),
    ("a byte of a value", |g| {
        let mut case = g.form();
        let (key, value) = (g.key(), g.value());
        let mut field = g.field(key, &value);
        case.body = format!("{}&{field}", text(&case.body)).into_bytes();
        case.sign();
        field.push('x');
        case.body = format!("{}&{field}", text(&g.form().body)).into_bytes();
        case
    }),
    ("a byte of a form", |g| {
        let mut case = signed(g.form());
        if !case.body.is_empty() {
            let at = g.below(case.body.len());
            // Letters of ASCII alone, so that what was text stays text.
            if case.body[at].is_ascii_alphabetic() {
                case.body[at] = if case.body[at] == b'q' { b'r' } else { b'q' };
            } else {
                case.body.push(b'q');
            }
        }
        case
    }),
    ("a byte moved from a key to its value", |g| {
        let mut case = g.form();
        case.body = b"CallSid=CA1&Di=gits".to_vec();
        case.sign();
        case.body = b"CallSid=CA1&D=igits".to_vec();
        case
    }),
    ("parameters in another order, once more, and encoded anew", |g| {
        let mut case = signed(g.form());
        let mut pairs: Vec<_> = form_urlencoded::parse(&case.body).into_owned().collect();
        pairs.reverse();
        pairs.extend(pairs.first().cloned());
        case.body = pairs.iter().map(|(key, value)| g.field(key, value)).collect::<Vec<_>>().join("&").into();
        case
    }),
    ("the query among the parameters", |g| {
        let mut case = g.form();
        let query = g.query();
        case.target = format!("/hook?{query}");
        let url = case.exact();
        let form = Case { body: [&case.body, &b"&"[..], query.as_bytes()].concat(), ..case.clone() };
        case.sign_text(url, form.parameters());
        case
    }),
    ("keys in the order of UTF-16", |g| {
        let case = g.form();
        let mut case = g.plain(case);
        case.body = astral(g);
        let pairs: Vec<_> = form_urlencoded::parse(&case.body).into_owned().collect();
        let parameters = super::node::utf16_parameters(&pairs);
        case.sign_text(case.exact(), parameters);
        case
    }),
    ("a key of JavaScript's own added", |g| {
        let case = g.form();
        let mut case = g.plain(case);
        case.body = format!("CallSid=CA{}", g.below(100)).into_bytes();
        case.sign();
        case.body.extend_from_slice(b"&__proto__=x");
        case
    }),
    ("bytes that are no text", |g| {
        let case = g.form();
        let mut case = g.plain(case);
        case.body = g.pick(&["Body=%EF%BF%BD", "Body=%25FF"]).into();
        case.sign();
        case.body = b"Body=%FF".to_vec();
        case
    }),
    ("a form as a GET", |g| {
        let mut case = signed(g.form());
        case.method = "GET";
        case
    }),
    ("a GET with a form, signed as one", |g| {
        let case = g.form();
        let mut case = g.plain(case);
        case.method = "GET";
        case.body = format!("CallSid=CA{}", g.below(100)).into_bytes();
        case.sign_text(case.exact(), case.parameters());
        case
    }),
    ("a method that Twilio does not use", |g| {
        let case = g.form();
        let mut case = signed(g.plain(case));
        case.method = g.pick(&["PUT", "PATCH", "DELETE"]);
        case
    }),
    ("a byte of a JSON body", |g| {
        let mut case = signed(g.json());
        case.body.push(b' ');
        case
    }),
    ("a JSON body without its digest", |g| {
        let mut case = g.json();
        case.target = "/json".to_owned();
        signed(case)
    }),
    ("a JSON body with its members signed", |g| {
        let case = g.json();
        let mut case = g.plain(case);
        case.target = "/json".to_owned();
        case.body = format!("{{\"CallSid\":\"CA{}\"}}", g.below(100)).into_bytes();
        let form = format!("CallSid={}", &text(&case.body)[12..case.body.len() - 2]).into_bytes();
        let form = Case { content_type: Some(FORM), body: form, ..case.clone() };
        case.sign_text(case.exact(), form.parameters());
        case
    }),
    ("a digest of another body", |g| {
        let mut case = g.json();
        case.target = format!("/json?bodySHA256={}", digest_of(b"another"));
        signed(case)
    }),
    ("a digest in upper case", |g| {
        let mut case = g.json();
        case.target = format!("/json?bodySHA256={}", digest_of(&case.body).to_uppercase());
        signed(case)
    }),
    ("the digest's name in lower case", |g| {
        let mut case = g.json();
        case.target = format!("/json?bodysha256={}", digest_of(&case.body));
        signed(case)
    }),
    ("an empty digest", |g| {
        let case = g.json();
        let mut case = g.plain(case);
        if g.percent(70) {
            case.body.clear();
        }
        case.target = g.pick(&["/json?bodySHA256=", "/json?bodySHA256"]).to_owned();
        signed(case)
    }),
    ("two digests, one right", |g| {
        let case = g.json();
        let mut case = g.plain(case);
        let (right, wrong) = (digest_of(&case.body), digest_of(b"another"));
        let wrong = if g.percent(20) { "" } else { &wrong };
        let (one, two) = if g.percent(50) { (right.as_str(), wrong) } else { (wrong, right.as_str()) };
        case.target = format!("/json?bodySHA256={one}&bodySHA256={two}");
        signed(case)
    }),
    ("two digests on a GET", |g| {
        let case = g.get();
        let mut case = g.plain(case);
        case.target = format!("/get?bodySHA256={}&bodySHA256={}", digest_of(b""), digest_of(b"another"));
        signed(case)
    }),
    ("a digest percent-encoded", |g| {
        let case = g.json();
        let mut case = g.plain(case);
        let digest = digest_of(&case.body);
        case.target = if g.percent(50) {
            format!("/json?bodySHA25%36={digest}")
        } else {
            format!("/json?bodySHA256=%{:x}{}", digest.as_bytes()[0], &digest[1..])
        };
        signed(case)
    }),
    ("a form with a digest", |g| {
        let case = g.form();
        let mut case = g.plain(case);
        case.body = format!("CallSid=CA{}", g.below(100)).into_bytes();
        let body = if g.percent(50) { case.body.clone() } else { b"another".to_vec() };
        case.target = format!("/form?bodySHA256={}", digest_of(&body));
        signed(case)
    }),
    ("a JSON request as an empty form", |g| {
        let case = g.json();
        let mut case = signed(g.plain(case));
        (case.content_type, case.body) = (Some(FORM), Vec::new());
        case
    }),
    ("a JSON request as a form", |g| {
        let case = g.json();
        let mut case = signed(g.plain(case));
        case.content_type = Some(FORM);
        case
    }),
    ("a JSON request without its body", |g| {
        let case = g.json();
        let mut case = g.plain(case);
        case.body = g.pick(&["{}", "{}", "[]"]).into();
        case.target = format!("/json?bodySHA256={}", digest_of(&case.body));
        case.sign();
        case.body.clear();
        case
    }),
    ("a form as JSON", |g| {
        let mut case = signed(g.form());
        case.content_type = Some(JSON);
        case
    }),
    ("a SharedKey that is not known", |g| {
        let mut case = g.form();
        let (_, secret, algorithm) = g.pick(&SHARED_KEYS);
        case.sign_shared(secret, algorithm, format!("key=other,algorithm={}", algorithm.name()));
        case
    }),
    ("a SharedKey without its header", |g| {
        let mut case = g.form();
        let (_, secret, algorithm) = g.pick(&SHARED_KEYS);
        case.sign_shared(secret, algorithm, String::new());
        case.settings = None;
        case
    }),
    ("a SharedKey with the algorithm of the request's choice", |g| {
        let case = g.form();
        let mut case = g.plain(case);
        let (id, secret, _) = SHARED_KEYS[1];
        let algorithm = g.pick(&[Algorithm::HmacSha1, Algorithm::HmacSha256]);
        let name = if algorithm == Algorithm::HmacSha1 { "HMAC_SHA1" } else { "hmac_sha256" };
        case.sign_shared(secret, algorithm, format!("key={id},algorithm={name}"));
        case
    }),
    ("a SharedKey with an algorithm that is none", |g| {
        let mut case = g.form();
        let (id, secret, algorithm) = g.pick(&SHARED_KEYS);
        case.sign_shared(secret, algorithm, format!("key={id},algorithm={}", g.pick(&["HMAC_MD5", "none"])));
        case
    }),
];

const AT_AND_COLON: [(&str, &str); 3] = [("%40", "@"), ("%3A", ":"), ("%3a", ":")];

fn signed(mut case: Case) -> Case {
    case.sign();
    case
}

/// A GET with one of some escapes in its query, signed with other spellings of them.
fn respelled(g: &mut Generator, needed: &[&str], spellings: &[(&str, &str)]) -> Case {
    let mut case = g.get();
    let needed: String = needed.iter().enumerate().map(|(n, escape)| format!("&n{n}=x{escape}y")).collect();
    case.target = format!("/get?{}{needed}", if g.percent(40) { g.query() } else { "a=1".to_owned() });
    let url = case.exact();
    let (path, query) = url.split_once('?').expect("there is a query");
    let query = spellings.iter().fold(query.to_owned(), |query, (from, to)| query.replace(from, to));
    case.sign_as(format!("{path}?{query}"));
    case
}

/// A request with at least two different fields in its query, neither of them a digest.
fn with_query(g: &mut Generator) -> Case {
    let mut case = if g.percent(50) { g.form() } else { g.get() };
    let query = g.query();
    case.target = format!("/query?first=1&{query}&last=2");
    assert!(fields(case.query().expect("it was just made")).count() > 1);
    case
}

/// A form whose keys, or values of a key, are of one order in UTF-8 and of another in UTF-16.
fn astral(g: &mut Generator) -> Vec<u8> {
    let (first, second) = ("\u{fb01}ne", "\u{1f600}");
    let body = if g.percent(50) {
        format!("{}&{}", g.field(second, "b"), g.field(first, "a"))
    } else {
        format!("{}&{}", g.field("Body", second), g.field("Body", first))
    };
    body.into_bytes()
}

/// The URL without its port, or with the standard one of its scheme.
fn toggled(url: &str) -> String {
    let split = Url::split(url);
    let standard = if matches!(split.scheme, "http" | "ws") { "80" } else { "443" };
    if split.port.is_some() { split.without_port() } else { split.with_port(standard) }
}

fn text(body: &[u8]) -> &str {
    std::str::from_utf8(body).expect("a form that was made from text")
}
