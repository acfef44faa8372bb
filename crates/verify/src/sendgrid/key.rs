//! Public keys that verify, and private ones that sign for tests and re-signing.

use std::fmt;

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, ParsedPublicKey,
};
use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::verifier::SchemeError;

/// A public key of the scheme's curve.
pub(crate) struct PublicKey(ParsedPublicKey);

impl PublicKey {
    /// Reads base64 of an SPKI structure.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, der(text)?.as_slice()).ok().map(Self)
    }

    /// Whether `signature`, in DER, is one of this message.
    pub(crate) fn verifies(&self, message: &[&[u8]], signature: &[u8]) -> bool {
        self.0.verify_digest_sig(&hash(message), signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey")
    }
}

/// The value of the signature header for this time and body, made with a private key: base64 of PKCS#8, of a pair on
/// the curve P-256. ECDSA takes randomness, which is the crypto library's own.
///
/// # Errors
/// [`SchemeError::KeyForm`] when the secret is no such key.
pub fn sign(private_key: &Secret, timestamp: &str, body: &[u8]) -> Result<String, SchemeError> {
    let signature = pair(private_key)?
        .sign_digest(&hash(&[timestamp.as_bytes(), body]))
        .map_err(|_| SchemeError::Draft { reason: "the signature could not be made".to_owned() })?;
    Ok(BASE64.encode(signature.as_ref()))
}

/// The public key of a private one, as a source is configured with it.
///
/// # Errors
/// [`SchemeError::KeyForm`] when the secret is not base64 of PKCS#8, of a pair on the curve P-256.
pub fn public_key(private_key: &Secret) -> Result<String, SchemeError> {
    let pair = pair(private_key)?;
    let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| not_a_private_key())?;
    Ok(BASE64.encode(spki.as_ref()))
}

fn pair(private_key: &Secret) -> Result<EcdsaKeyPair, SchemeError> {
    der(private_key.expose())
        .and_then(|der| EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der).ok())
        .ok_or_else(not_a_private_key)
}

fn not_a_private_key() -> SchemeError {
    SchemeError::KeyForm {
        key: "secret".to_owned(),
        expected: "the base64 of a private key on the curve P-256 (PKCS#8)",
    }
}

/// What base64 stands for, with or without the lines that PEM puts around it.
fn der(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let lines =
        text.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.starts_with(b"-----"));
    let digits = Zeroizing::new(lines.flatten().copied().collect::<Vec<u8>>());
    BASE64.decode(&digits).ok().map(Zeroizing::new)
}

/// The digest of a message in parts, so that a body is not copied behind its time.
fn hash(message: &[&[u8]]) -> Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in message {
        context.update(part);
    }
    context.finish()
}
