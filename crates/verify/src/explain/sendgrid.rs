//! Why SendGrid's signature does not hold.

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};

use super::body;
use super::case::Case;
use super::cause::Cause;
use super::explanation::{Clue, Finding};
use crate::descriptor::TimestampUnit;
use crate::keyring::Named;
use crate::sendgrid::key::PublicKey;
use crate::sendgrid::{SIGNATURE_HEADER, TIMESTAMP_HEADER, Verifier};
use crate::verdict::Reject;
use crate::verifier;

pub(super) fn investigate(case: &mut Case<'_>, verifier: &Verifier) -> Vec<Finding> {
    match case.reject {
        Reject::SignatureMissing { header } => return case.missing(header),
        Reject::SignatureAmbiguous { header } => return Case::repeated(header),
        Reject::Stale { age_seconds, tolerance_seconds } => {
            return Case::stale(*age_seconds, *tolerance_seconds, Some("tolerance = \"24h\""));
        }
        Reject::BodyNotArray => {
            let detail = "the body is not a JSON array, which is all that SendGrid sends";
            return vec![Clue::new(Cause::BodyKind, detail).proven()];
        }
        Reject::SignatureMalformed { header, .. } if header == TIMESTAMP_HEADER => {
            return vec![time_unit(case)];
        }
        _ => {}
    }
    let (Some(value), Some(time)) = (case.header(SIGNATURE_HEADER), case.header(TIMESTAMP_HEADER)) else {
        return case.missing(SIGNATURE_HEADER);
    };
    let Some((signature, spelling)) = der(value) else {
        return vec![Clue::new(Cause::SignatureSpelling, case.reject.to_string()).likely()];
    };
    let found = search(case, verifier, time, &signature);
    let is_explained = found.is_some();
    let finding = |clue: Clue| if is_explained { clue.proven() } else { clue.likely() };
    let mut findings: Vec<Finding> = found.into_iter().flatten().chain(spelling).map(finding).collect();
    if findings.is_empty() {
        findings.push(case.unexplained(
            "most likely the public key is another one, or something on the way rewrites what SendGrid sends",
        ));
    }
    findings
}

/// The key and the body that explain the signature, and what they mean.
fn search(case: &mut Case<'_>, verifier: &Verifier, time: &[u8], signature: &[u8]) -> Option<Vec<Clue>> {
    let request = case.request;
    let others: Vec<_> = case.others.clone();
    let now = case.now;
    let mut tries = |key: &Named<PublicKey>, message: &[&[u8]]| {
        let bytes = message.iter().map(|part| part.len()).sum();
        case.budget.spend(bytes) && key.key().verifies(message, signature)
    };
    let whole = [time, &request.body];
    for key in verifier.keys.iter() {
        if tries(key, &whole) {
            let detail = format!("it was signed for `{}`, which is retired", key.name());
            let clue = Clue::new(Cause::KeyRetired, detail).set(key.name());
            return Some(if key.is_active(now) { Vec::new() } else { vec![clue] });
        }
    }
    for witness in &others {
        let verifier::Verifier::SendGrid(other) = witness.verifier else { continue };
        if let Some(key) = other.keys.iter().find(|key| tries(key, &whole)) {
            let detail = format!("it was signed for `{}` of source `{}`", key.name(), witness.name);
            return Some(vec![Clue::new(Cause::KeyOtherSource, detail).set("public_key")]);
        }
    }
    let keys: Vec<_> = verifier.keys.iter().take(2).collect();
    if keys.iter().any(|key| tries(key, &[&request.body])) {
        let detail = "the body was signed without the time in front of it";
        return Some(vec![Clue::new(Cause::MessageParts, detail)]);
    }
    let mut originals = body::originals(&request.body);
    let original = originals.find(|original| keys.iter().any(|key| tries(key, &[time, &original.body])))?;
    let detail = format!("the body was changed on the way: {}", original.how);
    Some(vec![Clue::new(original.cause, detail)])
}

/// The signature, however it is written, and what is odd about that.
fn der(value: &[u8]) -> Option<(Vec<u8>, Option<Clue>)> {
    let bare = value.trim_ascii();
    let clue = |cause, how: &str| {
        let detail =
            format!("the signature in `{SIGNATURE_HEADER}` is {how}, and standard base64 is expected");
        Some(Clue::new(cause, detail))
    };
    let is_signature = |bytes: &Vec<u8>| (8..=72).contains(&bytes.len()) && bytes.first() == Some(&0x30);
    let decodings = [
        (BASE64.decode(bare), None),
        (HEXLOWER_PERMISSIVE.decode(bare), clue(Cause::SignatureHex, "in hex")),
        (BASE64_NOPAD.decode(bare), clue(Cause::SignatureSpelling, "without its padding")),
        (BASE64URL.decode(bare), clue(Cause::SignatureBase64Url, "in URL-safe base64")),
        (BASE64URL_NOPAD.decode(bare), clue(Cause::SignatureBase64Url, "in URL-safe base64")),
    ];
    let mut decoded = decodings.into_iter().filter_map(|(bytes, clue)| Some((bytes.ok()?, clue)));
    let (bytes, spelling) = decoded.find(|(bytes, _)| is_signature(bytes))?;
    let blanks = (bare.len() < value.len())
        .then(|| Clue::new(Cause::SignatureBlanks, format!("`{SIGNATURE_HEADER}` has blanks around it")));
    Some((bytes, spelling.or(blanks)))
}

fn time_unit(case: &Case<'_>) -> Finding {
    let text = case.header(TIMESTAMP_HEADER).unwrap_or_default();
    let detail = match TimestampUnit::Milliseconds.read(text).is_some() {
        true => "the signed time is in Unix milliseconds, and Unix seconds are expected",
        false => "the signed time is not in Unix seconds",
    };
    Clue::new(Cause::TimeUnit, detail).likely()
}
