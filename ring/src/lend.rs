//! Sends and receives that are done when the call returns.
//!
//! Invariant: foreign code (the caller's iterator or closure) never runs between the first push of a batch and the moment
//! the kernel has consumed all of it. Hence nothing that can unwind or look away runs while the kernel borrows.

use io_uring::cqueue;
use smallvec::SmallVec;

use crate::operation::{receive, send};
use crate::queues::end_process;
use crate::ring::Ring;
use crate::token::result_of;
use crate::user_data::{FIELD_END, Own, next_generation};
use crate::{Errno, ShortSend, Slot, Token};

/// Bytes of one send. The kernel cuts a send at 2^31 - 4,096 bytes and calls that success.
pub const SEND_BYTES_MAX: usize = 1 << 30;

/// Sends collected before they are pushed: 8 KiB of stack. Batches of 32 to 4,096 cost the same (measured).
const SEND_BATCH: usize = 256;

/// Receives between two runs of the caller's closure, and the number of receive buffers.
pub(crate) const RECEIVE_BATCH: usize = 32;

const _: () = assert!(SEND_BATCH <= FIELD_END as usize && RECEIVE_BATCH <= SEND_BATCH);

impl Ring {
    /// Sends each item's bytes to its slot and reports in `short` those that did not go out whole. Queued operations go
    /// to the kernel first; completions of others that turn up are kept for [`Ring::completions`], in their order.
    ///
    /// Name a slot once per call. With two sends to one slot the first may be cut and the second, shorter, still fit,
    /// and the stream is corrupt.
    ///
    /// # Panics
    ///
    /// If an item has more than [`SEND_BYTES_MAX`] bytes; items before it may have been sent.
    pub fn send_all<'a>(
        &mut self,
        sends: impl IntoIterator<Item = (Slot, Token, &'a [u8])>,
        short: &mut Vec<ShortSend>,
    ) {
        let mut sends = sends.into_iter();
        loop {
            let batch: SmallVec<[_; SEND_BATCH]> = sends.by_ref().take(SEND_BATCH).collect();
            self.send_batch(&batch, short);
            if batch.len() < SEND_BATCH {
                return;
            }
        }
    }

    fn send_batch(&mut self, batch: &[(Slot, Token, &[u8])], short: &mut Vec<ShortSend>) {
        if batch.is_empty() {
            return;
        }
        assert!(
            batch.iter().all(|(_, _, bytes)| bytes.len() <= SEND_BYTES_MAX),
            "a send has at most {SEND_BYTES_MAX} bytes"
        );
        let generation = self.begin_batch();
        for (index, &(slot, _, bytes)) in (0..).zip(batch) {
            let sqe = send(slot, bytes, Own::Inline { index, generation });
            // SAFETY: `bytes` outlives this call (its lifetime is a parameter of `send_all`), and before the call returns
            // `finish_batch` has made the kernel consume the SQE, after which an inline send has no claim on its bytes
            // (`selftest` shows it). Nothing in between unwinds: `flush` ends the process instead.
            unsafe { self.queues.push_lending(&sqe) };
        }
        self.finish_batch(generation, |index, cqe| {
            let Some(&(_, token, _)) = batch.get(index) else { return false };
            short.push(ShortSend { token, taken: result_of(cqe.result()) });
            true
        });
    }

    /// Receives once from each item's slot, without waiting, and hands `received` what came, in the items' order: the
    /// bytes (none of them is the end of the stream), or why there are none (`EAGAIN`: nothing yet). A full buffer may
    /// mean that there is more.
    pub fn receive_all(
        &mut self,
        items: impl IntoIterator<Item = (Slot, Token)>,
        mut received: impl FnMut(Token, Result<&[u8], Errno>),
    ) {
        let mut items = items.into_iter();
        loop {
            let batch: SmallVec<[_; RECEIVE_BATCH]> = items.by_ref().take(RECEIVE_BATCH).collect();
            let results = self.receive_batch(&batch);
            for ((&(_, token), result), buf) in batch.iter().zip(results).zip(self.receive_buffers()) {
                received(token, result.map(|len| &buf[..buf.len().min(len as usize)]));
            }
            if batch.len() < RECEIVE_BATCH {
                return;
            }
        }
    }

    fn receive_batch(&mut self, batch: &[(Slot, Token)]) -> [Result<u32, Errno>; RECEIVE_BATCH] {
        let mut results = [None; RECEIVE_BATCH];
        if !batch.is_empty() {
            let generation = self.begin_batch();
            let buffers = self.receive_memory.chunks_exact_mut(self.receive_bytes);
            for ((index, &(slot, _)), buf) in (0..).zip(batch).zip(buffers) {
                let sqe = receive(slot, buf, Own::Inline { index, generation });
                // SAFETY: `buf` is memory of the ring, which nobody reads before `finish_batch` has made the kernel
                // consume the SQE. After that an inline receive has no claim on it: each has posted its CQE, as is
                // checked below.
                unsafe { self.queues.push_lending(&sqe) };
            }
            self.finish_batch(generation, |index, cqe| {
                let Some(result) = results[..batch.len()].get_mut(index) else { return false };
                *result = Some(result_of(cqe.result()));
                true
            });
        }
        if results[..batch.len()].iter().any(Option::is_none) {
            end_process(
                "a receive with MSG_DONTWAIT did not complete at once: the kernel may still write its bytes",
            );
        }
        results.map(|result| result.unwrap_or(Err(Errno::AGAIN)))
    }

    fn receive_buffers(&self) -> impl Iterator<Item = &[u8]> {
        self.receive_memory.chunks_exact(self.receive_bytes)
    }

    /// A generation no CQE has yet: one that comes too late for its batch finds nothing.
    fn begin_batch(&mut self) -> u32 {
        self.batch_generation = next_generation(self.batch_generation);
        self.batch_generation
    }

    /// Has the kernel consume the batch and gives each of its CQEs to `on_cqe`, which says whether it knows the index.
    fn finish_batch(&mut self, batch: u32, mut on_cqe: impl FnMut(usize, &cqueue::Entry) -> bool) {
        self.flush();
        self.queues.settle();
        let inline = self.queues.take_inline();
        for cqe in &inline {
            let known = match Own::decode(cqe.user_data()) {
                Some(Own::Inline { index, generation }) if generation == batch => on_cqe(index as usize, cqe),
                _ => false,
            };
            self.queues.counters_mut().cqes_stale += u64::from(!known);
        }
        self.queues.return_inline(inline);
    }
}
