//! Why a hub did not start: the cause, and what would help.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use corecast_ring::{ListenError, SelftestError, SetupError};
use thiserror::Error;

use super::takeover::PredecessorError;
use crate::config::keys::KeyError;
use crate::log::file::OpenError;
use crate::systemd::SocketFault;

/// Why a hub did not start, or did not stop well.
#[derive(Debug, Error)]
pub enum StartError {
    /// A ring cannot be had.
    #[error("{0}")]
    Ring(#[from] SetupError),
    /// The kernel does not do what the driver that was asked for relies on.
    #[error(
        "hub.driver = \"uring\": {0}; or set hub.driver = \"auto\", which is slower here and has every feature"
    )]
    Selftest(#[source] SelftestError),
    /// A shard's monoio runtime cannot be had.
    #[error(
        "a shard cannot wait for its sockets ({0}): raise RLIMIT_NOFILE, or RLIMIT_MEMLOCK where it is memory \
         (LimitNOFILE= and LimitMEMLOCK= in a systemd unit)"
    )]
    Waiter(#[source] io::Error),
    /// The hub's address.
    #[error("hub.listen: {0}")]
    Listen(#[from] ListenError),
    /// The admin address.
    #[error("admin.listen = \"{address}\": {source}; {}", admin_remedy(source))]
    AdminListen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The admin socket that came with the start is open to others, and nobody has to show a token.
    #[error(
        "the admin socket that came with the start listens on {0}, which can be reached from elsewhere: set admin.token_file (or \
         admin.token), or listen on 127.0.0.1 (systemd: ListenStream=)"
    )]
    AdminOpen(SocketAddr),
    /// More connections than there can be descriptors for.
    #[error(
        "limits.connections = {connections} needs {needed} slots, but {shards} shards of at most {slots} slots (the limit of \
         open files, RLIMIT_NOFILE) have {have}; raise it (systemd: LimitNOFILE=1048576), raise hub.shards to {enough}, or \
         lower limits.connections"
    )]
    Descriptors {
        /// What is configured.
        connections: u32,
        /// What that needs.
        needed: u64,
        /// How many shards there are.
        shards: u32,
        /// What each can have.
        slots: u64,
        /// What they have together.
        have: u64,
        /// How many shards would do.
        enough: u64,
    },
    /// The same for a driver whose connections are descriptors of the process.
    #[error(
        "limits.connections = {connections} needs {needed} descriptors, since the monoio driver takes one for each connection, \
         but the limit of open files (RLIMIT_NOFILE) leaves {have}; raise it (systemd: LimitNOFILE=1048576), let the hub use \
         io_uring, or lower limits.connections"
    )]
    DescriptorsWithoutRing {
        /// What is configured.
        connections: u32,
        /// What that needs.
        needed: u64,
        /// What there is.
        have: u64,
    },
    /// More connections than there is memory for.
    #[error(
        "limits.connections = {connections} needs about {needed_mib} MiB, but only {available_mib} MiB are available; lower \
         limits.connections or add memory"
    )]
    Memory {
        /// What is configured.
        connections: u32,
        /// What that needs.
        needed_mib: u64,
        /// What there is.
        available_mib: u64,
    },
    /// Key material cannot be had.
    #[error("{place}: {cause}")]
    Key {
        /// The setting.
        place: String,
        /// Why not.
        #[source]
        cause: KeyError,
    },
    /// Key material is of no use.
    #[error("{place}: {cause}")]
    KeyContent {
        /// The setting.
        place: &'static str,
        /// Why not.
        cause: corecast_core::auth::KeyError,
    },
    /// Sockets that came with the start.
    #[error("{0}")]
    Sockets(#[from] SocketFault),
    /// The hub that is to be taken over.
    #[error("{0}")]
    Predecessor(#[from] PredecessorError),
    /// The log is damaged, so it is not taken over.
    #[error("the log that would be taken over is damaged: {0}")]
    LogToTakeOver(String),
    /// The log was given to one process that took over and to another, and neither serves.
    #[error(
        "two processes that took over failed with the log: {0}; this hub has ended its streams, and every acknowledged event \
         is in the log"
    )]
    SuccessorLost(String),
    /// The log cannot be opened.
    #[error("log.path: {0}")]
    Log(#[from] OpenError),
    /// The operating system has no random bytes.
    #[error("cannot draw random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// A thread cannot be started.
    #[error(
        "cannot start a thread: {0}; the limit of threads may be too low (TasksMax= or LimitNPROC= in a systemd unit)"
    )]
    Thread(#[source] io::Error),
    /// A wake-up between threads cannot be had.
    #[error(
        "cannot make an eventfd: {0}; the limit of open files may be too low (LimitNOFILE= in a systemd unit)"
    )]
    Wake(#[source] io::Error),
    /// The control thread's event loop cannot be had.
    #[error("cannot start the control thread's event loop: {0}")]
    Runtime(#[source] io::Error),
    /// A file of the kernel's cannot be read.
    #[error("cannot read {path}: {source}; a systemd unit must not set ProcSubset=pid")]
    Kernel {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A thread ended before the hub was told to stop.
    #[error("a thread of the hub ended by itself; this is a bug, please report it with the messages before")]
    ThreadLost,
}

/// What helps depends on whether the address is taken or forbidden.
fn admin_remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => "choose a port from 1024 on",
        io::ErrorKind::AddrNotAvailable => "choose an address of this machine",
        _ => "choose another address or end who has it",
    }
}
