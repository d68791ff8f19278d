//! Finds the end of a head, and what is plainly wrong before it is there.
//!
//! Only CRLF ends a line. RFC 9112 §2.2 lets a parser take a bare LF too, but then it may see lines that a proxy before
//! it does not.

use memchr::memchr2_iter;

use super::HeadError;

/// Longer than any registered method; what has no space after so many bytes is not HTTP.
const METHOD_BYTES_MAX: usize = 32;

/// How far a head has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// From the request line to behind the empty line.
    Complete { start: usize, end: usize },
    /// The request line is not complete.
    FirstLine,
    /// The request line is good, the empty line is not there yet.
    Headers,
}

/// Looks for the empty line. Costs one pass over the line ends: bytes that dribble in one by one are cheap.
pub(super) fn scan(buf: &[u8]) -> Result<Scan, HeadError> {
    // Old clients send a CRLF too many behind a body. One is skipped (RFC 9112 §2.2 asks for at least one).
    let start = if buf.starts_with(b"\r\n") { 2 } else { 0 };
    if buf == b"\r" {
        return Ok(Scan::FirstLine);
    }
    check_method(&buf[start..])?;

    let mut line_start = start;
    for at in memchr2_iter(b'\r', b'\n', &buf[start..]).map(|at| start + at) {
        if buf[at] == b'\r' {
            if buf.get(at + 1).is_some_and(|&next| next != b'\n') {
                return Err(HeadError::LineEnding);
            }
            continue;
        }
        if at == line_start || buf[at - 1] != b'\r' {
            return Err(HeadError::LineEnding);
        }
        let line = &buf[line_start..at - 1];
        if line_start == start {
            check_version(line)?;
        } else if line.is_empty() {
            return Ok(Scan::Complete { start, end: at + 1 });
        }
        line_start = at + 1;
    }
    Ok(if line_start == start { Scan::FirstLine } else { Scan::Headers })
}

/// A TLS hello or other noise is refused at its first byte, and does not wait for the head's timeout.
fn check_method(line: &[u8]) -> Result<(), HeadError> {
    let method = line.iter().take(METHOD_BYTES_MAX + 1).take_while(|&&byte| is_token_byte(byte)).count();
    match line.get(method) {
        None => Ok(()),
        Some(b' ') if (1..=METHOD_BYTES_MAX).contains(&method) => Ok(()),
        Some(_) => Err(HeadError::RequestLine),
    }
}

/// `line` is the request line without its CRLF.
fn check_version(line: &[u8]) -> Result<(), HeadError> {
    let version = line.rsplit(|&byte| byte == b' ').next().unwrap_or(line);
    match version {
        b"HTTP/1.1" | b"HTTP/1.0" => Ok(()),
        [b'H', b'T', b'T', b'P', b'/', major, rest @ ..] if major.is_ascii_digit() && is_minor(rest) => {
            Err(HeadError::Version)
        }
        _ => Err(HeadError::RequestLine),
    }
}

fn is_minor(rest: &[u8]) -> bool {
    matches!(rest, []) || matches!(rest, [b'.', minor] if minor.is_ascii_digit())
}

/// `tchar` of RFC 9110 §5.6.2.
pub(in crate::http) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
