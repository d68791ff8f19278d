//! Parses an event stream whole: chunks (RFC 9112 §7.1), lines and fields (WHATWG HTML §9.2), for a sample of subscribers.
//!
//! Stricter than a browser, since a server under measurement has no excuse: an unknown field, a broken chunk and bytes that
//! are no UTF-8 are errors. Not here: marks (`scan`), which are looked for in every stream.

use super::head::{Body, excerpt};

/// A line that is longer is no event of ours.
const LINE_BYTES_MAX: usize = 1 << 20;

/// How far a stream has been parsed. `None` of a size line has no digit yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// No chunks: all bytes are text.
    None,
    Size(Option<u64>),
    Extension(u64),
    SizeLf(u64),
    Chunk(u64),
    ChunkCr,
    ChunkLf,
    /// Behind the last chunk: the end of the trailers is the end.
    Last,
}

/// The parser of one subscriber, over all its connections.
#[derive(Debug)]
pub(super) struct Stream {
    framing: Framing,
    line: Vec<u8>,
    /// The last byte was a CR, so an LF now belongs to the same end of line.
    was_cr: bool,
    /// The id of the event under way; it counts once the event is whole.
    id: Option<String>,
    last_id: Option<String>,
}

impl Default for Stream {
    fn default() -> Self {
        Self { framing: Framing::None, line: Vec::new(), was_cr: false, id: None, last_id: None }
    }
}

impl Stream {
    /// A new connection, whose body is framed as its head says. The last id is kept, as in a browser.
    pub(super) fn begin(&mut self, body: Body) {
        let framing = if body == Body::Chunked { Framing::Size(None) } else { Framing::None };
        *self = Self { framing, last_id: self.last_id.take(), ..Self::default() };
    }

    pub(super) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// Parses what has come.
    ///
    /// # Errors
    /// What is no event stream.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(), String> {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.framing {
                Framing::None => {
                    self.read_text(rest)?;
                    &[]
                }
                Framing::Chunk(left) => {
                    let len = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    self.read_text(&rest[..len])?;
                    let left = left - len as u64;
                    self.framing = if left == 0 { Framing::ChunkCr } else { Framing::Chunk(left) };
                    &rest[len..]
                }
                framing => {
                    let next = read_framing(framing, rest[0]);
                    self.framing = next.ok_or_else(|| format!("no chunk at {}", excerpt(rest)))?;
                    &rest[1..]
                }
            };
        }
        Ok(())
    }

    fn read_text(&mut self, text: &[u8]) -> Result<(), String> {
        for &byte in text {
            let is_rest_of_crlf = std::mem::replace(&mut self.was_cr, byte == b'\r') && byte == b'\n';
            match byte {
                b'\n' if is_rest_of_crlf => {}
                b'\n' | b'\r' => {
                    let line = std::mem::take(&mut self.line);
                    self.read_line(&line)?;
                }
                _ if self.line.len() == LINE_BYTES_MAX => {
                    return Err(format!("a line longer than {LINE_BYTES_MAX} bytes"));
                }
                _ => self.line.push(byte),
            }
        }
        Ok(())
    }

    fn read_line(&mut self, line: &[u8]) -> Result<(), String> {
        let Ok(line) = std::str::from_utf8(line) else {
            return Err(format!("no UTF-8: {}", excerpt(line)));
        };
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        match field {
            "" if line.is_empty() => self.last_id = self.id.take().or_else(|| self.last_id.take()),
            "" | "data" | "event" | "retry" => {}
            "id" => self.id = Some(value.strip_prefix(' ').unwrap_or(value).to_owned()),
            _ => return Err(format!("no field of an event: {}", excerpt(line.as_bytes()))),
        }
        Ok(())
    }
}

/// The framing behind `byte`; `None` if it may not be there.
fn read_framing(framing: Framing, byte: u8) -> Option<Framing> {
    Some(match (framing, byte) {
        (Framing::Size(Some(size)), b'\r') => Framing::SizeLf(size),
        (Framing::Size(Some(size)), b';' | b' ' | b'\t') => Framing::Extension(size),
        (Framing::Size(size), _) => {
            let digit = char::from(byte).to_digit(16)?;
            Framing::Size(Some(size.unwrap_or(0).checked_mul(16)? + u64::from(digit)))
        }
        (Framing::Extension(size), b'\r') => Framing::SizeLf(size),
        (Framing::Extension(size), _) if byte != b'\n' => Framing::Extension(size),
        (Framing::SizeLf(0), b'\n') => Framing::Last,
        (Framing::SizeLf(size), b'\n') => Framing::Chunk(size),
        (Framing::ChunkCr, b'\r') => Framing::ChunkLf,
        (Framing::ChunkLf, b'\n') => Framing::Size(None),
        (Framing::Last, b'\r' | b'\n') => Framing::Last,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last_id(body: Body, pieces: &[&[u8]]) -> Result<Option<String>, String> {
        let mut stream = Stream::default();
        stream.begin(body);
        for piece in pieces {
            stream.read(piece)?;
        }
        Ok(stream.last_id().map(str::to_owned))
    }

    #[test]
    fn the_last_id_is_found_wherever_the_pieces_are_cut() {
        let text = b"c\r\n:\nretry: 1\r\n\r\n2;a=b\r\n\r\n\r\n8\r\ndata: b\n\r\n7\r\nid: y\n\n\r\n6\r\nid: z\n\r\n0\r\n\r\n";
        for cut in 0..=text.len() {
            let pieces = [&text[..cut], &text[cut..]];
            assert_eq!(last_id(Body::Chunked, &pieces), Ok(Some("y".to_owned())), "cut at {cut}");
        }
    }

    #[test]
    fn all_three_ends_of_line_are_ends_of_line() {
        for end in ["\n", "\r", "\r\n"] {
            let text = format!("data: a{end}id: 1{end}{end}data: b{end}id{end}{end}data{end}");
            assert_eq!(last_id(Body::UntilClose, &[text.as_bytes()]), Ok(Some(String::new())), "{end:?}");
        }
    }

    #[test]
    fn what_is_no_event_stream_is_an_error() {
        for (body, text, part) in [
            (Body::Chunked, &b"data: a\n\n"[..], "no chunk"),
            (Body::Chunked, b"2\r\n:\r\n\r\n", "no chunk"),
            (Body::Chunked, b"0\r\n\r\nx", "no chunk"),
            (Body::Chunked, b"11111111111111111\r\n", "no chunk"),
            (Body::UntilClose, b"<html>\n", "no field"),
            (Body::UntilClose, b"data: \xFF\n", "no UTF-8"),
        ] {
            let error = last_id(body, &[text]).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_new_connection_keeps_the_last_id_and_nothing_else() {
        let mut stream = Stream::default();
        stream.begin(Body::UntilClose);
        stream.read(b"id: 1\n\nid: 2\nda").unwrap();
        stream.begin(Body::Chunked);
        assert_eq!(stream.last_id(), Some("1"));
        stream.read(b"1\r\n\n\r\n").unwrap();
        assert_eq!(stream.last_id(), Some("1"));
    }
}
