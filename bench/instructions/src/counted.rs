//! The function whose entry begins and whose return ends what Valgrind counts.
//!
//! Invariant: it keeps its name in the binary. Whoever changes the name changes `COUNTED` as well; else nothing is
//! counted, which `valgrind` notices.

use std::hint::black_box;

/// How Callgrind finds the function, whatever the crate's hash in its name.
pub(crate) const COUNTED: &str = "*::counted";

/// Does `work`; its instructions count. Several calls add up.
#[inline(never)]
pub(crate) fn counted(work: &mut dyn FnMut()) {
    work();
    // A call in last place could become a jump, and Callgrind would see no return from here.
    black_box(());
}
