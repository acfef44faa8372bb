//! The cookies of one call: kept from answer to request, and forgotten with it.

use http::HeaderMap;
use http::header::SET_COOKIE;
use jiff::Timestamp;

use super::url::WebhookUrl;

/// What the hosts of a call have set.
#[derive(Debug, Default)]
pub(super) struct Jar {
    cookies: Vec<Cookie>,
}

#[derive(Debug)]
struct Cookie {
    name: String,
    value: String,
    host: String,
    path: String,
    secure: bool,
}

impl Jar {
    /// Keeps what an answer sets, and says what Twilio would not take.
    pub(super) fn keep(&mut self, url: &WebhookUrl, headers: &HeaderMap, now: Timestamp) -> Vec<String> {
        let mut faults = Vec::new();
        for value in headers.get_all(SET_COOKIE) {
            match Cookie::parse(url, value.as_bytes(), now) {
                Ok((cookie, expired)) => {
                    self.cookies.retain(|old| !old.is_replaced_by(&cookie));
                    if !expired && self.cookies.len() < MOST {
                        self.cookies.push(cookie);
                    }
                }
                Err(fault) => faults.push(fault.to_owned()),
            }
        }
        faults
    }

    /// The value of `Cookie` for a request.
    pub(super) fn header(&self, url: &WebhookUrl) -> Option<String> {
        let host = url.host().to_ascii_lowercase();
        let ours = self.cookies.iter().filter(|cookie| {
            cookie.host == host
                && (!cookie.secure || url.scheme().is_secure())
                && covers(&cookie.path, url.path())
        });
        let pairs: Vec<_> = ours.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

impl Cookie {
    /// One `Set-Cookie`, and whether it takes the cookie back. `Domain` is not looked at: a cookie goes back to the host
    /// that set it.
    fn parse(url: &WebhookUrl, value: &[u8], now: Timestamp) -> Result<(Self, bool), &'static str> {
        let text = std::str::from_utf8(value).map_err(|_| "a cookie has characters outside ASCII")?;
        let mut parts = text.split(';');
        let (name, value) =
            parts.next().and_then(|pair| pair.split_once('=')).ok_or("a cookie has no `=`")?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() {
            return Err("a cookie has an empty name");
        }
        let is_token = |b: u8| b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&b);
        let is_octet = |b: u8| b.is_ascii_graphic() && !b",;\\".contains(&b);
        if !name.bytes().all(is_token) || !value.bytes().all(is_octet) || text.len() > LONGEST {
            return Err("a cookie has characters that RFC 6265 forbids, or is longer than 4 KiB");
        }
        let folder = url.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut cookie = Self {
            name: name.to_owned(),
            value: value.to_owned(),
            host: url.host().to_ascii_lowercase(),
            path: if folder.is_empty() { "/".to_owned() } else { folder.to_owned() },
            secure: false,
        };
        let (mut age, mut date) = (None, None);
        for attribute in parts {
            let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
                "secure" => cookie.secure = true,
                "max-age" => age = value.parse::<i64>().ok(),
                "expires" => date = jiff::fmt::rfc2822::parse(value).ok(),
                _ => {}
            }
        }
        // The age counts where both are there (RFC 6265 section 5.3).
        let expired = match (age, date) {
            (Some(age), _) => age <= 0,
            (None, Some(date)) => date.timestamp() <= now,
            (None, None) => false,
        };
        Ok((cookie, expired))
    }

    fn is_replaced_by(&self, other: &Self) -> bool {
        self.name == other.name && self.host == other.host && self.path == other.path
    }
}

/// Path-match (RFC 6265 section 5.1.4).
fn covers(cookie: &str, path: &str) -> bool {
    path.strip_prefix(cookie)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || cookie.ends_with('/'))
}

/// How many cookies are kept.
const MOST: usize = 50;
/// The longest that is kept.
const LONGEST: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> WebhookUrl {
        WebhookUrl::parse(text).unwrap()
    }

    fn now() -> Timestamp {
        "2026-11-22T03:54:00Z".parse().unwrap()
    }

    fn set(jar: &mut Jar, at: &str, values: &[&str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(SET_COOKIE, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        jar.keep(&url(at), &headers, now())
    }

    #[test]
    fn cookies_go_back_where_they_came_from() {
        let mut jar = Jar::default();
        let faults = set(
            &mut jar,
            "https://H/app/voice",
            &["a=1", "b=\"2\"; Path=/; Secure; HttpOnly", "c=3; Path=/app/x"],
        );
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!(jar.header(&url("https://h/app/next?x")).unwrap(), "a=1; b=\"2\"");
        assert_eq!(jar.header(&url("https://h/app/x/y")).unwrap(), "a=1; b=\"2\"; c=3");
        assert_eq!(jar.header(&url("http://h/app")).unwrap(), "a=1", "not without TLS");
        assert_eq!(jar.header(&url("https://h")).unwrap(), "b=\"2\"");
        assert_eq!(jar.header(&url("http://h/application")), None);
        assert_eq!(jar.header(&url("https://other/app/")), None);
    }

    #[test]
    fn a_cookie_is_replaced_and_taken_back() {
        let mut jar = Jar::default();
        set(
            &mut jar,
            "http://h/",
            &["a=1", "b=1", "c=1; Max-Age=60", "d=1; Expires=Mon, 21 Nov 2044 10:00:00 GMT"],
        );
        set(&mut jar, "http://h/", &["a=2", "b=; Max-Age=0", "d=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]);
        assert_eq!(jar.header(&url("http://h/")).unwrap(), "c=1; a=2");
    }

    #[test]
    fn odd_cookies_are_faults() {
        let mut jar = Jar::default();
        for odd in ["=x", "a", "a b=1", "a=b c", "a=\u{e4}", "a=b,c", &format!("a={}", "x".repeat(5000))] {
            assert_eq!(set(&mut jar, "http://h/", &[odd]).len(), 1, "{odd}");
        }
        let many: Vec<_> = (0..100).map(|n| format!("n{n}=1")).collect();
        set(&mut jar, "http://h/", &many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(jar.cookies.len(), MOST);
    }
}
