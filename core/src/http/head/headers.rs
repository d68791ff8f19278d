//! The headers that the hub reads, and how they decide where a request ends.

use super::target::is_host;
use super::{BodyLength, HeadError, Span, Values, Version};

/// What has been read of the header lines so far.
#[derive(Default)]
pub(super) struct Headers {
    pub(super) values: Values,
    pub(super) wants_event_stream: bool,
    pub(super) asks_to_close: bool,
    content_length: Option<u64>,
    transfer_encoding: Option<Result<(), HeadError>>,
    expect: Option<Result<(), HeadError>>,
}

/// Longest name among those below.
const NAME_BYTES_MAX: usize = "transfer-encoding".len();

impl Headers {
    /// Takes one header line. `value` is a slice of `head`.
    pub(super) fn on_header(&mut self, head: &[u8], name: &str, value: &[u8]) -> Result<(), HeadError> {
        let mut lower = [0; NAME_BYTES_MAX];
        let Some(lower) = lower.get_mut(..name.len()) else {
            return Ok(());
        };
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();

        let span = Span::of(head, value);
        let values = &mut self.values;
        match &*lower {
            b"host" if !is_host(value) => Err(HeadError::Host),
            b"host" => set_once(&mut values.host, span, "Host"),
            b"authorization" => set_once(&mut values.authorization, span, "Authorization"),
            b"origin" => set_once(&mut values.origin, span, "Origin"),
            b"content-type" => set_once(&mut values.content_type, span, "Content-Type"),
            b"content-length" => {
                let length = content_length(value).ok_or(HeadError::ContentLength)?;
                set_once(&mut self.content_length, length, "Content-Length")
            }
            b"transfer-encoding" => {
                set_once(&mut self.transfer_encoding, transfer_encoding(value), "Transfer-Encoding")
            }
            b"accept" => {
                self.wants_event_stream |= names_event_stream(value);
                Ok(())
            }
            b"connection" => {
                self.asks_to_close |= list(value).any(|token| token.eq_ignore_ascii_case(b"close"));
                Ok(())
            }
            b"expect" => {
                let known = value.eq_ignore_ascii_case(b"100-continue");
                set_once(&mut self.expect, known.then_some(()).ok_or(HeadError::Expectation), "Expect")
            }
            b"last-event-id" => {
                if values.last_event_id.is_none() && !value.is_empty() {
                    values.last_event_id = Some(span);
                }
                Ok(())
            }
            b"idempotency-key" => set_once(&mut values.idempotency_key, span, "Idempotency-Key"),
            b"if-none-match" => {
                values.if_none_match.get_or_insert(span);
                Ok(())
            }
            b"cookie" => {
                values.cookies.push(span);
                Ok(())
            }
            b"forwarded" => {
                values.forwarded.push(span);
                Ok(())
            }
            b"x-forwarded-for" => {
                values.x_forwarded_for.push(span);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// RFC 9112 §3.2: exactly one `Host` on HTTP/1.1. (Twice has been refused already.)
    pub(super) fn check_host(&self, version: Version) -> Result<(), HeadError> {
        match (version, self.values.host) {
            (Version::Http11, None) => Err(HeadError::Host),
            (Version::Http10 | Version::Http11, _) => Ok(()),
        }
    }

    /// RFC 9112 §6.3, with everything refused that it lets a recipient repair.
    pub(super) fn body_length(&self, version: Version) -> Result<BodyLength, HeadError> {
        match (self.transfer_encoding, self.content_length) {
            (None, None) => Ok(BodyLength::None),
            (None, Some(length)) => Ok(BodyLength::Length(length)),
            (Some(_), Some(_)) => Err(HeadError::TwoLengths),
            (Some(_), None) if version == Version::Http10 => Err(HeadError::TransferEncoding),
            (Some(chunked), None) => chunked.map(|()| BodyLength::Chunked),
        }
    }

    /// On HTTP/1.0 an expectation is ignored (RFC 9110 §10.1.1).
    pub(super) fn expects_continue(&self, version: Version) -> Result<bool, HeadError> {
        match self.expect {
            Some(known) if version == Version::Http11 => known.map(|()| true),
            Some(_) | None => Ok(false),
        }
    }
}

fn set_once<T>(slot: &mut Option<T>, value: T, name: &'static str) -> Result<(), HeadError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(HeadError::Repeated(name)),
    }
}

/// Digits only: `parse` alone would take a `+`. A list of equal numbers is refused too, as RFC 9110 §8.6 allows.
fn content_length(value: &[u8]) -> Option<u64> {
    let digits = str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

/// Only `chunked`, once. Without it at the end the length is unknown (400); before it another coding is one that
/// we do not have (501).
fn transfer_encoding(value: &[u8]) -> Result<(), HeadError> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let codings = list(value).count();
    let chunked = list(value).filter(|coding| is_chunked(coding)).count();
    let ends_chunked = list(value).last().is_some_and(is_chunked);
    if ends_chunked && chunked == 1 && codings > 1 {
        Err(HeadError::TransferCoding)
    } else {
        Err(HeadError::TransferEncoding)
    }
}

/// Whether an `Accept` list has `text/event-stream`, and not with `q=0`. Wildcards do not count: `*/*` is what `curl`
/// and scripts send, and they want honest statuses.
fn names_event_stream(value: &[u8]) -> bool {
    list(value).any(|range| {
        let mut parts = range.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let is_named = parts.next().is_some_and(|media| media.eq_ignore_ascii_case(b"text/event-stream"));
        is_named && !parts.any(is_weight_of_zero)
    })
}

fn is_weight_of_zero(parameter: &[u8]) -> bool {
    match parameter {
        [b'q' | b'Q', b'=', b'0', rest @ ..] => rest.iter().all(|byte| matches!(byte, b'.' | b'0')),
        _ => false,
    }
}

/// The elements of a comma-separated list.
fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}
