//! OAuth 1.0a: the signature of a request, recomputed (RFC 5849, section 3.4), its time and its nonce.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::time::Duration;

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use hookhouse_core::Secret;
use jiff::Timestamp;

use super::{Caller, Target, same};
use crate::x::clock::later;
use crate::x::state::State;

/// Why a request is not signed as it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::x) enum OAuthFault {
    #[error("OAuth: the header cannot be read")]
    Malformed,
    #[error("OAuth: `{0}` is missing, or there twice")]
    Parameter(&'static str),
    #[error("OAuth: `oauth_signature_method` is not HMAC-SHA1, or `oauth_version` not 1.0")]
    Method,
    #[error("OAuth: this is not the app's consumer key")]
    ConsumerKey,
    #[error("OAuth: nobody has this access token")]
    Token,
    #[error("OAuth: `oauth_timestamp` lies {0} s from now")]
    Timestamp(i64),
    #[error("OAuth: `oauth_nonce` was used before")]
    Nonce,
    #[error("OAuth: the signature is not that of the base string {0}")]
    Signature(String),
}

/// Checks an `Authorization: OAuth …`.
pub(super) fn authenticate(
    state: &mut State,
    target: Target<'_>,
    host: &str,
    header: &str,
    now: Timestamp,
) -> Result<Caller, OAuthFault> {
    let parameters = parse(header)?;
    let one = |name: &'static str| {
        let mut values =
            parameters.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (Some(value), None) => Ok(value),
            _ => Err(OAuthFault::Parameter(name)),
        }
    };
    if one("oauth_signature_method")? != "HMAC-SHA1"
        || parameters.iter().any(|(name, value)| name == "oauth_version" && value != "1.0")
    {
        return Err(OAuthFault::Method);
    }
    if one("oauth_consumer_key")? != state.credentials.consumer_key {
        return Err(OAuthFault::ConsumerKey);
    }
    let token = one("oauth_token")?;
    let user = state.tokens.iter().find(|user| same(user.access_token.expose(), token.as_bytes()));
    let user = user.ok_or(OAuthFault::Token)?;

    let base = base_string(target, host, &parameters);
    let expected = sign(&state.credentials.consumer_secret, &user.access_token_secret, &base);
    if !same(expected.as_bytes(), one("oauth_signature")?.as_bytes()) {
        // The token names the user, and half of what signs for them: not for a log.
        return Err(OAuthFault::Signature(base.replace(token, "…")));
    }
    let seconds: i64 =
        one("oauth_timestamp")?.parse().map_err(|_| OAuthFault::Parameter("oauth_timestamp"))?;
    let nonce = one("oauth_nonce")?;
    let caller = Caller::OAuth1(user.user);
    // After the signature: only the app itself can use nonces up.
    state.nonces.take(nonce, seconds, now)?;
    Ok(caller)
}

/// The parameters of the header, decoded.
fn parse(header: &str) -> Result<Vec<(String, String)>, OAuthFault> {
    let mut parameters = Vec::new();
    for part in header.split(',') {
        let (name, value) = part.trim().split_once('=').ok_or(OAuthFault::Malformed)?;
        let value =
            value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).ok_or(OAuthFault::Malformed)?;
        parameters.push((percent_decode(name)?, percent_decode(value)?));
    }
    Ok(parameters)
}

/// Section 3.4.1: the method, the URL without its query, and every parameter but the signature and the realm.
pub(in crate::x) fn base_string(target: Target<'_>, host: &str, header: &[(String, String)]) -> String {
    let form = form_urlencoded::parse(target.form).chain(form_urlencoded::parse(target.query.as_bytes()));
    let form = form.map(|(name, value)| (name.into_owned(), value.into_owned()));
    let signed = header.iter().filter(|(name, _)| name != "oauth_signature" && name != "realm").cloned();
    let mut parameters: Vec<_> = form
        .chain(signed)
        .map(|(name, value)| (percent_encode(name.as_bytes()), percent_encode(value.as_bytes())))
        .collect();
    parameters.sort_unstable();
    let parameters: Vec<_> = parameters.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let url = format!("http://{}{}", host.to_ascii_lowercase(), target.path);
    join(target.method.as_str(), &url, &parameters.join("&"))
}

fn join(method: &str, url: &str, parameters: &str) -> String {
    format!("{method}&{}&{}", percent_encode(url.as_bytes()), percent_encode(parameters.as_bytes()))
}

/// Section 3.4.2: HMAC-SHA1, keyed by both secrets.
pub(in crate::x) fn sign(consumer: &Secret, token: &Secret, base: &str) -> String {
    let key = format!("{}&{}", percent_encode(consumer.expose()), percent_encode(token.expose()));
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    BASE64.encode(hmac::sign(&key, base.as_bytes()).as_ref())
}

/// Section 3.6: everything but letters, digits, `-`, `.`, `_` and `~`.
pub(in crate::x) fn percent_encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            out.push(char::from(*byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn percent_decode(text: &str) -> Result<String, OAuthFault> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        out.push(if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let (high, low) = digit().zip(digit()).ok_or(OAuthFault::Malformed)?;
            u8::try_from(high * 16 + low).map_err(|_| OAuthFault::Malformed)?
        } else {
            byte
        });
    }
    String::from_utf8(out).map_err(|_| OAuthFault::Malformed)
}

/// The nonces of the last minutes: one counts once (section 3.3).
#[derive(Debug, Default)]
pub(in crate::x) struct Nonces(BTreeMap<i64, HashSet<String>>);

impl Nonces {
    fn take(&mut self, nonce: &str, seconds: i64, now: Timestamp) -> Result<(), OAuthFault> {
        let distance = seconds.saturating_sub(now.as_second());
        if distance.unsigned_abs() > TOLERANCE.as_secs() {
            return Err(OAuthFault::Timestamp(distance));
        }
        // What is older would be refused by its time.
        let oldest = later(now, -TOLERANCE_SIGNED).as_second();
        self.0 = self.0.split_off(&oldest);
        if self.0.entry(seconds).or_default().insert(nonce.to_owned()) {
            Ok(())
        } else {
            Err(OAuthFault::Nonce)
        }
    }
}

/// How far a request's time may lie from ours.
const TOLERANCE: Duration = Duration::from_mins(5);
const TOLERANCE_SIGNED: jiff::SignedDuration = jiff::SignedDuration::from_mins(5);

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::x::tests::vectors;

    /// The worked example of X's page "Creating a signature".
    #[test]
    fn the_published_signature_comes_out() {
        let case = vectors().into_iter().find(|case| case.kind == "oauth1_hmac_sha1").unwrap();
        let (consumer, token) = case.secret.split_once('&').unwrap();
        let (consumer, token) = (Secret::new(consumer).unwrap(), Secret::new(token).unwrap());
        assert_eq!(sign(&consumer, &token, &case.input), case.expected);

        // And the base string from its parts: what is signed in the header, the query and the form.
        let parts: Vec<_> = case.input.split('&').collect();
        let [method, url, parameters] = parts[..] else { panic!("{}", case.input) };
        let parameters = percent_decode(parameters).unwrap();
        let (header, other): (Vec<_>, Vec<_>) = parameters
            .split('&')
            .map(|pair| pair.split_once('=').unwrap())
            .map(|(name, value)| (percent_decode(name).unwrap(), percent_decode(value).unwrap()))
            .partition(|(name, _)| name.starts_with("oauth_"));
        let encoded = |pairs: &[(String, String)]| {
            form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
        };
        let (form, query) = other.split_at(1);
        let url = percent_decode(url).unwrap();
        let (host, path) = url.strip_prefix("https://").unwrap().split_once('/').unwrap();
        let (form, query, path) = (encoded(form), encoded(query), format!("/{path}"));
        let target = Target { method: &Method::POST, path: &path, query: &query, form: form.as_bytes() };
        assert_eq!(method, "POST");
        let base = base_string(target, host, &header);
        assert_eq!(base.replacen("http%3A", "https%3A", 1), case.input);
    }

    #[test]
    fn a_nonce_counts_once_and_near_its_time_only() {
        let now = Timestamp::from_second(1_795_348_800).unwrap();
        let mut nonces = Nonces::default();
        let seconds = now.as_second();
        assert_eq!(nonces.take("a", seconds, now), Ok(()));
        assert_eq!(nonces.take("a", seconds, now), Err(OAuthFault::Nonce));
        assert_eq!(nonces.take("a", seconds + 1, now), Ok(()), "another second is another request");
        assert_eq!(nonces.take("b", seconds - 301, now), Err(OAuthFault::Timestamp(-301)));
        assert_eq!(nonces.take("b", seconds + 301, now), Err(OAuthFault::Timestamp(301)));
        let then = later(now, Duration::from_secs(302));
        assert_eq!(nonces.take("c", then.as_second(), then), Ok(()));
        assert_eq!(nonces.0.len(), 1, "old ones are forgotten");
    }

    #[test]
    fn headers_that_cannot_be_read_are_refused() {
        for header in ["", "oauth_token", "oauth_token=abc", "oauth_token=\"%zz\"", "oauth_token=\"%ff\""] {
            assert_eq!(parse(header), Err(OAuthFault::Malformed), "{header}");
        }
        let parsed = parse(r#"realm="x y", oauth_nonce="a%2Bb""#).unwrap();
        assert_eq!(
            parsed,
            [("realm".to_owned(), "x y".to_owned()), ("oauth_nonce".to_owned(), "a+b".to_owned())]
        );
    }
}
