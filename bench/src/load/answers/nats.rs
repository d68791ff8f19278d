//! Answers of NATS: messages to a publisher's inbox, in which JetStream says in JSON where an event is, or why it is not.
//!
//! What the server says of itself (`INFO`, `+OK`) and its `PING`s are no answers. A publisher of ours answers none of these:
//! the interval between them is longer than any measurement (`target::nats`).

use super::{Verdict, length, line};

pub(super) fn read_whole<'a>(
    mut bytes: &'a [u8],
    answered: &mut impl FnMut(Verdict, &[u8]),
) -> Result<&'a [u8], String> {
    while let Some((head, rest)) = line(bytes) {
        let word = head.split(|&byte| byte == b' ').next().unwrap_or_default();
        match word {
            b"MSG" => {
                let len = length(head.rsplit(|&byte| byte == b' ').next().unwrap_or_default())?;
                let Some(payload) = rest.get(..len + 2) else { break };
                let Some(payload) = payload.strip_suffix(b"\r\n") else {
                    return Err(format!("a message without end: {}", payload.escape_ascii()));
                };
                answered(judge(payload), payload);
                bytes = &rest[len + 2..];
            }
            b"INFO" | b"+OK" | b"PING" | b"PONG" => bytes = rest,
            b"-ERR" => {
                answered(Verdict::Refused, head);
                bytes = rest;
            }
            _ => return Err(format!("no line of NATS: {}", head.escape_ascii())),
        }
    }
    Ok(bytes)
}

/// JetStream tells the number of the event in the stream, unless there is an error.
fn judge(payload: &[u8]) -> Verdict {
    let has = |name: &[u8]| memchr::memmem::find(payload, name).is_some();
    if has(b"\"seq\":") && !has(b"\"error\":") { Verdict::Taken } else { Verdict::Refused }
}
