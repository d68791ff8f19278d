//! Answers of Redis (RESP2): a string such as the id of an entry, a number, or an error.
//!
//! Not here: arrays, which no publisher asks for.

use super::{Verdict, length, line};

pub(super) fn read_whole<'a>(
    mut bytes: &'a [u8],
    answered: &mut impl FnMut(Verdict, &[u8]),
) -> Result<&'a [u8], String> {
    while let Some((head, rest)) = line(bytes) {
        match head.split_first() {
            // Nothing was added, and there is no error either.
            Some((b'$', b"-1")) => {
                answered(Verdict::Refused, head);
                bytes = rest;
            }
            Some((b'$', len)) => {
                let len = length(len)?;
                let Some(text) = rest.get(..len + 2) else { break };
                let Some(text) = text.strip_suffix(b"\r\n") else {
                    return Err(format!("a string without end: {}", text.escape_ascii()));
                };
                answered(Verdict::Taken, text);
                bytes = &rest[len + 2..];
            }
            Some((b'+' | b':', text)) => {
                answered(Verdict::Taken, text);
                bytes = rest;
            }
            Some((b'-', text)) => {
                answered(Verdict::Refused, text);
                bytes = rest;
            }
            _ => return Err(format!("no answer of Redis: {}", head.escape_ascii())),
        }
    }
    Ok(bytes)
}
