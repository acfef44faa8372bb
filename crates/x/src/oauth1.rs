//! OAuth 1.0a: requests in the name of a user, signed with HMAC-SHA1.
//!
//! RFC 5849, and X's page "creating a signature"
//! (<https://docs.x.com/fundamentals/authentication/oauth-1-0a/creating-a-signature>), read 2026-11-22, whose example is
//! among the vectors. Only what this client sends is here: HMAC-SHA1, parameters in the query, JSON bodies, which the
//! signature leaves out (RFC 5849 §3.4.1.3.1 takes in only bodies that are forms).

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use hookhouse_verify::Secret;
use zeroize::Zeroizing;

use crate::percent::encode;

/// Who signs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signatory<'a> {
    pub(crate) consumer_key: &'a Secret,
    pub(crate) consumer_secret: &'a Secret,
    pub(crate) token: &'a Secret,
    pub(crate) token_secret: &'a Secret,
}

/// What makes each request another one.
#[derive(Debug, Clone)]
pub(crate) struct Stamp {
    pub(crate) nonce: String,
    /// Seconds since 1970.
    pub(crate) time: i64,
}

/// The value of `Authorization` (RFC 5849 §3.5.1). `url` is without a query.
pub(crate) fn authorization(
    signatory: &Signatory<'_>,
    method: &str,
    url: &str,
    query: &[(&'static str, String)],
    stamp: &Stamp,
) -> Zeroizing<String> {
    let own: [(&str, Vec<u8>); 6] = [
        ("oauth_consumer_key", signatory.consumer_key.expose().to_vec()),
        ("oauth_nonce", stamp.nonce.clone().into_bytes()),
        ("oauth_signature_method", b"HMAC-SHA1".to_vec()),
        ("oauth_timestamp", stamp.time.to_string().into_bytes()),
        ("oauth_token", signatory.token.expose().to_vec()),
        ("oauth_version", b"1.0".to_vec()),
    ];
    let all: Vec<_> = own
        .iter()
        .map(|(name, value)| (encode(name), encode(value)))
        .chain(query.iter().map(|(name, value)| (encode(name), encode(value))))
        .collect();
    let key = signing_key(signatory.consumer_secret, signatory.token_secret);
    let signature = sign(&key, &base_string(method, url, all));

    let mut header = Zeroizing::new("OAuth ".to_owned());
    for (name, value) in &own {
        header.push_str(&format!("{name}=\"{}\", ", encode(value)));
    }
    header.push_str(&format!("oauth_signature=\"{}\"", encode(signature)));
    header
}

/// What is signed (RFC 5849 §3.4.1): the parameters are encoded already, and sorted here.
fn base_string(method: &str, url: &str, mut parameters: Vec<(String, String)>) -> String {
    parameters.sort_unstable();
    let joined: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{method}&{}&{}", encode(url), encode(joined.join("&")))
}

/// The key (RFC 5849 §3.4.2).
fn signing_key(consumer: &Secret, token: &Secret) -> Zeroizing<String> {
    Zeroizing::new(format!("{}&{}", encode(consumer.expose()), encode(token.expose())))
}

fn sign(key: &str, message: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    BASE64.encode(hmac::sign(&key, message.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of the repository.
    const VECTORS: &str = include_str!("../../../vectors/x.json");

    fn cases(kind: &str) -> Vec<serde_json::Value> {
        let all: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
        let cases: Vec<_> =
            all["cases"].as_array().unwrap().iter().filter(|case| case["kind"] == kind).cloned().collect();
        assert!(!cases.is_empty(), "{kind}");
        cases
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text).unwrap()
    }

    #[test]
    fn the_vectors_signatures_are_ours() {
        for case in cases("oauth1_hmac_sha1") {
            let (key, input) = (case["secret"].as_str().unwrap(), case["input"].as_str().unwrap());
            assert_eq!(sign(key, input), case["expected"].as_str().unwrap(), "{}", case["id"]);
            let (consumer, token) = key.split_once('&').unwrap();
            assert_eq!(signing_key(&secret(consumer), &secret(token)).as_str(), key);
        }
    }

    /// The documentation's request, from its parts: parameters in any order, encoded and sorted by us.
    #[test]
    fn the_documented_request_is_signed_from_its_parts() {
        let case = &cases("oauth1_hmac_sha1")[0];
        let text = |key: &str| case[key].as_str().unwrap().to_owned();
        let (consumer, token) = case["secret"].as_str().unwrap().split_once('&').unwrap();
        let (consumer_secret, token_secret) = (secret(consumer), secret(token));
        let consumer_key = secret("xvz1evFS4wEEPTGEFPHBog");
        let user = secret("370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb");
        let signatory = Signatory {
            consumer_key: &consumer_key,
            consumer_secret: &consumer_secret,
            token: &user,
            token_secret: &token_secret,
        };
        let query = [
            ("status", "Hello Ladies + Gentlemen, a signed OAuth request!".to_owned()),
            ("include_entities", "true".to_owned()),
        ];
        let stamp =
            Stamp { nonce: "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg".to_owned(), time: 1_318_622_958 };
        let header = authorization(&signatory, "POST", &text("base_url"), &query, &stamp);
        assert!(header.starts_with("OAuth oauth_consumer_key=\"xvz1evFS4wEEPTGEFPHBog\", "), "{}", *header);
        let signature = format!("oauth_signature=\"{}\"", encode(text("expected")));
        assert!(header.ends_with(&signature), "{}", *header);
        assert!(!header.contains("Hello"), "parameters of the request stay in the request");
    }

    #[test]
    fn parameters_are_sorted_by_name_and_then_by_value() {
        let pairs = [("b", "1"), ("a", "2"), ("a", "10")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(
            base_string("GET", "https://api.x.com/2/x", pairs.to_vec()),
            "GET&https%3A%2F%2Fapi.x.com%2F2%2Fx&a%3D10%26a%3D2%26b%3D1"
        );
    }
}
