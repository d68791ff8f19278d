//! The processes of a target, and what the kernel says of them: CPU time, resident memory, what they write.
//!
//! Invariant: dropping a [`ProcessTree`] ends all of its processes, and waits until they are gone.
//! Not here: memory that the kernel holds for them (`kernel_memory`), and when they are ready (`launch`).

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, test_kill_process, waitid,
};

/// What explains an end stands in its last lines.
const LINES_KEPT: usize = 100;

/// A longer line is kept in pieces.
const LINE_BYTES_MAX: u64 = 4096;

/// Killed processes are gone as soon as the kernel has freed their memory and sockets.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// A server's process and all its descendants.
#[derive(Debug)]
pub struct ProcessTree {
    child: Child,
    said: Said,
}

impl ProcessTree {
    /// Takes charge of `child`. Its stderr is read, if it is piped, so that it cannot block on it.
    #[must_use]
    pub fn of(mut child: Child) -> Self {
        let stderr = child.stderr.take();
        let tree = Self { child, said: Said::default() };
        if let Some(stderr) = stderr {
            tree.said.follow(stderr);
        }
        tree
    }

    /// The same, for a child that writes to the other end of `output`.
    pub(super) fn with_output(child: Child, output: impl Read + Send + 'static) -> Self {
        let tree = Self::of(child);
        tree.said.follow(output);
        tree
    }

    /// The id of the first process.
    #[must_use]
    pub fn root(&self) -> u32 {
        self.child.id()
    }

    /// The ids of all processes that run: the first one, then its descendants.
    #[must_use]
    pub fn ids(&self) -> Vec<u32> {
        let parents: Vec<(u32, u32)> = all_ids().filter_map(|id| Some((id, Stat::of(id)?.parent))).collect();
        let mut ids = vec![self.root()];
        let mut next = 0;
        while let Some(&parent) = ids.get(next) {
            ids.extend(parents.iter().filter(|(_, p)| *p == parent).map(|(id, _)| *id));
            next += 1;
        }
        ids
    }

    /// CPU time that the tree has used since it was started, user and system, in nanoseconds.
    ///
    /// Of a process that runs it is exact, threads that have ended and those that the kernel runs for it (io_uring's)
    /// included: its CPU clock (clock_getcpuclockid(3)). Of descendants that have ended it is what their parents were
    /// told when they waited for them, rounded down to a tick of 10 ms. Interrupts, and with them the part of loopback
    /// traffic that the kernel handles in them, are counted to whoever runs then, as in any process accounting.
    ///
    /// # Errors
    /// If the first process has ended.
    pub fn cpu_time_ns(&self) -> anyhow::Result<u64> {
        self.check()?;
        let tick_ns = 1_000_000_000 / rustix::param::clock_ticks_per_second();
        // A process that ends while this runs is counted by its parent.
        Ok(self
            .ids()
            .into_iter()
            .filter_map(|id| Some(own_cpu_time_ns(id)? + Stat::of(id)?.ended_children_ticks * tick_ns))
            .sum())
    }

    /// Resident set of all processes now, in bytes. Pages that several of them share count in each.
    ///
    /// # Errors
    /// If the first process has ended, or the kernel does not tell.
    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        // Unlike the counters of statm, which are approximate, this walks the page tables (proc(5)).
        self.sum_of("smaps_rollup", "Rss:")
    }

    /// The highest resident set of each process, summed, in bytes: what the tree had at its highest, or more.
    ///
    /// # Errors
    /// If the first process has ended, or the kernel does not tell.
    pub fn resident_bytes_max(&self) -> anyhow::Result<u64> {
        self.sum_of("status", "VmHWM:")
    }

    /// Bytes that its processes had read from disks since they were started: what was in the page cache does not count.
    ///
    /// # Errors
    /// If the first process has ended.
    pub fn disk_bytes_read(&self) -> anyhow::Result<u64> {
        self.check()?;
        let read = |id| read_bytes(&fs::read_to_string(format!("/proc/{id}/io")).ok()?);
        Ok(self.ids().into_iter().filter_map(read).sum())
    }

    /// Lets [`Self::resident_bytes_max`] begin anew from what is resident now.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn reset_resident_bytes_max(&self) -> anyhow::Result<()> {
        self.check()?;
        for id in self.ids() {
            let path = format!("/proc/{id}/clear_refs");
            // 5 resets the mark and nothing else (proc(5)).
            fs::write(&path, "5").with_context(|| path.clone())?;
        }
        Ok(())
    }

    fn sum_of(&self, file: &str, field: &str) -> anyhow::Result<u64> {
        self.check()?;
        let mut sum = 0;
        for id in self.ids() {
            let path = format!("/proc/{id}/{file}");
            match fs::read_to_string(&path) {
                Ok(text) => sum += 1024 * kib_field(&text, field).unwrap_or(0),
                // It has ended meanwhile, or is ending and has no memory any more.
                Err(_) if Stat::of(id).is_none_or(|stat| stat.has_ended) => {}
                Err(error) => return Err(error).context(path),
            }
        }
        Ok(sum)
    }

    /// # Errors
    /// If the first process has ended; with the last lines that it wrote.
    pub fn check(&self) -> anyhow::Result<()> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let Some(status) = waitid(WaitId::Pid(Pid::from_child(&self.child)), options)? else { return Ok(()) };
        let how = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => format!("with exit status {code}"),
            (None, Some(signal)) => format!("by signal {signal}"),
            (None, None) => "for an unknown reason".to_owned(),
        };
        self.said.wait_for_end();
        bail!("it ended {how}; it wrote: {}", self.said())
    }

    /// The last lines that it wrote.
    #[must_use]
    pub fn said(&self) -> String {
        let said = self.said.lines();
        if said.is_empty() { "(nothing)".to_owned() } else { format!("\n{}", said.join("\n")) }
    }

    /// The first thing that `find` finds in a line that it wrote.
    pub fn find_said<T>(&self, find: impl FnMut(&str) -> Option<T>) -> Option<T> {
        self.said.lines().iter().map(String::as_str).find_map(find)
    }
}

impl Drop for ProcessTree {
    fn drop(&mut self) {
        // Descendants are asked for while their parents can still be seen.
        let ids = self.ids();
        let root = Pid::from_child(&self.child);
        // Whatever was forked meanwhile is in the group of the first process, if that leads one. Errors say that
        // somebody is gone already.
        let _ = kill_process_group(root, Signal::KILL);
        for &id in &ids {
            if let Some(pid) = pid_of(id) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        let _ = self.child.wait();
        let deadline = Instant::now() + KILL_PATIENCE;
        while ids.iter().any(|&id| is_alive(id)) && Instant::now() < deadline {
            thread::park_timeout(Duration::from_millis(1));
        }
    }
}

/// Lines of an output, as they come.
#[derive(Clone, Debug, Default)]
struct Said(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    last: VecDeque<String>,
    is_open: bool,
}

impl Said {
    fn follow(&self, output: impl Read + Send + 'static) {
        self.lock().is_open = true;
        let said = self.clone();
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            while (&mut output).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                let mut lines = said.lock();
                lines.last.push_back(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
                if lines.last.len() > LINES_KEPT {
                    lines.last.pop_front();
                }
                line.clear();
            }
            said.lock().is_open = false;
        });
    }

    /// What a process wrote last may arrive after the news of its end. A descendant may hold the pipe open.
    fn wait_for_end(&self) {
        let deadline = Instant::now() + Duration::from_millis(200);
        while self.lock().is_open && Instant::now() < deadline {
            thread::park_timeout(Duration::from_millis(1));
        }
    }

    fn lines(&self) -> Vec<String> {
        self.lock().last.iter().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `/proc/ID/stat` says, as far as it is asked.
struct Stat {
    parent: u32,
    has_ended: bool,
    ended_children_ticks: u64,
}

impl Stat {
    fn of(id: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
    }

    /// The name of the program, in parentheses, may itself have spaces and parentheses; fields are counted after it, so
    /// that the third of proc(5) is the first here.
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Self {
            parent: u32::try_from(number(4)?).ok()?,
            has_ended: matches!(*fields.first()?, "Z" | "X"),
            ended_children_ticks: number(16)? + number(17)?,
        })
    }
}

fn all_ids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn own_cpu_time_ns(id: u32) -> Option<u64> {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(id).ok()?);
    let time = nix::time::clock_getcpuclockid(pid).and_then(nix::time::clock_gettime).ok()?;
    u64::try_from(Duration::from(time).as_nanos()).ok()
}

fn pid_of(id: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(id).ok()?)
}

/// Whether it runs: neither gone, nor waiting for somebody to ask how it ended.
fn is_alive(id: u32) -> bool {
    pid_of(id).is_some_and(|pid| test_kill_process(pid).is_ok())
        && Stat::of(id).is_some_and(|stat| !stat.has_ended)
}

/// Of `/proc/ID/io`.
fn read_bytes(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("read_bytes:"))?.trim().parse().ok()
}

/// The value of the line `field` in a file such as `/proc/meminfo`, in KiB.
pub(super) fn kib_field(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    use super::*;

    fn shell(script: &str) -> ProcessTree {
        let mut command = Command::new("sh");
        command.args(["-c", script]).process_group(0);
        ProcessTree::of(command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn eventually<T>(mut condition: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(found) = condition() {
                return found;
            }
            assert!(Instant::now() < deadline, "not within 20 s");
            thread::park_timeout(Duration::from_millis(2));
        }
    }

    #[test]
    fn the_tree_has_children_and_grandchildren_and_all_end_with_it() {
        let tree = shell("sh -c 'sleep 1000 & wait' & setsid sleep 1000 & wait");
        let ids = eventually(|| Some(tree.ids()).filter(|ids| ids.len() == 4));
        assert_eq!(ids[0], tree.root());
        assert!(ids.iter().all(|&id| is_alive(id)));
        assert!(tree.resident_bytes().unwrap() > 100_000);
        drop(tree);
        assert!(!ids.iter().any(|&id| is_alive(id)));
    }

    #[test]
    fn cpu_time_is_that_of_the_process_and_its_children() {
        // A shell that spins in a child, then in a child that ends and is waited for.
        for script in ["while :; do :; done & wait", "timeout 0.5 sh -c 'while :; do :; done'; sleep 1000"] {
            let tree = shell(script);
            let spent = eventually(|| Some(tree.cpu_time_ns().unwrap()).filter(|&ns| ns > 50_000_000));
            let later = tree.cpu_time_ns().unwrap();
            assert!(later + 20_000_000 >= spent, "{script}: {spent} ns, then {later} ns");
        }
        let idle = shell("sleep 1000");
        eventually(|| Some(()).filter(|()| idle.ids().len() == 1));
        assert!(idle.cpu_time_ns().unwrap() < 50_000_000);
    }

    #[test]
    fn the_highest_memory_is_kept_until_it_is_reset() {
        // The shell holds 40 MB in a variable, and lets go of them when it is told to.
        let tree = shell("x=$(head -c 40000000 /dev/zero | tr '\\0' x); x=; echo done >&2; sleep 1000");
        eventually(|| tree.find_said(|line| (line == "done").then_some(())));
        let highest = tree.resident_bytes_max().unwrap();
        assert!(highest > 40_000_000, "{highest}");
        tree.reset_resident_bytes_max().unwrap();
        assert!(tree.resident_bytes_max().unwrap() < highest);
    }

    #[test]
    fn bytes_from_the_disk_are_not_those_from_the_cache() {
        assert_eq!(read_bytes("rchar: 7\nsyscr: 2\nread_bytes: 4096\nwrite_bytes: 1\n"), Some(4_096));
        assert_eq!(read_bytes("rchar: 7\n"), None);
        assert!(shell("sleep 1000").disk_bytes_read().is_ok());
    }

    #[test]
    fn an_end_is_told_with_the_last_lines_of_stderr() {
        let tree = shell("seq 1 200 >&2; echo 'no such setting' >&2; exit 3");
        let error = eventually(|| tree.check().err()).to_string();
        assert!(error.starts_with("it ended with exit status 3"), "{error}");
        assert!(error.ends_with("\n199\n200\nno such setting"), "{error}");
        assert!(!error.contains("\n101\n"), "{error}");
        assert!(tree.cpu_time_ns().is_err());
    }

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let text = "7 (a) b (c) S 3 7 7 0 -1 4194304 1 2 3 4 50 60 70 80 20 0 1 0";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((stat.parent, stat.has_ended, stat.ended_children_ticks), (3, false, 150));
        assert!(Stat::parse("7 (a) S 3").is_none());
        assert!(Stat::parse("").is_none());
    }
}
