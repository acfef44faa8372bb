//! Digest: proof of the password without sending it (RFC 7616), with `qop=auth`.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use md5::{Digest as _, Md5};
use zeroize::Zeroizing;

use super::challenge::Challenge;
use super::credentials::Credentials;

/// A hash function, without `-sess`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Sha256,
    Md5,
}

/// A challenge that is being answered.
#[derive(Debug)]
pub(in crate::twilio) struct Digest {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// Whether the challenge named its algorithm.
    named: bool,
    /// How many requests were made with this nonce.
    count: u32,
}

impl Digest {
    /// How to answer a challenge; `None` where that needs what is not here: another algorithm, or no `qop=auth`.
    pub(super) fn answering(challenge: &Challenge) -> Option<Self> {
        let qop = challenge.parameter("qop").filter(|_| challenge.is("digest"))?;
        if !qop.split(',').any(|word| word.trim().eq_ignore_ascii_case("auth")) {
            return None;
        }
        let named = challenge.parameter("algorithm");
        let algorithm = match named {
            // Without a name it is MD5 (section 3.3).
            None => Algorithm::Md5,
            Some(name) => [Algorithm::Sha256, Algorithm::Md5]
                .into_iter()
                .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))?,
        };
        Some(Self {
            realm: challenge.parameter("realm")?.to_owned(),
            nonce: challenge.parameter("nonce")?.to_owned(),
            opaque: challenge.parameter("opaque").map(str::to_owned),
            algorithm,
            named: named.is_some(),
            count: 0,
        })
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The value of `Authorization` for the next request; what is quoted and what is not is as section 3.4 has it.
    pub(super) fn authorization(
        &mut self,
        credentials: &Credentials,
        method: &str,
        target: &str,
        cnonce: &str,
    ) -> Zeroizing<String> {
        self.count = self.count.saturating_add(1);
        let nc = format!("{:08x}", self.count);
        let response = self.response(credentials, method, target, cnonce, &nc);
        let user = match credentials.user() {
            plain if plain.is_ascii() => format!("username={}", quoted(plain)),
            other => format!("username*=UTF-8''{}", extended(other)),
        };
        let mut text = Zeroizing::new(format!(
            "Digest {user}, realm={}, nonce={}, uri={}, response=\"{}\", qop=auth, nc={nc}, cnonce={}",
            quoted(&self.realm),
            quoted(&self.nonce),
            quoted(target),
            *response,
            quoted(cnonce),
        ));
        if self.named {
            text.push_str(", algorithm=");
            text.push_str(self.algorithm.name());
        }
        if let Some(opaque) = &self.opaque {
            text.push_str(", opaque=");
            text.push_str(&quoted(opaque));
        }
        text
    }

    /// Section 3.4.1.
    fn response(
        &self,
        credentials: &Credentials,
        method: &str,
        target: &str,
        cnonce: &str,
        nc: &str,
    ) -> Zeroizing<String> {
        let hash = |parts: &[&[u8]]| self.algorithm.hash(parts);
        let ha1 = hash(&[credentials.user().as_bytes(), self.realm.as_bytes(), credentials.password()]);
        let ha2 = hash(&[method.as_bytes(), target.as_bytes()]);
        let (ha1, ha2) = (ha1.as_bytes(), ha2.as_bytes());
        hash(&[ha1, self.nonce.as_bytes(), nc.as_bytes(), cnonce.as_bytes(), b"auth", ha2])
    }
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Md5 => "MD5",
        }
    }

    /// The hash of the parts with colons between them, in lower-case hex.
    fn hash(self, parts: &[&[u8]]) -> Zeroizing<String> {
        let text = Zeroizing::new(parts.join(&b':'));
        Zeroizing::new(match self {
            Self::Sha256 => HEXLOWER.encode(digest(&SHA256, &text).as_ref()),
            Self::Md5 => HEXLOWER.encode(&Md5::digest(&*text)),
        })
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A user name outside ASCII, in the form of RFC 8187.
fn extended(text: &str) -> String {
    let byte = |b: u8| match b {
        b if b.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&b) => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use hookhouse_verify::Secret;
    use http::HeaderMap;
    use http::header::WWW_AUTHENTICATE;

    use super::*;

    fn answering(challenge: &str) -> Digest {
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, challenge.parse().unwrap());
        Digest::answering(&Challenge::all(&headers)[0]).unwrap()
    }

    fn credentials(user: &str, password: &str) -> Credentials {
        Credentials::new(user, Secret::new(password).unwrap()).unwrap()
    }

    /// RFC 7616 section 3.9.1.
    #[test]
    fn the_examples_of_the_rfc() {
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let mut digest = answering(
                &format!(
                    r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm},
                nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#
                )
                .replace('\n', ""),
            );
            let mufasa = credentials("Mufasa", "Circle of Life");
            let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
            let value = digest.authorization(&mufasa, "GET", "/dir/index.html", cnonce);
            for expected in [
                "Digest username=\"Mufasa\", ",
                "realm=\"http-auth@example.org\"",
                "uri=\"/dir/index.html\"",
                &format!("response=\"{response}\""),
                "qop=auth, nc=00000001, ",
                &format!("algorithm={algorithm}, "),
                "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
            ] {
                assert!(value.contains(expected), "{expected}: {}", *value);
            }
        }
    }

    #[test]
    fn a_nonce_is_counted_and_an_algorithm_without_a_name_is_md5() {
        let mut digest = answering(r#"Digest realm="r\"q", nonce="n", qop=auth"#);
        let user = credentials("J\u{e4}s\u{f8}n Doe", "p");
        for nc in 1..=11 {
            let value = digest.authorization(&user, "POST", "/x?a=\"b\"", "c");
            assert!(value.contains(&format!("nc={nc:08x}, ")), "{}", *value);
            assert!(value.contains("username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, realm=\"r\\\"q\""), "{}", *value);
            assert!(!value.contains("algorithm"), "{}", *value);
        }
        assert_eq!(digest.algorithm(), Algorithm::Md5);
    }
}
