//! An authority of our own, and certificates of every kind that it issues.

use std::fmt;
use std::path::Path;

use hookhouse_core::{Clock, SystemClock};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CrlDistributionPoint, DnType, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize, date_time_ymd,
};

/// The beginning of a day, in the terms of the library that signs.
macro_rules! midnight {
    ($date:expr) => {{
        let (date, part) = ($date, |part: i8| u8::try_from(part).expect("months and days are positive"));
        date_time_ymd(i32::from(date.year()), part(date.month()), part(date.day()))
    }};
}

/// Signs certificates; whoever trusts it trusts them.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// What a certificate is to be like.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// For whom.
    pub names: &'a [&'a str],
    /// An RSA key rather than an ECDSA one.
    pub rsa: bool,
    /// For a client that shows who it is, rather than for a server.
    pub client: bool,
    /// The first day of its life.
    pub from: Date,
    /// The day on which it ends.
    pub to: Date,
}

/// A certificate with the chain behind it, and its key, in PEM.
#[derive(Debug, Clone)]
pub struct Certified {
    /// The certificate, then its issuer.
    pub chain: String,
    /// The private key.
    pub key: String,
}

impl<'a> Wanted<'a> {
    /// A good certificate: ECDSA, since yesterday, for three months.
    #[must_use]
    pub fn good(names: &'a [&'a str]) -> Self {
        Self { names, rsa: false, client: false, from: in_days(-1), to: in_days(89) }
    }

    /// The same for a client.
    #[must_use]
    pub fn client(names: &'a [&'a str]) -> Self {
        Self { client: true, ..Self::good(names) }
    }

    /// The same with an RSA key.
    #[must_use]
    pub fn rsa(names: &'a [&'a str]) -> Self {
        Self { rsa: true, ..Self::good(names) }
    }
}

impl Authority {
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "An authority of the tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = midnight!(in_days(-2));
        params.not_after = midnight!(in_days(3_000));
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("it signs itself"))
    }

    /// What to trust.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate and its key.
    #[must_use]
    pub fn issue(&self, wanted: &Wanted<'_>) -> Certified {
        let key = if wanted.rsa {
            KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)
        } else {
            KeyPair::generate()
        };
        let key = key.expect("a key");
        let names: Vec<_> = wanted.names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        if let Some(name) = wanted.names.first() {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        params.not_before = midnight!(wanted.from);
        params.not_after = midnight!(wanted.to);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![if wanted.client {
            rcgen::ExtendedKeyUsagePurpose::ClientAuth
        } else {
            rcgen::ExtendedKeyUsagePurpose::ServerAuth
        }];
        params.use_authority_key_identifier_extension = true;
        // Nobody fetches it; those who grade certificates want there to be one.
        params.crl_distribution_points =
            vec![CrlDistributionPoint { uris: vec!["http://authority.example.com/revoked.crl".to_owned()] }];
        let certificate = params.signed_by(&key, &self.0).expect("it signs");
        Certified { chain: certificate.pem() + &self.0.pem(), key: key.serialize_pem() }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Certified {
    /// Writes both files, the key for its owner alone.
    pub fn write(&self, cert: &Path, key: &Path) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(cert, &self.chain).expect("the folder is ours");
        std::fs::write(key, &self.key).expect("the folder is ours");
        std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).expect("it is our file");
    }
}

/// Today, and so many days later.
#[must_use]
pub fn in_days(days: i64) -> Date {
    let later: Span = days.days();
    SystemClock.now().to_zoned(TimeZone::UTC).date().saturating_add(later)
}
