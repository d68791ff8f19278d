//! Memory that the kernel holds for itself, all of the machine's: a scenario takes the difference that its load makes.
//!
//! On loopback both ends of each connection are in it, the load generator's too. Not here: memory of processes
//! (`process`), and which end a byte belongs to.

use std::fs;

use anyhow::Context;

use super::process::kib_field;

/// What the kernel holds at one moment, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelMemory {
    /// Objects: sockets, files, inodes, small buffers, polls of io_uring and epoll. It includes caches that the kernel
    /// would give up under pressure (inodes and names of files), so nothing else should run.
    pub slab_bytes: u64,
    /// Tables too large for the slab, such as those of descriptors, and the stacks of threads.
    pub vmalloc_bytes: u64,
    /// Page tables of all processes.
    pub page_table_bytes: u64,
    /// Counters that each core has its own copy of.
    pub percpu_bytes: u64,
    /// Pages charged to TCP for bytes that nobody has read or acknowledged yet. Small buffers are also in the slab, so with
    /// full queues a part counts twice; with empty ones, as idle connections have, this is next to nothing.
    pub tcp_bytes: u64,
}

impl KernelMemory {
    /// What it is now.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub fn now() -> anyhow::Result<Self> {
        let read = |path| fs::read_to_string(path).context(path);
        Self::parse(&read("/proc/meminfo")?, &read("/proc/net/sockstat")?, rustix::param::page_size() as u64)
    }

    fn parse(meminfo: &str, sockstat: &str, page_bytes: u64) -> anyhow::Result<Self> {
        let bytes = |field| {
            let kib = kib_field(meminfo, field).with_context(|| format!("/proc/meminfo has no {field}"))?;
            anyhow::Ok(1024 * kib)
        };
        let tcp_pages = tcp_pages(sockstat).context("/proc/net/sockstat does not tell the memory of TCP")?;
        Ok(Self {
            slab_bytes: bytes("Slab:")?,
            vmalloc_bytes: bytes("VmallocUsed:")?,
            page_table_bytes: bytes("PageTables:")?,
            percpu_bytes: bytes("Percpu:")?,
            tcp_bytes: page_bytes * tcp_pages,
        })
    }

    /// All of it, in bytes.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        let Self { slab_bytes, vmalloc_bytes, page_table_bytes, percpu_bytes, tcp_bytes } = self;
        slab_bytes + vmalloc_bytes + page_table_bytes + percpu_bytes + tcp_bytes
    }
}

/// `TCP: inuse 3 orphan 0 tw 7 alloc 3 mem 2`: the last number, in pages.
fn tcp_pages(sockstat: &str) -> Option<u64> {
    let line = sockstat.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    let mut words = line.split_ascii_whitespace().skip_while(|word| *word != "mem");
    words.nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_read_and_all_are_summed() {
        let meminfo = "Slab:  1 kB\nPageTables: 4 kB\nVmallocTotal: 99 kB\nVmallocUsed: 2 kB\nPercpu: 8 kB\n";
        let sockstat = "sockets: used 9\nTCP: inuse 3 orphan 0 tw 7 alloc 3 mem 2\nUDP: inuse 0 mem 5\n";
        let memory = KernelMemory::parse(meminfo, sockstat, 4096).unwrap();
        assert_eq!((memory.slab_bytes, memory.vmalloc_bytes, memory.page_table_bytes), (1024, 2048, 4096));
        assert_eq!((memory.percpu_bytes, memory.tcp_bytes), (8192, 8192));
        assert_eq!(memory.total_bytes(), 1024 + 2048 + 4096 + 8192 + 8192);
        let error = KernelMemory::parse("Slab: 1 kB\n", sockstat, 4096).unwrap_err();
        assert_eq!(error.to_string(), "/proc/meminfo has no VmallocUsed:");
    }

    #[test]
    fn this_kernel_tells_all_of_it() {
        let memory = KernelMemory::now().unwrap();
        assert!(memory.slab_bytes > 1 << 20, "{memory:?}");
        assert!(memory.vmalloc_bytes > 0 && memory.page_table_bytes > 0, "{memory:?}");
    }
}
