//! What can have gone wrong.

use std::fmt;

/// Why a signature does not hold, as far as it can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The provider signs for another scheme than the configured URL has: `http` for `https`.
    UrlScheme,
    /// The provider signs for another host.
    UrlHost,
    /// The provider signs for another port.
    UrlPort,
    /// Something takes a prefix of the path away, or puts one in front of it, before the request arrives.
    UrlPrefix,
    /// The path has a slash at its end that was not signed, or lacks one that was.
    UrlSlash,
    /// The path is spelled otherwise than it was signed: other escapes.
    UrlPath,
    /// The query is spelled otherwise than it was signed: decoded, or encoded anew.
    QueryEncoding,
    /// The parameters of the query stand in another order.
    QueryOrder,
    /// A query was signed that did not arrive.
    QueryDropped,
    /// A query arrived that was not signed.
    QueryAdded,
    /// Form parameters without a value were dropped before or after signing.
    FormEmpty,
    /// The values of form parameters were trimmed before or after signing.
    FormTrimmed,
    /// Repeated form parameters were signed by another rule: the first, the last, all of them.
    FormRepeated,
    /// The parameters of the query were signed as if they were the form's.
    FormQuery,
    /// The form's parameters were signed in another order: as they came, or without regard to case.
    FormOrder,
    /// The form's text was converted from one character set to another.
    FormCharset,
    /// The form was signed in its encoded spelling.
    FormEncoding,
    /// The body is sent as a form and was signed as something else.
    SignedAsRaw,
    /// The body is not sent as a form and was signed as one.
    SignedAsForm,
    /// The digest in the URL is there in another spelling: base64, or upper-case hex.
    DigestEncoding,
    /// There is no digest in the URL of a body that is no form.
    DigestMissing,
    /// There are several digests in the URL, and they differ.
    DigestRepeated,
    /// The body is not the one that was signed; what happened to it is not known.
    BodyChanged,
    /// The body was parsed and written anew.
    BodyReserialised,
    /// A byte order mark was added or removed.
    BodyBom,
    /// Line ends were converted.
    BodyLineEnds,
    /// Blanks or line ends at the end of the body were added or removed.
    BodyNewline,
    /// The body was converted from one character set to another.
    BodyCharset,
    /// The body was lost: nothing was signed, or nothing arrived.
    BodyDropped,
    /// The body is signed and is not the kind of document that the provider sends.
    BodyKind,
    /// It was signed with the secret of another source.
    KeyOtherSource,
    /// It was signed with a key of this source that has ended.
    KeyRetired,
    /// It was signed with a key of this source that does not count for this request.
    KeyNotChosen,
    /// It was signed with the secret of the other kind: X's OAuth 2.0 client secret for the consumer secret.
    KeyKind,
    /// The configured secret has blanks, a line end or quotes around it.
    KeyBlanks,
    /// The secret was used in another form: decoded from base64 or hex, or as it is written.
    KeyForm,
    /// The request names a key or an account that is not configured.
    KeyUnknown,
    /// Nothing counts any more: every key has ended.
    KeysEnded,
    /// The signature is in hex, and base64 is expected.
    SignatureHex,
    /// The signature is in base64, and hex is expected.
    SignatureBase64,
    /// The signature is in the other alphabet of base64.
    SignatureBase64Url,
    /// The signature is in upper-case hex, lacks its padding, or was encoded twice.
    SignatureSpelling,
    /// The signature's prefix or version is missing, or another one.
    SignaturePrefix,
    /// The signature has blanks or quotes around it.
    SignatureBlanks,
    /// The signature was made with another hash.
    SignatureAlgorithm,
    /// There is no signature.
    HeaderMissing,
    /// There is another provider's signature.
    HeaderOfOtherProvider,
    /// A header that counts is there twice.
    HeaderRepeated,
    /// The two clocks differ.
    TimeSkew,
    /// The request was on its way, or held somewhere, for too long.
    TimeOld,
    /// The signed time is written in another unit.
    TimeUnit,
    /// The signed message is made of other parts than configured.
    MessageParts,
    /// X's challenge has no usable token.
    CrcToken,
    /// A parameter of X's challenge is there twice.
    CrcRepeated,
    /// X's challenge is not signed, and this source wants it to be.
    CrcUnsigned,
    /// The method is not one that the provider signs, or it has a body that it must not have.
    Method,
    /// Nothing that was tried explains it.
    Unknown,
}

impl Cause {
    /// The cause as a stable word, for logs, interfaces and tests.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::UrlScheme => "url.scheme",
            Self::UrlHost => "url.host",
            Self::UrlPort => "url.port",
            Self::UrlPrefix => "url.prefix",
            Self::UrlSlash => "url.slash",
            Self::UrlPath => "url.path",
            Self::QueryEncoding => "query.encoding",
            Self::QueryOrder => "query.order",
            Self::QueryDropped => "query.dropped",
            Self::QueryAdded => "query.added",
            Self::FormEmpty => "form.empty",
            Self::FormTrimmed => "form.trimmed",
            Self::FormRepeated => "form.repeated",
            Self::FormQuery => "form.query",
            Self::FormOrder => "form.order",
            Self::FormCharset => "form.charset",
            Self::FormEncoding => "form.encoding",
            Self::SignedAsRaw => "body.signed_as_raw",
            Self::SignedAsForm => "body.signed_as_form",
            Self::DigestEncoding => "digest.encoding",
            Self::DigestMissing => "digest.missing",
            Self::DigestRepeated => "digest.repeated",
            Self::BodyChanged => "body.changed",
            Self::BodyReserialised => "body.reserialised",
            Self::BodyBom => "body.bom",
            Self::BodyLineEnds => "body.line_ends",
            Self::BodyNewline => "body.newline",
            Self::BodyCharset => "body.charset",
            Self::BodyDropped => "body.dropped",
            Self::BodyKind => "body.kind",
            Self::KeyOtherSource => "key.other_source",
            Self::KeyRetired => "key.retired",
            Self::KeyNotChosen => "key.not_chosen",
            Self::KeyKind => "key.kind",
            Self::KeyBlanks => "key.blanks",
            Self::KeyForm => "key.form",
            Self::KeyUnknown => "key.unknown",
            Self::KeysEnded => "key.all_ended",
            Self::SignatureHex => "sig.hex",
            Self::SignatureBase64 => "sig.base64",
            Self::SignatureBase64Url => "sig.base64url",
            Self::SignatureSpelling => "sig.spelling",
            Self::SignaturePrefix => "sig.prefix",
            Self::SignatureBlanks => "sig.blanks",
            Self::SignatureAlgorithm => "sig.algorithm",
            Self::HeaderMissing => "header.missing",
            Self::HeaderOfOtherProvider => "header.other_provider",
            Self::HeaderRepeated => "header.repeated",
            Self::TimeSkew => "time.skew",
            Self::TimeOld => "time.old",
            Self::TimeUnit => "time.unit",
            Self::MessageParts => "message.parts",
            Self::CrcToken => "crc.token",
            Self::CrcRepeated => "crc.repeated",
            Self::CrcUnsigned => "crc.unsigned",
            Self::Method => "http.method",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
