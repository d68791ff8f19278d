//! What the kernel holds for the sockets of the whole machine: the one figure that is near its end before any process is.
//!
//! The kernel counts this memory for all network namespaces together, and drops what it has no room for.

use std::fs;

use rustix::param::page_size;

/// The machine at one moment. `None` is what this kernel does not tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Host {
    /// In the buffers of all TCP sockets, in bytes.
    pub(super) tcp_memory: Option<u64>,
    /// Beyond this the kernel drops, in bytes.
    pub(super) tcp_memory_limit: Option<u64>,
}

impl Host {
    pub(super) fn read() -> Self {
        let page_bytes = page_size() as u64;
        let sockstat = fs::read_to_string("/proc/net/sockstat").ok();
        let tcp_mem = fs::read_to_string("/proc/sys/net/ipv4/tcp_mem").ok();
        Self {
            tcp_memory: sockstat.and_then(|text| pages_in_use(&text)?.checked_mul(page_bytes)),
            tcp_memory_limit: tcp_mem.and_then(|text| pages_at_most(&text)?.checked_mul(page_bytes)),
        }
    }
}

/// Of `TCP: inuse 1 orphan 0 tw 0 alloc 5 mem 383`: the number behind `mem` (net/ipv4/proc.c, `sockstat_seq_show`).
pub(super) fn pages_in_use(sockstat: &str) -> Option<u64> {
    let tcp = sockstat.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    tcp.split_ascii_whitespace().skip_while(|word| *word != "mem").nth(1)?.parse().ok()
}

/// The last of `low pressure high` (tcp(7), `tcp_mem`).
pub(super) fn pages_at_most(tcp_mem: &str) -> Option<u64> {
    tcp_mem.split_ascii_whitespace().nth(2)?.parse().ok()
}
