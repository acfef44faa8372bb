//! Would a request be believed, by which key, or why not.

use hookhouse_core::{Request, SourceName, Timestamp};
use hookhouse_verify::Verdict;
use hookhouse_verify::explain::Explanation;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::Source;
use crate::reasons;

/// What a source makes of a request. It holds no signature, no secret and no body.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Judgement)]
pub struct JudgementView {
    /// The source that judged.
    #[schema(value_type = String)]
    pub source: SourceName,
    /// Whether it would take the request.
    pub accepted: bool,
    /// All of it in a sentence.
    pub sentence: String,
    /// The scheme that proved it.
    pub scheme: Option<String>,
    /// The name of the key that did.
    pub key: Option<String>,
    /// The provider's name for the kind of event.
    pub event_type: Option<String>,
    /// The code that a refusal has on record.
    pub code: Option<String>,
    /// What is wrong, the likeliest first.
    pub findings: Vec<FindingView>,
    /// Whether everything was tried that could be.
    pub complete: bool,
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Finding)]
pub struct FindingView {
    /// What it is, as a stable word.
    pub cause: String,
    /// Whether the signature matches once this is put right.
    pub proven: bool,
    /// The same in words.
    pub detail: String,
    /// What to set in the source's table.
    pub setting: Option<String>,
}

impl JudgementView {
    /// Judges a request as a source would. It may cost hundreds of MACs, so this is no work for the runtime's threads.
    #[must_use]
    pub fn of<'a>(
        sources: impl IntoIterator<Item = &'a Source>,
        source: &Source,
        request: Request,
        now: Timestamp,
    ) -> Self {
        match source.verifier.verify(request, now) {
            Verdict::Verified(verified) => {
                let evidence = verified.evidence();
                Self {
                    scheme: Some(evidence.scheme.to_string()),
                    key: Some(evidence.key.clone()),
                    event_type: evidence.event_type.clone(),
                    ..Self::plain(source, format!("it verifies, with {}", evidence.key))
                }
            }
            Verdict::Handshake(_) => Self::plain(source, "it is a challenge, which is answered".to_owned()),
            Verdict::Unsigned(_) => Self::plain(source, "this source takes anything".to_owned()),
            Verdict::Rejected { reject, request } => {
                let Explanation { sentence, findings, complete } =
                    reasons::explain(sources, &source.name, &request, &reject, now);
                let findings = findings.into_iter().map(|finding| FindingView {
                    cause: finding.cause.code().to_owned(),
                    proven: finding.proven,
                    detail: finding.detail,
                    setting: finding.setting,
                });
                Self {
                    accepted: false,
                    code: Some(reject.code().to_owned()),
                    findings: findings.collect(),
                    complete,
                    ..Self::plain(source, sentence)
                }
            }
        }
    }

    fn plain(source: &Source, sentence: String) -> Self {
        Self {
            source: source.name.clone(),
            accepted: true,
            sentence,
            scheme: None,
            key: None,
            event_type: None,
            code: None,
            findings: Vec::new(),
            complete: true,
        }
    }
}
