//! The token endpoint.

use std::collections::HashMap;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::org::Org;

/// Gives a token, or says why not.
pub(super) fn token(org: &mut Org, body: &[u8]) -> (u16, Value) {
    let form: HashMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    let judged = match field("grant_type") {
        "client_credentials" => secret(org, field("client_id"), field("client_secret")),
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => assertion(org, field("assertion")),
        _ => Err(("unsupported_grant_type", "grant type not supported")),
    };
    if let Err((error, description)) = judged {
        return (400, json!({ "error": error, "error_description": description }));
    }
    org.tokens_given += 1;
    let token = format!("00D{:012}!AQ.of_session_{}", org.tokens_given, org.tokens_given);
    org.sessions.push(token.clone());
    let answer = json!({
        "access_token": token,
        "signature": "c2lnbmF0dXJl",
        "token_format": "opaque",
        "instance_url": org.instance_url,
        "id": format!("{}/id/00D/005", org.instance_url),
        "token_type": "Bearer",
        "issued_at": org.clock.now().as_millisecond().to_string(),
    });
    (200, answer)
}

type Judged = Result<(), (&'static str, &'static str)>;

fn secret(org: &Org, client_id: &str, client_secret: &str) -> Judged {
    if client_id != org.client_id {
        return Err(("invalid_client_id", "client identifier invalid"));
    }
    if client_secret != org.client_secret {
        return Err(("invalid_client", "invalid client credentials"));
    }
    Ok(())
}

fn assertion(org: &Org, assertion: &str) -> Judged {
    let invalid = ("invalid_grant", "invalid assertion");
    let mut parts = assertion.rsplitn(2, '.');
    let (signature, signed) = parts.next().zip(parts.next()).ok_or(invalid)?;
    let (header, claims) = signed.split_once('.').ok_or(invalid)?;
    let decoded = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| invalid);
    let read = |part: &str| serde_json::from_slice::<Value>(&decoded(part)?).map_err(|_| invalid);
    let (header, claims) = (read(header)?, read(claims)?);
    if header["alg"] != "RS256" {
        return Err(invalid);
    }
    if claims["iss"] != org.client_id.as_str() {
        return Err(("invalid_client_id", "client identifier invalid"));
    }
    let key = org.assertion_key.as_deref().ok_or(invalid)?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
        .verify(signed.as_bytes(), &decoded(signature)?)
        .map_err(|_| invalid)?;
    if claims["aud"] != org.audience.as_str() {
        return Err(("invalid_grant", "audience is invalid"));
    }
    if claims["sub"] != org.username.as_str() {
        return Err(("invalid_grant", "user hasn't approved this consumer"));
    }
    let now = org.clock.now().as_second();
    match claims["exp"].as_i64() {
        // Seconds, and not many of them: milliseconds are the usual mistake.
        Some(exp) if exp > now && exp <= now + 300 => Ok(()),
        _ => Err(("invalid_grant", "expired authorization code")),
    }
}
