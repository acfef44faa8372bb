//! The assertion of the JWT bearer flow: a JWT signed with RS256.
//!
//! Source: "OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration", Salesforce Help; RFC 7523, RFC 7515.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use data_encoding::BASE64URL_NOPAD;
use hookhouse_core::{Secret, Timestamp};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;

/// An RSA key that signs assertions.
#[derive(Clone)]
pub struct SigningKey(Arc<KeyPair>);

impl SigningKey {
    /// Reads a private key in PEM: PKCS#8 (`BEGIN PRIVATE KEY`) or PKCS#1 (`BEGIN RSA PRIVATE KEY`).
    ///
    /// # Errors
    /// In words, without anything of the key.
    pub fn from_pem(pem: &Secret) -> Result<Self, KeyError> {
        let key = match PrivateKeyDer::from_pem_slice(pem.expose()).map_err(|_| KeyError::NoKey)? {
            PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(KeyError::NotRsa),
        };
        key.map(|key| Self(Arc::new(key))).map_err(|_| KeyError::NotRsa)
    }

    /// An assertion about a user, good for three minutes.
    pub(crate) fn assert(
        &self,
        client_id: &str,
        username: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<String, KeyError> {
        let claims =
            json!({ "iss": client_id, "sub": username, "aud": audience, "exp": now.as_second() + LIFE });
        let part = |value: &serde_json::Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(&json!({ "alg": "RS256", "typ": "JWT" })), part(&claims));
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| KeyError::CannotSign)?;
        Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Why a key cannot sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no private key.
    #[error("there is no private key in PEM in it")]
    NoKey,
    /// A key of another kind, or of a size that nobody accepts.
    #[error("it is not an RSA key of 2048 bits or more")]
    NotRsa,
    /// It could not sign.
    #[error("the assertion cannot be signed")]
    CannotSign,
}

/// How long an assertion counts, in seconds: the customary three minutes, for clocks that differ.
const LIFE: i64 = 180;
