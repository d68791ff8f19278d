//! The processes of a target, and what the kernel says of them: CPU time, resident memory.

use std::process::Child;

/// A server's process and all its descendants. Dropping it ends them.
#[derive(Debug)]
pub struct ProcessTree {
    child: Child,
}

impl ProcessTree {
    /// The tree of a process that was just started.
    #[must_use]
    pub fn of(child: Child) -> Self {
        Self { child }
    }

    /// The process that was started.
    #[must_use]
    pub fn root(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for ProcessTree {
    fn drop(&mut self) {
        // Neither fails but for a process that has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
