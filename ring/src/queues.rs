//! The two queues shared with the kernel: owns the ring's memory, pushes, enters, and keeps completions in order.
//!
//! Invariants: an SQE that was pushed is consumed by the kernel, in order, or the process ends; a CQE that was taken from
//! the kernel is either in `stash`, in the order it came, or in `inline`.
//!
//! Not here: what an operation is for. See `ring.rs` and `lend.rs`.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::RawFd;
use std::ptr::NonNull;
use std::time::Duration;

use io_uring::types::{CancelBuilder, SubmitArgs, Timespec};
use io_uring::{CompletionQueue, IoUring, SubmissionQueue, Submitter, cqueue, squeue};

use crate::operation::Plain;
use crate::token::errno_of;
use crate::user_data::Own;
use crate::{Errno, RingCounters};

/// How often in a row an enter may be refused without the kernel having taken anything. With a yield in between it is
/// seconds, and it means that the machine has no memory for one request.
const REFUSALS_MAX: u32 = 1_000_000;

/// The queues of one ring, and the ring.
pub(crate) struct Queues {
    // Dropped in this order: the queues write their positions into the ring's memory when they go. `split` is called
    // once, since only the `Submitter` that registered the ring's descriptor knows its index.
    sq: SubmissionQueue<'static>,
    cq: CompletionQueue<'static>,
    submitter: Submitter<'static>,
    _ring: OwnedRing,

    is_descriptor_registered: bool,
    /// CQEs seen while something else was looked for.
    stash: VecDeque<cqueue::Entry>,
    /// CQEs of inline sends and receives, for `lend.rs` to take.
    inline: Vec<cqueue::Entry>,
    counters: RingCounters,
}

/// Owns the ring without being a `Box`, which would claim to be the only path to memory that the queues also use.
struct OwnedRing(NonNull<IoUring>);

impl Drop for OwnedRing {
    fn drop(&mut self) {
        // SAFETY: the pointer came out of `Box::into_raw` in `Queues::new` and is freed only here; the three parts that
        // refer to it are fields of `Queues` above this one, hence already dropped, and never leave that struct.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

impl Queues {
    pub(crate) fn new(ring: IoUring) -> Self {
        let owned = OwnedRing(NonNull::from(Box::leak(Box::new(ring))));
        // SAFETY: the pointer is valid until `OwnedRing` is dropped, which the field order puts after the parts that carry
        // the 'static lifetime; nothing else makes a reference to the ring in between.
        let ring: &'static mut IoUring = unsafe { &mut *owned.0.as_ptr() };
        let (submitter, sq, cq) = ring.split();
        Self {
            sq,
            cq,
            submitter,
            _ring: owned,
            is_descriptor_registered: false,
            stash: VecDeque::new(),
            inline: Vec::new(),
            counters: RingCounters::default(),
        }
    }

    /// Registers the table, the ring's own descriptor, and the bound on kernel worker threads, and enters the kernel once.
    pub(crate) fn register(&mut self, slots: u32) -> Result<(), (RegisterStep, io::Error)> {
        self.submitter.register_files_sparse(slots).map_err(|error| (RegisterStep::Table, error))?;
        match self.submitter.register_ring_fd() {
            // A thread has room for 16 of them (`IO_RINGFD_REG_MAX`). The 17th ring looks its descriptor up on every
            // enter, as all did before 5.18.
            Err(error) if errno_of(&error) == Errno::BUSY => {}
            registered => {
                registered.map_err(|error| (RegisterStep::RingDescriptor, error))?;
                self.is_descriptor_registered = true;
            }
        }
        // Nothing here should ever need a kernel worker thread: one of each kind shows in a process list, a herd is
        // prevented.
        self.submitter
            .register_iowq_max_workers(&mut [1, 1])
            .map_err(|error| (RegisterStep::WorkerBound, error))?;
        // Nothing is queued yet: a filter that refuses this call is an error here, and later would be the process's end.
        self.submitter.submit().map_err(|error| (RegisterStep::Enter, error))?;
        Ok(())
    }

    #[inline]
    pub(crate) fn push(&mut self, plain: &Plain) {
        // SAFETY: a `Plain` holds no address (invariant of `operation.rs`).
        unsafe { self.push_lending(plain.entry()) }
    }

    /// Queues `entry`, handing over what is queued if there is no room.
    ///
    /// # Safety
    ///
    /// The memory `entry` points at must stay valid until the kernel is done with it: for inline operations until
    /// [`Self::flush`] returned, for others until their CQE was seen.
    #[inline]
    pub(crate) unsafe fn push_lending(&mut self, entry: &squeue::Entry) {
        loop {
            // SAFETY: the validity of what `entry` points at is our caller's contract, word for word.
            if unsafe { self.sq.push(entry) }.is_ok() {
                return;
            }
            self.flush();
        }
    }

    /// Makes room for `count` SQEs that must go to the kernel together.
    ///
    /// # Panics
    ///
    /// If the queue is smaller than that.
    pub(crate) fn reserve(&mut self, count: usize) {
        assert!(count <= self.sq.capacity(), "a queue of {} cannot take {count} at once", self.sq.capacity());
        if self.sq.capacity() - self.sq.len() < count {
            self.flush();
        }
    }

    /// Makes the kernel consume everything that is queued. Ends the process if it will not: there may be SQEs that
    /// point at memory which is only lent until this returns, and there is no taking them back.
    pub(crate) fn flush(&mut self) {
        let mut refusals = 0;
        loop {
            self.sq.sync();
            if self.sq.is_empty() {
                return;
            }
            match self.enter(Submitter::submit) {
                Entered::Some => refusals = 0,
                Entered::Interrupted => {}
                Entered::None => {
                    refusals += 1;
                    if refusals > REFUSALS_MAX {
                        end_process("io_uring takes no more operations: the machine is out of memory");
                    }
                    self.reap();
                    std::thread::yield_now();
                }
                Entered::Failed(errno) => end_process(&format!("io_uring_enter failed: {errno}")),
            }
        }
    }

    /// Takes every CQE there is, those beyond the queue as well. After [`Self::flush`] it finds every CQE of the inline
    /// operations that were handed over.
    pub(crate) fn settle(&mut self) {
        self.reap();
        while self.sq.cq_overflow() {
            self.counters.cq_backlogs += 1;
            // With that flag set, `submit` asks for events, which moves the backlog into the queue just emptied.
            if let Entered::Failed(errno) = self.enter(Submitter::submit) {
                end_process(&format!("io_uring_enter failed: {errno}"));
            }
            self.reap();
        }
    }

    /// Hands over what is queued and waits for `want` completions, the stashed ones included. May return early.
    pub(crate) fn wait(&mut self, want: usize, timeout: Option<Duration>) {
        self.sq.sync();
        let want = want.saturating_sub(self.stash.len());
        if want == 0 && self.sq.is_empty() && !self.is_taskrun_pending() {
            return;
        }
        let timespec = timeout.map(Timespec::from);
        let entered = self.enter(|submitter| match &timespec {
            Some(timespec) => submitter.submit_with_args(want, &SubmitArgs::new().timespec(timespec)),
            None => submitter.submit_and_wait(want),
        });
        match entered {
            Entered::Some | Entered::Interrupted => {}
            // The kernel wants room before it takes more.
            Entered::None => self.reap(),
            Entered::Failed(errno) => panic!("io_uring_enter failed: {errno}"),
        }
    }

    /// The oldest completion that was not taken yet.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<cqueue::Entry> {
        if let Some(cqe) = self.stash.pop_front() {
            return Some(cqe);
        }
        if self.cq.is_empty() {
            self.cq.sync();
        }
        let cqe = self.cq.next()?;
        self.counters.cqes += 1;
        Some(cqe)
    }

    /// Takes the CQEs of inline operations found since the last time.
    pub(crate) fn take_inline(&mut self) -> Vec<cqueue::Entry> {
        std::mem::take(&mut self.inline)
    }

    /// Gives the vector of [`Self::take_inline`] back, for its memory.
    pub(crate) fn return_inline(&mut self, mut inline: Vec<cqueue::Entry>) {
        inline.clear();
        self.inline = inline;
    }

    pub(crate) fn is_taskrun_pending(&self) -> bool {
        self.sq.taskrun() || self.sq.cq_overflow()
    }

    pub(crate) fn has_queued(&self) -> bool {
        !self.sq.is_empty()
    }

    pub(crate) fn counters(&self) -> RingCounters {
        RingCounters {
            cqes_dropped: self.counters.cqes_dropped.max(u64::from(self.cq.overflow())),
            sqes_dropped: u64::from(self.sq.dropped()),
            ..self.counters
        }
    }

    pub(crate) fn counters_mut(&mut self) -> &mut RingCounters {
        &mut self.counters
    }

    /// Cancels everything that is armed, within `timeout`. The CQEs come with the next wait.
    pub(crate) fn cancel_everything(&self, timeout: Duration) -> Result<(), Errno> {
        match self.submitter.register_sync_cancel(Some(timeout.into()), CancelBuilder::any()) {
            Err(error) if errno_of(&error) != Errno::NOENT => Err(errno_of(&error)),
            _ => Ok(()),
        }
    }

    /// Closes every socket in the table and forgets the ring's registered descriptor, which would keep the whole ring
    /// alive until the thread ends, and of which a thread has 16.
    pub(crate) fn unregister(&mut self) -> io::Result<()> {
        let files = self.submitter.unregister_files();
        if !self.is_descriptor_registered {
            return files.map(drop);
        }
        self.submitter.unregister_ring_fd().and(files)
    }

    /// Tells the kernel of a ring of buffers.
    ///
    /// # Safety
    ///
    /// `entries` must be the address of `count` entries on a page boundary, valid until [`Self::unregister_provided`]
    /// succeeded or the ring is gone.
    pub(crate) unsafe fn register_provided(&self, entries: u64, count: u16, group: u16) -> io::Result<()> {
        // SAFETY: our caller's contract, word for word.
        unsafe { self.submitter.register_buf_ring_with_flags(entries, count, group, 0) }
    }

    /// Takes a ring of buffers back.
    pub(crate) fn unregister_provided(&self, group: u16) -> io::Result<()> {
        self.submitter.unregister_buf_ring(group)
    }

    /// Puts an open file into the table, which then holds it.
    pub(crate) fn update_table(&self, slot: u32, fd: RawFd) -> io::Result<()> {
        self.submitter.register_files_update(slot, &[fd]).map(drop)
    }

    /// Moves every CQE of the queue to where it belongs.
    fn reap(&mut self) {
        self.cq.sync();
        for cqe in self.cq.by_ref() {
            self.counters.cqes += 1;
            match Own::decode(cqe.user_data()) {
                Some(Own::Inline { .. }) => self.inline.push(cqe),
                _ => self.stash.push_back(cqe),
            }
        }
        self.cq.sync();
    }

    /// One `io_uring_enter`, counted, its answer sorted.
    #[inline]
    fn enter(&mut self, call: impl FnOnce(&Submitter<'static>) -> io::Result<usize>) -> Entered {
        let queued = self.sq.len();
        self.counters.enters += 1;
        let answer = call(&self.submitter);
        self.sq.sync();
        let taken = queued - self.sq.len();
        self.counters.sqes += taken as u64;
        let Err(error) = answer else {
            return if taken > 0 || queued == 0 { Entered::Some } else { Entered::None };
        };
        match errno_of(&error) {
            // ETIME: the timeout of a wait passed.
            Errno::TIME => Entered::Some,
            Errno::INTR => Entered::Interrupted,
            Errno::AGAIN | Errno::BUSY => {
                self.counters.enter_retries += 1;
                Entered::None
            }
            // EBADR: told once for CQEs that were lost for want of memory.
            Errno::BADR => {
                self.counters.cqes_dropped += 1;
                Entered::Some
            }
            errno => Entered::Failed(errno),
        }
    }
}

/// How an `io_uring_enter` went.
enum Entered {
    /// It did what it could.
    Some,
    Interrupted,
    /// The kernel took nothing for now.
    None,
    Failed(Errno),
}

/// Which registration was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RegisterStep {
    Table,
    RingDescriptor,
    WorkerBound,
    Enter,
}

/// Ends the process where neither going on nor unwinding is sound: SQEs may point at lent memory.
pub(crate) fn end_process(why: &str) -> ! {
    // Neither `eprintln!` nor a log subscriber: both may panic, and unwinding is what must not happen.
    let _ = writeln!(io::stderr(), "fatal: {why}");
    std::process::abort()
}
