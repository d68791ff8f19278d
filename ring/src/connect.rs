//! Outgoing connections: sockets that are made, bound and connected by the kernel in one go, without a descriptor.
//!
//! Invariant: the addresses live in a batch on the stack, and the kernel has consumed the batch (it copies addresses when
//! it reads the SQE) before any foreign code runs.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use smallvec::SmallVec;
use socket2::SockAddr;

use crate::operation::{Plain, bind, connect};
use crate::ring::Ring;
use crate::{Slot, Token};

/// A connection to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect {
    /// Where it is to be; a socket that is there already is closed.
    pub slot: Slot,
    /// The local address, with port 0 for one of the kernel's choice. `None` leaves both to the kernel.
    pub from: Option<SocketAddr>,
    /// The other end.
    pub to: SocketAddr,
    /// What the caller calls it.
    pub token: Token,
}

/// Connections collected before they are pushed: 9 KiB of stack for their addresses.
const BATCH: usize = 32;

/// SQEs of one connection; they are linked, so they must go to the kernel together.
const SQES: usize = 3;

impl Ring {
    /// Makes TCP connections. Each ends with one [`crate::Outcome::Done`]: 0 once established, or the error of the first
    /// step that failed: `EMFILE` or `ENFILE` of `socket`, `EADDRINUSE` or `EADDRNOTAVAIL` for want of a local port,
    /// `ECONNREFUSED`, … Needs Linux 5.19, and 6.11 for a local address (`EINVAL` before).
    ///
    /// # Panics
    ///
    /// If [`crate::Setup::sq_entries`] is below 4.
    pub fn connect_all(&mut self, connects: impl IntoIterator<Item = Connect>) {
        let mut connects = connects.into_iter();
        loop {
            let batch: SmallVec<[_; BATCH]> = connects
                .by_ref()
                .take(BATCH)
                .map(|connect| (connect, connect.from.map(SockAddr::from), SockAddr::from(connect.to)))
                .collect();
            self.connect_batch(&batch);
            if batch.len() < BATCH {
                return;
            }
        }
    }

    fn connect_batch(&mut self, batch: &[(Connect, Option<SockAddr>, SockAddr)]) {
        for (Connect { slot, token, .. }, from, to) in batch {
            self.queues.reserve(SQES);
            self.queues.push(&Plain::socket(to.family(), *slot, *token));
            if let Some(from) = from {
                let sqe = bind(*slot, from, *token);
                // SAFETY: `from` is in `batch`, which outlives this call, and `flush` below makes the kernel consume the SQE,
                // when it copies the address (`io_bind_prep`). Nothing in between unwinds.
                unsafe { self.queues.push_lending(&sqe) };
            }
            let sqe = connect(*slot, to, *token);
            // SAFETY: as above, with `io_connect_prep`.
            unsafe { self.queues.push_lending(&sqe) };
        }
        self.flush();
    }

    /// Puts a socket of the caller's own making into `slot`, and closes its descriptor.
    ///
    /// # Errors
    ///
    /// The kernel's: `EINVAL` for a slot that the table does not have.
    pub fn adopt(&mut self, slot: Slot, socket: OwnedFd) -> io::Result<()> {
        self.queues.update_table(slot.0, socket.as_raw_fd())
    }
}
