//! Response heads (RFC 9112 §4 and §5), read strictly.
//!
//! Not here: what the fields mean for the body; see `body`.

use super::{WireError, printable};

/// Far above any head the hub sends, so a missing blank line is noticed.
const HEAD_BYTES_MAX: usize = 8192;

/// A complete response head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// The minor version: 0 or 1.
    pub version: u8,
    /// The status code, 100–599.
    pub status: u16,
    /// Names as sent, values without surrounding blanks, in order.
    pub fields: Vec<(String, String)>,
}

impl ResponseHead {
    /// The value of the only field of this name; `None` if there is none.
    ///
    /// # Panics
    /// If the field is there more than once: nothing the hub sends may be.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let value = values.next()?;
        assert!(values.next().is_none(), "field {name} is there more than once: {self:?}");
        Some(&value.1)
    }

    /// Whether the comma-separated list in field `name` has `item`, in any case.
    #[must_use]
    pub fn lists(&self, name: &str, item: &str) -> bool {
        self.field(name).is_some_and(|list| list.split(',').any(|i| i.trim().eq_ignore_ascii_case(item)))
    }

    /// Reads a head from the front of `bytes`: it and its length, or `None` while it is incomplete.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, WireError> {
        let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
            let too_long = bytes.len() > HEAD_BYTES_MAX;
            return if too_long { Err(WireError::new("head without an end")) } else { Ok(None) };
        };
        let text = std::str::from_utf8(&bytes[..end])
            .map_err(|e| WireError::new(format!("head is not UTF-8 ({e}): {}", printable(&bytes[..end]))))?;
        let mut lines = text.split("\r\n");
        let (version, status) = status_line(lines.next().unwrap_or_default())?;
        let fields = lines.map(field_line).collect::<Result<Vec<_>, _>>()?;
        Ok(Some((Self { version, status, fields }, end + 4)))
    }
}

fn status_line(line: &str) -> Result<(u8, u16), WireError> {
    let bad = || WireError::new(format!("status line {line:?}"));
    let version = match line.get(..9) {
        Some("HTTP/1.1 ") => 1,
        Some("HTTP/1.0 ") => 0,
        _ => return Err(bad()),
    };
    // The blank before an empty reason phrase is not optional.
    let (code, reason) = line[9..].split_once(' ').ok_or_else(bad)?;
    let status: u16 = code.parse().map_err(|_| bad())?;
    let valid = code.len() == 3 && (100..600).contains(&status) && reason.bytes().all(is_field_byte);
    if valid { Ok((version, status)) } else { Err(bad()) }
}

fn field_line(line: &str) -> Result<(String, String), WireError> {
    let bad = || WireError::new(format!("field line {line:?}"));
    let (name, value) = line.split_once(':').ok_or_else(bad)?;
    let name_ok = !name.is_empty() && name.bytes().all(is_token_byte);
    let value_ok = value.bytes().all(is_field_byte);
    if name_ok && value_ok { Ok((name.to_owned(), value.trim().to_owned())) } else { Err(bad()) }
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_field_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_whole_or_not_at_all() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nVary:Origin\r\n\r\nbody";
        for cut in 0..bytes.len() - 4 {
            assert_eq!(ResponseHead::parse(&bytes[..cut]), Ok(None), "cut at {cut}");
        }
        let (head, length) = ResponseHead::parse(bytes).unwrap().unwrap();
        assert_eq!((head.version, head.status, length), (1, 200, bytes.len() - 4));
        assert_eq!(head.field("content-type"), Some("text/event-stream"));
        assert_eq!(head.field("vary"), Some("Origin"));
        assert_eq!(head.field("date"), None);
    }

    #[test]
    fn sloppy_heads_are_refused() {
        for sloppy in [
            "HTTP/2 200 OK\r\n\r\n",
            "HTTP/1.1 200\r\n\r\n",
            "HTTP/1.1  200 OK\r\n\r\n",
            "HTTP/1.1 99 Low\r\n\r\n",
            "HTTP/1.1 200 OK\r\nName : value\r\n\r\n",
            "HTTP/1.1 200 OK\r\n folded\r\n\r\n",
            "HTTP/1.1 200 OK\r\nName: a\nb: c\r\n\r\n",
            "HTTP/1.1 200 OK\r\nNoColon\r\n\r\n",
        ] {
            assert!(ResponseHead::parse(sloppy.as_bytes()).is_err(), "{sloppy:?}");
        }
    }
}
