//! Why the signature of a plain HMAC scheme does not hold.

use std::borrow::Cow;

use super::case::Case;
use super::cause::Cause;
use super::explanation::{Clue, Finding};
use super::origin::{self, Origin};
use super::reading::Form;
use super::suspect::known;
use super::trial::{Guess, Suspect, Trial};
use super::{body, composition, target};
use crate::descriptor::{Descriptor, Parse, Part, TimestampFrom, TimestampSpec, TimestampUnit};
use crate::hmac::Verifier;
use crate::request::Request;
use crate::verdict::Reject;

pub(super) fn investigate(case: &mut Case<'_>, verifier: &Verifier) -> Vec<Finding> {
    let descriptor = &verifier.descriptor;
    let is_described = verifier.provider() == "hmac";
    match case.reject {
        Reject::SignatureMissing { header } => return case.missing(header),
        Reject::SignatureAmbiguous { header } => return Case::repeated(header),
        Reject::MethodUnexpected { .. } => return case.method(false),
        Reject::Stale { age_seconds, tolerance_seconds } => {
            let setting = is_described.then_some("hmac = { timestamp = { tolerance = \"…\" } }");
            return Case::stale(*age_seconds, *tolerance_seconds, setting);
        }
        reject @ (Reject::ChallengeTokenMissing { .. }
        | Reject::ChallengeTokenShape { .. }
        | Reject::ChallengeParameterRepeated { .. }
        | Reject::ChallengeUnconfirmed { .. }
        | Reject::ChallengeKeysEnded
        | Reject::EventNotObject
        | Reject::BodyUnexpected { .. }) => {
            return vec![Clue::new(Cause::Unknown, reject.to_string()).likely()];
        }
        _ => {}
    }
    let Some(value) = case.header(&descriptor.signature.header) else {
        return case.missing(&descriptor.signature.header);
    };
    let form = Form {
        header: &descriptor.signature.header,
        parse: &descriptor.signature.parse,
        encoding: descriptor.signature.encoding,
        digest: descriptor.digest,
        is_described,
    };
    let readings = form.readings(value);
    let request = case.request;
    let sent = Sent { descriptor, request, time: signed_time(descriptor, request, value) };
    if let Some(name) = sent.lacks() {
        return case.missing(&name);
    }
    let (active, rest) = keys(case, verifier, is_described);
    let others = case.keys_of_others(descriptor.key);
    let (context, known) = (case.context.clone(), case.origins_of_others());
    let mut trial = Trial::new(readings, &mut case.budget);

    let origins: Vec<Option<Origin>> = match verifier.urls.as_slice() {
        [] => vec![None],
        urls => urls.iter().map(|url| Some(Origin::of(url))).collect(),
    };
    let right = || {
        origins.iter().map(|origin| sent.guess(origin.as_ref(), &request.target, &request.body, Vec::new()))
    };
    trial.stage(64);
    let mut found = trial.search(&active, right()).or_else(|| trial.search(&rest, right()));
    if found.is_none() {
        trial.stage(64);
        found = trial.search(&others, right().take(1));
    }
    if found.is_none() {
        trial.stage(u32::MAX);
        let strongest = if active.is_empty() { &rest } else { &active };
        let strongest = strongest.get(..2.min(strongest.len())).unwrap_or_default();
        let configured = origins.first().and_then(Option::as_ref);
        let bodies = descriptor.message.contains(&Part::Body).then(|| body::originals(&request.body));
        let bodies = bodies.into_iter().flatten().map(|original| {
            let clue =
                Clue::new(original.cause, format!("the body was changed on the way: {}", original.how));
            sent.guess(configured, &request.target, &original.body, vec![clue]).into_owned()
        });
        let elsewhere =
            configured.map(|configured| origin::others(configured, &context, &known)).unwrap_or_default();
        let elsewhere = elsewhere.into_iter().filter_map(|origin| {
            let clues = origin.clues(configured?);
            Some(sent.guess(Some(&origin), &request.target, &request.body, clues).into_owned())
        });
        let signs_target =
            descriptor.message.iter().any(|part| matches!(part, Part::Url | Part::Path | Part::Query));
        let prefix = configured.map(Origin::prefix).unwrap_or_default();
        let targets =
            if signs_target { target::others(&request.target, &context, prefix) } else { Vec::new() };
        let targets = targets
            .into_iter()
            .map(|other| sent.guess(configured, &other.target, &request.body, vec![other.clue]).into_owned());
        let composed = composition::others(descriptor, request, sent.time, is_described);
        found = trial.search(strongest, elsewhere.chain(bodies).chain(targets).chain(composed));
    }
    let looks = trial.looks();
    match found {
        Some(clues) if !clues.is_empty() => clues.into_iter().map(Clue::proven).collect(),
        // The signature holds, so what is wrong is the time.
        Some(_) => vec![time_unit(case, descriptor, is_described)],
        None => unexplained(case, descriptor, is_described, looks),
    }
}

fn unexplained(
    case: &Case<'_>,
    descriptor: &Descriptor,
    is_described: bool,
    looks: Vec<Clue>,
) -> Vec<Finding> {
    if !looks.is_empty() {
        return looks.into_iter().map(Clue::likely).collect();
    }
    match case.reject {
        Reject::SignatureMalformed { header, .. } if *header == descriptor.signature.header => {
            vec![Clue::new(Cause::SignatureSpelling, case.reject.to_string()).likely()]
        }
        Reject::SignatureMalformed { .. } => vec![time_unit(case, descriptor, is_described)],
        _ => vec![case.unexplained(
            "most likely the secret is another one, or something on the way rewrites what the provider sends",
        )],
    }
}

/// The keys that count, and those that would if something else were configured.
fn keys(case: &Case<'_>, verifier: &Verifier, is_described: bool) -> (Vec<Suspect>, Vec<Suspect>) {
    let (mut active, mut rest, mut forms) = (Vec::new(), Vec::new(), Vec::new());
    for key in verifier.keys.iter() {
        let secret = known(key, verifier.descriptor.key);
        if key.is_active(case.now) {
            active.extend(secret.as_configured());
            forms.extend(secret.forms(is_described));
        } else {
            let detail = format!("it was signed with `{}`, which is retired", key.name());
            rest.extend(secret.but(Clue::new(Cause::KeyRetired, detail).set(key.name())));
        }
    }
    rest.extend(forms);
    (active, rest)
}

/// The signed time in the sender's spelling, if it is there.
fn signed_time<'a>(descriptor: &Descriptor, request: &'a Request, value: &'a [u8]) -> Option<&'a [u8]> {
    match (&descriptor.timestamp.as_ref()?.from, &descriptor.signature.parse) {
        (TimestampFrom::Header(name), _) => request.headers.one(name).ok().flatten(),
        (TimestampFrom::SignatureField, Parse::KeyValue { delimiter, timestamp: Some(name), .. }) => value
            .split(|b| char::from(*b) == *delimiter)
            .find_map(|field| field.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")),
        (TimestampFrom::SignatureField, _) => None,
    }
}

/// What a request has of the parts of a message.
struct Sent<'a> {
    descriptor: &'a Descriptor,
    request: &'a Request,
    time: Option<&'a [u8]>,
}

impl<'a> Sent<'a> {
    /// A signed header that is not there.
    fn lacks(&self) -> Option<String> {
        if let Some(TimestampSpec { from: TimestampFrom::Header(name), .. }) = &self.descriptor.timestamp
            && self.time.is_none()
        {
            return Some(name.clone().into_owned());
        }
        self.descriptor.message.iter().find_map(|part| match part {
            Part::Header(name) if self.request.headers.all(name).next().is_none() => {
                Some(name.clone().into_owned())
            }
            _ => None,
        })
    }

    /// The message with these parts for the request's own.
    fn guess<'g>(
        &'g self,
        origin: Option<&Origin>,
        target: &'g str,
        body: &'g [u8],
        clues: Vec<Clue>,
    ) -> Guess<'g> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let part = |part: &'g Part| match part {
            Part::Literal(text) => Cow::Borrowed(text.as_bytes()),
            Part::Timestamp => Cow::Borrowed(self.time.unwrap_or_default()),
            Part::Body => Cow::Borrowed(body),
            Part::Header(name) => Cow::Borrowed(self.request.headers.all(name).next().unwrap_or_default()),
            Part::Url => Cow::Owned(origin.map(|origin| origin.with(target, false)).unwrap_or_default()),
            Part::Path => Cow::Borrowed(path.as_bytes()),
            Part::Query => Cow::Borrowed(query.as_bytes()),
            Part::Method => Cow::Borrowed(self.request.method.as_bytes()),
        };
        Guess { message: self.descriptor.message.iter().map(part).collect(), clues }
    }
}

/// The signed time is there and is not one in the scheme's unit.
fn time_unit(case: &Case<'_>, descriptor: &Descriptor, is_described: bool) -> Finding {
    let value = case.header(&descriptor.signature.header).unwrap_or_default();
    let text = signed_time(descriptor, case.request, value).unwrap_or_default();
    let Some(spec) = descriptor.timestamp.as_ref().filter(|spec| spec.unit.read(text).is_none()) else {
        // It is a time; what the verifier minds is something else, such as a flood of signatures.
        return Clue::new(Cause::Unknown, case.reject.to_string()).likely();
    };
    let units = [
        (TimestampUnit::Seconds, "s", "Unix seconds"),
        (TimestampUnit::Milliseconds, "ms", "Unix milliseconds"),
        (TimestampUnit::Rfc3339, "rfc3339", "RFC 3339"),
    ];
    let near = |unit: TimestampUnit| {
        let year = 365 * 24 * 3_600;
        unit.read(text).is_some_and(|time| (time.as_second() - case.now.as_second()).abs() < year)
    };
    match units.into_iter().find(|(unit, ..)| *unit != spec.unit && near(*unit)) {
        Some((_, setting, name)) => {
            let detail = format!("the signed time is in {name}, and {} is expected", spec.unit.expected());
            let clue = Clue::new(Cause::TimeUnit, detail);
            match is_described {
                true => clue.set(format!("hmac = {{ timestamp = {{ unit = \"{setting}\" }} }}")).proven(),
                false => clue.proven(),
            }
        }
        None => {
            Clue::new(Cause::TimeUnit, format!("the signed time is not {}", spec.unit.expected())).likely()
        }
    }
}
