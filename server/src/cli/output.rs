//! Standard output, a line at a time: each is out before the next is made, also into a pipe.

use std::io::{self, Write};

/// Writes `line` with a line end, at once.
pub(super) fn line(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Writes `text` as it is.
pub(super) fn text(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
