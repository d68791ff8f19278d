//! System calls that are refused by a seccomp filter, as a container's profile or a unit's `SystemCallFilter=` does it.
//!
//! A filter is of the thread that applies it and of whatever that thread starts (seccomp(2)), so a child is started from a
//! thread of its own.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use rustix::io::Errno;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

/// The calls of io_uring, which have these numbers on all machines that Rust's seccompiler knows.
pub const IO_URING_SETUP: i64 = 425;
/// See [`IO_URING_SETUP`].
pub const IO_URING_ENTER: i64 = 426;
/// See [`IO_URING_SETUP`].
pub const IO_URING_REGISTER: i64 = 427;

/// A system call that is answered with an error.
#[derive(Clone, Copy, Debug)]
pub struct RefusedCall {
    /// Its number.
    pub call: i64,
    /// Only if this argument, counted from 0, has this value.
    pub only_if: Option<(u8, u32)>,
    /// The answer.
    pub errno: Errno,
}

/// All of io_uring.
#[must_use]
pub fn io_uring(errno: Errno) -> Vec<RefusedCall> {
    [IO_URING_SETUP, IO_URING_ENTER, IO_URING_REGISTER]
        .map(|call| RefusedCall { call, only_if: None, errno })
        .into()
}

/// Does `work` where these calls are refused. All of them have the same answer, since a filter has one.
///
/// # Panics
/// If the kernel takes no filter, or `work` panics.
pub fn refusing<T: Send>(calls: &[RefusedCall], work: impl FnOnce() -> T + Send) -> T {
    if calls.is_empty() {
        return work();
    }
    let filter = filter(calls);
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            apply_filter(&filter).expect("the kernel has seccomp filters");
            work()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn filter(calls: &[RefusedCall]) -> BpfProgram {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for refused in calls {
        let rules = rules.entry(refused.call).or_default();
        if let Some((argument, value)) = refused.only_if {
            let condition =
                SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value.into());
            let rule = SeccompRule::new(vec![condition.expect("a call has six arguments")]);
            rules.push(rule.expect("a rule has a condition"));
        }
    }
    let errno = calls[0].errno.raw_os_error() as u32;
    let arch = ARCH.try_into().expect("an architecture that seccompiler knows");
    SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(errno), arch)
        .and_then(BpfProgram::try_from)
        .expect("a filter of a few rules")
}
