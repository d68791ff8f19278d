//! The SQEs this crate makes, and which of them point at memory.
//!
//! Invariant: a [`Plain`] holds no address but that of a constant; its field is private to this file, so that reading the file shows it.

use std::os::fd::{AsRawFd, BorrowedFd};

use io_uring::opcode;
use io_uring::squeue::{Entry, Flags};
use io_uring::types::{DestinationSlot, Fd, Fixed};
use rustix::event::PollFlags;
use rustix::net::{RecvFlags, SendFlags, SocketType};
use socket2::SockAddr;

use crate::peer_address::Lent;
use crate::provided::GROUP;
use crate::setup::SLOTS_MAX;
use crate::user_data::Own;
use crate::{Interest, Slot, Token};

/// `struct linger` of socket(7): on, for no time. Closing then sends a reset.
static LINGER_NONE: [i32; 2] = [1, 0];

/// `SOL_SOCKET` and `SO_LINGER` of asm-generic/socket.h.
const SOL_SOCKET: u32 = 1;
const SO_LINGER: u32 = 13;

/// An SQE that points at no memory that is ever freed or written: safe to push at any time.
pub(crate) struct Plain(Entry);

impl Plain {
    #[inline]
    pub(crate) const fn entry(&self) -> &Entry {
        &self.0
    }

    pub(crate) fn poll(slot: Slot, interest: Interest, token: Token) -> Self {
        Self(opcode::PollAdd::new(Fixed(slot.0), interest.mask()).build().user_data(token.value()))
    }

    /// A poll that stays armed, on an eventfd whose counter is never read: every write to it posts a CQE.
    pub(crate) fn watch(eventfd: BorrowedFd<'_>, own: Own) -> Self {
        let mask = u32::from(PollFlags::IN.bits());
        Self(opcode::PollAdd::new(Fd(eventfd.as_raw_fd()), mask).multi(true).build().user_data(own.encode()))
    }

    /// Cancels by `user_data` only: by descriptor the kernel scans everything that is armed (25 µs with 2,000).
    pub(crate) fn cancel(user_data: u64) -> Self {
        Self(quiet(opcode::AsyncCancel::new(user_data).build()).user_data(Own::Cancel.encode()))
    }

    pub(crate) fn close(slot: Slot) -> Self {
        Self(quiet(opcode::Close::new(Fixed(slot.0)).build()).user_data(Own::Close.encode()))
    }

    /// A receive that goes on until it is cancelled, into buffers that the ring has provided.
    pub(crate) fn receive_on(slot: Slot, token: Token) -> Self {
        Self(opcode::RecvMulti::new(Fixed(slot.0), GROUP).build().user_data(token.value()))
    }

    /// A new TCP socket in `slot`. What is pushed next waits for it, and is given up if this fails: then this alone
    /// posts a CQE, since a quiet head keeps its whole chain quiet (`req_set_fail`).
    pub(crate) fn socket(family: u16, slot: Slot, token: Token) -> Self {
        let kind = SocketType::STREAM.as_raw() as i32;
        let target =
            DestinationSlot::try_from_slot_target(slot.0.min(SLOTS_MAX)).expect("2^20 is a slot number");
        let socket = opcode::Socket::new(family.into(), kind, 0).file_index(Some(target)).build();
        Self(linked(socket).user_data(token.value()))
    }

    pub(crate) fn reset_on_close(slot: Slot) -> Self {
        let option = opcode::SetSockOpt::new(
            Fixed(slot.0),
            SOL_SOCKET,
            SO_LINGER,
            (&raw const LINGER_NONE).cast(),
            size_of_val(&LINGER_NONE) as u32,
        );
        Self(quiet(option.build()).user_data(Own::Reset.encode()))
    }

    pub(crate) fn pass(slot: Slot, ring: BorrowedFd<'_>, remote: Token, local: Token) -> Self {
        let (ring, target) = (Fd(ring.as_raw_fd()), DestinationSlot::auto_target());
        let send = opcode::MsgRingSendFd::new(ring, Fixed(slot.0), target, remote.value());
        Self(quiet(send.build()).user_data(local.value()))
    }

    pub(crate) fn notify(ring: BorrowedFd<'_>, remote: Token, local: Token) -> Self {
        let message = opcode::MsgRingData::new(Fd(ring.as_raw_fd()), 0, remote.value(), None);
        Self(quiet(message.build()).user_data(local.value()))
    }
}

/// An accept that writes the peer's address into `lent`, and puts the connection into a slot of the kernel's choice.
///
/// One-shot: a multishot accept has one address buffer for all, which is useless. No `SOCK_CLOEXEC`: a direct descriptor
/// refuses it, and is not inherited anyway.
pub(crate) fn accept(listener: BorrowedFd<'_>, lent: &Lent) -> Entry {
    opcode::Accept::new(Fd(listener.as_raw_fd()), lent.storage.cast(), lent.len)
        .file_index(Some(DestinationSlot::auto_target()))
        .build()
        .user_data(lent.own.encode())
}

/// A send that is done, one way or the other, when the kernel has consumed the SQE, and posts a CQE only if it did not
/// go out whole.
///
/// `MSG_DONTWAIT` keeps it from waiting in the kernel. `MSG_WAITALL` turns a short send into a failure: without it
/// `SKIP_SUCCESS` would hide the short send, and the tail of the bytes would be lost without a trace.
#[inline]
pub(crate) fn send(slot: Slot, bytes: &[u8], own: Own) -> Entry {
    const FLAGS: i32 =
        (SendFlags::DONTWAIT.bits() | SendFlags::NOSIGNAL.bits() | RecvFlags::WAITALL.bits()) as i32;
    quiet(opcode::Send::new(Fixed(slot.0), bytes.as_ptr(), bytes.len() as u32).flags(FLAGS).build())
        .user_data(own.encode())
}

/// A receive that is done when the kernel has consumed the SQE, and always posts a CQE.
pub(crate) fn receive(slot: Slot, buf: &mut [u8], own: Own) -> Entry {
    opcode::Recv::new(Fixed(slot.0), buf.as_mut_ptr(), buf.len() as u32)
        .flags(RecvFlags::DONTWAIT.bits() as i32)
        .build()
        .user_data(own.encode())
}

/// Binds the socket that is or will be in `slot`; what is pushed next waits for it, as after [`Plain::socket`].
pub(crate) fn bind(slot: Slot, address: &SockAddr, token: Token) -> Entry {
    linked(opcode::Bind::new(Fixed(slot.0), address.as_ptr().cast(), address.len()).build())
        .user_data(token.value())
}

/// Connects the socket that is or will be in `slot`, and always posts a CQE.
pub(crate) fn connect(slot: Slot, address: &SockAddr, token: Token) -> Entry {
    opcode::Connect::new(Fixed(slot.0), address.as_ptr().cast(), address.len())
        .build()
        .user_data(token.value())
}

/// No CQE upon success, and the next SQE only then.
fn linked(entry: Entry) -> Entry {
    entry.flags(Flags::SKIP_SUCCESS | Flags::IO_LINK)
}

/// No CQE upon success.
#[inline]
fn quiet(entry: Entry) -> Entry {
    entry.flags(Flags::SKIP_SUCCESS)
}
