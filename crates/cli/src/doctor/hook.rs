//! What becomes of a request at a source's URL: whether it comes to Hookhouse at all, and the right one.
//!
//! Nothing that is sent here can become an event: a challenge, a request without the signature that its source wants,
//! or one with a method that the source does not serve.

use bytes::Bytes;
use hookhouse_core::{Clock, SystemClock, Timestamp};
use hookhouse_server::config::Source;
use hookhouse_verify::sign::Signer;
use hookhouse_x::Transport;
use hookhouse_x::probe::{CrcProber, PROBE_AGENT, ProbeFault, ProbeKey, Prober};
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::Full;

use super::check::{Check, Topic};
use super::outside::{Answered, Origin, Trust};

/// A challenge that takes longer than this may take too long another time.
const SLOW_MS: u128 = 1_000;

/// A source, and the URL that its provider calls.
#[derive(Debug)]
pub(super) struct Hook<'a> {
    pub(super) source: &'a Source,
    pub(super) url: Uri,
    pub(super) origin: Origin,
}

/// What a request at a hook showed.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) checks: Vec<Check>,
    /// What time the other side thinks it is, where it said so.
    pub(super) date: Option<Timestamp>,
}

/// Calls a hook.
pub(super) async fn call(hook: &Hook<'_>, trust: &Trust) -> Seen {
    let topic = Topic::of("path", &hook.source.name);
    let Some((method, expected)) = harmless(hook.source) else {
        let checks = vec![topic.warning(
            "the source serves every method, so that nothing can be sent there that would not become an event",
            "see with a request of your own that the path is the source's",
        )];
        return Seen { checks, date: None };
    };
    let Some(request) = request(hook, &method) else {
        let checks =
            vec![topic.problem("its URL cannot be called", "see `public_url` and the path of the source")];
        return Seen { checks, date: None };
    };
    let answered = match hook.origin.ask(request, trust).await {
        Ok(answered) => answered,
        Err(error) => {
            let found = format!("{} {} was not answered: {error:#}", method, hook.url.path());
            let checks =
                vec![topic.problem(found, "see that the server and its proxy run, and what their logs say")];
            return Seen { checks, date: None };
        }
    };
    let date = date(&answered);
    let mut checks = vec![judge(topic, &answered, &method, expected)];
    // A redirect, or somebody else's answer, is what a challenge would meet too.
    let ours = checks.iter().all(|check| check.advice.is_none());
    if ours && hook.source.provider == "x" {
        checks.push(challenge(hook).await);
    }
    Seen { checks, date }
}

/// A request that the source turns away, and the status it does so with.
///
/// Twilio's own way in is a POST; without a signature it is refused, and that shows that the path is the source's. The
/// other sources are asked with a method that they do not serve, because some take anything.
fn harmless(source: &Source) -> Option<(Method, StatusCode)> {
    if source.provider == "twilio" && source.methods.iter().any(|method| method == "POST") {
        return Some((Method::POST, StatusCode::FORBIDDEN));
    }
    let unserved = [Method::OPTIONS, Method::TRACE, Method::PATCH, Method::DELETE]
        .into_iter()
        .find(|method| !source.methods.iter().any(|served| served == method.as_str()));
    Some((unserved?, StatusCode::METHOD_NOT_ALLOWED))
}

fn request(hook: &Hook<'_>, method: &Method) -> Option<Request<Full<Bytes>>> {
    let target = hook.url.path_and_query().map_or("/", |target| target.as_str());
    Request::builder()
        .method(method)
        .uri(target)
        .header(header::HOST, &hook.origin.authority)
        .header(header::USER_AGENT, PROBE_AGENT)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::new()))
        .ok()
}

fn judge(topic: Topic, answered: &Answered, method: &Method, expected: StatusCode) -> Check {
    let status = answered.status;
    if status.is_redirection() {
        let to =
            answered.headers.get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("elsewhere");
        let to: String = to.chars().take(200).collect();
        return topic.problem(
            format!("something in the way redirects with {} to {to}", status.as_u16()),
            "take the redirect out of the proxy for this path: no provider follows it with a POST, and X invalidates the \
             webhook",
        );
    }
    let answer = format!("an unsigned {method} was answered {}", status.as_u16());
    match (own_error(answered), status) {
        (Some(_), status) if status == expected => topic.ok(format!("{answer}, as it should be: the path is the source's")),
        (Some(_), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            topic.ok(format!("{answer}: whoever calls must log in, or be on the list, and this was neither"))
        }
        (Some(_), StatusCode::NOT_FOUND) => topic.problem(
            "Hookhouse answers, and has no source at this path",
            "see that the proxy passes the path on as it is, and that the running server has this configuration",
        ),
        (Some(_), StatusCode::MISDIRECTED_REQUEST) => topic.problem(
            "Hookhouse answers, and does not serve this `Host`",
            "add the name to `hosts` on [server], or have the proxy pass `Host` on as it is",
        ),
        (Some(_), StatusCode::SERVICE_UNAVAILABLE) => {
            topic.problem("Hookhouse answers that it takes nothing now", "see the checks `server`, `store` and `disk`")
        }
        (Some(error), _) => topic.problem(
            format!("{answer} ({error}), and {} was expected", expected.as_u16()),
            "see that the running server has this configuration",
        ),
        (None, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT) => topic.problem(
            format!("{answer} by something in front of Hookhouse, which does not reach it"),
            "see that the server runs, and which address the proxy passes requests on to",
        ),
        (None, _) => topic.problem(
            format!("{answer}, and not by Hookhouse"),
            "see what answers there: the proxy itself, another application, a login page or a firewall",
        ),
    }
}

/// The word in an answer of ours: `{"error": …, "id": "req_…"}`.
fn own_error(answered: &Answered) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(&answered.body).ok()?;
    let own = body.get("id")?.as_str()?.starts_with("req_");
    own.then(|| body.get("error")?.as_str().map(str::to_owned)).flatten()
}

/// Challenges the URL as X does, with the secret of the configuration.
async fn challenge(hook: &Hook<'_>) -> Check {
    let topic = Topic::of("crc", &hook.source.name);
    let Some(signing) = &hook.source.signer else {
        return topic.problem("the source has no secret", "set `consumer_secret`");
    };
    let key = ProbeKey { secret: signing.secret.clone(), oauth2: matches!(signing.signer, Signer::XOauth2) };
    let prober = CrcProber::new(Transport::system(), key, std::sync::Arc::new(SystemClock));
    match prober.probe(&hook.url.to_string()).await {
        Ok(probed) => {
            let ms = probed.took.as_millis();
            let found = format!("a challenge was answered rightly in {ms} ms; X waits for 3000");
            if ms > SLOW_MS {
                topic.warning(found, "see what is slow on the way: a cold start, a tunnel, name resolution")
            } else {
                topic.ok(found)
            }
        }
        // Hookhouse itself has answered here, and wants challenges signed with a secret that it knows.
        Err(ProbeFault::Status { status: 403 }) => topic.problem(
            "a challenge that is signed with the secret of this configuration was refused: the running server has another one",
            "restart the server with this configuration, or see which consumer secret is X's",
        ),
        Err(fault) => {
            let line = fault.line();
            let found = if fault.is_fatal() { format!("{line}; X gives the webhook up at once") } else { line };
            topic.problem(found, fault.advice())
        }
    }
}

/// What time it was where the answer was made, to a second (RFC 9110 section 6.6.1).
pub(super) fn date(answered: &Answered) -> Option<Timestamp> {
    let text = answered.headers.get(header::DATE)?.to_str().ok()?;
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp())
}

/// How far two clocks are apart.
pub(super) fn clock(topic: Topic, whose: &str, theirs: Timestamp) -> Check {
    let off = SystemClock.now().as_second() - theirs.as_second();
    let found = match off {
        -2..=2 => return topic.ok(format!("this machine's clock agrees with {whose}")),
        3.. => format!("this machine's clock is {off} s ahead of {whose}"),
        _ => format!("this machine's clock is {} s behind {whose}", -off),
    };
    let advice = "keep the clock right with NTP (`timedatectl`): signatures with a time are refused when it is off by minutes";
    match off.abs() {
        0..=10 => topic.ok(found),
        11..=60 => topic.warning(found, advice),
        _ => topic.problem(found, advice),
    }
}
