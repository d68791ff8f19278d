//! Plain counters of a ring, for the owner to publish as it likes.

/// What a ring has counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingCounters {
    /// Calls of `io_uring_enter`.
    pub enters: u64,
    /// SQEs the kernel has taken.
    pub sqes: u64,
    /// CQEs taken from the kernel.
    pub cqes: u64,
    /// Times the kernel refused an enter for want of memory or room (`EAGAIN`, `EBUSY`) and it was repeated.
    pub enter_retries: u64,
    /// Times a backlog of CQEs beyond the queue was seen. Must stay 0: the CQ is too small, and order was lost.
    pub cq_backlogs: u64,
    /// CQEs the kernel could not keep at all. Must stay 0.
    pub cqes_dropped: u64,
    /// SQEs the kernel could not read. Must stay 0.
    pub sqes_dropped: u64,
    /// Cancels that found nothing, or came too late.
    pub cancel_misses: u64,
    /// Closes of a slot that held nothing. Must stay 0: the caller has lost track of a slot.
    pub close_misses: u64,
    /// Closes that were to be resets and are not: before Linux 6.7 a ring cannot set socket options.
    pub reset_misses: u64,
    /// CQEs of the ring's own operations that belong to none it knows. Must stay 0.
    pub cqes_stale: u64,
}
