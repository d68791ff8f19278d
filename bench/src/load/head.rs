//! Reads the head of an answer, as far as the load needs it.
//!
//! Not here: what a head means to a subscriber (`crowd`) or a publisher (`answers`).

/// Heads of servers have a dozen headers or two.
const HEADERS_MAX: usize = 64;

/// A head that is longer is not waited for.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// Bytes of the head: the body begins there.
    pub(super) len: usize,
    pub(super) body: Body,
    pub(super) is_event_stream: bool,
    /// The server closes the connection behind the body.
    pub(super) closes: bool,
}

/// How long the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Bytes(u64),
    Chunked,
    /// It ends with the connection.
    UntilClose,
}

/// Reads the head that `bytes` begin with; `Ok(None)` if it is not whole yet.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Head>, String> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let len = match response.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) if bytes.len() > HEAD_BYTES_MAX => {
            return Err(format!("a head longer than {HEAD_BYTES_MAX} bytes"));
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(format!("no HTTP answer ({error})")),
    };
    let status = response.code.unwrap_or_default();
    let mut head = Head {
        status,
        len,
        body: Body::UntilClose,
        is_event_stream: false,
        closes: response.version == Some(0),
    };
    for header in &*response.headers {
        apply(&mut head, header)?;
    }
    if matches!(status, 100..200 | 204 | 304) {
        head.body = Body::Bytes(0);
    }
    Ok(Some(head))
}

fn apply(head: &mut Head, header: &httparse::Header<'_>) -> Result<(), String> {
    let value = header.value.trim_ascii();
    if header.name.eq_ignore_ascii_case("content-type") {
        let kind = value.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
        head.is_event_stream = kind.eq_ignore_ascii_case(b"text/event-stream");
    } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(format!("a transfer encoding other than chunked: {}", excerpt(value)));
        }
        head.body = Body::Chunked;
    } else if header.name.eq_ignore_ascii_case("content-length") && head.body != Body::Chunked {
        let text = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        head.body = Body::Bytes(text.ok_or_else(|| format!("no content length: {}", excerpt(value)))?);
    } else if header.name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case(b"close") {
        head.closes = true;
    }
    Ok(())
}

/// The beginning of `bytes`, printable and short.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    const BYTES_MAX: usize = 200;
    let shown = bytes[..bytes.len().min(BYTES_MAX)].escape_ascii();
    if bytes.len() > BYTES_MAX { format!("{shown}…") } else { shown.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_what_follows() {
        let stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (text, expected) in [
            (stream, (200, Body::Chunked, true, false)),
            (
                "HTTP/1.0 200 OK\r\ncontent-type:TEXT/Event-Stream\r\n\r\n",
                (200, Body::UntilClose, true, true),
            ),
            (
                "HTTP/1.1 404 No\r\ncontent-length: 7\r\nConnection: Close\r\n\r\n",
                (404, Body::Bytes(7), false, true),
            ),
            ("HTTP/1.1 204 No Content\r\n\r\n", (204, Body::Bytes(0), false, false)),
        ] {
            let head = read(text.as_bytes()).unwrap().unwrap();
            assert_eq!((head.status, head.body, head.is_event_stream, head.closes), expected, "{text}");
            assert_eq!(head.len, text.len());
            for cut in 0..text.len() {
                assert_eq!(read(&text.as_bytes()[..cut]), Ok(None), "{text} cut at {cut}");
            }
        }
    }

    #[test]
    fn what_is_no_head_is_told_and_never_waited_for() {
        let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(HEAD_BYTES_MAX));
        for (text, part) in [
            ("SSH-2.0-OpenSSH\r\n", "no HTTP answer"),
            ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "no content length: -1"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "gzip"),
            (&endless, "longer than"),
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
