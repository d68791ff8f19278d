//! The payload of every measured event: which it is, when it was meant to be sent, and padding.
//!
//! A mark begins with a byte that no framing of SSE or HTTP contains, so a reader finds it however a server wraps, merges
//! or chunks its events. A receiver checks order, loss and duplicates by the number, and the latency by the time.
//! Not here: the search in a stream of bytes (`load`), and the check of the framing itself.

/// The first byte of a mark: in no header, chunk size, field name or padding.
pub const BEGIN: u8 = b'~';

/// Bytes of a mark: `~` and 8, 8 and 16 hexadecimal digits.
pub const LEN: usize = 1 + 8 + 8 + 16;

/// The stream of events to everybody; others are numbers of users.
pub const TO_ALL: u32 = u32::MAX;

/// What one event says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Whose events are numbered: [`TO_ALL`], or the number of a user.
    pub stream: u32,
    /// Counts the events of its stream from 0, without gaps.
    pub number: u32,
    /// When it was meant to be sent: nanoseconds of `CLOCK_MONOTONIC`, which all processes of a machine share.
    pub intended_ns: u64,
}

impl Mark {
    /// Writes the data of an event of `len` bytes: the mark, then padding. At least the mark is written.
    pub fn write(&self, len: usize, out: &mut Vec<u8>) {
        let begin = out.len();
        out.push(BEGIN);
        write_hex(u64::from(self.stream), 8, out);
        write_hex(u64::from(self.number), 8, out);
        write_hex(self.intended_ns, 16, out);
        out.resize(begin + len.max(LEN), b'.');
    }

    /// Reads a mark that begins at the beginning of `bytes`; `None` if these are not [`LEN`] bytes of one.
    #[must_use]
    #[inline]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; LEN] = bytes.first_chunk()?;
        if bytes[0] != BEGIN {
            return None;
        }
        let stream = read_hex(bytes[1..9].try_into().expect("eight digits"))?;
        let number = read_hex(bytes[9..17].try_into().expect("eight digits"))?;
        let high = read_hex(bytes[17..25].try_into().expect("eight digits"))?;
        let low = read_hex(bytes[25..33].try_into().expect("eight digits"))?;
        Some(Self { stream, number, intended_ns: u64::from(high) << 32 | u64::from(low) })
    }
}

fn write_hex(value: u64, digits: u32, out: &mut Vec<u8>) {
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(value >> (4 * digit)) as usize & 15]);
    }
}

/// Eight lower-case hexadecimal digits, all at once: a loop over digits would cost as much as the rest of a delivery.
#[inline]
fn read_hex(digits: [u8; 8]) -> Option<u32> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let text = u64::from_be_bytes(digits);
    // A digit 0x30..=0x39 is its low half; a letter 0x61..=0x66 is its low half and 9, which bit 6 tells.
    let letters = (text >> 6) & ONES;
    let halves = (text & (0x0F * ONES)) + letters * 9;
    if halves & (0xF0 * ONES) != 0 || write_back(halves) != text {
        return None;
    }
    let pairs = (halves | halves >> 4) & 0x00FF_00FF_00FF_00FF;
    let quads = (pairs | pairs >> 8) & 0x0000_FFFF_0000_FFFF;
    Some((quads | quads >> 16) as u32)
}

/// The digits of eight halves: what is not written back the same was no digit.
#[inline]
fn write_back(halves: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // Adding 6 carries into bit 4 exactly for 10..=15.
    let letters = ((halves + 6 * ONES) >> 4) & ONES;
    halves + 0x30 * ONES + letters * (0x61 - 10 - 0x30)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back_as_written() {
        for mark in [
            Mark { stream: 0, number: 0, intended_ns: 0 },
            Mark { stream: TO_ALL, number: u32::MAX, intended_ns: u64::MAX },
            Mark { stream: 0x0123_4567, number: 0x89AB_CDEF, intended_ns: 0xFEDC_BA98_7654_3210 },
        ] {
            let mut bytes = Vec::new();
            mark.write(100, &mut bytes);
            assert_eq!(bytes.len(), 100);
            assert_eq!(Mark::read(&bytes), Some(mark));
            assert_eq!(Mark::read(&bytes[..LEN - 1]), None);
        }
    }

    #[test]
    fn each_byte_that_is_no_digit_is_noticed_at_each_place() {
        let mut bytes = Vec::new();
        Mark { stream: 1, number: 2, intended_ns: 3 }.write(LEN, &mut bytes);
        for place in 1..LEN {
            for byte in 0..=255_u8 {
                let mut changed = bytes.clone();
                changed[place] = byte;
                let is_digit = byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
                assert_eq!(Mark::read(&changed).is_some(), is_digit, "byte {byte:#x} at {place}");
            }
        }
    }
}
