//! A connection that publishes: requests out, answers in.
//!
//! Not here: the socket. `Load` says how much it took and what came.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use hdrhistogram::Histogram;
use socket2::{Domain, Protocol, Socket, Type};

use super::Fault;
use super::answers::{self, Answers, Verdict};
use super::head::excerpt;

/// A target that runs accepts at once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Publisher {
    /// Bytes that the socket has not taken, from `sent` on.
    out: Vec<u8>,
    sent: usize,
    /// The socket is full, and a poll tells when it no longer is.
    pub(super) is_blocked: bool,
    /// The server closed it while nothing was under way.
    pub(super) is_closed: bool,
    /// When each request that is not answered was handed in, in nanoseconds.
    waiting: VecDeque<u64>,
    answers: Answers,
}

impl Publisher {
    /// One whose server answers in `protocol`.
    pub(super) fn of(protocol: answers::Protocol) -> Self {
        Self { answers: Answers::of(protocol), ..Self::default() }
    }

    pub(super) fn queue(&mut self, requests: &[u8], answers: u32, now_ns: u64) {
        self.out.extend_from_slice(requests);
        self.waiting.extend(std::iter::repeat_n(now_ns, answers as usize));
    }

    pub(super) fn unsent(&self) -> &[u8] {
        &self.out[self.sent..]
    }

    /// The socket took `len` more bytes.
    pub(super) fn on_sent(&mut self, len: usize) {
        self.sent += len;
        if self.unsent().is_empty() {
            self.out.clear();
            self.sent = 0;
        }
    }

    /// Whether nothing is under way in either direction.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.unsent().is_empty()
    }

    pub(super) fn unanswered(&self) -> u32 {
        self.waiting.len() as u32
    }

    /// Takes answers, and says how many there were.
    ///
    /// # Errors
    /// An answer that refuses, one that nobody asked for, one that ends the connection, or none at all.
    pub(super) fn receive(
        &mut self,
        bytes: &[u8],
        now_ns: u64,
        times: &mut Histogram<u64>,
    ) -> Result<u64, Fault> {
        let (mut count, mut fault) = (0, None);
        let waiting = &mut self.waiting;
        let read = self.answers.read(bytes, |verdict, answer| {
            let judged = judge(verdict, answer)
                .and_then(|()| waiting.pop_front().ok_or_else(|| refused("an answer to no request", answer)));
            match judged {
                Ok(handed_in_ns) => {
                    times.saturating_record(now_ns.saturating_sub(handed_in_ns));
                    count += 1;
                }
                Err(found) => _ = fault.get_or_insert(found),
            }
        });
        let read = read.map_err(|error| refused(&error, bytes));
        fault.map_or(read, Err).map(|()| count)
    }
}

fn judge(verdict: Verdict, answer: &[u8]) -> Result<(), Fault> {
    match verdict {
        Verdict::Taken => Ok(()),
        Verdict::Refused => Err(Fault::PublishRefused { head: excerpt(answer) }),
        Verdict::Last => {
            let cause = format!("the server closes the connection behind its answer: {}", excerpt(answer));
            Err(Fault::PublisherDisconnected { cause })
        }
    }
}

fn refused(why: &str, bytes: &[u8]) -> Fault {
    Fault::PublishRefused { head: format!("{why}: {}", excerpt(bytes)) }
}

/// A connected socket that sends small requests at once.
///
/// # Errors
/// [`Fault::Connect`].
pub(super) fn connect(to: SocketAddr) -> Result<OwnedFd, Fault> {
    let connected = || {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_tcp_nodelay(true)?;
        socket.connect_timeout(&to.into(), CONNECT_TIMEOUT)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    };
    connected().map_err(|error: std::io::Error| Fault::Connect { to, cause: error.to_string() })
}
