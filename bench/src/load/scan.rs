//! Finds marks in a stream of bytes that arrives in pieces of any size.
//!
//! Invariant: a mark is found whole wherever the pieces are cut, and wherever a server begins a new chunk (RFC 9112 §7.1)
//! inside it. A `~` that begins no mark is an error, so nothing is skipped.
//! Not here: whether the bytes between marks make an event stream (`stream`).

use memchr::memchr;

use crate::mark::{BEGIN, LEN, Mark};

/// Bytes that begin like a mark and go on differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoMark;

/// What is known of a mark of which only a part has arrived.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Carry {
    bytes: [u8; LEN - 1],
    /// Of `bytes`; 0 if no mark has begun.
    len: u8,
    boundary: Boundary,
}

/// How much of a chunk's end and the next one's beginning (`CRLF HEX CRLF`) has come inside a mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Boundary {
    #[default]
    Outside,
    FirstCr,
    Size,
    LastCr,
}

impl Carry {
    /// Calls `found` for each mark that `bytes` complete, in order, until it says no.
    #[inline]
    pub(super) fn scan<E: From<NoMark>>(
        &mut self,
        bytes: &[u8],
        mut found: impl FnMut(Mark) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = bytes;
        if self.len > 0 {
            rest = self.complete(rest, &mut found)?;
        }
        while let Some(begin) = memchr(BEGIN, rest) {
            rest = &rest[begin..];
            rest = match Mark::read(rest) {
                Some(mark) => {
                    found(mark)?;
                    &rest[LEN..]
                }
                None => self.complete(rest, &mut found)?,
            };
        }
        Ok(())
    }

    /// Takes bytes of a mark one by one, and returns those behind it.
    #[cold]
    fn complete<'a, E: From<NoMark>>(
        &mut self,
        bytes: &'a [u8],
        found: &mut impl FnMut(Mark) -> Result<(), E>,
    ) -> Result<&'a [u8], E> {
        for (index, &byte) in bytes.iter().enumerate() {
            if let Some(mark) = self.take(byte)? {
                found(mark)?;
                return Ok(&bytes[index + 1..]);
            }
        }
        Ok(&[])
    }

    /// Takes one byte; the mark, if that was its last.
    fn take(&mut self, byte: u8) -> Result<Option<Mark>, NoMark> {
        self.boundary = match (self.boundary, byte) {
            (Boundary::Outside, b'\r') if self.len > 0 => Boundary::FirstCr,
            (Boundary::Outside, _) => return self.take_part(byte),
            (Boundary::FirstCr, b'\n') => Boundary::Size,
            (Boundary::Size, b'\r') => Boundary::LastCr,
            (Boundary::Size, _) if byte.is_ascii_hexdigit() => Boundary::Size,
            (Boundary::LastCr, b'\n') => Boundary::Outside,
            (Boundary::FirstCr | Boundary::Size | Boundary::LastCr, _) => return Err(NoMark),
        };
        Ok(None)
    }

    fn take_part(&mut self, byte: u8) -> Result<Option<Mark>, NoMark> {
        let len = usize::from(self.len);
        if let Some(place) = self.bytes.get_mut(len) {
            let is_due = if len == 0 { byte == BEGIN } else { is_digit(byte) };
            if !is_due {
                return Err(NoMark);
            }
            *place = byte;
            self.len += 1;
            return Ok(None);
        }
        let mut whole = [byte; LEN];
        whole[..LEN - 1].copy_from_slice(&self.bytes);
        *self = Self::default();
        Mark::read(&whole).map(Some).ok_or(NoMark)
    }
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKS: [Mark; 3] = [
        Mark { stream: crate::mark::TO_ALL, number: 0, intended_ns: u64::MAX },
        Mark { stream: 7, number: u32::MAX, intended_ns: 0 },
        Mark { stream: 7, number: 1, intended_ns: 2 },
    ];

    fn event(mark: &Mark) -> Vec<u8> {
        let mut bytes = b"data: ".to_vec();
        mark.write(40, &mut bytes);
        bytes.extend_from_slice(b"\nid: 0123-4\n\n");
        bytes
    }

    fn chunk(block: &[u8]) -> Vec<u8> {
        [format!("{:x}\r\n", block.len()).as_bytes(), block, b"\r\n"].concat()
    }

    fn found(pieces: &[&[u8]]) -> Result<Vec<Mark>, NoMark> {
        let (mut carry, mut marks) = (Carry::default(), Vec::new());
        for piece in pieces {
            carry.scan(piece, |mark| {
                marks.push(mark);
                Ok::<(), NoMark>(())
            })?;
        }
        Ok(marks)
    }

    #[test]
    fn marks_are_found_wherever_the_pieces_are_cut() {
        let stream: Vec<u8> = MARKS.iter().flat_map(|mark| chunk(&event(mark))).collect();
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
                assert_eq!(found(&pieces), Ok(MARKS.to_vec()), "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn marks_are_found_wherever_a_chunk_ends() {
        let events: Vec<u8> = MARKS.iter().flat_map(event).collect();
        for place in 1..events.len() {
            let stream = [chunk(&events[..place]), chunk(&events[place..])].concat();
            assert_eq!(found(&[&stream]), Ok(MARKS.to_vec()), "chunk of {place} bytes");
            for cut in 0..stream.len() {
                let pieces = [&stream[..cut], &stream[cut..]];
                assert_eq!(found(&pieces), Ok(MARKS.to_vec()), "chunk of {place} bytes, cut at {cut}");
            }
        }
    }

    #[test]
    fn what_only_begins_like_a_mark_is_an_error() {
        let whole = event(&MARKS[0]);
        let begin = memchr(BEGIN, &whole).unwrap();
        for place in begin + 1..begin + LEN {
            for byte in *b"g~G \n." {
                let mut stream = whole.clone();
                stream[place] = byte;
                assert_eq!(found(&[&stream]), Err(NoMark), "{byte:#x} at {place}");
            }
        }
        for boundary in [&b"\rx"[..], b"\r\nx", b"\r\n5\rx"] {
            let stream = [&whole[..begin + 9], boundary].concat();
            assert_eq!(found(&[&stream]), Err(NoMark), "{boundary:?}");
        }
    }
}
