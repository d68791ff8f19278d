//! Segments: how the files are called, how large they are, and what is at their front.
//!
//! Invariant: decoding never panics, whatever bytes come in.
//! Not here: the records behind the header (`record`).

use corecast_core::id::{Incarnation, Position};
use corecast_core::time::UnixMillis;
use crc32c::crc32c;

/// The version of the format that is written, and the only one that is read.
pub(super) const VERSION: u32 = 1;

/// Bytes of the header: records begin behind it.
pub(super) const HEADER_LEN: usize = 64;

const MAGIC: [u8; 8] = *b"corecast";
const CHECK_AT: usize = HEADER_LEN - 4;

/// How the names of segments end.
const SUFFIX: &str = ".log";

/// Digits of the position in a name, so that names sort like positions.
const DIGITS: usize = 20;

const SIZE_MIN: u64 = 64 << 10;
const SIZE_MAX: u64 = 64 << 20;

/// Segments that a full log has: retention takes whole ones, so what is kept varies by this part.
const SEGMENTS: u64 = 16;

/// What is at the front of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The log it belongs to.
    pub(super) incarnation: Incarnation,
    /// Hides the checks of records; the same in all segments of a log.
    pub(super) mask: u32,
    /// The position of its first event.
    pub(super) base: Position,
    /// When it was made, or `UNKNOWN`.
    pub(super) made: UnixMillis,
}

/// When a segment was made whose header repair had to make up.
pub(super) const UNKNOWN: UnixMillis = UnixMillis(u64::MAX);

/// Why there is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderFault {
    /// The bytes are not what was written, or not all of them were.
    Damaged,
    /// A whole header of another version.
    Version(u32),
}

impl Header {
    /// The bytes of the header, and the check that the first record has as its `previous`.
    #[must_use]
    pub(super) fn encode(&self) -> ([u8; HEADER_LEN], u32) {
        let mut out = [0; HEADER_LEN];
        let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC);
        put(8, &VERSION.to_le_bytes());
        put(12, &self.mask.to_le_bytes());
        put(16, &self.incarnation.0.to_le_bytes());
        put(24, &self.base.0.to_le_bytes());
        put(32, &self.made.0.to_le_bytes());
        let check = crc32c(&out[..CHECK_AT]);
        out[CHECK_AT..].copy_from_slice(&check.to_le_bytes());
        (out, check)
    }

    /// Reads a header and its check.
    ///
    /// # Errors
    /// See [`HeaderFault`]. Every version has magic, version and checksum where this one has them.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, u32), HeaderFault> {
        let bytes = bytes.first_chunk::<HEADER_LEN>().ok_or(HeaderFault::Damaged)?;
        let u32_at = |at: usize| u32::from_le_bytes(*bytes[at..].first_chunk().expect("within the header"));
        let u64_at = |at: usize| u64::from_le_bytes(*bytes[at..].first_chunk().expect("within the header"));
        let check = u32_at(CHECK_AT);
        if !bytes.starts_with(&MAGIC) || crc32c(&bytes[..CHECK_AT]) != check {
            return Err(HeaderFault::Damaged);
        }
        if u32_at(8) != VERSION {
            return Err(HeaderFault::Version(u32_at(8)));
        }
        let header = Self {
            incarnation: Incarnation(u64_at(16)),
            mask: u32_at(12),
            base: Position(u64_at(24)),
            made: UnixMillis(u64_at(32)),
        };
        Ok((header, check))
    }
}

/// The name of the segment that begins with the event at `base`.
#[must_use]
pub(super) fn name(base: Position) -> String {
    format!("{:0DIGITS$}{SUFFIX}", base.0)
}

/// The position in the name of a segment; `None` if this is no such name.
#[must_use]
pub(super) fn base_of(name: &str) -> Option<Position> {
    let digits = name.strip_suffix(SUFFIX)?;
    let is_canonical = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    let base = digits.parse().ok().filter(|_| is_canonical)?;
    // Positions begin at 1, and the one after the last must exist.
    (1..u64::MAX).contains(&base).then_some(Position(base))
}

/// Bytes after which a segment is full, in a log that may have so many.
#[must_use]
pub(super) const fn size(log_bytes: u64) -> u64 {
    let size = log_bytes / SEGMENTS;
    if size < SIZE_MIN {
        SIZE_MIN
    } else if size > SIZE_MAX {
        SIZE_MAX
    } else {
        size
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header() -> Header {
        Header {
            incarnation: Incarnation(0xabc),
            mask: 0x1234_5678,
            base: Position(17),
            made: UnixMillis(1_800_000_000_000),
        }
    }

    #[test]
    fn a_header_comes_back_and_no_bit_of_it_can_flip() {
        let (bytes, check) = header().encode();
        assert_eq!(Header::decode(&bytes), Ok((header(), check)));
        for bit in 0..HEADER_LEN * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&flipped), Err(HeaderFault::Damaged), "bit {bit}");
        }
        for len in 0..HEADER_LEN {
            assert_eq!(Header::decode(&bytes[..len]), Err(HeaderFault::Damaged), "{len} bytes");
        }
    }

    #[test]
    fn a_header_of_another_version_is_told_from_a_damaged_one() {
        let (mut bytes, _) = header().encode();
        bytes[8] = 2;
        let check = crc32c(&bytes[..CHECK_AT]);
        bytes[CHECK_AT..].copy_from_slice(&check.to_le_bytes());
        assert_eq!(Header::decode(&bytes), Err(HeaderFault::Version(2)));
    }

    #[test]
    fn names_have_one_spelling() {
        assert_eq!(name(Position(17)), "00000000000000000017.log");
        assert_eq!(base_of("00000000000000000017.log"), Some(Position(17)));
        for other in [
            "17.log",
            "000000000000000000017.log",
            "0000000000000000001x.log",
            "+0000000000000000017.log",
            "00000000000000000017.log.damaged",
            "00000000000000000000.log",
            "18446744073709551615.log",
            "99999999999999999999.log",
            "",
        ] {
            assert_eq!(base_of(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn decoding_takes_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..100), text in ".*") {
            let _ = (Header::decode(&bytes), base_of(&text));
        }
    }
}
