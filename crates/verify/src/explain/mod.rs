//! Why a request was refused, and what would make it pass.
//!
//! Signature checks fail behind every proxy, and "the signature does not match" helps nobody. An [`Explainer`] takes a
//! request that was refused, and looks for what *would* have been right: the same message with another key, the same key
//! with another message, a signature that is right and written wrongly. Whatever makes the signature match is what is
//! wrong, and mostly there is one setting that puts it right.
//!
//! ```
//! use hookhouse_verify::explain::{Cause, Context, Explainer, Witness};
//! use hookhouse_verify::{Key, Request, Secret, Verdict, Verifier, twilio};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let token = Secret::new("an auth token")?;
//! let settings = twilio::Settings {
//!     urls: vec!["http://hooks.example.com".parse()?], // Twilio was told https://
//!     tokens: vec![Key::new("auth_token", token.clone())],
//!     ..twilio::Settings::default()
//! };
//! let verifier = Verifier::Twilio(twilio::Verifier::new(settings)?);
//!
//! let url = "https://hooks.example.com/voice";
//! let signature = twilio::sign(&token, twilio::Algorithm::HmacSha1, url, b"");
//! let headers = [(twilio::SIGNATURE_HEADER, signature)];
//! let now = "2026-11-22T12:00:00Z".parse()?;
//! let Verdict::Rejected { reject, request } =
//!     verifier.verify(Request::new("GET", "/voice", &headers, "")?, now)
//! else {
//!     panic!("it is refused");
//! };
//!
//! let explainer = Explainer::new([Witness { name: "calls", path: Some("/voice"), verifier: &verifier }]);
//! let explanation = explainer.explain(&request, &reject, "calls", &Context::default(), now);
//! assert_eq!(explanation.findings[0].cause, Cause::UrlScheme);
//! assert_eq!(explanation.findings[0].setting.as_deref(), Some("public_url = \"https://hooks.example.com\""));
//! # Ok(())
//! # }
//! ```
//!
//! # What it is not
//!
//! * It accepts nothing. An [`Explanation`] is text about a request, from which no [`Verified`](crate::Verified) can be
//!   made; the verifiers do not know that this module exists.
//! * It tells no secret, no signature (neither the one that arrived nor the one that would have been right), no query,
//!   no parameter and no body. It is for the operator alone all the same: a sender that can read it learns which of its
//!   guesses came near.
//! * It is no oracle of much use either: it says what is wrong with a signature only if the signature is that of a
//!   configured key over a message that is nearly the request's, and nobody without the key has such a one.
//! * It does not run for ever: at most 200 MACs, at most 64 MiB under them, and nothing is parsed or written anew
//!   beyond 1 MiB. [`Explanation::complete`] tells whether that was enough. It costs up to some milliseconds; whoever
//!   calls it for every refusal must limit how often.

mod body;
mod case;
mod cause;
mod composition;
mod context;
mod explainer;
mod explanation;
mod foreign;
mod hmac;
mod layout;
mod origin;
mod parameters;
mod raw_http;
mod reading;
mod sendgrid;
mod suspect;
mod target;
mod trial;
mod twilio;
mod x;

#[cfg(test)]
mod tests;

pub use self::cause::Cause;
pub use self::context::{Called, Context};
pub use self::explainer::{Explainer, Witness};
pub use self::explanation::{Explanation, Finding};
pub use self::raw_http::{RawHttpError, parse_raw_http};
