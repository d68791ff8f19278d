#![deny(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]
#![warn(
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    clippy::missing_safety_doc
)]
//! A safe face over io_uring for programs that send the same bytes to very many sockets.
//!
//! One [`Ring`] belongs to one thread. Sockets live in its table of direct descriptors and are named by
//! [`Slot`]s; what the caller waits for is named by [`Token`]s, which the ring carries and never reads.
//! A turn of a loop on it:
//!
//! 1. [`Ring::wait`] hands over what is queued and sleeps until something completed or a timeout passed;
//! 2. [`Ring::completions`] says what that was;
//! 3. [`Ring::receive_all`] reads what there is to read, [`Ring::send_all`] sends; both are done when they return;
//! 4. [`Ring::accept`], [`Ring::poll`], [`Ring::close`] and the like queue what goes out with the next turn.
//!
//! ```
//! use corecast_ring::{ListenOptions, Outcome, Ring, Setup, Token, listen};
//!
//! const ACCEPT: Token = Token::new(1);
//! const GREET: Token = Token::new(2);
//!
//! let mut ring = Ring::new(&Setup { slots: 16, ..Setup::default() })?;
//! let listener = listen("127.0.0.1:0".parse()?, &ListenOptions::default())?;
//! ring.accept(&listener, ACCEPT)?;
//! # let mut client = std::net::TcpStream::connect(listener.local_addr()?)?;
//!
//! let mut arrived = Vec::new();
//! while arrived.is_empty() {
//!     ring.wait(1, None);
//!     arrived.extend(ring.completions().filter_map(|completion| match completion.outcome {
//!         Outcome::Accepted { slot, .. } => Some(slot),
//!         _ => None,
//!     }));
//! }
//! let mut short = Vec::new();
//! ring.send_all(arrived.iter().map(|&slot| (slot, GREET, &b"hello"[..])), &mut short);
//! assert!(short.is_empty(), "each socket took all of it");
//! # let mut greeting = [0; 5];
//! # std::io::Read::read_exact(&mut client, &mut greeting)?;
//! # assert_eq!(&greeting, b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the kernel borrows
//!
//! | operation | memory | from | until |
//! |---|---|---|---|
//! | SEND inline ([`Ring::send_all`]) | the caller's bytes | its push | `io_uring_enter` consumed the SQE, before `send_all` returns or runs any foreign code |
//! | RECV inline ([`Ring::receive_all`]) | one of the ring's receive buffers | its push | `io_uring_enter` consumed the SQE, before the caller's closure sees the bytes |
//! | ACCEPT ([`Ring::accept`]) | a cell of the ring's peer address table | its push | its CQE; cells not back when the ring is dropped are leaked, with a logged error |
//! | wait ([`Ring::wait`]) | a timespec on the stack | `io_uring_enter` | the same call returns |
//! | RECV lasting ([`Ring::receive_on`]) | the ring's provided buffers, and the entries that list them | [`Ring::provide_buffers`]; one at a time goes to the caller with [`Outcome::Received`] and returns with [`Ring::give_back`] | the ring is dropped; leaked, with a logged error, if a receive did not end |
//! | BIND, CONNECT ([`Ring::connect_all`]) | addresses in a batch on the stack | their push | `io_uring_enter` consumed the SQE, before `connect_all` returns or runs any foreign code |
//! | SETSOCKOPT ([`Ring::reset_on_close`]) | a constant | | never freed or written |
//! | POLL, CANCEL, CLOSE, SOCKET, MSG_RING | none | | |
//!
//! The kernel also borrows descriptors by number: [`Listener`], [`Wake`] and [`RingAddress`] are shared owners, and the
//! ring keeps one of each until the kernel holds the file itself. The queues are shared with the kernel for
//! the ring's whole life; `queues.rs` owns them.
//!
//! That inline sends and receives leave nothing behind in the kernel is measured, not documented: [`selftest`]
//! shows it on the kernel at hand, and a program that relies on this crate runs it at start.
//!
//! # Without a ring
//!
//! [`selftest`] says whether this kernel does what [`Ring`] relies on, [`selftest_poll`] whether a plain ring can at least wait. A
//! program that goes on without one can still use [`Listener`] and [`Wake`], and wait for them, as for its connections, with
//! [`Watched`] on a monoio runtime.
//!
//! # What it does not do
//!
//! It knows no protocol, sets no policy, and never names a connection: generations and their checks are the
//! caller's. No raw pointer, `RawFd` or unchecked `user_data` leaves it.

mod token;
pub use token::{Errno, Slot, Token};
mod completion;
mod user_data;
pub use completion::{Completion, Interest, Outcome, Readiness, ShortSend};

mod setup;
pub use setup::{Setup, SetupError};
mod counters;
mod queues;
pub use counters::RingCounters;
mod operation;
mod peer_address;
mod wake;
pub use wake::Wake;
mod watched;
pub use watched::Watched;
mod ring;
pub use ring::{AcceptsFull, Ring, RingAddress};
mod lend;
pub use lend::SEND_BYTES_MAX;
mod provided;
pub use provided::Buffer;
mod connect;
pub use connect::Connect;

mod listener;
pub use listener::{AdoptError, Keepalive, ListenError, ListenOptions, Listener, check_listening, listen};
mod machine;
pub use machine::{Nofile, cores, pin_to_core, raise_nofile, set_timer_slack};
mod plain;
pub use plain::selftest_poll;
mod selftest;
pub use selftest::{Need, SelftestError, selftest};
