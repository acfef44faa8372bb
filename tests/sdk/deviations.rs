//! Where Twilio's SDKs and Hookhouse are known to differ: which requests, which way, and why. Readers have the list as
//! `docs/reference/twilio-sdks.md`.
//!
//! An entry's predicate is exact: of the cases that we judge its way, it covers those, and only those, in which the SDK
//! says otherwise for the entry's reason.

use super::case::{Case, Ours, digest_of};
use super::url::Url;
use super::{node, python};

/// The versions that the list is about: another one is another list.
pub(crate) const PYTHON_VERSION: &str = "9.13.0";
pub(crate) const NODE_VERSION: &str = "6.2.0";

/// An SDK, as applications call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Judge {
    /// Python: `RequestValidator.validate`.
    Python,
    /// Node.js: `validateRequest`, and `validateRequestWithBody` for what is no form.
    Validate,
    /// Node.js: the `webhook()` middleware, told its public protocol and host.
    Webhook,
}

use Judge::{Python, Validate, Webhook};

/// A known difference.
pub(crate) struct Deviation {
    /// Its name here and in the documentation.
    pub(crate) id: &'static str,
    /// Who differs from us.
    pub(crate) judges: &'static [Judge],
    /// What we say; they say the contrary.
    pub(crate) we: We,
    /// Where it comes from: the SDK's code, a page of Twilio's, an issue.
    pub(crate) evidence: &'static str,
    pub(crate) covers: fn(&Case, &Ours, Judge) -> bool,
}

/// What we say of a request that an SDK judges otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum We {
    /// We accept it, and there is nothing about its URL that we had to read in another spelling.
    Accept,
    /// We accept it by a spelling that Twilio is known to sign: the row of that letter in the table of
    /// `hookhouse_verify::twilio`.
    AcceptBy(char),
    Refuse,
}

const ALL: &[Judge] = &[Python, Validate, Webhook];
const NODE: &[Judge] = &[Validate, Webhook];
/// Those that are called for a handshake.
const WITHOUT_MIDDLEWARE: &[Judge] = &[Python, Validate];

pub(crate) const DEVIATIONS: &[Deviation] = &[
    // Spellings of the URL that Twilio is known to sign and no SDK tries.
    Deviation {
        id: "user-info-signed",
        judges: ALL,
        we: We::AcceptBy('C'),
        evidence: "the SDKs' own test suites sign so",
        covers: |case, ours, _| by(ours, "with user info") && !case.told_user_info,
    },
    Deviation {
        id: "user-info-told",
        judges: ALL,
        we: We::AcceptBy('A'),
        evidence: "Twilio's documentation on security",
        covers: |case, ours, _| !by(ours, "with user info") && case.told_user_info,
    },
    Deviation {
        id: "root-slash-removed",
        judges: ALL,
        we: We::AcceptBy('D'),
        evidence: "a request always has a path",
        covers: |_, ours, _| by(ours, "root slash removed"),
    },
    Deviation {
        id: "websocket-slash-added",
        judges: WITHOUT_MIDDLEWARE,
        we: We::AcceptBy('E'),
        evidence: "Twilio's documentation on security",
        covers: |_, ours, _| by(ours, "slash added"),
    },
    Deviation {
        id: "websocket-query-as-parameters",
        judges: WITHOUT_MIDDLEWARE,
        we: We::AcceptBy('E'),
        evidence: "`twilio-agent-connect`",
        covers: |_, ours, _| by(ours, "query as parameters"),
    },
    Deviation {
        id: "websocket-signed-as-https",
        judges: WITHOUT_MIDDLEWARE,
        we: We::AcceptBy('E'),
        evidence: "proxies that were told `https:`",
        covers: |_, ours, _| by(ours, "https for wss"),
    },
    Deviation {
        id: "websocket-port-443",
        judges: WITHOUT_MIDDLEWARE,
        we: We::AcceptBy('B'),
        evidence: "`addPort` and `add_port`",
        covers: |case, ours, _| case.handshake && case.base.scheme == "https" && by(ours, "port added"),
    },
    Deviation {
        id: "python-query-unescaped",
        judges: &[Python],
        we: We::AcceptBy('F'),
        evidence: "twilio-ruby#528, twilio-node#621, #1059 and #1183",
        covers: |_, ours, _| unescaped(ours),
    },
    Deviation {
        id: "node-query-unescaped",
        judges: NODE,
        we: We::AcceptBy('F'),
        evidence: "`withLegacyQuerystring`",
        covers: |case, ours, judge| unescaped(ours) && !node_tries(case, judge),
    },
    // Requests exactly as Twilio's rules have them, which an SDK refuses.
    Deviation {
        id: "python-port-after-a-colon",
        judges: &[Python],
        we: We::Accept,
        evidence: "`remove_port`",
        covers: |case, ours, _| {
            let colon = case.base.host.starts_with('[')
                || (case.told_user_info && case.base.user_info.is_some_and(|user| user.contains(':')));
            colon && case.base.port.is_some() && by(ours, "port removed")
        },
    },
    Deviation {
        id: "python-empty-query",
        judges: &[Python],
        we: We::Accept,
        evidence: "`urlparse(…).geturl()`",
        covers: |case, _, _| case.target.ends_with('?'),
    },
    Deviation {
        id: "python-empty-path-parameters",
        judges: &[Python],
        we: We::Accept,
        evidence: "`urlparse(…).geturl()`",
        covers: |case, _, _| python::loses_a_semicolon(&Url::split(&case.told())),
    },
    Deviation {
        id: "scheme-in-upper-case",
        judges: &[Python, Webhook],
        we: We::Accept,
        evidence: "`url.format`",
        covers: |case, _, _| case.base.scheme == "HTTPS",
    },
    Deviation {
        id: "body-as-text",
        judges: &[Python, Validate],
        we: We::Accept,
        evidence: "`compute_hash` and `getExpectedBodyHash`",
        covers: |case, _, _| !case.is_form() && String::from_utf8(case.body.clone()).is_err(),
    },
    Deviation {
        id: "node-utf16-order",
        judges: NODE,
        we: We::Accept,
        evidence: "`Object.keys(params).sort()`",
        covers: |case, _, _| case.is_form() && utf16_parameters(case) != case.parameters(),
    },
    Deviation {
        id: "node-no-shared-keys",
        judges: NODE,
        we: We::Accept,
        evidence: "`X-Twilio-Webhooks-Signature-Settings`",
        covers: |case, _, _| case.settings.is_some(),
    },
    Deviation {
        id: "node-webhook-question-mark",
        judges: &[Webhook],
        we: We::Accept,
        evidence: "`url.format`",
        covers: |case, _, judge| changes_a_question_mark(case) && !node_tries(case, judge),
    },
    Deviation {
        id: "node-webhook-digest-everywhere",
        judges: &[Webhook],
        we: We::Accept,
        evidence: "twilio-php#861",
        covers: |case, _, judge| {
            case.target.contains("bodySHA256")
                && node::content(case, judge).is_none_or(|content| content != case.signed.parameters)
        },
    },
    Deviation {
        id: "node-express-parameter-missed",
        judges: &[Webhook],
        we: We::Accept,
        evidence: "`express.urlencoded`",
        covers: |case, _, _| is_passed_over_in_part(case),
    },
    // Requests that are not as Twilio makes them, which an SDK accepts.
    Deviation {
        id: "websocket-port-80",
        judges: WITHOUT_MIDDLEWARE,
        we: We::Refuse,
        evidence: "`addPort` and `add_port`",
        covers: |case, _, judge| {
            let told = case.told();
            let with_80 = Url::split(&told).with_port("80");
            takes(case, judge) && case.handshake && case.base.port.is_none() && case.signed.url == with_80
        },
    },
    Deviation {
        id: "node-url-normalised",
        judges: NODE,
        we: We::Refuse,
        evidence: "`new URL(…)`",
        covers: |case, _, judge| {
            let spellings = node::Spellings::of(case, judge);
            let url = &case.signed.url;
            takes(case, judge) && !spellings.as_told.contains(url) && spellings.normalised.contains(url)
        },
    },
    Deviation {
        id: "node-query-reencoded",
        judges: NODE,
        we: We::Refuse,
        evidence: "`withLegacyQuerystring`",
        covers: |case, _, judge| {
            let spellings = node::Spellings::of(case, judge);
            let [told, normalised] = [&spellings.as_told, &spellings.normalised];
            let plain = told.iter().chain(normalised).any(|url| *url == case.signed.url);
            takes(case, judge) && !plain && spellings.with_legacy_query.contains(&case.signed.url)
        },
    },
    Deviation {
        id: "node-webhook-question-mark-signed",
        judges: &[Webhook],
        we: We::Refuse,
        evidence: "`url.format`",
        covers: |case, _, judge| {
            takes(case, judge)
                && changes_a_question_mark(case)
                && !Url::split(&case.told()).is_but_for_port(&Url::split(&case.signed.url))
        },
    },
    Deviation {
        id: "first-digest-of-several",
        judges: ALL,
        we: We::Refuse,
        evidence: "`query[\"bodySHA256\"][0]` and `searchParams.get`",
        covers: |case, _, judge| {
            let digests = case.digests();
            takes(case, judge) && digests.iter().any(|digest| Some(digest) != digests.first())
        },
    },
    Deviation {
        id: "digest-beside-a-form",
        judges: &[Python, Validate],
        we: We::Refuse,
        evidence: "`isinstance(params, str)`",
        covers: |case, _, judge| {
            let wrong = case.digests().iter().any(|digest| *digest != digest_of(&case.body));
            takes(case, judge) && case.is_form() && wrong
        },
    },
    Deviation {
        id: "node-webhook-digest-of-any-type",
        judges: &[Webhook],
        we: We::Refuse,
        evidence: "`validateRequestWithBody`",
        covers: |case, _, judge| {
            takes(case, judge) && case.is_form() && !case.body.is_empty() && !case.digests().is_empty()
        },
    },
    Deviation {
        id: "node-webhook-body-of-braces",
        judges: &[Webhook],
        we: We::Refuse,
        evidence: "`request.rawBody`",
        covers: |case, _, judge| {
            takes(case, judge) && case.body.is_empty() && case.digests().contains(&digest_of(b"{}").as_str())
        },
    },
    Deviation {
        id: "node-webhook-json-as-parameters",
        judges: &[Webhook],
        we: We::Refuse,
        evidence: "`request.body`",
        covers: |case, _, judge| {
            let uncovered = !case.is_form() && !case.body.is_empty() && case.digests().is_empty();
            takes(case, judge) && uncovered && case.content_type.is_some()
        },
    },
    Deviation {
        id: "digest-percent-encoded",
        judges: ALL,
        we: We::Refuse,
        evidence: "`parse_qs` and `searchParams`",
        covers: |case, _, judge| {
            let raw = case.digests();
            let written_otherwise =
                case.target.contains("bodySHA25%36") || raw.iter().any(|digest| digest.contains('%'));
            takes(case, judge) && written_otherwise
        },
    },
    Deviation {
        id: "python-empty-digest",
        judges: &[Python],
        we: We::Refuse,
        evidence: "`parse_qs`",
        covers: |case, _, judge| {
            takes(case, judge) && case.body.is_empty() && case.digests().first() == Some(&"")
        },
    },
    Deviation {
        id: "get-with-a-body",
        judges: ALL,
        we: We::Refuse,
        evidence: "no validator is told the method",
        covers: |case, _, judge| takes(case, judge) && case.method == "GET" && !case.body.is_empty(),
    },
    Deviation {
        id: "any-method",
        judges: ALL,
        we: We::Refuse,
        evidence: "no validator is told the method",
        covers: |case, _, judge| takes(case, judge) && !["GET", "POST"].contains(&case.method),
    },
    Deviation {
        id: "python-algorithm-by-request",
        judges: &[Python],
        we: We::Refuse,
        evidence: "`get_signature_algorithm`",
        covers: |case, _, judge| takes(case, judge) && case.settings.is_some(),
    },
    Deviation {
        id: "node-utf16-order-signed",
        judges: NODE,
        we: We::Refuse,
        evidence: "`Object.keys(params).sort()`",
        covers: |case, _, judge| {
            takes(case, judge) && case.parameters() != case.signed.parameters && is_text(case)
        },
    },
    Deviation {
        id: "node-express-parameter-added",
        judges: &[Webhook],
        we: We::Refuse,
        evidence: "`express.urlencoded`",
        covers: |case, _, judge| takes(case, judge) && is_passed_over_in_part(case),
    },
    Deviation {
        id: "form-bytes-as-text",
        judges: ALL,
        we: We::Refuse,
        evidence: "Werkzeug, Express and `querystring`",
        covers: |case, _, judge| takes(case, judge) && case.is_form() && !is_text(case),
    },
];

/// Whether we matched by a spelling.
fn by(ours: &Ours, variant: &str) -> bool {
    ours.because.split(", ").any(|note| note == variant)
}

/// Whether we matched by an escape written otherwise.
fn unescaped(ours: &Ours) -> bool {
    ["' unescaped", "@ and : unescaped", "space as %20"].iter().any(|variant| by(ours, variant))
}

fn node_tries(case: &Case, judge: Judge) -> bool {
    node::Spellings::of(case, judge).all().any(|url| *url == case.signed.url)
}

fn changes_a_question_mark(case: &Case) -> bool {
    node::middleware_url(case) != case.told() && case.target.contains("%3F")
}

fn utf16_parameters(case: &Case) -> Vec<u8> {
    node::utf16_parameters(&form_urlencoded::parse(&case.body).into_owned().collect::<Vec<_>>())
}

fn is_passed_over_in_part(case: &Case) -> bool {
    case.is_form()
        && form_urlencoded::parse(&case.body).any(|(key, value)| node::is_passed_over(&key, &value))
}

/// Whether a form decodes to text.
fn is_text(case: &Case) -> bool {
    let body = String::from_utf8_lossy(&case.body).replace("%EF%BF%BD", "");
    form_urlencoded::parse(body.as_bytes()).all(|(key, value)| !format!("{key}{value}").contains('\u{fffd}'))
}

/// Whether the judge accepts, as far as URL and content go.
fn takes(case: &Case, judge: Judge) -> bool {
    match judge {
        Python => python::takes(case),
        Validate | Webhook => node::takes(case, judge),
    }
}
