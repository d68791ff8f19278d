//! Reads the answers to a publisher's requests, pipelined and in pieces of any size, in the protocol of its server.
//!
//! Not here: sending the requests (`publisher`).

mod http;
mod nats;
mod resp;

/// Answers to publishers are small; a longer one is an error page or worse.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// How a server answers publishers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http,
    /// The text protocol of NATS, where JetStream answers with a message to the inbox that a publisher names.
    Nats,
    /// That of Redis.
    Resp,
}

/// What an answer says of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Taken,
    /// Taken, and the server closes the connection behind it.
    Last,
    Refused,
}

/// The bytes of an answer that is not whole yet.
#[derive(Debug, Default)]
pub(super) struct Answers {
    protocol: Protocol,
    unread: Vec<u8>,
}

impl Answers {
    pub(super) fn of(protocol: Protocol) -> Self {
        Self { protocol, unread: Vec::new() }
    }

    /// Calls `answered` with each answer that `bytes` complete, in order: what it says, and all of it.
    ///
    /// # Errors
    /// What is no answer.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        mut answered: impl FnMut(Verdict, &[u8]),
    ) -> Result<(), String> {
        if self.unread.is_empty() {
            let rest = self.protocol.read_whole(bytes, &mut answered)?;
            self.unread.extend_from_slice(rest);
        } else {
            self.unread.extend_from_slice(bytes);
            let rest_len = self.protocol.read_whole(&self.unread, &mut answered)?.len();
            self.unread.drain(..self.unread.len() - rest_len);
        }
        if self.unread.len() > ANSWER_BYTES_MAX {
            return Err(format!("an answer longer than {ANSWER_BYTES_MAX} bytes"));
        }
        Ok(())
    }
}

impl Protocol {
    /// What the first answer in `bytes` says, if one is whole: nothing, or why it refuses.
    pub(crate) fn first_answer(self, bytes: &[u8]) -> Option<Result<(), String>> {
        let mut first = None;
        let read = self.read_whole(bytes, &mut |verdict, answer| {
            let refusal = || format!("{verdict:?}: {}", answer.escape_ascii());
            first.get_or_insert_with(|| if verdict == Verdict::Refused { Err(refusal()) } else { Ok(()) });
        });
        first.or(read.err().map(Err))
    }

    /// Reads all answers that are whole, and returns the bytes behind them.
    fn read_whole<'a>(
        self,
        bytes: &'a [u8],
        answered: &mut impl FnMut(Verdict, &[u8]),
    ) -> Result<&'a [u8], String> {
        match self {
            Self::Http => http::read_whole(bytes, answered),
            Self::Nats => nats::read_whole(bytes, answered),
            Self::Resp => resp::read_whole(bytes, answered),
        }
    }
}

/// The line that `bytes` begin with, without its end, and what follows it; `None` if it is not whole yet.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memmem::find(bytes, b"\r\n")?;
    Some((&bytes[..end], &bytes[end + 2..]))
}

/// A length as decimal digits.
fn length(text: &[u8]) -> Result<usize, String> {
    let length = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    let length = length.filter(|&length| length <= ANSWER_BYTES_MAX);
    length.ok_or_else(|| format!("no length of an answer: {}", text.escape_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each stream of answers in its protocol, and what it says.
    const STREAMS: [(Protocol, &[u8], &[Verdict]); 2] = [
        (
            Protocol::Nats,
            b"INFO {\"server_id\":\"N\"}\r\n+OK\r\nPING\r\n\
              MSG _INBOX.3 1 26\r\n{\"stream\":\"bench\",\"seq\":1}\r\n\
              PONG\r\nMSG _INBOX.3 1 30\r\n{\"error\":{\"code\":503},\"seq\":0}\r\n\
              MSG _INBOX.3 1 other 2\r\n{}\r\n-ERR 'Unknown Protocol Operation'\r\n",
            &[Verdict::Taken, Verdict::Refused, Verdict::Refused, Verdict::Refused],
        ),
        (
            Protocol::Resp,
            b"$15\r\n1763870000000-0\r\n$15\r\n1763870000000-1\r\n+OK\r\n:17\r\n\
              -MISCONF Errors writing to the AOF file\r\n$-1\r\n",
            &[
                Verdict::Taken,
                Verdict::Taken,
                Verdict::Taken,
                Verdict::Taken,
                Verdict::Refused,
                Verdict::Refused,
            ],
        ),
    ];

    fn verdicts(protocol: Protocol, pieces: &[&[u8]]) -> Result<Vec<Verdict>, String> {
        let (mut answers, mut verdicts) = (Answers::of(protocol), Vec::new());
        for piece in pieces {
            answers.read(piece, |verdict, _| verdicts.push(verdict))?;
        }
        Ok(verdicts)
    }

    #[test]
    fn answers_of_other_protocols_are_read_wherever_the_pieces_are_cut() {
        for (protocol, stream, expected) in STREAMS {
            for cut in 0..=stream.len() {
                let pieces = [&stream[..cut], &stream[cut..]];
                assert_eq!(verdicts(protocol, &pieces), Ok(expected.to_vec()), "{protocol:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn what_is_no_answer_of_a_protocol_is_an_error() {
        for (protocol, text) in [
            (Protocol::Nats, "HTTP/1.1 200 OK\r\n"),
            (Protocol::Nats, "MSG _INBOX.3 1 x\r\n"),
            (Protocol::Nats, "MSG _INBOX.3 1 99999999\r\n"),
            (Protocol::Nats, "MSG\r\n"),
            (Protocol::Nats, "MSG _INBOX.3 1 2\r\n{}xx"),
            (Protocol::Resp, "HTTP/1.1 200 OK\r\n"),
            (Protocol::Resp, "$x\r\n"),
            (Protocol::Resp, "$2\r\nabcd"),
            (Protocol::Resp, "\r\n"),
        ] {
            assert!(verdicts(protocol, &[text.as_bytes()]).is_err(), "{protocol:?}: {text:?}");
        }
    }

    #[test]
    fn an_answer_without_end_is_not_waited_for() {
        let endless = vec![b'1'; ANSWER_BYTES_MAX + 1];
        for protocol in [Protocol::Nats, Protocol::Resp] {
            assert!(verdicts(protocol, &[&endless[..]]).is_err(), "{protocol:?}");
        }
    }
}
