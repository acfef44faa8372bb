//! What a request's content is: what is signed of it, what vouches for it, and what it says of itself.

use std::borrow::Cow;

use super::digest::Announced as AnnouncedDigest;
use super::form::Parameters;
use super::spelling::Kind;
use super::{event, is_form, reading};
use crate::batch::Batch;
use crate::request::{Headers, Request};
use crate::verdict::{Covers, Reject};

/// The parameter by which most requests say whose they are.
const ACCOUNT_SID: &str = "AccountSid";

/// The account that a request says it is of. Not proven.
#[derive(Debug)]
pub(crate) enum ClaimedAccount {
    Sid(Vec<u8>),
    /// It says nothing: handshakes and JSON events do not.
    None,
}

/// What a request's content is, and what must vouch for it.
#[derive(Debug)]
pub(crate) struct Content<'a> {
    /// What is signed after the URL.
    pub(crate) parameters: Parameters<'a>,
    /// What the body must be compared with.
    pub(crate) digest: Option<AnnouncedDigest<'a>>,
    pub(crate) covers: Covers,
}

impl<'a> Content<'a> {
    pub(crate) fn of(request: &'a Request, kind: Kind) -> Result<Self, Reject> {
        let uncovered = |reason| Reject::BodyUncovered { reason };
        let digest = AnnouncedDigest::in_query(request.query())?;
        let nothing = Parameters::read(b"");
        if kind != Kind::Post {
            return Ok(Self { parameters: nothing, digest: None, covers: Covers::Url });
        }
        let content_type = request
            .headers
            .one("content-type")
            .map_err(|_| Reject::SignatureAmbiguous { header: Cow::Borrowed("content-type") })?;
        if is_form(content_type.unwrap_or_default()) {
            let parameters = Parameters::read(&request.body);
            if parameters.too_many {
                return Err(uncovered("the form has too many parameters"));
            }
            return Ok(Self { parameters, digest, covers: Covers::UrlAndForm });
        }
        match digest {
            Some(_) => Ok(Self { parameters: nothing, digest, covers: Covers::UrlAndBodyDigest }),
            None if request.body.is_empty() => Ok(Self { parameters: nothing, digest, covers: Covers::Url }),
            None => Err(uncovered("it is not a form, and the URL has no `bodySHA256`")),
        }
    }

    /// The account that the parameters name: those of the form, or else those of the query. A JSON body is not looked
    /// into.
    pub(crate) fn account(&self, request: &Request) -> Result<ClaimedAccount, Reject> {
        let query;
        let parameters = match self.covers {
            Covers::UrlAndForm => &self.parameters,
            _ => {
                query = Parameters::read(request.query().unwrap_or_default().as_bytes());
                &query
            }
        };
        let mut sids = parameters.values(ACCOUNT_SID).filter(|sid| !sid.is_empty());
        match (sids.next(), sids.next()) {
            (None, _) => Ok(ClaimedAccount::None),
            (Some(sid), None) => Ok(ClaimedAccount::Sid(sid.to_vec())),
            // One account's token must not vouch for a request that an application could take for another's.
            (Some(_), Some(_)) => Err(Reject::SignatureAmbiguous { header: Cow::Borrowed(ACCOUNT_SID) }),
        }
    }

    /// What to call the event, and what it is made of.
    pub(crate) fn reading(&self, request: &Request) -> Batch {
        let event_type = match self.covers {
            Covers::UrlAndBodyDigest => return reading::read(&request.body),
            Covers::Url => {
                let query = request.query().unwrap_or_default();
                event::event_type(&Parameters::read(query.as_bytes()))
            }
            _ => event::event_type(&self.parameters),
        };
        Batch { event_type, elements: Vec::new() }
    }
}

/// What the request is.
pub(crate) fn kind(request: &Request) -> Result<Kind, Reject> {
    match request.method.as_ref() {
        "POST" => Ok(Kind::Post),
        "GET" if !request.body.is_empty() => Err(Reject::BodyUnexpected { method: "GET".to_owned() }),
        "GET" if wants_web_socket(&request.headers) => Ok(Kind::WebSocket),
        "GET" => Ok(Kind::Get),
        method => Err(Reject::MethodUnexpected { method: method.to_owned() }),
    }
}

fn wants_web_socket(headers: &Headers) -> bool {
    headers
        .all("upgrade")
        .flat_map(|value| value.split(|b| *b == b','))
        .any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(b"websocket"))
}
