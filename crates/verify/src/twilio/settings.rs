//! What a Twilio source is configured with.

use super::url::PublicUrl;
use crate::descriptor::Digest;
use crate::secret::Key;

/// Keys and URLs of a Twilio source.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The URLs that Twilio was told; a request may be for any of them.
    pub urls: Vec<PublicUrl>,
    /// Auth tokens of any account: that of the one account there is, several during its rotation.
    pub tokens: Vec<Key>,
    /// SharedKeys of the Webhooks API.
    pub shared_keys: Vec<SharedKey>,
    /// Accounts and subaccounts whose tokens count for their own requests alone.
    pub accounts: Vec<Account>,
}

/// An account or a subaccount, whose requests its own tokens sign.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its AccountSid: `AC…`.
    pub sid: String,
    /// Its auth tokens, the current one first; their names like `accounts.AC….[0]`.
    pub keys: Vec<Key>,
}

/// A SharedKey of the Webhooks API.
#[derive(Debug, Clone)]
pub struct SharedKey {
    /// The id that requests name it by.
    pub id: String,
    /// Its secret.
    pub key: Key,
    /// The MAC it is used with.
    pub algorithm: Algorithm,
}

/// A MAC that Twilio signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// `HMAC_SHA1`: that of auth tokens, and of SharedKeys that want it.
    #[default]
    HmacSha1,
    /// `HMAC_SHA256`: for SharedKeys alone.
    HmacSha256,
}

impl Algorithm {
    /// Twilio's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "HMAC_SHA1",
            Self::HmacSha256 => "HMAC_SHA256",
        }
    }

    pub(crate) fn digest(self) -> Digest {
        match self {
            Self::HmacSha1 => Digest::Sha1,
            Self::HmacSha256 => Digest::Sha256,
        }
    }
}
