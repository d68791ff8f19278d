//! Lasting receives into buffers that the kernel chooses from, for readers of very many sockets.
//!
//! Invariants: a buffer is either the kernel's or the caller's (`held` says which), and it is read only while it is the
//! caller's. The kernel writes to buffers only inside `io_uring_enter` on the ring's own thread (`DEFER_TASKRUN`), which
//! every path here reaches through `&mut Ring`, so no slice of a buffer is alive then.
//! Not here: fairness between sockets. Who gives no buffers back gets `ENOBUFS`.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;

use crate::operation::Plain;
use crate::ring::Ring;
use crate::{SetupError, Slot, Token};

/// The one group of buffers a ring has.
pub(crate) const GROUP: u16 = 0;

/// The kernel's limit of entries in a ring of buffers (`io_register_pbuf_ring`).
const COUNT_MAX: u16 = 1 << 15;

/// The kernel wants the entries on a page of their own.
const PAGE_BYTES: usize = 4096;

/// Received bytes that the caller has until [`Ring::give_back`]. It is a name, not the owner: naming a buffer that was
/// given back finds nothing, or what was received into it since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    index: u16,
}

impl Ring {
    /// Gives the kernel `count` buffers of `bytes` each, for [`Ring::receive_on`]. Once per ring, before the first.
    ///
    /// # Errors
    ///
    /// [`SetupError`]: a kernel before 5.19, no memory, or buffers that are there already.
    ///
    /// # Panics
    ///
    /// If `count` is no power of two up to 32,768, or `bytes` is 0.
    pub fn provide_buffers(&mut self, count: u16, bytes: u32) -> Result<(), SetupError> {
        assert!(
            count.is_power_of_two() && count <= COUNT_MAX,
            "count = {count} is no power of two up to 32768"
        );
        assert!(bytes > 0, "a receive of no bytes would look like the end of the stream");
        let mut buffers = ProvidedBuffers::new(count, bytes);
        let explain = |source| {
            let sizes = crate::Setup { slots: 1, ..crate::Setup::default() };
            sizes.explain("io_uring_register(IORING_REGISTER_PBUF_RING)", source)
        };
        // SAFETY: the entries are page-aligned memory for `count` of them, freed only after `unregister_provided` has taken
        // them back from the kernel (`ProvidedBuffers::drop`), else leaked.
        unsafe { self.queues.register_provided(buffers.entries.as_ptr() as u64, count, GROUP) }
            .map_err(explain)?;
        buffers.is_registered = true;
        (0..count).for_each(|index| buffers.lend(index));
        self.provided = Some(buffers);
        Ok(())
    }

    /// Receives whatever comes on `slot`, again and again: each time [`crate::Outcome::Received`]. It ends when that says
    /// so, or with [`crate::Outcome::Done`]: 0 is the end of the stream, `ENOBUFS` means that all buffers are with the
    /// caller, `ECANCELED` follows a [`Ring::cancel`]. Arm it again to go on.
    pub fn receive_on(&mut self, slot: Slot, token: Token) {
        self.queues.push(&Plain::receive_on(slot, token));
    }

    /// What was received into `buffer`; `None` if the caller does not have it (any more).
    #[must_use]
    #[inline]
    pub fn received(&self, buffer: Buffer) -> Option<&[u8]> {
        self.provided.as_ref()?.read(buffer.index)
    }

    /// Lets the kernel have `buffer` again. Nothing happens if it has it already.
    #[inline]
    pub fn give_back(&mut self, buffer: Buffer) {
        if let Some(buffers) = &mut self.provided {
            buffers.take_from_caller(buffer.index);
        }
    }
}

/// The buffers, the entries that lend them to the kernel, and who has which.
pub(crate) struct ProvidedBuffers {
    entries: NonNull<BufRingEntry>,
    memory: NonNull<u8>,
    count: u16,
    bytes: u32,
    tail: u16,
    /// By buffer: the bytes received, while the caller has it. 0 is "the kernel has it".
    held: Box<[u32]>,
    /// While it is, the kernel may take buffers and write to them.
    pub(crate) is_registered: bool,
}

impl ProvidedBuffers {
    fn new(count: u16, bytes: u32) -> Self {
        let (entries, memory) = layouts(count, bytes);
        Self {
            entries: allocate(entries).cast(),
            memory: allocate(memory),
            count,
            bytes,
            tail: 0,
            held: vec![0; count.into()].into_boxed_slice(),
            is_registered: false,
        }
    }

    /// Makes buffer `index` the caller's, with `len` bytes in it, as the kernel says. `None` if there is no such buffer, or
    /// it cannot hold that; one without bytes goes straight back.
    pub(crate) fn hand_over(&mut self, index: u16, len: u32) -> Option<Buffer> {
        let held = self.held.get_mut(usize::from(index))?;
        if len > self.bytes {
            return None;
        }
        if len == 0 {
            self.lend(index);
            return None;
        }
        *held = len;
        Some(Buffer { index })
    }

    #[inline]
    fn read(&self, index: u16) -> Option<&[u8]> {
        let len = *self.held.get(usize::from(index)).filter(|&&len| len > 0)?;
        let offset = usize::from(index) * self.bytes as usize;
        // SAFETY: `index` is below `count` (looked up in `held`), so the buffer lies within `memory`.
        let start = unsafe { self.memory.as_ptr().add(offset) };
        // SAFETY: `len` is at most `bytes` (`hand_over`), the memory was zeroed when allocated, and the kernel writes to it
        // only inside an enter, which needs `&mut Ring` (head of this file).
        Some(unsafe { std::slice::from_raw_parts(start, len as usize) })
    }

    #[inline]
    fn take_from_caller(&mut self, index: u16) {
        if self.held.get(usize::from(index)).is_some_and(|&len| len > 0) {
            self.held[usize::from(index)] = 0;
            self.lend(index);
        }
    }

    /// Lends buffer `index`, below `count`, to the kernel.
    #[inline]
    fn lend(&mut self, index: u16) {
        debug_assert!(index < self.count);
        let place = usize::from(self.tail & (self.count - 1));
        let offset = usize::from(index) * self.bytes as usize;
        // SAFETY: `place` is below `count`, so the entry lies within `entries`.
        let entry = unsafe { self.entries.as_ptr().add(place) };
        // SAFETY: the kernel only reads entries, and only those before the tail; there are as many places as buffers, and
        // this buffer is not lent, so this place is free.
        let entry = unsafe { &mut *entry };
        entry.set_addr(self.memory.as_ptr() as u64 + offset as u64);
        entry.set_len(self.bytes);
        entry.set_bid(index);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: `entries` begins with an initialised entry (zeroed, then written above).
        let tail = unsafe { BufRingEntry::tail(self.entries.as_ptr()) };
        // SAFETY: the tail is an aligned `u16` (offset 14 of the first entry) that only this thread writes, valid as long
        // as `entries`; no reference to it exists, as entries are written field by field above.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

impl Drop for ProvidedBuffers {
    fn drop(&mut self) {
        if self.is_registered {
            tracing::error!(
                count = self.count,
                "a ring was dropped whose receives did not end: their buffers are leaked"
            );
            return;
        }
        let (entries, memory) = layouts(self.count, self.bytes);
        // SAFETY: allocated with this layout in `new`, freed only here, and the kernel has let go of it (`is_registered`).
        unsafe { dealloc(self.entries.as_ptr().cast(), entries) };
        // SAFETY: as above.
        unsafe { dealloc(self.memory.as_ptr(), memory) };
    }
}

fn layouts(count: u16, bytes: u32) -> (Layout, Layout) {
    let page_aligned =
        |size| Layout::from_size_align(size, PAGE_BYTES).expect("2^15 times 2^32 bytes are a size");
    let count = usize::from(count);
    (page_aligned(count * size_of::<BufRingEntry>()), page_aligned(count * bytes as usize))
}

fn allocate(layout: Layout) -> NonNull<u8> {
    // SAFETY: neither layout has size 0: `provide_buffers` refuses a `count` or `bytes` of 0.
    let memory = unsafe { alloc_zeroed(layout) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}
