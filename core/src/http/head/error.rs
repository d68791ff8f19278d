//! Why a request head is refused.

use std::fmt;

use crate::http::Status;

/// Why a request head is refused. Where the next request begins is unknown then: the connection closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    /// The first line is not `METHOD SP target SP HTTP/1.x`.
    RequestLine,
    /// A CR or LF that is not part of CRLF.
    LineEnding,
    /// A header line that is none: a bad name, white space before the colon, a folded line, a control character.
    Header,
    /// A target in no form that this method can have, or with characters that no URI has.
    Target,
    /// The first line alone is above the bound.
    TargetTooLong,
    /// The head is above the bound.
    TooLarge,
    /// More header fields than the bound.
    TooManyHeaders,
    /// Neither HTTP/1.0 nor 1.1.
    Version,
    /// `Host` missing on HTTP/1.1, or no host.
    Host,
    /// A header that can have one value came twice.
    Repeated(&'static str),
    /// `Content-Length` is not one number.
    ContentLength,
    /// `Transfer-Encoding` does not end in one `chunked`, or came on HTTP/1.0.
    TransferEncoding,
    /// A transfer coding other than `chunked`.
    TransferCoding,
    /// `Content-Length` beside `Transfer-Encoding`.
    TwoLengths,
    /// An `Expect` other than `100-continue`.
    Expectation,
}

impl HeadError {
    /// What to answer.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::RequestLine
            | Self::LineEnding
            | Self::Header
            | Self::Target
            | Self::Host
            | Self::Repeated(_)
            | Self::ContentLength
            | Self::TransferEncoding
            | Self::TwoLengths => Status::BadRequest,
            Self::TargetTooLong => Status::UriTooLong,
            Self::TooLarge | Self::TooManyHeaders => Status::HeaderFieldsTooLarge,
            Self::Version => Status::VersionNotSupported,
            Self::TransferCoding => Status::NotImplemented,
            Self::Expectation => Status::ExpectationFailed,
        }
    }

    /// The `error` of the answer's body.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TargetTooLong => "target_too_long",
            Self::TooLarge | Self::TooManyHeaders => "head_too_large",
            Self::Version => "version_not_supported",
            Self::TransferCoding => "transfer_coding_not_supported",
            Self::Expectation => "expectation_failed",
            _ => "malformed_request",
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RequestLine => "the first line is not `METHOD target HTTP/1.1`",
            Self::LineEnding => "a line of the head does not end in CRLF",
            Self::Header => "a header line is malformed",
            Self::Target => "the request target is not a path, an http URL, or `*` with OPTIONS",
            Self::TargetTooLong => "the request line is longer than a head may be",
            Self::TooLarge => "the head is too large",
            Self::TooManyHeaders => "the head has too many header fields",
            Self::Version => "the version is neither HTTP/1.0 nor HTTP/1.1",
            Self::Host => "`Host` is missing or not a host",
            Self::Repeated(name) => return write!(f, "`{name}` came more than once"),
            Self::ContentLength => "`Content-Length` is not one decimal number",
            Self::TransferEncoding => "`Transfer-Encoding` is not one `chunked` on HTTP/1.1",
            Self::TransferCoding => "`Transfer-Encoding` names a coding other than `chunked`",
            Self::TwoLengths => "`Content-Length` and `Transfer-Encoding` came together",
            Self::Expectation => "`Expect` is not `100-continue`",
        })
    }
}

impl std::error::Error for HeadError {}

impl From<httparse::Error> for HeadError {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::TooManyHeaders => Self::TooManyHeaders,
            // The scan has refused other versions: here it stands in the wrong place.
            httparse::Error::Version | httparse::Error::Token => Self::RequestLine,
            httparse::Error::NewLine => Self::LineEnding,
            httparse::Error::HeaderName | httparse::Error::HeaderValue | httparse::Error::Status => {
                Self::Header
            }
        }
    }
}
