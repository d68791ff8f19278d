//! What the kernel tests share: a ring with a listener, connected pairs, and waiting with a deadline.
//!
//! The tests need io_uring and the loopback interface; without them `Ring::new` fails and says what to do.
#![allow(dead_code, reason = "each test file uses its own part")]
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its sockets should say so and stop")]

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use corecast_ring::{
    Completion, ListenOptions, Listener, Outcome, Ring, RingAddress, Setup, ShortSend, Slot, Token, Wake,
    listen,
};
use socket2::{Domain, Socket, Type};

pub(crate) const ACCEPT: Token = Token::new(0xACCE);
pub(crate) const SEND: Token = Token::new(0x5E4D);
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

/// A ring, and a listener to connect to it.
pub(crate) struct Host {
    pub(crate) ring: Ring,
    pub(crate) listener: Listener,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::with(&Setup { slots: 64, ..Setup::default() })
    }

    pub(crate) fn with(setup: &Setup) -> Self {
        Self::on("127.0.0.1:0", setup)
    }

    /// Accepted sockets have a small send buffer, so that little fills them.
    pub(crate) fn on(address: &str, setup: &Setup) -> Self {
        let options = ListenOptions { send_buffer_bytes: Some(16 * 1024), ..ListenOptions::default() };
        let listener = listen(address.parse().unwrap(), &options).unwrap();
        Self { ring: Ring::new(setup).unwrap(), listener }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// A connection: its slot here, and the other end.
    pub(crate) fn connect(&mut self) -> (Slot, TcpStream) {
        self.ring.accept(&self.listener, ACCEPT).unwrap();
        let client = client(self.address());
        let completion = self.next();
        let Outcome::Accepted { slot, peer } = completion.outcome else { panic!("{completion:?}") };
        assert_eq!((completion.token, peer), (ACCEPT, client.local_addr().unwrap()));
        (slot, client)
    }

    pub(crate) fn next(&mut self) -> Completion {
        next(&mut self.ring)
    }

    pub(crate) fn send(&mut self, slot: Slot, bytes: &[u8]) -> Option<ShortSend> {
        let mut short = Vec::new();
        self.ring.send_all([(slot, SEND, bytes)], &mut short);
        assert!(short.len() <= 1, "{short:?}");
        short.pop()
    }

    /// Sends until the socket takes no more.
    pub(crate) fn fill(&mut self, slot: Slot) {
        let flood = vec![b'x'; 1 << 20];
        let deadline = Instant::now() + DEADLINE;
        while self.send(slot, &flood).unwrap().taken.is_ok() {
            assert!(Instant::now() < deadline, "the socket never fills");
        }
    }
}

/// A client with a small receive buffer and a deadline on its reads.
pub(crate) fn client(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(8 * 1024).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket.connect_timeout(&address.into(), DEADLINE).unwrap();
    socket.into()
}

/// The next completion, or a panic at the deadline.
pub(crate) fn next(ring: &mut Ring) -> Completion {
    next_within(ring, DEADLINE).expect("a completion before the deadline")
}

pub(crate) fn next_within(ring: &mut Ring, timeout: Duration) -> Option<Completion> {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(completion) = ring.next_completion() {
            return Some(completion);
        }
        let left = deadline.checked_duration_since(Instant::now())?;
        ring.wait(1, Some(left));
    }
}

/// Waits for a condition, turning the ring meanwhile.
pub(crate) fn until(ring: &mut Ring, what: &str, mut holds: impl FnMut(&mut Ring) -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds(ring) {
        assert!(Instant::now() < deadline, "{what}");
        ring.wait(1, Some(Duration::from_millis(1)));
    }
}

pub(crate) fn read_exactly(client: &mut TcpStream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    client.read_exact(&mut bytes).unwrap();
    bytes
}

/// Whether the peer has closed: everything up to the end of the stream is read.
pub(crate) fn hears_the_end(client: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).is_ok()
}

/// Closes with a reset instead of a FIN.
pub(crate) fn reset(client: TcpStream) {
    Socket::from(client).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Compiles only if the type may cross threads.
pub(crate) fn crosses_threads<T: Send + Sync>() {}

pub(crate) fn shared_types_cross_threads() {
    crosses_threads::<Wake>();
    crosses_threads::<RingAddress>();
    crosses_threads::<Listener>();
}

/// How many unread bytes wait at `client`.
pub(crate) fn unread(client: &TcpStream) -> u64 {
    rustix::io::ioctl_fionread(client.as_fd()).unwrap()
}
