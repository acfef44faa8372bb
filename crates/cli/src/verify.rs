//! `hookhouse verify`: would this request be believed, by which key and spelling, or why not.

use std::path::PathBuf;

use hookhouse_core::{Clock, Secret, SystemClock, Timestamp};
use hookhouse_verify::twilio::{self, PublicUrl};
use hookhouse_verify::verifier::SchemeError;
use hookhouse_verify::{Key, Request, Verdict, Verifier, catalogue, hmac, sendgrid, x};
use serde::Serialize;

use crate::Global;
use crate::exit::{Code, Failure, Outcome};
use crate::offline::{self, SecretFrom};
use crate::output::Out;
use crate::sign::unknown_provider;

/// Check a request's signature offline, and say what matched or why nothing did
///
/// Works offline. Ends with 0 if the request verifies, with 7 if not.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The provider: x, twilio, sendgrid (with its public key), github, stripe, slack, standard-webhooks
    provider: String,
    #[command(flatten)]
    secret: SecretFrom,
    /// The URL as the provider was told; a path is enough where the URL is not signed
    #[arg(long, default_value = "/", value_name = "URL")]
    url: String,
    /// The method
    #[arg(long, short = 'X', default_value = "POST")]
    method: String,
    /// A header, `Name: value`; again for each
    #[arg(long = "header", short = 'H', value_parser = offline::header, value_name = "HEADER")]
    headers: Vec<(String, String)>,
    /// The body: a file, or - for stdin
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// The time at which to judge, for schemes that sign one [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

/// What came out, for programs.
#[derive(Debug, Serialize)]
struct Judgement {
    verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    covers: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

pub(crate) fn run(args: Args, global: &Global) -> Outcome {
    let secret = args.secret.read(&args.provider)?;
    let (base, target) = offline::split_url(&args.url)?;
    let request =
        Request::new(args.method.clone(), target, &args.headers, offline::body(args.body.as_ref())?)
            .map_err(|error| Failure::with_code(error, Code::Usage))?;
    let verifier = verifier(&args, secret, base)?;
    let judgement = judge(verifier.verify(request, args.at.unwrap_or_else(|| SystemClock.now())));
    let ok = judgement.verified;
    Out::one(global.output, &judgement, describe)?;
    if ok { Ok(()) } else { Err(Failure::silent(Code::Refused)) }
}

fn verifier(args: &Args, secret: Secret, base: Option<&str>) -> Result<Verifier, Failure> {
    let usage = |error: SchemeError| Failure::with_code(error, Code::Usage);
    let key = Key::new("the given secret", secret);
    let url = || base.map(PublicUrl::parse).transpose().map_err(usage);
    Ok(match args.provider.as_str() {
        "x" => {
            // One secret is given: it is the one of the header that is there.
            let named = |header: &str| args.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(header));
            let only_oauth2 =
                named("x-twitter-webhooks-signature-oauth2") && !named("x-twitter-webhooks-signature");
            let (consumer, oauth2) = if only_oauth2 { (vec![], vec![key]) } else { (vec![key], vec![]) };
            let settings = x::Settings { consumer, oauth2, crc: x::CrcPolicy::default() };
            Verifier::X(x::Verifier::new(settings).map_err(usage)?)
        }
        "twilio" => {
            let url = url()?.ok_or_else(|| {
                Failure::new(Code::Usage, "Twilio signs the URL: give it whole, --url https://host/path")
            })?;
            let settings = twilio::Settings { urls: vec![url], tokens: vec![key], ..Default::default() };
            Verifier::Twilio(twilio::Verifier::new(settings).map_err(usage)?)
        }
        "sendgrid" => {
            let settings = sendgrid::Settings { public_keys: vec![key], tolerance: None };
            Verifier::SendGrid(sendgrid::Verifier::new(settings).map_err(usage)?)
        }
        other => {
            let row = catalogue::find(other).ok_or_else(|| unknown_provider(other))?;
            let urls = url()?.into_iter().collect();
            Verifier::Hmac(
                hmac::Verifier::new(row.provider, row.descriptor.clone(), vec![key], urls).map_err(usage)?,
            )
        }
    })
}

fn judge(verdict: Verdict) -> Judgement {
    let no = |code, reason: String| Judgement {
        verified: false,
        scheme: None,
        key: None,
        variant: None,
        covers: None,
        code: Some(code),
        reason: Some(reason),
    };
    match verdict {
        Verdict::Verified(verified) => {
            let evidence = verified.evidence();
            Judgement {
                verified: true,
                scheme: Some(evidence.scheme.to_string()),
                key: Some(evidence.key.clone()),
                variant: evidence.variant.as_ref().map(ToString::to_string),
                covers: Some(evidence.covers.to_string()),
                code: None,
                reason: None,
            }
        }
        Verdict::Handshake(handshake) if handshake.signed => Judgement {
            verified: true,
            scheme: Some(handshake.kind.to_owned()),
            key: Some(handshake.key),
            variant: None,
            covers: Some("query".to_owned()),
            code: None,
            reason: None,
        },
        Verdict::Handshake(_) => no(
            "crc.unsigned",
            "the challenge is not signed: it would be answered, but nothing proves who sent it".to_owned(),
        ),
        Verdict::Rejected { reject, .. } => no(reject.code(), reject.to_string()),
        Verdict::Unsigned(_) => no("unsigned", "this source cannot sign".to_owned()),
    }
}

fn describe(judgement: &Judgement) -> String {
    if let Some(reason) = &judgement.reason {
        return format!("not verified: {reason} ({})", judgement.code.unwrap_or_default());
    }
    let part = |label: &str, value: &Option<String>| {
        value.as_ref().map(|v| format!("\n  {label:<8} {v}")).unwrap_or_default()
    };
    format!(
        "verified{}{}{}{}",
        part("scheme", &judgement.scheme),
        part("key", &judgement.key),
        part("matched", &judgement.variant),
        part("covers", &judgement.covers),
    )
}
