//! Why Twilio's signature does not hold.

use std::borrow::Cow;

use data_encoding::{BASE64, BASE64URL};

use super::case::Case;
use super::cause::Cause;
use super::explanation::{Clue, Finding, printable};
use super::origin::{self, Origin};
use super::reading::Form;
use super::suspect::known;
use super::trial::{Guess, Suspect, Trial};
use super::{body, parameters, target};
use crate::descriptor::{Encoding, KeyForm, Parse};
use crate::keyring::Keyring;
use crate::mac::{self, MacKey};
use crate::request::Request;
use crate::twilio::content::{Content, kind};
use crate::twilio::form::Parameters;
use crate::twilio::spelling::{Kind, Spellings};
use crate::twilio::verifier::SharedLane;
use crate::twilio::{
    Algorithm, SIGNATURE_HEADER, SIGNATURE_SETTINGS_HEADER, Verifier, digest, is_form, with_body_digest,
};
use crate::verdict::Reject;

/// As many keys as every message is tried with.
const MOST_KEYS: usize = 2;

const PLAIN: Parse = Parse::Plain { prefix: Cow::Borrowed("") };

pub(super) fn investigate(case: &mut Case<'_>, verifier: &Verifier) -> Vec<Finding> {
    match case.reject {
        Reject::SignatureMissing { header } => return case.missing(header),
        Reject::SignatureAmbiguous { header } => return Case::repeated(header),
        Reject::BodyUnexpected { .. } => return case.method(true),
        Reject::MethodUnexpected { .. } => return case.method(false),
        Reject::BodyDigestMismatch => return body_changed(case),
        _ => {}
    }
    let Some(value) = case.header(SIGNATURE_HEADER) else { return case.missing(SIGNATURE_HEADER) };
    let Ok(kind) = kind(case.request) else { return case.method(false) };
    let keys = Keys::of(verifier, case);
    let form = Form {
        header: SIGNATURE_HEADER,
        parse: &PLAIN,
        encoding: Encoding::Base64,
        digest: keys.algorithm.digest(),
        is_described: false,
    };
    let readings = form.readings(value);
    if readings.is_empty() {
        return vec![Clue::new(Cause::SignatureSpelling, case.reject.to_string()).likely()];
    }

    let message = Message::of(case.request, kind);
    let (others, known) = (case.keys_of_others(KeyForm::Utf8), case.origins_of_others());
    let context = case.context.clone();
    let mut trial = Trial::new(readings, &mut case.budget);
    let mut search = || {
        let accepted = || accepted(verifier, kind, case.request, &message);
        trial.stage(64);
        if let Some(clues) = trial.search(&keys.active, accepted()) {
            return Some(clues);
        }
        if let Some(clues) = trial.search(&keys.rest, accepted().take(2)) {
            return Some(clues);
        }
        trial.stage(40);
        let theirs = known.iter().take(4).map(|origin| message.guess(origin, Vec::new()));
        if let Some(clues) = trial.search(&others, accepted().take(1).chain(theirs)) {
            return Some(clues);
        }
        trial.stage(u32::MAX);
        let strongest = keys.strongest();
        verifier.urls.iter().find_map(|url| {
            let configured = Origin::of(url);
            let origins = origin::others(&configured, &context, &known);
            let guesses = message
                .contents(&configured)
                .into_iter()
                .chain(origins.iter().map(|origin| message.guess(origin, origin.clues(&configured))))
                .chain(message.parameters(&configured))
                .chain(
                    target::others(&case.request.target, &context)
                        .into_iter()
                        .map(|other| message.at(&configured, &other.target, vec![other.clue])),
                );
            trial.search(strongest, guesses)
        })
    };
    let clues = search();
    let looks = trial.looks();
    conclude(case, verifier, clues, looks)
}

fn conclude(
    case: &Case<'_>,
    verifier: &Verifier,
    clues: Option<Vec<Clue>>,
    looks: Vec<Clue>,
) -> Vec<Finding> {
    let is_url_signed = clues.as_ref().is_some_and(Vec::is_empty);
    let is_explained = clues.as_ref().is_some_and(|clues| !clues.is_empty());
    let mut findings: Vec<Finding> = clues.into_iter().flatten().map(Clue::proven).collect();
    match case.reject {
        Reject::KeyUnknown { id } => {
            let detail = format!("the request names SharedKey `{id}`, which this source does not know");
            findings.push(Clue::new(Cause::KeyUnknown, detail).set("shared_keys").likely());
        }
        Reject::AccountUnknown { sid } => {
            let detail = format!("the request is of account `{sid}`, for which this source has no token");
            findings.push(Clue::new(Cause::KeyUnknown, detail).set("accounts").likely());
        }
        Reject::AlgorithmRefused { .. } => findings = algorithm(case, verifier, findings),
        Reject::BodyUncovered { reason } if !is_explained => {
            let detail = format!("nothing vouches for the body: {reason}");
            let clue = Clue::new(Cause::DigestMissing, detail);
            findings.push(if is_url_signed { clue.proven() } else { clue.likely() });
        }
        _ => {}
    }
    if !is_explained {
        findings.extend(looks.into_iter().map(Clue::likely));
    }
    if findings.is_empty() {
        let url = verifier.urls.first().map(|url| format!("{url}{}", printable(case.request.path())));
        findings.push(case.unexplained(&format!(
            "most likely the auth token is not the one of the account that owns the number, or Twilio was told another \
             URL than {}",
            url.unwrap_or_default()
        )));
    }
    findings
}

/// The request names another algorithm than its SharedKey is configured with, whichever it was signed with.
fn algorithm(case: &Case<'_>, verifier: &Verifier, mut findings: Vec<Finding>) -> Vec<Finding> {
    let setting = named_shared_key(verifier, case).map_or_else(
        || "shared_keys".to_owned(),
        |lane| {
            let other = match lane.algorithm {
                Algorithm::HmacSha1 => Algorithm::HmacSha256,
                Algorithm::HmacSha256 => Algorithm::HmacSha1,
            };
            format!("shared_keys.{}.algorithm = \"{}\"", lane.id, other.name())
        },
    );
    match findings.iter_mut().find(|finding| finding.cause == Cause::SignatureAlgorithm) {
        Some(finding) => finding.setting = Some(setting),
        None => {
            let detail = format!(
                "`{SIGNATURE_SETTINGS_HEADER}` names another algorithm than the SharedKey is configured with"
            );
            findings.push(Clue::new(Cause::SignatureAlgorithm, detail).set(setting).likely());
        }
    }
    findings
}

/// The SharedKey that the request names, whatever else it says.
fn named_shared_key<'v>(verifier: &'v Verifier, case: &Case<'_>) -> Option<&'v SharedLane> {
    let value = std::str::from_utf8(case.header(SIGNATURE_SETTINGS_HEADER)?).ok()?;
    let id = value.split(',').find_map(|item| item.trim().strip_prefix("key="))?.trim();
    verifier.shared.iter().find(|lane| lane.id == id)
}

/// The keys of the source, by how they count for this request.
struct Keys {
    algorithm: Algorithm,
    active: Vec<Suspect>,
    /// Retired ones, those of other accounts, and the active ones in other forms.
    rest: Vec<Suspect>,
}

impl Keys {
    fn of(verifier: &Verifier, case: &Case<'_>) -> Self {
        let headers = &case.request.headers;
        let named = named_shared_key(verifier, case);
        let chosen: Vec<&Keyring<MacKey>> = match (verifier.shared_key(headers), named) {
            (Ok(Some(lane)), _) | (Err(_), Some(lane)) => vec![&lane.keys],
            (Err(_), None) => Vec::new(),
            (Ok(None), _) => kind(case.request)
                .and_then(|kind| Content::of(case.request, kind))
                .and_then(|content| verifier.tokens_for(&content, case.request))
                .unwrap_or_else(|_| vec![&verifier.tokens]),
        };
        let mut keys = Self {
            algorithm: named.map_or(Algorithm::HmacSha1, |lane| lane.algorithm),
            active: Vec::new(),
            rest: Vec::new(),
        };
        let mut forms = Vec::new();
        for key in chosen.iter().flat_map(|ring| ring.iter()) {
            let secret = known(key, KeyForm::Utf8);
            if key.is_active(case.now) {
                keys.active.extend(secret.as_configured());
                forms.extend(secret.forms(false));
            } else {
                let detail = format!("it was signed with `{}`, which is retired", key.name());
                keys.rest.extend(secret.but(Clue::new(Cause::KeyRetired, detail).set(key.name())));
            }
        }
        let is_chosen = |ring: &Keyring<MacKey>| chosen.iter().any(|known| std::ptr::eq(*known, ring));
        let shared = verifier.shared.iter().filter(|lane| !is_chosen(&lane.keys));
        let shared = shared.flat_map(|lane| {
            let detail = format!(
                "it was signed with SharedKey `{}`, and `{SIGNATURE_SETTINGS_HEADER}` does not say so",
                lane.id
            );
            lane.keys.iter().map(move |key| (key, detail.clone(), "shared_keys"))
        });
        let accounts = verifier.accounts.iter().map(|lane| &lane.keys).chain([&verifier.tokens]);
        let tokens = accounts.filter(|ring| !is_chosen(ring)).flat_map(|ring| ring.iter());
        let tokens = tokens.map(|key| {
            let detail = format!(
                "it was signed with `{}`, which is not a token of what the request names",
                key.name()
            );
            (key, detail, "accounts")
        });
        for (key, detail, setting) in tokens.chain(shared) {
            let clue = Clue::new(Cause::KeyNotChosen, detail).set(setting);
            keys.rest.extend(known(key, KeyForm::Utf8).but(clue));
        }
        keys.rest.extend(forms);
        keys
    }

    /// The few that every message is tried with.
    fn strongest(&self) -> &[Suspect] {
        let keys = if self.active.is_empty() { &self.rest } else { &self.active };
        keys.get(..MOST_KEYS.min(keys.len())).unwrap_or_default()
    }
}

/// The spellings that the verifier accepts, with what it signs after them.
fn accepted<'a>(
    verifier: &'a Verifier,
    kind: Kind,
    request: &'a Request,
    message: &'a Message<'_>,
) -> impl Iterator<Item = Guess<'a>> + use<'a> {
    let spellings = Spellings::new(&verifier.urls, kind, &request.target);
    let written: Vec<_> = spellings
        .iter()
        .map(|spelling| {
            let mut url = Vec::new();
            spelling.write(&mut url);
            (url, spelling.parameters().map(<[u8]>::to_vec))
        })
        .collect();
    written.into_iter().map(|(url, parameters)| Guess {
        message: vec![Cow::Owned(url), parameters.map_or(Cow::Borrowed(&message.signed), Cow::Owned)],
        clues: Vec::new(),
    })
}

/// What a request's content signs, and may have signed.
struct Message<'a> {
    request: &'a Request,
    kind: Kind,
    is_form: bool,
    /// What is signed after the URL.
    signed: Vec<u8>,
}

impl<'a> Message<'a> {
    fn of(request: &'a Request, kind: Kind) -> Self {
        let is_form =
            kind == Kind::Post && request.headers.one("content-type").ok().flatten().is_some_and(is_form);
        let signed = if is_form { Parameters::read(&request.body).signed() } else { Vec::new() };
        Self { request, kind, is_form, signed }
    }

    fn guess(&self, origin: &Origin, clues: Vec<Clue>) -> Guess<'_> {
        self.at(origin, &self.request.target, clues)
    }

    fn at(&self, origin: &Origin, target: &str, clues: Vec<Clue>) -> Guess<'_> {
        let url = origin.with(target, self.kind == Kind::WebSocket);
        Guess { message: vec![Cow::Owned(url), Cow::Borrowed(&self.signed)], clues }
    }

    /// The body taken for another kind of body.
    fn contents(&self, origin: &Origin) -> Vec<Guess<'static>> {
        if self.kind != Kind::Post || self.is_form {
            return Vec::new();
        }
        let target = self.request.target.as_str();
        let url = |target: &str| Cow::Owned(origin.with(target, false));
        let form = Parameters::read(&self.request.body).signed();
        let as_form = Clue::new(
            Cause::SignedAsForm,
            "the body was signed as a form, and the Content-Type of one was changed or dropped on the way",
        );
        let mut guesses = vec![Guess { message: vec![url(target), Cow::Owned(form)], clues: vec![as_form] }];
        if !target.contains(digest::PARAMETER) {
            let dropped = Clue::new(
                Cause::QueryDropped,
                format!("the query with `{}`, which was signed, was dropped on the way", digest::PARAMETER),
            );
            let whole = with_body_digest(target, &self.request.body);
            guesses.push(Guess { message: vec![url(&whole)], clues: vec![dropped] });
            let missing = Clue::new(
                Cause::DigestMissing,
                format!(
                    "the URL was signed without `{}`, so nothing vouches for the body",
                    digest::PARAMETER
                ),
            );
            guesses.push(Guess { message: vec![url(target)], clues: vec![missing] });
        }
        guesses
    }

    /// The form's parameters by other rules, on the configured URL with its port and without.
    fn parameters(&self, origin: &Origin) -> Vec<Guess<'static>> {
        if !self.is_form {
            return Vec::new();
        }
        let others = parameters::others(&self.request.body, self.request.query());
        let guess = |other: parameters::Signed| {
            let target = if other.without_query { self.request.path() } else { &self.request.target };
            let url = origin.with(target, false);
            Guess { message: vec![Cow::Owned(url), Cow::Owned(other.bytes)], clues: vec![other.clue] }
        };
        others.into_iter().map(guess).collect()
    }
}

/// The URL's signature holds, and the digest in it is not the body's.
fn body_changed(case: &mut Case<'_>) -> Vec<Finding> {
    let query = case.request.query().unwrap_or_default();
    let mut copies = query.split('&').filter_map(|pair| pair.strip_prefix("bodySHA256="));
    let announced = copies.next().unwrap_or_default();
    if copies.any(|copy| copy != announced) {
        let detail = format!("the URL has several `{}`, and they differ", digest::PARAMETER);
        return vec![Clue::new(Cause::DigestRepeated, detail).proven()];
    }
    let request = case.request;
    let mut is_of = |body: &[u8]| case.budget.spend(body.len()) && digest::of(body) == announced;
    let holds = "the signature of the URL holds, and the body is not the one whose digest it carries";
    let clue = if let Some(how) = spelled_otherwise(announced, &request.body) {
        let detail =
            format!("`{}` is the body's digest in {how}, and lower-case hex is expected", digest::PARAMETER);
        Clue::new(Cause::DigestEncoding, detail)
    } else if request.body.is_empty() {
        Clue::new(Cause::BodyDropped, format!("{holds}: it was lost on the way"))
    } else if let Some(original) = body::originals(&request.body).find(|original| is_of(&original.body)) {
        Clue::new(original.cause, format!("{holds}: {}", original.how))
    } else {
        Clue::new(Cause::BodyChanged, format!("{holds}: it was changed on the way, and how is not known"))
    };
    vec![clue.proven()]
}

/// The spelling of the digest, if it is that of this body in another than the accepted one.
fn spelled_otherwise(announced: &str, body: &[u8]) -> Option<&'static str> {
    let (digest, hex) = (mac::sha256(body), digest::of(body));
    if announced.eq_ignore_ascii_case(&hex) {
        return (announced != hex).then_some("upper-case hex");
    }
    let announced = announced.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
    let announced = announced.replace("%2b", "+").replace("%2f", "/").replace("%3d", "=");
    let encodings = [BASE64.encode(&digest), BASE64URL.encode(&digest), BASE64.encode(hex.as_bytes())];
    let bare = announced.trim_end_matches('=');
    encodings.iter().any(|text| text.trim_end_matches('=') == bare).then_some("base64")
}
