//! The files in which the kernel says what it allows: `/proc` and `/sys`, below a root that tests replace.
//!
//! Invariant: whatever is in a file, reading it takes bounded memory and ends in a value or in words for a reader, free
//! of what would steer a terminal. Not here: what the values mean.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Far more than any file here has; a list of mounts is the longest.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What of a text that makes no sense is shown.
const SHOWN_CHARS_MAX: usize = 60;

/// See the module.
#[derive(Clone, Debug)]
pub struct Machine {
    root: PathBuf,
}

/// Why a file says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    Missing(PathBuf),
    Refused(PathBuf, String),
    Garbage(PathBuf, String),
}

impl Machine {
    /// The machine whose `/proc` and `/sys` are in `root`: `/` for this one.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// What is in `path`, relative to the root; bytes that are no UTF-8 are replaced.
    pub(super) fn text(&self, path: impl AsRef<Path>) -> Result<String, Unread> {
        let path = path.as_ref();
        let mut bytes = Vec::new();
        File::open(self.root.join(path))
            .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes))
            .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Unread::Missing(absolute(path)),
            _ => Unread::Refused(absolute(path), error.to_string()),
        })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The first `N` numbers in `path`.
    pub(super) fn numbers<const N: usize>(&self, path: impl AsRef<Path>) -> Result<[u64; N], Unread> {
        let text = self.text(&path)?;
        let numbers = text.split_whitespace().take(N).map(str::parse).collect::<Result<Vec<u64>, _>>();
        let numbers = numbers.ok().and_then(|numbers| numbers.try_into().ok());
        numbers.ok_or_else(|| garbage(path, &text))
    }

    /// The first number in `path`.
    pub(super) fn number(&self, path: impl AsRef<Path>) -> Result<u64, Unread> {
        self.numbers(path).map(|[number]| number)
    }

    /// What stands after `key` on its line in `path`, for which `read` finds a meaning.
    pub(super) fn field<T>(
        &self,
        path: &str,
        key: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Unread> {
        let text = self.text(path)?;
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        let line = line.ok_or_else(|| garbage(path, &format!("no line {key:?}")))?;
        read(line.trim()).ok_or_else(|| garbage(path, line))
    }
}

/// A file that was read and makes no sense.
pub(super) fn garbage(path: impl AsRef<Path>, text: &str) -> Unread {
    Unread::Garbage(absolute(path.as_ref()), plain(text))
}

/// The first words of `text`, on one line and without control characters.
pub(super) fn plain(text: &str) -> String {
    let text = text.trim();
    let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).flat_map(printable).collect();
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

fn printable(c: char) -> impl Iterator<Item = char> {
    let is_blank = c.is_whitespace();
    let escaped = (c.is_control() && !is_blank).then(|| c.escape_default());
    let kept = escaped.is_none().then_some(if is_blank { ' ' } else { c });
    escaped.into_iter().flatten().chain(kept)
}

fn absolute(path: &Path) -> PathBuf {
    Path::new("/").join(path)
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(path) => write!(f, "{} is not there", path.display()),
            Self::Refused(path, why) => write!(f, "{} cannot be read: {why}", path.display()),
            Self::Garbage(path, text) if text.is_empty() => write!(f, "{} is empty", path.display()),
            Self::Garbage(path, text) => write!(f, "{} makes no sense: {text}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_short_and_steers_no_terminal() {
        for (text, shown) in [
            ("", ""),
            (" 6.18.44\n", "6.18.44"),
            ("a\tb\nc", "a b c"),
            ("\u{1b}[2Jred", "\\u{1b}[2Jred"),
            ("\0", "\\u{0}"),
        ] {
            assert_eq!(plain(text), shown);
        }
        assert_eq!(plain(&"x".repeat(1 << 20)).chars().count(), SHOWN_CHARS_MAX + 1);
    }
}
