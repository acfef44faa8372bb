//! Twilio's mistakes: those of `facts` about proxies and frameworks, and of its own products.

use super::*;
use crate::descriptor::{Digest, Encoding};
use crate::explain::trial::MOST_BYTES;
use crate::fixtures::{key, now, retired, secret};
use crate::twilio::{
    self, Account, Algorithm, SIGNATURE_HEADER, SIGNATURE_SETTINGS_HEADER, Settings, SharedKey,
    with_body_digest,
};
use crate::{mac, sendgrid};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const FORM: &str = "application/x-www-form-urlencoded";
const BODY: &str = "CallSid=CA1&CallStatus=ringing&From=%2B14158675309&Body=caf%C3%A9+x&Empty=";

fn with(url: &str, change: impl FnOnce(&mut Settings)) -> Verifier {
    let mut settings = Settings {
        urls: vec![url.parse().unwrap()],
        tokens: vec![key("auth_token", TOKEN)],
        ..Settings::default()
    };
    change(&mut settings);
    Verifier::Twilio(twilio::Verifier::new(settings).unwrap())
}

fn verifier(url: &str) -> Verifier {
    with(url, |_| {})
}

fn sign(token: &str, url: &str, form: &str) -> String {
    twilio::sign(&secret(token), Algorithm::HmacSha1, url, form.as_bytes())
}

fn sign_raw(url: &str, rest: &[u8]) -> String {
    mac::sign(TOKEN.as_bytes(), Digest::Sha1, &[url.as_bytes(), rest], Encoding::Base64).into_text()
}

fn send(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Request {
    Request::new(method.to_owned(), target, headers, body.to_owned()).unwrap()
}

fn form_post(target: &str, signature: &str, more: &[(&str, &str)]) -> Request {
    let headers = [&[("content-type", FORM), (SIGNATURE_HEADER, signature)], more].concat();
    send("POST", target, &headers, BODY)
}

#[test]
fn a_wrong_public_url_is_named_with_the_right_one() {
    let hints = [
        ("host", "10.0.0.7:3000"),
        ("x-forwarded-host", "proxy.example:8444"),
        ("x-forwarded-prefix", "/app"),
    ];
    let table: [(&str, &str, &[Cause]); 16] = [
        ("http://h.example", "https://h.example", &[Cause::UrlScheme]),
        ("https://h.example", "http://h.example", &[Cause::UrlScheme]),
        ("https://h.example", "https://proxy.example", &[Cause::UrlHost]),
        ("https://h.example", "https://10.0.0.7", &[Cause::UrlHost]),
        ("https://h.example", "https://h.example:8443", &[Cause::UrlPort]),
        ("https://h.example:8443", "https://h.example:443", &[Cause::UrlPort]),
        ("https://h.example:8443", "https://h.example:3000", &[Cause::UrlPort]),
        ("https://h.example", "https://h.example/app", &[Cause::UrlPrefix]),
        ("https://h.example/app", "https://h.example", &[Cause::UrlPrefix]),
        ("https://h.example", "https://h.example/webhooks", &[Cause::UrlPrefix]),
        ("https://h.example", "https://proxy.example:8444", &[Cause::UrlHost, Cause::UrlPort]),
        ("http://h.example:8080", "https://h.example", &[Cause::UrlScheme, Cause::UrlPort]),
        ("http://h.example", "https://proxy.example", &[Cause::UrlScheme, Cause::UrlHost]),
        ("http://h.example", "https://h.example/app", &[Cause::UrlScheme, Cause::UrlPrefix]),
        ("http://h.example", "https://h.example:8444", &[Cause::UrlScheme, Cause::UrlPort]),
        (
            "http://h.example",
            "https://proxy.example/app",
            &[Cause::UrlScheme, Cause::UrlHost, Cause::UrlPrefix],
        ),
    ];
    for (configured, told, causes) in table {
        let setting = format!("public_url = \"{told}\"");
        let posted = form_post("/voice?a=1", &sign(TOKEN, &format!("{told}/voice?a=1"), BODY), &hints);
        let signature = sign(TOKEN, &format!("{told}/voice?a=1"), "");
        let asked = send("GET", "/voice?a=1", &[&hints[..], &[(SIGNATURE_HEADER, &signature)]].concat(), "");
        let stream_url = format!("{}/stream", told.replace("http", "ws"));
        let signature = sign(TOKEN, &stream_url, "");
        let stream = [&hints[..], &[("upgrade", "websocket"), (SIGNATURE_HEADER, &signature)]].concat();
        let stream = send("GET", "/stream", &stream, "");
        for request in [posted, asked, stream] {
            let explanation = explain(&verifier(configured), request);
            for cause in causes {
                assert_found(&explanation, *cause, Some(&setting));
            }
            assert_eq!(explanation.findings.len(), causes.len(), "{explanation:#?}");
        }
    }
}

#[test]
fn the_sentence_is_for_a_log() {
    let request = form_post("/voice", &sign(TOKEN, "https://h.example/voice", BODY), &[]);
    let explanation = explain(&verifier("http://h.example"), request);
    assert_eq!(
        explanation.sentence,
        "it was signed for https://, and `public_url` says http://; set `public_url = \"https://h.example\"`"
    );
    assert!(explanation.complete);
}

#[test]
fn the_url_of_another_source_is_tried() {
    let request = || form_post("/voice", &sign(TOKEN, "https://other.example:99/pre/voice", BODY), &[]);
    let own = verifier("https://h.example");
    assert_eq!(explain(&own, request()).findings[0].cause, Cause::Unknown);
    let other =
        with("https://other.example:99/pre", |settings| settings.tokens = vec![key("auth_token", "x")]);
    let (_, explanation) = explain_with(&own, &[("sms", &other)], request());
    assert_found(&explanation, Cause::UrlHost, Some("public_url = \"https://other.example:99/pre\""));
}

#[test]
fn what_happened_to_path_and_query_is_named() {
    let table: [(&str, &str, Cause, Option<&str>); 17] = [
        ("/voice", "/voice/", Cause::UrlSlash, Some("path = \"/voice/\"")),
        ("/voice/", "/voice", Cause::UrlSlash, Some("path = \"/voice\"")),
        ("/hooks/voice", "/voice", Cause::UrlPrefix, Some("path = \"/voice\"")),
        ("/voi%20ce", "/voi ce", Cause::UrlPath, None),
        ("/a?b=2&a=1", "/a?a=1&b=2", Cause::QueryOrder, None),
        ("/a?a=1&b=2&c=3", "/a?c=3&a=1&b=2", Cause::QueryOrder, None),
        ("/a?a=1&x=2", "/a", Cause::QueryAdded, None),
        ("/a?x=%2F", "/a?x=/", Cause::QueryEncoding, None),
        ("/a?x=a%20b", "/a?x=a+b", Cause::QueryEncoding, None),
        ("/a?x=%2f", "/a?x=%2F", Cause::QueryEncoding, None),
        ("/a?x=it's", "/a?x=it%27s", Cause::QueryEncoding, None),
        ("/a?x=%28a%29", "/a?x=(a)", Cause::QueryEncoding, None),
        ("/a?x=", "/a?x", Cause::QueryEncoding, None),
        ("/a?x=caf%C3%A9", "/a?x=caf\u{e9}", Cause::QueryEncoding, None),
        ("/a?x=1&amp;y=2", "/a?x=1&y=2", Cause::QueryEncoding, None),
        ("/a?x=1&", "/a?x=1", Cause::QueryEncoding, None),
        ("/a//b", "/a/b", Cause::UrlPath, None),
    ];
    for (received, told, cause, setting) in table {
        let request = form_post(received, &sign(TOKEN, &format!("https://h.example{told}"), BODY), &[]);
        assert_found(&explain(&verifier("https://h.example"), request), cause, setting);
        let url = format!("https://h.example{told}");
        let headers = [(SIGNATURE_HEADER, sign(TOKEN, &url, ""))];
        let asked = Request::new("GET", received, &headers, "").unwrap();
        let verifier = verifier("https://h.example");
        if !matches!(verifier.verify(asked.clone(), now()), Verdict::Verified(_)) {
            assert_found(&explain(&verifier, asked), cause, setting);
        }
    }
}

#[test]
fn the_target_that_a_proxy_kept_is_tried() {
    for (received, told, cause) in [
        ("/voice", "/voice?token=1&z=2", Cause::QueryDropped),
        ("/voice?token=1&z=2", "/voice?z=2&y=%20&token=1", Cause::QueryEncoding),
        ("/index.php", "/voice", Cause::UrlPath),
    ] {
        let signature = sign(TOKEN, &format!("https://h.example{told}"), BODY);
        let request = form_post(received, &signature, &[("x-original-uri", told)]);
        let explanation = explain(&verifier("https://h.example"), request);
        assert!(finding(&explanation, cause).proven);
        assert!(!format!("{explanation:?}").contains("token=1"), "a query is not told: {explanation:#?}");
    }
    // The URL has the prefix already, and the kept target has it too.
    let signature = sign(TOKEN, "https://h.example/edge/voice%2Din", BODY);
    let request = form_post("/voice-in", &signature, &[("x-original-uri", "/edge/voice%2Din")]);
    assert_found(&explain(&verifier("https://h.example/edge"), request), Cause::UrlPath, None);
    // It lacks it, and what the proxy kept says which.
    let signature = sign(TOKEN, "https://h.example/app/v2/voice", BODY);
    let request = form_post("/voice", &signature, &[("x-original-uri", "/app/v2/voice")]);
    let explanation = explain(&verifier("https://h.example"), request);
    assert_found(&explanation, Cause::UrlPrefix, Some("public_url = \"https://h.example/app/v2\""));
}

#[test]
fn what_happened_to_the_parameters_is_named() {
    let url = "https://h.example/a";
    let sms = "AccountSid=AC1&Body=Hi&From=%2B1&To=%2B2";
    let spread =
        "AccountSidAC1BodyHiFrom+1FromCityFromCountryFromStateFromZipTo+2ToCityToCountryToStateToZip";
    let table: [(&str, &[u8], Cause); 20] = [
        ("A=1&B=", b"A1", Cause::FormEmpty),
        (sms, spread.as_bytes(), Cause::FormEmpty),
        ("A=+x+&B=1", b"AxB1", Cause::FormTrimmed),
        ("Body=Hi&A=1", b"A1BodyHi\n", Cause::FormTrimmed),
        ("Body=Hi&A=1", b"A1BodyHi ", Cause::FormTrimmed),
        ("D=5&D=1&D=5", b"D5", Cause::FormRepeated),
        ("D=5&D=1&D=7", b"D7", Cause::FormRepeated),
        ("D=5&D=1&D=5", b"D5D1D5", Cause::FormRepeated),
        ("D=5&D=1&D=5", b"D1D5D5", Cause::FormRepeated),
        ("D=5&D=1", b"D5,1", Cause::FormRepeated),
        ("b=1&A=2&C=3", b"A2b1C3", Cause::FormOrder),
        ("b=1&A=2&C=3", b"b1A2C3", Cause::FormOrder),
        ("A=caf%C3%A9", b"Acaf\xe9", Cause::FormCharset),
        ("A=caf%E9", b"Acaf\xc3\xa9", Cause::FormCharset),
        ("A=a%0Ab", b"Aa\r\nb", Cause::BodyLineEnds),
        ("A=a%0D%0Ab", b"Aa\nb", Cause::BodyLineEnds),
        ("A=a%2541", b"AaA", Cause::FormEncoding),
        ("A=a+b&C=1", b"A=a+b&C=1", Cause::FormEncoding),
        ("A=a%2Bb", b"Aa%2Bb", Cause::FormEncoding),
        ("A=1&B=2", b"", Cause::SignedAsRaw),
    ];
    for (form, signed, cause) in table {
        let signature = sign_raw(url, signed);
        let request = send("POST", "/a", &[("content-type", FORM), (SIGNATURE_HEADER, &signature)], form);
        assert_found(&explain(&verifier("https://h.example"), request), cause, None);
    }
    for signed_url in ["https://h.example/a?q=1", "https://h.example/a"] {
        let headers = [("content-type", FORM), (SIGNATURE_HEADER, &sign_raw(signed_url, b"A2q1"))];
        let request = send("POST", "/a?q=1", &headers, "A=2");
        assert_found(&explain(&verifier("https://h.example"), request), Cause::FormQuery, None);
    }
}

fn json(url: &str, content_type: &str, body: &str) -> Request {
    let target = url.strip_prefix("https://h.example").unwrap();
    let signature = sign(TOKEN, url, "");
    send("POST", target, &[("content-type", content_type), (SIGNATURE_HEADER, &signature)], body)
}

#[test]
fn a_body_that_changed_under_a_signature_that_holds_is_told_from_a_wrong_signature() {
    let original = "{\"b\":1,\"a\":[\"x/y\",\"caf\u{e9}\"]}";
    let pretty = "{\n  \"b\": 1,\n  \"a\": [\n    \"x/y\",\n    \"caf\u{e9}\"\n  ]\n}";
    let url = with_body_digest("https://h.example/a?x=1", original.as_bytes());
    for (received, cause) in [
        (pretty.to_owned(), Cause::BodyReserialised),
        (original.replace('/', "\\/"), Cause::BodyReserialised),
        (original.replace('\u{e9}', "\\u00e9"), Cause::BodyReserialised),
        (format!("{original}\n"), Cause::BodyNewline),
        (format!("\u{feff}{original}"), Cause::BodyBom),
        (original.replace("x/y", "x/z"), Cause::BodyChanged),
        (String::new(), Cause::BodyDropped),
    ] {
        let explanation = explain(&verifier("https://h.example"), json(&url, "application/json", &received));
        assert_found(&explanation, cause, None);
        assert!(explanation.sentence.contains("signature of the URL holds"), "{}", explanation.sentence);
    }
}

#[test]
fn a_digest_in_another_spelling_is_named() {
    use data_encoding::BASE64;
    let digest = mac::sha256(b"{}");
    let hex = twilio::digest::of(b"{}");
    for (spelled, cause) in [
        (hex.to_uppercase(), Cause::DigestEncoding),
        (BASE64.encode(&digest), Cause::DigestEncoding),
        (
            BASE64.encode(&digest).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"),
            Cause::DigestEncoding,
        ),
        (BASE64.encode(hex.as_bytes()), Cause::DigestEncoding),
        (format!("{hex}&bodySHA256={}", "0".repeat(64)), Cause::DigestRepeated),
    ] {
        let request = json(&format!("https://h.example/a?bodySHA256={spelled}"), "application/json", "{}");
        assert_found(&explain(&verifier("https://h.example"), request), cause, None);
    }
}

#[test]
fn a_body_of_another_kind_is_named() {
    let own = verifier("https://h.example");
    // A form whose Content-Type was changed or dropped.
    let signature = sign(TOKEN, "https://h.example/a", BODY);
    let request = send("POST", "/a", &[("content-type", "text/plain"), (SIGNATURE_HEADER, &signature)], BODY);
    assert_found(&explain(&own, request), Cause::SignedAsForm, None);
    // JSON without the digest in its URL.
    assert_found(
        &explain(&own, json("https://h.example/a", "application/json", "{}")),
        Cause::DigestMissing,
        None,
    );
    // JSON that is declared a form.
    let url = with_body_digest("https://h.example/a", b"{}");
    assert_found(&explain(&own, json(&url, FORM, "{}")), Cause::SignedAsRaw, None);
    // The query that was signed, with its digest, was dropped.
    let signature = sign(TOKEN, &url, "");
    let headers = [("content-type", "application/json"), (SIGNATURE_HEADER, signature.as_str())];
    assert_found(&explain(&own, send("POST", "/a", &headers, "{}")), Cause::QueryDropped, None);
}

#[test]
fn a_signature_that_is_written_wrongly_is_named() {
    use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};
    // One with every mark of base64 in it.
    let (target, bytes) = (0..)
        .map(|n| {
            let target = format!("/a?n={n}");
            let text = sign(TOKEN, &format!("https://h.example{target}"), BODY);
            (target, BASE64.decode(text.as_bytes()).unwrap())
        })
        .find(|(_, bytes)| BASE64.encode(bytes).contains('/'))
        .unwrap();
    let right = BASE64.encode(&bytes);
    for (written, cause) in [
        (HEXLOWER.encode(&bytes), Cause::SignatureHex),
        (HEXUPPER.encode(&bytes), Cause::SignatureHex),
        (BASE64URL.encode(&bytes), Cause::SignatureBase64Url),
        (right.replace('=', ""), Cause::SignatureSpelling),
        (BASE64.encode(HEXLOWER.encode(&bytes).as_bytes()), Cause::SignatureSpelling),
        (format!("\"{right}\""), Cause::SignatureBlanks),
        (format!("sha1={right}"), Cause::SignaturePrefix),
    ] {
        let explanation = explain(&verifier("https://h.example"), form_post(&target, &written, &[]));
        assert_found(&explanation, cause, None);
    }
    // Two mistakes at once are two findings.
    let request = form_post(&target, &HEXLOWER.encode(&bytes), &[]);
    let explanation = explain(&verifier("http://h.example"), request);
    assert_found(&explanation, Cause::UrlScheme, Some("public_url = \"https://h.example\""));
    assert!(finding(&explanation, Cause::SignatureHex).proven);
    // Nothing proves this one; what it looks like is said all the same.
    let explanation = explain(&verifier("https://h.example"), form_post("/a", &"ab".repeat(20), &[]));
    assert!(!finding(&explanation, Cause::SignatureHex).proven);
    let explanation = explain(&verifier("https://h.example"), form_post("/a", "no signature", &[]));
    assert!(explanation.sentence.contains("28 characters"), "{explanation:#?}");
}

#[test]
fn the_wrong_key_is_named() {
    let request = |token: &str| form_post("/a", &sign(token, "https://h.example/a", BODY), &[]);
    let own = with("https://h.example", |settings| {
        settings.tokens.push(retired("previous_secrets[0]", "the old one"))
    });
    let explanation = explain(&own, request("the old one"));
    assert_found(&explanation, Cause::KeyRetired, Some("previous_secrets[0]"));

    let sms = with("https://s.example", |settings| settings.tokens = vec![key("auth_token", "of sms")]);
    let (_, explanation) = explain_with(&own, &[("sms", &sms)], request("of sms"));
    assert_found(&explanation, Cause::KeyOtherSource, Some("auth_token"));
    assert!(explanation.sentence.contains("`auth_token` of source `sms`"), "{}", explanation.sentence);
    // A request for the other source's URL, with its key.
    let elsewhere = form_post("/a", &sign("of sms", "https://s.example/a", BODY), &[]);
    assert_found(&explain_with(&own, &[("sms", &sms)], elsewhere).1, Cause::KeyOtherSource, None);

    for configured in ["0123\n", " 0123", "0123\r\n", "\"0123\""] {
        let own = with("https://h.example", |settings| settings.tokens = vec![key("auth_token", configured)]);
        assert_found(&explain(&own, request("0123")), Cause::KeyBlanks, Some("auth_token"));
    }
    assert_found(&explain(&own, request(&format!("{TOKEN}\n"))), Cause::KeyBlanks, Some("auth_token"));
    let explanation = explain(&own, request("of nobody"));
    assert_eq!(explanation.findings[0].cause, Cause::Unknown);
    assert_eq!(explanation.findings[0].setting.as_deref(), Some("auth_token"));
    assert!(explanation.sentence.contains("https://h.example/a"), "{}", explanation.sentence);
    assert!(explanation.complete);
}

/// Why it is refused, where a trusted proxy says what it was asked for.
fn explain_called(own: &Verifier, request: Request, called: Called) -> Explanation {
    let Verdict::Rejected { reject, request } = own.verify(request, now()) else {
        panic!("it is not refused")
    };
    let context = Context { called, ..Context::default() };
    Explainer::new([Witness { name: OWN, path: None, verifier: own }]).explain(
        &request,
        &reject,
        OWN,
        &context,
        now(),
    )
}

#[test]
fn a_proxys_word_tells_a_wrong_token_from_a_wrong_url() {
    let own = verifier("https://h.example:8443/edge");
    let called = |host: &str, port, prefix: &str| Called {
        scheme: Some("https".to_owned()),
        host: Some(host.to_owned()),
        port: Some(port),
        prefix: Some(prefix.to_owned()),
    };
    let request = |url: &str, token: &str| form_post("/voice", &sign(token, url, BODY), &[]);
    let unknown = || request("https://h.example:8443/edge/voice", "of nobody");

    let explanation = explain_called(&own, unknown(), called("h.example", 8443, "/edge"));
    let found = finding(&explanation, Cause::Unknown);
    assert_eq!((found.proven, found.setting.as_deref()), (false, Some("auth_token")));
    assert!(found.detail.contains("https://h.example:8443/edge/voice, and your proxy says"), "{found:?}");

    let explanation = explain_called(&own, unknown(), called("other.example", 443, "/edge"));
    let found = finding(&explanation, Cause::UrlHost);
    assert_eq!((found.proven, found.setting.as_deref()), (false, Some("public_url")));
    let told = "asked for https://other.example/edge/voice, where `public_url` makes https://h.example:8443/edge/voice";
    assert!(found.detail.contains(told), "{found:?}");
    assert!(explanation.sentence.ends_with("; check `public_url`"), "{}", explanation.sentence);

    // What the signature proves is told as proven, whatever a proxy says.
    let signed = request("http://h.example:8443/edge/voice", TOKEN);
    let explanation = explain_called(&own, signed, called("other.example", 443, "/edge"));
    assert_found(&explanation, Cause::UrlScheme, Some("public_url = \"http://h.example:8443/edge\""));
    // And what a proxy says is tried: nothing else would lead to this host, or to this port and prefix.
    let signed = request("https://other.example:9443/x/voice", TOKEN);
    let explanation = explain_called(&own, signed, called("other.example", 9443, "/x"));
    assert_found(&explanation, Cause::UrlHost, Some("public_url = \"https://other.example:9443/x\""));
}

#[test]
fn a_request_at_another_sources_path_is_named() {
    let own = verifier("https://h.example/edge");
    let sms = verifier("https://h.example/edge");
    for query in ["", "?a=1"] {
        let signature = sign(TOKEN, &format!("https://h.example/edge/other{query}"), BODY);
        let request = form_post(&format!("/own{query}"), &signature, &[]);
        let explanation = explain_with(&own, &[("sms", &sms)], request).1;
        assert_found(&explanation, Cause::UrlPath, None);
        assert!(explanation.sentence.contains("that of source `sms`"), "{}", explanation.sentence);
    }
    let theirs = with("https://s.example", |settings| settings.tokens = vec![key("auth_token", "of sms")]);
    let request = form_post("/own", &sign("of sms", "https://s.example/other", BODY), &[]);
    let explanation = explain_with(&own, &[("sms", &theirs)], request).1;
    assert_found(&explanation, Cause::UrlPath, None);
    assert_found(&explanation, Cause::KeyOtherSource, None);
}

#[test]
fn the_wrong_account_is_named() {
    let accounts = with("https://h.example", |settings| {
        let account = |sid: &str, text: &str| Account {
            sid: sid.to_owned(),
            keys: vec![key(&format!("accounts.{sid}.[0]"), text)],
        };
        settings.tokens.clear();
        settings.accounts = vec![account("AC1", "one"), account("AC2", "two")];
    });
    let request = |token: &str, body: &str| {
        let signature = sign(token, "https://h.example/a", body);
        send("POST", "/a", &[("content-type", FORM), (SIGNATURE_HEADER, &signature)], body)
    };
    let explanation = explain(&accounts, request("two", "AccountSid=AC1"));
    assert_found(&explanation, Cause::KeyNotChosen, Some("accounts"));
    assert!(explanation.sentence.contains("`accounts.AC2.[0]`"));
    let explanation = explain(&accounts, request("two", "AccountSid=AC3"));
    assert!(finding(&explanation, Cause::KeyNotChosen).proven);
    let unknown = finding(&explanation, Cause::KeyUnknown);
    assert_eq!((unknown.proven, unknown.setting.as_deref()), (false, Some("accounts")));
    let (_, explanation) = explain_with(
        &accounts,
        &[("other", &verifier("https://h.example"))],
        request(TOKEN, "AccountSid=AC3"),
    );
    assert_found(&explanation, Cause::KeyOtherSource, None);
    let explanation = explain(&accounts, request("one", "AccountSid=AC1&AccountSid=AC2"));
    assert_found(&explanation, Cause::HeaderRepeated, None);
}

#[test]
fn the_wrong_shared_key_is_named() {
    let shared = |algorithm| {
        with("https://h.example", |settings| {
            let key = key("shared_keys.k1", "shared");
            settings.shared_keys = vec![SharedKey { id: "k1".to_owned(), key, algorithm }];
        })
    };
    let request = |algorithm: Algorithm, settings: &str| {
        let signature = twilio::sign(&secret("shared"), algorithm, "https://h.example/a", BODY.as_bytes());
        let more: &[_] = if settings.is_empty() { &[] } else { &[(SIGNATURE_SETTINGS_HEADER, settings)] };
        form_post("/a", &signature, more)
    };
    // The header that names the key was dropped.
    let explanation = explain(&shared(Algorithm::HmacSha1), request(Algorithm::HmacSha1, ""));
    assert_found(&explanation, Cause::KeyNotChosen, Some("shared_keys"));
    let explanation = explain(&shared(Algorithm::HmacSha256), request(Algorithm::HmacSha256, ""));
    assert!(finding(&explanation, Cause::KeyNotChosen).proven);
    // The configured algorithm is another.
    let named = "key=k1,algorithm=HMAC_SHA256";
    let explanation = explain(&shared(Algorithm::HmacSha1), request(Algorithm::HmacSha256, named));
    assert_found(&explanation, Cause::SignatureAlgorithm, Some("shared_keys.k1.algorithm = \"HMAC_SHA256\""));
    let explanation =
        explain(&shared(Algorithm::HmacSha256), request(Algorithm::HmacSha256, "key=k1,algorithm=x"));
    assert!(!finding(&explanation, Cause::SignatureAlgorithm).proven);
    // The key is not known here.
    let explanation = explain(&verifier("https://h.example"), request(Algorithm::HmacSha1, "key=k1"));
    assert_eq!(finding(&explanation, Cause::KeyUnknown).setting.as_deref(), Some("shared_keys"));
    let other = shared(Algorithm::HmacSha1);
    let (_, explanation) = explain_with(
        &verifier("https://h.example"),
        &[("other", &other)],
        request(Algorithm::HmacSha1, "key=k1"),
    );
    assert_found(&explanation, Cause::KeyOtherSource, None);
}

#[test]
fn headers_that_lack_or_come_twice_are_named() {
    let own = verifier("https://h.example");
    let bare =
        |headers: &[(&str, &str)]| send("POST", "/a", &[&[("content-type", FORM)], headers].concat(), BODY);
    let explanation = explain(&own, bare(&[]));
    assert_eq!(finding(&explanation, Cause::HeaderMissing).setting, None);
    assert!(explanation.sentence.contains(SIGNATURE_HEADER));
    let explanation = explain(&own, bare(&[("X_Twilio_Signature", "x")]));
    assert!(explanation.sentence.contains("x_twilio_signature"), "{}", explanation.sentence);
    let right = sign(TOKEN, "https://h.example/a", BODY);
    let twice = bare(&[(SIGNATURE_HEADER, &right), (SIGNATURE_HEADER, &right)]);
    assert_found(&explain(&own, twice), Cause::HeaderRepeated, None);
    let lost = [(SIGNATURE_HEADER, sign(TOKEN, "wss://h.example/a", ""))];
    let explanation = explain(&own, Request::new("GET", "/a", &lost, "").unwrap());
    assert_found(&explanation, Cause::HeaderMissing, None);
    assert!(explanation.sentence.contains("`Upgrade`"), "{}", explanation.sentence);
    let explanation = explain(&own, send("PUT", "/a", &[], ""));
    assert_found(&explanation, Cause::Method, None);
    assert_found(&explain(&own, send("GET", "/a", &[], "x")), Cause::Method, None);
}

#[test]
fn the_signature_of_another_provider_is_named_with_its_source() {
    let own = verifier("https://h.example");
    let request = || send("POST", "/a", &[("x-hub-signature-256", "sha256=00")], "{}");
    let explanation = explain(&own, request());
    let found = finding(&explanation, Cause::HeaderOfOtherProvider);
    assert_eq!(found.setting.as_deref(), Some("provider = \"github\""));
    assert!(found.detail.contains("`x-hub-signature-256`") && found.detail.contains("`twilio`"), "{found:?}");
    let unsupported = explain(&own, send("POST", "/a", &[("x-gitlab-token", "0")], "{}"));
    let found = finding(&unsupported, Cause::HeaderOfOtherProvider);
    assert_eq!((found.proven, found.setting.as_deref()), (false, None));

    let sendgrid = {
        let private = secret(super::sendgrid::PRIVATE);
        let public_keys = vec![key("public_key", &sendgrid::public_key(&private).unwrap())];
        Verifier::SendGrid(
            sendgrid::Verifier::new(sendgrid::Settings { public_keys, tolerance: None }).unwrap(),
        )
    };
    let (_, explanation) =
        explain_with(&own, &[("mail", &sendgrid)], super::sendgrid::request("1600112502", "[]", "[]"));
    let found = finding(&explanation, Cause::HeaderOfOtherProvider);
    assert!(found.proven && found.detail.contains("`mail` (at `/other`)"), "{found:?}");
    let (_, explanation) =
        explain_with(&own, &[("mail", &sendgrid)], super::sendgrid::request("1600112502", "[]", "[1]"));
    assert!(!finding(&explanation, Cause::HeaderOfOtherProvider).proven);
}

#[test]
fn the_work_is_bounded() {
    let many = with("https://h.example", |settings| {
        settings.tokens = (0..500).map(|n| key(&format!("t{n}"), &format!("token {n}"))).collect();
    });
    let request = || form_post("/a?b=%27&c=1&d=+", &sign("nobody", "https://h.example/x", BODY), &[]);
    let explanation = explain(&many, request());
    assert_eq!(explanation.findings[0].cause, Cause::Unknown);
    assert!(!explanation.complete);
    let own = verifier("https://h.example");
    let (_, explanation) = explain_with(&own, &[("many", &many)], request());
    assert!(!explanation.complete);
    // A form that is longer than what is hashed at all.
    let huge = format!("a={}", "x".repeat(usize::try_from(MOST_BYTES).unwrap()));
    let headers = [("content-type", FORM), (SIGNATURE_HEADER, &sign("nobody", "https://h.example/a", ""))];
    let explanation = explain(&own, send("POST", "/a", &headers, &huge));
    assert!(!explanation.complete);
}

#[test]
fn the_search_goes_on_when_every_key_has_ended() {
    let own = with("http://h.example", |settings| settings.tokens = vec![retired("old", TOKEN)]);
    let request = form_post("/a", &sign(TOKEN, "https://h.example/a", BODY), &[]);
    let explanation = explain(&own, request);
    assert_found(&explanation, Cause::UrlScheme, Some("public_url = \"https://h.example\""));
    assert!(finding(&explanation, Cause::KeyRetired).proven);
}
#[test]
fn an_ordinary_request_is_tried_in_every_way() {
    let own = with("https://h.example:8443/pre", |settings| settings.tokens.push(key("previous", "another")));
    let hints = [("host", "10.0.0.7:3000"), ("x-forwarded-host", "h.example"), ("x-forwarded-port", "443")];
    for target in ["/voice", "/voice/in/?a=1&b=%27x+y&c="] {
        let wrong = sign("nobody", "https://h.example/x", "");
        let posted = form_post(target, &wrong, &hints);
        let headers = [&hints[..], &[(SIGNATURE_HEADER, wrong.as_str())]].concat();
        for request in [posted, send("GET", target, &headers, "")] {
            let explanation = explain(&own, request);
            assert_eq!(explanation.findings[0].cause, Cause::Unknown);
            assert!(explanation.complete, "{target}");
        }
    }
}
