//! Why X's signature does not hold, or its challenge is not answered.

use std::borrow::Cow;

use super::case::Case;
use super::cause::Cause;
use super::explanation::{Clue, Finding};
use super::reading::Form;
use super::suspect::known;
use super::trial::{Guess, Suspect, Trial};
use super::{body, target};
use crate::descriptor::{Digest, Encoding, KeyForm, Parse};
use crate::verdict::Reject;
use crate::x::crc::{Query, decode};
use crate::x::verifier::Lane;
use crate::x::{CrcToken, OAUTH2_SIGNATURE_HEADER, PREFIX, Verifier};

const PARSE: Parse = Parse::Plain { prefix: Cow::Borrowed(PREFIX) };

pub(super) fn investigate(case: &mut Case<'_>, verifier: &Verifier) -> Vec<Finding> {
    match case.reject {
        Reject::SignatureMissing { header } => return missing(case, verifier, header),
        Reject::SignatureAmbiguous { header } => return Case::repeated(header),
        Reject::BodyUnexpected { .. } => return case.method(true),
        Reject::MethodUnexpected { .. } => return case.method(false),
        Reject::Stale { age_seconds, tolerance_seconds } => {
            return Case::stale(*age_seconds, *tolerance_seconds, None);
        }
        Reject::BodyNotObject => return vec![not_an_object(&case.request.body)],
        Reject::CrcTokenMissing => return vec![token_missing(case)],
        Reject::CrcTokenShape => return vec![token_shape(case)],
        Reject::CrcParameterRepeated { name } => {
            let detail =
                format!("`{name}` is in the query twice: a proxy adds it, or the webhook's URL has it");
            return vec![Clue::new(Cause::CrcRepeated, detail).proven()];
        }
        Reject::CrcSignatureMissing => return unsigned(case, verifier),
        Reject::CrcKeysEnded => {
            let detail = "every key of this source has ended, so nothing can be answered";
            return vec![Clue::new(Cause::KeysEnded, detail).set("consumer_secret").proven()];
        }
        Reject::SignatureMalformed { header, .. } if header == "nonce" => {
            let detail = "the challenge's `nonce` is not a time, and `crc` asks for one that is fresh";
            return vec![Clue::new(Cause::CrcToken, detail).likely()];
        }
        _ => {}
    }
    let mut looks = Vec::new();
    for (lane, other) in lanes(verifier) {
        match search(case, lane, other) {
            Ok(clues) if clues.is_empty() => {}
            Ok(clues) => return clues.into_iter().map(Clue::proven).collect(),
            Err(clues) => looks.extend(clues.into_iter().map(Clue::likely)),
        }
    }
    if looks.is_empty() {
        looks.push(match case.reject {
            Reject::SignatureMalformed { .. } => {
                Clue::new(Cause::SignatureSpelling, case.reject.to_string()).likely()
            }
            _ => case.unexplained(
                "most likely the secret is another one, of another app or regenerated since, or something on the way \
                 rewrites what X sends",
            ),
        });
    }
    looks
}

fn lanes(verifier: &Verifier) -> [(&Lane, &Lane); 2] {
    [(&verifier.consumer, &verifier.oauth2), (&verifier.oauth2, &verifier.consumer)]
}

/// What explains the signature in a lane's header: nothing where it is right or not there.
///
/// # Errors
/// What it looks like, where nothing explains it.
fn search(case: &mut Case<'_>, lane: &Lane, other: &Lane) -> Result<Vec<Clue>, Vec<Clue>> {
    let Some(value) = case.header(lane.header) else { return Ok(Vec::new()) };
    let form = Form {
        header: lane.header,
        parse: &PARSE,
        encoding: Encoding::Base64,
        digest: Digest::Sha256,
        is_described: false,
    };
    let (active, rest) = keys(case, lane, other);
    let others = case.keys_of_others(KeyForm::Utf8);
    let request = case.request;
    let is_event = request.method != "GET";
    let context = case.context.clone();
    let mut trial = Trial::new(form.readings(value), &mut case.budget);

    let right = || -> Vec<Guess<'_>> {
        if is_event {
            return vec![Guess { message: vec![Cow::Borrowed(&request.body)], clues: Vec::new() }];
        }
        let query = Query::parse(request.query());
        let messages = query.map(|query| {
            query
                .signed_messages()
                .into_iter()
                .map(|message| Cow::Owned(message.into_owned()))
                .collect::<Vec<_>>()
        });
        let messages = messages.unwrap_or_default().into_iter();
        messages.map(|message| Guess { message: vec![message], clues: Vec::new() }).collect()
    };
    trial.stage(64);
    let mut found = trial.search(&active, right()).or_else(|| trial.search(&rest, right()));
    if found.is_none() {
        trial.stage(64);
        found = trial.search(&others, right());
    }
    if found.is_none() {
        trial.stage(u32::MAX);
        let strongest = if active.is_empty() { &rest } else { &active };
        let strongest = strongest.get(..2.min(strongest.len())).unwrap_or_default();
        found = match is_event {
            true => trial.search(
                strongest,
                body::originals(&request.body).map(|original| Guess {
                    message: vec![Cow::Owned(original.body)],
                    clues: vec![Clue::new(
                        original.cause,
                        format!("the body was changed on the way: {}", original.how),
                    )],
                }),
            ),
            false => trial.search(
                strongest,
                target::others(&request.target, &context, "").into_iter().filter_map(|other| {
                    let (_, query) = other.target.split_once('?')?;
                    Some(Guess {
                        message: vec![Cow::Owned(query.as_bytes().to_vec())],
                        clues: vec![other.clue],
                    })
                }),
            ),
        };
    }
    found.ok_or_else(|| trial.looks())
}

/// The keys of a lane that count, and those that would if something else were configured.
fn keys(case: &Case<'_>, lane: &Lane, other: &Lane) -> (Vec<Suspect>, Vec<Suspect>) {
    let (mut active, mut rest, mut forms) = (Vec::new(), Vec::new(), Vec::new());
    for key in lane.keys.iter() {
        let secret = known(key, KeyForm::Utf8);
        if key.is_active(case.now) {
            active.extend(secret.as_configured());
            forms.extend(secret.forms(false));
        } else {
            let detail = format!("it was signed with `{}`, which is retired", key.name());
            rest.extend(secret.but(Clue::new(Cause::KeyRetired, detail).set(key.name())));
        }
    }
    let setting = setting(lane);
    for key in other.keys.iter() {
        let detail = format!(
            "`{}` was made with `{}`, which is configured for the other header",
            lane.header,
            key.name()
        );
        rest.extend(known(key, KeyForm::Utf8).but(Clue::new(Cause::KeyKind, detail).set(setting)));
    }
    rest.extend(forms);
    (active, rest)
}

fn setting(lane: &Lane) -> &'static str {
    if lane.header == OAUTH2_SIGNATURE_HEADER { "oauth2_client_secret" } else { "consumer_secret" }
}

/// No header that counts is there; perhaps the one that does not.
fn missing(case: &mut Case<'_>, verifier: &Verifier, header: &str) -> Vec<Finding> {
    match without_keys(case, verifier) {
        Some(finding) => vec![finding],
        None => case.missing(header),
    }
}

/// The signature that is there while no key is configured for it.
fn without_keys(case: &mut Case<'_>, verifier: &Verifier) -> Option<Finding> {
    let (lane, other) = lanes(verifier)
        .into_iter()
        .find(|(lane, _)| lane.keys.is_empty() && case.header(lane.header).is_some())?;
    match search(case, lane, other) {
        Ok(clues) if clues.iter().any(|clue| clue.cause == Cause::KeyKind) => {
            clues.into_iter().find(|clue| clue.cause == Cause::KeyKind).map(Clue::proven)
        }
        _ => {
            let secret = setting(lane);
            let detail = format!("there is only `{}`, and no `{secret}` is configured", lane.header);
            Some(Clue::new(Cause::KeyKind, detail).set(secret).likely())
        }
    }
}

fn unsigned(case: &mut Case<'_>, verifier: &Verifier) -> Vec<Finding> {
    let detail = "the challenge is not signed, and `crc` requires it; X does not promise to sign every one";
    let mut findings: Vec<Finding> = without_keys(case, verifier).into_iter().collect();
    findings.push(Clue::new(Cause::CrcUnsigned, detail).set("crc = { signature = \"if-present\" }").likely());
    findings
}

fn not_an_object(body: &[u8]) -> Finding {
    let (cause, what) = match body.trim_ascii() {
        [] => (Cause::BodyDropped, "the body is empty"),
        [0xef, 0xbb, 0xbf, ..] => (Cause::BodyBom, "the body begins with a byte order mark"),
        [b'[', ..] => (Cause::BodyKind, "the body is a JSON array"),
        [b'{', ..] => (Cause::BodyKind, "the body is not valid JSON"),
        token if std::str::from_utf8(token).is_ok_and(|token| CrcToken::parse(token).is_ok()) => (
            Cause::BodyKind,
            "the body looks like a challenge token: somebody may be trying answers of the CRC as events",
        ),
        _ => (Cause::BodyKind, "the body is not JSON"),
    };
    Clue::new(cause, format!("{what}, and X sends JSON objects")).proven()
}

fn token_missing(case: &Case<'_>) -> Finding {
    let query = case.request.query().unwrap_or_default();
    let other_case = query.split('&').any(|pair| {
        pair.split('=')
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("crc_token") && name != "crc_token")
    });
    let kept = case.context.targets.iter().any(|target| target.contains("crc_token="));
    let (cause, detail) = match (kept, other_case, query.is_empty()) {
        (true, ..) => (Cause::QueryDropped, "a proxy dropped the query that has the `crc_token`"),
        (_, true, _) => (Cause::CrcToken, "the query has `crc_token` in another case"),
        (.., true) => {
            (Cause::QueryDropped, "there is no query: this is no challenge of X, or a proxy dropped it")
        }
        _ => (Cause::CrcToken, "the query has no `crc_token`: this is no challenge of X"),
    };
    Clue::new(cause, detail).likely()
}

/// Why a token is not one that may be signed.
fn token_shape(case: &Case<'_>) -> Finding {
    let query = case.request.query().unwrap_or_default();
    let raw = query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name).as_deref() == Some(b"crc_token")).then_some(value)
    });
    let decoded = raw.and_then(decode);
    let why = match decoded.as_deref().map(std::str::from_utf8) {
        None => "a `%` in it is not followed by two hex digits",
        Some(Err(_)) => "what its escapes stand for is no text",
        Some(Ok("")) => "it is empty",
        Some(Ok(token)) => match token {
            _ if CrcToken::parse(token).is_ok() => {
                let detail = "the challenge is not what X sends (a token that is the base64 of a UUID, and a nonce that is \
                     the base64 of a time), and `crc` wants that";
                return Clue::new(Cause::CrcToken, detail).set("crc = { shape = \"any\" }").proven();
            }
            _ if token.contains('{') => "it looks like JSON, which an event is: signing it could forge one",
            _ if token.contains(' ') => {
                "it has a blank, which is what a `+` in a query stands for: write `%2B`"
            }
            _ if token.contains('&') || token.trim_end_matches('=').contains('=') => {
                "it looks like a query, which a signed challenge is: signing it could forge one"
            }
            _ if token.trim_end_matches('=').len() + 2 < token.len() => "it has more than two `=` at its end",
            _ if token.trim_end_matches('=').len() > 256 => "it is longer than 256 characters",
            _ => "it has a character that is none of A-Z, a-z, 0-9, `+`, `/`, `_` and `-`",
        },
    };
    Clue::new(Cause::CrcToken, format!("the challenge's token is not opaque: {why}")).proven()
}
