//! A strict reader of HTTP answers on one connection: heads, bodies by length, chunks, and bodies that end with the
//! connection.
//!
//! Every byte has to belong to an answer that was asked for; anything else is a violation.

use std::collections::BTreeMap;

/// What a reader found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A head.
    Head(Head),
    /// Part of a body without a length: one whole chunk, or what came if it ends with the connection.
    Piece(Vec<u8>),
    /// The end of an answer, with its body if it had a length.
    End(Vec<u8>),
}

/// The head of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// The status.
    pub(super) status: u16,
    /// Header fields, names in lower case.
    pub(super) fields: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    Length(usize),
    Chunks,
    UntilClose,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct AnswerReader {
    buf: Vec<u8>,
    state: State,
}

impl AnswerReader {
    /// Takes in what was read.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    /// The next part; `is_bodyless` says whether the answer that comes next is to a `HEAD`.
    pub(super) fn next(&mut self, is_bodyless: bool) -> Option<Part> {
        match self.state {
            State::Head => self.head(is_bodyless),
            State::Length(len) => {
                let body = self.buf.get(..len)?.to_vec();
                self.buf.drain(..len);
                self.state = State::Head;
                Some(Part::End(body))
            }
            State::Chunks => self.chunk(),
            State::UntilClose => {
                let piece = std::mem::take(&mut self.buf);
                (!piece.is_empty()).then_some(Part::Piece(piece))
            }
        }
    }

    /// Whether a part has been begun.
    #[must_use]
    pub(super) fn is_cut(&self) -> bool {
        !self.buf.is_empty()
    }

    /// Whether the present answer ends with the connection.
    #[must_use]
    pub(super) fn ends_with_connection(&self) -> bool {
        matches!(self.state, State::UntilClose)
    }

    fn head(&mut self, is_bodyless: bool) -> Option<Part> {
        let end = self.buf.windows(4).position(|window| window == b"\r\n\r\n")?;
        let text = String::from_utf8(self.buf.drain(..end + 4).collect()).expect("a head is UTF-8");
        let mut lines = text.trim_end_matches("\r\n").split("\r\n");
        let first = lines.next().unwrap_or_default();
        let status = first.strip_prefix("HTTP/1.1 ").unwrap_or_else(|| panic!("a status line: {first:?}"));
        let mut head =
            Head { status: status[..3].parse().expect("a status has three digits"), ..Head::default() };
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("a header field: {line:?}"));
            assert!(!value.bytes().any(|byte| byte.is_ascii_control()), "a control character: {line:?}");
            head.fields.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        self.state = body_of(&head, is_bodyless);
        Some(Part::Head(head))
    }

    fn chunk(&mut self) -> Option<Part> {
        let line_end = self.buf.windows(2).position(|window| window == b"\r\n");
        assert!(line_end.is_some() || self.buf.len() < 20, "a chunk without a size: {:?}", show(&self.buf));
        let line_end = line_end?;
        let digits = str::from_utf8(&self.buf[..line_end]).unwrap_or("");
        let is_size = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_size, "the size of a chunk: {:?}", show(&self.buf));
        let len = usize::from_str_radix(digits, 16).expect("a size has few digits");
        let begin = line_end + 2;
        let chunk = self.buf.get(begin..begin + len + 2)?;
        assert!(chunk.ends_with(b"\r\n"), "the end of a chunk: {:?}", show(chunk));
        let piece = chunk[..len].to_vec();
        self.buf.drain(..begin + len + 2);
        if len > 0 {
            return Some(Part::Piece(piece));
        }
        self.state = State::Head;
        Some(Part::End(Vec::new()))
    }
}

fn body_of(head: &Head, is_bodyless: bool) -> State {
    if is_bodyless || matches!(head.status, 100 | 204 | 304) {
        return State::Length(0);
    }
    let length = head.fields.get("content-length");
    match head.fields.get("transfer-encoding").map(String::as_str) {
        Some("chunked") => {
            assert!(length.is_none(), "an answer with two lengths");
            State::Chunks
        }
        Some(other) => panic!("a transfer encoding {other}"),
        None => match length {
            Some(length) => State::Length(length.parse().expect("a length is a number")),
            None => State::UntilClose,
        },
    }
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_one_behind_the_other() {
        let mut reader = AnswerReader::default();
        reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        reader.feed(b"3\r\n:ab\r\n0\r\n\r\n");
        let mut bodies = Vec::new();
        while let Some(part) = reader.next(false) {
            match part {
                Part::Head(head) => assert_eq!(head.status, 200),
                Part::Piece(body) | Part::End(body) => bodies.push(body),
            }
        }
        assert_eq!(bodies, [b"ok".to_vec(), b":ab".to_vec(), Vec::new()]);
        assert!(!reader.is_cut());
    }

    #[test]
    #[should_panic(expected = "the end of a chunk")]
    fn a_chunk_with_a_byte_too_few_is_noticed() {
        let mut reader = AnswerReader::default();
        reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab\r\n0\r\n\r\n");
        while reader.next(false).is_some() {}
    }
}
