//! What happened, step by step, and what Twilio's debugger would say about it.

use serde::{Serialize, Serializer};

use super::auth::LoginScheme;

/// One thing that happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// A request goes out.
    Request {
        /// The method.
        method: String,
        /// The URL, without user information and fragment.
        url: String,
        /// What is sent as a form, or in the query of a GET.
        #[serde(serialize_with = "as_map")]
        parameters: Vec<(String, String)>,
        /// Which try it is, from 1.
        attempt: u8,
        /// How it logs in, if it does.
        #[serde(skip_serializing_if = "Option::is_none")]
        login: Option<LoginScheme>,
        /// `I-Twilio-Idempotency-Token`: the same for every try of one webhook.
        idempotency_token: String,
    },
    /// An answer comes back.
    Answer {
        /// Its status.
        status: u16,
        /// Its `Content-Type`.
        #[serde(skip_serializing_if = "Option::is_none")]
        content_type: Option<String>,
        /// The size of its body.
        bytes: usize,
        /// How long it took.
        ms: u64,
    },
    /// No answer comes back.
    NoAnswer {
        /// Why not.
        error: String,
        /// How long it took.
        ms: u64,
    },
    /// The answer asks for a login.
    Challenge {
        /// The schemes that are offered.
        schemes: Vec<String>,
    },
    /// The answer sends Twilio elsewhere.
    Redirect {
        /// The status.
        status: u16,
        /// The method of the next request.
        method: String,
        /// Its URL.
        url: String,
    },
    /// The request is made once more.
    Retry {
        /// Which retry it is, from 1.
        number: u8,
        /// How many there may be.
        of: u8,
    },
    /// The fallback URL is asked instead.
    Fallback {
        /// The error that it is told.
        error_code: u32,
    },
    /// A verb of TwiML is acted out, or said to be.
    Verb {
        /// Its name.
        verb: String,
        /// What it comes to.
        detail: String,
    },
    /// A message is sent.
    Message {
        /// From whom.
        from: String,
        /// To whom.
        to: String,
        /// Its text.
        body: String,
        /// Its pictures and the like.
        media: Vec<String>,
    },
    /// A Media Stream is open.
    StreamOpened {
        /// Its URL.
        url: String,
        /// Its SID.
        stream_sid: String,
        /// What the application is told besides.
        #[serde(serialize_with = "as_map")]
        parameters: Vec<(String, String)>,
    },
    /// The application sends a `mark` or a `clear`.
    StreamEvent {
        /// Which.
        event: &'static str,
        /// The name of a mark.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// A Media Stream is over.
    StreamClosed {
        /// Frames of silence that were sent.
        sent_media: u32,
        /// Marks that were sent back.
        sent_marks: u32,
        /// `media` messages that came.
        received_media: u32,
        /// Bytes of audio in them.
        received_bytes: u64,
        /// `mark` messages that came.
        received_marks: u32,
        /// `clear` messages that came.
        received_clears: u32,
        /// Who ended it, and how.
        end: String,
    },
    /// Something that is not as Twilio wants it.
    Finding(Finding),
    /// It is over.
    End {
        /// Why.
        reason: String,
    },
}

fn as_map<S: Serializer>(pairs: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

/// Something that is not as Twilio wants it, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Twilio's number for it, under which <https://www.twilio.com/docs/api/errors> explains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
    /// The sentence.
    pub sentence: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Twilio does not do what it was asked for.
    Error,
    /// Twilio does it, and it is probably not what was meant.
    Warning,
}

impl Finding {
    /// One that keeps Twilio from doing what it was asked for.
    #[must_use]
    pub fn error(code: u32, sentence: impl Into<String>) -> Self {
        Self { severity: Severity::Error, code: Some(code), sentence: sentence.into() }
    }

    /// One that Twilio logs and lives with.
    #[must_use]
    pub fn warning(code: u32, sentence: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, code: Some(code), sentence: sentence.into() }
    }

    /// One that Twilio has no number for.
    #[must_use]
    pub fn notice(sentence: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, code: None, sentence: sentence.into() }
    }

    /// Whether it is an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// What came of a call or a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Whether any request got an answer.
    pub reached: bool,
    /// How many findings are errors.
    pub errors: usize,
    /// How many are warnings.
    pub warnings: usize,
}
