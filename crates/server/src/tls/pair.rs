//! A certificate with its key, from PEM, and everything that can be known to be wrong with it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, SignatureAlgorithm};
use zeroize::Zeroizing;

use super::facts::Facts;
use super::settings::KeyFiles;

/// More than any chain or key; a larger file is some other file.
const LARGEST: u64 = 1 << 20;

/// A certificate whose key is here and fits.
#[derive(Clone)]
pub(crate) struct Pair {
    /// What handshakes are made with.
    pub(crate) certified: Arc<CertifiedKey>,
    /// What the certificate says.
    pub(crate) facts: Facts,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("facts", &self.facts).finish_non_exhaustive()
    }
}

impl Pair {
    /// Reads a pair from its files.
    pub(crate) fn load(files: &KeyFiles) -> Result<Self, PairError> {
        let chain = read(&files.cert).map_err(PairError::CertUnreadable)?;
        let key = read(&files.key).map_err(PairError::KeyUnreadable)?;
        Self::parse(&chain, &key)
    }

    /// Reads a pair from PEM: the chain, and the key. Both may stand in one text.
    pub(crate) fn parse(chain: &[u8], key: &[u8]) -> Result<Self, PairError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|_| PairError::CertNotPem)?;
        if chain.is_empty() {
            return Err(PairError::NoCert);
        }
        let facts = Facts::read(&chain).map_err(PairError::CertMalformed)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| no_key(key))?;
        let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => PairError::Mismatch,
            rustls::Error::InvalidCertificate(_) => PairError::CertMalformed(1),
            _ => PairError::KeyUnusable,
        })?;
        Ok(Self { certified: Arc::new(certified), facts })
    }

    /// Whether the key is RSA: larger and slower than the others, and known to every client.
    pub(crate) fn is_rsa(&self) -> bool {
        self.certified.key.algorithm() == SignatureAlgorithm::RSA
    }
}

/// Everything that TLS is done with here.
pub(crate) fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

/// Why a pair cannot be used. None of it quotes what is in a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PairError {
    #[error("the certificate cannot be read: {0}")]
    CertUnreadable(#[source] io::Error),
    #[error("the key cannot be read: {0}")]
    KeyUnreadable(#[source] io::Error),
    #[error("the certificate's file is not PEM")]
    CertNotPem,
    #[error("the certificate's file has no certificate in it (`-----BEGIN CERTIFICATE-----`)")]
    NoCert,
    #[error("certificate {0} of the file cannot be read as one")]
    CertMalformed(usize),
    #[error("the key's file has no private key in it (`-----BEGIN PRIVATE KEY-----`)")]
    NoKey,
    #[error("the key is encrypted, and there is nobody to type its password")]
    KeyEncrypted,
    #[error(
        "the key is of a kind that is not used here: RSA from 2048 bits, ECDSA P-256 to P-521 and Ed25519 are"
    )]
    KeyUnusable,
    #[error("the key is not the certificate's")]
    Mismatch,
}

impl PairError {
    /// Whether it is the key's file that is wrong, or the certificate's.
    pub(crate) fn is_about_key(&self) -> bool {
        match self {
            Self::KeyUnreadable(_)
            | Self::NoKey
            | Self::KeyEncrypted
            | Self::KeyUnusable
            | Self::Mismatch => true,
            Self::CertUnreadable(_) | Self::CertNotPem | Self::NoCert | Self::CertMalformed(_) => false,
        }
    }

    /// What to do about it.
    pub(crate) fn help(&self) -> &'static str {
        match self {
            Self::CertUnreadable(_) | Self::KeyUnreadable(_) => {
                "the user that Hookhouse runs as must be able to read it"
            }
            Self::CertNotPem | Self::NoCert | Self::CertMalformed(_) => {
                "give the full chain in PEM (certbot: `fullchain.pem`)"
            }
            Self::NoKey => "give the private key in PEM (certbot: `privkey.pem`)",
            Self::KeyEncrypted => {
                "`openssl pkey -in KEY -out PLAIN` writes it without; protect the file by its mode"
            }
            Self::KeyUnusable => {
                "`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` makes one that is"
            }
            Self::Mismatch => "take certificate and key from the same order",
        }
    }
}

fn no_key(pem: &[u8]) -> PairError {
    let text = String::from_utf8_lossy(pem);
    let encrypted = ["BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"];
    if encrypted.iter().any(|mark| text.contains(mark)) { PairError::KeyEncrypted } else { PairError::NoKey }
}

/// Reads a file of certificates or a key.
pub(crate) fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    let length = file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if u64::try_from(length).unwrap_or(u64::MAX) > LARGEST {
        return Err(io::Error::other("it is too large to be one"));
    }
    Ok(bytes)
}
