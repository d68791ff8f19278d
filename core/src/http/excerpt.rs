//! A bounded copy of a name from outside, so that an error can show it without owning memory.
//!
//! Invariant: the bytes up to `len` are UTF-8.

use std::fmt;

const EXCERPT_BYTES_MAX: usize = 40;

/// The first bytes of a text that a peer sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Excerpt {
    bytes: [u8; EXCERPT_BYTES_MAX],
    len: u8,
    is_cut: bool,
}

impl Excerpt {
    /// Keeps the start of `text`, up to a whole character.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let ends = text.char_indices().map(|(start, char)| start + char.len_utf8());
        let len = ends.take_while(|&end| end <= EXCERPT_BYTES_MAX).last().unwrap_or(0);
        let mut bytes = [0; EXCERPT_BYTES_MAX];
        bytes[..len].copy_from_slice(&text.as_bytes()[..len]);
        Self { bytes, len: u8::try_from(len).expect("len <= 40"), is_cut: len < text.len() }
    }

    /// Keeps the start of what may be no text at all.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        // A character has at most four bytes, and four times the bound is more than is kept.
        let start = &bytes[..bytes.len().min(EXCERPT_BYTES_MAX * 4)];
        Self::of(&String::from_utf8_lossy(start))
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..usize::from(self.len)]).expect("cut at a character boundary")
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}{}`", self.as_str().escape_debug(), if self.is_cut { "…" } else { "" })
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_start_is_kept_and_shown_harmlessly() {
        for (text, shown) in [
            ("topik".to_owned(), "`topik`".to_owned()),
            ("a\nb\u{0}".to_owned(), "`a\\nb\\0`".to_owned()),
            ("x".repeat(41), format!("`{}…`", "x".repeat(40))),
            ("é".repeat(41), format!("`{}…`", "é".repeat(20))),
            (format!("{}é", "x".repeat(39)), format!("`{}…`", "x".repeat(39))),
        ] {
            assert_eq!(Excerpt::of(&text).to_string(), shown);
        }
        assert_eq!(Excerpt::of_bytes(b"a\xffb").to_string(), "`a\u{fffd}b`");
    }
}
