//! The processes of a target, and what the kernel says of them: CPU time, resident memory.

/// A server's process and all its descendants.
#[derive(Debug)]
pub struct ProcessTree {}
