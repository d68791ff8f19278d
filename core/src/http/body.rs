//! Request bodies, decoded as they arrive: a known length, or chunks (RFC 9112 §7.1).
//!
//! Invariant: the same bytes give the same body and the same end, however they are cut into pieces.
//! Chunk extensions and trailer fields are bounded and discarded. As in heads, only CRLF ends a line.

use std::fmt;

use super::Status;
use super::head::{BodyLength, is_token_byte};
use crate::limits::{CHUNK_EXTRA_BYTES_MAX, CHUNK_LINE_BYTES_MAX};

/// Decodes one body.
#[derive(Clone, Debug)]
pub struct BodyDecoder {
    state: State,
    /// Bytes of data given out so far.
    decoded: usize,
    /// Bytes of extensions and trailer fields read so far.
    extra: usize,
    /// Bytes of the size line being read.
    line: usize,
}

/// How far a call to `decode` came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Bytes of the input that belong to the body.
    pub consumed: usize,
    /// Whether the body has ended. Input behind `consumed` is the next request's.
    pub complete: bool,
}

/// Why a body is refused. Where the next request begins is unknown then: the connection closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// More data than the bound, in bytes.
    TooLarge {
        /// The bound.
        bytes_max: usize,
    },
    /// Chunks that break the syntax, or have more beside the data than anyone needs.
    Malformed,
}

/// ```text
///  Size ─▶ Space ─▶ Extension ─▶ SizeLf ─▶ Data ─▶ DataCr ─▶ DataLf ─▶ Size …
///                                   └─ size 0 ─▶ Trailer ─▶ TrailerName ─▶ TrailerValue ─▶ TrailerLf ─▶ Trailer …
///                                                   └─────▶ EndLf ─▶ Complete
///  Length ─▶ Complete
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// So many bytes of data are left of a body of known length.
    Length(u64),
    /// In the hexadecimal digits of a chunk's size; `None` before the first.
    Size(Option<u64>),
    /// Behind white space that follows a size: only `;` may come.
    Space(u64),
    /// In the extensions of a chunk of this size.
    Extension(u64),
    /// Behind the CR of a size line.
    SizeLf(u64),
    /// So many bytes of data are left of this chunk.
    Data(u64),
    DataCr,
    DataLf,
    /// At the start of a trailer line.
    Trailer,
    TrailerName,
    TrailerValue,
    TrailerLf,
    /// Behind the CR of the last line.
    EndLf,
    Complete,
}

impl BodyDecoder {
    /// A decoder for a body of this length.
    #[must_use]
    pub fn new(length: BodyLength) -> Self {
        let state = match length {
            BodyLength::None | BodyLength::Length(0) => State::Complete,
            BodyLength::Length(bytes) => State::Length(bytes),
            BodyLength::Chunked => State::Size(None),
        };
        Self { state, decoded: 0, extra: 0, line: 0 }
    }

    /// Takes `input` and appends the data in it to `out`, of which the whole body may have `bytes_max` bytes.
    ///
    /// An announced size above the bound is refused before its data comes, so a call with empty input tells whether
    /// a `100 Continue` makes sense.
    ///
    /// # Errors
    ///
    /// Too much data, or broken chunks. What has been appended to `out` is not to be used then.
    pub fn decode(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        bytes_max: usize,
    ) -> Result<Decoded, BodyError> {
        let mut rest = input;
        self.check_room(bytes_max)?;
        while self.state != State::Complete {
            if let State::Length(left) | State::Data(left) = self.state {
                let (data, behind) =
                    rest.split_at(rest.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
                out.extend_from_slice(data);
                self.on_data(data.len() as u64);
                rest = behind;
                if data.is_empty() {
                    break;
                }
            } else {
                let Some((&byte, behind)) = rest.split_first() else {
                    break;
                };
                self.state = self.next(byte)?;
                self.check_room(bytes_max)?;
                rest = behind;
            }
        }
        Ok(Decoded { consumed: input.len() - rest.len(), complete: self.state == State::Complete })
    }

    fn on_data(&mut self, bytes: u64) {
        self.decoded += usize::try_from(bytes).expect("bytes of a slice");
        self.state = match self.state {
            State::Length(left) if left == bytes => State::Complete,
            State::Length(left) => State::Length(left - bytes),
            State::Data(left) if left == bytes => State::DataCr,
            State::Data(left) => State::Data(left - bytes),
            other => other,
        };
    }

    /// Whether what has been announced still fits. Checked as soon as a size is known.
    fn check_room(&self, bytes_max: usize) -> Result<(), BodyError> {
        let announced = match self.state {
            State::Length(left) | State::Data(left) => left,
            State::Size(Some(size)) => size,
            _ => 0,
        };
        let room = bytes_max.saturating_sub(self.decoded) as u64;
        if announced > room { Err(BodyError::TooLarge { bytes_max }) } else { Ok(()) }
    }

    /// The state behind one byte of a line.
    fn next(&mut self, byte: u8) -> Result<State, BodyError> {
        self.count()?;
        match (self.state, byte) {
            (State::Size(size), _) if byte.is_ascii_hexdigit() => with_digit(size.unwrap_or(0), byte),
            (State::Size(Some(size)), b'\r') => Ok(State::SizeLf(size)),
            (State::Size(Some(size)), b';') => Ok(State::Extension(size)),
            (State::Size(Some(size)) | State::Space(size), b' ' | b'\t') => Ok(State::Space(size)),
            (State::Space(size), b';') => Ok(State::Extension(size)),
            (State::Extension(size), b'\r') => Ok(State::SizeLf(size)),
            (State::Extension(size), _) if is_text(byte) => Ok(State::Extension(size)),
            (State::SizeLf(0), b'\n') => Ok(State::Trailer),
            (State::SizeLf(size), b'\n') => Ok(State::Data(size)),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size(None)),
            (State::Trailer, b'\r') => Ok(State::EndLf),
            (State::Trailer | State::TrailerName, _) if is_token_byte(byte) => Ok(State::TrailerName),
            (State::TrailerName, b':') => Ok(State::TrailerValue),
            (State::TrailerValue, b'\r') => Ok(State::TrailerLf),
            (State::TrailerValue, _) if is_text(byte) => Ok(State::TrailerValue),
            (State::TrailerLf, b'\n') => Ok(State::Trailer),
            (State::EndLf, b'\n') => Ok(State::Complete),
            _ => Err(BodyError::Malformed),
        }
    }

    /// Counts a byte that is not data against the bounds of its line and of the body.
    fn count(&mut self) -> Result<(), BodyError> {
        match self.state {
            State::Size(None) => self.line = 1,
            State::Size(Some(_)) | State::SizeLf(_) => self.line += 1,
            State::Space(_) | State::Extension(_) => {
                self.line += 1;
                self.extra += 1;
            }
            State::Trailer | State::TrailerName | State::TrailerValue | State::TrailerLf => self.extra += 1,
            State::DataCr | State::DataLf | State::EndLf | State::Complete => {}
            State::Length(_) | State::Data(_) => {}
        }
        if self.line > CHUNK_LINE_BYTES_MAX || self.extra > CHUNK_EXTRA_BYTES_MAX {
            return Err(BodyError::Malformed);
        }
        Ok(())
    }
}

/// A size above 64 bits is refused, not wrapped: it would end the body early for us alone.
fn with_digit(size: u64, digit: u8) -> Result<State, BodyError> {
    let digit = (digit as char).to_digit(16).ok_or(BodyError::Malformed)?;
    let size = size.checked_mul(16).ok_or(BodyError::Malformed)?;
    Ok(State::Size(Some(size + u64::from(digit))))
}

/// What may stand in an extension or a field's value: no control character but TAB.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

impl BodyError {
    /// What to answer.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::TooLarge { .. } => Status::ContentTooLarge,
            Self::Malformed => Status::BadRequest,
        }
    }

    /// The `error` of the answer's body.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "body_too_large",
            Self::Malformed => "malformed_request",
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes_max } => write!(f, "the body is larger than {bytes_max} bytes"),
            Self::Malformed => f.write_str("the body's chunks are malformed"),
        }
    }
}

impl std::error::Error for BodyError {}

#[cfg(test)]
mod tests;
