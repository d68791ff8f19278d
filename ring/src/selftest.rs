//! Finds out, by doing, whether this kernel does what the ring relies on.
//!
//! No feature bit tells whether inline sends leave nothing behind or a direct descriptor survives a move, and
//! distributions backport parts; so versions are not asked. Takes a few milliseconds, two rings and a few loopback
//! connections.

use std::fmt;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::{
    Completion, Errno, Interest, ListenError, ListenOptions, Listener, Outcome, Ring, Setup, SetupError,
    ShortSend, Slot, Token, listen,
};

/// What the kernel lacks, and what would help.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelftestError {
    /// There is no ring.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The loopback interface cannot be listened on.
    #[error("the self-test needs the loopback interface: {0}")]
    Listen(#[from] ListenError),
    /// The loopback interface does not connect, or loses what was sent.
    #[error("the self-test needs a working loopback interface (is `lo` up?): {step} failed: {source}")]
    Loopback {
        /// What the test's own client was doing.
        step: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The kernel does something else than is relied on.
    #[error(
        "this kernel's io_uring cannot {need}: expected {expected}, found {found}; Linux 6.1 or newer is needed, and 6.18 is known to work"
    )]
    Missed {
        /// What is needed.
        need: Need,
        /// What should have happened.
        expected: &'static str,
        /// What did.
        found: String,
    },
}

/// What the ring relies on and no feature bit tells, in the order in which it is put to the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// `ACCEPT` into the ring's own table, with the peer's address.
    DirectAccept,
    /// `SEND` that is over when the kernel has been entered.
    InlineSend,
    /// A send that was cut says how much was taken.
    ShortSend,
    /// A send to a full socket comes back, and does not wait in the kernel.
    FullSocket,
    /// `ASYNC_CANCEL` of a poll.
    CancelPoll,
    /// `CLOSE` that the peer hears, though the socket was polled.
    CloseAfterCancel,
    /// `MSG_RING` with a direct descriptor.
    PassSocket,
    /// A socket that was passed can be sent to.
    SendAfterPass,
}

impl Need {
    /// Each need, in the order of the test: if one is missed, those before it are met.
    pub const ALL: [Self; 8] = [
        Self::DirectAccept,
        Self::InlineSend,
        Self::ShortSend,
        Self::FullSocket,
        Self::CancelPoll,
        Self::CloseAfterCancel,
        Self::PassSocket,
        Self::SendAfterPass,
    ];
}

/// To be read after "cannot".
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DirectAccept => "accept into a direct descriptor with the peer's address",
            Self::InlineSend => "send inline",
            Self::ShortSend => "report a short send",
            Self::FullSocket => "refuse a send to a full socket",
            Self::CancelPoll => "cancel a poll",
            Self::CloseAfterCancel => "close a socket whose poll was cancelled",
            Self::PassSocket => "pass a socket to another ring",
            Self::SendAfterPass => "send from the ring a socket was passed to",
        })
    }
}

/// Far more than any step takes; a miss must not hold up the start.
const STEP_TIMEOUT: Duration = Duration::from_secs(1);

/// More than the send buffer of the tested socket and the receive buffer of its peer take together, by far.
const FLOOD_BYTES: usize = 1 << 20;

/// Puts the kernel to the test: direct accept with the peer's address; inline sends whole, short, and to a full socket;
/// cancel and close that the peer hears; a socket passed to another ring.
///
/// # Errors
///
/// [`SelftestError`], which names the first miss and the remedy.
pub fn selftest() -> Result<(), SelftestError> {
    let setup = Setup { slots: 8, sq_entries: 16, cq_entries: 32, accepts: 1, receive_bytes: 64 };
    let mut bench = Bench {
        ring: Ring::new(&setup)?,
        other: Ring::new(&setup)?,
        listener: listen((Ipv4Addr::LOCALHOST, 0).into(), &small_buffers())?,
    };
    bench.send_whole_short_and_full()?;
    bench.cancel_and_close()?;
    bench.pass_to_another_ring()
}

fn small_buffers() -> ListenOptions {
    ListenOptions { send_buffer_bytes: Some(16 * 1024), ..ListenOptions::default() }
}

const ACCEPTED: Token = Token::new(1);
const POLLED: Token = Token::new(2);
const SENT: Token = Token::new(3);
const PASSED: Token = Token::new(4);
const ARRIVED: Token = Token::new(5);

struct Bench {
    ring: Ring,
    other: Ring,
    listener: Listener,
}

impl Bench {
    fn send_whole_short_and_full(&mut self) -> Result<(), SelftestError> {
        let (slot, mut client) = self.connect()?;
        let short = self.send(slot, b"whole");
        ensure(Need::InlineSend, "no report of a whole send", short.is_none(), &short)?;
        expect_bytes(Need::InlineSend, &mut client, b"whole")?;

        let flood = vec![0; FLOOD_BYTES];
        let short = self.send(slot, &flood);
        let cut = matches!(short, Some(ShortSend { taken: Ok(1..), .. }));
        ensure(Need::ShortSend, "the bytes it took", cut, &short)?;

        // The peer's acknowledgements may still make some room.
        let deadline = Instant::now() + STEP_TIMEOUT;
        let mut last = short;
        while last.is_some_and(|short| short.taken.is_ok()) && Instant::now() < deadline {
            last = self.send(slot, &flood);
        }
        let full = matches!(last, Some(ShortSend { taken: Err(Errno::AGAIN), .. }));
        ensure(Need::FullSocket, "EAGAIN", full, &last)?;
        self.ring.close(slot);
        Ok(())
    }

    fn cancel_and_close(&mut self) -> Result<(), SelftestError> {
        let (slot, mut client) = self.connect()?;
        self.ring.poll(slot, Interest::Hangup, POLLED);
        self.ring.flush();
        self.ring.cancel(POLLED);
        self.ring.close(slot);
        let cancelled = next(&mut self.ring, Need::CancelPoll)?;
        let expected = Outcome::Done(Err(Errno::CANCELED));
        ensure(Need::CancelPoll, "ECANCELED", cancelled.outcome == expected, &cancelled)?;
        let end = client.read(&mut [0]);
        ensure(Need::CloseAfterCancel, "the end of the stream", matches!(end, Ok(0)), &end)
    }

    fn pass_to_another_ring(&mut self) -> Result<(), SelftestError> {
        let (slot, mut client) = self.connect()?;
        self.ring.pass(slot, &self.other.address(), ARRIVED, PASSED);
        self.ring.close(slot);
        self.ring.flush();
        let arrival = match next(&mut self.other, Need::PassSocket) {
            Ok(Completion { token: ARRIVED, outcome: Outcome::Done(Ok(slot)) }) => Slot(slot),
            other => {
                // Why is known to the sender alone.
                let sender = self.ring.next_completion();
                return ensure(Need::PassSocket, "its new slot", false, &(other, sender));
            }
        };
        let mut short = Vec::new();
        self.other.send_all([(arrival, SENT, &b"moved"[..])], &mut short);
        ensure(Need::SendAfterPass, "no report", short.is_empty(), &short)?;
        expect_bytes(Need::SendAfterPass, &mut client, b"moved")
    }

    /// A connection in a slot of `ring`, and its client.
    fn connect(&mut self) -> Result<(Slot, TcpStream), SelftestError> {
        let need = Need::DirectAccept;
        let armed = self.ring.accept(&self.listener, ACCEPTED);
        ensure(need, "a free accept", armed.is_ok(), &armed)?;
        self.ring.flush();
        let client =
            self.connect_client().map_err(|source| SelftestError::Loopback { step: "connecting", source })?;
        let local =
            client.local_addr().map_err(|source| SelftestError::Loopback { step: "getsockname", source })?;
        let completion = next(&mut self.ring, need)?;
        match completion.outcome {
            Outcome::Accepted { slot, peer } if peer == local => Ok((slot, client)),
            _ => Err(SelftestError::Missed {
                need,
                expected: "a slot and the peer's address",
                found: format!("{completion:?}"),
            }),
        }
    }

    fn connect_client(&self) -> io::Result<TcpStream> {
        let address: SocketAddr = self.listener.local_addr()?;
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_recv_buffer_size(8 * 1024)?;
        socket.set_read_timeout(Some(STEP_TIMEOUT))?;
        socket.connect_timeout(&address.into(), STEP_TIMEOUT)?;
        Ok(socket.into())
    }

    fn send(&mut self, slot: Slot, bytes: &[u8]) -> Option<ShortSend> {
        let mut short = Vec::with_capacity(1);
        self.ring.send_all([(slot, SENT, bytes)], &mut short);
        short.pop()
    }
}

/// The next completion of `ring`, within [`STEP_TIMEOUT`].
fn next(ring: &mut Ring, need: Need) -> Result<Completion, SelftestError> {
    let deadline = Instant::now() + STEP_TIMEOUT;
    loop {
        ring.wait(1, Some(deadline.saturating_duration_since(Instant::now())));
        if let Some(completion) = ring.next_completion() {
            return Ok(completion);
        }
        ensure(need, "a completion within 1 s", Instant::now() < deadline, &"none")?;
    }
}

fn expect_bytes(need: Need, client: &mut TcpStream, expected: &[u8]) -> Result<(), SelftestError> {
    let mut bytes = vec![0; expected.len()];
    client.read_exact(&mut bytes).map_err(|source| SelftestError::Loopback { step: "receiving", source })?;
    ensure(need, "the bytes at the peer", bytes == expected, &bytes)
}

fn ensure(
    need: Need,
    expected: &'static str,
    holds: bool,
    found: &dyn fmt::Debug,
) -> Result<(), SelftestError> {
    if holds { Ok(()) } else { Err(SelftestError::Missed { need, expected, found: format!("{found:?}") }) }
}
