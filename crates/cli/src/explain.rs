//! `hookhouse explain`: why a request was refused, and the setting that would have let it through.

use std::path::PathBuf;

use hookhouse_core::store::RefusalQuery;
use hookhouse_core::{Clock, SourceName, SystemClock, Timestamp};
use hookhouse_server::config::Source;
use hookhouse_verify::explain::{Explanation, parse_raw_http};
use hookhouse_verify::{Request, Verdict};
use serde::Serialize;

use crate::Global;
use crate::admin::{Reader, block_on};
use crate::exit::{Code, Failure, Outcome};
use crate::output::{self, Out};
use crate::terminal::inline;
use crate::{locate, offline};

/// Say why a request was refused, and what setting would have let it through
///
/// Diagnosis only: it never widens what is accepted, and prints no signature, secret or body. Ends with 0 if the request
/// verifies now, with 7 if not.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A refusal on record, by the id that the sender was told: `req_…`
    #[arg(required_unless_present = "request")]
    refusal: Option<String>,
    /// A request as raw HTTP (head, empty line, body): a file, or - for stdin
    #[arg(long, value_name = "FILE", conflicts_with = "refusal")]
    request: Option<PathBuf>,
    /// The source that should have taken it [default: the one with its path]
    #[arg(long, requires = "request")]
    source: Option<SourceName>,
    /// The time at which to judge [default: now]
    #[arg(long, value_name = "TIME", requires = "request")]
    at: Option<Timestamp>,
}

/// What came out, for programs.
#[derive(Debug, Serialize)]
struct Report {
    verified: bool,
    sentence: String,
    findings: Vec<Finding>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    incomplete: bool,
}

#[derive(Debug, Serialize)]
struct Finding {
    cause: &'static str,
    proven: bool,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    setting: Option<String>,
}

pub(crate) fn run(args: Args, global: &Global) -> Outcome {
    match (args.refusal, args.request) {
        (Some(id), _) => recorded(&id, global),
        (None, Some(file)) => {
            let bytes = offline::body(Some(&file))?;
            let request = parse_raw_http(&bytes).map_err(|error| Failure::with_code(error, Code::Usage))?;
            let (config, _) = locate::house(global)?;
            let source = source(&config.sources, args.source.as_ref(), &request)?;
            let now = args.at.unwrap_or_else(|| SystemClock.now());
            let report = match source.verifier.verify(request, now) {
                Verdict::Rejected { reject, request } => {
                    let explanation =
                        hookhouse_server::explain(&config.sources, &source.name, &request, &reject, now);
                    Report::refused(explanation)
                }
                Verdict::Verified(verified) => Report::verified(format!(
                    "source `{}` verifies it, with {}",
                    source.name,
                    verified.evidence().key
                )),
                Verdict::Handshake(_) => Report::verified(format!("source `{}` answers it", source.name)),
                Verdict::Unsigned(_) => Report::verified(format!("source `{}` takes anything", source.name)),
            };
            let verified = report.verified;
            Out::one(global.output, &report, describe)?;
            if verified { Ok(()) } else { Err(Failure::silent(Code::Refused)) }
        }
        (None, None) => Err(Failure::new(Code::Usage, "name a refusal, or give a request with --request")),
    }
}

/// What was found out when the request was refused.
fn recorded(id: &str, global: &Global) -> Outcome {
    let place = locate::place(global)?;
    block_on(async {
        let reader = Reader::open(&place).await?;
        let mut query = RefusalQuery { limit: 1_000, ..RefusalQuery::default() };
        loop {
            let page = reader.refusals(&query).await?;
            if let Some(found) = page.data.iter().find(|found| found.refusal.request_id == id) {
                Out::one(global.output, &found, |found| {
                    let refusal = &found.refusal;
                    let what = match (refusal.status, refusal.peer) {
                        (0, Some(peer)) => format!("a connection from {peer} was closed without an answer"),
                        (0, None) => "a connection was closed without an answer".to_owned(),
                        (status, _) => {
                            format!(
                                "{} {} was answered {status}",
                                inline(&refusal.method),
                                inline(&refusal.path)
                            )
                        }
                    };
                    format!(
                        "{what} at {}\n{} ({})",
                        refusal.at.strftime("%Y-%m-%d %H:%M:%S"),
                        output::plain(&refusal.reason),
                        refusal.code
                    )
                })?;
                return Err(Failure::silent(Code::Refused));
            }
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                return Err(Failure::new(
                    Code::NotFound,
                    "there is no such refusal on record; the newest 10,000 are kept",
                ));
            }
        }
    })
}

fn source<'a>(
    sources: &'a [Source],
    name: Option<&SourceName>,
    request: &Request,
) -> Result<&'a Source, Failure> {
    let found = sources.iter().find(|source| match name {
        Some(name) => source.name == *name,
        None => source.path == request.path(),
    });
    found.ok_or_else(|| match name {
        Some(name) => Failure::new(Code::NotFound, format!("there is no source `{name}`")),
        None => {
            let paths: Vec<_> = sources.iter().map(|source| source.path.as_str()).collect();
            Failure::new(
                Code::Refused,
                format!(
                    "no source has the path {}; paths match byte for byte, and there are {}",
                    inline(request.path()),
                    paths.join(", ")
                ),
            )
        }
    })
}

impl Report {
    fn verified(sentence: String) -> Self {
        Self { verified: true, sentence, findings: Vec::new(), incomplete: false }
    }

    fn refused(explanation: Explanation) -> Self {
        let findings = explanation.findings.into_iter().map(|finding| Finding {
            cause: finding.cause.code(),
            proven: finding.proven,
            detail: finding.detail,
            setting: finding.setting,
        });
        Self {
            verified: false,
            sentence: explanation.sentence,
            findings: findings.collect(),
            incomplete: !explanation.complete,
        }
    }
}

fn describe(report: &Report) -> String {
    if report.verified {
        return report.sentence.clone();
    }
    let mut text = String::from("refused");
    for finding in &report.findings {
        let sure = if finding.proven { "" } else { " (likely)" };
        text += &format!("\n  {}{sure}: {}", finding.cause, output::plain(&finding.detail));
        if let Some(setting) = &finding.setting {
            text += &format!("\n    set: {}", output::plain(setting));
        }
    }
    if report.incomplete {
        text += "\n  (not everything was tried: the body is large, or there are many sources)";
    }
    text
}
