//! Sizes of a ring, and what to do when the kernel refuses one.
//!
//! Not here: which kernel version this is. A ring that could be set up is put to the test by [`crate::selftest`].

use std::io;

use io_uring::IoUring;

use crate::Errno;
use crate::token::errno_of;

/// Sizes of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Sockets the ring can hold, from 1. Bounded by the soft `RLIMIT_NOFILE`, for each ring on its own, and by 2^20.
    /// An empty slot is 8 bytes.
    pub slots: u32,
    /// Operations that can be queued before the kernel is entered: a power of two.
    pub sq_entries: u32,
    /// Completions that can wait: a power of two, at least twice `sq_entries`. Below 8,192 the kernel's hash table for
    /// cancels shrinks as well.
    pub cq_entries: u32,
    /// Accepts that can be armed at once, below 2^24. Each keeps 136 bytes for a peer's address.
    pub accepts: u32,
    /// Bytes of each of the 32 receive buffers, from 1.
    pub receive_bytes: u32,
}

impl Default for Setup {
    fn default() -> Self {
        Self { slots: 1024, sq_entries: 1024, cq_entries: 16_384, accepts: 64, receive_bytes: 16 * 1024 }
    }
}

/// Why there is no ring, and what would help.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// `EPERM`, `EACCES`.
    #[error(
        "io_uring is forbidden here ({0}): set the sysctl kernel.io_uring_disabled to 0, and allow its three calls in a \
         systemd unit (SystemCallFilter=io_uring_setup io_uring_enter io_uring_register) or in the container's seccomp \
         profile (the default profiles of Docker and containerd refuse them)"
    )]
    Forbidden(#[source] io::Error),
    /// `ENOSYS`.
    #[error(
        "this kernel has no io_uring ({0}): it is too old, built without it, or a sandbox such as gVisor; \
         Linux 6.1 or newer is needed"
    )]
    Missing(#[source] io::Error),
    /// `EINVAL` for the flags, which are all there since 6.1.
    #[error("this kernel's io_uring is too old for `{step}` ({source}): Linux 6.1 or newer is needed")]
    TooOld {
        /// What was refused.
        step: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// `ENOMEM`.
    #[error(
        "no memory for `{step}` ({source}): raise RLIMIT_MEMLOCK (LimitMEMLOCK= in a systemd unit; the rings of a user count \
         together) or the memory limit of the cgroup, or ask for fewer rings, slots and queue entries"
    )]
    NoMemory {
        /// What was refused.
        step: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// `EMFILE` for the table of direct descriptors.
    #[error(
        "slots = {slots} is above the limit of open files {soft} (hard limit {hard}): raise RLIMIT_NOFILE \
         (LimitNOFILE= in a systemd unit, ulimit -n in a shell), or use more rings of at most {soft} slots each"
    )]
    TableAboveLimit {
        /// Slots asked for.
        slots: u32,
        /// The soft limit, which is what counts.
        soft: u64,
        /// How far the soft limit can be raised without privileges.
        hard: u64,
        /// The kernel's answer.
        source: io::Error,
    },
    /// `EMFILE`, `ENFILE` for the ring's own descriptor.
    #[error(
        "no file descriptor left for a ring ({0}): raise RLIMIT_NOFILE (LimitNOFILE= in a systemd unit), or fs.file-max for \
         the whole machine"
    )]
    NoDescriptor(#[source] io::Error),
    /// Anything else.
    #[error("`{step}` failed: {source}; sizes asked for: {setup:?}")]
    Other {
        /// What was refused.
        step: &'static str,
        /// The sizes it was refused with.
        setup: Setup,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// The last size of a fixed table the kernel takes (`IORING_MAX_FIXED_FILES`, 2^20 since 6.0).
pub(crate) const SLOTS_MAX: u32 = 1 << 20;

impl Setup {
    /// The ring with all its flags, without its table of descriptors.
    pub(crate) fn build(&self) -> Result<IoUring, SetupError> {
        // NO_SQARRAY is 6.6 and only saves a little; everything else is needed.
        match self.builder().setup_no_sqarray().build(self.sq_entries) {
            Err(error) if errno_of(&error) == Errno::INVAL => self.builder().build(self.sq_entries),
            result => result,
        }
        .map_err(|source| self.explain("io_uring_setup", source))
    }

    /// Explains the failure of `step`.
    pub(crate) fn explain(&self, step: &'static str, source: io::Error) -> SetupError {
        let setup = *self;
        match errno_of(&source) {
            Errno::PERM | Errno::ACCESS => SetupError::Forbidden(source),
            Errno::NOSYS => SetupError::Missing(source),
            Errno::NOMEM => SetupError::NoMemory { step, source },
            Errno::MFILE | Errno::NFILE => SetupError::NoDescriptor(source),
            Errno::INVAL if self.is_sane() => SetupError::TooOld { step, source },
            _ => SetupError::Other { step, setup, source },
        }
    }

    /// Explains why the table of direct descriptors was refused, where the limit counts each ring on its own.
    pub(crate) fn explain_table(&self, source: io::Error) -> SetupError {
        if errno_of(&source) != Errno::MFILE || self.slots > SLOTS_MAX {
            return self.explain("registering the table of direct descriptors", source);
        }
        let nofile = crate::machine::nofile();
        SetupError::TableAboveLimit { slots: self.slots, soft: nofile.soft, hard: nofile.hard, source }
    }

    /// Whether the kernel's `EINVAL` cannot be about the sizes.
    fn is_sane(&self) -> bool {
        (1..=SLOTS_MAX).contains(&self.slots)
            && (1..=32_768).contains(&self.sq_entries)
            && (self.sq_entries..=65_536).contains(&self.cq_entries)
    }

    fn builder(&self) -> io_uring::Builder {
        let mut builder = IoUring::builder();
        builder
            .dontfork()
            .setup_cqsize(self.cq_entries)
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_coop_taskrun()
            .setup_submit_all();
        builder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_names_its_remedy() {
        let setup = Setup::default();
        for (errno, remedy) in [
            (Errno::PERM, "kernel.io_uring_disabled"),
            (Errno::ACCESS, "seccomp"),
            (Errno::PERM, "SystemCallFilter=io_uring_setup io_uring_enter io_uring_register"),
            (Errno::NOSYS, "Linux 6.1 or newer"),
            (Errno::NOMEM, "memory limit of the cgroup"),
            (Errno::NOMEM, "LimitMEMLOCK="),
            (Errno::MFILE, "LimitNOFILE="),
            (Errno::INVAL, "Linux 6.1 or newer"),
        ] {
            let text = setup.explain("io_uring_setup", errno.into()).to_string();
            assert!(text.contains(remedy), "{errno}: {text}");
        }
    }

    #[test]
    fn nonsense_sizes_are_not_blamed_on_the_kernel() {
        let setup = Setup { sq_entries: 0, ..Setup::default() };
        let text = setup.explain("io_uring_setup", Errno::INVAL.into()).to_string();
        assert!(text.contains("sq_entries: 0"), "{text}");
    }

    #[test]
    fn a_table_above_the_limit_is_explained_with_numbers() {
        let text =
            Setup { slots: 1 << 20, ..Setup::default() }.explain_table(Errno::MFILE.into()).to_string();
        let soft = crate::machine::nofile().soft;
        assert!(text.contains("slots = 1048576") && text.contains(&soft.to_string()), "{text}");
    }
}
