//! One refusal that is to be explained, and what every scheme asks of it.

use jiff::Timestamp;

use super::cause::Cause;
use super::context::Context;
use super::explanation::{Clue, Finding, printable};
use super::foreign;
use super::origin::Origin;
use super::trial::{Budget, Suspect};
use super::{Witness, suspect};
use crate::descriptor::KeyForm;
use crate::request::Request;
use crate::verdict::{Reject, Verdict};
use crate::verifier::Verifier;

/// As many sources as are asked whether a request would be theirs.
const MOST_ASKED: usize = 4;

/// As many paths of other sources as a request may have been meant for.
const MOST_ROUTES: usize = 6;

/// What asking one of them costs, in MACs: its keys and the spellings it knows.
const COST_OF_ASKING: usize = 8;

/// A refusal.
pub(super) struct Case<'a> {
    pub(super) request: &'a Request,
    pub(super) reject: &'a Reject,
    pub(super) now: Timestamp,
    pub(super) context: Context,
    /// The provider of the source that refused.
    pub(super) provider: &'a str,
    /// The other sources, those of the same provider first.
    pub(super) others: Vec<Witness<'a>>,
    pub(super) budget: Budget,
}

impl<'a> Case<'a> {
    /// The keys of the other sources, in the form of this scheme.
    pub(super) fn keys_of_others(&self, form: KeyForm) -> Vec<Suspect> {
        suspect::of_others(self.others.iter().map(|witness| (witness.name, witness.verifier)), form)
    }

    /// The URLs that other sources are known by.
    pub(super) fn origins_of_others(&self) -> Vec<Origin> {
        let mut origins = Vec::new();
        for witness in &self.others {
            let urls = match witness.verifier {
                Verifier::Twilio(twilio) => twilio.urls.as_slice(),
                Verifier::Hmac(hmac) => hmac.urls.as_slice(),
                Verifier::X(_) | Verifier::SendGrid(_) | Verifier::Unsigned => &[],
            };
            for origin in urls.iter().map(Origin::of) {
                if origins.len() < 8 && !origins.contains(&origin) {
                    origins.push(origin);
                }
            }
        }
        origins
    }

    /// Where the other sources are, as far as that is known and not where the request arrived.
    pub(super) fn routes_of_others(&self) -> Vec<Witness<'a>> {
        let is_elsewhere = |path: &str| path != self.request.path();
        self.others
            .iter()
            .filter(|other| other.path.is_some_and(is_elsewhere))
            .take(MOST_ROUTES)
            .copied()
            .collect()
    }

    /// The value of a header that is there once.
    pub(super) fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.request.headers.one(name).ok().flatten().filter(|value| !value.is_empty())
    }

    /// What it means that a signed header is not there.
    pub(super) fn missing(&mut self, header: &str) -> Vec<Finding> {
        let mut findings = self.signed_by_others();
        if let Some(name) = self.misspelled(header) {
            let detail = format!(
                "the signature is in `{}`, and a proxy or a gateway wrote the name so",
                printable(name)
            );
            findings.push(Clue::new(Cause::HeaderMissing, detail).likely());
        }
        if findings.is_empty() {
            let detail = format!(
                "there is no `{header}`: the request is not from the provider, or a proxy drops headers that it does \
                 not know"
            );
            findings.push(Clue::new(Cause::HeaderMissing, detail).likely());
        }
        findings
    }

    /// The same name with other marks in it: `X_Twilio_Signature`, `HTTP_X_…`.
    fn misspelled(&self, header: &str) -> Option<&'a str> {
        let plain = |name: &str| name.replace('_', "-").trim_start_matches("http-").to_owned();
        self.request
            .headers
            .iter()
            .map(|(name, _)| name)
            .find(|name| *name != header && plain(name) == header)
    }

    /// The signature headers of other providers, and whose source would have taken them.
    fn signed_by_others(&mut self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = Vec::new();
        let others = self.others.clone();
        for (header, provider) in foreign::signatures(self.request, &others) {
            if provider == self.provider || findings.len() >= 3 {
                continue;
            }
            let there = format!(
                "there is `{header}`, which is a signature of `{provider}`, on a source for `{}`",
                self.provider
            );
            let homes: Vec<&Witness<'_>> = others
                .iter()
                .filter(|witness| witness.verifier.provider() == provider)
                .take(MOST_ASKED)
                .collect();
            let home = homes.iter().find(|witness| self.would_take(witness));
            findings.push(match (home, homes.first()) {
                (Some(home), _) => {
                    let detail = format!("{there}: source {} takes it", told(home));
                    Clue::new(Cause::HeaderOfOtherProvider, detail).proven()
                }
                (None, Some(home)) => {
                    let detail =
                        format!("{there}: source {} is for such, but does not take this one", told(home));
                    Clue::new(Cause::HeaderOfOtherProvider, detail).likely()
                }
                (None, None) => {
                    let detail = format!("{there}, and no source is for such");
                    let clue = Clue::new(Cause::HeaderOfOtherProvider, detail);
                    match foreign::is_supported(provider) {
                        true => clue.set(format!("provider = \"{provider}\"")).likely(),
                        false => clue.likely(),
                    }
                }
            });
        }
        findings
    }

    /// Whether another source would verify the request as it is.
    fn would_take(&mut self, witness: &Witness<'_>) -> bool {
        let is_paid = (0..COST_OF_ASKING).all(|_| self.budget.spend(self.request.body.len()));
        is_paid && matches!(witness.verifier.verify(self.request.clone(), self.now), Verdict::Verified(_))
    }

    /// What it means that the time is signed and too far from ours.
    pub(super) fn stale(age_seconds: i64, tolerance_seconds: u64, setting: Option<&str>) -> Vec<Finding> {
        const HOUR: u64 = 3_600;
        let set = |clue: Clue| match setting {
            Some(setting) => clue.set(setting),
            None => clue,
        };
        let age = age_seconds.unsigned_abs();
        let (hours, rest) = (age / HOUR, age % HOUR);
        let is_zone = (1..=14).contains(&hours) && (rest <= 5 || rest >= HOUR - 5);
        let skew = if age_seconds < 0 {
            format!("the signed time is {age} s ahead of ours: one of the two clocks is wrong")
        } else if is_zone {
            format!(
                "the signed time is whole hours ({age} s) behind ours: one of the two clocks takes local time for UTC"
            )
        } else {
            format!("the signed time is {age} s behind ours: one of the two clocks may be wrong")
        };
        let skew = Clue::new(Cause::TimeSkew, skew);
        if age_seconds < 0 || is_zone {
            return vec![skew.proven()];
        }
        let old = format!(
            "the request was signed {age} s ago and {tolerance_seconds} s are tolerated: something held it, repeated \
             it or sent it late"
        );
        let mut findings = vec![set(Clue::new(Cause::TimeOld, old)).proven()];
        // A day is more than a clock is off by that anything else still works with.
        if age < 24 * HOUR {
            findings.push(skew.likely());
        }
        findings
    }

    /// What it means that a name which counts is there twice.
    pub(super) fn repeated(header: &str) -> Vec<Finding> {
        let detail = format!(
            "`{header}` is there twice: a proxy adds a copy, or the request was put together by hand"
        );
        vec![Clue::new(Cause::HeaderRepeated, detail).proven()]
    }

    /// What it means that the method is not one the provider signs.
    pub(super) fn method(&self, has_body: bool) -> Vec<Finding> {
        let method = printable(&self.request.method);
        let detail = match has_body {
            true => format!("a {method} with a body: something on the way changed the method"),
            false => format!(
                "`{}` does not sign {method} requests: a redirect or a proxy may have changed the method",
                self.provider
            ),
        };
        vec![Clue::new(Cause::Method, detail).proven()]
    }

    /// What is left to say when nothing explains it.
    pub(super) fn unexplained(&self, guess: &str) -> Finding {
        let detail = format!("nothing that was tried makes the signature match: {guess}");
        Clue::new(Cause::Unknown, detail).likely()
    }
}

fn told(witness: &Witness<'_>) -> String {
    match witness.path {
        Some(path) => format!("`{}` (at `{}`)", witness.name, printable(path)),
        None => format!("`{}`", witness.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(age: i64) -> Vec<(&'static str, bool)> {
        Case::stale(age, 300, None).iter().map(|finding| (finding.cause.code(), finding.proven)).collect()
    }

    #[test]
    fn a_wrong_clock_is_told_from_an_old_request() {
        assert_eq!(codes(-301), [("time.skew", true)]);
        assert_eq!(codes(7_200), [("time.skew", true)]);
        assert_eq!(codes(7_197), [("time.skew", true)]);
        assert_eq!(codes(400), [("time.old", true), ("time.skew", false)]);
        assert_eq!(codes(200_000), [("time.old", true)]);
    }
}
