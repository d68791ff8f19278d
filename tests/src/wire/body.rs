//! Body framing of responses (RFC 9112 §6 and §7.1): none, a length, chunks, or the end of the connection.
//!
//! Not here: chunk extensions and trailers. The hub sends none, so they are errors.

use super::head::ResponseHead;
use super::{WireError, printable};

/// A chunk size of more digits is no frame of this hub.
const SIZE_LINE_BYTES_MAX: usize = 8;

/// What came out of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Payload, cut wherever the input was.
    Data(&'a [u8]),
    /// The chunk whose payload came before is complete.
    ChunkEnd,
}

/// Takes a body's framing away.
#[derive(Debug)]
pub struct BodyDecoder(State);

#[derive(Debug)]
enum State {
    Length { left: u64 },
    Size { line: Vec<u8> },
    Payload { left: usize },
    PayloadEnd { cr: bool },
    LastEnd { cr: bool },
    UntilClose,
    Complete,
}

impl BodyDecoder {
    /// The framing that `head` announces for an answer to a request other than `HEAD`.
    pub fn for_head(head: &ResponseHead) -> Result<Self, WireError> {
        let length = head.field("content-length");
        let coding = head.field("transfer-encoding");
        let state = match (length, coding) {
            _ if head.status == 204 || head.status == 304 || head.status < 200 => {
                if length.is_some() || coding.is_some() {
                    return Err(WireError::new(format!("body framing on a bodiless status: {head:?}")));
                }
                State::Complete
            }
            (Some(_), Some(_)) => return Err(WireError::new("both content-length and transfer-encoding")),
            (Some(length), None) => Self::length(length)?,
            (None, Some("chunked")) if head.version == 1 => State::Size { line: Vec::new() },
            (None, Some(coding)) => return Err(WireError::new(format!("transfer-encoding {coding:?}"))),
            (None, None) => State::UntilClose,
        };
        Ok(Self(state))
    }

    /// For an answer that has no body whatever its head says.
    #[must_use]
    pub fn none() -> Self {
        Self(State::Complete)
    }

    fn length(value: &str) -> Result<State, WireError> {
        match value.parse() {
            Ok(0) => Ok(State::Complete),
            Ok(left) => Ok(State::Length { left }),
            Err(e) => Err(WireError::new(format!("content-length {value:?}: {e}"))),
        }
    }

    /// Whether the body has said that it is complete.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.0, State::Complete)
    }

    /// Whether only the end of the connection ends this body.
    #[must_use]
    pub fn is_close_delimited(&self) -> bool {
        matches!(self.0, State::UntilClose)
    }

    /// Whether a chunk has begun and not ended.
    #[must_use]
    pub fn is_inside_chunk(&self) -> bool {
        match &self.0 {
            State::Size { line } => !line.is_empty(),
            State::Payload { .. } | State::PayloadEnd { .. } | State::LastEnd { .. } => true,
            State::Length { .. } | State::UntilClose | State::Complete => false,
        }
    }

    /// Decodes the front of `bytes` and says how many were taken; the rest belongs to the next response.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        mut take: impl FnMut(Piece<'_>) -> Result<(), WireError>,
    ) -> Result<usize, WireError> {
        let mut at = 0;
        while at < bytes.len() && !self.is_complete() {
            at += self.step(&bytes[at..], &mut take)?;
        }
        Ok(at)
    }

    fn step(
        &mut self,
        bytes: &[u8],
        take: &mut impl FnMut(Piece<'_>) -> Result<(), WireError>,
    ) -> Result<usize, WireError> {
        match &mut self.0 {
            State::Complete => Ok(0),
            State::UntilClose => {
                take(Piece::Data(bytes))?;
                Ok(bytes.len())
            }
            State::Length { left } => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= taken as u64;
                if *left == 0 {
                    self.0 = State::Complete;
                }
                take(Piece::Data(&bytes[..taken]))?;
                Ok(taken)
            }
            State::Size { line } => {
                line.push(bytes[0]);
                if line.len() > SIZE_LINE_BYTES_MAX + 2 {
                    return Err(WireError::new(format!("chunk size line {}", printable(line))));
                }
                if line.ends_with(b"\r\n") {
                    self.0 = after_size_line(line)?;
                }
                Ok(1)
            }
            State::Payload { left } => {
                let taken = (*left).min(bytes.len());
                *left -= taken;
                if *left == 0 {
                    self.0 = State::PayloadEnd { cr: false };
                }
                take(Piece::Data(&bytes[..taken]))?;
                Ok(taken)
            }
            State::PayloadEnd { cr } => {
                if line_end(bytes[0], cr)? {
                    self.0 = State::Size { line: Vec::new() };
                    take(Piece::ChunkEnd)?;
                }
                Ok(1)
            }
            State::LastEnd { cr } => {
                if line_end(bytes[0], cr)? {
                    self.0 = State::Complete;
                }
                Ok(1)
            }
        }
    }
}

fn after_size_line(line: &[u8]) -> Result<State, WireError> {
    let digits = &line[..line.len() - 2];
    let bad = || WireError::new(format!("chunk size line {}", printable(line)));
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(bad());
    }
    let digits = std::str::from_utf8(digits).map_err(|_| bad())?;
    match usize::from_str_radix(digits, 16).map_err(|_| bad())? {
        0 => Ok(State::LastEnd { cr: false }),
        left => Ok(State::Payload { left }),
    }
}

/// True once the line feed of a CR LF has come.
fn line_end(byte: u8, cr: &mut bool) -> Result<bool, WireError> {
    match (byte, *cr) {
        (b'\r', false) => {
            *cr = true;
            Ok(false)
        }
        (b'\n', true) => Ok(true),
        _ => Err(WireError::new(format!("byte {byte:#04x} where a chunk must end"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoder(fields: &[(&str, &str)]) -> Result<BodyDecoder, WireError> {
        let fields = fields.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect();
        BodyDecoder::for_head(&ResponseHead { version: 1, status: 200, fields })
    }

    /// Payload with a `|` at each end of a chunk, and how much of the input was taken.
    fn decode(decoder: &mut BodyDecoder, parts: &[&[u8]]) -> Result<(String, usize), WireError> {
        let mut text = String::new();
        let mut taken = 0;
        for part in parts {
            taken += decoder.feed(part, |piece| {
                match piece {
                    Piece::Data(data) => text.push_str(std::str::from_utf8(data).unwrap()),
                    Piece::ChunkEnd => text.push('|'),
                }
                Ok(())
            })?;
        }
        Ok((text, taken))
    }

    #[test]
    fn chunks_cut_anywhere_give_the_same_payload() {
        let body = b"5\r\nhello\r\n2\r\n:\n\r\n0\r\n\r\nnext";
        for cut in 0..=body.len() {
            let mut decoder = decoder(&[("transfer-encoding", "chunked")]).unwrap();
            let (text, taken) = decode(&mut decoder, &[&body[..cut], &body[cut..]]).unwrap();
            assert_eq!((text.as_str(), taken), ("hello|:\n|", body.len() - 4), "cut at {cut}");
            assert!(decoder.is_complete());
        }
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for body in [
            "\r\n",
            "x\r\n",
            "5;a=b\r\nhello\r\n",
            "5\nhello\r\n",
            "5\r\nhelloX",
            "0\r\nTrailer: x\r\n\r\n",
            "123456789\r\n",
        ] {
            let mut decoder = decoder(&[("transfer-encoding", "chunked")]).unwrap();
            assert!(decode(&mut decoder, &[body.as_bytes()]).is_err(), "{body:?}");
        }
    }

    #[test]
    fn a_length_is_taken_exactly() {
        let mut decoder = decoder(&[("content-length", "3")]).unwrap();
        assert_eq!(decode(&mut decoder, &[b"ab", b"cde"]), Ok(("abc".to_owned(), 3)));
        assert!(decoder.is_complete());
    }

    #[test]
    fn two_framings_at_once_are_refused() {
        assert!(decoder(&[("content-length", "3"), ("transfer-encoding", "chunked")]).is_err());
    }
}
