use super::*;

fn url(text: &str) -> WebhookUrl {
    WebhookUrl::parse(text).unwrap()
}

#[test]
fn what_is_signed_is_the_spelling_without_login_and_overrides() {
    for (written, signed) in [
        ("https://u:p@Hooks.Example.com:8443/a%27b?x=1&y#rc=2", "https://Hooks.Example.com:8443/a%27b?x=1&y"),
        ("https://h", "https://h"),
        ("HTTP://h?x", "http://h?x"),
        ("http://[::1]:80/", "http://[::1]:80/"),
        ("https://u:p@ss@h/", "https://h/"),
    ] {
        assert_eq!(url(written).to_string(), signed);
    }
    assert_eq!(url("https://h:8443/x").without_port(), "https://h/x");
    assert_eq!(
        (url("https://h").request_target(), url("https://h?x").request_target()),
        ("/".into(), "/?x".into())
    );
    assert_eq!((url("http://[::1]:81/").host(), url("http://[::1]:81/").port()), ("::1", 81));
    assert_eq!(url("http://h/#rc=4").overrides().retries, 4);
}

#[test]
fn what_is_no_url_is_refused_without_being_repeated() {
    for bad in [
        "",
        "/x",
        "h/x",
        "ftp://h/",
        "http://",
        "http:///x",
        "http://h:/",
        "http://h:99999/",
        "http://[::1",
        "http://h/a b",
        "http://h/\u{e4}",
        "http://h/<x>",
        "http://h:+80/",
    ] {
        assert!(WebhookUrl::parse(bad).is_err(), "{bad}");
    }
    for secret in [
        "http://u:hush@h/a b",
        "ftp://u:hush@h",
        "http://u:hush@h:x/",
        "http://hush@h/",
        "http://u:hu%0Ash@h/",
    ] {
        let error = WebhookUrl::parse(secret).unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        assert!(!format!("{error} {error:?} {source:?}").contains("hush"), "{secret}");
    }
    assert!(!format!("{:?}", url("http://u:hush@h/?hush")).contains("hush"));
}

#[test]
fn what_is_shown_has_no_login() {
    for (text, shown) in [
        ("https://u:hu@sh@h/a@b?c=d@e", "https://h/a@b?c=d@e"),
        ("//u:hush@h/x", "//h/x"),
        ("/menu?to=a@b", "/menu?to=a@b"),
        ("https://h", "https://h"),
    ] {
        assert_eq!(without_login(text), shown);
    }
}

/// RFC 3986 section 5.4, as far as it is about HTTP.
#[test]
fn references_are_resolved() {
    let base = url("http://a/b/c/d;p?q");
    for (reference, expected) in [
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"),
        ("//g", "http://g"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y", "http://a/b/c/g?y"),
        ("", "http://a/b/c/d;p?q"),
        (".", "http://a/b/c/"),
        ("..", "http://a/b/"),
        ("../g", "http://a/b/g"),
        ("../../../g", "http://a/g"),
        ("g;x=1/../y", "http://a/b/c/y"),
        ("g?y/../x", "http://a/b/c/g?y/../x"),
        ("https://h/x?u=http://y", "https://h/x?u=http://y"),
        ("/x?u=http://y", "http://a/x?u=http://y"),
    ] {
        assert_eq!(base.resolve(reference).unwrap().to_string(), expected, "{reference}");
    }
    assert!(base.resolve("mailto:a@b").is_err() && base.resolve("javascript:x()").is_err());
    assert_eq!(url("http://a").resolve("g").unwrap().to_string(), "http://a/g");
}

#[test]
fn a_login_stays_within_its_origin() {
    let base = url("https://u:p@a/b#rc=3");
    assert_eq!(base.resolve("/c").unwrap().credentials(), base.credentials());
    assert_eq!(base.resolve("https://A:443/c").unwrap().credentials(), base.credentials());
    assert_eq!(base.resolve("/c").unwrap().overrides(), &Overrides::default(), "a URL has its own overrides");
    for other in ["http://a/c", "https://a:8443/c", "//b/c"] {
        assert_eq!(base.resolve(other).unwrap().credentials(), None, "{other}");
    }
}
