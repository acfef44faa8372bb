//! Strict transport security (RFC 6797), on answers over TLS alone: what a plain answer says of it is ignored.

use http::HeaderValue;
use http::header::STRICT_TRANSPORT_SECURITY;

use crate::answer::Reply;

/// A year, and nothing of other hosts below this name: they are not ours to speak for.
const VALUE: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Says it, unless the application behind a relay says so itself.
pub(crate) fn demand(reply: &mut Reply) {
    reply.headers_mut().entry(STRICT_TRANSPORT_SECURITY).or_insert(VALUE);
}
