//! What a sender may write, and the proof that a template shows it as text.

/// Texts that mean something somewhere: in markup, in an attribute, in an address, in a script, in a template.
const TEXTS: [&str; 14] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</pre></code></table></title></svg><script>",
    "<svg onload=alert(1)>",
    "<!--",
    "-->",
    "]]>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;&#60;b&#62;",
    "\u{202e}gpj.exe",
    "</time><style>*{display:none}</style>",
    "a&b=c\"d'e<f>g",
];

/// Every text is shown as itself: with its escaped form put back to a harmless word, the page is the one that the
/// harmless word makes.
pub(super) fn is_text(render: impl Fn(&str) -> String) {
    let harmless = render("harmless");
    assert!(harmless.contains("harmless"), "the specimen shows nothing");
    for text in TEXTS {
        assert_eq!(render(text).replace(&escaped(text), "harmless"), harmless, "{text}");
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&#38;")
        .replace('<', "&#60;")
        .replace('>', "&#62;")
        .replace('"', "&#34;")
        .replace('\'', "&#39;")
}
