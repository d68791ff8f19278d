//! Finds the bodies of publishers' requests, pipelined and in pieces of any size.
//!
//! Not here: what is asked for. Every request is an event.

use anyhow::{Context, bail};

/// Larger than any event that is measured.
const REQUEST_BYTES_MAX: usize = 4 << 20;

const HEADERS_MAX: usize = 32;

/// The bytes of a request that is not whole yet.
#[derive(Default)]
pub(super) struct Requests {
    unread: Vec<u8>,
}

impl Requests {
    /// Calls `requested` with each body that `bytes` complete.
    ///
    /// # Errors
    /// What is no request, or one without `Content-Length`.
    pub(super) fn read(&mut self, bytes: &[u8], mut requested: impl FnMut(&[u8])) -> anyhow::Result<()> {
        self.unread.extend_from_slice(bytes);
        let mut begin = 0;
        while let Some((head_len, body_len)) = lengths(&self.unread[begin..])? {
            if head_len + body_len > REQUEST_BYTES_MAX {
                bail!("a request of {} bytes, more than {REQUEST_BYTES_MAX}", head_len + body_len);
            }
            let Some(body) = self.unread.get(begin + head_len..begin + head_len + body_len) else { break };
            requested(body);
            begin += head_len + body_len;
        }
        self.unread.drain(..begin);
        if self.unread.len() > REQUEST_BYTES_MAX {
            bail!("a request without end");
        }
        Ok(())
    }
}

/// Bytes of the head and of the body; `Ok(None)` if the head is not whole yet.
fn lengths(bytes: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head_len) = request.parse(bytes).context("no HTTP request")? else {
        return Ok(None);
    };
    let length = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.context("a request without Content-Length")?.value;
    let length = std::str::from_utf8(length).ok().and_then(|text| text.trim().parse().ok());
    Ok(Some((head_len, length.context("a Content-Length that is no number")?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_found_wherever_the_pieces_are_cut() {
        let stream = b"POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\nfirstPOST /p HTTP/1.1\r\ncontent-length: 0\r\n\r\n\
            POST /p HTTP/1.1\r\nContent-Length: 3\r\n\r\nend";
        for cut in 0..=stream.len() {
            let (mut requests, mut bodies) = (Requests::default(), Vec::new());
            for piece in [&stream[..cut], &stream[cut..]] {
                requests.read(piece, |body| bodies.push(body.to_vec())).unwrap();
            }
            assert_eq!(bodies, [&b"first"[..], b"", b"end"], "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_request_is_an_error() {
        for bytes in
            [&b"\x16\x03\x01"[..], b"GET / HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"]
        {
            assert!(Requests::default().read(bytes, |_| {}).is_err(), "{bytes:?}");
        }
    }
}
