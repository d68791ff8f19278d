//! Mutations of seeds: small damage of the kinds that break parsers.

use fastrand::Rng;

/// Bytes and words that parsers take for structure.
const WORDS: &[&[u8]] = &[
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b";",
    b"=",
    b"&",
    b"%",
    b"+",
    b",",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b"0",
    b"f",
    b"-1",
    b"\xff",
    b"\xc3\xa9",
    b"\xe2\x80\xa8",
    b"\xef\xbb\xbf",
    b"*",
    b"chunked",
    b"18446744073709551616",
];

/// A seed with one to eight damages; now and then plain noise.
#[must_use]
pub fn mutated(rng: &mut Rng, seeds: &[&[u8]]) -> Vec<u8> {
    if seeds.is_empty() || rng.u8(..) < 8 {
        let len = rng.usize(..64);
        return std::iter::repeat_with(|| rng.u8(..)).take(len).collect();
    }
    let mut bytes = seeds[rng.usize(..seeds.len())].to_vec();
    for _ in 0..rng.usize(1..=8) {
        damage(rng, &mut bytes, seeds);
    }
    bytes
}

fn damage(rng: &mut Rng, bytes: &mut Vec<u8>, seeds: &[&[u8]]) {
    let start = rng.usize(..=bytes.len());
    let end = rng.usize(start..=bytes.len().min(start + 16));
    match rng.u8(..6) {
        0 => bytes.truncate(start),
        1 => drop(bytes.drain(start..end)),
        2 => {
            let copy = bytes[start..end].to_vec();
            bytes.splice(start..start, copy);
        }
        3 => bytes[start..end].fill_with(|| rng.u8(..)),
        4 => {
            let word = WORDS[rng.usize(..WORDS.len())];
            bytes.splice(start..end, word.iter().copied());
        }
        _ => {
            let other = seeds[rng.usize(..seeds.len())];
            bytes.splice(start.., other[rng.usize(..=other.len())..].iter().copied());
        }
    }
}
