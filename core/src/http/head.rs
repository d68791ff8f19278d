//! Request heads of HTTP/1.1 and 1.0 (RFC 9112), read strictly: what two parsers could read differently is refused.
//!
//! Invariant: whatever `parse` accepts has one meaning to every conforming parser: lines end in CRLF, one length of
//! the body, one host. The hub often stands behind a proxy, and a request on whose end the two disagree smuggles
//! another one past it.
//! Not here: routes, tokens, what a query means.

mod scan;
mod target;
mod headers;
mod error;

use std::borrow::Cow;
use std::fmt;

use smallvec::SmallVec;

pub use self::error::HeadError;
use self::headers::Headers;
use self::scan::Scan;
pub(super) use self::scan::is_token_byte;
use self::target::Target;
use crate::limits::HEADERS_MAX;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `OPTIONS`
    Options,
    /// Any other: the answer is 405.
    Other,
}

impl Method {
    fn parse(token: &str) -> Self {
        match token {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }
}

/// The peer's version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// HTTP/1.0: no chunks, one request a connection.
    Http10,
    /// HTTP/1.1
    Http11,
}

/// How much body follows the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// None.
    None,
    /// So many bytes.
    Length(u64),
    /// `Transfer-Encoding: chunked`
    Chunked,
}

/// A request head, owned: one copy of its bytes and where in it the values lie.
#[derive(Clone)]
pub struct Request {
    /// What is asked for.
    pub method: Method,
    /// The peer's version of HTTP.
    pub version: Version,
    /// How much body follows.
    pub body: BodyLength,
    /// Whether an `Accept` names `text/event-stream`: such a client gives up for good on any status but 200.
    pub wants_event_stream: bool,
    /// Whether the body is only sent after a `100 Continue`.
    pub expects_continue: bool,
    /// Whether the connection can carry another request after this one. Never on HTTP/1.0, where a proxy that does
    /// not know `Connection` may pass on its client's `keep-alive` and then wait for ever (RFC 9112 §C.2.2).
    pub keep_alive: bool,
    text: Box<[u8]>,
    target: Target,
    values: Values,
}

/// Where the values of the headers lie that the hub reads.
#[derive(Clone, Default)]
struct Values {
    host: Option<Span>,
    authorization: Option<Span>,
    origin: Option<Span>,
    content_type: Option<Span>,
    last_event_id: Option<Span>,
    idempotency_key: Option<Span>,
    if_none_match: Option<Span>,
    cookies: SmallVec<[Span; 1]>,
    forwarded: SmallVec<[Span; 1]>,
    x_forwarded_for: SmallVec<[Span; 1]>,
}

/// Reads the head at the start of `buf`, which may be at most `bytes_max` bytes long.
///
/// `Ok(None)` while it is incomplete; else the request and how many bytes it took. Called again as bytes arrive, it
/// only looks for the end, and parses once; what is wrong in the first line is found before the end.
///
/// # Errors
///
/// After any error the place where the next request begins is unknown: answer with its status and close.
pub fn parse(buf: &[u8], bytes_max: usize) -> Result<Option<(Request, usize)>, HeadError> {
    let window = &buf[..buf.len().min(bytes_max)];
    match scan::scan(window)? {
        Scan::Complete { start, end } => Ok(Some((Request::parse(&buf[start..end])?, end))),
        Scan::FirstLine if buf.len() >= bytes_max => Err(HeadError::TargetTooLong),
        Scan::Headers if buf.len() >= bytes_max => Err(HeadError::TooLarge),
        Scan::FirstLine | Scan::Headers => Ok(None),
    }
}

impl Request {
    fn parse(head: &[u8]) -> Result<Self, HeadError> {
        let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Request::new(&mut fields);
        if parsed.parse(head).map_err(HeadError::from)? != httparse::Status::Complete(head.len()) {
            return Err(HeadError::Header);
        }
        let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
            return Err(HeadError::RequestLine);
        };

        let method = Method::parse(method);
        let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
        let target = Target::parse(head, method, target)?;
        let mut headers = Headers::default();
        for field in parsed.headers.iter() {
            headers.on_header(head, field.name, field.value)?;
        }
        headers.check_host(version)?;

        Ok(Self {
            method,
            version,
            body: headers.body_length(version)?,
            wants_event_stream: headers.wants_event_stream,
            expects_continue: headers.expects_continue(version)?,
            keep_alive: version == Version::Http11 && !headers.asks_to_close,
            text: head.into(),
            target,
            values: headers.values,
        })
    }

    /// The path as sent, begun by `/`, or `*`. It is not percent-decoded: `/%70ublish` is another path than
    /// `/publish`, or it would slip past a proxy that guards the latter.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.path.map_or("/", |span| self.str(span))
    }

    /// The query as sent, without `?`; empty if there is none.
    #[must_use]
    pub fn query(&self) -> &str {
        self.target.query.map_or("", |span| self.str(span))
    }

    /// Host and port as sent: of the target if it is in absolute form (RFC 9112 §3.2.2), else of `Host`.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.target.authority.or(self.values.host).map(|span| self.str(span))
    }

    /// The value of `Authorization`.
    #[must_use]
    pub fn authorization(&self) -> Option<&[u8]> {
        self.values.authorization.map(|span| self.bytes(span))
    }

    /// The value of `Origin`; `None` also if it is not ASCII, which no origin is.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.values.origin.map(|span| self.str(span)).filter(|origin| !origin.is_empty())
    }

    /// The value of `Content-Type`.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.values.content_type.map(|span| self.str(span))
    }

    /// The value of `Last-Event-ID`. Empty counts as absent, since `reqwest-eventsource` sends it so. A value that is
    /// not UTF-8 can be no id: it comes with U+FFFD in it, so it is a cursor of nowhere, and not none.
    #[must_use]
    pub fn last_event_id(&self) -> Option<Cow<'_, str>> {
        self.values.last_event_id.map(|span| String::from_utf8_lossy(self.bytes(span)))
    }

    /// The value of `Idempotency-Key`, as sent.
    #[must_use]
    pub fn idempotency_key(&self) -> Option<&[u8]> {
        self.values.idempotency_key.map(|span| self.bytes(span))
    }

    /// The value of the first `If-None-Match`. More of them only cost an answer that could have been shorter.
    #[must_use]
    pub fn if_none_match(&self) -> Option<&[u8]> {
        self.values.if_none_match.map(|span| self.bytes(span))
    }

    /// The value of the first cookie of this name.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&[u8]> {
        super::cookie::find(self.values.cookies.iter().map(|&span| self.bytes(span)), name)
    }

    /// The values of `Forwarded` (RFC 7239), in order.
    pub fn forwarded(&self) -> impl Iterator<Item = &[u8]> {
        self.values.forwarded.iter().map(|&span| self.bytes(span))
    }

    /// The values of `X-Forwarded-For`, in order.
    pub fn x_forwarded_for(&self) -> impl Iterator<Item = &[u8]> {
        self.values.x_forwarded_for.iter().map(|&span| self.bytes(span))
    }

    fn bytes(&self, span: Span) -> &[u8] {
        &self.text[span.start as usize..span.end as usize]
    }

    /// Empty for what is not UTF-8. Targets and hosts are ASCII; in other headers no valid value is lost by it.
    fn str(&self, span: Span) -> &str {
        str::from_utf8(self.bytes(span)).unwrap_or("")
    }
}

/// Without header values and query: tokens do not belong into logs.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("version", &self.version)
            .field("path", &self.path())
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

/// Where in a head a value lies. A head is far below 4 GiB: `head_bytes` bounds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The place of `part`, a slice of `whole`.
    fn of(whole: &[u8], part: &[u8]) -> Self {
        let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
        let end = start + part.len();
        assert!(end <= whole.len(), "a value lies in its head");
        let bound = |at| u32::try_from(at).expect("a head is below 4 GiB");
        Self { start: bound(start), end: bound(end) }
    }
}

#[cfg(test)]
mod tests;
