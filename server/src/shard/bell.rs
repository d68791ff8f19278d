//! A bell that wakes one sleeper: rung only if it sleeps, and never in vain.
//!
//! Invariant: the sleeper announces itself and looks at its queue once more; the sender pushes and then asks. Both
//! steps are `SeqCst`, so at least one of the two sees the other: a wake-up is never lost.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the one sleeper sleeps.
#[derive(Debug, Default)]
pub struct Bell {
    sleeping: AtomicBool,
}

impl Bell {
    /// The sleeper is about to sleep. It must look at its queues once more after this.
    pub fn announce_sleep(&self) {
        self.sleeping.store(true, Ordering::SeqCst);
    }

    /// The sleeper is awake.
    pub fn announce_awake(&self) {
        self.sleeping.store(false, Ordering::SeqCst);
    }

    /// Asked by a sender that has pushed: whether it is the one who must wake the sleeper.
    #[must_use]
    pub fn must_wake(&self) -> bool {
        // The plain load keeps the common case, a busy sleeper, from taking the line away from it.
        self.sleeping.load(Ordering::SeqCst) && self.sleeping.swap(false, Ordering::SeqCst)
    }
}
