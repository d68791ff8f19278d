//! Answers in HTTP/1.1: a head and a body whose length it declares.
//!
//! Not here: the bytes of an answer that is not whole yet (`answers`).

use super::super::head::{self, Body, Head};
use super::{ANSWER_BYTES_MAX, Verdict};

/// Reads all answers that are whole, and returns the bytes behind them.
pub(super) fn read_whole<'a>(
    mut bytes: &'a [u8],
    answered: &mut impl FnMut(Verdict, &[u8]),
) -> Result<&'a [u8], String> {
    while let Some(head) = head::read(bytes)? {
        let Some(body_len) = body_len(&bytes[head.len..], head.body)? else { break };
        let (answer, rest) = bytes.split_at(head.len + body_len);
        bytes = rest;
        // Interim answers (RFC 9110 §15.2) announce the one that counts.
        if head.status >= 200 {
            answered(judge(&head), answer);
        }
    }
    Ok(bytes)
}

fn judge(head: &Head) -> Verdict {
    match head.status {
        200..300 if head.closes => Verdict::Last,
        200..300 => Verdict::Taken,
        _ => Verdict::Refused,
    }
}

/// Bytes of the body that `bytes` begin with; `Ok(None)` if it is not whole yet.
fn body_len(bytes: &[u8], body: Body) -> Result<Option<usize>, String> {
    match body {
        Body::Bytes(len) if len > ANSWER_BYTES_MAX as u64 => Err(format!("an answer of {len} bytes")),
        Body::Bytes(len) => Ok(Some(len as usize).filter(|&len| len <= bytes.len())),
        Body::Chunked => chunked_len(bytes),
        Body::UntilClose => Err("an answer whose length only the end of the connection tells".to_owned()),
    }
}

fn chunked_len(bytes: &[u8]) -> Result<Option<usize>, String> {
    let mut at = 0;
    loop {
        let (line_len, size) = match httparse::parse_chunk_size(&bytes[at..]) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(format!("no chunk: {}", head::excerpt(&bytes[at..]))),
        };
        if size > ANSWER_BYTES_MAX as u64 {
            return Err(format!("a chunk of {size} bytes"));
        }
        // Trailers are not expected: the last chunk's line is followed by an empty one.
        let end = at + line_len + size as usize + 2;
        let Some(chunk) = bytes.get(at..end) else { return Ok(None) };
        if !chunk.ends_with(b"\r\n") {
            return Err(format!("a chunk without end: {}", head::excerpt(chunk)));
        }
        at = end;
        if size == 0 {
            return Ok(Some(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use super::super::{Answers, Protocol};

    fn verdicts(pieces: &[&[u8]]) -> Result<Vec<Verdict>, String> {
        let (mut answers, mut verdicts) = (Answers::of(Protocol::Http), Vec::new());
        for piece in pieces {
            answers.read(piece, |verdict, _| verdicts.push(verdict))?;
        }
        Ok(verdicts)
    }

    #[test]
    fn pipelined_answers_are_read_wherever_the_pieces_are_cut() {
        let stream = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"id\": \"1\"}\
            HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n\
            HTTP/1.1 100 Continue\r\n\r\n\
            HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n";
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
                let expected = vec![Verdict::Taken, Verdict::Taken, Verdict::Taken, Verdict::Refused];
                assert_eq!(verdicts(&pieces), Ok(expected), "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for (text, part) in [
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "no chunk"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "a chunk without end"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", "a chunk of"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "an answer of"),
            ("HTTP/1.1 200 OK\r\n\r\n", "the end of the connection"),
            ("220 mail ESMTP\r\n", "no HTTP answer"),
        ] {
            let error = verdicts(&[text.as_bytes()]).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
