//! What is kept between starts: the account, and the certificate with its key. In the store's folder, for its owner alone.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use instant_acme::AccountCredentials;
use zeroize::Zeroizing;

use crate::runtime::write_private;
use crate::tls::{Pair, read};

/// The folder of an authority.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Within the store's folder, one folder for each directory: an account is good at one authority.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn open(store: &Path, directory: &str) -> io::Result<Self> {
        let digest = digest(&SHA256, directory.as_bytes());
        let name = HEXLOWER.encode(digest.as_ref().get(..8).unwrap_or_default());
        let folder = store.join("acme").join(name);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Self { folder })
    }

    /// The account, if there is one that can be read.
    pub(super) fn account(&self) -> Option<AccountCredentials> {
        let text = Zeroizing::new(std::fs::read(self.account_file()).ok()?);
        match serde_json::from_slice(&text) {
            Ok(account) => Some(account),
            Err(error) => {
                tracing::warn!(event = "tls.cache", %error, "the account is not readable: another is made");
                None
            }
        }
    }

    pub(super) fn keep_account(&self, account: &AccountCredentials) -> io::Result<()> {
        let text = Zeroizing::new(serde_json::to_string(account)?);
        write_private(&self.account_file(), &text)
    }

    pub(super) fn forget_account(&self) {
        // Where it cannot be removed, the next one overwrites it.
        let _ = std::fs::remove_file(self.account_file());
    }

    /// The certificate, if there is one that can be used.
    pub(super) fn certificate(&self) -> Option<Pair> {
        let file = self.certificate_file();
        // There is none at the first start: that is not worth a word.
        File::open(&file).ok()?;
        let pem = read(&file).map_err(|error| error.to_string());
        match pem.and_then(|pem| Pair::parse(&pem, &pem).map_err(|error| error.to_string())) {
            Ok(pair) => Some(pair),
            Err(why) => {
                tracing::warn!(event = "tls.cache", why, "the certificate is not usable: another is ordered");
                None
            }
        }
    }

    /// Keeps a certificate and its key in one file, so that they are of one order whatever happens.
    pub(super) fn keep_certificate(&self, pem: &str) -> io::Result<()> {
        write_private(&self.certificate_file(), pem)
    }

    fn account_file(&self) -> PathBuf {
        self.folder.join("account.json")
    }

    fn certificate_file(&self) -> PathBuf {
        self.folder.join("certificate.pem")
    }
}
