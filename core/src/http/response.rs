//! Answers as bytes: complete ones with their body, and the head that begins an event stream.
//!
//! Invariant: no byte of a header value can end its line, wherever the value comes from.
//! Not here: which answer a request gets.

use std::fmt::Display;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::control::write_first_bytes;
use super::cors::Cors;
use super::json::JsonText;
use super::{Status, Version};
use crate::frame::Framing;
use crate::limits::PADDING_BYTES;
use crate::time::UnixMillis;

/// Sent before the body of a request that waits for it.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// `Content-Type` of JSON answers.
const JSON: &str = "application/json";

/// What a `401` or `403` says about the token (RFC 6750 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// None was shown, one is needed.
    Missing,
    /// It is not good: one answer for every reason, to disclose nothing.
    InvalidToken,
    /// It is good, but grants too little.
    InsufficientScope,
    /// It was shown in a wrong way.
    InvalidRequest,
}

impl Challenge {
    /// The value of `WWW-Authenticate`. A challenge needs a parameter, hence the realm.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "Bearer realm=\"corecast\"",
            Self::InvalidToken => "Bearer realm=\"corecast\", error=\"invalid_token\"",
            Self::InsufficientScope => "Bearer realm=\"corecast\", error=\"insufficient_scope\"",
            Self::InvalidRequest => "Bearer realm=\"corecast\", error=\"invalid_request\"",
        }
    }
}

/// A complete answer, to be encoded.
#[derive(Clone, Debug)]
pub struct Response<'a> {
    status: Status,
    content_type: &'static str,
    body: Vec<u8>,
    cors: Cors<'a>,
    headers: Vec<(&'static str, Value<'a>)>,
    cache: &'static str,
    closes: bool,
    hides_body: bool,
}

/// Answers speak of one token and one moment.
const NOT_STORED: &str = "no-store";

#[derive(Clone, Debug)]
enum Value<'a> {
    Text(&'a str),
    Number(u64),
}

impl<'a> Response<'a> {
    fn new(status: Status, content_type: &'static str, body: Vec<u8>) -> Self {
        let headers = Vec::new();
        Self {
            status,
            content_type,
            body,
            cors: Cors::NONE,
            headers,
            cache: NOT_STORED,
            closes: false,
            hides_body: false,
        }
    }

    /// An answer without body.
    #[must_use]
    pub fn empty(status: Status) -> Self {
        Self::new(status, "", Vec::new())
    }

    /// An answer in JSON.
    #[must_use]
    pub fn json(status: Status, json: impl Into<Vec<u8>>) -> Self {
        Self::new(status, JSON, json.into())
    }

    /// An answer in plain text.
    #[must_use]
    pub fn text(status: Status, text: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", text.into())
    }

    /// A file of this type.
    #[must_use]
    pub fn file(status: Status, content_type: &'static str, bytes: &[u8]) -> Self {
        Self::new(status, content_type, bytes.to_vec())
    }

    /// Says who may store this, in the words of `Cache-Control`; nobody by default.
    #[must_use]
    pub fn cache(self, cache: &'static str) -> Self {
        Self { cache, ..self }
    }

    /// One JSON text a line.
    #[must_use]
    pub fn ndjson(status: Status, lines: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "application/x-ndjson", lines.into())
    }

    /// A refusal: `{"error": code, "message": message}`.
    #[must_use]
    pub fn error(status: Status, code: &'static str, message: &dyn Display) -> Self {
        Self::json(status, error_json(code, message))
    }

    /// The answer to a preflight, and to any other `OPTIONS`. `methods` is a list as in `Allow`.
    #[must_use]
    pub fn preflight(methods: &'static str, cors: Cors<'a>) -> Self {
        let mut answer = Self::empty(Status::NoContent).allow(methods).cors(cors);
        for (name, value) in Cors::preflight_headers(methods) {
            answer = answer.header(name, value);
        }
        answer
    }

    /// Adds what pages of other origins may read.
    #[must_use]
    pub fn cors(self, cors: Cors<'a>) -> Self {
        Self { cors, ..self }
    }

    /// Adds a header. A control character in the value becomes a space.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &'a str) -> Self {
        self.headers.push((name, Value::Text(value)));
        self
    }

    /// Adds `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.headers.push(("Retry-After", Value::Number(seconds)));
        self
    }

    /// Adds `Allow`, which every 405 has.
    #[must_use]
    pub fn allow(self, methods: &'static str) -> Self {
        self.header("Allow", methods)
    }

    /// Adds `WWW-Authenticate`.
    #[must_use]
    pub fn challenge(self, challenge: Challenge) -> Self {
        self.header("WWW-Authenticate", challenge.as_str())
    }

    /// Says whether the connection ends behind this answer.
    #[must_use]
    pub fn closing(self, closes: bool) -> Self {
        Self { closes, ..self }
    }

    /// Says whether this answers a `HEAD`: the same head, and no body.
    #[must_use]
    pub fn to_head(self, is_head: bool) -> Self {
        Self { hides_body: is_head, ..self }
    }

    /// The bytes of the whole answer. `now` is for `Date`.
    #[must_use]
    pub fn encode(&self, now: UnixMillis) -> Bytes {
        let mut out = Vec::with_capacity(512 + self.body.len());
        write_status(&mut out, self.status, now);
        if self.status.has_body() {
            if !self.content_type.is_empty() {
                write_header(&mut out, "Content-Type", self.content_type);
                write_header(&mut out, "X-Content-Type-Options", "nosniff");
            }
            write_number(&mut out, "Content-Length", self.body.len() as u64);
        }
        write_header(&mut out, "Cache-Control", self.cache);
        for (name, value) in &self.headers {
            match value {
                Value::Text(text) => write_header(&mut out, name, text),
                Value::Number(number) => write_number(&mut out, name, *number),
            }
        }
        write_cors(&mut out, self.cors);
        if self.closes {
            write_header(&mut out, "Connection", "close");
        }
        out.extend_from_slice(b"\r\n");
        if self.status.has_body() && !self.hides_body {
            out.extend_from_slice(&self.body);
        }
        Bytes::from(out)
    }
}

/// `{"error": code, "message": message}`, the body of every refusal and of every refused line of an NDJSON publish.
#[must_use]
pub fn error_json(code: &'static str, message: &dyn Display) -> String {
    format!("{{\"error\":\"{code}\",\"message\":{}}}", JsonText(&message.to_string()))
}

/// `{"id": id}`, the answer to a published event, and to each line of an NDJSON publish that was taken.
#[must_use]
pub fn id_json(id: &str) -> String {
    format!("{{\"id\":{}}}", JsonText(id))
}

/// The head that begins an event stream.
#[derive(Clone, Debug)]
pub struct StreamHead<'a> {
    /// How the peer's version lets the body end.
    pub framing: Framing,
    /// What pages of other origins may read.
    pub cors: Cors<'a>,
    /// Whether an HTTP/1.1 client said that it closes behind this answer.
    pub closes: bool,
    /// The longest silence: told in whole seconds, rounded up, so that a client knows from when on a stream is dead.
    pub heartbeat: Option<Duration>,
    /// More headers. A control character in a value becomes a space.
    pub headers: &'a [(&'static str, &'a str)],
}

impl StreamHead<'_> {
    /// The head and the first bytes, to go out in one send. `retry_ms` is this connection's own reconnection time.
    #[must_use]
    pub fn encode(&self, now: UnixMillis, retry_ms: u32, padding: bool) -> Bytes {
        let padding_bytes = if padding { PADDING_BYTES } else { 0 };
        let mut out = Vec::with_capacity(640 + padding_bytes);
        self.write(&mut out, now);
        write_first_bytes(&mut out, self.framing, retry_ms, padding_bytes);
        Bytes::from(out)
    }

    /// The answer to `HEAD`: the head alone.
    #[must_use]
    pub fn encode_to_head(&self, now: UnixMillis) -> Bytes {
        let mut out = Vec::with_capacity(640);
        self.write(&mut out, now);
        Bytes::from(out)
    }

    fn write(&self, out: &mut Vec<u8>, now: UnixMillis) {
        write_status(out, Status::Ok, now);
        // Each line has its reason in sse-clients.md §2: `no-store` keeps shared caches from joining subscribers,
        // `no-transform` compressors from holding events back, and nginx delivers nothing without the third.
        out.extend_from_slice(
            b"Content-Type: text/event-stream; charset=utf-8\r\n\
              Cache-Control: no-cache, no-store, no-transform\r\n\
              X-Accel-Buffering: no\r\n\
              X-Content-Type-Options: nosniff\r\n",
        );
        if self.framing == Framing::Chunked {
            write_header(out, "Transfer-Encoding", "chunked");
        }
        if let Some(heartbeat) = self.heartbeat {
            write_number(out, "Corecast-Heartbeat", heartbeat.as_millis().div_ceil(1000) as u64);
        }
        for (name, value) in self.headers {
            write_header(out, name, value);
        }
        write_cors(out, self.cors);
        if self.closes || self.framing == Framing::CloseDelimited {
            write_header(out, "Connection", "close");
        }
        out.extend_from_slice(b"\r\n");
    }
}

impl Version {
    /// How a stream to a peer of this version is delimited: chunks to HTTP/1.0 would be a violation.
    #[must_use]
    pub const fn framing(self) -> Framing {
        match self {
            Self::Http10 => Framing::CloseDelimited,
            Self::Http11 => Framing::Chunked,
        }
    }
}

/// The version is ours, not the peer's (RFC 9110 §6.2).
fn write_status(out: &mut Vec<u8>, status: Status, now: UnixMillis) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.line().as_bytes());
    out.extend_from_slice(b"\r\nDate: ");
    write!(out, "{}", date(now)).expect("writing to memory does not fail");
    out.extend_from_slice(b"\r\n");
}

/// The end of the year 9999, the last that an HTTP date can show.
const DATE_SECONDS_MAX: u64 = 253_402_300_799;

fn date(now: UnixMillis) -> httpdate::HttpDate {
    let since_epoch = Duration::from_secs(now.as_secs().min(DATE_SECONDS_MAX));
    httpdate::HttpDate::from(SystemTime::UNIX_EPOCH + since_epoch)
}

fn write_cors(out: &mut Vec<u8>, cors: Cors<'_>) {
    for (name, value) in cors.headers() {
        write_header(out, name, value);
    }
}

fn write_number(out: &mut Vec<u8>, name: &str, number: u64) {
    write_header(out, name, itoa::Buffer::new().format(number));
}

fn write_header(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend(value.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }));
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
