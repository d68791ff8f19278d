//! The ring itself: queued operations, waiting, completions, and an end that leaves nothing of ours with the kernel.
//!
//! Not here: sends and receives, see `lend.rs`.

use std::marker::PhantomData;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use io_uring::cqueue;

use crate::lend::RECEIVE_BATCH;
use crate::operation::{self, Plain};
use crate::peer_address::PeerAddresses;
use crate::provided::{GROUP, ProvidedBuffers};
use crate::queues::{Queues, RegisterStep};
use crate::token::result_of;
use crate::user_data::{FIELD_END, Own};
use crate::{
    Completion, Errno, Interest, Listener, Outcome, RingCounters, Setup, SetupError, Slot, Token, Wake,
};

/// An io_uring with its own table of sockets. It belongs to the thread that made it:
///
/// ```compile_fail,E0277
/// fn crosses_threads<T: Send>() {}
/// crosses_threads::<corecast_ring::Ring>();
/// ```
///
/// Operations are queued and go to the kernel in order, at the latest with the next [`Ring::wait`]; a full queue is
/// handed over at once. None is dropped: a kernel that takes no more ends the process, as it would otherwise corrupt
/// streams.
///
/// When it is dropped, what is queued still goes out, all that is armed is cancelled and every socket is closed.
pub struct Ring {
    // Dropped in this order: first the kernel's side, then what it wrote to.
    pub(crate) queues: Queues,
    peers: PeerAddresses,
    pub(crate) provided: Option<ProvidedBuffers>,
    /// [`RECEIVE_BATCH`] buffers of `receive_bytes` each.
    pub(crate) receive_memory: Box<[u8]>,
    pub(crate) receive_bytes: usize,
    pub(crate) batch_generation: u32,

    wakes: Vec<(Wake, Token)>,
    address: RingAddress,
    /// Rings named by SQEs that are not consumed yet: their descriptors must keep naming them.
    named: Vec<RingAddress>,
    /// The kernel takes submissions from the thread that made the ring, and no other.
    _not_send: PhantomData<*mut ()>,
}

/// Names a ring for [`Ring::pass`] and [`Ring::notify`] of others, from any thread. It does not keep the ring's sockets
/// open; a ring that is gone answers with an error.
#[derive(Clone, Debug)]
pub struct RingAddress(Arc<OwnedFd>);

/// All accepts of [`Setup::accepts`] are armed already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all accepts are armed already")]
pub struct AcceptsFull;

impl Ring {
    /// Sets a ring up for the calling thread.
    ///
    /// # Errors
    ///
    /// [`SetupError`], which names the cause and the remedy.
    ///
    /// # Panics
    ///
    /// If `setup.receive_bytes` is 0 or `setup.accepts` is not below 2^24.
    pub fn new(setup: &Setup) -> Result<Self, SetupError> {
        assert!(setup.receive_bytes > 0, "a receive of no bytes would look like the end of the stream");
        assert!(setup.accepts < FIELD_END, "accepts = {} is not below 2^24", setup.accepts);
        let ring = setup.build()?;
        let duplicate = ring.as_fd().try_clone_to_owned();
        let address =
            duplicate.map_err(|source| setup.explain("duplicating the ring's descriptor", source))?;
        let mut queues = Queues::new(ring);
        queues.register(setup.slots).map_err(|(step, source)| match step {
            RegisterStep::Table => setup.explain_table(source),
            RegisterStep::RingDescriptor => setup.explain("registering the ring's descriptor", source),
            RegisterStep::WorkerBound => setup.explain("bounding kernel worker threads", source),
            RegisterStep::Enter => setup.explain("io_uring_enter", source),
        })?;
        let receive_bytes = setup.receive_bytes as usize;
        Ok(Self {
            queues,
            peers: PeerAddresses::new(setup.accepts),
            provided: None,
            receive_memory: vec![0; RECEIVE_BATCH * receive_bytes].into_boxed_slice(),
            receive_bytes,
            batch_generation: 0,
            wakes: Vec::new(),
            address: RingAddress(Arc::new(address)),
            named: Vec::new(),
            _not_send: PhantomData,
        })
    }

    /// Arms one accept on `listener`. It ends with [`Outcome::Accepted`] or [`Outcome::AcceptFailed`].
    ///
    /// With no free slot left the kernel still accepts, then closes the connection: keep more slots free than accepts armed.
    ///
    /// # Errors
    ///
    /// [`AcceptsFull`] until one of those armed ends.
    pub fn accept(&mut self, listener: &Listener, token: Token) -> Result<(), AcceptsFull> {
        let lent = self.peers.lend(listener, token).ok_or(AcceptsFull)?;
        let sqe = operation::accept(listener.as_fd(), &lent);
        // SAFETY: the cell is lent until `PeerAddresses::take_back`, which happens upon this accept's CQE; a table with
        // lent cells is never freed (its `drop`).
        unsafe { self.queues.push_lending(&sqe) };
        Ok(())
    }

    /// Cancels every accept that is armed. Each still ends with a completion: `ECANCELED`, or a connection that came first.
    pub fn cancel_accepts(&mut self) {
        for own in self.peers.lent() {
            self.queues.push(&Plain::cancel(own.encode()));
        }
    }

    /// How many more accepts can be armed.
    #[must_use]
    pub fn accepts_free(&self) -> usize {
        self.peers.free_count()
    }

    /// Arms one poll on `slot`. It ends with [`Outcome::Done`] and the bits of a [`crate::Readiness`], once.
    pub fn poll(&mut self, slot: Slot, interest: Interest, token: Token) {
        self.queues.push(&Plain::poll(slot, interest, token));
    }

    /// Cancels the poll named `token`. If it was armed it ends with `ECANCELED`; if not, only
    /// [`RingCounters::cancel_misses`] says so.
    pub fn cancel(&mut self, token: Token) {
        self.queues.push(&Plain::cancel(token.value()));
    }

    /// Closes `slot`, which is free for the next connection at once. While a poll is armed on the slot the peer hears
    /// nothing of it: cancel that first, in the same turn.
    pub fn close(&mut self, slot: Slot) {
        self.queues.push(&Plain::close(slot));
    }

    /// Makes the [`Ring::close`] that follows in the same turn a reset: the peer sees an error instead of an end, and what
    /// it has not been sent yet is dropped. Needs Linux 6.7; before, the close is an ordinary one and
    /// [`RingCounters::reset_misses`] counts it.
    pub fn reset_on_close(&mut self, slot: Slot) {
        self.queues.push(&Plain::reset_on_close(slot));
    }

    /// Puts the socket in `slot` into the ring at `to` as well, which hears of it as [`Outcome::Done`] with the new slot
    /// under `remote`. Then [`Ring::close`] this slot; the same turn will do, and the connection stays. Nothing may be
    /// armed on it.
    ///
    /// A failure comes back here under `local`, and the other ring hears nothing: `ENFILE` if its table is full
    /// or the ring was dropped, `EOWNERDEAD` if its thread has ended, `EOVERFLOW` if it cannot be told, `EINVAL` for
    /// this ring itself.
    pub fn pass(&mut self, slot: Slot, to: &RingAddress, remote: Token, local: Token) {
        self.queues.push(&Plain::pass(slot, to.0.as_fd(), remote, local));
        self.keep_named(to);
    }

    /// Wakes the ring at `to` with the next turn: it hears [`Outcome::Done`] with 0 under `remote`. A failure comes back
    /// here under `local`, as in [`Ring::pass`].
    pub fn notify(&mut self, to: &RingAddress, remote: Token, local: Token) {
        self.queues.push(&Plain::notify(to.0.as_fd(), remote, local));
        self.keep_named(to);
    }

    /// How other rings name this one.
    #[must_use]
    pub fn address(&self) -> RingAddress {
        self.address.clone()
    }

    /// Listens to `wake` as long as the ring lives: each ring of the bell ends a wait with [`Outcome::Woken`].
    pub fn watch_wake(&mut self, wake: &Wake, token: Token) {
        self.wakes.push((wake.clone(), token));
        self.arm_wake(self.wakes.len() - 1);
    }

    /// Hands over what is queued and waits until `want` completions are there, or `timeout` has passed; `None` waits
    /// without end. May return early, for instance upon a signal.
    ///
    /// The kernel does the work behind completions in here, about max(20, `want`) of them in a call. After a reap of 20
    /// or more, or while [`Ring::taskrun_pending`], `want = 512` with a zero timeout takes what is ready at once, where
    /// `want = 1` would take 20. `want = 0` waits for nothing, and with nothing to do does not enter the kernel.
    pub fn wait(&mut self, want: usize, timeout: Option<Duration>) {
        self.queues.wait(want, timeout);
        self.forget_named();
    }

    /// Hands over what is queued, now and all of it.
    pub fn flush(&mut self) {
        self.queues.flush();
        self.forget_named();
    }

    /// The completions there are, oldest first, without entering the kernel.
    pub fn completions(&mut self) -> impl Iterator<Item = Completion> {
        std::iter::from_fn(|| self.next_completion())
    }

    /// The oldest completion, for loops that queue operations as they go.
    pub fn next_completion(&mut self) -> Option<Completion> {
        loop {
            let cqe = self.queues.next()?;
            if let Some(completion) = self.read(&cqe) {
                return Some(completion);
            }
        }
    }

    /// Whether the kernel has work for this thread that only a [`Ring::wait`] will do.
    #[must_use]
    pub fn taskrun_pending(&self) -> bool {
        self.queues.is_taskrun_pending()
    }

    /// What was counted since the ring was made.
    #[must_use]
    pub fn counters(&self) -> RingCounters {
        self.queues.counters()
    }

    /// Sorts a CQE. What the kernel says is looked up, never trusted; `None` for what concerns only the ring.
    fn read(&mut self, cqe: &cqueue::Entry) -> Option<Completion> {
        let result = result_of(cqe.result());
        let Some(own) = Own::decode(cqe.user_data()) else {
            let token = Token::from_user_data(cqe.user_data());
            return Some(Completion { token, outcome: self.read_outcome(cqe, result) });
        };
        match own {
            Own::Accept { index, generation } => return self.read_accept(index, generation, result),
            Own::Wake { index } if (index as usize) < self.wakes.len() => {
                let still_armed = cqueue::more(cqe.flags());
                return Some(self.read_wake(index as usize, still_armed));
            }
            Own::Cancel => self.queues.counters_mut().cancel_misses += 1,
            Own::Close => self.queues.counters_mut().close_misses += 1,
            Own::Reset => self.queues.counters_mut().reset_misses += 1,
            Own::Inline { .. } | Own::Wake { .. } | Own::Unknown => {
                self.queues.counters_mut().cqes_stale += 1
            }
        }
        None
    }

    /// What a caller's own operation came to: bytes, where the kernel names a buffer.
    #[inline]
    fn read_outcome(&mut self, cqe: &cqueue::Entry, result: Result<u32, Errno>) -> Outcome {
        let (Some(index), Some(buffers), Ok(len)) =
            (cqueue::buffer_select(cqe.flags()), &mut self.provided, result)
        else {
            return Outcome::Done(result);
        };
        match buffers.hand_over(index, len) {
            Some(buffer) => Outcome::Received { buffer, goes_on: cqueue::more(cqe.flags()) },
            None => Outcome::Done(result),
        }
    }

    fn read_accept(&mut self, index: u32, generation: u32, result: Result<u32, Errno>) -> Option<Completion> {
        let Some((token, peer)) = self.peers.take_back(index, generation) else {
            self.queues.counters_mut().cqes_stale += 1;
            return None;
        };
        let outcome = match (result, peer) {
            (Ok(slot), Some(peer)) => Outcome::Accepted { slot: Slot(slot), peer },
            (Ok(slot), None) => {
                // A TCP listener has no such peers; should it, they are nobody's connection.
                self.close(Slot(slot));
                Outcome::AcceptFailed(Errno::AFNOSUPPORT)
            }
            (Err(errno), _) => Outcome::AcceptFailed(errno),
        };
        Some(Completion { token, outcome })
    }

    fn read_wake(&mut self, index: usize, still_armed: bool) -> Completion {
        if !still_armed {
            // A full completion queue ends it. Armed anew it fires at once, since its counter is not 0: at worst one
            // wake-up too many.
            self.arm_wake(index);
        }
        Completion { token: self.wakes[index].1, outcome: Outcome::Woken }
    }

    fn arm_wake(&mut self, index: usize) {
        let own = Own::Wake { index: index as u32 };
        self.queues.push(&Plain::watch(self.wakes[index].0.as_fd(), own));
    }

    fn keep_named(&mut self, address: &RingAddress) {
        self.named.push(address.clone());
        if self.named.len() >= NAMED_MAX {
            self.flush();
        }
    }

    fn forget_named(&mut self) {
        if !self.named.is_empty() && !self.queues.has_queued() {
            self.named.clear();
        }
    }

    /// Cancels everything, and waits until the kernel has given every peer address back and let go of every socket.
    fn take_everything_back(&mut self) -> Result<(), Errno> {
        self.flush();
        self.queues.cancel_everything(DROP_TIMEOUT)?;
        let mut rounds_in_vain = 0;
        for _ in 0..DROP_ROUNDS_MAX {
            while let Some(cqe) = self.queues.next() {
                rounds_in_vain = 0;
                if let Some(Own::Accept { index, generation }) = Own::decode(cqe.user_data()) {
                    self.peers.take_back(index, generation);
                }
            }
            // A cancelled poll holds its socket until its end was run, which happens only in a wait.
            let wanted = if self.queues.is_taskrun_pending() { 512 } else { self.peers.lent_count() };
            if wanted == 0 {
                return Ok(());
            }
            if rounds_in_vain == DROP_ROUNDS_IN_VAIN_MAX {
                break;
            }
            rounds_in_vain += 1;
            let timeout = if self.queues.is_taskrun_pending() { Duration::ZERO } else { DROP_TIMEOUT };
            self.queues.wait(wanted, Some(timeout));
        }
        Err(Errno::TIMEDOUT)
    }
}

/// Cancelling takes microseconds; whatever takes longer is better leaked than waited for.
const DROP_TIMEOUT: Duration = Duration::from_millis(100);

/// Waits in a row that brought nothing: more than one, since a signal ends a wait.
const DROP_ROUNDS_IN_VAIN_MAX: u32 = 5;

/// Each takes some 500 operations, and a ring has some 2^20: other rings must not keep this one busy for ever.
const DROP_ROUNDS_MAX: u32 = 10_000;

/// Descriptors of other rings kept open for queued SQEs before the queue is handed over.
const NAMED_MAX: usize = 1024;

impl Drop for Ring {
    fn drop(&mut self) {
        let end = self.take_everything_back();
        if let Some(buffers) = &mut self.provided {
            buffers.is_registered = end.is_err() || self.queues.unregister_provided(GROUP).is_err();
        }
        if let Err(errno) = end {
            // The table of peer addresses and the provided buffers leak themselves, and say how much.
            tracing::error!(%errno, "a ring was dropped with operations that did not end");
        }
        if let Err(error) = self.queues.unregister() {
            tracing::error!(%error, "a ring was dropped with a table that could not be emptied");
        }
    }
}
