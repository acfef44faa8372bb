//! Why Twilio's signature does not hold.

use std::borrow::Cow;

use data_encoding::{BASE64, BASE64URL};

use self::keys::{Keys, named_shared_key};
use super::case::Case;
use super::cause::Cause;
use super::explanation::{Clue, Finding, printable};
use super::origin::{self, Origin, Told};
use super::reading::Form;
use super::trial::{Guess, Trial};
use super::{Witness, body, parameters, target};
use crate::descriptor::{Encoding, KeyForm, Parse};
use crate::mac;
use crate::request::Request;
use crate::twilio::content::kind;
use crate::twilio::form::Parameters;
use crate::twilio::spelling::{Kind, Spellings};
use crate::twilio::{
    Algorithm, SIGNATURE_HEADER, SIGNATURE_SETTINGS_HEADER, Verifier, digest, is_form, with_body_digest,
};
use crate::verdict::Reject;

mod keys;

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
    let mistaken = keys.mistaken_for(&others);
    let routes = case.routes_of_others();
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
        if let Some(clues) = trial.search(&mistaken, accepted().take(1)) {
            return Some(clues);
        }
        let theirs = known.iter().take(4).map(|origin| message.guess(origin, Vec::new()));
        let homes = routes.iter().filter_map(|route| match route.verifier {
            crate::Verifier::Twilio(home) => message.for_route(&Origin::of(home.urls.first()?), route),
            _ => None,
        });
        if let Some(clues) = trial.search(&others, theirs.chain(homes)) {
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
                .chain(message.handshakes(&configured))
                .chain(origins.iter().map(|origin| message.guess(origin, origin.clues(&configured))))
                .chain(message.parameters(&configured))
                .chain(routes.iter().filter_map(|route| message.for_route(&configured, route)))
                .chain(
                    target::others(&case.request.target, &context, configured.prefix())
                        .into_iter()
                        .map(|other| message.at(&configured, &other.target, vec![other.clue])),
                );
            trial.search(strongest, guesses)
        })
    };
    let clues = search();
    let looks = trial.looks();
    conclude(case, verifier, &keys, clues, looks)
}

fn conclude(
    case: &Case<'_>,
    verifier: &Verifier,
    keys: &Keys,
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
        findings.push(unexplained(case, verifier, keys));
    }
    findings
}

/// What is left is a guess, and a trusted proxy's word makes it a better one: it tells a wrong token from a wrong URL.
fn unexplained(case: &Case<'_>, verifier: &Verifier, keys: &Keys) -> Finding {
    const NOTHING: &str = "nothing that was tried makes the signature match";
    const TOKEN: &str = "the auth token is not the one of the account that owns the number";
    let path = printable(case.request.path());
    let configured = verifier.urls.first().map(Origin::of);
    let url = configured.as_ref().map(|origin| format!("{origin}{path}")).unwrap_or_default();
    let detail = match configured.as_ref().map(|origin| (origin, origin.beside(&case.context.called))) {
        Some((configured, Told::Other(told))) => {
            let cause = told.clues(configured).first().map_or(Cause::Unknown, |clue| clue.cause);
            let detail = format!(
                "{NOTHING}, and your proxy says that it was asked for {}{path}, where `public_url` makes {url} of it",
                printable(&told.to_string())
            );
            return Clue::new(cause, detail).set("public_url").likely();
        }
        Some((_, Told::TheSame)) => {
            format!(
                "{NOTHING}: most likely {TOKEN}; the URL is {url}, and your proxy says that it was asked for it"
            )
        }
        Some((_, Told::Nothing)) | None => {
            format!("{NOTHING}: most likely {TOKEN}, or Twilio was told another URL than {url}")
        }
    };
    let clue = Clue::new(Cause::Unknown, detail);
    match &keys.name {
        Some(name) => clue.set(name).likely(),
        None => clue.likely(),
    }
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

    /// The same request at another source's path.
    fn for_route(&self, origin: &Origin, route: &Witness<'_>) -> Option<Guess<'_>> {
        let path = route.path?;
        let target = match self.request.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        let detail = format!(
            "it was signed for path `{}`, which is that of source `{}`: a proxy sends it to this one",
            printable(path),
            route.name
        );
        Some(self.at(origin, &target, vec![Clue::new(Cause::UrlPath, detail)]))
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

    /// A WebSocket handshake that lost what makes it one.
    fn handshakes(&self, origin: &Origin) -> Vec<Guess<'static>> {
        if self.kind != Kind::Get {
            return Vec::new();
        }
        let detail =
            "it was signed for wss://, as a WebSocket handshake: a proxy dropped `Upgrade` and `Connection`";
        let slashed = format!("{}/", self.request.target);
        let guess = |target: &str| Guess {
            message: vec![Cow::Owned(origin.with(target, true))],
            clues: vec![Clue::new(Cause::HeaderMissing, detail)],
        };
        vec![guess(&self.request.target), guess(&slashed)]
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
